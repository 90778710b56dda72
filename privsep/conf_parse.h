/*
 * What the files of the configuration parser share, and nobody else includes.
 *
 * conf.c		entry points, files and their inclusion, error lines
 * conf_lex.c		bytes to tokens, macros
 * conf_table.c		the keywords: one row each
 * conf_grammar.c	statements, blocks, options, recovery after an error
 * conf_value.c		the kinds of values that keywords share
 * conf_special.c	the values that one keyword has alone
 * conf_listen.c	addresses: listeners and the targets of locations
 * conf_location.c	locations as a whole
 * conf_env.c		the IDED_ variables
 * conf_limits.c	what roles and users have of their own
 * conf_network.c	the network of sandboxes
 * conf_role.c	roles and what they permit
 * conf_verify.c	what no single statement can tell; what has no effect yet
 * conf_default.c	the defaults
 * conf_diff.c		what another configuration changes
 *
 * The grammar, in short:
 *
 *	file	  = { statement | macro | include | newline }
 *	macro	  = name "=" value
 *	include	  = "include" string
 *	statement = keyword [ value ] { option [ "," ] } end
 *		  | keyword [ label ] "{" { statement | include } "}"
 *	option	  = keyword [ value ]
 *	end	  = newline | ";" | before "}" | end of file
 */
#ifndef PRIVSEP_CONF_PARSE_H
#define PRIVSEP_CONF_PARSE_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf.h"

#define CONF_TOTAL_MAX (1024 * 1024) /* bytes of all files together */
#define CONF_DEPTH_MAX 8             /* files open at once, the first included */
#define CONF_FILES_MAX 256           /* files read in all */
#define CONF_LINE_MAX  4096          /* bytes of a line */
#define CONF_TOKEN_MAX 2048          /* bytes of a word or string, and a NUL */
#define CONF_MACRO_MAX 128
#define CONF_ERROR_MAX 200 /* lines of error before giving up */
#define CONF_ROW_MAX   160 /* rows of the table */

#define CONF_PRINTF(f, a) __attribute__((__format__(__printf__, f, a)))

/* Where something stands.  Lines above the two marks are no lines of a file. */
#define CONF_LINE_ENV    UINT32_MAX       /* name is that of a variable */
#define CONF_LINE_DEFINE (UINT32_MAX - 1) /* name is that of a -D */

struct conf_where {
	const char *name; /* of the file; NULL: nowhere */
	uint32_t line;
};

enum conf_tok {
	TOK_EOF,
	TOK_END,    /* newline or ";" */
	TOK_WORD,   /* bare: a keyword or a value */
	TOK_STRING, /* quoted, or made from a macro: only a value */
	TOK_OPEN,   /* { */
	TOK_CLOSE,  /* } */
	TOK_COMMA,
	TOK_EQUALS,
	TOK_BAD /* has had its error already */
};

struct conf_token {
	enum conf_tok type;
	uint32_t line;
	bool first; /* in column one */
	char text[CONF_TOKEN_MAX];
	size_t len;
};

/* One text being read: a file, or the value of a variable. */
struct conf_lexer {
	const char *name; /* as in conf_where */
	const unsigned char *buf;
	size_t len;
	size_t pos;
	size_t start; /* of this line */
	uint32_t line;
	uint32_t checked; /* last line whose bytes were checked */
	uint32_t bad;     /* last line that failed this check */
	bool env;         /* no comments, macros or assignments */
	bool raw;         /* all of it is one string */
};

struct conf_macro {
	char name[CONF_NAME_MAX];
	char value[CONF_PATH_MAX];
	struct conf_where at;
	bool define; /* from -D: the file's is ignored */
	bool known;  /* the file defines or uses it */
	bool bad;    /* its definition was an error */
};

/* What a keyword may stand in: braced blocks, then the options of statements. */
enum conf_block {
	B_NONE,
	B_TOP,
	B_TLS,
	B_PREFORK,
	B_AUTH,
	B_RATELIMIT,
	B_ISOLATION,
	B_IDE,
	B_PROXY,
	B_LOCATION,
	B_LIMITS,
	B_AUDIT,
	B_BRAND,
	B_OPTIONS, /* those above have braces, those below have not */
	B_LOG,
	B_LISTEN,
	B_PASSWORD,
	B_ARGON2,
	B_SESSION,
	B_TOKEN,
	B_MEMWARN,
	B_POOL,
	B_SHARE,
	B_REQUIRE,
	B_TARGET,
	B_HEADERS,
	B_COMPRESSION,
	B_FILE,
	B_STORE,
	B_STORAGE,
	B_SYSLOG,
	B_ACCENT,
	B_BACKGROUND,
	B_UPDATE,
	B_GALLERY,
};

enum conf_kind {
	K_NONE,  /* only options follow */
	K_BLOCK, /* a braced block */
	K_FLAG,  /* no value: its presence stores min */
	K_NUMBER,
	K_SIZE,
	K_DURATION,
	K_PERCENT,
	K_WORD, /* one of words */
	K_SET,  /* some of words, their values or-ed */
	K_PATH, /* absolute; max, if set, bounds its length */
	K_NAME, /* letters, digits, "-", "_", "." */
	K_TEXT, /* any printable text */
	K_DOMAIN,
	K_PREFIX,
	K_RATE,
	K_STARTUPS,
	K_UIDS,
	K_PORTS,
	K_BIND,
	K_PROTOCOLS,
	K_LOGTO,
	K_LISTEN,
	K_METRICS,
	K_TARGET,
	K_COMPRESSION,
	K_ARGUMENT,
	K_EXTENSION,
	K_HEADER,
	K_NETPOOL,
	K_RESOLVER,
	K_FROM,
	K_TABLE,
	K_EGRESS,
	K_WHOSE,
	K_ROLE,
	K_COLOUR,
	K_BASE,
	K_URL,
};

#define KW_MULTI  0x01 /* may be repeated */
#define KW_NEEDED 0x02 /* a label that has no default */
#define KW_SECRET 0x04 /* its value is told to nobody */

struct conf_unit {
	const char *suffix;
	uint64_t factor;
};

struct conf_word {
	const char *name;
	uint8_t value;
	const char *ineffect; /* as in conf_row, for this value */
};

/*
 * A keyword.  The row named "" of a block is its label (isolation namespace).
 * Offsets are into struct conf, but for the blocks that repeat (B_LISTEN,
 * B_LOCATION, B_LIMITS and their options), whose offsets are into one element.
 */
struct conf_row {
	uint8_t block; /* where it stands */
	const char *name;
	uint8_t kind;
	uint8_t sub; /* block or options that follow */
	uint8_t flags;
	size_t offset;
	size_t size;
	uint64_t min;
	uint64_t max;
	const struct conf_word *words;
	const char *env;      /* NULL: only in the file */
	const char *ineffect; /* why it has no effect yet, or NULL */
};

struct conf_parser {
	struct conf *conf;
	conf_error_fn error;
	void *arg;
	int nerror;
	bool stop;    /* too many errors: read no further */
	bool partial; /* a file is missing: say not what lacks */

	struct conf_lexer *lx;
	struct conf_token tok; /* the one to look at */
	bool skipped;          /* after an error, at a statement's end */
	uint32_t unclosed;     /* blocks that were ended for their user */

	struct conf_macro macro[CONF_MACRO_MAX];
	uint32_t nmacro;

	struct conf_where at[CONF_ROW_MAX]; /* where each row was set */
	bool seen[CONF_ROW_MAX];            /* set anywhere at all */
	bool bad[CONF_ROW_MAX];             /* its value was an error */
	struct conf_where listen_at[CONF_LISTEN_MAX];
	struct conf_where location_at[CONF_LOCATION_MAX];
	struct conf_where limits_at[CONF_LIMITS_MAX];
	struct conf_where bind_at[CONF_BIND_MAX];
	struct conf_where table_at[CONF_TABLE_MAX];
	struct conf_where end; /* of the first file */

	bool files; /* include is allowed */
	char *name[CONF_FILES_MAX];
	uint32_t nname;
	struct {
		dev_t dev;
		ino_t ino;
	} open[CONF_DEPTH_MAX];
	uint32_t depth;
	uint64_t total;
};

/* conf.c */
void conf_error(struct conf_parser *, struct conf_where, const char *, ...)
    CONF_PRINTF(3, 4);
void conf_include(
    struct conf_parser *, enum conf_block, void *, const char *, struct conf_where);
const char *conf_where_text(struct conf_where, char *, size_t);
const char *conf_quote(const char *, size_t, char *, size_t);

/* conf_lex.c */
void conf_next(struct conf_parser *);
void conf_expected(struct conf_parser *, const char *, const char *, ...)
    CONF_PRINTF(3, 4);
struct conf_where conf_here(const struct conf_parser *);
bool conf_utf8(const char *, size_t);
bool conf_macro_name(const char *, size_t);
struct conf_macro *conf_macro_find(struct conf_parser *, const char *, size_t);
struct conf_macro *conf_macro_add(struct conf_parser *, const char *);

/* conf_table.c */
extern const struct conf_row conf_rows[];
extern const size_t conf_nrows;
const struct conf_row *conf_row_find(enum conf_block, const char *);
const struct conf_row *conf_row_env(const char *);
const struct conf_row *conf_row_opening(enum conf_block);
size_t conf_row_index(const struct conf_row *);
const char *conf_row_name(const struct conf_row *);
size_t conf_distance(const char *, const char *);
bool conf_near(const char *, const char *, size_t *);

/* conf_grammar.c */
void conf_body(struct conf_parser *, enum conf_block, void *, struct conf_where);
bool conf_options(struct conf_parser *, enum conf_block, void *);
bool conf_statement_value(struct conf_parser *, const struct conf_row *, void *);
bool conf_end(struct conf_parser *, const struct conf_row *);
void conf_mark(struct conf_parser *, const struct conf_row *, struct conf_where);
void conf_forget(struct conf_parser *, enum conf_block);

/* conf_value.c */
extern const struct conf_unit conf_sizes[], conf_durations[], conf_percents[],
    conf_numbers[];
bool conf_value(struct conf_parser *, const struct conf_row *, void *);
void conf_store(void *, const struct conf_row *, uint64_t);
uint64_t conf_load(const void *, const struct conf_row *);
const char *conf_format(const struct conf_row *, uint64_t, char *, size_t);
bool conf_is_value(const struct conf_parser *);
bool conf_keyword(struct conf_parser *, const char *, const char *);
bool conf_number(const char *, uint64_t *, const char **);
bool conf_take_unit(
    struct conf_parser *, const struct conf_row *, const struct conf_unit *, uint64_t *);
const struct conf_word *conf_take_word(struct conf_parser *, const struct conf_row *);
bool conf_take_text(struct conf_parser *, char *, size_t);
bool conf_word_byte(char);
bool conf_climbs(const char *);
bool conf_path(struct conf_parser *, const char *, char *, size_t, uint64_t);

/* conf_special.c */
bool conf_value_prefix(struct conf_parser *, const struct conf_row *, void *);
bool conf_value_url(struct conf_parser *, const struct conf_row *, void *);
bool conf_value_base(struct conf_parser *, const struct conf_row *, void *);
bool conf_value_rate(struct conf_parser *, const struct conf_row *, void *);
bool conf_value_startups(
    struct conf_parser *, const struct conf_row *, struct conf_prefork *);
/* conf_port.c */
bool conf_value_ports(
    struct conf_parser *p, const struct conf_row *row, struct conf_proxy *proxy);
bool conf_value_uids(
    struct conf_parser *, const struct conf_row *, struct conf_isolation *);
bool conf_value_bind(
    struct conf_parser *, const struct conf_row *, struct conf_isolation *);
bool conf_below(const char *, const char *);
bool conf_value_protocols(
    struct conf_parser *, const struct conf_row *, struct conf_tls *);
bool conf_value_log_to(
    struct conf_parser *, const struct conf_row *, struct conf_common *);
bool conf_value_compression(
    struct conf_parser *, const struct conf_row *, struct conf_http *);
bool conf_value_extension(
    struct conf_parser *p, const struct conf_row *row, struct conf_ide *ide);
bool conf_value_argument(
    struct conf_parser *, const struct conf_row *, struct conf_ide *);
bool conf_value_colour(struct conf_parser *, const struct conf_row *, void *);

/* conf_network.c */
bool conf_value_pool(struct conf_parser *, const struct conf_row *, struct conf_net *);
bool conf_value_from(struct conf_parser *, const struct conf_row *, struct conf_listen *);
bool conf_value_resolver(
    struct conf_parser *, const struct conf_row *, struct conf_net *);
bool conf_value_table(struct conf_parser *, const struct conf_row *);
bool conf_value_egress(struct conf_parser *, const struct conf_row *);
void conf_verify_network(struct conf_parser *);

/* conf_limits.c */
bool conf_value_whose(
    struct conf_parser *, const struct conf_row *, struct conf_limits *);
bool conf_limits_check(
    struct conf_parser *, const struct conf_limits *, struct conf_where);

/* conf_role.c */
bool conf_value_role(struct conf_parser *, const struct conf_row *);

/* conf_listen.c */
bool conf_listen(struct conf_parser *, const struct conf_row *);
void conf_listen_drop(struct conf_parser *, bool);
bool conf_target(struct conf_parser *, const struct conf_row *, void *);
bool conf_host(const char *);
bool conf_loopback(const struct conf_listen *);
const char *conf_address(const struct conf_listen *, char *, size_t);

/* conf_env.c */
void conf_environment(struct conf_parser *, char *const[]);

/* conf_location.c */
bool conf_value_header(
    struct conf_parser *, const struct conf_row *, struct conf_location *);
bool conf_location_check(
    struct conf_parser *, const struct conf_location *, struct conf_where);
void conf_verify_locations(struct conf_parser *);
/* Is it below what ided serves itself? */
bool conf_is_route(const char *prefix);

/* conf_verify.c */
void conf_verify(struct conf_parser *);
struct conf_where conf_later(
    const struct conf_parser *, const struct conf_row *, const struct conf_row *);
void conf_ineffect(struct conf_parser *);

#endif
