/*
 * Lists of accounts, a page at a time: all of them in the order of their names, or
 * those that are found in the order in which they were made, which is that in which
 * they lie on the disk.
 *
 * However many there are, nobody waits for it longer than a slice takes: whoever has
 * asked for more gets the rest of it in slices, and those who did take turns.  A page
 * ends when it has its rows, or when enough have been looked at.  Its cursor, a name or
 * a uid, is the last of these: the next page goes on behind it, whether it is still
 * there or not.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bsd/string.h>

#include "auth_peer.h"
#include "auth_text.h"
#include "store_record.h"

#define SLICE_MS   2
#define CLOCK_STEP 8     /* accounts between two looks at the clock */
#define PAGE_LOOKS 20000 /* accounts that a page looks at */

static bool
has_role(const char *roles, const char *want)
{
	char name[WIRE_ROLE];

	while (roles_next(&roles, name))
		if (strcmp(name, want) == 0)
			return true;
	return false;
}

static bool
fits(const struct store_account *a, const struct m_list *l, const char *find)
{
	char shown[2 * WIRE_DISPLAY];
	uint32_t state;

	state = a->pending ? ACCOUNT_PENDING :
	    a->active      ? ACCOUNT_ACTIVE :
			     ACCOUNT_DISABLED;
	if ((l->state != 0 && l->state != state) ||
	    (l->role[0] != '\0' && !has_role(a->roles, l->role)))
		return false;
	if (find[0] == '\0' || strstr(a->name, find) != NULL ||
	    strstr(a->email, find) != NULL)
		return true;
	if (a->display[0] == '\0')
		return false;
	text_fold(a->display, shown, sizeof(shown));
	return strstr(shown, find) != NULL;
}

static bool
is_search(const struct user_walk *k)
{
	return k->find[0] != '\0' || k->list.role[0] != '\0' || k->list.state != 0;
}

/* Who asks by a whole e-mail address looks for the one that has it, among however many
 * there are.  False: nobody has, it may be a part of one. */
static bool
one_by_email(const struct asker *who, const struct user_walk *k)
{
	struct store_account a;
	struct m_account row;

	if (k->list.cursor[0] != '\0' || strchr(k->find, '@') == NULL ||
	    store_account_by_email(auth.store, k->find, &a) != STORE_OK)
		return false;
	if (fits(&a, &k->list, k->find)) {
		account_row(&a, &row);
		asker_row(who, M_ROW_ACCOUNT, &row, sizeof(row));
	}
	explicit_bzero(&a, sizeof(a));
	asker_page(who, "");
	return true;
}

struct looker {
	const struct asker *who;
	struct user_walk *k;
};

/* False: no more of them now. */
static bool
look(void *arg, const struct store_account *a)
{
	struct looker *s = arg;
	struct user_walk *k = s->k;
	struct m_account row;

	k->looked++;
	strlcpy(k->name, a->name, sizeof(k->name));
	if (fits(a, &k->list, k->find)) {
		account_row(a, &row);
		asker_row(s->who, M_ROW_ACCOUNT, &row, sizeof(row));
		k->rows++;
	}
	return k->rows < k->list.limit && k->looked < PAGE_LOOKS &&
	    (k->looked % CLOCK_STEP != 0 || auth_ms() < k->until);
}

static enum store_result
look_by_name(struct looker *s)
{
	struct store_account a;
	enum store_result r;

	do
		r = store_account_next(auth.store, s->k->name, &a);
	while (r == STORE_OK && look(s, &a));
	explicit_bzero(&a, sizeof(a));
	return r;
}

/* True: the page is answered. */
static bool
slice(const struct asker *who, struct user_walk *k)
{
	struct looker s = { who, k };
	enum store_result r;
	char at[16];

	k->until = auth_ms() + SLICE_MS;
	r = is_search(k) ? store_account_each(auth.store, &k->uid, look, &s) :
			   look_by_name(&s);
	if (r == STORE_NOT_FOUND) {
		asker_page(who, "");
		return true;
	}
	if (r != STORE_OK) {
		asker_store_fail(who, r, "accounts");
		return true;
	}
	if (k->rows < k->list.limit && k->looked < PAGE_LOOKS)
		return false;
	snprintf(at, sizeof(at), "%u", k->uid);
	asker_page(who, is_search(k) ? at : k->name);
	return true;
}

static void
on_turn(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval at_once = { 0, 0 };
	static uint64_t last;
	struct event **turn = arg;
	struct job *j;

	(void)fd;
	(void)what;
	if ((j = job_turn(last)) == NULL)
		return;
	last = j->number;
	if (slice(&job_on(j)->who, &j->u.walk))
		job_end(j);
	if (job_turn(last) != NULL)
		event_add(*turn, &at_once);
}

static void
go_on(const struct asker *who, const struct user_walk *k)
{
	static const struct timeval at_once = { 0, 0 };
	static struct event *turn;
	struct job *j;

	if ((j = job_new(who)) == NULL)
		return;
	j->u.walk = *k;
	j->turns = true;
	if (turn == NULL && (turn = evtimer_new(auth.base, on_turn, &turn)) == NULL)
		fatalx("out of memory");
	event_add(turn, &at_once);
}

/* Where the page before ended: false, and answered, when that is no such place. */
static bool
cursor_take(const struct asker *who, struct user_walk *k)
{
	const char *at = k->list.cursor;
	unsigned long v;

	if (at[0] == '\0')
		return true;
	if (!is_search(k) && account_name_ok(at)) {
		strlcpy(k->name, at, sizeof(k->name));
		return true;
	}
	if (is_search(k) && strlen(at) <= 10 && strspn(at, "0123456789") == strlen(at) &&
	    (v = strtoul(at, NULL, 10)) <= UINT32_MAX) {
		k->uid = (uint32_t)v;
		return true;
	}
	asker_bad_cursor(who);
	return false;
}

void
users_list(struct chan *chan, struct msg *m)
{
	struct user_walk k;
	struct asker who;

	memset(&k, 0, sizeof(k));
	k.list = *MSG_DATA(m, m_list);
	if (!asker_begin(chan, m, &who) || !asker_list(&who, &k.list))
		return;
	text_fold(k.list.find, k.find, sizeof(k.find));
	if (cursor_take(&who, &k) && !one_by_email(&who, &k) && !slice(&who, &k))
		go_on(&who, &k);
}
