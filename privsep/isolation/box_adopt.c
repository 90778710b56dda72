/*
 * What a predecessor left: sandboxes that run are taken over, what is dead is
 * cleared.  Done once, before auth is started.
 */
#include <sys/syscall.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../log.h"
#include "box.h"
#include "isolation.h"
#include "sandbox_cgroup.h"

/* Nothing runs there any more, or nothing that can be spoken with. */
static void
clear(struct box *b)
{
	log_event(LOG_NOTICE, "sandbox.cleared", LOG_S("user", b->user),
	    LOG_N("uid", b->uid), LOG_S("why", b->fault.text));
	box_kill(b, NULL);
}

static bool
uid_ours(uint32_t uid)
{
	const struct conf_isolation *conf = &isolation.conf.isolation;

	return uid >= conf->uid_first && uid - conf->uid_first < conf->uid_count;
}

/*
 * The folder is root's alone, so the name in it is ours; who listens is told by
 * the kernel.  The pidfd is of the process that the kernel named, and it was
 * alive when the connection came about: its listening socket went with it.
 */
static void
adopt(uint32_t uid)
{
	char user[WIRE_NAME], role[WIRE_ROLE];
	struct wire_limits own;
	int64_t started = 0;
	struct box *b;

	if (!uid_ours(uid)) {
		log_event(LOG_WARNING, "sandbox.foreign", LOG_N("uid", uid));
		return;
	}
	if (!box_folder_user(uid, user, role, &own, &started))
		memcpy(user, "unknown", 8);
	b = box_new(user, role, uid, &own);
	if (b == NULL)
		fatalx("sandbox: out of memory");
	if (started != 0)
		b->started = started;
	/* What was frozen goes on, and is frozen again if nobody comes. */
	(void)cgroup_freeze(uid, false);
	if (box_join(b) == -1) {
		clear(b);
		return;
	}
	b->pidfd = (int)syscall(SYS_pidfd_open, b->pid, 0);
	if (b->pidfd == -1) {
		clear(b);
		return;
	}
	box_watch(b);
	box_runs(b);
	storage_adopt(b);
	/* The configuration may be another. */
	(void)shares_set(uid, &b->limits, false);
	storage_limits(b);
	log_event(LOG_INFO, "sandbox.adopted", LOG_S("user", b->user),
	    LOG_N("uid", b->uid), LOG_N("pid", b->pid));
	box_ask(b, ASK_OURS, 0, NULL, NULL);
}

/*
 * A control group whose sandbox has no folder: a start that died half way.  What
 * runs in it takes a moment to end, as in every sandbox that is cleared.
 */
static void
clear_group(uint32_t uid)
{
	static const struct wire_limits none;
	struct box *b;

	if (box_find(uid) != NULL)
		return;
	b = box_new("unknown", "", uid, &none);
	if (b == NULL)
		fatalx("sandbox: out of memory");
	fault_set(&b->fault, FAIL_UNAVAILABLE, "a control group without a session");
	clear(b);
}

void
box_adopt_all(void)
{
	loop_see_all(true);
	box_folder_each(adopt);
	loop_see_all(false);
	cgroup_each(clear_group);
}
