/*
 * The rest of a worker, as far as a front (h1.c, h2.c) wants it, with nobody
 * behind the connection.  What answers does all that a stream can do: long and
 * short answers, echoes, tunnels, pauses, resets.
 */
#ifndef FUZZ_ANSWERS_H
#define FUZZ_ANSWERS_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../privsep/log.h"
#include "../../worker/conn_int.h"
#include "../../worker/respond.h"
#include "../../worker/tls.h"
#include "fuzz.h"

static unsigned int open_streams;
static uint8_t output[1024 * 1024];

/* --- the rest of the worker, as far as the front wants it --- */

struct worker worker;

void
worker_stage(enum wire_stage stage)
{
	check(stage == STAGE_BAD_REQUEST);
}

void
worker_count(uint32_t requests, uint64_t in, uint64_t out)
{
	check(requests <= 1 && in <= CONN_IN_MAX * 16 && out <= OUT_MAX * 16);
}

void
worker_rid(char rid[WIRE_RID])
{
	memset(rid, '0', WIRE_RID - 1);
	rid[WIRE_RID - 1] = '\0';
}

SSL *
tls_new(int fd, struct chan *keys)
{
	(void)fd;
	(void)keys;
	return (NULL);
}

int
tls_handshake(SSL *ssl, short *want, const char **why)
{
	(void)ssl;
	(void)want;
	(void)why;
	return (-1);
}

bool
tls_saw_plain(void)
{
	return (false);
}

size_t
tls_plain(uint8_t *buf, size_t size)
{
	(void)buf;
	(void)size;
	return 0;
}

void
tls_more(bool more)
{
	(void)more;
}

bool
tls_is_h2(const SSL *ssl)
{
	(void)ssl;
	return (true);
}

const char *
tls_server_name(const SSL *ssl)
{
	(void)ssl;
	return ("");
}

/* --- what answers --- */

static void
on_body(struct stream *s, const uint8_t *data, size_t len)
{
	check(!s->closed && !s->body_done && !s->paused);
	if (s->head.target.len > 2 && s->head.target.p[2] == 'p')
		stream_pause(s, true);
	if (len > 3 && data[0] == 'r')
		stream_reset(s);
	else if (len > 3 && data[0] == 'e')
		stream_end(s);
	else
		stream_write(s, data, len);
}

static void
on_body_end(struct stream *s)
{
	check(s->body_done);
	stream_end(s);
}

static void
on_drain(struct stream *s)
{
	stream_write(s, output, stream_room(s));
	stream_pause(s, false);
}

static void
on_close(struct stream *s)
{
	check(s->arg == output);
	s->arg = NULL;
	open_streams--;
}

void
stream_request(struct stream *s)
{
	static const struct header h[] = { HEADER("a", "b") };
	const struct http_head *head = &s->head;
	struct evbuffer *buffer;
	uint8_t *p;

	/* What http1.h promises. */
	check(http_is_token(head->token) && http_authority(head->host, NULL, NULL) &&
	    head->nheader <= HTTP_HEADER_MAX);
	check(http_target_check(head->method, head->target) == HTTP_E_NONE);
	for (size_t i = 0; i < head->nheader; i++)
		check(http_is_token(head->header[i].name) &&
		    http_is_value(head->header[i].value));
	open_streams++;
	s->arg = output;
	s->on_close = on_close;
	s->on_drain = on_drain;
	if (s->websocket && head->target.len > 1) {
		s->on_body = on_body;
		s->on_body_end = on_body_end;
		stream_upgrade(s, h, 1);
		return;
	}
	switch (head->target.len > 1 ? head->target.p[1] : '\0') {
	case 'e': /* echo */
		s->on_body = on_body;
		s->on_body_end = on_body_end;
		stream_respond(s, 200, h, 1, -1);
		break;
	case 'b': /* big */
		stream_respond(s, 200, h, 1, 10000000);
		while (stream_room(s) > 0 && (p = stream_reserve(s, 16384)) != NULL) {
			memset(p, 'x', 100);
			stream_commit(s, 100);
			stream_write(s, output, 16000);
		}
		break;
	case 'c': /* of unknown length, in both ways of writing */
		stream_respond(s, 200, h, 1, -1);
		if ((p = stream_reserve(s, 1000)) != NULL) {
			memset(p, 'x', 1000);
			stream_commit(s, head->target.len % 1000);
		}
		if ((buffer = evbuffer_new()) != NULL) {
			evbuffer_add(buffer, output, 3000);
			stream_write_buffer(s, buffer);
			evbuffer_free(buffer);
		}
		stream_end(s);
		break;
	case 'l': /* later, and never */
		break;
	case 'r':
		stream_reset(s);
		break;
	case 's': /* short of what was promised */
		stream_respond(s, 200, h, 1, 100);
		stream_end(s);
		break;
	default:
		stream_respond(s, 204, h, 1, 0);
		stream_end(s);
	}
}

static void
never(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

#endif
