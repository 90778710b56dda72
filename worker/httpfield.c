/*
 * Header fields: which they are, and what they say about the message and
 * the connection.  See http1.h.
 */
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <stdint.h>
#include <string.h>

#include "http1.h"

/* More options than this in Connection are an attack on our time. */
#define CONNECTION_MAX 16

#define X(id, name, flags) name,
static const char *const hdr_name[HDR_MAX] = { "", HTTP_HDRS(X) };
#undef X
#define X(id, name, flags) sizeof(name) - 1,
static const uint8_t hdr_len[HDR_MAX] = { 0, HTTP_HDRS(X) };
#undef X
#define X(id, name, flags) flags,
static const uint8_t hdr_flags[HDR_MAX] = { 0, HTTP_HDRS(X) };
#undef X

bool
http_list_next(struct slice *list, struct slice *element)
{
	const char *comma;
	size_t n;

	while (list->len > 0) {
		comma = memchr(list->p, ',', list->len);
		n = comma == NULL ? list->len : (size_t)(comma - list->p);
		*element = slice_trim((struct slice){ list->p, n });
		if (comma != NULL)
			n++;
		list->p += n;
		list->len -= n;
		if (element->len > 0)
			return (true);
	}
	return (false);
}

/* The lengths lie in one cache line: memchr finds the few to compare. */
enum http_hdr
http_hdr_lookup(struct slice name)
{
	const uint8_t *l = hdr_len + 1, *end = hdr_len + HDR_MAX;

	if (name.len == 0 || name.len > UINT8_MAX)
		return (HDR_OTHER);
	while ((l = memchr(l, (int)name.len, (size_t)(end - l))) != NULL) {
		if (memcmp(hdr_name[l - hdr_len], name.p, name.len) == 0)
			return ((enum http_hdr)(l - hdr_len));
		if (++l == end)
			break;
	}
	return (HDR_OTHER);
}

const char *
http_hdr_name(enum http_hdr id)
{
	return (id < HDR_MAX ? hdr_name[id] : "");
}

int
http_hdr_flags(enum http_hdr id)
{
	return (id < HDR_MAX ? hdr_flags[id] : 0);
}

struct slice
http_header(const struct http_head *h, enum http_hdr id)
{
	if (id <= HDR_OTHER || id >= HDR_MAX || h->first[id] == 0)
		return ((struct slice){ NULL, 0 });
	return (h->header[h->first[id] - 1].value);
}

bool
http_header_is_hop(const struct http_head *h, const struct http_header *hdr)
{
	struct slice list, option;

	if (hdr_flags[hdr->id] & HTTP_HDR_HOP)
		return (true);
	if (h->first[HDR_CONNECTION] == 0)
		return (false);
	for (size_t i = h->first[HDR_CONNECTION] - 1U; i < h->nheader; i++) {
		if (h->header[i].id != HDR_CONNECTION)
			continue;
		list = h->header[i].value;
		while (http_list_next(&list, &option))
			if (slice_caseeq(option, hdr->name))
				return (true);
	}
	return (false);
}

/* digits of a port, 1..65535, in their one spelling */
static bool
port_parse(struct slice s, uint32_t *port)
{
	uint32_t n = 0;

	if (s.len == 0 || s.len > 5 || s.p[0] == '0')
		return (false);
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return (false);
		n = n * 10 + (uint32_t)(s.p[i] - '0');
	}
	*port = n;
	return (n <= 65535);
}

static bool
is_host(char c)
{
	unsigned char l = slice_lower(c);

	return ((l >= 'a' && l <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
	    c == '.' || c == '_');
}

/* Labels of 1 to 63 bytes, 253 in all, a dot at the end allowed. */
static bool
name_ok(struct slice s)
{
	size_t label = 0;

	if (s.len > 0 && s.p[s.len - 1] == '.')
		s.len--;
	if (s.len == 0 || s.len > 253)
		return (false);
	for (size_t i = 0; i < s.len; i++) {
		if (!is_host(s.p[i]))
			return (false);
		if (s.p[i] != '.')
			label++;
		else if (label == 0)
			return (false);
		else
			label = 0;
		if (label > 63)
			return (false);
	}
	return (label > 0);
}

static bool
ipv6_ok(struct slice s)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr addr;

	if (s.len >= sizeof(text))
		return (false);
	memcpy(text, s.p, s.len);
	text[s.len] = '\0';
	return (strlen(text) == s.len && inet_pton(AF_INET6, text, &addr) == 1);
}

bool
http_authority(struct slice s, struct slice *host, uint32_t *port)
{
	const char *end;
	struct slice name = s;
	uint32_t n = 0;

	if (s.len == 0)
		return (false);
	if (s.p[0] == '[') {
		if ((end = memchr(s.p, ']', s.len)) == NULL)
			return (false);
		name.len = (size_t)(end - s.p) + 1;
		if (!ipv6_ok((struct slice){ s.p + 1, name.len - 2 }))
			return (false);
	} else {
		if ((end = memchr(s.p, ':', s.len)) != NULL)
			name.len = (size_t)(end - s.p);
		if (!name_ok(name))
			return (false);
	}
	if (name.len < s.len &&
	    (s.p[name.len] != ':' ||
		!port_parse(
		    (struct slice){ s.p + name.len + 1, s.len - name.len - 1 }, &n)))
		return (false);
	if (host != NULL)
		*host = name;
	if (port != NULL)
		*port = n;
	return (true);
}

/*
 * A gateway interface that writes '_' for '-' would take such a name for the
 * one that we look at, or that we set.
 */
static bool
name_is_alias(struct slice name)
{
	char canon[32];

	if (name.len > sizeof(canon) || memchr(name.p, '_', name.len) == NULL)
		return (false);
	for (size_t i = 0; i < name.len; i++)
		canon[i] = name.p[i] == '_' ? '-' : name.p[i];
	return (http_hdr_lookup((struct slice){ canon, name.len }) != HDR_OTHER);
}

enum http_error
http_head_add(struct http_head *h, struct slice name, struct slice value)
{
	if (!http_is_token(name))
		return (HTTP_E_NAME);
	for (size_t i = 0; i < name.len; i++)
		if (name.p[i] >= 'A' && name.p[i] <= 'Z')
			return (HTTP_E_NAME);
	return (http_head_put(h, name, value));
}

enum http_error
http_head_put(struct http_head *h, struct slice name, struct slice value)
{
	enum http_hdr id;

	if (!http_is_value(value))
		return (HTTP_E_VALUE);
	if (h->nheader == HTTP_HEADER_MAX)
		return (HTTP_E_HEADERS);
	id = http_hdr_lookup(name);
	if (id == HDR_OTHER) {
		if (!h->response && name_is_alias(name))
			return (HTTP_E_NAME_ALIAS);
	} else if (h->first[id] == 0)
		h->first[id] = (uint8_t)(h->nheader + 1);
	else if (hdr_flags[id] & HTTP_HDR_ONCE)
		return (HTTP_E_DUP);
	h->header[h->nheader++] = (struct http_header){ name, value, id };
	return (HTTP_E_NONE);
}

/* Is it an option that a peer may not set, since it names a header meant for
 * whoever is behind us?  (It would have us drop, say, Host or Origin.) */
static bool
option_harmful(struct slice option)
{
	char name[32];
	enum http_hdr id;

	if (option.len > sizeof(name))
		return (false);
	for (size_t i = 0; i < option.len; i++)
		name[i] = (char)slice_lower(option.p[i]);
	id = http_hdr_lookup((struct slice){ name, option.len });
	return (id != HDR_OTHER && (hdr_flags[id] & HTTP_HDR_HOP) == 0);
}

static enum http_error
finish_connection(struct http_head *h)
{
	struct slice list, option;
	int n = 0;

	for (size_t i = 0; i < h->nheader; i++) {
		if (h->header[i].id != HDR_CONNECTION)
			continue;
		list = h->header[i].value;
		while (http_list_next(&list, &option)) {
			if (++n > CONNECTION_MAX || !http_is_token(option))
				return (HTTP_E_CONNECTION);
			if (slice_caseeq(option, SLICE("close")))
				h->conn_close = true;
			else if (slice_caseeq(option, SLICE("keep-alive")))
				h->conn_keep = true;
			else if (slice_caseeq(option, SLICE("upgrade")))
				h->conn_upgrade = true;
			else if (!h->response && option_harmful(option))
				return (HTTP_E_CONNECTION);
		}
	}
	return (HTTP_E_NONE);
}

/* DIGIT 1*18DIGIT; the zeros that the grammar allows only from upstream */
static enum http_error
finish_length(struct http_head *h)
{
	struct slice s = http_header(h, HDR_CONTENT_LENGTH);
	uint64_t n = 0;

	if (s.p == NULL)
		return (HTTP_E_NONE);
	if (s.len == 0)
		return (HTTP_E_LENGTH);
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return (HTTP_E_LENGTH);
	if (s.len > 1 && s.p[0] == '0' && !h->response)
		return (HTTP_E_LENGTH);
	while (s.len > 1 && s.p[0] == '0') {
		s.p++;
		s.len--;
	}
	if (s.len > 19)
		return (HTTP_E_LENGTH_BIG);
	for (size_t i = 0; i < s.len; i++)
		n = n * 10 + (uint64_t)(s.p[i] - '0');
	if (n > INT64_MAX)
		return (HTTP_E_LENGTH_BIG);
	h->content_length = (int64_t)n;
	return (HTTP_E_NONE);
}

static enum http_error
finish_framing(struct http_head *h, bool was_head)
{
	struct slice te = http_header(h, HDR_TRANSFER_ENCODING);
	enum http_error e;

	if ((e = finish_length(h)) != HTTP_E_NONE)
		return (e);
	if (te.p != NULL) {
		if (h->content_length != -1)
			return (HTTP_E_TE_CL);
		if (h->minor == 0)
			return (HTTP_E_TE_10);
		if (h->response ? !slice_caseeq(te, SLICE("chunked")) :
				  !slice_eq(te, SLICE("chunked")))
			return (HTTP_E_TE);
		h->chunked = true;
	}
	if (h->response && (h->status < 200 || h->status == 204)) {
		/* Such an answer ends with its head, so nobody may say else. */
		if (h->chunked || h->content_length > 0)
			return (HTTP_E_NO_BODY);
	} else if (h->response && (was_head || h->status == 304))
		h->body = BODY_NONE;
	else if (h->chunked)
		h->body = BODY_CHUNKED;
	else if (h->content_length > 0)
		h->body = BODY_LENGTH;
	else if (h->response && h->content_length == -1)
		h->body = BODY_CLOSE;
	return (HTTP_E_NONE);
}

static enum http_error
finish_upgrade(struct http_head *h)
{
	struct slice list = http_header(h, HDR_UPGRADE), protocol, part;
	const char *slash;
	bool websocket = false;
	int n = 0;

	for (; http_list_next(&list, &protocol); n++) {
		websocket = slice_caseeq(protocol, SLICE("websocket"));
		part = protocol;
		if ((slash = memchr(part.p, '/', part.len)) != NULL) {
			part.len = (size_t)(slash - part.p);
			if (!http_is_token(
				(struct slice){ slash + 1, protocol.len - part.len - 1 }))
				return (HTTP_E_UPGRADE);
		}
		if (!http_is_token(part))
			return (HTTP_E_UPGRADE);
	}
	/* A choice of several, or a wish in HTTP/1.0, is for us no wish. */
	h->websocket = websocket && n == 1 && h->conn_upgrade && h->minor == 1 &&
	    (h->response ? h->status == 101 : h->method == METHOD_GET);
	if (h->websocket && h->body != BODY_NONE)
		return (HTTP_E_NO_BODY);
	return (HTTP_E_NONE);
}

static enum http_error
finish_request(struct http_head *h)
{
	struct slice expect = http_header(h, HDR_EXPECT);

	h->host = http_header(h, HDR_HOST);
	if (h->host.p == NULL)
		return (HTTP_E_NO_HOST);
	if (!http_authority(h->host, &h->hostname, &h->port))
		return (HTTP_E_HOST);
	if (expect.p != NULL) {
		if (!slice_caseeq(expect, SLICE("100-continue")))
			return (HTTP_E_EXPECT);
		/* HTTP/1.0 has no 100: RFC 9110 10.1.1. */
		h->expect_continue = h->minor == 1;
	}
	return (HTTP_E_NONE);
}

enum http_error
http_head_finish(struct http_head *h, bool was_head)
{
	enum http_error e;

	if ((!h->response && (e = finish_request(h)) != HTTP_E_NONE) ||
	    (e = finish_connection(h)) != HTTP_E_NONE ||
	    (e = finish_framing(h, was_head)) != HTTP_E_NONE ||
	    (e = finish_upgrade(h)) != HTTP_E_NONE)
		return (e);
	h->keep_alive = !h->conn_close && (h->minor == 1 || h->conn_keep) &&
	    h->body != BODY_CLOSE;
	return (HTTP_E_NONE);
}
