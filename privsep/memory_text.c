/* Memory and storage in words: see memory_text.h. */
#include <stdio.h>

#include "memory_text.h"

#define MIB(n) ((long long)((n) >> 20))

const char *const sandbox_states[] = {
	[SANDBOX_ABSENT] = "absent",
	[SANDBOX_STARTING] = "starting",
	[SANDBOX_RUNNING] = "running",
	[SANDBOX_STOPPING] = "stopping",
	[SANDBOX_FROZEN] = "frozen",
	NULL,
};
const char *const sandbox_whys[] = {
	[WHY_UNKNOWN] = "",
	[WHY_ACTIVITY] = "activity",
	[WHY_WORK] = "work",
	[WHY_CONNECTION] = "connection",
	[WHY_IDLE] = "idle",
	[WHY_STOPPED] = "stopped",
	[WHY_ENDED] = "ended",
	NULL,
};

const char *
process_kind_name(uint32_t kind)
{
	static const char *const names[PROCESS_KINDS] = {
		[PROCESS_OTHER] = "other",
		[PROCESS_SERVER] = "server",
		[PROCESS_EXTENSION_HOST] = "extension host",
		[PROCESS_LANGUAGE_SERVER] = "language server",
		[PROCESS_TERMINAL_HOST] = "terminal host",
		[PROCESS_TERMINAL] = "terminal",
		[PROCESS_WATCHER] = "watcher",
		[PROCESS_COMMAND] = "command",
	};

	return kind < PROCESS_KINDS ? names[kind] : "unknown";
}

const char *
memory_event_name(uint32_t event)
{
	switch (event) {
	case MEMORY_WARN:
		return "warning";
	case MEMORY_CRITICAL:
		return "critical";
	case MEMORY_LEAK:
		return "leak";
	case MEMORY_ENDED:
		return "ended";
	default:
		return "unknown";
	}
}

const char *
storage_name(uint32_t by)
{
	static const char *const names[] = {
		[STORAGE_IS_QUOTA] = "quota",
		[STORAGE_IS_VOLUME] = "volume",
		[STORAGE_IS_ACCOUNTING] = "accounting",
	};

	return by < sizeof(names) / sizeof(names[0]) && names[by] != NULL ? names[by] :
									    "unknown";
}

void
memory_text(char *buf, size_t len, const struct m_memory *m)
{
	const struct m_process *p = &m->process;
	unsigned int share = m->max >= 100 ? (unsigned int)(m->used / (m->max / 100)) : 0;
	char who[128];

	if (p->pid == 0)
		snprintf(who, sizeof(who), "no single process");
	else
		snprintf(who, sizeof(who), "%.47s (%s, process %u, %lldM)", p->name,
		    process_kind_name(p->kind), p->pid, MIB(p->memory));
	switch (m->event) {
	case MEMORY_WARN:
		snprintf(
		    buf, len, "%u%% of the memory is used; most of it by %s", share, who);
		break;
	case MEMORY_CRITICAL:
		snprintf(buf, len,
		    "%u%% of the memory is used, the largest process will be ended; "
		    "most of it by %s",
		    share, who);
		break;
	case MEMORY_LEAK:
		snprintf(buf, len,
		    "memory grows by %lldM a minute, %u%% is used: a leak, likely in %s",
		    MIB(m->per_minute), share, who);
		break;
	case MEMORY_ENDED:
		snprintf(buf, len, "%s was ended, for %u%% of the memory was used", who,
		    share);
		break;
	default:
		snprintf(buf, len, "memory: %u%% used", share);
		break;
	}
}
