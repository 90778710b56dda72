/* Accounts: what one user may have that no one else has. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "auth_peer.h"

#define LIMIT(l, bit, min, max)                                                          \
	{                                                                                \
		bit, #l, offsetof(struct wire_limits, l),                                \
		    sizeof(((struct wire_limits *)0)->l), min, max                       \
	}
static const struct {
	uint32_t bit;
	const char *name;
	size_t offset;
	size_t size;
	uint64_t min;
	uint64_t max;
} limits[] = {
	LIMIT(memory, LIMIT_MEMORY, CONF_MEMORY_MIN, CONF_MEMORY_MAX),
	LIMIT(storage, LIMIT_STORAGE, CONF_STORAGE_MIN, CONF_STORAGE_MAX),
	LIMIT(files, LIMIT_FILES, CONF_HOME_FILES_MIN, CONF_HOME_FILES_MAX),
	LIMIT(cpu, LIMIT_CPU, CONF_CPU_MIN, CONF_CPU_MAX),
	LIMIT(processes, LIMIT_PROCESSES, CONF_PROCESSES_MIN, CONF_PROCESSES_MAX),
	LIMIT(sessions, LIMIT_SESSIONS, 1, CONF_SESSIONS_MAX),
};

/* 0 takes a limit away. */
static bool
limits_take(
    const struct asker *who, const struct m_account_limits *l, struct wire_limits *to)
{
	uint64_t v;
	uint32_t v32;
	size_t i;

	for (i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		if ((l->set & limits[i].bit) == 0)
			continue;
		if (limits[i].size == sizeof(v32)) {
			memcpy(&v32, (const char *)&l->limits + limits[i].offset,
			    sizeof(v32));
			v = v32;
		} else {
			memcpy(
			    &v, (const char *)&l->limits + limits[i].offset, sizeof(v));
		}
		if (v != 0 && (v < limits[i].min || v > limits[i].max)) {
			asker_fail(who, FAIL_INVALID, limits[i].name,
			    "%s is from %llu to %llu", limits[i].name,
			    (unsigned long long)limits[i].min,
			    (unsigned long long)limits[i].max);
			return false;
		}
		memcpy((char *)to + limits[i].offset,
		    (const char *)&l->limits + limits[i].offset, limits[i].size);
	}
	return true;
}

void
user_limits(struct chan *chan, struct msg *m)
{
	const struct m_account_limits *l = MSG_DATA(m, m_account_limits);
	char text[WIRE_TEXT];
	struct store_account a;
	enum store_result r;
	struct asker who;

	if (!asker_begin(chan, m, &who) || !asker_subject(&who, l->user, &a))
		return;
	if (account_version_ok(&who, l->version, &a) && limits_take(&who, l, &a.limits)) {
		snprintf(text, sizeof(text),
		    "memory %llu storage %llu files %llu cpu %u processes %u sessions %u",
		    (unsigned long long)a.limits.memory,
		    (unsigned long long)a.limits.storage,
		    (unsigned long long)a.limits.files, a.limits.cpu, a.limits.processes,
		    a.limits.sessions);
		a.version++;
		a.updated = auth_now();
		if (asker_audit(&who, AUDIT_USER_LIMITS, &a, text)) {
			if ((r = store_account_put(auth.store, &a)) != STORE_OK) {
				asker_undone(&who, AUDIT_USER_LIMITS, &a, r);
			} else {
				snprintf(text, sizeof(text), "limits of %s set", a.name);
				account_answer(&who, &a, text);
				sandbox_limits_user(a.uid, a.name);
			}
		}
	}
	explicit_bzero(&a, sizeof(a));
}
