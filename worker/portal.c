/*
 * The portal: the user's environment and sessions, as a page and as JSON.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../privsep/addr_text.h"
#include "../privsep/log.h"
#include "../privsep/memory_text.h"
#include "api.h"
#include "dates.h"
#include "pages.h"
#include "respond.h"
#include "routes.h"
#include "session.h"
#include "url.h"
#include "worker.h"

#define SESSIONS_MAX 64 /* shown */
#define NOTES_MAX    8

/* The rows of auth's answer, as they come. */
struct rows {
	struct stream *s;
	uint32_t question;
	void (*done)(struct rows *);
	size_t n;
	struct m_session session[SESSIONS_MAX];
	bool has_sandbox;
	struct m_sandbox sandbox;
	size_t nnotes;
	struct m_memory note[NOTES_MAX];
	struct m_processes processes;
};

static void
rows_close(struct stream *s)
{
	struct rows *r = s->arg;

	auth_forget(s->w, r->question);
	free(r);
}

static void
processes_take(struct m_processes *to, const struct m_processes *from)
{
	if (from->count > WIRE_PROCESSES)
		return;
	for (uint32_t i = 0; i < from->count; i++)
		if (!wire_str(from->process[i].name))
			return;
	*to = *from;
}

static void
rows_answer(void *arg, struct msg *m)
{
	struct rows *r = arg;
	const struct m_session *row;
	const struct m_sandbox *sb;

	if (m != NULL && m->head.type == M_ROW_SESSION) {
		row = MSG_DATA(m, m_session);
		if (r->n < SESSIONS_MAX && wire_str(row->session) &&
		    wire_str(row->user) && wire_str(row->agent))
			r->session[r->n++] = *row;
		return;
	}
	if (m != NULL && m->head.type == M_ROW_SANDBOX) {
		sb = MSG_DATA(m, m_sandbox);
		r->has_sandbox = wire_str(sb->user);
		r->sandbox = *sb;
		return;
	}
	if (m != NULL && m->head.type == M_ROW_MEMORY) {
		if (r->nnotes < NOTES_MAX &&
		    wire_str(MSG_DATA(m, m_memory)->process.name))
			r->note[r->nnotes++] = *MSG_DATA(m, m_memory);
		return;
	}
	if (m != NULL && m->head.type == M_ROW_PROCESSES) {
		processes_take(&r->processes, MSG_DATA(m, m_processes));
		return;
	}
	r->question = 0;
	if (m == NULL || m->head.type != M_OK)
		auth_error(r->s, m);
	else
		r->done(r);
}

static void
rows_ask(struct stream *s, void (*done)(struct rows *))
{
	struct rows *r;

	if ((r = calloc(1, sizeof(*r))) == NULL)
		fatal("calloc");
	r->s = s;
	r->done = done;
	s->arg = r;
	s->on_close = rows_close;
	r->question = auth_ask(s->w, request_of(s), M_PORTAL, NULL, 0, rows_answer, r);
	if (r->question == 0)
		respond_error(s, 503, NULL);
}

/* --- in words --- */

/* "Firefox on Linux": the first of each list that the user agent names. */
static void
agent_text(char *dst, size_t size, const char *agent)
{
	static const struct {
		const char *mark;
		const char *name;
	} browsers[] = { { "Edg/", "Edge" }, { "OPR/", "Opera" },
		{ "Firefox/", "Firefox" }, { "Chrome/", "Chrome" },
		{ "Safari/", "Safari" }, { "curl/", "curl" } },
	  systems[] = {
		  { "Windows", "Windows" },
		  { "Android", "Android" },
		  { "iPhone", "iPhone" },
		  { "iPad", "iPad" },
		  { "Mac OS X", "macOS" },
		  { "CrOS", "ChromeOS" },
		  { "Linux", "Linux" },
	  };
	const char *b = NULL, *o = NULL;

	for (size_t i = 0; b == NULL && i < sizeof(browsers) / sizeof(browsers[0]); i++)
		if (strstr(agent, browsers[i].mark) != NULL)
			b = browsers[i].name;
	for (size_t i = 0; o == NULL && i < sizeof(systems) / sizeof(systems[0]); i++)
		if (strstr(agent, systems[i].mark) != NULL)
			o = systems[i].name;
	if (b == NULL)
		snprintf(dst, size, "%.60s", agent[0] != '\0' ? agent : "A program");
	else
		snprintf(
		    dst, size, "%s%s%s", b, o != NULL ? " on " : "", o != NULL ? o : "");
}

void
address_text(char *dst, size_t size, const struct wire_addr *a)
{
	char text[INET6_ADDRSTRLEN];

	snprintf(dst, size, "%s", a->unix_peer ? "this machine" : addr_text(a, text));
}

static const char *
state_text(const struct rows *r)
{
	static const char *const texts[] = {
		[SANDBOX_ABSENT] = "Your environment is not running. It starts "
				   "when you open VS Code.",
		[SANDBOX_STARTING] = "Your environment is starting.",
		[SANDBOX_RUNNING] = "Your environment is running.",
		[SANDBOX_STOPPING] = "Your environment is stopping. It starts "
				     "again when you open VS Code.",
		[SANDBOX_FROZEN] = "Your environment sleeps. It goes on where it was "
				   "when you open VS Code."
	};
	uint32_t st = SANDBOX_ABSENT;

	if (r->has_sandbox)
		st = r->sandbox.state;
	if (st == SANDBOX_RUNNING && r->sandbox.ide_running)
		return ("Your environment and VS Code are running.");
	return (st < sizeof(texts) / sizeof(texts[0]) ? texts[st] : "");
}

/* Why it is on, and until when; or why it is not any more. */
static void
why_text(char *dst, size_t size, const struct m_sandbox *sb, int64_t now)
{
	char since[48], until[48];

	dst[0] = '\0';
	date_relative(until, sizeof(until), sb->stops, now);
	date_relative(since, sizeof(since),
	    sb->why == WHY_WORK ? sb->worked :
		sb->ended != 0  ? sb->ended :
				  sb->active,
	    now);
	switch (sb->why) {
	case WHY_ACTIVITY:
		snprintf(dst, size,
		    "You last used it %s. It stops %s, unless you or its programs do "
		    "something.",
		    since, until);
		break;
	case WHY_WORK:
		snprintf(dst, size,
		    "Its programs last worked %s. It stops %s, unless you or they do "
		    "something.",
		    since, until);
		break;
	case WHY_CONNECTION:
		snprintf(dst, size,
		    "It stays on, as a page or a program is connected that does not "
		    "tell whether you are there.");
		break;
	case WHY_IDLE:
		snprintf(dst, size, "It was stopped %s, as nobody used it.", since);
		break;
	case WHY_STOPPED:
		snprintf(dst, size, "It was stopped %s by an administrator.", since);
		break;
	case WHY_ENDED:
		snprintf(dst, size, "It ended %s.", since);
		break;
	default:
		break;
	}
}

/* --- the page --- */

static void
render_session(struct evbuffer *out, const struct m_session *m, int64_t now)
{
	struct evbuffer *current = evbuffer_new();
	char agent[80], from[INET6_ADDRSTRLEN], created[48];
	char seen[48], expires[48], label[160];

	if (current == NULL)
		fatalx("evbuffer_new");
	agent_text(agent, sizeof(agent), m->agent);
	address_text(from, sizeof(from), &m->source);
	date_relative(created, sizeof(created), m->created, now);
	date_relative(seen, sizeof(seen), m->seen, now);
	date_relative(expires, sizeof(expires), m->expires, now);
	snprintf(label, sizeof(label),
	    m->current ? "Log out here" : "End the session of %s from %s", agent, from);
	if (m->current)
		page_render(current, "portal_current.html", NULL, 0);
	page_render(out, "portal_session.html",
	    (const struct page_value[]){ PAGE_TEXT("agent", agent),
		PAGE_HTML("current", current), PAGE_TEXT("address", from),
		PAGE_TEXT("created", created), PAGE_TEXT("seen", seen),
		PAGE_TEXT("expires", expires), PAGE_TEXT("session", m->session),
		PAGE_TEXT("label", label),
		PAGE_TEXT("action", m->current ? "Log out" : "End") },
	    9);
	evbuffer_free(current);
}

static void
render_usage(struct evbuffer *out, const struct m_sandbox *sb, int64_t now)
{
	char since[48], used[24], most[24], memory[64], processes[48];
	char received[24], sent[24], traffic[64];

	date_span(since, sizeof(since), now - sb->started);
	bytes_format(used, sizeof(used), sb->memory);
	bytes_format(most, sizeof(most), sb->memory_max);
	snprintf(
	    memory, sizeof(memory), sb->memory_max > 0 ? "%s of %s" : "%s", used, most);
	snprintf(processes, sizeof(processes), sb->processes_max > 0 ? "%u of %u" : "%u",
	    sb->processes, sb->processes_max);
	bytes_format(received, sizeof(received), sb->received);
	bytes_format(sent, sizeof(sent), sb->sent);
	snprintf(traffic, sizeof(traffic), "%s received, %s sent", received, sent);
	page_render(out, "portal_usage.html",
	    (const struct page_value[]){ PAGE_TEXT("since", since),
		PAGE_TEXT("memory", memory), PAGE_TEXT("processes", processes),
		PAGE_TEXT("traffic", traffic) },
	    4);
}

/* Also of an environment that does not run: its files are there. */
static void
render_storage(struct evbuffer *out, const struct m_sandbox *sb)
{
	char used[24], most[24], storage[96], files[64];

	/* Who was never there has none; what was not counted is not known. */
	if (sb->storage_at == 0 || sb->storage_max == 0 || sb->files == 0)
		return;
	bytes_format(used, sizeof(used), sb->storage);
	bytes_format(most, sizeof(most), sb->storage_max);
	snprintf(storage, sizeof(storage), "%s of %s%s", used, most,
	    sb->storage >= sb->storage_max / 100 * STORAGE_NEARLY ? ": nearly full" : "");
	snprintf(files, sizeof(files), "%llu of %llu%s", (unsigned long long)sb->files,
	    (unsigned long long)sb->files_max,
	    sb->files >= sb->files_max / 100 * STORAGE_NEARLY ? ": nearly all" : "");
	page_render(out, "portal_storage.html",
	    (const struct page_value[]){
		PAGE_TEXT("storage", storage), PAGE_TEXT("files", files) },
	    2);
}

/* What was noticed of the memory, the latest first. */
static void
render_notes(struct evbuffer *out, const struct rows *r, int64_t now)
{
	char text[MEMORY_TEXT], line[MEMORY_TEXT + 64], when[48];

	for (size_t i = r->nnotes; i > 0; i--) {
		memory_text(text, sizeof(text), &r->note[i - 1]);
		date_relative(when, sizeof(when), r->note[i - 1].at, now);
		snprintf(line, sizeof(line), "Memory, %s: %s.", when, text);
		page_render(out, "portal_notice.html",
		    (const struct page_value[]){ PAGE_TEXT("text", line) }, 1);
	}
}

static void
portal_page(struct rows *r)
{
	struct worker *w = r->s->w;
	struct evbuffer *notice = evbuffer_new(), *usage = evbuffer_new();
	struct evbuffer *sessions = evbuffer_new(), *ports = evbuffer_new();
	struct evbuffer *bar = page_bar(w, "en");
	int64_t now = time(NULL);
	char why[256] = "";
	struct answer a;

	if (notice == NULL || usage == NULL || sessions == NULL || ports == NULL)
		fatalx("evbuffer_new");
	if (w->conf->proxy.share != SHARE_OFF)
		page_render(ports, "portal_ports.html", NULL, 0);
	render_notes(notice, r, now);
	if (r->has_sandbox &&
	    (r->sandbox.state == SANDBOX_RUNNING || r->sandbox.state == SANDBOX_FROZEN))
		render_usage(usage, &r->sandbox, now);
	if (r->has_sandbox) {
		why_text(why, sizeof(why), &r->sandbox, now);
		render_storage(usage, &r->sandbox);
	}
	for (size_t i = 0; i < r->n; i++)
		render_session(sessions, &r->session[i], now);
	answer_init(&a, r->s, ANSWER_PAGE);
	page_send(&a, 200, "start page", "portal.html",
	    (const struct page_value[]){ PAGE_HTML("bar", bar),
		PAGE_HTML("notice", notice), PAGE_TEXT("state", state_text(r)),
		PAGE_TEXT("why", why), PAGE_HTML("usage", usage),
		PAGE_HTML("sessions", sessions), PAGE_HTML("ports", ports) },
	    7);
	evbuffer_free(bar);
	evbuffer_free(ports);
	evbuffer_free(notice);
	evbuffer_free(usage);
	evbuffer_free(sessions);
}

void
portal(struct stream *s, const char *rest)
{
	(void)rest;
	rows_ask(s, portal_page);
}

/* --- JSON --- */

json_t *
json_time(int64_t t)
{
	char text[DATE_LEN + 1];

	date_format(text, t);
	return (json_string(text));
}

static void
processes_json(json_t *list, const struct m_processes *ps)
{
	json_t *v;

	for (uint32_t i = 0; i < ps->count; i++) {
		v = api_row(api_portal_process, &ps->process[i]);
		json_object_set_new(
		    v, "kind", json_string(process_kind_name(ps->process[i].kind)));
		json_array_append_new(list, v);
	}
}

static void
notes_json(json_t *list, const struct rows *r)
{
	char text[MEMORY_TEXT];
	json_t *v;

	for (size_t i = 0; i < r->nnotes; i++) {
		memory_text(text, sizeof(text), &r->note[i]);
		v = api_row(api_portal_note, &r->note[i]);
		json_object_set_new(
		    v, "event", json_string(memory_event_name(r->note[i].event)));
		json_object_set_new(v, "text", json_string(text));
		json_array_append_new(list, v);
	}
}

static void
sessions_json(struct rows *r)
{
	json_t *data = api_row(api_portal, &r->sandbox), *env;

	for (size_t i = 0; i < r->n; i++)
		json_array_append_new(json_object_get(data, "sessions"),
		    api_row(api_portal_session, &r->session[i]));
	env = json_object_get(data, "environment");
	processes_json(json_object_get(env, "largest"), &r->processes);
	notes_json(json_object_get(env, "notes"), r);
	respond_data(r->s, data);
}

void
api_sessions(struct stream *s, char *body, size_t len)
{
	(void)body;
	(void)len;
	rows_ask(s, sessions_json);
}

/* --- ending one --- */

static void
end_ok(struct stream *s)
{
	if (wants_html(s))
		respond_redirect(s, 303, "/");
	else
		respond_data(s, json_null());
}

static void
ended(void *arg, struct msg *m)
{
	struct stream *s = arg;

	s->on_close = NULL;
	if (m == NULL || m->head.type != M_OK)
		auth_error(s, m);
	else
		end_ok(s);
}

/* Of JSON or of the form of the page. */
static bool
session_body(struct stream *s, struct m_session_id *id, char *body, size_t len)
{
	struct url_field f[URL_FORM_MAX];
	struct slice v;
	int n;

	memset(id, 0, sizeof(*id));
	if (!content_is(s, SLICE("application/x-www-form-urlencoded")))
		return (
		    api_body(s, &(struct api_call){ .in = api_end_in }, body, len, id));
	n = url_form(body, len, f, URL_FORM_MAX);
	v = n < 0 ? (struct slice){ NULL, 0 } : url_form_get(f, n, SLICE("session"));
	if (v.len > 0 && v.len < sizeof(id->session)) {
		memcpy(id->session, v.p, v.len);
		return (true);
	}
	api_invalid(s, "session", "which one is meant?");
	return (false);
}

void
api_session_end(struct stream *s, char *body, size_t len)
{
	struct m_session_id id;

	if (!session_body(s, &id, body, len))
		return;
	if (strcmp(id.session, s->w->who.session) == 0)
		logout_now(s);
	else
		auth_ask_for(s, M_SESSION_END, &id, sizeof(id), ended);
}
