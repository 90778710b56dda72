/*
 * What each user may have.  auth says who it is and of which role; the numbers
 * are those of the configuration that isolation itself has read.
 */
#include <string.h>

#include "../log.h"
#include "box.h"
#include "isolation.h"
#include "sandbox_cgroup.h"

/* Resolve anew, and let what runs feel it. */
static void
renew(struct box *b)
{
	conf_limits(&isolation.conf, b->user, b->role, &b->limits);
	if (b->state != SANDBOX_RUNNING)
		return;
	(void)shares_set(b->uid, &b->limits, false);
	storage_limits(b);
	watch_renew(b);
}

static void
renew_one(struct box *b, void *arg)
{
	(void)arg;
	renew(b);
}

void
box_limits_all(void)
{
	box_list(renew_one, NULL);
}

void
box_limits_role(struct box *b, const char *role)
{
	if (strcmp(b->role, role) == 0)
		return;
	memset(b->role, 0, sizeof(b->role));
	strncpy(b->role, role, sizeof(b->role) - 1);
	/* Forgotten at worst, and told again with the next request. */
	if (box_folder_role(b->uid, role) == -1)
		log_warn("role of uid %u", b->uid);
	renew(b);
}

void
limits_row(const struct conf_limits *limits, struct m_sandbox *row)
{
	row->memory_max = limits->memory;
	row->cpu_max = limits->cpu;
	row->processes_max = limits->processes;
	row->storage_max = limits->storage;
	row->files_max = limits->files;
}
