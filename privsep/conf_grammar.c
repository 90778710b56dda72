/*
 * Statements and blocks: recursive descent, led by the table of keywords.
 *
 * An error spoils its statement and no more: what is left of it is skipped, and
 * the next one is read as if nothing had been, so that each error of a file is
 * reported once, and all of them at once.
 */
#include <stdio.h>
#include <string.h>

#include <bsd/string.h>

#include "conf_parse.h"

/* A keyword that has been read, for what is still to be said about it. */
struct head {
	char name[CONF_NAME_MAX]; /* cut, if it is none of ours */
	char quoted[192];
	struct conf_where at;
	const struct conf_row *row; /* NULL: unknown */
};

void
conf_mark(struct conf_parser *p, const struct conf_row *row, struct conf_where at)
{
	p->at[conf_row_index(row)] = at;
	p->seen[conf_row_index(row)] = true;
}

/* A block or the options of a statement begin anew. */
void
conf_forget(struct conf_parser *p, enum conf_block block)
{
	size_t i;

	for (i = 0; i < conf_nrows; i++) {
		if (conf_rows[i].block == block) {
			p->at[i] = (struct conf_where){ NULL, 0 };
			p->bad[i] = false;
		}
	}
}

/* Its value cannot be told from the default, nor can those of its options. */
static void
spoil(struct conf_parser *p, const struct conf_row *row)
{
	size_t i;

	p->bad[conf_row_index(row)] = true;
	p->seen[conf_row_index(row)] = true;
	for (i = 0; i < conf_nrows; i++) {
		if (row->sub != B_NONE && conf_rows[i].block == row->sub)
			p->bad[i] = true;
	}
}

/* To the end of a statement, over whole blocks. */
static void
skip(struct conf_parser *p)
{
	unsigned int depth = 0;

	p->skipped = true;
	for (;; conf_next(p)) {
		switch (p->tok.type) {
		case TOK_EOF:
			return;
		case TOK_END:
			if (depth == 0)
				return;
			break;
		case TOK_OPEN:
			depth++;
			break;
		case TOK_CLOSE:
			if (depth == 0)
				return;
			if (--depth == 0) {
				conf_next(p);
				return;
			}
			break;
		default:
			break;
		}
	}
}

/* The names of a block's keywords, and what else may stand: "a, b or c". */
static void
list_rows(enum conf_block block, const char *also, char *buf, size_t size)
{
	const char *last = also;
	size_t i;

	buf[0] = '\0';
	for (i = conf_nrows; last == NULL && i > 0; i--) {
		if (conf_rows[i - 1].block == block)
			last = conf_rows[i - 1].name;
	}
	for (i = 0; i < conf_nrows; i++) {
		if (conf_rows[i].block != block || conf_rows[i].name == last)
			continue;
		if (buf[0] != '\0')
			strlcat(buf, ", ", size);
		strlcat(buf, conf_rows[i].name, size);
	}
	if (buf[0] != '\0')
		strlcat(buf, " or ", size);
	strlcat(buf, last, size);
}

static const struct conf_row *
nearest(enum conf_block block, const char *name)
{
	const struct conf_row *found = NULL;
	size_t i, best = SIZE_MAX;

	for (i = 0; i < conf_nrows; i++) {
		if (conf_rows[i].block == block &&
		    conf_near(name, conf_rows[i].name, &best))
			found = &conf_rows[i];
	}
	return found;
}

static bool
at_end(const struct conf_parser *p)
{
	if (p->tok.type == TOK_EOF)
		return true;
	if (p->lx->env) /* several in one variable: listen */
		return p->tok.type == TOK_END;
	return p->tok.type == TOK_END || p->tok.type == TOK_CLOSE;
}

bool
conf_end(struct conf_parser *p, const struct conf_row *row)
{
	if (at_end(p))
		return true;
	/* Limits are short: several may stand in a line. */
	if (row->block == B_LIMITS && p->tok.type == TOK_WORD &&
	    conf_row_find(B_LIMITS, p->tok.text) != NULL)
		return true;
	conf_expected(p, NULL, "the end of the %s after \"%s\"",
	    p->lx->env ? "value" : "line", row->name);
	return false;
}

/* Is the token an option that may stand here? */
static const struct conf_row *
take_option(struct conf_parser *p, enum conf_block block)
{
	const struct conf_row *row = NULL, *near = NULL;
	char list[128], hint[96];

	if (p->tok.type == TOK_WORD && p->tok.text[0] != '\0') {
		row = conf_row_find(block, p->tok.text);
		if (row == NULL)
			near = nearest(block, p->tok.text);
	}
	if (row == NULL) {
		list_rows(block,
		    p->lx->env ? "the end of the value" : "the end of the line", list,
		    sizeof(list));
		if (near != NULL)
			snprintf(hint, sizeof(hint), "did you mean \"%s\"?", near->name);
		conf_expected(p, near != NULL ? hint : NULL, "%s", list);
		return NULL;
	}
	if (p->at[conf_row_index(row)].name != NULL && !(row->flags & KW_MULTI)) {
		conf_expected(p, NULL, "\"%s\" once in a statement", row->name);
		return NULL;
	}
	conf_mark(p, row, conf_here(p));
	conf_next(p);
	return row;
}

/* To the end of the statement: options, with or without commas between. */
bool
conf_options(struct conf_parser *p, enum conf_block block, void *base)
{
	const struct conf_row *row;
	bool comma = false;

	while (comma || !at_end(p)) {
		if ((row = take_option(p, block)) == NULL)
			return false;
		if (!conf_value(p, row, base))
			return false;
		comma = p->tok.type == TOK_COMMA;
		if (comma)
			conf_next(p);
	}
	return true;
}

/* These read their options themselves. */
static bool
own_options(const struct conf_row *row)
{
	return row->kind == K_LISTEN || row->kind == K_TARGET ||
	    row->kind == K_COMPRESSION;
}

/* All that follows the keyword of a statement. */
bool
conf_statement_value(struct conf_parser *p, const struct conf_row *row, void *base)
{
	char list[128];
	size_t i;

	if (row->sub == B_NONE)
		return conf_value(p, row, base);
	conf_forget(p, row->sub);
	/* A variable that does not repeat a flag of the file takes it back. */
	for (i = 0; p->lx->env && i < conf_nrows; i++) {
		if (conf_rows[i].block == row->sub && conf_rows[i].kind == K_FLAG &&
		    !own_options(row)) {
			conf_store(base, &conf_rows[i], 0);
			p->seen[i] = false;
		}
	}
	if (!conf_value(p, row, base))
		return false;
	if (own_options(row))
		return true;
	if (row->kind == K_NONE && at_end(p)) {
		list_rows(row->sub, NULL, list, sizeof(list));
		conf_expected(p, NULL, "%s after \"%s\"", list, row->name);
		return false;
	}
	if (p->tok.type == TOK_COMMA)
		conf_next(p);
	return conf_options(p, row->sub, base);
}

/* Where a keyword does belong: statements before options.  "": nowhere. */
static void
elsewhere(const char *name, char *hint, size_t size)
{
	const struct conf_row *row, *best = NULL;
	size_t i;

	hint[0] = '\0';
	for (i = 0; i < conf_nrows; i++) {
		row = &conf_rows[i];
		if (strcmp(row->name, name) == 0 &&
		    (best == NULL || row->block < best->block))
			best = row;
	}
	if (best == NULL || name[0] == '\0')
		return;
	if (best->block == B_TOP)
		strlcpy(hint, "; it stands outside of blocks", size);
	else
		snprintf(hint, size, "; it is %s \"%s\"",
		    best->block < B_OPTIONS ? "a keyword of the block" : "an option of",
		    conf_row_opening(best->block)->name);
}

/* A keyword that the block has not: say where it belongs, or what was meant. */
static void
unknown(struct conf_parser *p, enum conf_block block, const struct head *head)
{
	const struct conf_row *near, *parent = conf_row_opening(block);
	char where[CONF_NAME_MAX + 16] = "", hint[128];

	if (parent != NULL)
		snprintf(where, sizeof(where), " of the block \"%s\"", parent->name);
	elsewhere(head->name, hint, sizeof(hint));
	near = hint[0] == '\0' ? nearest(block, head->name) : NULL;
	if (near != NULL) {
		/* Its absence is no error on top of this one. */
		spoil(p, near);
		snprintf(hint, sizeof(hint), "; did you mean \"%s\"?", near->name);
	}
	conf_error(
	    p, head->at, "expected a keyword%s, got %s%s", where, head->quoted, hint);
}

/* Has the keyword been there? */
static bool
repeated(struct conf_parser *p, const struct head *head)
{
	const struct conf_where *first = &p->at[conf_row_index(head->row)];
	char text[CONF_PATH_MAX + 32];

	if (first->name == NULL || (head->row->flags & KW_MULTI))
		return false;
	conf_error(p, head->at,
	    "expected \"%s\" once, got it again; "
	    "the first is in %s",
	    head->row->name, conf_where_text(*first, text, sizeof(text)));
	return true;
}

/* The label of a block, if it has one.  Wrong or not, its block is read. */
static void
block_label(struct conf_parser *p, const struct conf_row *row, void *base)
{
	const struct conf_row *label = conf_row_find(row->sub, "");

	if (label == NULL)
		return;
	if (p->tok.type == TOK_OPEN && !(label->flags & KW_NEEDED))
		return;
	conf_mark(p, label, conf_here(p));
	if (conf_value(p, label, base))
		return;
	spoil(p, label);
	p->skipped = true; /* no second error for what follows */
	if (conf_is_value(p) || p->tok.type == TOK_BAD)
		conf_next(p);
}

/* The next element of a block that repeats; it counts once it is found good. */
static void *
element(struct conf_parser *p, const struct head *head)
{
	struct conf *c = p->conf;
	bool location = head->row->sub == B_LOCATION;

	if (location && c->nlocation < CONF_LOCATION_MAX) {
		memset(&c->location[c->nlocation], 0, sizeof(c->location[0]));
		if (head->at.line <= UINT16_MAX)
			c->location[c->nlocation].line = (uint16_t)head->at.line;
		conf_forget(p, B_LOCATION);
		return &c->location[c->nlocation];
	}
	if (!location && c->nlimits < CONF_LIMITS_MAX) {
		memset(&c->limits[c->nlimits], 0, sizeof(c->limits[0]));
		conf_forget(p, B_LIMITS);
		return &c->limits[c->nlimits];
	}
	conf_error(p, head->at, "expected at most %d %s, got one more",
	    location ? CONF_LOCATION_MAX : CONF_LIMITS_MAX,
	    location ? "locations" : "blocks of limits");
	return NULL;
}

static void
block_statement(struct conf_parser *p, const struct head *head)
{
	const struct conf_row *row = head->row;
	struct conf *c = p->conf;
	void *base = c;

	conf_mark(p, row, head->at);
	if ((row->flags & KW_MULTI) && (base = element(p, head)) == NULL) {
		skip(p);
		return;
	}
	block_label(p, row, base);
	if (p->tok.type != TOK_OPEN) {
		if (!p->skipped)
			conf_expected(p, NULL, "\"{\" after \"%s\"", row->name);
		spoil(p, row);
		skip(p);
		return;
	}
	conf_next(p);
	conf_body(p, row->sub, base, head->at);
	if (row->sub == B_LOCATION && conf_location_check(p, base, head->at))
		p->location_at[c->nlocation++] = head->at;
	if (row->sub == B_LIMITS && conf_limits_check(p, base, head->at))
		p->limits_at[c->nlimits++] = head->at;
}

/* name = value; the token is the "=". */
static bool
macro(struct conf_parser *p, enum conf_block block, const struct head *head)
{
	struct conf_macro *m;
	char text[CONF_PATH_MAX + 32];
	bool good;

	if (head->row != NULL || conf_row_find(B_TOP, head->name) != NULL) {
		conf_expected(p,
		    "keywords take no \"=\" and macros no name of "
		    "a keyword",
		    "a value after \"%s\"", head->name);
		return false;
	}
	if (block != B_TOP || !conf_macro_name(head->name, strlen(head->name)) ||
	    strcmp(head->name, "include") == 0) {
		conf_error(p, head->at,
		    "expected the name of a macro before "
		    "\"=\", got %s; macros have names of letters, digits and "
		    "\"_\" and stand outside of blocks",
		    head->quoted);
		return false;
	}
	conf_next(p);
	good = conf_is_value(p);
	if (!good)
		conf_expected(p, NULL, "a value for the macro \"%s\"", head->name);
	else if (p->tok.len >= sizeof(m->value)) {
		good = false;
		conf_expected(
		    p, NULL, "a macro of at most %zu bytes", sizeof(m->value) - 1);
	}
	m = conf_macro_find(p, head->name, strlen(head->name));
	if (m != NULL && m->define) {
		m->known = true;
		if (good)
			conf_next(p);
	} else if (m != NULL && good) {
		conf_error(p, head->at,
		    "expected the macro \"%s\" once, got it "
		    "again; the first is in %s",
		    head->name, conf_where_text(m->at, text, sizeof(text)));
		return false;
	} else if (m == NULL && (m = conf_macro_add(p, head->name)) == NULL) {
		conf_error(p, head->at,
		    "expected at most %d macros, "
		    "got one more",
		    CONF_MACRO_MAX);
		return false;
	} else {
		m->at = head->at;
		m->bad = !good;
		if (good) {
			strlcpy(m->value, p->tok.text, sizeof(m->value));
			conf_next(p);
		}
	}
	if (good && !at_end(p)) {
		conf_expected(p, "put several words into quotes",
		    "the end of the line after the macro \"%s\"", head->name);
		good = false;
	}
	return good;
}

static bool
include(struct conf_parser *p, enum conf_block block, void *base, const struct head *head)
{
	static const struct conf_row row = { .name = "include" };
	char path[CONF_PATH_MAX];

	if (!conf_is_value(p) || p->tok.len == 0 ||
	    strlcpy(path, p->tok.text, sizeof(path)) >= sizeof(path)) {
		conf_expected(p, NULL, "a file name after \"include\"");
		p->partial = true;
		return false;
	}
	conf_next(p);
	if (!conf_end(p, &row))
		return false;
	conf_include(p, block, base, path, head->at);
	return true;
}

static void
statement(struct conf_parser *p, enum conf_block block, void *base)
{
	struct head head;
	bool good;

	strlcpy(head.name, p->tok.text, sizeof(head.name));
	conf_quote(p->tok.text, p->tok.len, head.quoted, sizeof(head.quoted));
	head.at = conf_here(p);
	head.row = head.name[0] != '\0' ? conf_row_find(block, p->tok.text) : NULL;
	conf_next(p);
	if (p->tok.type == TOK_EQUALS)
		good = macro(p, block, &head);
	else if (strcmp(head.name, "include") == 0)
		good = include(p, block, base, &head);
	else if (head.row == NULL) {
		unknown(p, block, &head);
		good = false;
	} else if (repeated(p, &head))
		good = false;
	else if (head.row->kind == K_BLOCK) {
		block_statement(p, &head);
		return;
	} else {
		p->at[conf_row_index(head.row)] = head.at;
		good = conf_statement_value(p, head.row, base) && conf_end(p, head.row);
		p->seen[conf_row_index(head.row)] = true;
		if (!good)
			spoil(p, head.row);
	}
	if (!good)
		skip(p);
}

/* At the margin, a keyword of the top: the brace before it is missing. */
static bool
unclosed(struct conf_parser *p, enum conf_block block, struct conf_where open)
{
	char text[CONF_PATH_MAX + 32];

	if (!p->tok.first || open.name == NULL ||
	    conf_row_find(block, p->tok.text) != NULL ||
	    conf_row_find(B_TOP, p->tok.text) == NULL)
		return false;
	conf_expected(p, NULL, "\"}\" to end the block \"%s\" of %s",
	    conf_row_opening(block)->name, conf_where_text(open, text, sizeof(text)));
	p->unclosed++;
	return true;
}

/*
 * The statements of a block, to its brace.  Where open is nowhere, those of a
 * file, to its end: that of a file included in a block too.
 */
void
conf_body(
    struct conf_parser *p, enum conf_block block, void *base, struct conf_where open)
{
	char text[CONF_PATH_MAX + 32];

	for (;;) {
		switch (p->tok.type) {
		case TOK_END:
			conf_next(p);
			continue;
		case TOK_EOF:
			if (open.name != NULL && !p->stop)
				conf_expected(p, NULL,
				    "\"}\" to end the "
				    "block \"%s\" of %s",
				    conf_row_opening(block)->name,
				    conf_where_text(open, text, sizeof(text)));
			return;
		case TOK_CLOSE:
			if (open.name == NULL && p->unclosed == 0)
				conf_expected(p, NULL, "a keyword");
			else if (open.name == NULL)
				p->unclosed--;
			conf_next(p);
			if (open.name != NULL)
				return;
			continue;
		case TOK_WORD:
			p->skipped = false;
			if (unclosed(p, block, open))
				return;
			statement(p, block, base);
			continue;
		case TOK_OPEN:
			/* That of a statement which was an error. */
			if (!p->skipped)
				conf_expected(p, NULL, "a keyword");
			skip(p);
			continue;
		default:
			conf_expected(p, NULL, "a keyword");
			skip(p);
			continue;
		}
	}
}
