/*
 * Services of the site's own (location in ided.conf(5)): who asks for one through
 * auth gets a connection to it, or a file of its folder, and nothing else is ever
 * connected or opened than what the configuration names.  Not a byte of either is
 * read here.
 *
 * Names of hosts are looked up in /etc/hosts, once, when a configuration is taken: a
 * name server's answer is the network's word, and who is told about users is not to
 * hang on that.
 */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "../location.h"
#include "../log.h"
#include "box.h"
#include "isolation.h"
#include "sandbox_steps.h"

#define HOSTS       "/etc/hosts"
#define PENDING_MAX 128  /* connections on their way */
#define CONNECT_MS  5000 /* that one may take */

static struct sockaddr_storage addresses[CONF_LOCATION_MAX];

/* A connection that is not there yet. */
static struct pending {
	bool used;
	int fd;
	uint32_t epoch;
	uint32_t id;
	char prefix[CONF_NAME_MAX];
	struct event *ev;
} pending[PENDING_MAX];

/* --- where it is --- */

static bool
numeric(const char *host, uint16_t port, struct sockaddr_storage *to)
{
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)to;
	struct sockaddr_in *four = (struct sockaddr_in *)to;

	memset(to, 0, sizeof(*to));
	if (inet_pton(AF_INET, host, &four->sin_addr) == 1) {
		four->sin_family = AF_INET;
		four->sin_port = htons(port);
		return true;
	}
	if (inet_pton(AF_INET6, host, &six->sin6_addr) == 1) {
		six->sin6_family = AF_INET6;
		six->sin6_port = htons(port);
		return true;
	}
	return false;
}

/* The first line of /etc/hosts that has the name. */
static bool
named(const char *host, uint16_t port, struct sockaddr_storage *to)
{
	char line[1024], *address, *name, *rest;
	bool found = false;
	FILE *f;

	f = fopen(HOSTS, "re");
	if (f == NULL)
		return false;
	while (!found && fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "#\n")] = '\0';
		address = strtok_r(line, " \t", &rest);
		while (!found && address != NULL &&
		    (name = strtok_r(NULL, " \t", &rest)) != NULL)
			found = strcasecmp(name, host) == 0 && numeric(address, port, to);
	}
	fclose(f);
	return found;
}

/* "host:port" or "[address]:port", as the configuration writes it. */
static bool
resolve(const struct conf_location *l, struct sockaddr_storage *to)
{
	char host[CONF_PATH_MAX], *colon, *start = host;
	uint16_t port;

	snprintf(host, sizeof(host), "%s", l->target);
	colon = strrchr(host, ':');
	if (colon == NULL)
		return false;
	port = (uint16_t)strtoul(colon + 1, NULL, 10);
	*colon = '\0';
	if (*start == '[') {
		start++;
		colon[-1] = '\0';
	}
	return numeric(start, port, to) || named(start, port, to);
}

static bool
is_tcp(const struct conf_location *l)
{
	return l->kind == LOCATION_PROXY_TCP || l->kind == LOCATION_PROXY_TLS;
}

int
locations_resolve(const struct conf *conf, struct sockaddr_storage to[CONF_LOCATION_MAX],
    char *err, size_t errlen)
{
	uint32_t i;

	for (i = 0; i < conf->nlocation; i++) {
		if (!is_tcp(&conf->location[i]) || resolve(&conf->location[i], &to[i]))
			continue;
		snprintf(err, errlen, "location \"%s\": %s is not in " HOSTS,
		    conf->location[i].prefix, conf->location[i].target);
		return -1;
	}
	return 0;
}

void
locations_take(const struct sockaddr_storage to[CONF_LOCATION_MAX])
{
	memcpy(addresses, to, sizeof(addresses));
}

/* --- before anything is started --- */

const char *
ca_lacks(const char *path)
{
	static char why[CONF_PATH_MAX + 128];
	X509 *cert;
	FILE *f;

	f = fopen(path, "re");
	if (f == NULL) {
		snprintf(why, sizeof(why), "ca \"%s\": %s", path, strerror(errno));
		return why;
	}
	cert = PEM_read_X509(f, NULL, NULL, NULL);
	fclose(f);
	ERR_clear_error();
	if (cert == NULL) {
		snprintf(why, sizeof(why), "ca \"%s\": holds no certificate in PEM form",
		    path);
		return why;
	}
	X509_free(cert);
	return NULL;
}

static const char *
root_lacks(const char *path)
{
	static char why[CONF_PATH_MAX + 128];
	struct stat st;
	int fd;

	fd = bind_open(path);
	if (fd == -1) {
		snprintf(why, sizeof(why), "root \"%s\": %s", path,
		    errno == ELOOP ? "a symbolic link is on the way; name the folder "
				     "that it leads to" :
				     strerror(errno));
		return why;
	}
	if (fstat(fd, &st) == -1 || !S_ISDIR(st.st_mode)) {
		close(fd);
		snprintf(why, sizeof(why), "root \"%s\": is not a folder", path);
		return why;
	}
	close(fd);
	return NULL;
}

const char *
location_lacks(const struct conf_location *l)
{
	static char why[CONF_PATH_MAX + 256];
	struct sockaddr_storage to;

	if (l->kind == LOCATION_ROOT)
		return root_lacks(l->target);
	if (is_tcp(l) && !resolve(l, &to)) {
		snprintf(why, sizeof(why),
		    "%s: the host is neither an address nor in " HOSTS
		    "; name servers are not asked: add a line for it there",
		    l->target);
		return why;
	}
	return l->kind == LOCATION_PROXY_TLS ? ca_lacks(l->ca) : NULL;
}

/* --- a connection --- */

static void
refuse(uint32_t epoch, uint32_t id, const char *prefix, uint32_t code, const char *why)
{
	char text[WIRE_TEXT];

	log_event(
	    LOG_WARNING, "location.failed", LOG_S("location", prefix), LOG_S("why", why));
	snprintf(
	    text, sizeof(text), "The service at %s cannot be reached: %s.", prefix, why);
	answer_fail(epoch, id, code, text);
}

static uint32_t
code_of(int error)
{
	switch (error) {
	case EAGAIN:
	case EMFILE:
	case ENFILE:
		return FAIL_BUSY;
	case ETIMEDOUT:
		return FAIL_TIMEOUT;
	default:
		return FAIL_NOT_FOUND;
	}
}

static void
hand_over(uint32_t epoch, uint32_t id, int fd)
{
	if (epoch != answer_epoch() || isolation.auth == NULL)
		close(fd);
	else
		chan_send(isolation.auth, M_SB_FD, id, fd, NULL, 0);
}

static void
pending_free(struct pending *p)
{
	event_free(p->ev);
	memset(p, 0, sizeof(*p));
}

static void
on_connected(evutil_socket_t fd, short what, void *arg)
{
	struct pending *p = arg, was = *p;
	socklen_t len = sizeof(int);
	int error = ETIMEDOUT;

	(void)fd;
	if ((what & EV_TIMEOUT) == 0 &&
	    getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1)
		error = errno;
	pending_free(p);
	if (error == 0) {
		hand_over(was.epoch, was.id, was.fd);
		return;
	}
	close(was.fd);
	refuse(was.epoch, was.id, was.prefix, code_of(error), strerror(error));
}

static void
wait_for(const struct conf_location *l, uint32_t id, int fd)
{
	struct timeval tv = isolation_ms(CONNECT_MS);
	struct pending *p = NULL;
	unsigned int i;

	for (i = 0; i < PENDING_MAX && p == NULL; i++)
		if (!pending[i].used)
			p = &pending[i];
	if (p == NULL) {
		close(fd);
		refuse(answer_epoch(), id, l->prefix, FAIL_BUSY,
		    "too many connections are on their way");
		return;
	}
	p->used = true;
	p->fd = fd;
	p->epoch = answer_epoch();
	p->id = id;
	snprintf(p->prefix, sizeof(p->prefix), "%s", l->prefix);
	p->ev = event_new(isolation.base, fd, EV_WRITE, on_connected, p);
	if (p->ev == NULL || event_add(p->ev, &tv) == -1)
		fatalx("out of memory");
}

/* By what the path leads to without a symbolic link, whoever may make one there. */
static int
connect_unix(const char *path, int fd)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int at, r, error;

	at = bind_open(path);
	if (at == -1)
		return -1;
	snprintf(un.sun_path, sizeof(un.sun_path), "/proc/self/fd/%d", at);
	r = connect(fd, (struct sockaddr *)&un, sizeof(un));
	error = errno;
	close(at);
	errno = error;
	return r;
}

static int
connect_tcp(const struct sockaddr_storage *to, int fd)
{
	int on = 1;

	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == -1)
		return -1;
	return connect(fd, (const struct sockaddr *)to,
	    to->ss_family == AF_INET ? sizeof(struct sockaddr_in) :
				       sizeof(struct sockaddr_in6));
}

void
location_connect(struct chan *c, struct msg *m)
{
	const struct conf *conf = &isolation.conf;
	const struct sockaddr_storage *to;
	const struct conf_location *l;
	int fd, r;

	(void)c;
	l = location_find(
	    conf->location, conf->nlocation, MSG_DATA(m, m_location)->location);
	if (l == NULL || l->kind == LOCATION_ROOT) {
		answer_fail(answer_epoch(), m->head.id, FAIL_UNAVAILABLE,
		    "there is no such service any more: load the page again");
		return;
	}
	to = &addresses[l - conf->location];
	fd = socket(is_tcp(l) ? to->ss_family : AF_UNIX,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	r = fd == -1 ? -1 : is_tcp(l) ? connect_tcp(to, fd) : connect_unix(l->target, fd);
	if (r == 0) {
		hand_over(answer_epoch(), m->head.id, fd);
	} else if (fd != -1 && errno == EINPROGRESS) {
		wait_for(l, m->head.id, fd);
	} else {
		r = errno;
		if (fd != -1)
			close(fd);
		refuse(answer_epoch(), m->head.id, l->prefix, code_of(r), strerror(r));
	}
}

/* --- a file --- */

/*
 * Opens what is below a folder, a step at a time: no symbolic link, nothing whose name
 * begins with a dot, and nothing that not everybody may read.  -1 with errno; EISDIR
 * for a folder.
 */
static int
open_below(const char *root, char *path)
{
	char self[32], *name, *rest = path;
	struct stat st;
	int dir, fd;

	dir = bind_open(root);
	while (dir != -1) {
		if (fstat(dir, &st) == -1 ||
		    (st.st_mode & (S_ISDIR(st.st_mode) ? 1 : 4)) == 0)
			errno = EACCES;
		else if (rest == NULL)
			errno = S_ISDIR(st.st_mode) ? EISDIR :
			    S_ISREG(st.st_mode)     ? 0 :
						      EACCES;
		else
			errno = S_ISDIR(st.st_mode) ? 0 : ENOTDIR;
		if (errno != 0 || rest == NULL)
			break;
		name = strsep(&rest, "/");
		/* One '/' at the end names the folder. */
		if (*name == '\0' && rest == NULL)
			continue;
		if (*name == '\0' || *name == '.') {
			errno = ENOENT;
			break;
		}
		fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		close(dir);
		dir = fd;
	}
	if (dir == -1)
		return -1;
	fd = -1;
	if (errno == 0) {
		snprintf(self, sizeof(self), "/proc/self/fd/%d", dir);
		fd = open(self, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	}
	close(dir);
	return fd;
}

void
location_file(struct chan *c, struct msg *m)
{
	const struct m_location_file *r = MSG_DATA(m, m_location_file);
	const struct conf *conf = &isolation.conf;
	const struct conf_location *l;
	char path[WIRE_FILE];
	int fd;

	(void)c;
	l = location_find(conf->location, conf->nlocation, r->location);
	if (l == NULL || l->kind != LOCATION_ROOT || !wire_str(r->path)) {
		answer_fail(answer_epoch(), m->head.id, FAIL_UNAVAILABLE,
		    "there is no such folder any more: load the page again");
		return;
	}
	memcpy(path, r->path, sizeof(path));
	fd = open_below(l->target, path);
	if (fd != -1)
		chan_send(isolation.auth, M_SB_FILE_FD, m->head.id, fd, NULL, 0);
	else
		answer_fail(answer_epoch(), m->head.id,
		    errno == EISDIR                        ? FAIL_EXISTS :
			errno == EMFILE || errno == ENFILE ? FAIL_BUSY :
							     FAIL_NOT_FOUND,
		    strerror(errno));
}
