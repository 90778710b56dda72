/*
 * A new configuration: read and checked whole before anything of it counts.
 * What cannot change while users' sandboxes run is refused by its name.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bsd/string.h>

#include "../listen.h"
#include "../log.h"
#include "box.h"
#include "isolation.h"
#include "net.h"

#define CHANGES_MAX 100

extern char **environ;

struct reload {
	struct chan *auth;
	uint32_t id;
	int errors;
	unsigned int changes;
	int listen[CONF_LISTEN_MAX];
};

static struct conf fresh;
static struct sections sections;
static enum wire_storage storage;

/* Each error is a line of the answer, and one of the log. */
static void
complain(void *arg, const char *line)
{
	struct reload *r = arg;
	struct m_ok text;

	r->errors++;
	log_event(LOG_ERR, "reload.error", LOG_S("what", line));
	memset(&text, 0, sizeof(text));
	strlcpy(text.text, line, sizeof(text.text));
	chan_send(r->auth, M_SB_TEXT, r->id, -1, &text, sizeof(text));
}

/* What it changes goes to auth, for the trail: a word for each, but bounded. */
static void
changed(void *arg, const struct m_change *c)
{
	struct reload *r = arg;

	if (r->changes++ < CHANGES_MAX)
		chan_send(r->auth, M_SB_CHANGE, r->id, -1, c, sizeof(*c));
}

static void
tell_changes(struct reload *r)
{
	struct m_change rest;

	conf_diff(&isolation.conf, &fresh, changed, r);
	if (r->changes <= CHANGES_MAX)
		return;
	memset(&rest, 0, sizeof(rest));
	rest.more = r->changes - CHANGES_MAX;
	chan_send(r->auth, M_SB_CHANGE, r->id, -1, &rest, sizeof(rest));
}

static void
refuse(struct reload *r, const char *what)
{
	char line[128];

	snprintf(
	    line, sizeof(line), "%s cannot change while ided runs: restart it", what);
	complain(r, line);
}

static void
unchanged(struct reload *r)
{
	const struct conf *old = &isolation.conf;

	if (strcmp(fresh.common.data, old->common.data) != 0)
		refuse(r, "data");
	if (strcmp(fresh.common.runtime, old->common.runtime) != 0)
		refuse(r, "runtime");
	if (fresh.isolation.uid_first != old->isolation.uid_first ||
	    fresh.isolation.uid_count != old->isolation.uid_count)
		refuse(r, "isolation uids");
	if (fresh.isolation.kind != old->isolation.kind)
		refuse(r, "isolation's strategy");
	if (fresh.auth.argon2_helpers != old->auth.argon2_helpers)
		refuse(r, "auth argon2 helpers");
	if (fresh.common.log_to != old->common.log_to)
		refuse(r, "log to");
}

static bool
is_open(const struct conf_listen *l)
{
	const struct conf *old = &isolation.conf;
	uint32_t i;

	for (i = 0; i < old->nlisten; i++)
		if (old->listen[i].addrlen == l->addrlen &&
		    memcmp(&old->listen[i].addr, &l->addr, l->addrlen) == 0)
			return true;
	return false;
}

static void
open_listeners(struct reload *r)
{
	char err[512];
	uint32_t i;

	for (i = 0; i < fresh.nlisten; i++) {
		if (is_open(&fresh.listen[i]))
			continue;
		r->listen[i] = listen_open(&fresh.listen[i], err, sizeof(err));
		if (r->listen[i] == -1)
			complain(r, err);
	}
}

static void
tell_master(struct reload *r)
{
	struct chan *master = &isolation.master;
	struct m_listen l;
	uint32_t i;

	chan_send(master, M_CONF_MASTER, 0, section_master(), NULL, 0);
	for (i = 0; i < fresh.nlisten; i++) {
		if (r->listen[i] == -1)
			continue;
		memset(&l, 0, sizeof(l));
		l.index = i;
		chan_send(master, M_LISTEN, 0, r->listen[i], &l, sizeof(l));
		r->listen[i] = -1;
	}
	chan_send(master, M_LISTEN_DONE, 0, -1, NULL, 0);
}

int
reload_log_open(const struct conf_common *common)
{
	return open(common->log_file,
	    O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0640);
}

/* After rotation the old file is somebody else's business. */
static void
new_log(void)
{
	const struct conf_common *common = &isolation.conf.common;
	int fd, copy;

	if (common->log_to == LOG_TO_FILE) {
		fd = reload_log_open(common);
		if (fd == -1) {
			log_warn("log \"%s\" stays the old file", common->log_file);
		} else {
			log_set_fd(fd);
			copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
			if (copy != -1)
				chan_send(
				    &isolation.master, M_LOG_FILE, 0, copy, NULL, 0);
			children_log(fd);
		}
	}
	log_init("isolation", log_get_fd(), common->log_format, common->log_level,
	    common->log_to == LOG_TO_SYSLOG);
}

/* The file that says when somebody was last active. */
void
reload_heart(void)
{
	const char *path = isolation.conf.heartbeat;
	int fd;

	if (path[0] == '\0')
		return;
	fd = open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0644);
	if (fd == -1)
		log_warn("heartbeat \"%s\" is not written", path);
	else
		chan_send(&isolation.master, M_HEART_FILE, 0, fd, NULL, 0);
}

/* What was not asked for at the start may be now. */
static void
lacking(void *arg, const char *what, const char *why, bool required)
{
	struct reload *r = arg;
	char line[256];

	if (!required)
		return;
	snprintf(line, sizeof(line),
	    "isolation requires %s, which this machine has not: %s", what, why);
	complain(r, line);
}

static void
read_all(struct reload *r)
{
	char err[CONF_PATH_MAX + 256], why[256];
	struct storage_dirs dirs;

	if (conf_parse(&fresh, isolation.conf_file, isolation.def, isolation.ndef,
		environ, complain, r) > 0)
		return;
	if (isolation.verbose)
		fresh.common.log_level = LOG_DEBUG;
	unchanged(r);
	if (conf_check(&fresh, complain, r) > 0 || r->errors > 0)
		return;
	features_lacking(&fresh.isolation, lacking, r);
	if (sections_read(&sections, &fresh, err, sizeof(err)) == -1)
		complain(r, err);
	dirs = storage_dirs();
	if (storage_choose(&dirs, &fresh.isolation, &storage, why, sizeof(why)) == -1) {
		snprintf(err, sizeof(err), "isolation storage: %s", why);
		complain(r, err);
	}
	if (audit_file_check(fresh.audit.file) == -1) {
		snprintf(err, sizeof(err), "audit file \"%s\": %s", fresh.audit.file,
		    strerror(errno));
		complain(r, err);
	}
	if (r->errors == 0)
		open_listeners(r);
	/* Last, as its rules are in effect at once. */
	if (r->errors == 0 && net_reload(&fresh, err, sizeof(err)) == -1)
		complain(r, err);
}

void
reload_conf(struct chan *c, uint32_t id)
{
	struct reload r = { .auth = c, .id = id };
	uint32_t i;

	for (i = 0; i < CONF_LISTEN_MAX; i++)
		r.listen[i] = -1;
	memset(&fresh, 0, sizeof(fresh));
	read_all(&r);
	if (r.errors > 0) {
		for (i = 0; i < CONF_LISTEN_MAX; i++)
			if (r.listen[i] != -1)
				close(r.listen[i]);
		log_event(LOG_WARNING, "reload.refused", LOG_N("errors", r.errors));
		answer_fail(answer_epoch(), id, FAIL_INVALID,
		    "the configuration has errors; the old one stays");
		return;
	}
	tell_changes(&r);
	isolation.conf = fresh;
	storage_set_mode(storage);
	sections_take(&sections);
	new_log();
	reload_heart();
	tell_master(&r);
	children_reload();
	net_sweep();
	box_limits_all();
	ready_release_all();
	watch_configure();
	spare_renew();
	log_event(LOG_NOTICE, "reload.done", LOG_S("file", isolation.conf_file));
	answer_ok(answer_epoch(), id, "reloaded");
}
