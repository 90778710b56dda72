/*
 * Output.  Every row becomes a JSON object first; the table for people is made
 * from the same objects, so that both show the same.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bsd/string.h>
#include <jansson.h>

#include "../../privsep/log.h"
#include "rows.h"

#define CELL    320
#define COLUMNS 32

static json_t *rows;

void
print_row(const struct msg *m)
{
	json_t *o = row_of(m);

	if (o == NULL)
		return;
	/* An error of the configuration: at once, and not as a result. */
	if (m->head.type == M_ROW_TEXT && !json) {
		fprintf(stderr, "idectl: %s\n",
		    json_string_value(json_object_get(o, "text")));
		json_decref(o);
		return;
	}
	if (rows == NULL)
		rows = json_array();
	if (json_array_append_new(rows, o) == -1)
		die("out of memory");
}

static bool
is_time(const char *key)
{
	static const char *const keys[] = { "created", "updated", "last_login",
		"password_changed", "seen", "expires", "started", "at", "storage_at" };
	size_t i;

	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strcmp(key, keys[i]) == 0)
			return true;
	return false;
}

static bool
is_bytes(const char *key)
{
	static const char *const keys[] = { "memory", "memory_max", "grown", "received",
		"sent", "storage", "storage_max" };
	size_t i;

	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strcmp(key, keys[i]) == 0)
			return true;
	return false;
}

static void
joined(char buf[CELL], const json_t *list)
{
	const json_t *v;
	size_t i;

	json_array_foreach(list, i, v)
	{
		strlcat(buf, i > 0 ? "," : "", CELL);
		strlcat(buf, json_string_value(v), CELL);
	}
}

static void
cell(char buf[CELL], const char *key, const json_t *v)
{
	struct tm tm;
	time_t t;

	buf[0] = '\0';
	if (json_is_array(v) && json_is_string(json_array_get(v, 0)))
		joined(buf, v);
	else if (json_is_string(v))
		log_escape(buf, CELL, json_string_value(v));
	else if (json_is_boolean(v))
		snprintf(buf, CELL, "%s", json_is_true(v) ? "yes" : "no");
	else if (is_time(key) && json_integer_value(v) > 0) {
		t = (time_t)json_integer_value(v);
		if (localtime_r(&t, &tm) != NULL)
			strftime(buf, CELL, "%Y-%m-%d %H:%M:%S", &tm);
	} else if (!is_time(key) && is_bytes(key))
		snprintf(buf, CELL, "%" PRId64 "M", (int64_t)json_integer_value(v) >> 20);
	else if (!is_time(key))
		snprintf(buf, CELL, "%" PRId64, (int64_t)json_integer_value(v));
	if (buf[0] == '\0')
		snprintf(buf, CELL, "-");
}

/* What has parts of its own has no place in a line. */
static bool
is_nested(const json_t *v)
{
	return json_is_object(v) ||
	    (json_is_array(v) && !json_is_string(json_array_get(v, 0)));
}

static void
print_cells(const json_t *o, const size_t width[COLUMNS], bool names)
{
	size_t col = 0, last = 0;
	char buf[CELL];
	const char *key;
	json_t *v, *row = json_object();

	json_object_foreach((json_t *)(uintptr_t)o, key, v) if (!is_nested(v))
	    json_object_set(row, key, v);
	last = json_object_size(row) - 1;
	json_object_foreach(row, key, v)
	{
		if (names)
			strlcpy(buf, key, sizeof(buf));
		else
			cell(buf, key, v);
		printf("%-*s%s", col == last ? 0 : (int)width[col], buf,
		    col == last ? "\n" : "  ");
		col++;
	}
	json_decref(row);
}

/* A line per row, the columns as wide as they need; the last one is not padded. */
static void
print_list(const json_t *list)
{
	size_t i, col, width[COLUMNS] = { 0 };
	char buf[CELL];
	const char *key;
	json_t *o, *v;

	if (json_object_size(json_array_get(list, 0)) > COLUMNS)
		die("too many columns");
	json_array_foreach(list, i, o)
	{
		col = 0;
		json_object_foreach(o, key, v)
		{
			if (is_nested(v))
				continue;
			cell(buf, key, v);
			if (strlen(key) > width[col])
				width[col] = strlen(key);
			if (strlen(buf) > width[col])
				width[col] = strlen(buf);
			col++;
		}
	}
	print_cells(json_array_get(list, 0), width, true);
	json_array_foreach(list, i, o) print_cells(o, width, false);
}

static void
print_lines(json_t *o, bool parts)
{
	char buf[CELL], *text;
	const char *key;
	json_t *v;

	json_object_foreach(o, key, v)
	{
		if (!is_nested(v)) {
			cell(buf, key, v);
			printf("%-16s %s\n", key, buf);
		} else if (parts) {
			if ((text = json_dumps(v, JSON_COMPACT)) == NULL)
				die("out of memory");
			log_escape(buf, sizeof(buf), text);
			printf("%-16s %s\n", key, buf);
			free(text);
		}
	}
}

static bool
is_empty(const json_t *v)
{
	return json_is_array(v) ? json_array_size(v) == 0 : json_object_size(v) == 0;
}

static void
print_one(void)
{
	json_t *v, *o = json_array_get(rows, 0);
	const char *key;

	print_lines(o, false);
	json_object_foreach(o, key, v)
	{
		if (!is_nested(v) || is_empty(v))
			continue;
		printf("\n%s\n", key);
		if (json_is_array(v))
			print_list(v);
		else
			print_lines(v, true);
	}
}

static void
print_json(json_t *v, FILE *to)
{
	if (json_dumpf(v, to, JSON_INDENT(2) | JSON_PRESERVE_ORDER) == -1)
		die("output failed");
	fputc('\n', to);
}

void
print_end(enum shape shape, const char *text)
{
	json_t *o;

	if (rows == NULL)
		rows = json_array();
	if (json && shape == SHAPE_LIST) {
		print_json(rows, stdout);
	} else if (json && shape == SHAPE_ONE) {
		print_json(json_array_get(rows, 0), stdout);
	} else if (json) {
		o = json_object();
		set(o, "success", json_true());
		set(o, "message", string(text, WIRE_TEXT));
		print_json(o, stdout);
		json_decref(o);
	} else if (shape == SHAPE_LIST && json_array_size(rows) > 0) {
		print_list(rows);
	} else if (shape == SHAPE_ONE && json_array_size(rows) > 0) {
		print_one();
	}
	if (!json && text[0] != '\0')
		printf("%s\n", text);
	json_decref(rows);
	rows = NULL;
	if (fflush(stdout) == EOF)
		die("output failed");
}

void
print_fail(const struct m_fail *f)
{
	static const char *const codes[] = { "UNKNOWN", "INTERNAL", "BUSY", "TIMEOUT",
		"NOT_FOUND", "EXISTS", "INVALID", "DENIED", "NO_SPACE", "UNAVAILABLE",
		"MUST_CHANGE", "CHANGED", "LIMITED" };
	json_t *o, *e;

	if (!json) {
		fprintf(stderr, "idectl: %.*s\n", (int)sizeof(f->text), f->text);
		return;
	}
	o = json_object();
	e = json_object();
	set(e, "code",
	    json_string(codes[f->code < sizeof(codes) / sizeof(codes[0]) ? f->code : 0]));
	set(e, "message", STR(f->text));
	if (rows != NULL)
		set(e, "details", json_incref(rows));
	set(o, "success", json_false());
	set(o, "error", e);
	print_json(o, stderr);
	json_decref(o);
}
