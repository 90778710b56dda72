/*
 * idectl restore: a backup (archive.h) into a folder of data that holds no store.
 *
 * The archive is read twice: once to see that it is whole, before anything is
 * written, and once to unpack it beside the place where it is to be.  Only what is
 * whole on the disk is put there, and until both the store and the keys are, ided does
 * not start (BACKUP_UNFINISHED).
 */
#include <sys/file.h>
#include <sys/stat.h>

#include <openssl/evp.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bsd/string.h>

#include "../../privsep/dir.h"
#include "../../privsep/audit_record.h"
#include "../../privsep/audit_text.h"
#include "../../privsep/backup.h"
#include "../../privsep/spawn.h"
#include "archive.h"
#include "backup.h"
#include "idectl.h"
#include "../../privsep/hex.h"

#define DATA "/var/lib/ided"

static struct {
	const char *path;
	FILE *f;
	EVP_MD_CTX *sha;
	char *sums; /* as the files are */
	size_t nsums;
	size_t room;
	unsigned int files;
	char made[40];
	int64_t time; /* when it was made */
} in;

static struct {
	const char *path;
	int fd;
	bool begun; /* there is something to be taken away when it fails */
	uid_t uid;  /* auth's, whose the store is */
	gid_t gid;
} data = { .fd = -1 };

_Noreturn static void
damaged(const char *why)
{
	die("%s: %s: nothing of it is restored; use another backup", in.path, why);
}

static void
get(void *to, size_t len)
{
	if (fread(to, 1, len, in.f) == len)
		return;
	if (ferror(in.f))
		die("%s: %s", in.path, strerror(errno));
	damaged("it is cut off");
}

/* One line of what the sums must be. */
static void
add_sum(const char *name)
{
	char hex[AUDIT_HEX + 1];
	uint8_t md[32];

	if (EVP_DigestFinal_ex(in.sha, md, NULL) != 1)
		die("SHA-256 failed");
	hex_put(hex, md, sizeof(md));
	if (in.nsums + ARCHIVE_LINE + 1 > in.room) {
		in.room += 64 * 1024;
		if ((in.sums = realloc(in.sums, in.room)) == NULL)
			die("out of memory");
	}
	in.nsums += (size_t)snprintf(
	    in.sums + in.nsums, ARCHIVE_LINE + 1, "%s  %s\n", hex, name);
}

static void
padding(uint64_t size)
{
	static const uint8_t zero[ARCHIVE_BLOCK];
	uint8_t buf[ARCHIVE_BLOCK];
	size_t n = archive_padding(size);

	get(buf, n);
	if (memcmp(buf, zero, n) != 0)
		damaged("it is damaged");
}

static void
info(const char *text)
{
	char *line;

	if (strncmp(text, "ided backup ", 12) != 0)
		damaged("it is no backup of ided's");
	if (strncmp(text, ARCHIVE_FORM, strlen(ARCHIVE_FORM)) != 0)
		die("%s: it was made by a newer ided: restore it with that one", in.path);
	if ((line = strstr(text, "\nmade ")) != NULL) {
		strlcpy(in.made, line + 6, sizeof(in.made));
		in.made[strcspn(in.made, "\n")] = '\0';
	}
}

/* The files' sums, which are the last thing in it. */
static void
sums(uint64_t size)
{
	static const uint8_t zero[2 * ARCHIVE_BLOCK];
	uint8_t end[sizeof(zero)];
	char *text;

	if (size != in.nsums || (text = malloc((size_t)size + 1)) == NULL)
		damaged("its sums do not fit");
	get(text, (size_t)size);
	if (memcmp(text, in.sums, in.nsums) != 0)
		damaged("it is damaged: a sum differs");
	free(text);
	padding(size);
	get(end, sizeof(end));
	if (memcmp(end, zero, sizeof(end)) != 0 || getc(in.f) != EOF)
		damaged("something follows its end");
}

/* Every file in pieces to who wants them: fd is what begin() returned. */
static void
walk(int (*begin)(const char *name), void (*piece)(int fd, const void *, size_t),
    void (*end)(int fd))
{
	static uint8_t buf[256 * 1024];
	uint8_t block[ARCHIVE_BLOCK];
	char name[ARCHIVE_NAME];
	uint64_t size, left;
	size_t n;
	int fd;

	rewind(in.f);
	in.nsums = 0;
	for (in.files = 0; in.files < ARCHIVE_FILES; in.files++) {
		get(block, sizeof(block));
		if (!archive_parse(block, name, &size))
			damaged(in.files == 0 ? "it is no backup of ided's" :
						"it is damaged");
		if (in.files > 0 && strcmp(name, ARCHIVE_SUMS) == 0) {
			sums(size);
			return;
		}
		if (in.files == 0 ? strcmp(name, ARCHIVE_INFO) != 0 :
				    !archive_name_ok(name))
			damaged(in.files == 0 ? "it is no backup of ided's" :
						"a file in it is none of ided's");
		if (EVP_DigestInit_ex(in.sha, EVP_sha256(), NULL) != 1)
			die("SHA-256 failed");
		fd = in.files > 0 && begin != NULL ? begin(name) : -1;
		for (left = size; left > 0; left -= n) {
			n = left < sizeof(buf) ? (size_t)left : sizeof(buf) - 1;
			get(buf, n);
			if (EVP_DigestUpdate(in.sha, buf, n) != 1)
				die("SHA-256 failed");
			if (fd != -1)
				piece(fd, buf, n);
			if (in.files == 0 && left == size) {
				buf[n] = '\0';
				info((const char *)buf);
			}
		}
		if (fd != -1)
			end(fd);
		add_sum(name);
		padding(size);
	}
	damaged("it holds too many files");
}

/* --- the folder of the data --- */

static int
folder(int at, const char *name)
{
	return openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* A folder of files, and what is below. */
static void
remove_tree(int at, const char *name, int depth)
{
	const struct dirent *e;
	DIR *d;
	int fd;

	if (depth > 3 || (fd = folder(at, name)) == -1)
		return;
	if ((d = dir_take(fd)) == NULL)
		return;
	while ((e = readdir(d)) != NULL)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 &&
		    unlinkat(fd, e->d_name, 0) == -1)
			remove_tree(fd, e->d_name, depth + 1);
	closedir(d);
	(void)unlinkat(at, name, AT_REMOVEDIR);
}

static void
discard(void)
{
	if (data.begun)
		remove_tree(data.fd, BACKUP_UNFINISHED, 0);
}

static void
must_be_empty(const char *name)
{
	const struct dirent *e;
	bool empty = true;
	DIR *d;
	int fd;

	if ((fd = folder(data.fd, name)) == -1) {
		if (errno == ENOENT)
			return;
		die("%s/%s: %s", data.path, name, strerror(errno));
	}
	if ((d = dir_take(fd)) == NULL)
		die("%s/%s: %s", data.path, name, strerror(errno));
	while (empty && (e = readdir(d)) != NULL)
		empty = e->d_name[0] == '.' &&
		    (e->d_name[1] == '\0' || strcmp(e->d_name, "..") == 0);
	closedir(d);
	if (!empty)
		die("%s/%s holds something already, and nothing is overwritten: move it "
		    "away first",
		    data.path, name);
}

/* Nobody else works there, nor begins to while we do. */
static void
lock(void)
{
	int fd;

	fd = openat(data.fd, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd == -1)
		die("%s/lock: %s", data.path, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) == -1)
		die("%s is in use by a running ided: stop it first (idectl stop)",
		    data.path);
	/* Held until we end. */
}

static void
open_data(void)
{
	const struct passwd *pw = getpwnam(accounts[ACCOUNT_AUTH].name);
	struct stat sb;

	if (geteuid() != 0)
		die("restore is for root");
	if (pw == NULL)
		die("no account \"%s\"; make install and systemd-sysusers make it",
		    accounts[ACCOUNT_AUTH].name);
	data.uid = pw->pw_uid;
	data.gid = pw->pw_gid;
	data.fd = open(data.path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (data.fd == -1 || fstat(data.fd, &sb) == -1)
		die("%s: %s: it is `data' of ided.conf, and must exist (-d names "
		    "another)",
		    data.path, strerror(errno));
	if (sb.st_uid != 0 || (sb.st_mode & 022) != 0)
		die("%s: only root may write to it: chown root %s && chmod go-w %s",
		    data.path, data.path, data.path);
	lock();
	if (fstatat(data.fd, BACKUP_UNFINISHED, &sb, AT_SYMLINK_NOFOLLOW) == 0)
		die("%s/%s was left by a restore that was interrupted: remove it, and "
		    "what there is of %s/store and %s/keys, and begin again",
		    data.path, BACKUP_UNFINISHED, data.path, data.path);
	/* Before there is a mark that says that these two are a restore's. */
	must_be_empty("store");
	must_be_empty("keys");
	if (mkdirat(data.fd, BACKUP_UNFINISHED, 0700) == -1)
		die("%s/%s: %s", data.path, BACKUP_UNFINISHED, strerror(errno));
	data.begun = true;
	atexit(discard);
}

static void
make(int at, const char *name, bool auths)
{
	if (mkdirat(at, name, 0700) == -1 ||
	    (auths && fchownat(at, name, data.uid, data.gid, AT_SYMLINK_NOFOLLOW) == -1))
		die("%s/%s/%s: %s", data.path, BACKUP_UNFINISHED, name, strerror(errno));
}

static int unfinished = -1;

static int
unpack_begin(const char *name)
{
	int fd;

	fd = openat(
	    unfinished, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd == -1)
		die("%s: %s", name, strerror(errno));
	if (strncmp(name, "keys/", 5) != 0 && fchown(fd, data.uid, data.gid) == -1)
		die("%s: %s", name, strerror(errno));
	return fd;
}

static void
unpack_piece(int fd, const void *from, size_t len)
{
	const uint8_t *p = from;
	ssize_t n;

	for (; len > 0; p += n, len -= (size_t)n) {
		n = write(fd, p, len);
		if (n == -1 && errno == EINTR)
			n = 0;
		else if (n == -1)
			die("%s: %s", data.path, strerror(errno));
	}
}

static void
unpack_end(int fd)
{
	if (fsync(fd) == -1 || close(fd) == -1)
		die("%s: %s", data.path, strerror(errno));
}

static void
sync_folder(int at, const char *name)
{
	int fd = folder(at, name);

	if (fd == -1 || fsync(fd) == -1)
		die("%s/%s: %s", data.path, name, strerror(errno));
	close(fd);
}

/* For auth, which says so in the trail. */
static void
note(int64_t made)
{
	const struct backup_restored r = { made, (int64_t)time(NULL) * 1000 };
	int fd;

	fd = unpack_begin("store/audit/" BACKUP_RESTORED);
	unpack_piece(fd, &r, sizeof(r));
	unpack_end(fd);
	/* Sums say that it is what was copied; whether that was sound, auth sees. */
	unpack_end(unpack_begin("store/" BACKUP_CHECK));
}

static void
put_in_place(const char *name)
{
	if (renameat(unfinished, name, data.fd, name) == -1)
		die("%s/%s: %s", data.path, name, strerror(errno));
}

static void
unpack(void)
{
	int64_t made = 0;

	(void)audit_when(in.made, 0, &made);
	if ((unfinished = folder(data.fd, BACKUP_UNFINISHED)) == -1)
		die("%s/%s: %s", data.path, BACKUP_UNFINISHED, strerror(errno));
	make(unfinished, "keys", false);
	make(unfinished, "store", true);
	make(unfinished, "store/audit", true);
	walk(unpack_begin, unpack_piece, unpack_end);
	note(made);
	sync_folder(unfinished, "keys");
	sync_folder(unfinished, "store/audit");
	sync_folder(unfinished, "store");
	sync_folder(data.fd, BACKUP_UNFINISHED);
	sync_folder(data.fd, ".");
	/* From here on it is only moved. */
	data.begun = false;
	put_in_place("keys");
	put_in_place("store");
	sync_folder(data.fd, ".");
	if (unlinkat(data.fd, BACKUP_UNFINISHED, AT_REMOVEDIR) == -1)
		die("%s/%s: %s", data.path, BACKUP_UNFINISHED, strerror(errno));
	sync_folder(data.fd, ".");
}

_Noreturn static void
usage(void)
{
	fprintf(stderr, "usage: idectl restore [-n] [-d data] FILE\n");
	exit(EXIT_USAGE);
}

int
restore_run(int argc, char **argv)
{
	char text[WIRE_TEXT];
	bool check = false;
	int c;

	data.path = DATA;
	while ((c = getopt(argc, argv, "+d:n")) != -1) {
		switch (c) {
		case 'd':
			data.path = optarg;
			break;
		case 'n':
			check = true;
			break;
		default:
			usage();
		}
	}
	if (argc - optind != 1)
		usage();
	in.path = argv[optind];
	if ((in.f = fopen(in.path, "re")) == NULL)
		die("%s: %s", in.path, strerror(errno));
	if ((in.sha = EVP_MD_CTX_new()) == NULL)
		die("out of memory");
	walk(NULL, NULL, NULL);
	if (!check) {
		open_data();
		unpack();
	}
	snprintf(text, sizeof(text), "%s of %s: %s%s", in.path, in.made,
	    check ? "whole" : "restored into ", check ? "" : data.path);
	print_end(SHAPE_TEXT, text);
	return EXIT_SUCCESS;
}
