/*
 * A name is looked up in a process of its own.  What the machine has for that
 * (nsswitch.conf(5)) is other people's code, and reads what strangers answer: it may
 * read files of the machine, speak to whoever knows names, and say which addresses it
 * was told; it holds neither the way to auth nor the feed's connection, and what it says
 * is taken for addresses and for nothing else.
 */
#include <sys/prctl.h>
#include <sys/wait.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bsd/unistd.h>

#include "../log.h"
#include "fetch.h"

static int
take(struct fetch_names *a, const char *host, uint16_t port)
{
	struct addrinfo hints, *list, *i;
	char service[8];
	int r;

	memset(&hints, 0, sizeof(hints));
	hints.ai_family = AF_UNSPEC;
	hints.ai_socktype = SOCK_STREAM;
	hints.ai_flags = AI_NUMERICSERV;
	snprintf(service, sizeof(service), "%u", port);
	if ((r = getaddrinfo(host, service, &hints, &list)) != 0)
		return r;
	for (i = list; i != NULL && a->n < FETCH_ADDRESSES; i = i->ai_next)
		if ((i->ai_family == AF_INET || i->ai_family == AF_INET6) &&
		    i->ai_addrlen <= sizeof(a->addr[0]))
			memcpy(&a->addr[a->n++], i->ai_addr, i->ai_addrlen);
	freeaddrinfo(list);
	return 0;
}

static void __attribute__((__noreturn__))
look_up(int out, const char *host, uint16_t port)
{
	struct fetch_names a;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	(void)prctl(PR_SET_NAME, "ided-names", 0, 0, 0);
	setproctitle("-ided: names");
	/* Nothing but the log, and where it is to say what it was told. */
	if (dup2(out, FD_PARENT) == -1)
		fatal("descriptors");
	(void)close(FD_CONF);
	(void)close(FD_ROOT);
	closefrom(FD_EXTRA);
	sandbox_stay();
	sandbox_enter(&sandbox_names);
	memset(&a, 0, sizeof(a));
	a.result = take(&a, host, port);
	(void)!write(FD_PARENT, &a, sizeof(a));
	_exit(0);
}

bool
fetch_addresses(
    const struct fetch_names *a, size_t len, uint16_t port, struct fetch_to *to)
{
	const struct sockaddr_in *four;
	uint32_t i;

	memset(to, 0, sizeof(*to));
	if (len != sizeof(*a) || a->result != 0 || a->n == 0 || a->n > FETCH_ADDRESSES)
		return false;
	for (i = 0; i < a->n; i++) {
		four = (const struct sockaddr_in *)&a->addr[i];
		if (four->sin_port != htons(port))
			return false;
		if (four->sin_family == AF_INET)
			to->len[i] = sizeof(struct sockaddr_in);
		else if (four->sin_family == AF_INET6)
			to->len[i] = sizeof(struct sockaddr_in6);
		else
			return false;
		memcpy(&to->addr[i], &a->addr[i], to->len[i]);
	}
	to->n = a->n;
	return true;
}

/* An address is nothing to be looked up. */
static bool
is_address(const char *host, uint16_t port, struct fetch_names *a)
{
	struct sockaddr_in *four = (struct sockaddr_in *)&a->addr[0];

	memset(a, 0, sizeof(*a));
	a->n = 1;
	if (inet_pton(AF_INET, host, &four->sin_addr) == 1) {
		four->sin_family = AF_INET;
		four->sin_port = htons(port);
		return true;
	}
	if (inet_pton(AF_INET6, host, &a->addr[0].sin6_addr) == 1) {
		a->addr[0].sin6_family = AF_INET6;
		a->addr[0].sin6_port = htons(port);
		return true;
	}
	return false;
}

static ssize_t
hear(int in, struct fetch_names *a)
{
	ssize_t n;

	if (!fetch_wait(in, POLLIN))
		return -1;
	do
		n = read(in, a, sizeof(*a)); /* of a pipe, in one piece */
	while (n == -1 && errno == EINTR);
	return n;
}

int
fetch_resolve(const char *host, uint16_t port, struct fetch_to *to, char why[FETCH_WHY])
{
	const char *text = "no address";
	struct fetch_names a;
	ssize_t n = sizeof(a);
	int p[2];
	pid_t pid;

	if (!is_address(host, port, &a)) {
		if (pipe2(p, O_CLOEXEC) == -1 || (pid = fork()) == -1)
			fatal("looking up a name");
		if (pid == 0)
			look_up(p[1], host, port);
		close(p[1]);
		n = hear(p[0], &a);
		close(p[0]);
		(void)kill(pid, SIGKILL); /* not yet waited for */
		while (waitpid(pid, NULL, 0) == -1 && errno == EINTR)
			;
	}
	if (n > 0 && fetch_addresses(&a, (size_t)n, port, to))
		return 0;
	if (n == -1)
		text = "nobody says in time where it is";
	else if (n == sizeof(a) && a.result != 0)
		text = gai_strerror(a.result);
	snprintf(why, FETCH_WHY, "%.80s: %s", host, text);
	return -1;
}
