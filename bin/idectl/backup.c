/*
 * idectl backup: what auth writes of the store and the trail, and the keys, which are
 * root's, into one archive (archive.h).  It has its name when all of it is on the disk.
 */
#include <sys/stat.h>

#include <openssl/evp.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bsd/string.h>

#include "../../privsep/dir.h"
#include "../../privsep/audit_record.h"
#include "../../privsep/backup.h"
#include "archive.h"
#include "backup.h"
#include "idectl.h"
#include "../../privsep/hex.h"

#define PIPE_BYTES (1 << 20)
#define KEY_MAX    (1u << 20) /* larger is no file of keys */
#define KEYS_MAX   64

static struct {
	char path[4096];
	char temp[4096 + 16]; /* "" while there is none */
	int fd;
	int64_t now;
	uint64_t size;
	EVP_MD_CTX *sha;
	char *sums; /* lines of ARCHIVE_SUMS */
	size_t nsums;
	size_t room;
} out = { .fd = -1 };

/* Also at a signal. */
static void
discard(void)
{
	if (out.temp[0] != '\0')
		(void)unlink(out.temp);
}

static void
on_signal(int sig)
{
	discard();
	_exit(128 + sig);
}

static void
put(const void *data, size_t len)
{
	const uint8_t *p = data;
	ssize_t n;

	for (out.size += len; len > 0; p += n, len -= (size_t)n) {
		n = write(out.fd, p, len);
		if (n == -1 && errno == EINTR)
			n = 0;
		else if (n == -1)
			die("%s: %s", out.path, strerror(errno));
	}
}

static void
file_begin(const char *name, uint64_t size)
{
	uint8_t block[ARCHIVE_BLOCK];

	if (!archive_head(block, name, size, out.now))
		die("%s: too large for the archive", name);
	put(block, sizeof(block));
	if (EVP_DigestInit_ex(out.sha, EVP_sha256(), NULL) != 1)
		die("SHA-256 failed");
}

static void
file_data(const void *data, size_t len)
{
	if (EVP_DigestUpdate(out.sha, data, len) != 1)
		die("SHA-256 failed");
	put(data, len);
}

static void
file_end(const char *name, uint64_t size)
{
	static const uint8_t zero[ARCHIVE_BLOCK];
	char hex[AUDIT_HEX + 1];
	uint8_t md[32];

	put(zero, archive_padding(size));
	if (EVP_DigestFinal_ex(out.sha, md, NULL) != 1)
		die("SHA-256 failed");
	hex_put(hex, md, sizeof(md));
	if (out.nsums + ARCHIVE_LINE + 1 > out.room) {
		out.room += 64 * 1024;
		if ((out.sums = realloc(out.sums, out.room)) == NULL)
			die("out of memory");
	}
	out.nsums += (size_t)snprintf(
	    out.sums + out.nsums, ARCHIVE_LINE + 1, "%s  %s\n", hex, name);
}

static void
file_whole(const char *name, const void *data, size_t len)
{
	file_begin(name, len);
	file_data(data, len);
	file_end(name, len);
}

static void
key_file(int dir, const char *name)
{
	static uint8_t buf[KEY_MAX];
	char to[ARCHIVE_NAME];
	struct stat sb;
	size_t len = 0;
	ssize_t n;
	int fd;

	fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1 && errno == ENOENT)
		return;
	if (fd == -1 || fstat(fd, &sb) == -1)
		die("keys/%s: %s", name, strerror(errno));
	if (!S_ISREG(sb.st_mode) || sb.st_size >= (off_t)sizeof(buf))
		die("keys/%s: it is no file of keys", name);
	/* In one go: it may be written to. */
	while ((n = pread(fd, buf + len, sizeof(buf) - len, (off_t)len)) > 0)
		len += (size_t)n;
	if (n == -1)
		die("keys/%s: %s", name, strerror(errno));
	close(fd);
	snprintf(to, sizeof(to), "keys/%s", name);
	if (!archive_name_ok(to))
		die("%s: not a file of ided's", to);
	file_whole(to, buf, len);
	explicit_bzero(buf, len);
}

#define AUDIT_LAST "audit.last"

/* All but the one that was there before. */
static void
key_files(int dir)
{
	char names[KEYS_MAX][NAME_MAX + 1];
	const struct dirent *e;
	unsigned int i, n = 0;
	DIR *d;

	if ((d = dir_take(dir)) == NULL)
		die("keys: %s", strerror(errno));
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.' || strcmp(e->d_name, AUDIT_LAST) == 0)
			continue;
		if (n == KEYS_MAX)
			die("keys: too many files");
		strlcpy(names[n++], e->d_name, sizeof(names[0]));
	}
	for (i = 0; i < n; i++)
		key_file(dir, names[i]);
	closedir(d);
}

/* From the pipe, in time; false at its end. */
static bool
take(int fd, void *data, size_t len)
{
	struct pollfd p = { fd, POLLIN, 0 };
	uint8_t *to = data;
	ssize_t n;

	while (len > 0) {
		if (poll(&p, 1, CTL_WAIT * 1000) == 0)
			die("ided does not answer");
		n = read(fd, to, len);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		to += n;
		len -= (size_t)n;
	}
	return true;
}

/* What auth writes, to the head that has no name. */
static bool
stored(int fd)
{
	static uint8_t buf[256 * 1024];
	struct backup_head h;
	uint64_t left;
	size_t n;

	for (;;) {
		if (!take(fd, &h, sizeof(h)))
			return false;
		if (memchr(h.name, '\0', sizeof(h.name)) == NULL)
			die("ided does not speak as this idectl does");
		if (h.name[0] == '\0')
			return true;
		if (!archive_name_ok(h.name))
			die("%s: not a file of ided's", h.name);
		file_begin(h.name, h.size);
		for (left = h.size; left > 0; left -= n) {
			n = left < sizeof(buf) ? (size_t)left : sizeof(buf);
			if (!take(fd, buf, n))
				return false;
			file_data(buf, n);
		}
		file_end(h.name, h.size);
	}
}

/* A file, or a folder, where it is named by its time. */
static void
open_out(const char *to)
{
	char stamp[32];
	struct stat sb;
	struct tm tm;
	time_t t;
	int n;

	out.now = t = time(NULL);
	n = snprintf(out.path, sizeof(out.path), "%s", to);
	if (stat(to, &sb) == 0 && S_ISDIR(sb.st_mode) && gmtime_r(&t, &tm) != NULL) {
		strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &tm);
		n = snprintf(out.path, sizeof(out.path), "%s/ided-%s.tar", to, stamp);
	}
	if (n < 0 || (size_t)n >= sizeof(out.path))
		die("%s: path too long", to);
	if (lstat(out.path, &sb) == 0)
		die("%s is there already, and nothing is overwritten: choose another "
		    "name",
		    out.path);
	snprintf(out.temp, sizeof(out.temp), "%s.XXXXXX.part", out.path);
	if ((out.fd = mkostemps(out.temp, 5, O_CLOEXEC)) == -1) {
		out.temp[0] = '\0';
		die("%s: %s", out.path, strerror(errno));
	}
	atexit(discard);
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	signal(SIGHUP, on_signal);
	if ((out.sha = EVP_MD_CTX_new()) == NULL)
		die("out of memory");
}

/* On the disk first, then under its name, and nothing else of that name lost. */
static void
finish(void)
{
	static const uint8_t zero[2 * ARCHIVE_BLOCK];
	char dir[sizeof(out.path)], *slash;
	int fd;

	file_begin(ARCHIVE_SUMS, out.nsums);
	put(out.sums, out.nsums);
	put(zero, archive_padding(out.nsums));
	put(zero, sizeof(zero));
	if (fsync(out.fd) == -1 || close(out.fd) == -1)
		die("%s: %s", out.path, strerror(errno));
	if (link(out.temp, out.path) == -1)
		die("%s: %s", out.path, strerror(errno));
	discard();
	out.temp[0] = '\0';
	strlcpy(dir, out.path, sizeof(dir));
	if ((slash = strrchr(dir, '/')) == NULL)
		strlcpy(dir, ".", sizeof(dir));
	else
		slash[slash == dir ? 1 : 0] = '\0';
	if ((fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1 || fsync(fd) == -1)
		die("%s: %s", dir, strerror(errno));
	close(fd);
}

static void
info(void)
{
	char text[128], stamp[32];

	audit_time_text(stamp, out.now * 1000);
	snprintf(
	    text, sizeof(text), ARCHIVE_FORM "version %s\nmade %s\n", VERSION, stamp);
	file_whole(ARCHIVE_INFO, text, strlen(text));
}

/* It may begin: where the keys are. */
static int
ask(void)
{
	const struct m_backup *b;
	char path[WIRE_AUDIT_PATH + 8];
	struct msg m;
	int dir;

	ctl_send(M_CTL_BACKUP, -1, NULL, 0);
	ctl_recv(&m, CTL_WAIT);
	if (m.head.type == M_FAIL) {
		print_fail(MSG_DATA(&m, m_fail));
		exit(EXIT_FAILED);
	}
	b = MSG_DATA(&m, m_backup);
	if (m.head.type != M_BACKUP || !wire_str(b->data))
		die("unexpected answer %s", msg_name(m.head.type));
	snprintf(path, sizeof(path), "%s/keys", b->data);
	if ((dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) == -1)
		die("%s: %s", path, strerror(errno));
	return dir;
}

/* How it went, when the pipe is closed. */
static void
answer(bool whole)
{
	struct msg m;

	ctl_recv(&m, CTL_WAIT);
	if (m.head.type == M_FAIL) {
		print_fail(MSG_DATA(&m, m_fail));
		exit(EXIT_FAILED);
	}
	if (m.head.type != M_OK || !whole)
		die("ided did not come to the end of it");
}

int
backup_run(const char *socket, int argc, char **argv)
{
	char text[sizeof(out.path) + 64];
	int dir, p[2];
	bool whole;

	if (getopt(argc, argv, "+") != -1 || argc - optind != 1) {
		fprintf(stderr, "usage: idectl backup FILE | FOLDER\n");
		return EXIT_USAGE;
	}
	signal(SIGPIPE, SIG_IGN);
	ctl_connect(socket);
	open_out(argv[optind]);
	dir = ask();
	info();
	/* Before the trail: what was signed of it must be in there. */
	key_file(dir, AUDIT_LAST);
	if (pipe2(p, O_CLOEXEC) == -1 || fcntl(p[1], F_SETFL, O_NONBLOCK) == -1)
		die("pipe: %s", strerror(errno));
	(void)fcntl(p[0], F_SETPIPE_SZ, PIPE_BYTES);
	ctl_send(M_CTL_BACKUP_FD, p[1], NULL, 0);
	whole = stored(p[0]);
	answer(whole);
	/* After the store: what was signed with them is in there. */
	key_files(dir);
	finish();
	snprintf(text, sizeof(text), "%s: %" PRIu64 " bytes", out.path, out.size);
	print_end(SHAPE_TEXT, text);
	return EXIT_SUCCESS;
}
