/*
 * Bytes to tokens.  Any bytes may come: each gives a token or an error, and an
 * error leaves the reader where the next statement can be found.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <bsd/string.h>

#include "conf_parse.h"

/* What ends a bare word. */
static bool
is_delimiter(const struct conf_lexer *lx, unsigned char c)
{
	switch (c) {
	case ' ':
	case '\t':
	case '\r':
	case '\n':
	case ',':
	case ';':
	case '{':
	case '}':
	case '"':
		return true;
	case '=':
		return !lx->env;
	default:
		return false;
	}
}

static bool
is_name(unsigned char c, bool first)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
	    (!first && c >= '0' && c <= '9');
}

bool
conf_macro_name(const char *name, size_t len)
{
	size_t i;

	if (len == 0 || len >= CONF_NAME_MAX)
		return false;
	for (i = 0; i < len; i++) {
		if (!is_name((unsigned char)name[i], i == 0))
			return false;
	}
	return true;
}

struct conf_macro *
conf_macro_find(struct conf_parser *p, const char *name, size_t len)
{
	uint32_t i;

	for (i = 0; i < p->nmacro; i++) {
		if (strlen(p->macro[i].name) == len &&
		    memcmp(p->macro[i].name, name, len) == 0)
			return &p->macro[i];
	}
	return NULL;
}

/* The name has been checked.  NULL: there are too many. */
struct conf_macro *
conf_macro_add(struct conf_parser *p, const char *name)
{
	struct conf_macro *m;

	if (p->nmacro == CONF_MACRO_MAX)
		return NULL;
	m = &p->macro[p->nmacro++];
	memset(m, 0, sizeof(*m));
	strlcpy(m->name, name, sizeof(m->name));
	return m;
}

struct conf_where
conf_here(const struct conf_parser *p)
{
	struct conf_where w = { p->lx->name, p->tok.line };

	if (p->lx->env)
		w.line = CONF_LINE_ENV;
	return w;
}

/* Length of the UTF-8 sequence at s; 0 if it is none (RFC 3629). */
static size_t
utf8_length(const unsigned char *s, size_t len)
{
	size_t i, n;
	unsigned char low = 0x80, high = 0xbf;

	if (s[0] < 0x80)
		return 1;
	if (s[0] >= 0xc2 && s[0] <= 0xdf)
		n = 2;
	else if (s[0] >= 0xe0 && s[0] <= 0xef)
		n = 3;
	else if (s[0] >= 0xf0 && s[0] <= 0xf4)
		n = 4;
	else
		return 0;
	if (s[0] == 0xe0)
		low = 0xa0; /* overlong */
	else if (s[0] == 0xed)
		high = 0x9f; /* surrogates */
	else if (s[0] == 0xf0)
		low = 0x90;
	else if (s[0] == 0xf4)
		high = 0x8f; /* beyond Unicode */
	if (len < n || s[1] < low || s[1] > high)
		return 0;
	for (i = 2; i < n; i++) {
		if (s[i] < 0x80 || s[i] > 0xbf)
			return 0;
	}
	return n;
}

/* Printable text: UTF-8 without control characters. */
bool
conf_utf8(const char *s, size_t len)
{
	const unsigned char *u = (const unsigned char *)s;
	size_t n;

	while (len > 0) {
		if (*u < 0x20 || *u == 0x7f)
			return false;
		if ((n = utf8_length(u, len)) == 0)
			return false;
		u += n;
		len -= n;
	}
	return true;
}

/*
 * The bytes of one line, before any of them is looked at.  A bad line is still
 * read, so that its braces count, but gives no further error.
 */
static void
check_line(struct conf_parser *p, struct conf_lexer *lx)
{
	const unsigned char *s = lx->buf + lx->start;
	size_t i, n, len = lx->len - lx->start;
	struct conf_where w = { lx->name, lx->env ? CONF_LINE_ENV : lx->line };

	lx->checked = lx->line;
	for (i = 0; i < len && (lx->env || s[i] != '\n'); i += n) {
		n = utf8_length(s + i, len - i);
		if (n != 0 && s[i] >= 0x20 && s[i] != 0x7f)
			continue;
		if (s[i] == '\t' ||
		    (s[i] == '\r' && i + 1 < len && s[i + 1] == '\n' && !lx->env))
			continue;
		if (n == 0)
			conf_error(p, w,
			    "expected text in UTF-8, "
			    "got the byte 0x%02x in column %zu",
			    s[i], i + 1);
		else
			conf_error(p, w,
			    "expected text, got the control "
			    "character 0x%02x in column %zu",
			    s[i], i + 1);
		lx->bad = lx->line;
		return;
	}
	if (i > CONF_LINE_MAX) {
		conf_error(p, w,
		    "expected a line of at most %d bytes, "
		    "got one of %zu",
		    CONF_LINE_MAX, i);
		lx->bad = lx->line;
	}
}

static void
new_line(struct conf_lexer *lx)
{
	lx->pos++;
	lx->line++;
	lx->start = lx->pos;
}

/* Blanks, comments, and newlines after a backslash. */
static void
skip_blank(struct conf_parser *p, struct conf_lexer *lx)
{
	const unsigned char *b = lx->buf;

	for (;;) {
		if (lx->checked != lx->line)
			check_line(p, lx);
		while (lx->pos < lx->len &&
		    (b[lx->pos] == ' ' || b[lx->pos] == '\t' || b[lx->pos] == '\r'))
			lx->pos++;
		if (lx->pos == lx->len)
			return;
		if (b[lx->pos] == '#' && !lx->env) {
			while (lx->pos < lx->len && b[lx->pos] != '\n')
				lx->pos++;
			return;
		}
		if (b[lx->pos] != '\\' || lx->env)
			return;
		if (lx->len - lx->pos >= 2 && b[lx->pos + 1] == '\n')
			lx->pos++;
		else if (lx->len - lx->pos >= 3 && b[lx->pos + 1] == '\r' &&
		    b[lx->pos + 2] == '\n')
			lx->pos += 2;
		else
			return;
		new_line(lx);
	}
}

/* One more error of the token being read; it then has had its error. */
static void CONF_PRINTF(2, 3) bad_token(struct conf_parser *p, const char *fmt, ...)
{
	char msg[512];
	va_list ap;

	if (p->tok.type == TOK_BAD)
		return;
	p->tok.type = TOK_BAD;
	va_start(ap, fmt);
	vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	conf_error(p, conf_here(p), "%s", msg);
}

static void
append(struct conf_parser *p, const char *s, size_t len)
{
	struct conf_token *t = &p->tok;

	if (t->type == TOK_BAD)
		return;
	if (len >= sizeof(t->text) - t->len) {
		bad_token(p,
		    "expected a word or string of at most %zu bytes, "
		    "got a longer one",
		    sizeof(t->text) - 1);
		return;
	}
	memcpy(t->text + t->len, s, len);
	t->len += len;
	t->text[t->len] = '\0';
}

static void
undefined(struct conf_parser *p, const char *name, size_t len)
{
	char word[CONF_NAME_MAX], quoted[128];
	const char *found = NULL;
	size_t best = SIZE_MAX;
	uint32_t i;

	conf_quote(name, len, quoted, sizeof(quoted));
	if (len < sizeof(word)) {
		memcpy(word, name, len);
		word[len] = '\0';
		for (i = 0; i < p->nmacro; i++) {
			if (conf_near(word, p->macro[i].name, &best))
				found = p->macro[i].name;
		}
	}
	if (found != NULL)
		bad_token(p,
		    "expected a macro that is defined, got %s; "
		    "did you mean \"%s\"?",
		    quoted, found);
	else
		bad_token(p,
		    "expected a macro that is defined, got %s; define "
		    "it above, or write \"\\$\" for a dollar sign",
		    quoted);
}

/* $name or ${name}; the reader stands on the dollar. */
static void
expand(struct conf_parser *p)
{
	struct conf_lexer *lx = p->lx;
	const char *name, *b = (const char *)lx->buf;
	struct conf_macro *m;
	size_t len = 0;
	bool brace;

	lx->pos++;
	brace = lx->pos < lx->len && b[lx->pos] == '{';
	if (brace)
		lx->pos++;
	name = b + lx->pos;
	while (lx->pos < lx->len && is_name(lx->buf[lx->pos], len == 0)) {
		lx->pos++;
		len++;
	}
	if (len == 0 || (brace && (lx->pos == lx->len || b[lx->pos] != '}'))) {
		bad_token(p,
		    "expected the name of a macro after \"$\"%s; write "
		    "\"\\$\" in a string for a dollar sign",
		    brace ? " in braces" : "");
		return;
	}
	if (brace)
		lx->pos++;
	m = conf_macro_find(p, name, len);
	if (m == NULL) {
		undefined(p, name, len);
		return;
	}
	m->known = true;
	if (m->bad)
		p->tok.type = TOK_BAD;
	append(p, m->value, strlen(m->value));
}

/*
 * The string has no end in its line.  If a block begins at the end of the line
 * it still does, or else its statements would be taken for those of its parent.
 */
static void
unterminated(struct conf_parser *p)
{
	struct conf_lexer *lx = p->lx;
	size_t i;

	bad_token(p,
	    "expected a '\"' to end the string, "
	    "got the end of the %s",
	    lx->env ? "value" : "line");
	for (i = lx->pos; i > lx->start; i--) {
		if (lx->buf[i - 1] == '{') {
			lx->pos = i - 1;
			return;
		}
		if (lx->buf[i - 1] != ' ' && lx->buf[i - 1] != '\t' &&
		    lx->buf[i - 1] != '\r')
			return;
	}
}

static void
lex_string(struct conf_parser *p)
{
	struct conf_lexer *lx = p->lx;
	const char *b = (const char *)lx->buf;

	p->tok.type = TOK_STRING;
	lx->pos++;
	while (lx->pos < lx->len && b[lx->pos] != '\n') {
		switch (b[lx->pos]) {
		case '"':
			lx->pos++;
			return;
		case '$':
			if (!lx->env) {
				expand(p);
				continue;
			}
			break;
		case '\\':
			if (lx->pos + 1 == lx->len || b[lx->pos + 1] == '\0' ||
			    strchr("\"\\$", b[lx->pos + 1]) == NULL) {
				bad_token(p,
				    "expected '\"', '\\' or '$' after "
				    "the '\\' in a string, got another "
				    "character; write '\\\\' for a backslash");
				break;
			}
			lx->pos++;
			break;
		}
		append(p, b + lx->pos, 1);
		lx->pos++;
	}
	unterminated(p);
}

static void
lex_word(struct conf_parser *p)
{
	struct conf_lexer *lx = p->lx;
	const char *b = (const char *)lx->buf;

	p->tok.type = TOK_WORD;
	while (lx->pos < lx->len && !is_delimiter(lx, lx->buf[lx->pos])) {
		if (b[lx->pos] == '$' && !lx->env) {
			if (p->tok.type == TOK_WORD)
				p->tok.type = TOK_STRING;
			expand(p);
			continue;
		}
		if (b[lx->pos] == '#' && !lx->env)
			bad_token(p,
			    "expected a blank before a comment, got "
			    "\"#\" in a word; quote the word if it is part of it");
		if (b[lx->pos] == '\\' && lx->pos + 1 < lx->len &&
		    (b[lx->pos + 1] == '\n' || b[lx->pos + 1] == '\r') && p->tok.len > 0)
			return;
		append(p, b + lx->pos, 1);
		lx->pos++;
	}
}

static void
single(struct conf_parser *p, enum conf_tok type)
{
	p->tok.type = type;
	p->tok.text[0] = (char)p->lx->buf[p->lx->pos++];
	p->tok.text[1] = '\0';
	p->tok.len = 1;
}

/* Put the next token into p->tok. */
void
conf_next(struct conf_parser *p)
{
	struct conf_lexer *lx = p->lx;
	struct conf_token *t = &p->tok;

	t->type = TOK_EOF;
	t->len = 0;
	t->text[0] = '\0';
	if (!p->stop)
		skip_blank(p, lx);
	t->line = lx->line;
	t->first = lx->pos == lx->start;
	if (p->stop || lx->pos == lx->len) {
		/* The file's last line, not the empty one behind it. */
		if (t->first && t->line > 1)
			t->line--;
		return;
	}
	if (lx->raw) {
		t->type = TOK_STRING;
		append(p, (const char *)lx->buf + lx->pos, lx->len - lx->pos);
		lx->pos = lx->len;
		return;
	}
	switch (lx->buf[lx->pos]) {
	case '\n':
		single(p, TOK_END);
		if (!lx->env) {
			lx->pos--;
			new_line(lx);
		}
		break;
	case ';':
		single(p, TOK_END);
		break;
	case ',':
		single(p, TOK_COMMA);
		break;
	case '{':
		single(p, TOK_OPEN);
		break;
	case '}':
		single(p, TOK_CLOSE);
		break;
	case '"':
		lex_string(p);
		break;
	case '=':
		if (!lx->env) {
			single(p, TOK_EQUALS);
			break;
		}
		/* FALLTHROUGH */
	default:
		lex_word(p);
		break;
	}
}

/*
 * "expected <fmt>, got <the token>; <hint>" (hint may be NULL), unless the
 * token has had its error already.
 */
void
conf_expected(struct conf_parser *p, const char *hint, const char *fmt, ...)
{
	char want[512], got[256];
	const struct conf_token *t = &p->tok;
	const char *what = p->lx->env ? "value" : "file";
	va_list ap;

	if (t->type == TOK_BAD)
		return;
	va_start(ap, fmt);
	vsnprintf(want, sizeof(want), fmt, ap);
	va_end(ap);
	if (t->type == TOK_EOF)
		snprintf(got, sizeof(got), "the end of the %s", what);
	else if (t->type == TOK_END && t->text[0] == '\n')
		strlcpy(got, "the end of the line", sizeof(got));
	else
		conf_quote(t->text, t->len, got, sizeof(got));
	conf_error(p, conf_here(p), "expected %s, got %s%s%s", want, got,
	    hint != NULL ? "; " : "", hint != NULL ? hint : "");
}
