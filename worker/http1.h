/*
 * HTTP/1.1 message heads: RFC 9112 (syntax, framing) and RFC 9110 (fields).
 *
 * The parser works on the caller's buffer and allocates nothing.  The caller
 * appends what it reads to one contiguous buffer and calls again with the same
 * start and the new length:
 *
 *	http_head_init(&h);
 *	...
 *	switch (http_request_parse(&h, buf, len)) {
 *	case HTTP_MORE:		read on; everything before len was looked at
 *	case HTTP_DONE:		the head is buf[0..h.size), what follows is body
 *	case HTTP_ERROR:	h.error; answer http_error_status(), close
 *	}
 *
 * A line is looked at once, when it is complete.  Should the buffer have moved
 * since the last call, the parser starts over, with the same result.  However
 * the bytes are cut into calls, the result is the same.
 *
 * The buffer is written to: field names, and the value of Host, become lower
 * case.  All slices point into the buffer and are good while it stays as it is.
 *
 * What is not exactly right is refused, never repaired: after HTTP_ERROR
 * the connection must be closed, since nobody can say where the next message
 * begins.  Refused beyond what RFC 9112 requires: obs-fold, absolute-form and
 * authority-form, leading zeros in a request's Content-Length, transfer
 * codings other than chunked, a second header of a kind that comes once,
 * names that turn into a known one by '_' for '-', Connection options that
 * name an end-to-end header, and HTTP/1.0 without Host.
 */
#ifndef WORKER_HTTP1_H
#define WORKER_HTTP1_H

#include <stdbool.h>
#include <stdint.h>

#include "slice.h"

#define HTTP_HEAD_MAX   32768 /* bytes of a head, final CRLF included */
#define HTTP_TARGET_MAX 8192  /* bytes of a request target */
#define HTTP_METHOD_MAX 32    /* bytes of a method name */
#define HTTP_HEADER_MAX 100   /* header lines */

enum http_result {
	HTTP_ERROR = -1,
	HTTP_MORE = 0,
	HTTP_DONE = 1,
};

enum http_method {
	METHOD_OTHER, /* a well-formed token: 501 or 405 */
	METHOD_GET,
	METHOD_HEAD,
	METHOD_POST,
	METHOD_PUT,
	METHOD_DELETE,
	METHOD_OPTIONS,
	METHOD_PATCH,
	METHOD_TRACE,
	METHOD_CONNECT /* never of a parsed request: 501 */
};

/*
 * Everything that can be wrong: name, status to answer a request with, reason
 * for the log (and only for the log).  The status of any error in a response
 * from upstream is 502.
 */
#define HTTP_ERRORS(X)                                                                   \
	X(HTTP_E_NONE, 200, "no error")                                                  \
	X(HTTP_E_TLS, 400, "TLS record where HTTP is spoken")                            \
	X(HTTP_E_PREFACE, 505, "HTTP/2 connection preface")                              \
	X(HTTP_E_GARBAGE, 400, "not HTTP")                                               \
	X(HTTP_E_BARE_LF, 400, "line ends in LF without CR")                             \
	X(HTTP_E_START, 400, "malformed start line")                                     \
	X(HTTP_E_METHOD, 400, "method is no token")                                      \
	X(HTTP_E_METHOD_LONG, 501, "method too long")                                    \
	X(HTTP_E_CONNECT, 501, "CONNECT")                                                \
	X(HTTP_E_TARGET, 400, "malformed or foreign target")                             \
	X(HTTP_E_TARGET_LONG, 414, "target too long")                                    \
	X(HTTP_E_VERSION, 400, "malformed HTTP version")                                 \
	X(HTTP_E_VERSION_OTHER, 505, "HTTP version not 1.0 or 1.1")                      \
	X(HTTP_E_STATUS, 502, "malformed status")                                        \
	X(HTTP_E_HEAD_LONG, 431, "head too long")                                        \
	X(HTTP_E_HEADERS, 431, "too many headers")                                       \
	X(HTTP_E_FOLD, 400, "white space at the start of a line")                        \
	X(HTTP_E_NAME, 400, "malformed header name")                                     \
	X(HTTP_E_NAME_SPACE, 400, "white space before the colon")                        \
	X(HTTP_E_NAME_ALIAS, 400, "header name that can be mistaken")                    \
	X(HTTP_E_VALUE, 400, "control character in a value")                             \
	X(HTTP_E_DUP, 400, "header that comes once came twice")                          \
	X(HTTP_E_NO_HOST, 400, "no Host")                                                \
	X(HTTP_E_HOST, 400, "malformed Host")                                            \
	X(HTTP_E_LENGTH, 400, "malformed Content-Length")                                \
	X(HTTP_E_LENGTH_BIG, 413, "Content-Length beyond 2^63")                          \
	X(HTTP_E_TE, 400, "Transfer-Encoding is not chunked")                            \
	X(HTTP_E_TE_10, 400, "Transfer-Encoding in HTTP/1.0")                            \
	X(HTTP_E_TE_CL, 400, "Transfer-Encoding and Content-Length")                     \
	X(HTTP_E_NO_BODY, 400, "body where none can be")                                 \
	X(HTTP_E_CONNECTION, 400, "malformed or harmful Connection")                     \
	X(HTTP_E_EXPECT, 417, "unknown expectation")                                     \
	X(HTTP_E_UPGRADE, 400, "malformed Upgrade")

#define X(name, status, reason) name,
enum http_error { HTTP_ERRORS(X) HTTP_E_MAX };
#undef X

/*
 * The headers that somebody here cares about.  Flags:
 * ONCE: a second one is an error.  HOP: concerns this connection only, and
 * is not forwarded.  Any other name is HDR_OTHER.
 */
#define HTTP_HDR_ONCE 0x01
#define HTTP_HDR_HOP  0x02

#define HTTP_HDRS(X)                                                                     \
	X(HDR_ACCEPT, "accept", 0)                                                       \
	X(HDR_ACCEPT_ENCODING, "accept-encoding", 0)                                     \
	X(HDR_ACCEPT_LANGUAGE, "accept-language", 0)                                     \
	X(HDR_AUTHORIZATION, "authorization", HTTP_HDR_ONCE)                             \
	X(HDR_CACHE_CONTROL, "cache-control", 0)                                         \
	X(HDR_CONNECTION, "connection", HTTP_HDR_HOP)                                    \
	X(HDR_CONTENT_ENCODING, "content-encoding", 0)                                   \
	X(HDR_CONTENT_LENGTH, "content-length", HTTP_HDR_ONCE)                           \
	X(HDR_CONTENT_SECURITY_POLICY, "content-security-policy", 0)                     \
	X(HDR_CONTENT_TYPE, "content-type", HTTP_HDR_ONCE)                               \
	X(HDR_COOKIE, "cookie", 0)                                                       \
	X(HDR_DATE, "date", 0)                                                           \
	X(HDR_ETAG, "etag", 0)                                                           \
	X(HDR_EXPECT, "expect", HTTP_HDR_ONCE)                                           \
	X(HDR_FORWARDED, "forwarded", 0)                                                 \
	X(HDR_HOST, "host", HTTP_HDR_ONCE)                                               \
	X(HDR_HTTP2_SETTINGS, "http2-settings", HTTP_HDR_HOP)                            \
	X(HDR_IF_MODIFIED_SINCE, "if-modified-since", HTTP_HDR_ONCE)                     \
	X(HDR_IF_NONE_MATCH, "if-none-match", 0)                                         \
	X(HDR_IF_RANGE, "if-range", HTTP_HDR_ONCE)                                       \
	X(HDR_KEEP_ALIVE, "keep-alive", HTTP_HDR_HOP)                                    \
	X(HDR_LAST_MODIFIED, "last-modified", 0)                                         \
	X(HDR_LOCATION, "location", HTTP_HDR_ONCE)                                       \
	X(HDR_ORIGIN, "origin", HTTP_HDR_ONCE)                                           \
	X(HDR_PROXY_AUTHENTICATE, "proxy-authenticate", HTTP_HDR_HOP)                    \
	X(HDR_PROXY_AUTHORIZATION, "proxy-authorization", HTTP_HDR_HOP)                  \
	X(HDR_PROXY_CONNECTION, "proxy-connection", HTTP_HDR_HOP)                        \
	X(HDR_RANGE, "range", HTTP_HDR_ONCE)                                             \
	X(HDR_REFERER, "referer", 0)                                                     \
	X(HDR_SEC_FETCH_DEST, "sec-fetch-dest", HTTP_HDR_ONCE)                           \
	X(HDR_SEC_FETCH_MODE, "sec-fetch-mode", HTTP_HDR_ONCE)                           \
	X(HDR_SEC_FETCH_SITE, "sec-fetch-site", HTTP_HDR_ONCE)                           \
	X(HDR_SEC_WEBSOCKET_ACCEPT, "sec-websocket-accept", HTTP_HDR_ONCE)               \
	X(HDR_SEC_WEBSOCKET_EXTENSIONS, "sec-websocket-extensions", 0)                   \
	X(HDR_SEC_WEBSOCKET_KEY, "sec-websocket-key", HTTP_HDR_ONCE)                     \
	X(HDR_SEC_WEBSOCKET_PROTOCOL, "sec-websocket-protocol", 0)                       \
	X(HDR_SEC_WEBSOCKET_VERSION, "sec-websocket-version", HTTP_HDR_ONCE)             \
	X(HDR_SERVER, "server", 0)                                                       \
	X(HDR_SET_COOKIE, "set-cookie", 0)                                               \
	X(HDR_STRICT_TRANSPORT_SECURITY, "strict-transport-security", 0)                 \
	X(HDR_TE, "te", HTTP_HDR_HOP)                                                    \
	X(HDR_TRAILER, "trailer", HTTP_HDR_HOP)                                          \
	X(HDR_TRANSFER_ENCODING, "transfer-encoding", HTTP_HDR_ONCE | HTTP_HDR_HOP)      \
	X(HDR_UPGRADE, "upgrade", HTTP_HDR_ONCE | HTTP_HDR_HOP)                          \
	X(HDR_USER_AGENT, "user-agent", 0)                                               \
	X(HDR_X_CSRF_TOKEN, "x-csrf-token", HTTP_HDR_ONCE)                               \
	X(HDR_X_FORWARDED_FOR, "x-forwarded-for", 0)                                     \
	X(HDR_X_FORWARDED_HOST, "x-forwarded-host", 0)                                   \
	X(HDR_X_FORWARDED_PORT, "x-forwarded-port", 0)                                   \
	X(HDR_X_FORWARDED_PROTO, "x-forwarded-proto", 0)                                 \
	X(HDR_X_IDED_WAITS, "x-ided-waits", HTTP_HDR_ONCE)                               \
	X(HDR_X_REAL_IP, "x-real-ip", 0)

#define X(id, name, flags) id,
enum http_hdr {
	HDR_OTHER,
	HTTP_HDRS(X) HDR_MAX,
};
#undef X

/* How the body that follows is delimited: RFC 9112 6.3. */
enum http_body {
	BODY_NONE,
	BODY_LENGTH,  /* content_length bytes, 1 or more */
	BODY_CHUNKED, /* see chunk.h */
	BODY_CLOSE    /* responses only: until the peer closes */
};

struct http_header {
	struct slice name;  /* lower case, a token */
	struct slice value; /* trimmed; HTAB, SP..~, 0x80..0xff */
	enum http_hdr id;
};

struct http_head {
	/* request line */
	enum http_method method;
	struct slice token;  /* the method as sent */
	struct slice target; /* "/...", or "*" with OPTIONS */
	/* status line */
	int status;          /* 100..599, 0 in a request */
	struct slice reason; /* may be empty */
	/* both */
	int minor; /* HTTP/1.minor: 0 or 1 */
	enum http_body body;
	int64_t content_length; /* as sent; -1: none */
	bool chunked;
	bool keep_alive; /* the connection may be used again */
	bool websocket;  /* both Upgrade and Connection say so */
	bool expect_continue;
	bool conn_close, conn_keep, conn_upgrade; /* Connection */

	struct slice host;     /* Host, lower case, with port */
	struct slice hostname; /* without port; IPv6 in brackets */
	uint32_t port;         /* 1..65535; 0: none given */

	size_t nheader;
	uint8_t first[HDR_MAX]; /* index + 1 of the first; 0: none */

	size_t size;           /* bytes of the head, once it is done */
	enum http_error error; /* after HTTP_ERROR */

	/* the parser's own */
	char *buf;   /* where the last call found the bytes */
	size_t line; /* start of the line being read */
	size_t scan; /* no line end before this */
	uint8_t state;
	bool response;

	/* in order of arrival; last, since it need not be cleared */
	struct http_header header[HTTP_HEADER_MAX];
};

/* Makes a head ready for its first byte; a head may be used again. */
void http_head_init(struct http_head *);

/*
 * Parses a request's head.  buf[0..len) holds all bytes of it that there are,
 * and is written to.  Any call after HTTP_DONE or HTTP_ERROR repeats that.
 */
enum http_result http_request_parse(struct http_head *, char *buf, size_t len);

/*
 * Parses the head of an upstream's response to a request, which was HEAD or
 * not.  Status 100..199 is an interim response, of which several may come:
 * it has no body, and after its h->size bytes the next head follows (init, and
 * parse from there).  101 ends HTTP on that connection; whether it was asked
 * for is the caller's to check.
 */
enum http_result http_response_parse(
    struct http_head *, char *buf, size_t len, bool was_head);

/* Status to answer with, and reason for the log. */
int http_error_status(enum http_error);
const char *http_error_reason(enum http_error);
/* "HTTP_E_..." */
const char *http_error_name(enum http_error);

/*
 * The pieces, for heads that do not come as text (HTTP/2) and share these
 * rules.  add: one header, name in lower case already; checks both, classifies,
 * refuses duplicates.  finish: derives host, framing and connection state, as
 * after the empty line.  Each returns HTTP_E_NONE or what is wrong.  put is add
 * for a name that is known to be a token in lower case.
 */
enum http_error http_head_add(struct http_head *, struct slice name, struct slice value);
enum http_error http_head_put(struct http_head *, struct slice name, struct slice value);
enum http_error http_head_finish(struct http_head *, bool was_head);
enum http_method http_method(struct slice token);
/* Right for this method, and its bytes those of a target?  RFC 9112 3.2. */
enum http_error http_target_check(enum http_method, struct slice target);

/* First header of that kind; absent (p == NULL) when there is none. */
struct slice http_header(const struct http_head *, enum http_hdr);
/*
 * Is the header for this connection only, by its kind or since Connection
 * names it?  Such a header is not forwarded.  RFC 9110 7.6.1.
 */
bool http_header_is_hop(const struct http_head *, const struct http_header *);
/* Which header is it?  The name is in lower case. */
enum http_hdr http_hdr_lookup(struct slice name);
const char *http_hdr_name(enum http_hdr);
/* HTTP_HDR_ flags */
int http_hdr_flags(enum http_hdr);

/* Only tchar, at least one?  RFC 9110 5.6.2. */
bool http_is_token(struct slice);
/* Only HTAB, SP..~ and 0x80..0xff?  RFC 9110 5.5. */
bool http_is_value(struct slice);
/* Next element of a comma-separated list, trimmed, empty ones skipped.  The
 * list is eaten from the front; false at its end.  RFC 9110 5.6.1. */
bool http_list_next(struct slice *list, struct slice *element);

/*
 * host[:port], as in Host, :authority and Origin: a name of letters, digits,
 * '-', '_' and '.', an IPv4 address, or an IPv6 address in brackets.  port is
 * 0 when none is given.  Pointers may be NULL.
 */
bool http_authority(struct slice, struct slice *host, uint32_t *port);

#endif /* WORKER_HTTP1_H */
