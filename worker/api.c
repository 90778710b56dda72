/* The API by its tables: see api.h. */
#include <netinet/in.h>
#include <openssl/evp.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bsd/stdlib.h>
#include <bsd/string.h>

#include "../privsep/log.h"
#include "api.h"
#include "conn.h"
#include "respond.h"
#include "routes.h"
#include "session.h"
#include "url.h"
#include "worker.h"

#define ROWS_MAX WIRE_ROWS

/* A call under way. */
struct going {
	struct stream *s;
	const struct api_call *call;
	uint32_t question;
	json_t *rows;
};

/* --- errors --- */

static void
fault(struct stream *s, unsigned int status, const char *code, const char *field,
    const char *text)
{
	json_t *details = json_object();
	struct answer a;

	if (field != NULL && field[0] != '\0')
		json_object_set_new(details, "field", json_string(field));
	answer_init(&a, s, ANSWER_DATA);
	if (status == 401)
		answer_add(&a, SLICE("www-authenticate"), SLICE("Bearer realm=\"ided\""));
	if (status == 503 || status == 429)
		answer_add(&a, SLICE("retry-after"), SLICE("2"));
	respond_json(&a, status,
	    json_pack("{s:b, s:{s:s, s:s, s:o}}", "success", 0, "error", "message", text,
		"code", code, "details", details));
}

static void
invalid(struct stream *s, const char *field, const char *what)
{
	char text[256];

	snprintf(text, sizeof(text), "%s: %s", field, what);
	fault(s, 400, "VALIDATION_ERROR", field, text);
}

/* What auth says that is no success. */
static void
refused(struct stream *s, const struct msg *m)
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
	};
	const struct m_fail *f;

	if (m == NULL || m->head.type != M_FAIL) {
		auth_error(s, m);
		return;
	}
	f = MSG_DATA(m, m_fail);
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (codes[i].code == f->code && wire_str(f->text) && wire_str(f->field)) {
			fault(s, codes[i].status, codes[i].name, f->field, f->text);
			return;
		}
	auth_error(s, m);
}

/* --- from the request into the struct --- */

static void
put32(void *in, size_t offset, uint32_t v)
{
	memcpy((char *)in + offset, &v, sizeof(v));
}

static const char *
put_string(const struct api_field *f, void *in, const char *v, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)v[i] < 0x20 || v[i] == 0x7f)
			return ("a control character");
	if (len >= f->size || (f->max != 0 && len > f->max))
		return ("too long");
	if (len < f->min)
		return ("empty");
	memset((char *)in + f->offset, 0, f->size);
	memcpy((char *)in + f->offset, v, len);
	return (NULL);
}

static const char *
put_number(const struct api_field *f, void *in, uint64_t v)
{
	if (v < f->min || v > f->max)
		return ("out of bounds");
	if (f->size == sizeof(uint32_t))
		put32(in, f->offset, (uint32_t)v);
	else
		memcpy((char *)in + f->offset, &v, sizeof(v));
	return (NULL);
}

static const char *
put_word(const struct api_field *f, void *in, const char *v)
{
	for (uint32_t i = 0; f->words[i] != NULL; i++)
		if (f->words[i][0] != '\0' && strcmp(f->words[i], v) == 0) {
			put32(in, f->offset, i);
			return (NULL);
		}
	return ("not one of the words that it may be");
}

static const char *
put_hex(const struct api_field *f, void *in, const char *v, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t *to = (uint8_t *)in + f->offset;
	const char *p[2];

	if (len != 2 * f->size)
		return ("not as long as it must be");
	for (size_t i = 0; i < f->size; i++) {
		for (size_t k = 0; k < 2; k++)
			if ((p[k] = memchr(digits, v[2 * i + k], 16)) == NULL)
				return ("not hexadecimal");
		to[i] = (uint8_t)((p[0] - digits) << 4 | (p[1] - digits));
	}
	return (NULL);
}

static const char *
put_names(const struct api_field *f, void *in, const json_t *v)
{
	char *to = (char *)in + f->offset;
	const json_t *e;
	size_t i;

	if (!json_is_array(v) || json_array_size(v) == 0)
		return ("a list of names is expected");
	memset(to, 0, f->size);
	json_array_foreach(v, i, e)
	{
		if (!json_is_string(e) || json_string_length(e) == 0 ||
		    strchr(json_string_value(e), ' ') != NULL)
			return ("a list of names is expected");
		if (strlcat(to, i > 0 ? " " : "", f->size) >= f->size ||
		    strlcat(to, json_string_value(e), f->size) >= f->size)
			return ("too long");
	}
	return (NULL);
}

static const char *
put_object(const struct api_field *f, void *in, const json_t *v)
{
	const char *why = NULL;
	char *text;

	if (!json_is_object(v))
		return ("an object is expected");
	if ((text = json_dumps(v, JSON_COMPACT | JSON_SORT_KEYS)) == NULL)
		fatalx("json_dumps");
	if (strlcpy((char *)in + f->offset, text, f->size) >= f->size)
		why = "too long";
	free(text);
	return (why);
}

static const char *
put_json(const struct api_field *f, void *in, const json_t *v)
{
	if (json_is_null(v) && (f->flags & API_NULL))
		return (NULL);
	switch (f->type) {
	case API_STRING:
	case API_SECRET:
		if (!json_is_string(v))
			return ("a string is expected");
		return (put_string(f, in, json_string_value(v), json_string_length(v)));
	case API_HEX:
		if (!json_is_string(v))
			return ("a string is expected");
		return (put_hex(f, in, json_string_value(v), json_string_length(v)));
	case API_WORD:
		if (!json_is_string(v))
			return ("a string is expected");
		return (put_word(f, in, json_string_value(v)));
	case API_BOOL:
		if (!json_is_boolean(v))
			return ("true or false is expected");
		put32(in, f->offset, json_is_true(v));
		return (NULL);
	case API_U32:
	case API_U64:
		if (!json_is_integer(v) || json_integer_value(v) < 0)
			return ("a whole number is expected");
		return (put_number(f, in, (uint64_t)json_integer_value(v)));
	case API_NAMES:
		return (put_names(f, in, v));
	case API_JSON:
		return (put_object(f, in, v));
	default:
		return ("cannot be set");
	}
}

/* From the path or the query. */
static const char *
put_text(const struct api_field *f, void *in, const char *v)
{
	uint64_t n = 0;

	switch (f->type) {
	case API_STRING:
		return (put_string(f, in, v, strlen(v)));
	case API_WORD:
		return (put_word(f, in, v));
	case API_U32:
		if (*v == '\0' || strlen(v) > 9 || strspn(v, "0123456789") != strlen(v))
			return ("a whole number is expected");
		n = strtoull(v, NULL, 10);
		return (put_number(f, in, n));
	default:
		return ("cannot be set");
	}
}

static const struct api_field *
field_find(const struct api_field *list, const char *name, unsigned int where)
{
	for (; list != NULL && list->name != NULL; list++)
		if ((list->flags & (API_PATH | API_QUERY)) == where &&
		    strcmp(list->name, name) == 0)
			return (list);
	return (NULL);
}

static void
was_set(const struct api_call *call, const struct api_field *f, void *in)
{
	uint32_t set;

	if (f->bit == 0)
		return;
	memcpy(&set, (char *)in + call->set, sizeof(set));
	put32(in, call->set, set | f->bit);
}

bool
api_too_deep(const char *p, size_t len)
{
	bool string = false;
	int depth = 0;

	for (size_t i = 0; i < len; i++) {
		if (string && p[i] == '\\')
			i++;
		else if (p[i] == '"')
			string = !string;
		else if (!string && (p[i] == '{' || p[i] == '[') && ++depth > API_DEPTH)
			return (true);
		else if (!string && (p[i] == '}' || p[i] == ']'))
			depth--;
	}
	return (false);
}

/* False, and answered, at the first thing that is wrong. */
static bool
take_body(
    struct stream *s, const struct api_call *call, const char *body, size_t len, void *in)
{
	const struct api_field *f;
	const char *why, *key;
	json_t *j, *v;
	bool ok = true;

	if (api_too_deep(body, len)) {
		fault(s, 400, "VALIDATION_ERROR", "body", "body: nested too deeply");
		return (false);
	}
	j = len == 0 ? json_object() :
		       json_loadb(body, len, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(j)) {
		json_decref(j);
		fault(s, 400, "VALIDATION_ERROR", "body",
		    "body: one JSON object is expected, no key of it twice");
		return (false);
	}
	json_object_foreach(j, key, v)
	{
		f = field_find(call->in, key, 0);
		why = f == NULL ? "there is no such field" : put_json(f, in, v);
		if (why != NULL) {
			invalid(s, key, why);
			ok = false;
			break;
		}
		was_set(call, f, in);
	}
	for (f = call->in; ok && f != NULL && f->name != NULL; f++)
		if (f->flags == API_REQUIRED && json_object_get(j, f->name) == NULL) {
			invalid(s, f->name, "missing");
			ok = false;
		}
	json_decref(j);
	return (ok);
}

/* Every parameter is one that there is; values are looked at by name. */
static bool
take_query(struct stream *s, const struct api_call *call, void *in)
{
	char buf[1024], copy[2048];
	struct url_field fields[URL_FORM_MAX];
	const struct api_field *f;
	const char *why;
	ssize_t n;
	int i, nf = 0;

	if (s->query.p != NULL && s->query.len > 0) {
		if (s->query.len >= sizeof(copy)) {
			invalid(s, "query", "too long");
			return (false);
		}
		memcpy(copy, s->query.p, s->query.len);
		copy[s->query.len] = '\0';
		nf = url_form(copy, s->query.len, fields, URL_FORM_MAX);
	}
	if (nf < 0) {
		invalid(s, "query", "malformed");
		return (false);
	}
	for (i = 0; i < nf; i++)
		if (field_find(call->in, fields[i].name.p, API_QUERY) == NULL &&
		    field_find(call->in, fields[i].name.p, API_QUERY | API_REQUIRED) ==
			NULL) {
			invalid(s, "query", "there is no such parameter");
			return (false);
		}
	for (f = call->in; f != NULL && f->name != NULL; f++) {
		if ((f->flags & API_QUERY) == 0)
			continue;
		n = s->query.p == NULL ?
		    URL_ABSENT :
		    url_query(buf, sizeof(buf), s->query, slice_str(f->name));
		if (n == URL_ABSENT && (f->flags & API_REQUIRED) == 0)
			continue;
		why = n == URL_ABSENT                 ? "missing" :
		    n < 0 || (size_t)n != strlen(buf) ? "malformed" :
							put_text(f, in, buf);
		if (why != NULL) {
			invalid(s, f->name, why);
			return (false);
		}
	}
	return (true);
}

/* The part of the path that ":id" stands for; 0 does not fit, 1 fits. */
static int
path_fits(const char *pattern, const char *path, char id[64])
{
	size_t n;

	id[0] = '\0';
	for (; *pattern != '\0'; pattern++) {
		if (*pattern == ':') {
			n = strcspn(path, "/");
			if (n == 0 || n >= 64)
				return (0);
			memcpy(id, path, n);
			id[n] = '\0';
			path += n;
			pattern += strcspn(pattern, "/") - 1;
		} else if (*pattern != *path++) {
			return (0);
		}
	}
	return (*path == '\0');
}

static bool
take_path(struct stream *s, const struct api_call *call, const char *id, void *in)
{
	const struct api_field *f;
	const char *why;

	for (f = call->in; f != NULL && f->name != NULL; f++)
		if ((f->flags & API_PATH) && (why = put_text(f, in, id)) != NULL) {
			invalid(s, f->name, why);
			return (false);
		}
	return (true);
}

/* The key, and all that the call says: of a second one, auth knows the first. */
static bool
take_once(
    struct stream *s, const struct api_call *call, const char *body, size_t len, void *in)
{
	struct slice key = { NULL, 0 };
	struct wire_once once;

	for (size_t i = 0; i < s->head.nheader; i++)
		if (slice_caseeq(s->head.header[i].name, SLICE("idempotency-key")))
			key = s->head.header[i].value;
	if (key.p == NULL)
		return (true);
	if (key.len < 8 || key.len > 128) {
		invalid(s, "Idempotency-Key", "8 to 128 characters are expected");
		return (false);
	}
	if (EVP_Digest(key.p, key.len, once.key, NULL, EVP_sha256(), NULL) != 1 ||
	    EVP_Digest(body, len, once.body, NULL, EVP_sha256(), NULL) != 1)
		fatalx("SHA-256");
	memcpy((char *)in + call->once, &once, sizeof(once));
	return (true);
}

/* --- from auth's rows to JSON --- */

static json_t *
names(const char *s)
{
	json_t *list = json_array();
	size_t n;

	for (; *s != '\0'; s += s[n] == ' ' ? n + 1 : n) {
		n = strcspn(s, " ");
		json_array_append_new(list, json_stringn(s, n));
	}
	return (list);
}

static json_t *
hex(const uint8_t *p, size_t len)
{
	char text[2 * 64 + 1] = "";
	json_t *v;

	for (size_t i = 0; i < len && i < 64; i++)
		snprintf(text + 2 * i, 3, "%02x", p[i]);
	v = json_string(text);
	explicit_bzero(text, sizeof(text));
	return (v);
}

static json_t *object(const struct api_field *, const void *);

static json_t *
value(const struct api_field *f, const void *row)
{
	const char *at = (const char *)row + f->offset;
	char from[INET6_ADDRSTRLEN];
	struct wire_addr addr;
	uint64_t v = 0;
	uint32_t v32 = 0;
	json_t *j;

	switch (f->type) {
	case API_STRING:
	case API_NAMES:
	case API_JSON:
		if (memchr(at, '\0', f->size) == NULL)
			return (json_null());
		if (f->type == API_NAMES)
			return (names(at));
		if (f->type == API_STRING)
			j = json_string(at);
		else if (!json_is_object(
			     j = json_loads(at, JSON_REJECT_DUPLICATES, NULL))) {
			json_decref(j);
			j = json_object();
		}
		return (j != NULL ? j : json_string(""));
	case API_U64:
	case API_TIME:
		memcpy(&v, at, sizeof(v));
		if (v == 0 && (f->type == API_TIME || (f->flags & API_NULL)))
			return (json_null());
		return (f->type == API_TIME ? json_time((int64_t)v) :
					      json_integer((json_int_t)v));
	case API_BOOL:
	case API_U32:
	case API_WORD:
		memcpy(&v32, at, sizeof(v32));
		if (f->type == API_BOOL)
			return (json_boolean(v32 != 0));
		if (f->type == API_U32)
			return (v32 == 0 && (f->flags & API_NULL) ? json_null() :
								    json_integer(v32));
		for (uint32_t i = 0; f->words[i] != NULL; i++)
			if (i == v32)
				return (json_string(f->words[i]));
		return (json_null());
	case API_ADDRESS:
		memcpy(&addr, at, sizeof(addr));
		address_text(from, sizeof(from), &addr);
		return (json_string(from));
	case API_HEX:
		return (hex((const uint8_t *)at, f->size));
	case API_OBJECT:
		return (object(f->sub, row));
	case API_SECRET:
		break;
	}
	return (json_null());
}

static json_t *
object(const struct api_field *f, const void *row)
{
	json_t *o = json_object();

	for (; f != NULL && f->name != NULL; f++)
		json_object_set_new(o, f->name, value(f, row));
	return (o);
}

static void
going_close(struct stream *s)
{
	struct going *g = s->arg;

	auth_forget(s->w, g->question);
	json_decref(g->rows);
	free(g);
	s->arg = NULL;
}

static void
finish(struct going *g, const char *next)
{
	const struct api_call *call = g->call;
	struct stream *s = g->s;
	struct answer a;
	json_t *data;

	if (call->flags & API_LIST)
		data = json_pack("{s:O, s:s?}", "items", g->rows, "next",
		    next[0] != '\0' ? next : NULL);
	else if (call->row == M_NONE)
		data = json_null();
	else
		data = json_incref(json_array_get(g->rows, 0));
	answer_init(&a, s, ANSWER_DATA);
	respond_json(&a, call->flags & API_MADE ? 201 : 200,
	    json_pack("{s:b, s:o}", "success", 1, "data", data));
}

static void
on_message(void *arg, struct msg *m)
{
	struct going *g = arg;
	const struct m_page *page;

	if (m != NULL && m->head.type == g->call->row) {
		if (json_array_size(g->rows) < ROWS_MAX)
			json_array_append_new(g->rows, object(g->call->out, m->u.bytes));
		explicit_bzero(m->u.bytes, m->head.len);
		return;
	}
	if (m != NULL &&
	    (m->head.type == M_ROW_PROCESSES || m->head.type == M_ROW_MEMORY))
		return;
	g->question = 0;
	if (m == NULL || m->head.type == M_FAIL) {
		refused(g->s, m);
	} else if (m->head.type == M_PAGE) {
		page = MSG_DATA(m, m_page);
		finish(g, wire_str(page->next) ? page->next : "");
	} else if (m->head.type == M_OK &&
	    (g->call->row == M_NONE || (g->call->flags & API_LIST) ||
		json_array_size(g->rows) == 1)) {
		finish(g, "");
	} else {
		log_warnx("BUG: auth answers %s", msg_name(m->head.type));
		respond_error(g->s, 500, NULL);
	}
}

/* --- the way of a call --- */

static const struct api_call *const tables[] = { api_account };

/* The row that a request means; all methods of that path in *allow. */
static const struct api_call *
call_find(const struct stream *s, const char *rest, char id[64], unsigned int *allow)
{
	const struct api_call *c, *found = NULL, *literal = NULL;
	char part[64];

	*allow = 0;
	for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]); t++)
		for (c = tables[t]; c->method != 0; c++) {
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

static void
call_go(struct stream *s, const char *body, size_t len)
{
	static union {
		uint8_t bytes[MSG_PAYLOAD_MAX];
		uint64_t align;
	} in;
	const char *rest = s->path + strlen(s->route->path);
	const struct api_call *call;
	unsigned int allow;
	struct going *g;
	char id[64] = "";

	if ((call = call_find(s, rest, id, &allow)) == NULL) {
		respond_error(s, 404, NULL);
		return;
	}
	memset(&in, 0, call->size);
	/* Every request begins with a struct wire_ask. */
	strlcpy((char *)in.bytes, s->rid, WIRE_RID);
	if (!take_path(s, call, id, &in) || !take_query(s, call, &in) ||
	    !take_body(s, call, body, len, &in) ||
	    ((call->flags & API_ONCE) && !take_once(s, call, body, len, &in))) {
		explicit_bzero(&in, call->size);
		return;
	}
	if (call->fill != NULL)
		call->fill(s, &in);
	if ((g = calloc(1, sizeof(*g))) == NULL || (g->rows = json_array()) == NULL)
		fatal("calloc");
	g->s = s;
	g->call = call;
	s->arg = g;
	s->on_close = going_close;
	if ((call->flags & API_LEAVES) && s->w->bound &&
	    strcmp(id, s->w->who.session) == 0)
		logout_over(s), s->on_close = going_close;
	g->question = auth_ask(s->w, call->type, &in, call->size, on_message, g);
	explicit_bzero(&in, call->size);
	if (g->question == 0)
		respond_error(s, 503, NULL);
}

static void
call_body(struct stream *s, char *body, size_t len)
{
	struct slice type = stream_header(s, HDR_CONTENT_TYPE);

	if (len > API_BODY)
		respond_error(s, 413, NULL);
	else if (len > 0 &&
	    (type.len < 16 ||
		!slice_caseeq((struct slice){ type.p, 16 }, SLICE("application/json"))))
		respond_error(s, 415, NULL);
	else
		call_go(s, body, len);
}

static void
call_known(struct stream *s, unsigned int who)
{
	unsigned int allow;
	const struct api_call *call;
	char id[64];

	call = call_find(s, s->path + strlen(s->route->path), id, &allow);
	if (call == NULL || (who != WHO_USER && !(call->flags & API_PUBLIC))) {
		fault(s, 401, "UNAUTHORIZED", NULL, "Please log in first.");
		return;
	}
	if (call->method & R_GET)
		call_go(s, "", 0);
	else
		body_collect(s, call_body);
}

void
api_any(struct stream *s, const char *rest)
{
	const struct api_call *call;
	char id[64], list[64];
	unsigned int allow;
	struct answer a;

	call = call_find(s, rest, id, &allow);
	if (call == NULL && allow == 0) {
		fault(s, 404, "NOT_FOUND", NULL, "There is nothing here.");
	} else if (call == NULL) {
		route_allow(list, sizeof(list), allow);
		answer_init(&a, s, ANSWER_DATA);
		answer_add(&a, SLICE("allow"), slice_str(list));
		respond_error_with(&a, 405, NULL);
	} else if (call->flags & API_PUBLIC) {
		body_collect(s, call_body);
	} else {
		session_who(s, call_known);
	}
}
