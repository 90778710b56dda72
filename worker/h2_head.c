/*
 * From a header block to a request's head.
 *
 * nghttp2 has looked for what RFC 9113 8 calls malformed.  This looks again,
 * with the rules and the bounds of http1.h, for what would become
 * something else once it is written as HTTP/1.1.
 */
#include <string.h>

#include "h2.h"

static const struct {
	const char *name;
	size_t len;
} pseudo_names[PSEUDO_MAX] = {
	[PSEUDO_METHOD] = { ":method", 7 },
	[PSEUDO_SCHEME] = { ":scheme", 7 },
	[PSEUDO_AUTHORITY] = { ":authority", 10 },
	[PSEUDO_PATH] = { ":path", 5 },
	[PSEUDO_PROTOCOL] = { ":protocol", 9 },
};

/* Of a connection, hence not of HTTP/2: RFC 9113 8.2.2. */
static bool
is_connection_specific(enum http_hdr id)
{
	return (id == HDR_CONNECTION || id == HDR_KEEP_ALIVE ||
	    id == HDR_PROXY_CONNECTION || id == HDR_TRANSFER_ENCODING ||
	    id == HDR_UPGRADE || id == HDR_HTTP2_SETTINGS);
}

void
h2_block_begin(struct h2_block *b, bool trailer)
{
	memset(b, 0, offsetof(struct h2_block, pseudo));
	memset(b->has, 0, sizeof(b->has));
	b->open = true;
	b->trailer = trailer;
}

static struct h2_text
keep(struct h2_block *b, struct slice s)
{
	struct h2_text t = { b->used, (uint32_t)s.len };

	if (s.len > 0)
		memcpy(b->buf + b->used, s.p, s.len);
	b->used += (uint32_t)s.len;
	return (t);
}

static enum http_error
add_pseudo(struct h2_block *b, struct slice name, struct slice value)
{
	for (size_t i = 0; i < PSEUDO_MAX; i++) {
		if (!slice_eq(name,
			(struct slice){ pseudo_names[i].name, pseudo_names[i].len }))
			continue;
		if (b->has[i])
			return (HTTP_E_DUP);
		if (b->nfields > 0)
			return (HTTP_E_NAME); /* after the others */
		b->has[i] = true;
		b->pseudo[i] = keep(b, value);
		return (HTTP_E_NONE);
	}
	return (HTTP_E_NAME);
}

bool
h2_block_add(struct h2_block *b, struct slice name, struct slice value)
{
	if (name.len > H2_LIST_STOP || value.len > H2_LIST_STOP)
		return (false);
	b->list += (uint32_t)(name.len + value.len) + H2_FIELD_COST;
	if (b->list > H2_LIST_STOP)
		return (false);
	if (b->error != HTTP_E_NONE || b->trailer)
		return (true);
	if (b->list > H2_LIST_MAX)
		b->error = HTTP_E_HEAD_LONG;
	else if (name.len > 0 && name.p[0] == ':')
		b->error = add_pseudo(b, name, value);
	else if (b->nfields == HTTP_HEADER_MAX)
		b->error = HTTP_E_HEADERS;
	else {
		b->name[b->nfields] = keep(b, name);
		b->value[b->nfields++] = keep(b, value);
	}
	return (true);
}

static struct slice
pseudo(const struct h2_block *b, const char *bytes, enum h2_pseudo which)
{
	if (!b->has[which])
		return ((struct slice){ NULL, 0 });
	return ((struct slice){ bytes + b->pseudo[which].at, b->pseudo[which].len });
}

/* The request line, if it were one. */
static enum http_error
finish_line(const struct h2_block *b, const char *bytes, struct slice scheme,
    struct http_head *head, struct h2_request *rq)
{
	struct slice protocol = pseudo(b, bytes, PSEUDO_PROTOCOL);

	head->minor = 1;
	head->token = pseudo(b, bytes, PSEUDO_METHOD);
	head->target = pseudo(b, bytes, PSEUDO_PATH);
	if (!http_is_token(head->token))
		return (HTTP_E_METHOD);
	if (head->token.len > HTTP_METHOD_MAX)
		return (HTTP_E_METHOD_LONG);
	head->method = http_method(head->token);
	if (head->method == METHOD_CONNECT) {
		/* No tunnel to anywhere: only to our own WebSockets. */
		if (!slice_eq(protocol, SLICE("websocket")))
			return (HTTP_E_CONNECT);
		head->method = METHOD_GET;
		head->token = SLICE("GET");
		rq->websocket = true;
	} else if (protocol.p != NULL)
		return (HTTP_E_UPGRADE);
	if (!slice_eq(pseudo(b, bytes, PSEUDO_SCHEME), scheme))
		return (HTTP_E_TARGET);
	return (http_target_check(head->method, head->target));
}

/* :authority becomes Host, in lower case as http1.h wants it. */
static enum http_error
finish_host(const struct h2_block *b, char *bytes, struct http_head *head)
{
	struct slice host = pseudo(b, bytes, PSEUDO_AUTHORITY);
	char *p;

	if (host.len == 0)
		return (HTTP_E_NO_HOST);
	p = bytes + b->pseudo[PSEUDO_AUTHORITY].at;
	for (size_t i = 0; i < host.len; i++)
		p[i] = (char)slice_lower(p[i]);
	return (http_head_add(head, SLICE("host"), host));
}

/* u=0..7 of a priority header, RFC 9218 4.1; anything else is the default. */
static unsigned int
urgency(struct slice value)
{
	struct slice item;

	while (http_list_next(&value, &item))
		if (item.len == 3 && item.p[0] == 'u' && item.p[1] == '=' &&
		    item.p[2] >= '0' && item.p[2] <= '7')
			return ((unsigned int)(item.p[2] - '0'));
	return (NGHTTP2_EXTPRI_DEFAULT_URGENCY);
}

static enum http_error
finish_field(
    struct slice name, struct slice value, struct http_head *head, struct h2_request *rq)
{
	enum http_hdr id = http_hdr_lookup(name);

	if (is_connection_specific(id))
		return (HTTP_E_CONNECTION);
	if (id == HDR_HOST) {
		if (!slice_caseeq(value, http_header(head, HDR_HOST)))
			return (HTTP_E_HOST);
		return (HTTP_E_NONE);
	}
	if (id == HDR_TE) {
		/* Ours with the client, and trailers are not passed on. */
		if (!slice_caseeq(value, SLICE("trailers")))
			return (HTTP_E_TE);
		return (HTTP_E_NONE);
	}
	if (slice_eq(name, SLICE("priority")))
		rq->urgency = urgency(value);
	return (http_head_add(head, name, value));
}

static enum http_error
finish_body(struct http_head *head, bool end_stream, bool websocket)
{
	if (websocket)
		return (head->content_length == -1 && !end_stream ? HTTP_E_NONE :
								    HTTP_E_LENGTH);
	if (end_stream) {
		if (head->content_length > 0)
			return (HTTP_E_LENGTH);
		head->body = BODY_NONE;
	} else if (head->content_length == -1)
		head->body = BODY_CHUNKED; /* of unknown length */
	return (HTTP_E_NONE);
}

enum http_error
h2_block_finish(const struct h2_block *b, char *bytes, struct slice scheme,
    bool end_stream, struct http_head *head, struct h2_request *rq)
{
	enum http_error e;

	*rq = (struct h2_request){ false, NGHTTP2_EXTPRI_DEFAULT_URGENCY };
	if (b->error != HTTP_E_NONE)
		return (b->error);
	if ((e = finish_line(b, bytes, scheme, head, rq)) != HTTP_E_NONE ||
	    (e = finish_host(b, bytes, head)) != HTTP_E_NONE)
		return (e);
	for (uint32_t i = 0; i < b->nfields; i++) {
		e = finish_field((struct slice){ bytes + b->name[i].at, b->name[i].len },
		    slice_trim((struct slice){ bytes + b->value[i].at, b->value[i].len }),
		    head, rq);
		if (e != HTTP_E_NONE)
			return (e);
	}
	if ((e = http_head_finish(head, false)) != HTTP_E_NONE)
		return (e);
	return (finish_body(head, end_stream, rq->websocket));
}
