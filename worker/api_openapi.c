/* /api/openapi.json: OpenAPI 3.1, made from the tables of api.h. */
#include <stdio.h>
#include <string.h>

#include "api.h"
#include "respond.h"
#include "routes.h"

static json_t *schema(const struct api_field *, bool);

static json_t *
type_of(const struct api_field *f, bool in)
{
	const char *null = in && (f->flags & API_NULL) == 0 ? NULL : "null";
	json_t *o, *words;

	switch (f->type) {
	case API_STRING:
	case API_SECRET:
		return (json_pack("{s:s, s:i, s:i}", "type", "string", "maxLength",
		    (int)f->size - 1, "minLength", (int)f->min));
	case API_HEX:
		o = json_pack("{s:s, s:s, s:i, s:i}", "type", "string", "pattern",
		    "^[0-9a-f]+$", "minLength", (int)(2 * f->size), "maxLength",
		    (int)(2 * f->size));
		return (o);
	case API_NAMES:
		return (json_pack(
		    "{s:s, s:{s:s}}", "type", "array", "items", "type", "string"));
	case API_JSON:
		return (json_pack("{s:s}", "type", "object"));
	case API_BOOL:
		return (json_pack("{s:s}", "type", "boolean"));
	case API_U32:
	case API_U64:
		o = f->flags & API_NULL ?
		    json_pack("{s:[s,s]}", "type", "integer", "null") :
		    json_pack("{s:s}", "type", "integer");
		json_object_set_new(
		    o, "minimum", json_integer(in ? (json_int_t)f->min : 0));
		if (in && f->max > 0)
			json_object_set_new(
			    o, "maximum", json_integer((json_int_t)f->max));
		return (o);
	case API_TIME:
		return (json_pack(
		    "{s:[s,s], s:s}", "type", "string", null, "format", "date-time"));
	case API_WORD:
		words = json_array();
		for (size_t i = 0; f->words[i] != NULL; i++)
			if (f->words[i][0] != '\0')
				json_array_append_new(words, json_string(f->words[i]));
		return (json_pack("{s:s, s:o}", "type", "string", "enum", words));
	case API_ADDRESS:
		return (json_pack("{s:s}", "type", "string"));
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
		if (!in || (f->flags & API_REQUIRED))
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

static json_t *
answers(const struct api_call *c)
{
	json_t *data, *ok;

	if (c->flags & API_LIST)
		data = json_pack("{s:s, s:{s:{s:s, s:o}, s:{s:[s,s]}}, s:[s,s], s:b}",
		    "type", "object", "properties", "items", "type", "array", "items",
		    schema(c->out, false), "next", "type", "string", "null", "required",
		    "items", "next", "additionalProperties", 0);
	else if (c->row == M_NONE)
		data = json_pack("{s:s}", "type", "null");
	else
		data = schema(c->out, false);
	ok = json_pack("{s:s, s:{s:{s:{s:s, s:{s:{s:b}, s:o}, s:[s,s], s:b}}}}",
	    "description", "done", "content", "application/json", "schema", "type",
	    "object", "properties", "success", "const", 1, "data", data, "required",
	    "success", "data", "additionalProperties", 0);
	return (json_pack("{s:o, s:{s:s}}", c->flags & API_MADE ? "201" : "200", ok,
	    "default", "$ref", "#/components/responses/Error"));
}

static json_t *
operation(const struct api_call *c)
{
	json_t *o = json_pack("{s:s, s:o, s:o}", "summary", msg_name(c->type),
	    "parameters", parameters(c), "responses", answers(c));

	if ((c->method & R_GET) == 0)
		json_object_set_new(o, "requestBody",
		    json_pack("{s:b, s:{s:{s:o}}}", "required", 0, "content",
			"application/json", "schema", schema(c->in, true)));
	if (c->flags & API_PUBLIC)
		json_object_set_new(o, "security", json_array());
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

void
api_openapi(struct stream *s, const char *rest)
{
	static const struct {
		unsigned int method;
		const char *name;
	} methods[] = { { M_BIT(METHOD_GET), "get" }, { M_BIT(METHOD_POST), "post" },
		{ M_BIT(METHOD_PUT), "put" }, { M_BIT(METHOD_PATCH), "patch" },
		{ M_BIT(METHOD_DELETE), "delete" } };
	json_t *paths = json_object(), *item;
	const struct api_call *c;
	struct answer a;
	char name[128];

	(void)rest;
	for (c = api_account; c->method != 0; c++) {
		path_name(c->path, name, sizeof(name));
		if ((item = json_object_get(paths, name)) == NULL) {
			item = json_object();
			json_object_set_new(paths, name, item);
		}
		for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
			if (c->method & methods[i].method)
				json_object_set_new(item, methods[i].name, operation(c));
	}
	answer_init(&a, s, ANSWER_DATA);
	respond_json(&a, 200,
	    json_pack("{s:s, s:[{s:s+}], s:{s:s, s:s}, s:[{s:[]},{s:[]}], s:o, "
		      "s:{s:{s:{s:s, s:s, s:s}, s:{s:s, s:s}}, "
		      "s:{s:{s:s, s:{s:{s:{s:s, s:[s,s], s:{s:{s:b}, s:{s:s, s:[s,s,s], "
		      "s:{s:{s:s}, s:{s:s}, s:{s:s}}}}}}}}}}}",
		"openapi", "3.1.0", "servers", "url", site_base(s->w), "/", "info",
		"title", "ided", "version", VERSION, "security", "cookie", "bearer",
		"paths", paths, "components", "securitySchemes", "cookie", "type",
		"apiKey", "in", "cookie", "name", "__Host-ided", "bearer", "type", "http",
		"scheme", "bearer", "responses", "Error", "description", "what is wrong",
		"content", "application/json", "schema", "type", "object", "required",
		"success", "error", "properties", "success", "const", 0, "error", "type",
		"object", "required", "message", "code", "details", "properties",
		"message", "type", "string", "code", "type", "string", "details", "type",
		"object"));
}
