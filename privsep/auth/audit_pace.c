/*
 * What strangers, and users' programs, can cause at will comes into the trail and into
 * the log at a bounded rate: of each kind, so that a flood of one hides none of another;
 * and of each source (or user, where there is none), so that who makes the flood hides
 * nobody else.  What is left out is counted, and the count is a record, with whoever
 * caused most of it.
 */
#include <string.h>

#include <bsd/stdlib.h>
#include <bsd/string.h>

#include "../pace.h"
#include "audit_part.h"
#include "auth.h"

#define SLOTS      256
#define TELL_EVERY 10000 /* ms */

static const struct pace_limit of_kind = { 100, 2 };
static const struct pace_limit of_one = { 20, 1 };

static struct {
	struct pace pace;
	uint64_t left_out; /* since it was told */
} kinds[AUDIT_MAX];

/* Who caused what.  Two in one place share it, until it is not needed any more. */
static struct slot {
	enum audit_event event;
	bool is_user;
	bool mixed;
	char who[WIRE_EMAIL];
	struct pace pace;
	uint64_t left_out;
} slots[SLOTS];

static int64_t told;

static const char *
value_of(const struct log_value *v, const char *key)
{
	for (; v->kind != LOG_VALUE_END; v++)
		if (v->kind == LOG_VALUE_STR && strcmp(v->key, key) == 0)
			return v->str != NULL ? v->str : "";
	return "";
}

static struct slot *
slot_of(enum audit_event event, const struct log_value *values, int64_t now)
{
	const char *who = value_of(values, "source"), *p;
	bool is_user = who[0] == '\0';
	static uint32_t seed;
	struct slot *s;
	uint32_t h;

	while (seed == 0)
		seed = arc4random();
	if (is_user)
		who = value_of(values, "user");
	h = (seed ^ (uint32_t)event) * 16777619U;
	for (p = who; *p != '\0'; p++) {
		h ^= (uint8_t)*p;
		h *= 16777619U;
		h ^= h >> 15;
	}
	s = &slots[h % SLOTS];
	if (s->event == event && s->is_user == is_user && strcmp(s->who, who) == 0)
		return s;
	if (s->left_out == 0 && pace_rests(&s->pace, &of_one, now)) {
		memset(s, 0, sizeof(*s));
		s->event = event;
		s->is_user = is_user;
		strlcpy(s->who, who, sizeof(s->who));
	} else {
		s->mixed = true;
	}
	return s;
}

bool
audit_pace(enum audit_event event, const struct log_value *values)
{
	int64_t now = auth_ms();
	struct slot *s = slot_of(event, values, now);

	if (pace_take(&s->pace, &of_one, now) &&
	    pace_take(&kinds[event].pace, &of_kind, now))
		return true;
	s->left_out++;
	kinds[event].left_out++;
	return false;
}

static void
tell(enum audit_event event)
{
	const struct audit_row *row = &audit_table[event];
	struct slot *s, *most = NULL;
	struct log_value v[6];
	size_t n = 0;

	for (s = slots; s < slots + SLOTS; s++)
		if (s->event == event && s->left_out > 0 && !s->mixed &&
		    (most == NULL || s->left_out > most->left_out))
			most = s;
	v[n++] = (struct log_value)LOG_S("event", row->event);
	if (row->flags == L_ALL && audit_trail() != NULL)
		v[n++] = (struct log_value)LOG_N("records", kinds[event].left_out);
	else
		v[n++] = (struct log_value)LOG_N("lines", kinds[event].left_out);
	if (most != NULL && most->who[0] != '\0') {
		v[n++] = most->is_user ? (struct log_value)LOG_S("user", most->who) :
					 (struct log_value)LOG_S("source", most->who);
		v[n++] = (struct log_value)LOG_N("most", most->left_out);
	}
	v[n] = (struct log_value){ LOG_VALUE_END, NULL, NULL, 0 };
	if (row->flags == L_ALL && audit_trail() != NULL)
		(void)audit_event_values(AUDIT_TRAIL_SUPPRESSED, v);
	else
		log_event_values(LOG_WARNING, "log.suppressed", v);
	kinds[event].left_out = 0;
}

void
audit_pace_tell(bool at_once)
{
	int64_t now = auth_ms();
	struct slot *s;
	unsigned int i;

	if (!at_once && now - told < TELL_EVERY)
		return;
	told = now;
	for (i = 0; i < AUDIT_MAX; i++)
		if (kinds[i].left_out > 0)
			tell((enum audit_event)i);
	for (s = slots; s < slots + SLOTS; s++) {
		s->left_out = 0;
		s->mixed = false;
	}
}
