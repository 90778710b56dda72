/* /api/openapi.json: OpenAPI 3.1, made from the tables of api.h. */
#include <stdio.h>
#include <string.h>

#include "../privsep/permission.h"
#include "api.h"
#include "respond.h"
#include "routes.h"

static json_t *schema(const struct api_field *, bool);

/* A type, which null may stand for as well. */
static json_t *
typed(const char *name, bool null)
{
	return (null ? json_pack("{s:[s,s]}", "type", name, "null") :
		       json_pack("{s:s}", "type", name));
}

static json_t *
with(json_t *o, const char *name, uint64_t v)
{
	json_object_set_new(o, name, json_integer((json_int_t)v));
	return (o);
}

static json_t *
type_of(const struct api_field *f, bool in)
{
	bool null = (f->flags & API_NULL) != 0;
	json_t *o, *words;

	switch (f->type) {
	case API_STRING:
	case API_SECRET:
		o = with(typed("string", null), "maxLength",
		    f->max != 0 ? f->max : f->size - 1);
		return (with(o, "minLength", f->min));
	case API_HEX:
		return (json_pack("{s:s, s:s, s:i, s:i}", "type", "string", "pattern",
		    "^[0-9a-f]+$", "minLength", (int)(2 * f->size), "maxLength",
		    (int)(2 * f->size)));
	case API_NAMES:
		return (json_pack(
		    "{s:s, s:{s:s}}", "type", "array", "items", "type", "string"));
	case API_ROWS:
		return (json_pack(
		    "{s:s, s:o}", "type", "array", "items", schema(f->sub, in)));
	case API_JSON:
		return (typed("object", null));
	case API_BOOL:
		return (typed("boolean", null));
	case API_I64:
		return (typed("integer", null));
	case API_U32:
	case API_U64:
		o = with(typed("integer", null), "minimum", in ? f->min : 0);
		return (in && f->max > 0 ? with(o, "maximum", f->max) : o);
	case API_TIME:
		return (json_pack(
		    "{s:[s,s], s:s}", "type", "string", "null", "format", "date-time"));
	case API_WORD:
		words = json_array();
		for (size_t i = 0; f->words[i] != NULL; i++)
			if (f->words[i][0] != '\0')
				json_array_append_new(words, json_string(f->words[i]));
		if (f->flags & API_NULL) {
			json_array_append_new(words, json_null());
			return (json_pack(
			    "{s:[s,s], s:o}", "type", "string", "null", "enum", words));
		}
		return (json_pack("{s:s, s:o}", "type", "string", "enum", words));
	case API_TOKEN:
		return (json_pack("{s:[s,s], s:s}", "type", "string", "null", "pattern",
		    "^ided_[0-9A-Za-z]{49}$"));
	case API_WHEN:
	case API_ADDRESS:
		return (typed("string", null));
	case API_OBJECT:
		return (schema(f->sub, in));
	}
	return (json_object());
}

/* What is in the body, or in an answer. */
static json_t *
schema(const struct api_field *f, bool in)
{
	json_t *props = json_object(), *required = json_array();

	for (; f != NULL && f->name != NULL; f++) {
		if (f->flags & (API_PATH | API_QUERY))
			continue;
		json_object_set_new(props, f->name, type_of(f, in));
		if (in ? f->flags & API_REQUIRED : !(f->flags & API_MAYBE))
			json_array_append_new(required, json_string(f->name));
	}
	return (json_pack("{s:s, s:o, s:o, s:b}", "type", "object", "properties", props,
	    "required", required, "additionalProperties", 0));
}

static json_t *
parameters(const struct api_call *c)
{
	const struct api_field *f;
	json_t *list = json_array();

	for (f = c->in; f != NULL && f->name != NULL; f++)
		if (f->flags & (API_PATH | API_QUERY))
			json_array_append_new(list,
			    json_pack("{s:s, s:s, s:b, s:o}", "name", f->name, "in",
				f->flags & API_PATH ? "path" : "query", "required",
				(f->flags & API_REQUIRED) != 0, "schema",
				type_of(f, true)));
	if (c->flags & API_ONCE)
		json_array_append_new(list,
		    json_pack("{s:s, s:s, s:b, s:{s:s, s:i, s:i}}", "name",
			"Idempotency-Key", "in", "header", "required", 0, "schema",
			"type", "string", "minLength", 8, "maxLength", 128));
	return (list);
}

/* {"media type": {"schema": …}} */
static json_t *
content(const char *type, json_t *what)
{
	return (json_pack("{s:{s:o}}", type, "schema", what));
}

/* The data of an answer. */
static json_t *
data_of(const struct api_call *c)
{
	json_t *page, *items;

	if (c->flags & API_FREE)
		return (typed("object", false));
	if (c->out == NULL)
		return (typed("null", false));
	if ((c->flags & API_LIST) == 0)
		return (schema(c->out, false));
	page = schema(c->page_out != NULL ? c->page_out : api_page, false);
	items = json_pack("{s:s, s:o}", "type", "array", "items", schema(c->out, false));
	json_object_set_new(json_object_get(page, "properties"), "items", items);
	json_array_append_new(json_object_get(page, "required"), json_string("items"));
	return (page);
}

static json_t *
answers(const struct api_call *c)
{
	json_t *ok = data_of(c), *all, *types;

	if ((c->flags & API_BARE) == 0)
		ok = json_pack("{s:s, s:{s:{s:b}, s:o}, s:[s,s], s:b}", "type", "object",
		    "properties", "success", "const", 1, "data", ok, "required",
		    "success", "data", "additionalProperties", 0);
	types = content("application/json", ok);
	if (c->text != NULL)
		json_object_update_new(
		    types, content(c->text->type, typed("string", false)));
	all = json_pack("{s:{s:s, s:o}, s:{s:s}}", c->flags & API_MADE ? "201" : "200",
	    "description", "done", "content", types, "default", "$ref",
	    "#/components/responses/Error");
	if (c->flags & API_FORM)
		json_object_set_new(
		    all, "303", json_pack("{s:s}", "description", "done; on to a page"));
	return (all);
}

static json_t *
body_of(const struct api_call *c)
{
	json_t *what = c->flags & API_FREE ? typed("object", false) : schema(c->in, true);
	json_t *types = content("application/json", what);

	if (c->flags & API_FORM)
		json_object_set(types, "application/x-www-form-urlencoded",
		    json_object_get(types, "application/json"));
	return (json_pack("{s:b, s:o}", "required",
	    json_array_size(json_object_get(what, "required")) > 0, "content", types));
}

/* By which credentials, and with what permission. */
static json_t *
security(const struct api_call *c)
{
	const struct access_row *row = access_row(c->type);
	json_t *names = json_array(), *list;

	if (c->flags & API_PUBLIC)
		return (names);
	if (row != NULL && row->permission != PERMISSION_NOBODY)
		json_array_append_new(
		    names, json_string(permission_table[row->permission].name));
	list = json_pack("[{s:O},{s:O}]", "cookie", names, "bearer", names);
	json_decref(names);
	return (list);
}

static json_t *
operation(const struct api_call *c)
{
	json_t *o = json_pack("{s:s, s:o, s:o}", "summary", c->what, "parameters",
	    parameters(c), "responses", answers(c));

	if ((c->method & R_GET) == 0)
		json_object_set_new(o, "requestBody", body_of(c));
	json_object_set_new(o, "security", security(c));
	return (o);
}

/* "users/:id" is "/api/users/{id}". */
static void
path_name(const char *path, char *out, size_t size)
{
	const char *colon = strchr(path, ':');
	size_t n = colon != NULL ? strcspn(colon + 1, "/") : 0;

	if (colon == NULL)
		snprintf(out, size, "/api/%s", path);
	else
		snprintf(out, size, "/api/%.*s{%.*s}%s", (int)(colon - path), path,
		    (int)n, colon + 1, colon + 1 + n);
}

static void
add(json_t *paths, const struct api_call *c)
{
	static const struct {
		unsigned int method;
		const char *name;
	} methods[] = { { M_BIT(METHOD_GET), "get" }, { M_BIT(METHOD_POST), "post" },
		{ M_BIT(METHOD_PUT), "put" }, { M_BIT(METHOD_PATCH), "patch" },
		{ M_BIT(METHOD_DELETE), "delete" } };
	char name[128];
	json_t *item;

	path_name(c->path, name, sizeof(name));
	if ((item = json_object_get(paths, name)) == NULL) {
		item = json_object();
		json_object_set_new(paths, name, item);
	}
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (c->method & methods[i].method)
			json_object_set_new(item, methods[i].name, operation(c));
}

/* Every error of the API; a browser that asks for pages has most of them as one. */
static json_t *
error(void)
{
	json_t *codes = json_pack("[s,s,s,s,s,s,s,s,s,s,s,s,s]", "VALIDATION_ERROR",
	    "UNAUTHORIZED", "FORBIDDEN", "NOT_FOUND", "CONFLICT", "PAYLOAD_TOO_LARGE",
	    "RATE_LIMITED", "INTERNAL_SERVER_ERROR", "SESSION_UNAVAILABLE",
	    "METHOD_NOT_ALLOWED", "NOT_ACCEPTABLE", "REQUEST_TIMEOUT",
	    "MISDIRECTED_REQUEST");
	json_t *details = json_pack("{s:s, s:{s:{s:s}}, s:b}", "type", "object",
	    "properties", "field", "type", "string", "additionalProperties", 0);
	json_t *what = json_pack("{s:s, s:{s:{s:s}, s:{s:s, s:o}, s:o}, s:[s,s,s], s:b}",
	    "type", "object", "properties", "message", "type", "string", "code", "type",
	    "string", "enum", codes, "details", details, "required", "message", "code",
	    "details", "additionalProperties", 0);
	json_t *types = content("application/json",
	    json_pack("{s:s, s:{s:{s:b}, s:o}, s:[s,s], s:b}", "type", "object",
		"properties", "success", "const", 0, "error", what, "required", "success",
		"error", "additionalProperties", 0));

	json_object_update_new(types, content("text/html", typed("string", false)));
	return (
	    json_pack("{s:s, s:o}", "description", "what is wrong", "content", types));
}

void
api_openapi(struct stream *s, char *body, size_t len)
{
	json_t *paths = json_object();
	struct answer a;

	(void)body;
	(void)len;
	for (size_t t = 0; api_tables[t] != NULL; t++)
		for (const struct api_call *c = api_tables[t]; c->method != 0; c++)
			add(paths, c);
	answer_init(&a, s, ANSWER_DATA);
	respond_json(&a, 200,
	    json_pack("{s:s, s:[{s:s+}], s:{s:s, s:s}, s:o, "
		      "s:{s:{s:{s:s, s:s, s:s}, s:{s:s, s:s}}, s:{s:o}}}",
		"openapi", "3.1.0", "servers", "url", site_base(s->w), "/", "info",
		"title", "ided", "version", VERSION, "paths", paths, "components",
		"securitySchemes", "cookie", "type", "apiKey", "in", "cookie", "name",
		"__Host-ided", "bearer", "type", "http", "scheme", "bearer", "responses",
		"Error", error()));
}
