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

#include "../../privsep/addr_text.h"
#include "../../privsep/log.h"
#include "../../privsep/memory_text.h"
#include "idectl.h"
#include "print.h"
#include "../../privsep/hex.h"

#define CELL    320
#define COLUMNS 32

static json_t *rows;

void
set(json_t *o, const char *key, json_t *v)
{
	if (json_object_set_new(o, key, v) == -1)
		die("out of memory");
}

/* Bytes from elsewhere: what is no UTF-8 is escaped. */
json_t *
string(const char *s, size_t size)
{
	char safe[WIRE_LOG], esc[4 * WIRE_LOG];
	json_t *v;

	snprintf(safe, sizeof(safe), "%.*s", (int)strnlen(s, size), s);
	if ((v = json_string(safe)) == NULL) {
		log_escape(esc, sizeof(esc), safe);
		v = json_string(esc);
	}
	return v;
}

static json_t *
source(const struct wire_addr *a)
{
	char buf[INET6_ADDRSTRLEN];

	return json_string(addr_text(a, buf));
}

/* The list that stands in a string, a space between its names. */
json_t *
names(const char *s, size_t size)
{
	char text[WIRE_PERMITS], *at = text, *name;
	json_t *list = json_array();

	snprintf(text, sizeof(text), "%.*s", (int)strnlen(s, size), s);
	while ((name = strsep(&at, " ")) != NULL)
		if (*name != '\0')
			json_array_append_new(list, string(name, strlen(name) + 1));
	return list;
}

static const char *
state_name(uint32_t state)
{
	return state == ACCOUNT_ACTIVE ? "active" :
	    state == ACCOUNT_PENDING   ? "pending" :
					 "disabled";
}

static json_t *
limits(const struct wire_limits *l)
{
	json_t *o = json_object();

	set(o, "memory", json_integer((json_int_t)l->memory));
	set(o, "storage", json_integer((json_int_t)l->storage));
	set(o, "files", json_integer((json_int_t)l->files));
	set(o, "cpu", json_integer(l->cpu));
	set(o, "processes", json_integer(l->processes));
	set(o, "sessions", json_integer(l->sessions));
	return o;
}

/* What is none any more is shown as an empty one, as the API does. */
static json_t *
metadata(const char *s, size_t size)
{
	json_t *o = json_loadb(s, strnlen(s, size), JSON_REJECT_DUPLICATES, NULL);

	if (json_is_object(o))
		return o;
	json_decref(o);
	return json_object();
}

static json_t *
row_account(const struct m_account *u)
{
	json_t *o = json_object(), *roles = names(u->roles, sizeof(u->roles));

	set(o, "name", STR(u->name));
	set(o, "uid", json_integer(u->uid));
	set(o, "role", json_incref(json_array_get(roles, 0)));
	set(o, "roles", roles);
	set(o, "active", json_boolean(u->state == ACCOUNT_ACTIVE));
	set(o, "state", json_string(state_name(u->state)));
	set(o, "email", STR(u->email));
	set(o, "display", STR(u->display));
	set(o, "sessions", json_integer(u->sessions));
	set(o, "must_change", json_boolean(u->must_change));
	set(o, "created", json_integer(u->created));
	set(o, "updated", json_integer(u->updated));
	set(o, "last_login", json_integer(u->last_login));
	set(o, "password_changed", json_integer(u->password_at));
	set(o, "reset_pending", json_boolean(u->reset));
	set(o, "version", json_integer(u->version));
	set(o, "metadata", metadata(u->metadata, sizeof(u->metadata)));
	set(o, "limits", limits(&u->limits));
	return o;
}

static json_t *
row_role(const struct m_role *r)
{
	json_t *o = json_object();

	set(o, "role", STR(r->name));
	set(o, "builtin", json_boolean(r->builtin));
	set(o, "permits", names(r->permits, sizeof(r->permits)));
	return o;
}

/* As the API gives it; for people, the rest of the address of the site. */
static json_t *
row_reset(const struct m_reset *r)
{
	char hex[2 * WIRE_RESET + 1], link[sizeof(hex) + 32];
	json_t *o = json_object();

	hex_put(hex, r->token, WIRE_RESET);
	snprintf(link, sizeof(link), "/reset?token=%s", hex);
	set(o, "name", STR(r->name));
	set(o, "link", json_string(link));
	set(o, "expires", json_integer(r->expires));
	return o;
}

static json_t *
row_deleted(const struct m_account_deleted *d)
{
	json_t *o = json_object();

	set(o, "name", STR(d->name));
	set(o, "uid", json_integer(d->uid));
	set(o, "workspace",
	    json_string(d->workspace == WORKSPACE_REMOVE ? "removed" : "kept"));
	set(o, "path", STR(d->path));
	return o;
}

static json_t *
row_session(const struct m_session *s)
{
	json_t *o = json_object();

	set(o, "session", STR(s->session));
	set(o, "user", STR(s->user));
	set(o, "source", source(&s->source));
	set(o, "connections", json_integer(s->connections));
	set(o, "created", json_integer(s->created));
	set(o, "seen", json_integer(s->seen));
	set(o, "expires", json_integer(s->expires));
	set(o, "agent", STR(s->agent));
	return o;
}

static json_t *
row_sandbox(const struct m_sandbox *s)
{
	static const char *const states[] = { "absent", "starting", "running", "stopping",
		"frozen" };
	json_t *o = json_object();

	set(o, "user", STR(s->user));
	set(o, "uid", json_integer(s->uid));
	set(o, "state", json_string(s->state < 5 ? states[s->state] : "unknown"));
	set(o, "pid", json_integer(s->pid));
	set(o, "started", json_integer(s->started));
	set(o, "ide", json_boolean(s->ide_running));
	set(o, "memory", json_integer((json_int_t)s->memory));
	set(o, "memory_max", json_integer((json_int_t)s->memory_max));
	set(o, "cpu_ms", json_integer((json_int_t)(s->cpu_usec / 1000)));
	set(o, "cpu_max", json_integer(s->cpu_max));
	set(o, "processes", json_integer(s->processes));
	set(o, "processes_max", json_integer(s->processes_max));
	set(o, "received", json_integer((json_int_t)s->received));
	set(o, "sent", json_integer((json_int_t)s->sent));
	set(o, "connections", json_integer(s->connections));
	set(o, "active", json_integer(s->active));
	set(o, "worked", json_integer(s->worked));
	set(o, "stops", json_integer(s->stops));
	set(o, "storage", json_integer((json_int_t)s->storage));
	set(o, "storage_max", json_integer((json_int_t)s->storage_max));
	set(o, "storage_by", json_string(storage_name(s->storage_by)));
	set(o, "storage_at", json_integer(s->storage_at));
	set(o, "files", json_integer((json_int_t)s->files));
	set(o, "files_max", json_integer((json_int_t)s->files_max));
	return o;
}

/* The release of VS Code's server that the feed has, and what that means. */
static void
set_release(json_t *o, const struct wire_release *r)
{
	static const char *const is[] = {
		[RELEASE_OFF] = "off",
		[RELEASE_UNKNOWN] = "unknown",
		[RELEASE_NONE] = "none",
		[RELEASE_NEWER] = "available",
	};

	set(o, "update", json_string(r->is <= RELEASE_NEWER ? is[r->is] : "unknown"));
	if (r->is == RELEASE_OFF)
		return;
	set(o, "update_version", STR(r->version));
	set(o, "update_checked", json_integer(r->checked));
	set(o, "update_failures", json_integer(r->failed));
}

static json_t *
row_status(const struct m_status *s)
{
	json_t *o = json_object();

	set(o, "version", STR(s->version));
	set(o, "pid", json_integer(s->pid));
	set(o, "started", json_integer(s->started));
	set(o, "users", json_integer(s->users));
	set(o, "sessions", json_integer(s->sessions));
	set(o, "sandboxes", json_integer(s->sandboxes));
	set(o, "memory_warned", json_integer(s->notes.memory_warned));
	set(o, "memory_critical", json_integer(s->notes.memory_critical));
	set(o, "memory_leaks", json_integer(s->notes.memory_leaks));
	set(o, "memory_ended", json_integer(s->notes.memory_ended));
	set(o, "storage_over", json_integer(s->notes.storage_over));
	set(o, "storage_full", json_integer(s->notes.storage_full));
	set(o, "services_failing", json_integer(s->services_failing));
	set(o, "services_failed", json_integer(s->services_failed));
	set_release(o, &s->release);
	set(o, "workers", json_integer(s->workers));
	set(o, "spare", json_integer(s->spare));
	set(o, "unauthenticated", json_integer(s->unauthenticated));
	set(o, "penalised", json_integer(s->penalised));
	set(o, "accepted", json_integer((json_int_t)s->accepted));
	set(o, "refused", json_integer((json_int_t)s->refused));
	set(o, "requests", json_integer((json_int_t)s->requests));
	set(o, "crashes", json_integer((json_int_t)s->crashes));
	return o;
}

/* They come before the row of the sandbox that they are of. */
static json_t *largest, *notes;

static void
row_processes(const struct m_processes *ps)
{
	const struct m_process *p;
	json_t *o;
	uint32_t i;

	json_decref(largest);
	largest = json_array();
	for (i = 0; i < ps->count && i < WIRE_PROCESSES; i++) {
		p = &ps->process[i];
		o = json_object();
		set(o, "name", STR(p->name));
		set(o, "kind", json_string(process_kind_name(p->kind)));
		set(o, "pid", json_integer(p->pid));
		set(o, "memory", json_integer((json_int_t)p->memory));
		set(o, "grown", json_integer(p->grown));
		json_array_append_new(largest, o);
	}
}

static void
row_memory(const struct m_memory *m)
{
	char text[MEMORY_TEXT];
	json_t *o;

	if (!wire_str(m->process.name))
		die("a note without an end");
	memory_text(text, sizeof(text), m);
	o = json_object();
	set(o, "at", json_integer(m->at));
	set(o, "event", json_string(memory_event_name(m->event)));
	set(o, "text", STR(text));
	if (notes == NULL)
		notes = json_array();
	json_array_append_new(notes, o);
}

void
print_row(const struct msg *m)
{
	json_t *o;

	switch (m->head.type) {
	case M_ROW_PROCESSES:
		row_processes(MSG_DATA(m, m_processes));
		return;
	case M_ROW_MEMORY:
		row_memory(MSG_DATA(m, m_memory));
		return;
	case M_ROW_ACCOUNT:
		o = row_account(MSG_DATA(m, m_account));
		break;
	case M_ROW_ROLE:
		o = row_role(MSG_DATA(m, m_role));
		break;
	case M_ROW_RESET:
		o = row_reset(MSG_DATA(m, m_reset));
		break;
	case M_ROW_DELETED:
		o = row_deleted(MSG_DATA(m, m_account_deleted));
		break;
	case M_ROW_SESSION:
		o = row_session(MSG_DATA(m, m_session));
		break;
	case M_ROW_SANDBOX:
		o = row_sandbox(MSG_DATA(m, m_sandbox));
		if (largest != NULL)
			set(o, "largest", largest);
		if (notes != NULL)
			set(o, "notes", notes);
		largest = notes = NULL;
		break;
	case M_ROW_TOKEN:
		o = row_token(MSG_DATA(m, m_token));
		break;
	case M_ROW_TOKEN_MADE:
		o = row_token_made(MSG_DATA(m, m_token_made));
		break;
	case M_ROW_SHARE:
		o = row_share(MSG_DATA(m, m_share));
		break;
	case M_ROW_LIMIT:
		o = row_limit(MSG_DATA(m, m_limit));
		break;
	case M_STATUS:
		o = row_status(MSG_DATA(m, m_status));
		break;
	case M_ROW_TEXT:
		o = json_object();
		set(o, "text", STR(MSG_DATA(m, m_ok)->text));
		/* An error of the configuration: at once, and not as a result. */
		if (!json) {
			fprintf(stderr, "idectl: %s\n",
			    json_string_value(json_object_get(o, "text")));
			json_decref(o);
			return;
		}
		break;
	default:
		die("unexpected answer %s", msg_name(m->head.type));
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
