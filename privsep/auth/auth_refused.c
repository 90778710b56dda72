/*
 * Rate limits for people: who was refused, in the audit trail, and a list of those who
 * come near a limit.  Addresses are master's to count, users and logins auth's.
 */
#include <arpa/inet.h>

#include <stdio.h>
#include <string.h>

#include <bsd/string.h>

#include "../refused.h"
#include "auth_peer.h"

#define ASK_TIMEOUT 5

static const char *const classes[] = { [LIMIT_NONE] = "others",
	[LIMIT_WEB] = "web",
	[LIMIT_API] = "api",
	[LIMIT_CLASSES] = "user",
	[LIMIT_LOGIN] = "login" };

static const char *
class_name(uint32_t class)
{
	return class < sizeof(classes) / sizeof(classes[0]) ? classes[class] : "";
}

static bool
is_zero(const uint8_t key[WINDOW_KEY])
{
	static const uint8_t zero[WINDOW_KEY];

	return memcmp(key, zero, sizeof(zero)) == 0;
}

/* "192.0.2.1", "2001:db8::/64" */
static void
address(const uint8_t key[WINDOW_KEY], char *text, size_t size)
{
	char buf[INET6_ADDRSTRLEN];
	struct in6_addr in6;
	bool v4;

	memcpy(&in6, key, sizeof(in6));
	v4 = IN6_IS_ADDR_V4MAPPED(&in6);
	if (inet_ntop(v4 ? AF_INET : AF_INET6, key + (v4 ? 12 : 0), buf, sizeof(buf)) ==
	    NULL)
		buf[0] = '\0';
	snprintf(text, size, "%s%s", buf, v4 ? "" : "/64");
}

static void
user_name(const uint8_t key[WINDOW_KEY], char *text, size_t size)
{
	struct store_account a;
	uint32_t uid;

	memcpy(&uid, key, sizeof(uid));
	if (store_account_by_uid(auth.store, uid, &a) == STORE_OK)
		strlcpy(text, a.name, size);
	else
		snprintf(text, size, "%u", uid);
	explicit_bzero(&a, sizeof(a));
}

bool
refused_user(const struct m_limited *l)
{
	char user[WIRE_NAME] = "";

	if (!is_zero(l->key))
		user_name(l->key, user, sizeof(user));
	(void)audit_event(AUDIT_LIMIT_REFUSED, LOG_S("user", user),
	    LOG_S("limit", class_name(l->class)), LOG_N("refused", l->count));
	return true;
}

/* Master tells of addresses. */
void
refused_address(const struct m_limited *l)
{
	char source[INET6_ADDRSTRLEN + 4] = "";

	if (!is_zero(l->key))
		address(l->key, source, sizeof(source));
	(void)audit_event(AUDIT_LIMIT_REFUSED, LOG_S("source", source),
	    LOG_S("limit", class_name(l->class < LIMIT_CLASSES ? l->class : LIMIT_NONE)),
	    LOG_N("refused", l->count));
}

static void
rows(const struct asker *who, const struct wire_top *top, size_t n, bool users)
{
	struct m_limit row;
	size_t i;

	for (i = 0; i < n; i++) {
		memset(&row, 0, sizeof(row));
		strlcpy(row.limit, class_name(top[i].class), sizeof(row.limit));
		if (is_zero(top[i].key))
			strlcpy(row.who, "others", sizeof(row.who));
		else if (users)
			user_name(top[i].key, row.who, sizeof(row.who));
		else
			address(top[i].key, row.who, sizeof(row.who));
		row.of = top[i].of;
		row.used = top[i].used;
		row.refused = top[i].refused;
		row.reset = top[i].reset;
		asker_row(who, M_ROW_LIMIT, &row, sizeof(row));
	}
}

static bool
on_master(void *owner, uint32_t tag, struct msg *m)
{
	struct wire_top top[WIRE_TOPS];
	const struct m_limits *l;
	struct job *j = job_on(owner);
	uint32_t c;

	(void)tag;
	if (m == NULL) {
		asker_fail(&j->who, FAIL_TIMEOUT, NULL, "no answer in time");
		job_end(j);
		return true;
	}
	if (m->head.type != M_LIMITS)
		return false;
	l = MSG_DATA(m, m_limits);
	rows(&j->who, top, login_top(top, WIRE_TOPS), false);
	rows(&j->who, l->top, l->count <= 2 * WIRE_TOPS ? l->count : 0, false);
	for (c = LIMIT_WEB; c <= LIMIT_CLASSES; c++)
		rows(&j->who, top, limit_top(c, top, WIRE_TOPS), true);
	asker_page(&j->who, "");
	job_end(j);
	return true;
}

void
ratelimits_list(struct chan *chan, struct msg *m)
{
	struct m_list list = *MSG_DATA(m, m_list);
	struct asker who;
	struct job *j;

	if (!asker_begin(chan, m, &who) || !asker_list_of_one(&who, &list) ||
	    (j = job_new(&who)) == NULL)
		return;
	if (ask(&auth.master, M_LIMITS_ASK, NULL, 0, ASK_TIMEOUT, on_master, j, 0) == 0) {
		asker_fail(&who, FAIL_BUSY, NULL, "too many requests are under way");
		job_end(j);
	}
}
