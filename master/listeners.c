/* Listening sockets of the master: accept, admission, hand over. */
#include <sys/socket.h>

#include <netinet/in.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../privsep/fdpass.h"
#include "../privsep/listen.h"
#include "../privsep/log.h"
#include "admission.h"
#include "master.h"

#define ACCEPT_BURST 16
#define PAUSE_MS     100 /* when descriptors or memory ran out */
#define BEHIND_MS    5   /* when workers are not made that fast */

struct listener {
	struct conf_listen conf;
	int fd;
	struct event *ev;
};

static struct listener listeners[CONF_LISTEN_MAX];
static int pending[CONF_LISTEN_MAX]; /* of the new configuration */
static struct event *resume;
static bool started;

static void on_accept(evutil_socket_t, short, void *);

static void
source_of(const struct sockaddr_storage *ss, struct wire_addr *a)
{
	const struct sockaddr_in6 *in6 = (const void *)ss;
	const struct sockaddr_in *in = (const void *)ss;

	memset(a, 0, sizeof(*a));
	switch (ss->ss_family) {
	case AF_INET:
		a->ip[10] = a->ip[11] = 0xff;
		memcpy(a->ip + 12, &in->sin_addr, 4);
		a->port = ntohs(in->sin_port);
		break;
	case AF_INET6:
		memcpy(a->ip, &in6->sin6_addr, 16);
		a->port = ntohs(in6->sin6_port);
		break;
	default:
		a->unix_peer = 1;
		break;
	}
}

void
listeners_refused(enum admit why)
{
	static int64_t last;
	static uint32_t since;
	int64_t now = master_now_ms();

	master.count.refused++;
	since++;
	/* One line a second at most: a flood must not fill the disk. */
	if (now - last >= 1000) {
		log_event(LOG_NOTICE, "connection.refused", LOG_S("why", admit_name(why)),
		    LOG_N("count", since));
		last = now;
		since = 0;
	}
}

/* Is it one of the proxies, whose word about others is believed? */
static bool
is_proxy(const struct conf_listen *l, const struct wire_addr *a)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	struct conf_prefix p = { .family = AF_INET6, .len = 128 };
	uint32_t i;

	if (a->unix_peer)
		return true;
	memcpy(p.addr, a->ip, 16);
	if (memcmp(a->ip, mapped, sizeof(mapped)) == 0) {
		p.family = AF_INET;
		p.len = 32;
		memcpy(p.addr, a->ip + 12, 4);
	}
	for (i = 0; i < l->nfrom && i < CONF_FROM_MAX; i++)
		if (conf_prefix_holds(&l->from[i], &p))
			return true;
	return false;
}

/*
 * From a proxy: it stands for many, and its clients are admitted when it has told
 * who they are (pool.c).
 */
static void
take_proxied(int fd, struct wire_addr *addr, const struct conf_listen *l)
{
	if (!is_proxy(l, addr)) {
		listeners_refused(ADMIT_NO_PROXY);
		close(fd);
		return;
	}
	addr->unix_peer = 1;
	pool_give(fd, addr, l, NULL);
}

static void
set_accepting(bool on)
{
	int i;

	for (i = 0; i < CONF_LISTEN_MAX; i++) {
		if (listeners[i].ev == NULL)
			continue;
		if (on)
			event_add(listeners[i].ev, NULL);
		else
			event_del(listeners[i].ev);
	}
}

static void
on_resume(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	if (started)
		set_accepting(true);
}

/* Connections wait in the kernel, which holds as many as listen(2) was told. */
static void
rest(int ms)
{
	const struct timeval pause = { 0, ms * 1000 };

	set_accepting(false);
	event_add(resume, &pause);
}

static void
on_accept(evutil_socket_t fd, short what, void *arg)
{
	struct listener *l = arg;
	struct sockaddr_storage ss;
	struct wire_addr addr;
	struct source *src;
	enum admit a;
	socklen_t len;
	int i, c;

	(void)what;
	for (i = 0; i < ACCEPT_BURST; i++) {
		if (pool_behind()) {
			rest(BEHIND_MS);
			return;
		}
		len = sizeof(ss);
		memset(&ss, 0, sizeof(ss));
		c = accept4(
		    fd, (struct sockaddr *)&ss, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (c == -1) {
			if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
			    errno == ENOMEM) {
				log_warn("accept; pausing");
				rest(PAUSE_MS);
			}
			return;
		}
		source_of(&ss, &addr);
		if (l->conf.proxy_protocol) {
			take_proxied(c, &addr, &l->conf);
			continue;
		}
		a = admission_check(&addr, master_now_ms(), pool_unauthenticated(), &src);
		if (a != ADMIT_OK && a != ADMIT_EVICT) {
			listeners_refused(a);
			close(c);
			continue;
		}
		if (a == ADMIT_EVICT)
			pool_evict();
		pool_give(c, &addr, &l->conf, src);
	}
}

static void
listener_set(struct listener *l, const struct conf_listen *c, int fd)
{
	l->conf = *c;
	l->fd = fd;
	l->ev = event_new(master.base, fd, EV_READ | EV_PERSIST, on_accept, l);
	if (l->ev == NULL)
		fatalx("listeners: out of memory");
	if (started)
		event_add(l->ev, NULL);
}

void
listeners_init(const int fds[CONF_LISTEN_MAX])
{
	uint32_t i;

	resume = event_new(master.base, -1, 0, on_resume, NULL);
	if (resume == NULL)
		fatalx("listeners: out of memory");
	for (i = 0; i < CONF_LISTEN_MAX; i++) {
		listeners[i].fd = pending[i] = -1;
		if (i < master.conf.nlisten && fds[i] != -1)
			listener_set(&listeners[i], &master.conf.listen[i], fds[i]);
	}
}

void
listeners_start(void)
{
	started = true;
	set_accepting(true);
}

void
listeners_stop(void)
{
	int i;

	started = false;
	for (i = 0; i < CONF_LISTEN_MAX; i++) {
		if (listeners[i].ev != NULL)
			event_free(listeners[i].ev);
		if (listeners[i].fd != -1)
			close(listeners[i].fd);
		listeners[i].ev = NULL;
		listeners[i].fd = -1;
	}
}

/*
 * sd_notify(3), FDSTORE=1: the manager keeps a socket, with what waits in its
 * backlog, and hands it to whoever is started next: no client is refused when
 * ided is restarted, however it ended.
 */
static void
store_one(const struct listener *l)
{
	char text[256], name[160], *p;
	struct iovec iov = { text, 0 };

	listen_name(&l->conf, name, sizeof(name));
	for (p = name; *p != '\0'; p++)
		if (*p == ':' || *p == ' ' || *p == '"')
			*p = '-';
	iov.iov_len = (size_t)snprintf(
	    text, sizeof(text), "FDSTORE=1\nFDNAME=%s\n", name);
	if (fdpass_send(master.notify, &iov, 1, l->fd, 0) == -1)
		log_debug("the service manager keeps no sockets");
}

void
listeners_keep(void)
{
	int i;

	for (i = 0; master.notify != -1 && i < CONF_LISTEN_MAX; i++)
		if (listeners[i].fd != -1)
			store_one(&listeners[i]);
}

/* For a successor: the same sockets, each in a message of its own. */
void
listeners_hand(struct chan *c, uint32_t id)
{
	int i, fd;

	for (i = 0; i < CONF_LISTEN_MAX; i++) {
		if (listeners[i].fd == -1)
			continue;
		fd = fcntl(listeners[i].fd, F_DUPFD_CLOEXEC, 3);
		if (fd == -1)
			log_warn("handing a socket over");
		else
			chan_send(c, M_HANDOVER_LISTEN, id, fd, NULL, 0);
	}
}

/* A socket for line `index' of a configuration that is on its way. */
void
listeners_new(uint32_t index, int fd)
{
	if (index >= CONF_LISTEN_MAX) {
		close(fd);
		return;
	}
	if (pending[index] != -1)
		close(pending[index]);
	pending[index] = fd;
}

static int
take_open(const struct conf_listen *c)
{
	int i, fd;

	for (i = 0; i < CONF_LISTEN_MAX; i++) {
		fd = listeners[i].fd;
		if (fd == -1 || listeners[i].conf.addrlen != c->addrlen ||
		    memcmp(&listeners[i].conf.addr, &c->addr, c->addrlen) != 0)
			continue;
		event_free(listeners[i].ev);
		listeners[i].ev = NULL;
		listeners[i].fd = -1;
		return fd;
	}
	return -1;
}

/*
 * The new configuration counts: sockets of addresses that stay are kept, with
 * what waits in their backlog; those that are gone are closed.
 */
void
listeners_apply(const struct conf_for_master *conf)
{
	int fds[CONF_LISTEN_MAX];
	bool was = started;
	uint32_t i;

	for (i = 0; i < conf->nlisten; i++) {
		fds[i] = pending[i];
		pending[i] = -1;
		if (fds[i] == -1)
			fds[i] = take_open(&conf->listen[i]);
	}
	listeners_stop();
	started = was;
	for (i = 0; i < conf->nlisten; i++)
		if (fds[i] != -1)
			listener_set(&listeners[i], &conf->listen[i], fds[i]);
}
