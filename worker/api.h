/*
 * The API as tables: an endpoint is a row (struct api_call), its request and its
 * answer are lists of fields (struct api_field) that say where each stands in a fixed
 * struct of the wire.  api.c turns JSON, path and query into the struct, asks auth, and
 * makes JSON of its rows; nothing else is written for an endpoint.
 *
 *	A row:	method, path below /api/ (":id" is a field named "id"), message,
 *		the struct's size, fields of the request, row of the answer, flags.
 *	A field: name in JSON, type, offset, size, smallest and largest (of a number;
 *		bytes of a string, 0: as much as fits), flags, bit to set in the struct's
 *		"set" (whose offset the row names) when it was given, words of API_WORD.
 *
 * Rules for all: the body is one JSON object of at most API_BODY bytes and API_DEPTH
 * levels; no key twice, none that is unknown, no control character in a string; a fault
 * is a 400 whose details name the field.  Lists come in pages: {"items":[],"next":""}.
 * A call that creates takes an Idempotency-Key.  Who may, only auth says (permission.h).
 */
#ifndef WORKER_API_H
#define WORKER_API_H

#include <stddef.h>
#include <stdint.h>

#include "../privsep/msg.h"
#include "stream.h"

#define API_BODY  (16 * 1024)
#define API_DEPTH 8

enum api_type {
	API_STRING,
	API_SECRET, /* a string that is never shown, and wiped */
	API_NAMES,  /* a list of strings; separated by spaces in the struct */
	API_JSON,   /* an object; its text in the struct */
	API_BOOL,   /* uint32_t */
	API_U32,
	API_U64,
	API_TIME,    /* int64_t, seconds; in JSON a string or null.  Answers only */
	API_WORD,    /* uint32_t, one of words */
	API_ADDRESS, /* struct wire_addr.  Answers only */
	API_HEX,     /* bytes */
	API_OBJECT,  /* fields of their own, of the same struct */
};

#define API_REQUIRED 0x01
#define API_PATH     0x02 /* from the path or */
#define API_QUERY    0x04 /* ... the query, not the body */
#define API_NULL     0x08 /* null is 0, and 0 is null */

struct api_field {
	const char *name; /* NULL ends a list */
	enum api_type type;
	size_t offset;
	size_t size;
	uint64_t min;
	uint64_t max;
	unsigned int flags;
	uint32_t bit;
	const char *const *words; /* by value; NULL ends; words[0] may be "" */
	const struct api_field *sub;
};
#define API_AT(st, m) offsetof(struct st, m), sizeof(((struct st *)0)->m)

#define API_PUBLIC 0x01 /* nobody need be known */
#define API_LIST   0x02
#define API_MADE   0x04 /* 201 */
#define API_ONCE   0x08 /* has a struct wire_once at .once */
#define API_LEAVES 0x10 /* the own session may be what ends */

struct api_call {
	unsigned int method; /* as in routes.h; 0 ends a table */
	const char *path;
	enum msg_type type;
	size_t size;
	const struct api_field *in; /* or NULL */
	enum msg_type row;          /* M_NONE: there is no data */
	const struct api_field *out;
	unsigned int flags;
	size_t set; /* offset of uint32_t set, if a field has a bit */
	size_t once;
	/* For what the tables cannot say; NULL: true. */
	void (*fill)(struct stream *, void *in);
};

/* Tables; the first is api_account.c's. */
extern const struct api_call api_account[];

void api_any(struct stream *, const char *rest);
void api_openapi(struct stream *, const char *rest);
void api_settings(struct stream *, const char *rest);
void api_settings_change(struct stream *, const char *rest);
/* Levels of a text that may hold more than a parser should try. */
bool api_too_deep(const char *text, size_t len);

#endif
