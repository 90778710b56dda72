/*
 * The newest release, as the feed that the configuration names has it: asked when auth
 * likes, once a day, and never on somebody's word.  Without a feed nobody is asked.
 *
 * Who asks is ided-fetch, which isolation starts for it: it is believed in nothing but
 * the one version that it tells, and that only if it is one.
 *
 * What is known is kept in a file, so that a restart asks nobody: a line of the feed's
 * SHA-256, when it was asked, when to ask again, how often it failed, and the version.
 * A file that is not exactly what would be written is none.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bsd/string.h>

#include <openssl/sha.h>

#include "../audit_record.h"
#include "../semver.h"
#include "auth.h"
#include "../hex.h"

#define KEPT      "/update"
#define KEPT_NEW  "/update.new"
#define KEPT_MAX  256
#define PERIOD    86400
#define RETRY     600 /* after a failure; twice as long after each further one */
#define FAILURES  8   /* more make it no longer */
#define ANSWER_MS 60000

_Static_assert(SEMVER_MAX == WIRE_VERSION, "a version is as long as a version");

static struct {
	char feed[2 * SHA256_DIGEST_LENGTH + 1];
	int64_t checked; /* 0: not yet */
	int64_t next;
	uint32_t failures; /* in a row */
	char version[SEMVER_MAX];
} known;

static struct {
	uint32_t id; /* 0: nobody is asked just now */
	int64_t since;
	struct chan chan;
	bool joined;
} asked;

static bool
on(void)
{
	return auth.conf.update_feed[0] != '\0';
}

/* Than the one that runs. */
static bool
is_newer(void)
{
	const char *current = auth.conf.ide_version;

	return known.version[0] != '\0' && semver_ok(current) &&
	    semver_compare(known.version, current) > 0;
}

/* --- what is kept --- */

static size_t
write_down(char text[KEPT_MAX])
{
	return (size_t)snprintf(text, KEPT_MAX,
	    "%s %" PRId64 " %" PRId64 " %" PRIu32 " %s\n", known.feed, known.checked,
	    known.next, known.failures, known.version[0] != '\0' ? known.version : "-");
}

static void
keep(void)
{
	char text[KEPT_MAX];
	size_t len = write_down(text);
	bool ok;
	int fd;

	fd = open(KEPT_NEW, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	ok = fd != -1 && write(fd, text, len) == (ssize_t)len && fsync(fd) == 0;
	if (fd != -1)
		close(fd);
	/* Lost, it costs one question more. */
	if (!ok || rename(KEPT_NEW, KEPT) == -1)
		log_warn("what is known of releases is not kept");
}

static bool
read_back(const char *text, size_t len)
{
	char again[KEPT_MAX], feed[sizeof(known.feed)], version[SEMVER_MAX];
	int64_t now = auth_now();

	strlcpy(feed, known.feed, sizeof(feed));
	if (sscanf(text, "%64s %" SCNd64 " %" SCNd64 " %" SCNu32 " %63s", known.feed,
		&known.checked, &known.next, &known.failures, version) != 5)
		return false;
	if (strcmp(version, "-") == 0)
		version[0] = '\0';
	strlcpy(known.version, version, sizeof(known.version));
	return write_down(again) == len && memcmp(again, text, len) == 0 &&
	    strcmp(feed, known.feed) == 0 &&
	    (known.version[0] == '\0' || semver_ok(known.version)) &&
	    known.checked >= 0 && known.checked <= now && known.next > 0 &&
	    known.next <= now + PERIOD && known.failures <= FAILURES;
}

static void
forget(void)
{
	unsigned char hash[SHA256_DIGEST_LENGTH];

	memset(&known, 0, sizeof(known));
	SHA256((const unsigned char *)auth.conf.update_feed,
	    strlen(auth.conf.update_feed), hash);
	hex_put(known.feed, hash, sizeof(hash));
}

static void
load(void)
{
	char text[KEPT_MAX];
	ssize_t n = -1;
	int fd;

	forget();
	fd = open(KEPT, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd != -1) {
		n = read(fd, text, sizeof(text) - 1);
		close(fd);
	}
	if (n <= 0)
		return;
	text[n] = '\0';
	if (!read_back(text, (size_t)n))
		forget();
}

/* --- asking --- */

static void
stop_asking(void)
{
	if (asked.joined)
		chan_close(&asked.chan);
	asked.joined = false;
	asked.id = 0;
}

/* One line for what is new, and none for what is not. */
static void
learnt(const char *version)
{
	bool news = known.failures > 0 || strcmp(known.version, version) != 0;
	const char *current = auth.conf.ide_version;

	known.failures = 0;
	known.checked = auth_now();
	known.next = known.checked + PERIOD;
	strlcpy(known.version, version, sizeof(known.version));
	keep();
	if (!news)
		return;
	if (is_newer())
		log_event(LOG_NOTICE, "update.available", LOG_S("version", version),
		    LOG_S("current", current));
	else
		log_event(LOG_INFO, "update.none", LOG_S("version", version),
		    LOG_S("current", current));
}

static void
failed(const char *why)
{
	int64_t wait = RETRY << known.failures;

	log_event(known.failures == 0 ? LOG_WARNING : LOG_DEBUG, "update.failed",
	    LOG_S("why", why));
	if (known.failures < FAILURES)
		known.failures++;
	known.checked = 0;
	known.version[0] = '\0';
	known.next = auth_now() + (wait < PERIOD ? wait : PERIOD);
	keep();
}

static void
on_fetched(struct chan *c, struct msg *m)
{
	const struct m_fetched *f = MSG_DATA(m, m_fetched);
	bool sound = wire_str(f->version) && wire_str(f->why) && f->ok <= 1 &&
	    (f->ok == 0 || semver_ok(f->version));

	(void)c;
	if (!sound)
		failed("its answer is not sound");
	else if (f->ok == 1)
		learnt(f->version);
	else
		failed(f->why);
	stop_asking();
}

static void
on_gone(struct chan *c, const char *why)
{
	(void)c;
	asked.joined = false;
	asked.id = 0;
	failed(why != NULL ? why : "no answer");
}

static const struct chan_handler handlers[] = {
	{ M_FETCHED, on_fetched },
	{ M_NONE, NULL },
};

void
update_on_join(struct chan *c, struct msg *m)
{
	int fd = msg_take_fd(m);

	(void)c;
	if (asked.id == 0 || m->head.id != asked.id || asked.joined) {
		close(fd); /* of what was asked before */
		return;
	}
	asked.joined = true;
	chan_init(&asked.chan, fd, P_AUTH, P_FETCH, auth.base, handlers, on_gone, NULL);
}

void
update_tick(void)
{
	static uint32_t id;

	if (asked.id != 0 && auth_ms() - asked.since > ANSWER_MS) {
		stop_asking();
		failed("ided-fetch was not started, or does not end");
	}
	if (!on() || asked.id != 0 || auth_now() < known.next)
		return;
	id = id + 1 != 0 ? id + 1 : 1;
	asked.id = id;
	asked.since = auth_ms();
	chan_send(&auth.isolation, M_FETCH, id, -1, NULL, 0);
}

/* At the start, and when there may be another feed. */
void
update_config(void)
{
	static char feed[sizeof(auth.conf.update_feed)];

	if (strcmp(feed, auth.conf.update_feed) != 0) {
		strlcpy(feed, auth.conf.update_feed, sizeof(feed));
		stop_asking();
		if (on())
			load();
	} else if (known.failures > 0) {
		known.next = 0; /* what was wrong may be mended */
	}
	update_tick();
}

/* --- telling --- */

void
update_stats(struct wire_release *r)
{
	memset(r, 0, sizeof(*r));
	if (!on())
		return;
	r->checked = known.checked;
	r->failed = known.failures;
	r->newer = is_newer();
	r->is = known.version[0] == '\0' ? RELEASE_UNKNOWN :
	    r->newer                     ? RELEASE_NEWER :
					   RELEASE_NONE;
	strlcpy(r->version, known.version, sizeof(r->version));
}

void
update_on_ask(struct chan *c, struct msg *m)
{
	struct worker *w = c->arg;
	struct m_update u;

	worker_charge(w, COST_LOOK);
	memset(&u, 0, sizeof(u));
	if (on()) {
		u.checked = known.checked;
		strlcpy(u.version, known.version, sizeof(u.version));
	}
	chan_send(c, M_UPDATED, m->head.id, -1, &u, sizeof(u));
}
