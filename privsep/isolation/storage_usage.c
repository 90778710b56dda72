/*
 * How much of their storage users have used.
 *
 * Quotas and volumes tell it for nothing.  A plain folder has to be counted: one
 * at a time, slowly, by a process behind all others, and all who ask meanwhile
 * get the one result.
 */
#include <sys/statvfs.h>
#include <sys/syscall.h>

#include <linux/capability.h>

#include <bsd/sys/queue.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bsd/string.h>

#include "../log.h"
#include "box.h"
#include "isolation.h"
#include "jobs.h"
#include "sandbox_steps.h"
#include "storage.h"
#include "tree.h"

#define FRESH_S    60   /* what is as new as this is not counted again */
#define AGAIN_S    600  /* of those that run, without being asked */
#define PER_SECOND 5000 /* entries, and with it system calls */
#define WAIT_MS    1500 /* for who asks; then it is what was known */
#define TICK_MS    30000
#define KNOWN      4096 /* users whose count is kept */
#define QUEUE_MAX  256

#define DISK_LOW (1ULL << 30) /* free, of the disk that homes are on */

/* The last count of a user. */
static struct known {
	uint32_t uid;
	int64_t at;
	uint64_t bytes;
	uint64_t files;
} known[KNOWN];

struct waiter {
	TAILQ_ENTRY(waiter) entry;
	struct walk *walk;
	void (*fn)(void *);
	void *arg;
	struct event *timer;
};

/* A count that is to be, or runs: the first of the list. */
struct walk {
	TAILQ_ENTRY(walk) entry;
	char user[WIRE_NAME];
	uint32_t uid;
	TAILQ_HEAD(, waiter) waiters;
};

static TAILQ_HEAD(walks, walk) walks = TAILQ_HEAD_INITIALIZER(walks);
static unsigned int nwalks;
static bool walking, low;
static struct event *tick;

static void walk_next(void);

static struct known *
find(uint32_t uid)
{
	struct known *k = &known[uid % KNOWN];

	return k->uid == uid ? k : NULL;
}

/* It reads folders, of whomever, and can do nothing else. */
static bool
only_read(void)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2];

	memset(d, 0, sizeof(d));
	d[0].effective = d[0].permitted = 1U << CAP_DAC_READ_SEARCH;
	return syscall(SYS_capset, &h, d) == 0;
}

static int
run_walk(void *arg, void *answer)
{
	struct walk *w = arg;
	struct tree_report report;
	struct storage_use *use = answer;
	int home;

	if (!only_read())
		return errno;
	home = tree_open(isolation.homes, w->user);
	if (home == -1)
		return errno == ENOENT ? 0 : errno;
	if (tree_count(home, PER_SECOND, &report) == -1)
		return errno;
	use->bytes = report.bytes;
	use->files = report.files;
	return 0;
}

static void
waiter_end(struct waiter *w)
{
	void (*fn)(void *) = w->fn;
	void *arg = w->arg;

	TAILQ_REMOVE(&w->walk->waiters, w, entry);
	event_free(w->timer);
	free(w);
	fn(arg);
}

static void
on_walked(void *owner, int error, const void *answer)
{
	struct walk *w = owner;
	const struct storage_use *use = answer;
	struct known *k = &known[w->uid % KNOWN];
	struct waiter *waiter;
	struct box *b;

	walking = false;
	if (error == 0) {
		k->uid = w->uid;
		k->at = time(NULL);
		k->bytes = use->bytes;
		k->files = use->files;
		if ((b = box_find(w->uid)) != NULL)
			usage_check(b);
	} else {
		log_warnx(
		    "home of uid %u: cannot be counted: %s", w->uid, strerror(error));
	}
	TAILQ_REMOVE(&walks, w, entry);
	nwalks--;
	while ((waiter = TAILQ_FIRST(&w->waiters)) != NULL)
		waiter_end(waiter);
	free(w);
	walk_next();
}

static void
walk_next(void)
{
	struct job job = { .name = "count", .low = true, .run = run_walk };
	struct walk *w;

	while (!walking && (w = TAILQ_FIRST(&walks)) != NULL) {
		job.arg = job.owner = w;
		job.fd[0] = isolation.homes;
		job.nfd = 1;
		job.len = sizeof(struct storage_use);
		job.done = on_walked;
		walking = job_start(&job) == 0;
		if (!walking)
			on_walked(w, errno, NULL);
	}
}

static struct walk *
walk_for(const char *user, uint32_t uid)
{
	struct walk *w;

	TAILQ_FOREACH(w, &walks, entry)
		if (w->uid == uid)
			return w;
	if (nwalks == QUEUE_MAX || (w = calloc(1, sizeof(*w))) == NULL)
		return NULL;
	strlcpy(w->user, user, sizeof(w->user));
	w->uid = uid;
	TAILQ_INIT(&w->waiters);
	TAILQ_INSERT_TAIL(&walks, w, entry);
	nwalks++;
	return w;
}

static void
on_waited(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	waiter_end(arg);
}

bool
usage_wait(const char *user, uint32_t uid, void (*fn)(void *), void *arg)
{
	struct storage_dirs dirs = storage_dirs();
	struct timeval tv = isolation_ms(WAIT_MS);
	struct known *k = find(uid);
	struct waiter *waiter;
	struct walk *w;

	if (storage_of(&dirs, uid) != STORAGE_IS_ACCOUNTING ||
	    (k != NULL && time(NULL) - k->at < FRESH_S) ||
	    (w = walk_for(user, uid)) == NULL)
		return false;
	waiter = calloc(1, sizeof(*waiter));
	if (waiter == NULL ||
	    (waiter->timer = evtimer_new(isolation.base, on_waited, waiter)) == NULL ||
	    event_add(waiter->timer, &tv) == -1)
		fatalx("out of memory");
	waiter->walk = w;
	waiter->fn = fn;
	waiter->arg = arg;
	TAILQ_INSERT_TAIL(&w->waiters, waiter, entry);
	walk_next();
	return true;
}

void
usage_row(const struct box *b, uint32_t uid, struct m_sandbox *row)
{
	struct storage_dirs dirs = storage_dirs();
	struct storage_use use;
	struct known *k;
	int home, r;

	memset(&use, 0, sizeof(use));
	row->storage_by = b != NULL && b->storage.by != STORAGE_IS_UNKNOWN ?
	    b->storage.by :
	    storage_of(&dirs, uid);
	switch (row->storage_by) {
	case STORAGE_IS_QUOTA:
		r = quota_use(isolation.homes, uid, &use);
		break;
	case STORAGE_IS_VOLUME:
		home = b != NULL && b->storage.home != -1 ? b->storage.home :
							    ready_home(uid);
		r = home != -1 ? volume_use(home, &use) :
				 volume_use_closed(isolation.volumes, uid, &use);
		/* There is none before the first start. */
		if (r == -1 && errno == ENOENT)
			r = 0;
		break;
	default:
		k = find(uid);
		if (k == NULL)
			return;
		row->storage = k->bytes;
		row->files = k->files;
		row->storage_at = k->at;
		return;
	}
	if (r == -1)
		return;
	row->storage = use.bytes;
	row->files = use.files;
	row->storage_at = time(NULL);
	/* What a volume has of them is what it was made with. */
	if (use.files_max != 0)
		row->files_max = use.files_max;
}

static bool
above(uint64_t used, uint64_t max, uint32_t percent)
{
	return percent == 100 ? used > max : used >= max / 100 * percent;
}

/* Too much, where no limit holds, or nearly: told once, and again when it had
 * become less. */
void
usage_check(struct box *b)
{
	bool soft = b->storage.by == STORAGE_IS_ACCOUNTING, was = b->storage.told;
	uint32_t percent = soft ? 100 : STORAGE_NEARLY;
	struct m_sandbox row;
	struct m_storage m;

	if (isolation.auth == NULL)
		return; /* it hears of it later */
	memset(&row, 0, sizeof(row));
	limits_row(&b->limits, &row);
	usage_row(b, b->uid, &row);
	b->storage.told = above(row.storage, row.storage_max, percent) ||
	    above(row.files, row.files_max, percent);
	if (!b->storage.told || was)
		return;
	memset(&m, 0, sizeof(m));
	memcpy(m.user, b->user, sizeof(m.user));
	m.uid = b->uid;
	m.event = soft ? STORAGE_OVER : STORAGE_FULL;
	m.by = row.storage_by;
	m.used = row.storage;
	m.max = row.storage_max;
	m.files = row.files;
	m.files_max = row.files_max;
	chan_send(isolation.auth, M_SB_STORAGE, 0, -1, &m, sizeof(m));
}

static void
tick_box(struct box *b, void *arg)
{
	struct known *k = find(b->uid);

	(void)arg;
	if (b->state != SANDBOX_RUNNING)
		return;
	if (b->storage.by != STORAGE_IS_ACCOUNTING)
		usage_check(b);
	else if (k == NULL || time(NULL) - k->at >= AGAIN_S)
		(void)walk_for(b->user, b->uid);
}

/* Volumes grow as they are used: what is promised may be more than there is. */
static void
tick_disk(void)
{
	struct statvfs st;
	uint64_t bytes;

	if (fstatvfs(isolation.homes, &st) == -1)
		return;
	bytes = (uint64_t)st.f_bavail * st.f_frsize;
	if (bytes < DISK_LOW && !low)
		log_event(LOG_WARNING, "storage.disk",
		    LOG_S("what",
			"the disk of data is nearly full: homes may fail before "
			"they are at their limits"),
		    LOG_N("free", (int64_t)bytes));
	low = bytes < DISK_LOW;
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	tick_disk();
	box_list(tick_box, NULL);
	walk_next();
}

void
usage_start(void)
{
	struct timeval tv = isolation_ms(TICK_MS);

	tick = event_new(isolation.base, -1, EV_PERSIST, on_tick, NULL);
	if (tick == NULL || event_add(tick, &tv) == -1)
		fatalx("out of memory");
	tick_disk();
}
