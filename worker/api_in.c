/* From a request into the struct of the wire that auth is asked with: see api.h. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bsd/string.h>

#include "../privsep/audit_text.h"
#include "../privsep/log.h"
#include "api.h"
#include "routes.h"
#include "url.h"
#include "../privsep/hex.h"

/* What is wrong, with what it is to be; until the next one. */
static const char *wrong(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static const char *
wrong(const char *fmt, ...)
{
	static char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return (text);
}

static void
put32(void *in, size_t offset, uint32_t v)
{
	memcpy((char *)in + offset, &v, sizeof(v));
}

/* A query and a path are of bytes; a body was looked at as it was read. */
static const char *
text_wrong(const char *v, size_t len)
{
	json_t *utf8;

	for (size_t i = 0; i < len; i++)
		if ((unsigned char)v[i] < 0x20 || v[i] == 0x7f)
			return ("a control character");
	if ((utf8 = json_stringn(v, len)) == NULL)
		return ("this is no UTF-8");
	json_decref(utf8);
	return (NULL);
}

static const char *
put_string(const struct api_field *f, void *in, const char *v, size_t len)
{
	const char *why;

	if ((why = text_wrong(v, len)) != NULL)
		return (why);
	if (len >= f->size || (f->max != 0 && len > f->max))
		return (wrong("at most %zu bytes are expected",
		    f->max != 0 ? (size_t)f->max : f->size - 1));
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
		return (wrong("%" PRIu64 " to %" PRIu64 " is expected", f->min, f->max));
	if (f->size == sizeof(uint32_t))
		put32(in, f->offset, (uint32_t)v);
	else
		memcpy((char *)in + f->offset, &v, sizeof(v));
	return (NULL);
}

/* "a, b or c is expected" */
static const char *
expected(const char *const *words)
{
	char list[160] = "";
	size_t n = 0, i;

	for (i = words[0][0] == '\0' ? 1 : 0; words[i] != NULL && n < sizeof(list); i++)
		n += (size_t)snprintf(list + n, sizeof(list) - n, "%s%s",
		    n == 0                   ? "" :
			words[i + 1] != NULL ? ", " :
					       " or ",
		    words[i]);
	return (wrong("%s is expected", list));
}

static const char *
missing(const struct api_field *f)
{
	return (f->type == API_WORD ? expected(f->words) : "missing");
}

static const char *
put_word(const struct api_field *f, void *in, const char *v)
{
	for (uint32_t i = 0; f->words[i] != NULL; i++)
		if (f->words[i][0] != '\0' && strcmp(f->words[i], v) == 0) {
			put32(in, f->offset, i);
			return (NULL);
		}
	return (expected(f->words));
}

static const char *
put_hex(const struct api_field *f, void *in, const char *v, size_t len)
{
	if (len != 2 * f->size)
		return (wrong("%zu hexadecimal digits are expected", 2 * f->size));
	if (!hex_get((uint8_t *)in + f->offset, f->size, v))
		return (wrong("%zu digits of 0-9 and a-f are expected", 2 * f->size));
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
		if (text_wrong(json_string_value(e), json_string_length(e)) != NULL)
			return ("a control character");
		if (strlcat(to, i > 0 ? " " : "", f->size) >= f->size ||
		    strlcat(to, json_string_value(e), f->size) >= f->size)
			return (wrong("at most %zu bytes with a space between them are "
				      "expected",
			    f->size - 1));
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
		why = wrong("at most %zu bytes of JSON are expected", f->size - 1);
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

static const char *
put_when(const struct api_field *f, void *in, const char *v)
{
	struct timespec now;
	int64_t ms;

	clock_gettime(CLOCK_REALTIME, &now);
	if (!audit_when(v, (int64_t)now.tv_sec * 1000, &ms))
		return ("a time is 2026-01-31, 2026-01-31T12:00:00Z, or 2h, 7d and so on "
			"ago");
	memcpy((char *)in + f->offset, &ms, sizeof(ms));
	return (NULL);
}

/* From the path or the query. */
static const char *
put_text(const struct api_field *f, void *in, const char *v)
{
	const char *why;

	if ((why = text_wrong(v, strlen(v))) != NULL)
		return (why);
	switch (f->type) {
	case API_STRING:
		return (put_string(f, in, v, strlen(v)));
	case API_WORD:
		return (put_word(f, in, v));
	case API_U32:
		if (*v == '\0' || strlen(v) > 10 || strspn(v, "0123456789") != strlen(v))
			return ("a whole number is expected");
		return (put_number(f, in, strtoull(v, NULL, 10)));
	case API_WHEN:
		return (put_when(f, in, v));
	default:
		return ("cannot be set");
	}
}

const struct api_field *
api_field_find(const struct api_field *list, const char *name, unsigned int where)
{
	for (; list != NULL && list->name != NULL; list++)
		if ((list->flags & (API_PATH | API_QUERY)) == where &&
		    strcmp(list->name, name) == 0)
			return (list);
	return (NULL);
}

/* What there is, as one may have meant that. */
static const char *
unknown(const struct api_field *list, unsigned int where)
{
	char names[160] = "";
	size_t n = 0;

	for (; list != NULL && list->name != NULL && n < sizeof(names); list++)
		if ((list->flags & (API_PATH | API_QUERY)) == where)
			n += (size_t)snprintf(names + n, sizeof(names) - n, "%s%s",
			    n == 0 ? "" : ", ", list->name);
	return (wrong("there is no such %s%s%s%s", where == 0 ? "field" : "parameter",
	    n == 0 ? "" : " (there is ", names, n == 0 ? "" : ")"));
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

/* Levels of a text that may hold more than a parser should try. */
static bool
too_deep(const char *p, size_t len)
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

json_t *
api_object(struct stream *s, const char *body, size_t len)
{
	json_error_t err;
	json_t *j;

	if (too_deep(body, len)) {
		api_fault(s, 400, "VALIDATION_ERROR", "body", "body: nested too deeply");
		return (NULL);
	}
	j = len == 0 ? json_object() :
		       json_loadb(body, len, JSON_REJECT_DUPLICATES, &err);
	if (json_is_object(j))
		return (j);
	if (j == NULL && json_error_code(&err) == json_error_invalid_utf8)
		api_invalid(s, "body", "this is no UTF-8");
	else if (j == NULL && json_error_code(&err) == json_error_duplicate_key)
		api_invalid(s, "body", "a key comes twice");
	else if (j == NULL)
		api_invalid(s, "body",
		    wrong("one JSON object is expected; line %d, column %d is none",
			err.line, err.column));
	else
		api_invalid(s, "body", "one JSON object is expected");
	json_decref(j);
	return (NULL);
}

bool
api_body(
    struct stream *s, const struct api_call *call, const char *body, size_t len, void *in)
{
	const struct api_field *f;
	const char *why, *key;
	bool ok = true;
	json_t *j, *v;

	if ((j = api_object(s, body, len)) == NULL)
		return (false);
	json_object_foreach(j, key, v)
	{
		/* Whether it must be there has no part in finding it. */
		f = api_field_find(call->in, key, 0);
		why = f == NULL ? unknown(call->in, 0) : put_json(f, in, v);
		if (why != NULL) {
			api_invalid(s, key, why);
			ok = false;
			break;
		}
		was_set(call, f, in);
	}
	for (f = call->in; ok && f != NULL && f->name != NULL; f++)
		if ((f->flags & (API_REQUIRED | API_PATH | API_QUERY)) == API_REQUIRED &&
		    json_object_get(j, f->name) == NULL) {
			api_invalid(s, f->name, missing(f));
			ok = false;
		}
	json_decref(j);
	return (ok);
}

/* Is every parameter one that there is?  Values are looked at by name. */
static bool
query_known(struct stream *s, const struct api_call *call)
{
	struct url_field fields[URL_FORM_MAX];
	char copy[2048];
	int i, n;

	if (s->query.p == NULL || s->query.len == 0)
		return (true);
	if (s->query.len >= sizeof(copy)) {
		api_invalid(s, "query", "too long");
		return (false);
	}
	memcpy(copy, s->query.p, s->query.len);
	copy[s->query.len] = '\0';
	if ((n = url_form(copy, s->query.len, fields, URL_FORM_MAX)) < 0) {
		api_invalid(s, "query", "malformed");
		return (false);
	}
	for (i = 0; i < n; i++)
		if (api_field_find(call->in, fields[i].name.p, API_QUERY) == NULL) {
			api_invalid(s, fields[i].name.p, unknown(call->in, API_QUERY));
			return (false);
		}
	return (true);
}

bool
api_query(struct stream *s, const struct api_call *call, void *in)
{
	const struct api_field *f;
	const char *why;
	char buf[1024];
	ssize_t n;

	for (f = call->in; f != NULL && f->name != NULL; f++) {
		if ((f->flags & API_QUERY) == 0)
			continue;
		n = s->query.p == NULL ?
		    URL_ABSENT :
		    url_query(buf, sizeof(buf), s->query, slice_str(f->name));
		if (n == URL_ABSENT && (f->flags & API_REQUIRED) == 0)
			continue;
		why = n == URL_ABSENT ? missing(f) :
		    n < 0 || (size_t)n != strlen(buf) ?
					"malformed, given twice or too long" :
					put_text(f, in, buf);
		if (why != NULL) {
			api_invalid(s, f->name, why);
			return (false);
		}
	}
	return (query_known(s, call));
}

bool
api_path(struct stream *s, const struct api_call *call, const char *id, void *in)
{
	const struct api_field *f;
	const char *why;

	for (f = call->in; f != NULL && f->name != NULL; f++)
		if ((f->flags & API_PATH) && (why = put_text(f, in, id)) != NULL) {
			api_invalid(s, f->name, why);
			return (false);
		}
	return (true);
}
