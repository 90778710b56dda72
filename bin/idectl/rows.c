/* Rows of answers, each as a JSON object: see rows.h. */
#include <stdio.h>
#include <string.h>

#include <bsd/string.h>

#include "../../privsep/addr_text.h"
#include "../../privsep/hex.h"
#include "../../privsep/log.h"
#include "../../privsep/memory_text.h"
#include "../../privsep/token_text.h"
#include "rows.h"

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
static json_t *
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
	json_t *o = json_object();

	set(o, "user", STR(s->user));
	set(o, "uid", json_integer(s->uid));
	set(o, "state",
	    json_string(
		s->state <= SANDBOX_FROZEN ? sandbox_states[s->state] : "unknown"));
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
	set(o, "ended", json_integer(s->ended));
	set(o, "why",
	    json_string(s->why <= WHY_ENDED ? sandbox_whys[s->why] : "unknown"));
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

static json_t *
row_token(const struct m_token *t)
{
	json_t *o = json_object();

	set(o, "token", STR(t->id));
	set(o, "user", STR(t->user));
	set(o, "name", STR(t->name));
	set(o, "created", json_integer(t->created));
	set(o, "seen", json_integer(t->seen));
	set(o, "expires", json_integer(t->expires));
	set(o, "scopes", names(t->scopes, sizeof(t->scopes)));
	return o;
}

/* Nobody sees it again. */
static json_t *
row_token_made(const struct m_token_made *t)
{
	char text[TOKEN_TEXT + 1];
	json_t *o = json_object();

	token_text(t->token, text);
	set(o, "token", STR(t->is.id));
	set(o, "secret", string(text, sizeof(text)));
	set(o, "created", json_integer(t->is.created));
	set(o, "expires", json_integer(t->is.expires));
	explicit_bzero(text, sizeof(text));
	return o;
}

static json_t *
row_limit(const struct m_limit *l)
{
	json_t *o = json_object();

	set(o, "limit", STR(l->limit));
	set(o, "who", STR(l->who));
	set(o, "refused", json_integer(l->refused));
	set(o, "used", json_integer(l->used));
	set(o, "of", json_integer(l->of));
	set(o, "reset", json_integer(l->reset));
	return o;
}

static json_t *
row_share(const struct m_share *s)
{
	json_t *o = json_object();

	set(o, "user", STR(s->user));
	set(o, "port", json_integer(s->port));
	set(o, "with", json_string(s->with == SHARE_WITH_PUBLIC ? "public" : "users"));
	set(o, "visitors", json_integer(s->visitors));
	set(o, "created", json_integer(s->created));
	set(o, "expires", json_integer(s->expires));
	set(o, "address", STR(s->address));
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

json_t *
row_of(const struct msg *m)
{
	json_t *o;

	switch (m->head.type) {
	case M_ROW_PROCESSES:
		row_processes(MSG_DATA(m, m_processes));
		return NULL;
	case M_ROW_MEMORY:
		row_memory(MSG_DATA(m, m_memory));
		return NULL;
	case M_ROW_ACCOUNT:
		return row_account(MSG_DATA(m, m_account));
	case M_ROW_ROLE:
		return row_role(MSG_DATA(m, m_role));
	case M_ROW_RESET:
		return row_reset(MSG_DATA(m, m_reset));
	case M_ROW_DELETED:
		return row_deleted(MSG_DATA(m, m_account_deleted));
	case M_ROW_SESSION:
		return row_session(MSG_DATA(m, m_session));
	case M_ROW_SANDBOX:
		o = row_sandbox(MSG_DATA(m, m_sandbox));
		if (largest != NULL)
			set(o, "largest", largest);
		if (notes != NULL)
			set(o, "notes", notes);
		largest = notes = NULL;
		return o;
	case M_ROW_TOKEN:
		return row_token(MSG_DATA(m, m_token));
	case M_ROW_TOKEN_MADE:
		return row_token_made(MSG_DATA(m, m_token_made));
	case M_ROW_SHARE:
		return row_share(MSG_DATA(m, m_share));
	case M_ROW_LIMIT:
		return row_limit(MSG_DATA(m, m_limit));
	case M_STATUS:
		return row_status(MSG_DATA(m, m_status));
	case M_ROW_TEXT:
		o = json_object();
		set(o, "text", STR(MSG_DATA(m, m_ok)->text));
		return o;
	default:
		die("unexpected answer %s", msg_name(m->head.type));
	}
}
