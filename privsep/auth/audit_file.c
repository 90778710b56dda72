/* The audit trail's file: see audit_file.h. */
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../log.h"
#include "audit_file.h"

#define RESERVE      (1u << 20)
#define FREE_TO_FILL (16u << 20)
#define PENDING_MAX  (4u << 20)
#define DAY          86400000

static struct {
	int fd;
	uint64_t size;
	uint64_t reserved;
	int64_t day;
	struct audit_store *st;
	uint64_t begins; /* with that record, which is not on the disk yet; 0: it is */
	char *buf;
	size_t len;
} f = { .fd = -1 };

static int64_t
today(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec / (DAY / 1000);
}

void
audit_file_close(void)
{
	if (f.fd == -1)
		return;
	/* What was reserved and not used. */
	(void)!ftruncate(f.fd, (off_t)f.size);
	close(f.fd);
	f.fd = -1;
	f.len = 0;
}

bool
audit_file_is_open(void)
{
	return f.fd != -1;
}

size_t
audit_file_pending(void)
{
	return f.len;
}

int64_t
audit_file_day(void)
{
	return f.day;
}

bool
audit_file_removed(void)
{
	struct stat sb;

	return f.fd != -1 && fstat(f.fd, &sb) == 0 && sb.st_nlink == 0;
}

bool
audit_file_room(void)
{
	struct statvfs v;

	if (f.fd == -1 || f.len + AUDIT_LINE_MAX + 1 > PENDING_MAX)
		return false;
	if (f.size + f.len + AUDIT_LINE_MAX + 1 <= f.reserved)
		return true;
	if (fallocate(f.fd, FALLOC_FL_KEEP_SIZE, (off_t)f.reserved, RESERVE) == -1 &&
	    (errno != EOPNOTSUPP || fstatvfs(f.fd, &v) == -1 ||
		(uint64_t)v.f_bavail * v.f_frsize < FREE_TO_FILL))
		return false;
	f.reserved += RESERVE;
	return true;
}

void
audit_file_add(const char *line, size_t len)
{
	if (f.buf == NULL && (f.buf = malloc(PENDING_MAX)) == NULL)
		fatalx("audit trail: out of memory");
	if (len + 1 > PENDING_MAX - f.len)
		fatalx("BUG: audit trail: more lines than there is room for");
	memcpy(f.buf + f.len, line, len);
	f.len += len;
	f.buf[f.len++] = '\n';
}

int
audit_file_sync(void)
{
	size_t done;
	ssize_t n;

	if (f.len == 0)
		return 0;
	for (done = 0; done < f.len; done += (size_t)n) {
		n = pwrite(f.fd, f.buf + done, f.len - done, (off_t)(f.size + done));
		if (n == -1 && errno == EINTR)
			n = 0;
		else if (n <= 0)
			return -1;
	}
	if (fdatasync(f.fd) == -1)
		return -1;
	f.size += f.len;
	f.len = 0;
	if (f.begins != 0)
		audit_store_mark(f.st, f.begins);
	f.begins = 0;
	return 0;
}

/* Up to len bytes that end at `end'. */
static size_t
read_before(int fd, uint64_t end, char *buf, size_t len)
{
	size_t done;
	ssize_t n;

	if (len > end)
		len = (size_t)end;
	for (done = 0; done < len; done += (size_t)n)
		if ((n = pread(fd, buf + done, len - done, (off_t)(end - len + done))) <=
		    0)
			return 0;
	return len;
}

/* The last whole line; *end is where the file's sound part ends. */
static const char *
last_line(int fd, uint64_t size, uint64_t *end, size_t *len)
{
	static char buf[2 * AUDIT_LINE_MAX + 2];
	size_t n, e, b;

	n = read_before(fd, size, buf, sizeof(buf));
	for (e = n; e > 0 && buf[e - 1] != '\n'; e--)
		;
	if (e == 0)
		return NULL;
	*end = size - (n - e);
	for (b = e - 1; b > 0 && buf[b - 1] != '\n'; b--)
		;
	*len = e - 1 - b;
	return buf + b;
}

/* The day that its first line tells. */
static int64_t
first_day(int fd)
{
	static const char key[] = ",\"time\":\"";
	char buf[128], *p;
	struct tm tm;
	ssize_t n;

	memset(&tm, 0, sizeof(tm));
	if ((n = pread(fd, buf, sizeof(buf) - 1, 0)) <= 0)
		return today();
	buf[n] = '\0';
	if ((p = strstr(buf, key)) == NULL ||
	    strptime(p + sizeof(key) - 1, "%Y-%m-%dT", &tm) == NULL)
		return today();
	return timegm(&tm) / (DAY / 1000);
}

/* Lines of the store's records after seq. */
static bool
catch_up(struct audit_store *st, uint64_t seq)
{
	static char line[AUDIT_LINE_MAX];
	uint8_t hash[WIRE_HASH256];
	struct m_audit r;
	uint64_t head = audit_store_head(st, hash);

	while (seq < head) {
		if (!audit_store_get(st, ++seq, &r)) {
			errno = EIO;
			return false;
		}
		if (!audit_file_room()) {
			if (audit_file_sync() == -1)
				return false;
			if (!audit_file_room()) {
				errno = ENOSPC;
				return false;
			}
		}
		audit_file_add(line, audit_line(&r, line));
	}
	return audit_file_sync() == 0;
}

/* The record before the one that an empty file was to begin with, if a crash kept
 * that one out of it; else the head. */
static uint64_t
before_begin(struct audit_store *st)
{
	struct audit_scan sc = {
		.newest_first = true, .from = INT64_MIN, .to = INT64_MAX
	};
	uint8_t hash[WIRE_HASH256];
	struct m_audit r;
	unsigned int i;
	uint64_t head, found;

	head = found = sc.at = audit_store_head(st, hash);
	audit_scan_begin(&sc);
	for (i = 0; i < 256 && audit_scan_next(st, &sc, &r) == SCAN_RECORD; i++)
		if (strcmp(r.event, "audit.file") == 0) {
			if (r.seq != audit_store_marked(st))
				found = r.seq - 1;
			break;
		}
	audit_scan_end(&sc);
	return found < head ? found : head;
}

static const char *
compare(struct audit_store *st, const char *line, size_t len, uint64_t *seq)
{
	uint8_t prev[WIRE_HASH256], hash[WIRE_HASH256], own[WIRE_HASH256];
	uint64_t head = audit_store_head(st, own);
	struct m_audit r;

	if (line == NULL)
		return "it holds no line";
	if (!audit_line_check(line, len, seq, prev, hash))
		return "its last line is not sound";
	if (*seq > head)
		return "its last line is of a record that the store does not have";
	if (head - *seq > AUDIT_FILE_CATCH_UP)
		return "it is too far behind";
	if (!audit_store_get(st, *seq, &r) || memcmp(r.hash, hash, sizeof(hash)) != 0)
		return "its last line differs from the store's record";
	return NULL;
}

enum audit_file_state
audit_file_take(int fd, struct audit_store *st, const char **why)
{
	struct stat sb;
	const char *line;
	uint64_t end = 0, seq = 0;
	size_t len = 0;

	*why = NULL;
	audit_file_close();
	if (fstat(fd, &sb) == -1 || !S_ISREG(sb.st_mode)) {
		close(fd);
		*why = "it is not a file";
		return FILE_ODD;
	}
	f.fd = fd;
	f.begins = 0;
	f.size = f.reserved = (uint64_t)sb.st_size;
	if (sb.st_size == 0) {
		f.day = today();
		seq = before_begin(st);
		f.st = st;
		f.begins = seq + 1;
		return catch_up(st, seq) ? FILE_BEGINS : FILE_FAILED;
	}
	line = last_line(fd, f.size, &end, &len);
	if ((*why = compare(st, line, len, &seq)) != NULL) {
		audit_file_close();
		return FILE_ODD;
	}
	f.day = first_day(fd);
	/* A line that was half written comes again, whole. */
	if (end < f.size && ftruncate(fd, (off_t)end) == -1)
		return FILE_FAILED;
	f.size = f.reserved = end;
	return catch_up(st, seq) ? FILE_GOES_ON : FILE_FAILED;
}
