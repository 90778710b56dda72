/*
 * The client of gateway.mjs: one TLS connection to a gateway on loopback.
 *
 *	gateway_load echo PORT PATH COOKIE COUNT
 *		a WebSocket: a message of 64 bytes, its echo, and the next; prints
 *		the median and the 99th percentile of a round trip in µs
 *	gateway_load message PORT PATH COOKIE BYTES
 *		a WebSocket: one message of so many bytes, its echo, and again;
 *		prints the median in ms
 *	gateway_load get PORT PATH COOKIE BYTES
 *	gateway_load put PORT PATH COOKIE BYTES
 *		one large answer, one large request; prints MiB/s
 */
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#define BUFFER  (256 * 1024)
#define PIECE   (64 * 1024) /* of a request's body */
#define MESSAGE 64
#define FIRST   200 /* round trips that are not counted */

static SSL *ssl;
static char buf[BUFFER];
static size_t have; /* in buf, of what followed the head */

static void __attribute__((__noreturn__)) die(const char *what)
{
	fprintf(stderr, "gateway_load: %s\n", what);
	ERR_print_errors_fp(stderr);
	exit(1);
}

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static void
dial(int port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port) };
	static const int on = 1;
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd == -1 || connect(fd, (void *)&sin, sizeof(sin)) == -1)
		die("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	/* The same for both: each would choose another one. */
	if (ctx == NULL || SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256") != 1)
		die("TLS");
	SSL_CTX_set_read_ahead(ctx, 1);
	SSL_CTX_set_default_read_buffer_len(ctx, BUFFER);
	ssl = SSL_new(ctx);
	if (ssl == NULL || SSL_set_fd(ssl, fd) != 1 ||
	    SSL_set_tlsext_host_name(ssl, "localhost") != 1 || SSL_connect(ssl) != 1)
		die("handshake");
}

static void
put(const void *p, size_t len)
{
	size_t n;

	if (SSL_write_ex(ssl, p, len, &n) != 1 || n != len)
		die("write");
}

static size_t
get(void *p, size_t len)
{
	size_t n;

	if (SSL_read_ex(ssl, p, len, &n) != 1)
		die("the connection ended");
	return n;
}

static void
ask(const char *method, int port, const char *path, const char *cookie, const char *more)
{
	static char head[8192];
	int n;

	n = snprintf(head, sizeof(head),
	    "%s %s HTTP/1.1\r\nHost: localhost:%d\r\nCookie: %s\r\n"
	    "Origin: https://localhost:%d\r\n%s\r\n",
	    method, path, port, cookie, port, more);
	put(head, (size_t)n);
}

/* A head with that status; what follows it stays in buf. */
static void
answer(const char *status)
{
	char *end;

	while ((end = memmem(buf, have, "\r\n\r\n", 4)) == NULL)
		have += get(buf + have, sizeof(buf) - have);
	if (memcmp(buf + 9, status, 3) != 0) {
		fwrite(buf, 1, have, stderr);
		die("another status than expected");
	}
	end += 4;
	have -= (size_t)(end - buf);
	memmove(buf, end, have);
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void
echo(size_t count)
{
	static unsigned char message[6 + MESSAGE] = { 0x82, 0x80 | MESSAGE };
	double *took = calloc(count, sizeof(*took)), t;

	if (took == NULL)
		die("out of memory");
	for (size_t i = 0; i < count + FIRST; i++) {
		t = now();
		put(message, sizeof(message));
		for (have = 0; have < 2 + MESSAGE;)
			have += get(buf, sizeof(buf));
		if (i >= FIRST)
			took[i - FIRST] = now() - t;
	}
	qsort(took, count, sizeof(*took), compare);
	printf("%.1f %.1f\n", took[count / 2], took[count * 99 / 100]);
}

#define MESSAGES 9

static void
message(uint64_t bytes)
{
	unsigned char head[14] = { 0x82, 0x80 | 127 };
	double took[MESSAGES], t;
	uint64_t all;

	for (int i = 0; i < 8; i++)
		head[2 + i] = (unsigned char)(bytes >> (56 - 8 * i));
	for (int i = 0; i < MESSAGES; i++) {
		t = now();
		put(head, sizeof(head));
		for (all = 0; all < bytes; all += PIECE)
			put(buf, bytes - all < PIECE ? bytes - all : PIECE);
		for (all = 0; all < 10 + bytes;)
			all += get(buf, sizeof(buf));
		took[i] = (now() - t) / 1e3;
	}
	qsort(took, MESSAGES, sizeof(*took), compare);
	printf("%.2f\n", took[MESSAGES / 2]);
}

static double
rate(uint64_t bytes, double since)
{
	return (double)bytes / (now() - since) * 1e6 / (1024 * 1024);
}

int
main(int argc, char *argv[])
{
	uint64_t n, all;
	char length[64];
	double since;
	int port;

	if (argc != 6 || (n = strtoull(argv[5], NULL, 10)) == 0)
		die("usage: gateway_load echo|message|get|put PORT PATH COOKIE "
		    "COUNT|BYTES");
	port = atoi(argv[2]);
	dial(port);
	if (strcmp(argv[1], "echo") == 0 || strcmp(argv[1], "message") == 0) {
		ask("GET", port, argv[3], argv[4],
		    "Connection: Upgrade\r\nUpgrade: websocket\r\n"
		    "Sec-WebSocket-Version: 13\r\n"
		    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n");
		answer("101");
		if (argv[1][0] == 'e')
			echo(n);
		else
			message(n);
		return 0;
	}
	since = now();
	if (strcmp(argv[1], "get") == 0) {
		ask("GET", port, argv[3], argv[4], "");
		answer("200");
		for (all = have; all < n;)
			all += get(buf, sizeof(buf));
	} else {
		snprintf(length, sizeof(length), "Content-Length: %llu\r\n",
		    (unsigned long long)n);
		ask("POST", port, argv[3], argv[4], length);
		for (all = 0; all < n; all += PIECE)
			put(buf, n - all < PIECE ? n - all : PIECE);
		answer("200");
	}
	printf("%.2f\n", rate(n, since));
	return 0;
}
