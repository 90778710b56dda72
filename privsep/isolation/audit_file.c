/*
 * The audit trail's file: opened for auth, which has no folder, put aside under
 * the name of its day when auth asks for another one, and removed when it is one
 * of more than the configuration keeps.
 */
#include <sys/stat.h>
#include <sys/syscall.h>

#include <linux/fs.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bsd/string.h>

#include "../dir.h"
#include "../audit_record.h"
#include "../log.h"
#include "isolation.h"

#define DAY_MAX 2932896 /* the last of the year 9999 */
#define OLD_MAX 100000

/* The folder of a path, and where its last part begins. */
static int
folder(const char *path, const char **base)
{
	char dir[CONF_PATH_MAX];
	const char *slash = strrchr(path, '/');

	*base = slash != NULL ? slash + 1 : path;
	snprintf(dir, sizeof(dir), "%.*s", slash == NULL ? 1 : (int)(slash - path) + 1,
	    slash == NULL ? "." : path);
	return open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int
file_open(const char *path)
{
	return open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0640);
}

int
audit_file_check(const char *path)
{
	int fd;

	if (path[0] == '\0')
		return 0;
	if ((fd = file_open(path)) == -1)
		return -1;
	close(fd);
	return 0;
}

void
audit_file_give(struct chan *auth)
{
	const char *path = isolation.conf.audit.file;
	int fd;

	if (path[0] == '\0')
		return;
	if ((fd = file_open(path)) == -1)
		log_warn("audit file \"%s\"", path);
	else
		chan_send(auth, M_AUDIT_FILE, 0, fd, NULL, 0);
}

struct old {
	uint64_t first; /* number of its first record */
	unsigned long day;
	unsigned long n;
	char name[NAME_MAX + 1];
};

/* Is it one of ours that was put aside? */
static bool
old_name(const char *name, const char *base, struct old *o)
{
	size_t n = strlen(base);
	char *end;

	if (strncmp(name, base, n) != 0 || name[n] != '-' ||
	    strspn(name + n + 1, "0123456789") != 8)
		return false;
	o->day = strtoul(name + n + 1, &end, 10);
	o->n = 0;
	if (*end == '.') {
		if (strspn(end + 1, "0123456789") == 0)
			return false;
		o->n = strtoul(end + 1, &end, 10);
	}
	strlcpy(o->name, name, sizeof(o->name));
	return *end == '\0';
}

/* <file>-<day>, and with .1, .2 and so on behind what there is of that day. */
static void
put_aside(int dir, const char *base, int64_t day)
{
	char name[CONF_PATH_MAX + 32], date[16];
	time_t t = (time_t)(day * 86400);
	const struct dirent *e;
	unsigned long next = 0;
	struct old o;
	struct tm tm;
	DIR *d;

	if (day < 0 || day > DAY_MAX || gmtime_r(&t, &tm) == NULL)
		return;
	strftime(date, sizeof(date), "%Y%m%d", &tm);
	if ((d = dir_entries(dir)) == NULL)
		return;
	while ((e = readdir(d)) != NULL)
		if (old_name(e->d_name, base, &o) && o.day == strtoul(date, NULL, 10) &&
		    o.n >= next)
			next = o.n + 1;
	closedir(d);
	if (next == 0)
		snprintf(name, sizeof(name), "%s-%s", base, date);
	else
		snprintf(name, sizeof(name), "%s-%s.%lu", base, date, next);
	if (syscall(SYS_renameat2, dir, base, dir, name, RENAME_NOREPLACE) == -1 &&
	    errno != ENOENT)
		log_warn(
		    "audit file \"%s\" cannot be put aside", isolation.conf.audit.file);
}

static int
oldest_first(const void *a, const void *b)
{
	const struct old *x = a, *y = b;

	/* Days are the clock's, which may have been wrong; numbers go up. */
	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	if (x->day != y->day)
		return x->day < y->day ? -1 : 1;
	return x->n < y->n ? -1 : x->n > y->n;
}

static uint64_t
first_of(int dir, const char *name)
{
	uint64_t first;
	int fd;

	fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd == -1)
		return UINT64_MAX;
	first = audit_file_first(fd);
	close(fd);
	return first;
}

static void
remove_old(int dir, const char *base)
{
	struct old *old = NULL, *p;
	const struct dirent *e;
	size_t i, n = 0;
	DIR *d;

	if ((d = dir_entries(dir)) == NULL)
		return;
	while ((e = readdir(d)) != NULL && n < OLD_MAX) {
		if ((p = reallocarray(old, n + 1, sizeof(*old))) == NULL)
			fatalx("out of memory");
		old = p;
		if (old_name(e->d_name, base, &old[n])) {
			old[n].first = first_of(dir, e->d_name);
			n++;
		}
	}
	closedir(d);
	if (n > 0)
		qsort(old, n, sizeof(*old), oldest_first);
	for (i = 0; i + isolation.conf.audit.keep_files < n; i++) {
		if (unlinkat(dir, old[i].name, 0) == 0)
			log_event(
			    LOG_NOTICE, "audit.file.removed", LOG_S("file", old[i].name));
		else
			log_warn("audit file \"%s\"", old[i].name);
	}
	free(old);
}

/* auth goes on with the old one until it has the new one. */
void
audit_file_rotate(struct chan *auth, struct msg *m)
{
	const char *path = isolation.conf.audit.file, *base;
	int dir;

	if (path[0] == '\0')
		return;
	if ((dir = folder(path, &base)) == -1) {
		log_warn("audit file \"%s\"", path);
		return;
	}
	put_aside(dir, base, MSG_DATA(m, m_audit_rotate)->day);
	audit_file_give(auth);
	remove_old(dir, base);
	close(dir);
}
