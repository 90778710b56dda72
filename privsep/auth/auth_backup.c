/*
 * A backup of the store and the audit trail, while both are in use, into a pipe of
 * idectl's.  Nothing waits for it: as much is written as the pipe takes.
 *
 * All of it is of one moment, which is when the tables have been written: the log and
 * the trail, that come behind them, only ever grow, and are cut where they ended then.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bsd/string.h>

#include "../backup.h"
#include "audit_store.h"
#include "auth.h"
#include "auth_ctl.h"

#define SLICE      65536 /* read at once: whole pages of the store */
#define SLICES     4     /* then the others get their turn */
#define QUIET      60    /* seconds that the pipe may take nothing */
#define DESCRIPTOR 10    /* ... and until there is one */

static struct {
	struct ctl *ctl; /* who wants it; NULL: none is under way */
	int fd;
	struct event *ev;
	enum {
		BK_TABLES,
		BK_LOGS,
		BK_TRAIL,
		BK_END,
	} stage;
	unsigned int next;
	int file; /* the one at hand; -1: none */
	uint64_t at;
	uint64_t size;
	struct audit_store *trail; /* NULL: nothing is audited */
	struct audit_copy copy;
	uint64_t through;
	uint64_t bytes;
	size_t off;
	size_t len;
	uint8_t buf[SLICE];
} bk = { .fd = -1, .file = -1 };

bool
backup_running(void)
{
	return bk.ctl != NULL;
}

static void
end(void)
{
	if (bk.file != -1)
		close(bk.file);
	if (bk.fd != -1)
		close(bk.fd);
	if (bk.ev != NULL)
		event_free(bk.ev);
	store_backup_end(auth.store);
	memset(&bk, 0, sizeof(bk));
	bk.fd = bk.file = -1;
}

static void
fail(enum wire_fail code, const char *why)
{
	struct ctl *c = bk.ctl;

	(void)audit_event(AUDIT_BACKUP_END, LOG_S("actor", c->actor),
	    LOG_S("outcome", "failed"), LOG_S("why", why));
	end();
	ctl_fail(c, code, "%s", why);
}

void
backup_forget(const struct ctl *c)
{
	if (bk.ctl != c)
		return;
	(void)audit_event(AUDIT_BACKUP_END, LOG_S("actor", c->actor),
	    LOG_S("outcome", "failed"), LOG_S("why", "idectl has left"));
	end();
}

static void
done(void)
{
	struct ctl *c = bk.ctl;
	struct store_counts n;

	store_count(auth.store, &n);
	(void)audit_event(AUDIT_BACKUP_END, LOG_S("actor", c->actor),
	    LOG_N("bytes", (int64_t)bk.bytes), LOG_N("through", (int64_t)bk.through));
	end();
	ctl_ok(c, "%u users", n.accounts);
}

static void
head(const char *dir, const char *name, uint64_t size)
{
	struct backup_head h;

	memset(&h, 0, sizeof(h));
	snprintf(h.name, sizeof(h.name), "%s%s", dir, name);
	h.size = size;
	memcpy(bk.buf, &h, sizeof(h));
	bk.off = 0;
	bk.len = sizeof(h);
	bk.at = 0;
	bk.size = size;
}

static bool
store_part(enum store_result r, const struct store_part *p)
{
	if (r == STORE_NOT_FOUND)
		return false;
	if (r != STORE_OK) {
		fail(FAIL_INTERNAL, store_strerror(r));
		return true;
	}
	bk.next++;
	bk.file = p->fd;
	head("store/", p->name, p->size);
	return true;
}

/* This is the moment: what comes later is in none of the files. */
static bool
mark(void)
{
	uint8_t hash[WIRE_HASH256];
	enum store_result r;

	audit_flush();
	if ((r = store_backup_mark(auth.store)) != STORE_OK) {
		fail(FAIL_INTERNAL, store_strerror(r));
		return false;
	}
	bk.next = 0;
	bk.trail = audit_trail();
	if (bk.trail != NULL) {
		audit_copy_begin(bk.trail, &bk.copy);
		bk.through = audit_store_head(bk.trail, hash);
	}
	return true;
}

static bool
trail_part(void)
{
	if (bk.trail == NULL)
		return false;
	if (audit_trail() != bk.trail) {
		fail(FAIL_INTERNAL, "the audit trail is kept in another way now");
		return true;
	}
	switch (audit_copy_next(bk.trail, &bk.copy)) {
	case COPY_END:
		return false;
	case COPY_FAILED:
		fail(FAIL_INTERNAL, "a file of the audit trail cannot be read");
		return true;
	case COPY_FILE:
		break;
	}
	bk.file = bk.copy.fd;
	head("store/audit/", bk.copy.name, bk.copy.part);
	return true;
}

/* The head of the next file, into the buffer; the last one has no name. */
static void
next_part(void)
{
	struct store_part p;

	if (!store_backup_sound(auth.store)) {
		fail(FAIL_INTERNAL, "the store had to be recovered meanwhile");
		return;
	}
	if (bk.stage == BK_TABLES) {
		if (store_part(store_backup_table(auth.store, bk.next, &p), &p))
			return;
		if (!mark())
			return;
		bk.stage = BK_LOGS;
	}
	if (bk.stage == BK_LOGS) {
		if (store_part(store_backup_log(auth.store, bk.next, &p), &p))
			return;
		bk.stage = BK_TRAIL;
	}
	if (bk.stage == BK_TRAIL) {
		if (trail_part())
			return;
		bk.stage = BK_END;
		head("", "", 0);
		return;
	}
	done();
}

/* As much of the file as there is room for. */
static void
next_slice(void)
{
	size_t want = SLICE;
	ssize_t n;

	if (bk.size - bk.at < want)
		want = (size_t)(bk.size - bk.at);
	n = pread(bk.file, bk.buf, want, (off_t)bk.at);
	if (n == -1 && errno == EINTR)
		return;
	/* Part of one might be half a page, which the next read finds changed. */
	if (n != (ssize_t)want) {
		fail(FAIL_INTERNAL,
		    n == -1 ? "a file of the store cannot be read" :
			      "a file of the store is shorter than it was");
		return;
	}
	bk.at += want;
	bk.off = 0;
	bk.len = want;
	if (bk.at == bk.size) {
		close(bk.file);
		bk.file = -1;
	}
}

static void
on_event(evutil_socket_t fd, short what, void *arg)
{
	unsigned int i;
	ssize_t n;

	(void)arg;
	if ((what & EV_TIMEOUT) != 0) {
		fail(FAIL_TIMEOUT,
		    bk.fd == -1 ? "no descriptor came" :
				  "nothing was taken of it for too long");
		return;
	}
	for (i = 0; i < SLICES;) {
		if (bk.off < bk.len) {
			n = write(fd, bk.buf + bk.off, bk.len - bk.off);
			if (n == -1 && (errno == EINTR || errno == EAGAIN))
				return;
			if (n == -1) {
				fail(FAIL_INTERNAL, "the pipe is closed");
				return;
			}
			bk.off += (size_t)n;
			bk.bytes += (uint64_t)n;
			i++;
			continue;
		}
		if (bk.file != -1 && bk.at < bk.size)
			next_slice();
		else {
			if (bk.file != -1)
				close(bk.file);
			bk.file = -1;
			next_part();
		}
		if (bk.ctl == NULL)
			return;
	}
}

/* As every answer, this one leaves when its record is on the disk. */
void
ctl_backup(struct chan *chan, struct msg *m)
{
	struct timeval tv = { DESCRIPTOR, 0 };
	struct ctl *c = chan->arg;
	struct m_backup w;

	if (!ctl_begin(c, m))
		return;
	if (bk.ctl != NULL) {
		ctl_fail(c, FAIL_BUSY, "another backup is under way");
		return;
	}
	if (!audit_event(AUDIT_BACKUP, LOG_S("actor", c->actor))) {
		ctl_fail(c, FAIL_NO_SPACE, "%s", AUDIT_REFUSED);
		return;
	}
	if ((bk.ev = evtimer_new(auth.base, on_event, NULL)) == NULL)
		fatalx("out of memory");
	event_add(bk.ev, &tv);
	bk.ctl = c;
	memset(&w, 0, sizeof(w));
	strlcpy(w.data, auth.conf.common.data, sizeof(w.data));
	chan_send(chan, M_BACKUP, c->id, -1, &w, sizeof(w));
}

void
ctl_backup_fd(struct chan *chan, struct msg *m)
{
	struct timeval tv = { QUIET, 0 };
	struct ctl *c = chan->arg;
	enum store_result r;
	int flags;

	/* That of one which was refused is still on its way. */
	if (bk.ctl != c)
		return;
	if (bk.fd != -1) {
		ctl_bad(c, "a second pipe for one backup");
		return;
	}
	bk.fd = msg_take_fd(m);
	flags = fcntl(bk.fd, F_GETFL);
	if (flags == -1 || (flags & O_NONBLOCK) == 0 || (flags & O_ACCMODE) == O_RDONLY) {
		ctl_bad(c, "a pipe that waits");
		return;
	}
	event_free(bk.ev);
	bk.ev = event_new(auth.base, bk.fd, EV_WRITE | EV_PERSIST, on_event, NULL);
	if (bk.ev == NULL)
		fatalx("out of memory");
	event_add(bk.ev, &tv);
	/* What is gathered to be written in one go. */
	settings_flush();
	present_flush();
	session_flush();
	if ((r = store_backup_begin(auth.store)) != STORE_OK)
		fail(FAIL_INTERNAL, store_strerror(r));
}
