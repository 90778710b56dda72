/*
 * The chunked transfer coding, RFC 9112 7.1.
 *
 * The decoder works in place on whatever bytes have come and allocates
 * nothing.  It is stricter than the RFC: no white space around a chunk size
 * or an extension, no bare LF, and bounds on everything but the data.
 * Extensions and trailers are checked and thrown away.
 */
#ifndef WORKER_CHUNK_H
#define WORKER_CHUNK_H

#include <stddef.h>
#include <stdint.h>

#define CHUNK_DIGITS_MAX  16   /* hex digits of a chunk size */
#define CHUNK_EXT_MAX     256  /* bytes of one chunk's extensions */
#define CHUNK_EXTS_MAX    8192 /* bytes of all extensions of a body */
#define CHUNK_TRAILER_MAX 8192 /* bytes of the trailer section */

enum chunk_result {
	CHUNK_ERROR = -1,
	CHUNK_MORE = 0, /* all bytes used, the body goes on */
	CHUNK_DONE = 1  /* the body is complete */
};

/* Name, status to answer a request with, reason for the log. */
#define CHUNK_ERRORS(X)                                                                  \
	X(CHUNK_E_NONE, 200, "no error")                                                 \
	X(CHUNK_E_SIZE, 400, "malformed chunk size")                                     \
	X(CHUNK_E_SIZE_BIG, 413, "chunk size beyond 2^63")                               \
	X(CHUNK_E_BODY_BIG, 413, "body too large")                                       \
	X(CHUNK_E_EXT, 400, "malformed chunk extension")                                 \
	X(CHUNK_E_EXT_LONG, 400, "chunk extension too long")                             \
	X(CHUNK_E_CRLF, 400, "chunk data not followed by CRLF")                          \
	X(CHUNK_E_TRAILER, 400, "malformed trailer")                                     \
	X(CHUNK_E_TRAILER_LONG, 431, "trailer too long")

#define X(name, status, reason) name,
enum chunk_error { CHUNK_ERRORS(X) CHUNK_E_MAX };
#undef X

struct chunk {
	uint64_t total;         /* data bytes given out so far */
	enum chunk_error error; /* after CHUNK_ERROR */

	/* the decoder's own */
	uint64_t max;     /* most data bytes of the body */
	uint64_t left;    /* data bytes to come in this chunk */
	uint32_t exts;    /* bytes of extensions, all chunks */
	uint32_t trailer; /* bytes of trailer */
	uint16_t ext;     /* bytes of extensions, this chunk */
	uint8_t digits;
	uint8_t state;
};

/* max: most data bytes of the body; beyond it CHUNK_E_BODY_BIG, as soon as a
 * chunk size says so.  INT64_MAX for a body that is only passed on. */
void chunk_init(struct chunk *, uint64_t max);

/*
 * Decodes buf[0..*len).  Afterwards *len is how many of these bytes were used,
 * and the data they held is at buf[0..*out), *out <= *len.  With CHUNK_DONE
 * what is behind the *len bytes belongs to the next message and is untouched.
 * With CHUNK_ERROR, *out is what was decoded before the error.  Any call after
 * CHUNK_DONE or CHUNK_ERROR uses nothing and repeats that.
 */
enum chunk_result chunk_decode(struct chunk *, char *buf, size_t *len, size_t *out);

int chunk_error_status(enum chunk_error);
const char *chunk_error_reason(enum chunk_error);

/*
 * To encode: chunk_head(), the data, CHUNK_TAIL; at the end CHUNK_LAST.
 * chunk_head writes "<hex>\r\n" of size (1 or more: a chunk of 0 bytes would
 * end the body) into out and returns its length, without terminator.
 */
#define CHUNK_HEAD_MAX 18
#define CHUNK_TAIL     "\r\n"
#define CHUNK_LAST     "0\r\n\r\n"

size_t chunk_head(char out[CHUNK_HEAD_MAX], uint64_t size);

#endif /* WORKER_CHUNK_H */
