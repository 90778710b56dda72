/*
 * Answers compressed on their way to the client: RFC 9110 8.4, 12.5.3.
 *
 * What answers does not know of it: stream_respond() has encode_begin() look at
 * the head, and from then on stream_write() goes through encode_write().
 *
 *	encode_pick.c	may this answer be compressed, and what its head says then
 *	encode.c	its bytes
 *
 * Bounds: all encoders of a connection hold ENCODE_MEMORY at most, and an answer for
 * which there is no more goes as it is.  An encoder keeps back ENCODE_BLOCK of
 * what it was given, so that what it says at a time is little more than that.
 */
#ifndef WORKER_ENCODE_H
#define WORKER_ENCODE_H

#include "stream.h"

#define ENCODE_MEMORY (16UL * 1024 * 1024)
#define ENCODE_BLOCK  (64 * 1024)

/* encode_pick.c */

/* An answer's head, on its way through encode_pick(). */
struct encode_head {
	unsigned int status;
	const struct header *h;
	size_t n;
	int64_t length;
	struct header copy[STREAM_RESP_HEADERS]; /* what h may become */
	char etag[256];
};

/*
 * The coding to use (range.h), CODING_IDENTITY for none; the head says what the
 * client then gets.
 */
unsigned int encode_pick(const struct stream *, struct encode_head *);

/* encode.c */

/* Bytes, of all encoders: what they have, had at most, and may come to have. */
struct encode_use {
	size_t memory, most, reserved;
};
struct encode_use encode_use(void);

/* Before the head goes: begins to encode, or leaves all as it is. */
void encode_begin(struct stream *, struct encode_head *);
void encode_write(struct stream *, const void *data, size_t len);
/* All was written: what is kept back goes. */
void encode_end(struct stream *);
/* Over, whatever was kept back. */
void encode_free(struct stream *);

#endif /* WORKER_ENCODE_H */
