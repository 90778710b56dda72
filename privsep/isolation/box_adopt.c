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
	struct box_folder f;
	struct box *b;

	if (!uid_ours(uid)) {
		log_event(LOG_WARNING, "sandbox.foreign", LOG_N("uid", uid));
		return;
	}
	/* Of a start that died half way: what it began is in a group that nobody
	 * has. */
	if (!box_folder_read(uid, &f)) {
		log_event(LOG_NOTICE, "sandbox.cleared", LOG_S("user", "unknown"),
		    LOG_N("uid", uid), LOG_S("why", "it was never whole"));
		box_folder_remove(uid);
		return;
	}
	b = box_new(f.user, f.role, uid, &f.own);
	if (b == NULL)
		fatalx("sandbox: out of memory");
	b->group = f.group;
	if (f.started != 0)
		b->started = f.started;
	/* What was frozen goes on, and is frozen again if nobody comes. */
	(void)cgroup_freeze(b->group, false);
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
	(void)shares_set(b->group, &b->limits);
	storage_limits(b);
	log_event(LOG_INFO, "sandbox.adopted", LOG_S("user", b->user),
	    LOG_N("uid", b->uid), LOG_N("pid", b->pid));
	box_ask(b, ASK_OURS, 0, NULL, NULL);
}

/* Whose is it?  Folders of sandboxes that are left alone count, too. */
static struct {
	uint32_t group;
	bool found;
} look;

static void
look_at(uint32_t uid)
{
	struct box_folder f;

	if (box_folder_read(uid, &f) && f.group == look.group)
		look.found = true;
}

/*
 * A control group whose sandbox has no folder: a spare one, or a start that died half
 * way.  What runs in it takes a moment to end.
 */
static void
clear_group(uint32_t group)
{
	look.group = group;
	look.found = false;
	box_folder_each(look_at);
	if (!look.found && group_end(group))
		log_event(LOG_NOTICE, "sandbox.cleared", LOG_N("group", group),
		    LOG_S("why", "a control group without a session"));
}

void
box_adopt_all(void)
{
	loop_see_all(true);
	box_folder_each(adopt);
	loop_see_all(false);
	cgroup_each(clear_group);
}
