/* From auth's rows to JSON: see api.h. */
#include <netinet/in.h>

#include <stdio.h>
#include <string.h>

#include "../privsep/token_text.h"
#include "api.h"
#include "respond.h"
#include "../privsep/hex.h"

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
	char text[2 * 64 + 1];
	json_t *v;

	hex_put(text, p, len < 64 ? len : 64);
	v = json_string(text);
	explicit_bzero(text, sizeof(text));
	return (v);
}

static json_t *
token(const char *at)
{
	static const uint8_t none[WIRE_TOKEN];
	char text[TOKEN_TEXT + 1];
	json_t *v;

	if (memcmp(at, none, sizeof(none)) == 0)
		return (json_null());
	token_text((const uint8_t *)at, text);
	v = json_string(text);
	explicit_bzero(text, sizeof(text));
	return (v);
}

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
		if (memchr(at, '\0', f->size) == NULL ||
		    (*at == '\0' && (f->flags & API_NULL)))
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
	case API_I64:
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
		if (v32 == 0 && (f->flags & API_NULL))
			return (json_null());
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
		return (api_row(f->sub, row));
	case API_TOKEN:
		return (token(at));
	case API_ROWS:
		return (json_array());
	case API_SECRET:
	case API_WHEN:
		break;
	}
	return (json_null());
}

json_t *
api_row(const struct api_field *f, const void *row)
{
	json_t *o = json_object();

	for (; f != NULL && f->name != NULL; f++)
		json_object_set_new(o, f->name, value(f, row));
	return (o);
}
