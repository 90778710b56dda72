/*
 * Figures for Prometheus, in its text format 0.0.4: see metrics.h.
 *
 * Every label has the few values that stand here: no name, address or path is one, so
 * that nothing of a person is told and no client makes a series.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <event2/buffer.h>

#include "../privsep/log.h"
#include "metrics.h"
#include "respond.h"
#include "routes.h"
#include "worker.h"

static struct stream *waits; /* a connection asks for one page at a time */
static uint32_t question;

/* What has one value.  A row with a name begins a family; those after it are its. */
static const struct figure {
	const char *name;
	const char *type;
	const char *help;
	const char *label; /* NULL: it has none */
	size_t offset;
	size_t size;
	bool tally; /* only while auth has said so */
} figures[] = {
#define S(f) offsetof(struct m_metrics, f), sizeof(((struct m_metrics *)0)->f)
#define T(f) S(tally.f), true
#define M(f) S(f), false
#define MORE NULL, NULL, NULL
	/* clang-format off */
	{ "ided_up", "gauge", "Whether the process of accounts and sandboxes answers.", NULL, M(known) },
	{ "ided_start_time_seconds", "gauge", "When ided started, since the epoch.", NULL, M(tally.stats.started) },
	{ "ided_listeners", "gauge", "Sockets that are listened on.", NULL, M(listeners) },
	{ "ided_connections_total", "counter", "Connections that were let in.", NULL, M(tally.stats.accepted) },
	{ "ided_connections_refused_total", "counter", "Connections that were not.", NULL, M(tally.stats.refused) },
	{ "ided_sources_penalised", "gauge", "Addresses that are kept out for now.", NULL, M(tally.stats.penalised) },
	{ "ided_workers", "gauge", "Processes that serve a connection, or wait for one.", NULL, M(tally.stats.workers) },
	{ "ided_workers_spare", "gauge", "Those that wait.", NULL, M(tally.stats.spare) },
	{ "ided_workers_unauthenticated", "gauge", "Those whose user is not known.", NULL, M(tally.stats.unauthenticated) },
	{ "ided_worker_crashes_total", "counter", "Workers that crashed.", NULL, M(tally.stats.crashes) },
	{ "ided_received_bytes_total", "counter", "Bytes from clients, of connections that have ended.", NULL, M(bytes_in) },
	{ "ided_sent_bytes_total", "counter", "Bytes to clients, of connections that have ended.", NULL, M(bytes_out) },
	{ "ided_http_rate_limited_total", "counter", "Requests that a rate limit refused.", NULL, M(traffic.limited) },
	{ "ided_users", "gauge", "Accounts.", "state=\"active\"", T(stats.users_active) },
	{ MORE, "state=\"pending\"", T(stats.users_pending) },
	{ MORE, "state=\"disabled\"", T(stats.users_disabled) },
	{ "ided_sessions", "gauge", "Logins that have not ended.", NULL, T(stats.sessions) },
	{ "ided_sessions_connected", "gauge", "Those that a connection acts for.", NULL, T(stats.sessions_live) },
	{ "ided_sessions_ended_total", "counter", "Logins that ended.", "why=\"expired\"", T(stats.sessions_expired) },
	{ MORE, "why=\"revoked\"", T(stats.sessions_revoked) },
	{ "ided_logins_total", "counter", "Attempts to log in.", "result=\"ok\"", T(stats.logins) },
	{ MORE, "result=\"failed\"", T(stats.logins_failed) },
	{ MORE, "result=\"limited\"", T(stats.logins_limited) },
	{ "ided_api_tokens", "gauge", "Tokens of programs.", NULL, T(api_tokens) },
	{ "ided_shared_ports", "gauge", "Ports that are shared.", "with=\"users\"", T(shares_users) },
	{ MORE, "with=\"public\"", T(shares_public) },
	{ "ided_shared_port_visits_total", "counter", "Connections to them, and those that were let in to none.", "result=\"ok\"", T(visits) },
	{ MORE, "result=\"refused\"", T(visits_refused) },
	{ "ided_sandboxes", "gauge", "Sandboxes that there are.", NULL, T(stats.sandboxes) },
	{ "ided_sandboxes_frozen", "gauge", "Those whose processes wait.", NULL, T(sandboxes_frozen) },
	{ "ided_sandboxes_memory_bytes", "gauge", "Memory of all sandboxes.", NULL, T(memory) },
	{ "ided_sandboxes_processes", "gauge", "Processes in all sandboxes.", NULL, T(processes) },
	{ "ided_sandboxes_cpu_microseconds", "gauge", "Time that the sandboxes of now have used.", NULL, T(cpu_usec) },
	{ "ided_sandboxes_received_bytes", "gauge", "Bytes from the network to the sandboxes of now.", NULL, T(received) },
	{ "ided_sandboxes_sent_bytes", "gauge", "Bytes from the sandboxes of now to the network.", NULL, T(sent) },
	{ "ided_memory_events_total", "counter", "Sandboxes that came near their limit of memory.", "event=\"warned\"", T(stats.notes.memory_warned) },
	{ MORE, "event=\"critical\"", T(stats.notes.memory_critical) },
	{ MORE, "event=\"leak\"", T(stats.notes.memory_leaks) },
	{ MORE, "event=\"ended\"", T(stats.notes.memory_ended) },
	{ "ided_storage_events_total", "counter", "Homes that came to their limit of storage.", "event=\"over\"", T(stats.notes.storage_over) },
	{ MORE, "event=\"full\"", T(stats.notes.storage_full) },
	{ "ided_audit_records_total", "counter", "Records made in the audit trail.", NULL, T(audit_records) },
	{ "ided_audit_refused_total", "counter", "What was refused as none could be made.", NULL, T(audit_refused) },
	{ "ided_audit_syslog_lost_total", "counter", "Records that syslog did not take.", NULL, T(audit_unlogged) },
	{ "ided_services_failing", "gauge", "Services of the site's own that are not asked for now.", NULL, T(stats.services_failing) },
	{ "ided_services_failed_total", "counter", "How often that came about.", NULL, T(stats.services_failed) },
	{ "ided_update_available", "gauge", "Whether the feed of releases has a newer one than runs.", NULL, T(release.newer) },
	{ "ided_update_checked_time_seconds", "gauge", "When it last answered, since the epoch; 0 if it has not, or there is none.", NULL, T(release.checked) },
	{ "ided_update_failures", "gauge", "Times in a row that it did not answer.", NULL, T(release.failed) },
	{ "ided_store_changes_total", "counter", "Transactions that changed the store.", NULL, T(store_changes) },
/* clang-format on */
#undef S
#undef T
#undef M
#undef MORE
};

static const char *const classes[] = {
	[TRAFFIC_PAGE] = "page",
	[TRAFFIC_API] = "api",
	[TRAFFIC_STATIC] = "static",
	[TRAFFIC_IDE] = "ide",
	[TRAFFIC_PORT] = "port",
	[TRAFFIC_SERVICE] = "service",
};

static void put(struct evbuffer *, const char *, ...)
    __attribute__((format(printf, 2, 3)));

static void
put(struct evbuffer *out, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = evbuffer_add_vprintf(out, fmt, ap);
	va_end(ap);
	if (n == -1)
		fatalx("out of memory for metrics");
}

static void
put_family(struct evbuffer *out, const char *name, const char *type, const char *help)
{
	put(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static uint64_t
value_of(const struct m_metrics *m, const struct figure *f)
{
	const uint8_t *at = (const uint8_t *)m + f->offset;
	uint32_t v32;
	uint64_t v64;

	if (f->size == sizeof(v32)) {
		memcpy(&v32, at, sizeof(v32));
		return (v32);
	}
	memcpy(&v64, at, sizeof(v64));
	return (v64);
}

static void
put_figures(struct evbuffer *out, const struct m_metrics *m)
{
	const struct figure *f;
	const char *name = NULL;

	for (f = figures; f < figures + sizeof(figures) / sizeof(figures[0]); f++) {
		if (f->tally && !m->known)
			continue;
		if (f->name != NULL)
			put_family(out, name = f->name, f->type, f->help);
		put(out, "%s%s%s%s %" PRIu64 "\n", name, f->label != NULL ? "{" : "",
		    f->label != NULL ? f->label : "", f->label != NULL ? "}" : "",
		    value_of(m, f));
	}
}

static void
put_requests(struct evbuffer *out, const struct m_traffic *t)
{
	put_family(out, "ided_http_requests_total", "counter",
	    "Requests, by what answered and how.");
	for (size_t c = 0; c < TRAFFIC_CLASSES; c++)
		for (size_t i = 0; i < TRAFFIC_STATUS; i++)
			put(out,
			    "ided_http_requests_total{class=\"%s\",status=\"%zuxx\"} "
			    "%" PRIu64 "\n",
			    classes[c], i + 1, t->requests[c][i]);
}

static void
put_times(struct evbuffer *out, const struct m_traffic *t)
{
	static const unsigned int ms[] = TRAFFIC_MS;
	static const char name[] = "ided_http_request_duration_seconds";
	uint64_t n;

	put_family(out, name, "histogram",
	    "From a request's head to its answer's end; WebSockets aside.");
	for (size_t c = 0; c < TRAFFIC_CLASSES; c++) {
		n = 0;
		for (size_t i = 0; i < TRAFFIC_TIMES - 1; i++)
			put(out, "%s_bucket{class=\"%s\",le=\"%u.%03u\"} %" PRIu64 "\n",
			    name, classes[c], ms[i] / 1000, ms[i] % 1000,
			    n += t->times[c][i]);
		n += t->times[c][TRAFFIC_TIMES - 1];
		put(out, "%s_bucket{class=\"%s\",le=\"+Inf\"} %" PRIu64 "\n", name,
		    classes[c], n);
		put(out, "%s_sum{class=\"%s\"} %" PRIu64 ".%06" PRIu64 "\n", name,
		    classes[c], t->us[c] / 1000000, t->us[c] % 1000000);
		put(out, "%s_count{class=\"%s\"} %" PRIu64 "\n", name, classes[c], n);
	}
}

static void
send_page(struct stream *s, const struct m_metrics *m)
{
	struct evbuffer *out = evbuffer_new();
	struct answer a;

	if (out == NULL)
		fatalx("out of memory for metrics");
	put_family(out, "ided_build_info", "gauge", "What runs; always 1.");
	put(out, "ided_build_info{version=\"%s\"} 1\n", VERSION);
	put_figures(out, m);
	put_requests(out, &m->traffic);
	put_times(out, &m->traffic);
	answer_init(&a, s, ANSWER_DATA);
	answer_add(
	    &a, SLICE("content-type"), SLICE("text/plain; version=0.0.4; charset=utf-8"));
	stream_respond(s, 200, a.h, a.n, (int64_t)evbuffer_get_length(out));
	stream_write_buffer(s, out);
	stream_end(s);
	evbuffer_free(out);
}

static void
on_close(struct stream *s)
{
	(void)s;
	waits = NULL;
}

void
metrics(struct stream *s, const char *rest)
{
	(void)rest;
	if (waits != NULL ||
	    chan_send(&s->w->master, M_METRICS_ASK, ++question, -1, NULL, 0) == -1) {
		respond_error(s, 503, NULL);
		return;
	}
	waits = s;
	s->on_close = on_close;
}

void
metrics_answer(struct chan *c, struct msg *m)
{
	struct stream *s = waits;

	(void)c;
	if (s == NULL || m->head.id != question)
		return;
	s->on_close = NULL;
	waits = NULL;
	send_page(s, MSG_DATA(m, m_metrics));
}
