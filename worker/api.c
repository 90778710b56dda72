/* The way of a call: see api.h. */
#include <openssl/evp.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bsd/stdlib.h>
#include <bsd/string.h>

#include "../privsep/log.h"
#include "activity.h"
#include "api.h"
#include "conn.h"
#include "credential.h"
#include "limit.h"
#include "respond.h"
#include "routes.h"
#include "session.h"
#include "worker.h"

#define ROWS_MAX WIRE_AUDIT_ROWS /* the longest page */
#define ID_MAX   64

const struct api_call *const api_tables[] = { api_account, api_access, NULL };

/* clang-format off */
const struct api_field api_page[] = {
	API_F("next", API_STRING, m_page, next, .flags = API_NULL), API_END };
/* clang-format on */

/* A call under way. */
struct going {
	struct stream *s;
	const struct api_call *call;
	uint32_t question;
	json_t *rows;
	json_t *page; /* what follows them */
	char *text;   /* them, as call->text has it; NULL: JSON is wanted */
	size_t len;
};

/* --- errors --- */

/* What is named in an error may be whatever was sent: it becomes a text. */
static json_t *
words(const char *text)
{
	char buf[301];
	size_t n = strlcpy(buf, text, sizeof(buf)), cut = 0;
	json_t *v;

	if (n >= sizeof(buf)) {
		n = sizeof(buf) - 1;
		cut = 3; /* of a character that is not whole */
	}
	for (size_t i = 0; i <= cut; i++)
		if ((v = json_stringn(buf, n - i)) != NULL)
			return (v);
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)buf[i] > 0x7e)
			buf[i] = '?';
	return (json_stringn(buf, n));
}

void
api_fault(struct stream *s, unsigned int status, const char *code, const char *field,
    const char *text)
{
	json_t *details = json_object();
	struct answer a;

	if (field != NULL && field[0] != '\0')
		json_object_set_new(details, "field", words(field));
	answer_init(&a, s, ANSWER_DATA);
	if (status == 401)
		answer_challenge(&a);
	if (status == 503 || status == 429)
		answer_add(&a, SLICE("retry-after"), SLICE("2"));
	respond_json(&a, status,
	    json_pack("{s:b, s:{s:o, s:s, s:o}}", "success", 0, "error", "message",
		words(text), "code", code, "details", details));
}

void
api_invalid(struct stream *s, const char *field, const char *what)
{
	char text[301];

	snprintf(text, sizeof(text), "%.96s: %s", field, what);
	api_fault(s, 400, "VALIDATION_ERROR", field, text);
}

void
api_refused(struct stream *s, const struct msg *m)
{
	static const struct {
		enum wire_fail code;
		unsigned int status;
		const char *name;
	} codes[] = {
		{ FAIL_INVALID, 400, "VALIDATION_ERROR" },
		{ FAIL_NOT_FOUND, 404, "NOT_FOUND" },
		{ FAIL_EXISTS, 409, "CONFLICT" },
		{ FAIL_CHANGED, 409, "CONFLICT" },
		{ FAIL_DENIED, 403, "FORBIDDEN" },
		{ FAIL_MUST_CHANGE, 403, "FORBIDDEN" },
		{ FAIL_LIMITED, 429, "RATE_LIMITED" },
		{ FAIL_BUSY, 503, "SESSION_UNAVAILABLE" },
		{ FAIL_UNAVAILABLE, 503, "SESSION_UNAVAILABLE" },
	};
	const struct m_fail *f;

	if (m == NULL || m->head.type != M_FAIL) {
		auth_error(s, m);
		return;
	}
	f = MSG_DATA(m, m_fail);
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (codes[i].code == f->code && wire_str(f->text) && wire_str(f->field)) {
			api_fault(s, codes[i].status, codes[i].name, f->field, f->text);
			return;
		}
	auth_error(s, m);
}

/* --- the answer --- */

static void
going_close(struct stream *s)
{
	struct going *g = s->arg;

	auth_forget(s->w, g->question);
	json_decref(g->rows);
	json_decref(g->page);
	free(g->text);
	free(g);
	s->arg = NULL;
}

static void
finish_text(struct going *g)
{
	const struct api_text *t = g->call->text;
	const char *next = json_string_value(json_object_get(g->page, "next"));
	struct answer a;

	answer_init(&a, g->s, ANSWER_DATA);
	answer_add(&a, SLICE("content-type"), slice_str(t->type));
	answer_fmt(
	    &a, SLICE("content-disposition"), "attachment; filename=\"%s\"", t->file);
	answer_add(&a, SLICE("cache-control"), SLICE("no-store"));
	if (next != NULL)
		answer_fmt(&a, SLICE("ided-cursor"), "%s", next);
	answer_send(&a, 200, g->text, g->len);
}

static void
finish(struct going *g)
{
	const struct api_call *call = g->call;
	struct stream *s = g->s;
	struct answer a;
	json_t *data;

	if (g->text != NULL) {
		finish_text(g);
		return;
	}
	if (call->flags & API_LIST) {
		data = json_pack("{s:O, s:n}", "items", g->rows, "next");
		if (g->page != NULL)
			json_object_update(data, g->page);
	} else if (call->row == M_NONE) {
		data = json_null();
	} else {
		data = json_incref(json_array_get(g->rows, 0));
	}
	answer_init(&a, s, ANSWER_DATA);
	respond_json(&a, call->flags & API_MADE ? 201 : 200,
	    json_pack("{s:b, s:o}", "success", 1, "data", data));
}

static void
row(struct going *g, const void *at)
{
	const struct api_text *t = g->call->text;
	json_t *v;
	char *p;

	if (g->text != NULL) {
		if ((p = realloc(g->text, g->len + t->max)) == NULL)
			fatal("realloc");
		g->text = p;
		g->len += t->row(at, p + g->len);
		return;
	}
	v = g->call->show != NULL ? g->call->show(at) : api_row(g->call->out, at);
	if (v == NULL || json_array_size(g->rows) == ROWS_MAX)
		json_decref(v);
	else
		json_array_append_new(g->rows, v);
}

static void
page(struct going *g, const struct api_field *f, const struct msg *m)
{
	json_decref(g->page);
	g->page = api_row(f, m->u.bytes);
}

static void
on_message(void *arg, struct msg *m)
{
	struct going *g = arg;
	const struct api_call *call = g->call;

	if (m != NULL && m->head.type == call->row) {
		row(g, m->u.bytes);
		explicit_bzero(m->u.bytes, m->head.len);
		return;
	}
	if (m != NULL && call->page != M_NONE && m->head.type == call->page) {
		page(g, call->page_out, m);
		return;
	}
	if (m != NULL &&
	    (m->head.type == M_ROW_PROCESSES || m->head.type == M_ROW_MEMORY))
		return;
	g->question = 0;
	if (m == NULL || m->head.type == M_FAIL) {
		api_refused(g->s, m);
	} else if (m->head.type == M_PAGE && (call->flags & API_LIST)) {
		page(g, api_page, m);
		finish(g);
	} else if (m->head.type == M_OK &&
	    (call->row == M_NONE || (call->flags & API_LIST) ||
		json_array_size(g->rows) == 1)) {
		finish(g);
	} else {
		log_warnx("BUG: auth answers %s", msg_name(m->head.type));
		respond_error(g->s, 500, NULL);
	}
}

/* --- the request --- */

/* The part of the path that ":id" stands for. */
static bool
path_fits(const char *pattern, const char *path, char id[ID_MAX])
{
	size_t n;

	id[0] = '\0';
	for (; *pattern != '\0'; pattern++) {
		if (*pattern == ':') {
			n = strcspn(path, "/");
			if (n == 0 || n >= ID_MAX)
				return (false);
			memcpy(id, path, n);
			id[n] = '\0';
			path += n;
			pattern += strcspn(pattern, "/") - 1;
		} else if (*pattern != *path++) {
			return (false);
		}
	}
	return (*path == '\0');
}

/* The row that a request means; all methods of that path in *allow. */
static const struct api_call *
call_find(const struct stream *s, char id[ID_MAX], unsigned int *allow)
{
	const char *rest = s->path + strlen(s->route->path);
	const struct api_call *c, *found = NULL, *literal = NULL;
	char part[ID_MAX];

	*allow = 0;
	for (size_t t = 0; api_tables[t] != NULL; t++)
		for (c = api_tables[t]; c->method != 0; c++) {
			if (!path_fits(c->path, rest, part))
				continue;
			/* "users/me" is not a user of that name. */
			if (part[0] == '\0' && literal == NULL) {
				literal = c;
				*allow = 0;
				found = NULL;
			}
			if (literal != NULL && part[0] != '\0')
				continue;
			*allow |= c->method;
			if (found == NULL && (c->method & M_BIT(s->head.method))) {
				found = c;
				memcpy(id, part, sizeof(part));
			}
		}
	return (found);
}

/* The key, and all that the call says: of a second one, auth knows the first. */
static bool
once(
    struct stream *s, const struct api_call *call, const char *body, size_t len, void *in)
{
	struct slice key = { NULL, 0 };
	struct wire_once o;

	for (size_t i = 0; i < s->head.nheader; i++)
		if (slice_caseeq(s->head.header[i].name, SLICE("idempotency-key"))) {
			if (key.p != NULL) {
				api_invalid(s, "Idempotency-Key", "given twice");
				return (false);
			}
			key = s->head.header[i].value;
		}
	if (key.p == NULL)
		return (true);
	if (key.len < 8 || key.len > 128) {
		api_invalid(s, "Idempotency-Key", "8 to 128 characters are expected");
		return (false);
	}
	if (EVP_Digest(key.p, key.len, o.key, NULL, EVP_sha256(), NULL) != 1 ||
	    EVP_Digest(body, len, o.body, NULL, EVP_sha256(), NULL) != 1)
		fatalx("SHA-256");
	memcpy((char *)in + call->once, &o, sizeof(o));
	return (true);
}

static bool
text_wanted(const struct api_call *call, const void *in)
{
	uint32_t is;

	if (call->text == NULL)
		return (false);
	memcpy(&is, (const char *)in + call->text->wanted, sizeof(is));
	return (is == 1);
}

static void
ask(struct stream *s, const struct api_call *call, const char *id, const void *in)
{
	struct going *g;

	if ((g = calloc(1, sizeof(*g))) == NULL || (g->rows = json_array()) == NULL)
		fatal("calloc");
	g->s = s;
	g->call = call;
	if (text_wanted(call, in)) {
		if ((g->text = strdup(call->text->head)) == NULL)
			fatal("strdup");
		g->len = strlen(g->text);
	}
	s->arg = g;
	if ((call->flags & API_LEAVES) && s->w->bound &&
	    strcmp(id, s->w->who.session) == 0)
		logout_over(s);
	s->on_close = going_close;
	g->question = auth_ask(
	    s->w, request_of(s), call->type, in, call->size, on_message, g);
	if (g->question == 0)
		respond_error(s, 503, NULL);
}

static void
call_go(struct stream *s, char *body, size_t len)
{
	static union {
		uint8_t bytes[MSG_PAYLOAD_MAX];
		uint64_t align;
	} in;
	const struct api_call *call;
	unsigned int allow;
	char id[ID_MAX] = "";

	memset(&in, 0, sizeof(in));
	if ((call = call_find(s, id, &allow)) == NULL) {
		respond_error(s, 404, NULL);
	} else if ((call->flags & API_FORM) == 0 && !api_query(s, call, &in)) {
		/* A form's own page may say where to go on to. */
		;
	} else if (call->fn != NULL) {
		call->fn(s, body, len);
	} else if (call->type == M_NONE) {
		respond_data(s, api_row(call->out, &s->w->who));
	} else {
		if (api_path(s, call, id, &in) && api_body(s, call, body, len, &in) &&
		    (!(call->flags & API_ONCE) || once(s, call, body, len, &in)))
			ask(s, call, id, &in);
		explicit_bzero(&in, sizeof(in));
	}
}

_Static_assert(API_BODY == 16384, "what is said of a body that is too large");

static void
call_body(struct stream *s, char *body, size_t len)
{
	const struct api_call *call;
	unsigned int allow;
	char id[ID_MAX];
	bool form;

	call = call_find(s, id, &allow);
	form = call != NULL && (call->flags & API_FORM);
	if (len > API_BODY)
		respond_error(s, 413, "A body has at most 16384 bytes here.");
	else if (len > 0 && !content_is(s, SLICE("application/json")) &&
	    !(form && content_is(s, SLICE("application/x-www-form-urlencoded"))))
		respond_error(s, 415,
		    form ? "A body is of type application/json here, or a form." :
			   "A body is of type application/json here.");
	else
		call_go(s, body, len);
}

static void
call_take(struct stream *s)
{
	static char none[1];

	if (M_BIT(s->head.method) & R_GET)
		call_go(s, none, 0);
	else
		body_collect(s, call_body);
}

/* A user's, and there is some left. */
static void
call_user(struct stream *s)
{
	if ((M_BIT(s->head.method) & R_GET) == 0 && !activity_itself(s))
		session_beat(s->w);
	call_take(s);
}

static void
call_known(struct stream *s, unsigned int who)
{
	if (who == WHO_USER)
		limit_request(s, call_user);
	else
		api_fault(s, 401, "UNAUTHORIZED", NULL,
		    credential_bearer(s).p != NULL ? "This token is not valid, or not "
						     "any more: refresh it, or log in." :
						     "Please log in first.");
}

void
api_any(struct stream *s, const char *rest)
{
	const struct api_call *call;
	char id[ID_MAX];
	unsigned int allow;

	(void)rest;
	call = call_find(s, id, &allow);
	if (call == NULL && allow == 0) {
		api_fault(s, 404, "NOT_FOUND", NULL, "There is nothing here.");
	} else if (call == NULL) {
		route_refuse(s, allow);
	} else if (call->flags & API_PUBLIC) {
		call_take(s);
	} else {
		session_who(s, call_known);
	}
}
