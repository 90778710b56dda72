/*
 * The API as tables: an endpoint is a row (struct api_call), its request and its
 * answer are lists of fields (struct api_field) that say where each stands in a fixed
 * struct of the wire.  api.c finds the row, turns JSON, path and query into the struct
 * (api_in.c), asks auth, and makes JSON of its rows (api_out.c); nothing else is
 * written for an endpoint.  The few that need code of their own have it in fn, and
 * their fields are what it takes and gives.  api_openapi.c tells all of it.
 *
 *	A row:	method, path below /api/ (":id" is a field named "id"), what it is for,
 *		message, the struct's size, fields of the request, row of the answer.
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

#include <jansson.h>

#include <stddef.h>
#include <stdint.h>

#include "../privsep/chan.h"
#include "../privsep/jwt.h"
#include "../privsep/msg.h"
#include "stream.h"
#include "url.h"

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
	API_I64,
	API_TIME,    /* int64_t, seconds; in JSON a string or null.  Answers only */
	API_WHEN,    /* int64_t, ms; as people write it.  Queries only */
	API_WORD,    /* uint32_t, one of words */
	API_ADDRESS, /* struct wire_addr.  Answers only */
	API_HEX,     /* bytes */
	API_TOKEN, /* WIRE_TOKEN bytes; as programs show it, null: all 0.  Answers only */
	API_OBJECT, /* fields of their own, of the same struct */
	API_ROWS,   /* a list of objects of sub, which fn fills in.  Answers only */
};

#define API_REQUIRED 0x01
#define API_PATH     0x02 /* from the path or */
#define API_QUERY    0x04 /* ... the query, not the body */
#define API_NULL     0x08 /* null is 0, and 0 is null; "" for strings */
#define API_MAYBE    0x10 /* may be left out of an answer */

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

/* clang-format off */
/* For tables. */
#define API_END { NULL, 0, 0, 0, 0, 0, 0, 0, NULL, NULL }
#define API_F(n, t, st, m, ...) { .name = n, .type = t, .offset = offsetof(struct st, m), \
	.size = sizeof(((struct st *)0)->m), ##__VA_ARGS__ }
#define API_PAGE_IN \
	API_F("cursor", API_STRING, m_list, cursor, .flags = API_QUERY), \
	API_F("limit", API_U32, m_list, limit, .flags = API_QUERY, .min = 1, .max = WIRE_ROWS)
/* clang-format on */

#define API_PUBLIC 0x01 /* nobody need be known */
#define API_LIST   0x02
#define API_MADE   0x04 /* 201 */
#define API_ONCE   0x08 /* has a struct wire_once at .once */
#define API_LEAVES 0x10 /* the own session, or token, may be what ends */
#define API_FORM   0x20 /* a page's form too, which is sent on to a page: fn */
#define API_FREE   0x40 /* any object, in and out: fn */
#define API_BARE   0x80 /* ... and the answer is nothing but that */

/* The same rows as text of another type, for those who ask for it. */
struct api_text {
	const char *type; /* of the content */
	const char *file; /* that a browser calls it */
	const char *head;
	size_t max; /* bytes of a row */
	size_t (*row)(const void *row, char *text);
	size_t wanted; /* offset, behind the struct: uint32_t, 1 if it is */
};

struct api_call {
	unsigned int method; /* as in routes.h; 0 ends a table */
	const char *path;
	const char *what;
	enum msg_type type; /* what auth is asked, by fn if there is one; M_NONE:
			     * worker.who is the row */
	size_t size;
	const struct api_field *in; /* or NULL */
	enum msg_type row;          /* M_NONE: there is no data */
	const struct api_field *out;
	unsigned int flags;
	size_t set; /* offset of uint32_t set, if a field has a bit */
	size_t once;
	/* Instead of all that, when it is known who it is: with the body. */
	void (*fn)(struct stream *, char *body, size_t len);
	/* For what fields cannot say: a row as JSON (out describes it); NULL: as out. */
	json_t *(*show)(const void *row);
	/* Of a list whose pages do not end with M_PAGE: what comes before M_OK. */
	enum msg_type page;
	const struct api_field *page_out;
	const struct api_text *text;
};

/* All tables; NULL ends. */
extern const struct api_call *const api_tables[];
extern const struct api_call api_account[]; /* api_account.c */
extern const struct api_call api_access[];  /* api_access.c */
/* What follows a list's items. */
extern const struct api_field api_page[];

void api_any(struct stream *, const char *rest);

/* --- for fn, and within --- */

/* 400: the field, and what is wrong with it. */
void api_invalid(struct stream *, const char *field, const char *what);
/* An error with details.field, if there is one. */
void api_fault(struct stream *, unsigned int status, const char *code, const char *field,
    const char *text);
/* An answer of auth that is no success; NULL: auth is gone. */
void api_refused(struct stream *, const struct msg *);
/* A body into the call's struct; false, and answered, at the first thing that is wrong.
 */
bool api_body(
    struct stream *, const struct api_call *, const char *body, size_t len, void *in);
/* One JSON object, sound as all of them must be; NULL, and answered. */
json_t *api_object(struct stream *, const char *body, size_t len);
/* A row as JSON. */
json_t *api_row(const struct api_field *, const void *row);
/* Fields by name: where: 0, API_PATH or API_QUERY. */
const struct api_field *api_field_find(
    const struct api_field *, const char *name, unsigned int where);
/* The parts of a request that are not its body: as api_body(). */
bool api_query(struct stream *, const struct api_call *, void *in);
bool api_path(struct stream *, const struct api_call *, const char *id, void *in);

/* What a login says and is answered, and a pair of tokens: login.c, token.c. */
struct api_login {
	char username[WIRE_EMAIL];
	char password[WIRE_PASSWORD];
	char to[URL_TO_MAX + 1 + 256]; /* with the prefix of the site */
	char role[WIRE_ROLE];
	int64_t expires;
	uint8_t token[WIRE_TOKEN];
};
struct api_pair {
	char username[WIRE_NAME];
	char type[16];
	char access[JWT_TEXT_MAX];
	char refresh[JWT_TEXT_MAX];
	char session[WIRE_SESSION];
	uint64_t access_seconds;
	uint64_t refresh_seconds;
};
extern const struct api_field api_login_in[], api_logged_in[];
extern const struct api_field api_refresh_in[], api_pair_out[];
/* The portal's: portal.c. */
extern const struct api_field api_portal[], api_portal_session[];
extern const struct api_field api_portal_process[], api_portal_note[], api_end_in[];

/* fn of calls; those of login.c and portal.c are in routes.h. */
void api_openapi(struct stream *, char *body, size_t len);
void api_settings(struct stream *, char *body, size_t len);
void api_settings_change(struct stream *, char *body, size_t len);
void api_refresh(struct stream *, char *body, size_t len);
/* api_audit.c */
json_t *api_audit_row(const void *row);
size_t api_audit_text(const void *row, char *text);

#endif
