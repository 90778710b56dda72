/*
 * What each user may have.  auth says who it is, of which role, and what an
 * administrator gave this user alone; all other numbers are those of the
 * configuration that isolation itself has read.
 */
#include <string.h>

#include <bsd/string.h>

#include "../log.h"
#include "box.h"
#include "isolation.h"
#include "sandbox_cgroup.h"

/* One that is no sound number is none. */
static void
own(uint64_t v, uint64_t min, uint64_t max, uint64_t *to)
{
	if (v >= min && v <= max)
		*to = v;
}

void
limits_resolve(const char *user, const char *role, const struct wire_limits *l,
    struct conf_limits *out)
{
	uint64_t cpu, processes;

	conf_limits(&isolation.conf, user, role, out);
	cpu = out->cpu;
	processes = out->processes;
	own(l->memory, CONF_MEMORY_MIN, CONF_MEMORY_MAX, &out->memory);
	own(l->storage, CONF_STORAGE_MIN, CONF_STORAGE_MAX, &out->storage);
	own(l->files, CONF_HOME_FILES_MIN, CONF_HOME_FILES_MAX, &out->files);
	own(l->cpu, CONF_CPU_MIN, CONF_CPU_MAX, &cpu);
	own(l->processes, CONF_PROCESSES_MIN, CONF_PROCESSES_MAX, &processes);
	out->cpu = (uint32_t)cpu;
	out->processes = (uint32_t)processes;
}

/* Resolve anew, and let what runs feel it. */
static void
renew(struct box *b)
{
	limits_resolve(b->user, b->role, &b->own, &b->limits);
	if (b->state != SANDBOX_RUNNING)
		return;
	(void)shares_set(b->group, &b->limits);
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
box_limits_of(struct box *b, const char *role, const struct wire_limits *l)
{
	if (strcmp(b->role, role) == 0 && memcmp(&b->own, l, sizeof(b->own)) == 0)
		return;
	b->own = *l;
	memset(b->role, 0, sizeof(b->role));
	strlcpy(b->role, role, sizeof(b->role));
	/* Forgotten at worst, and told again with the next request. */
	if (box_folder_role(b->uid, role, l) == -1)
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
