/*
 * /api/users/me/settings: a JSON object of the user's.  A change names members; they
 * replace those of the same name, null takes one away, and the rest stays.  What is
 * kept and cannot be read is {}.  Two changes at once: the later one is made again from
 * what the earlier one left.
 */
#include <stdlib.h>
#include <string.h>

#include <bsd/stdlib.h>
#include <bsd/string.h>

#include "../privsep/log.h"
#include "api.h"
#include "respond.h"
#include "routes.h"
#include "session.h"
#include "worker.h"

#define TRIES 5

struct settings {
	struct stream *s;
	uint32_t question;
	json_t *change; /* NULL: to be read only */
	json_t *now;
	uint64_t version;
	unsigned int tries;
};

static void look(struct settings *);

static void
settings_close(struct stream *s)
{
	struct settings *st = s->arg;

	auth_forget(s->w, st->question);
	json_decref(st->change);
	json_decref(st->now);
	free(st);
	s->arg = NULL;
}

static void
on_put(void *arg, struct msg *m)
{
	struct settings *st = arg;

	st->question = 0;
	if (m != NULL && m->head.type == M_OK)
		respond_data(st->s, json_incref(st->now));
	else if (m != NULL && m->head.type == M_FAIL &&
	    MSG_DATA(m, m_fail)->code == FAIL_CHANGED && ++st->tries < TRIES)
		look(st);
	else
		api_refused(st->s, m);
}

static void
put(struct settings *st)
{
	static struct m_settings m;
	const char *key;
	char *text;
	json_t *v;
	bool fits;

	json_object_foreach(st->change, key, v)
	{
		if (json_is_null(v))
			json_object_del(st->now, key);
		else
			json_object_set(st->now, key, v);
	}
	if ((text = json_dumps(st->now, JSON_COMPACT)) == NULL)
		fatalx("json_dumps");
	memset(&m, 0, sizeof(m));
	m.version = st->version;
	fits = strlcpy(m.text, text, sizeof(m.text)) < sizeof(m.text);
	free(text);
	if (!fits) {
		respond_error(st->s, 413, "There are too many settings.");
		return;
	}
	st->question = auth_ask(
	    st->s->w, request_of(st->s), M_SETTINGS_PUT, &m, sizeof(m), on_put, st);
	if (st->question == 0)
		respond_error(st->s, 503, NULL);
}

static void
on_look(void *arg, struct msg *m)
{
	struct settings *st = arg;
	const struct m_settings *row;

	if (m != NULL && m->head.type == M_ROW_SETTINGS) {
		row = MSG_DATA(m, m_settings);
		st->version = row->version;
		json_decref(st->now);
		st->now = wire_str(row->text) ?
		    json_loads(row->text, JSON_REJECT_DUPLICATES, NULL) :
		    NULL;
		if (!json_is_object(st->now)) {
			json_decref(st->now);
			st->now = json_object();
		}
		return;
	}
	st->question = 0;
	if (m == NULL || m->head.type != M_OK || st->now == NULL)
		api_refused(st->s, m);
	else if (st->change != NULL)
		put(st);
	else
		respond_data(st->s, json_incref(st->now));
}

static void
look(struct settings *st)
{
	struct m_account_ref m;

	memset(&m, 0, sizeof(m));
	st->question = auth_ask(
	    st->s->w, request_of(st->s), M_SETTINGS_GET, &m, sizeof(m), on_look, st);
	if (st->question == 0)
		respond_error(st->s, 503, NULL);
}

static void
start(struct stream *s, json_t *change)
{
	struct settings *st;

	if ((st = calloc(1, sizeof(*st))) == NULL)
		fatal("calloc");
	st->s = s;
	st->change = change;
	s->arg = st;
	s->on_close = settings_close;
	look(st);
}

void
api_settings(struct stream *s, char *body, size_t len)
{
	(void)body;
	(void)len;
	start(s, NULL);
}

void
api_settings_change(struct stream *s, char *body, size_t len)
{
	json_t *j = api_object(s, body, len);

	if (j != NULL)
		start(s, j);
}
