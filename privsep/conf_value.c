/*
 * The values of keywords: each takes the tokens of one value, checks it, and
 * stores it where the row says.  False: it was wrong, and an error is reported.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <bsd/string.h>

#include "conf_parse.h"

/* Largest first, for printing. */
const struct conf_unit conf_sizes[] = {
	{ "T", 1ULL << 40 },
	{ "G", 1ULL << 30 },
	{ "M", 1ULL << 20 },
	{ "K", 1ULL << 10 },
	{ "", 1 },
	{ NULL, 0 },
};

/* A bare number is none: whether it was meant in seconds is not to be guessed. */
const struct conf_unit conf_durations[] = {
	{ "w", 7 * 24 * 3600 },
	{ "d", 24 * 3600 },
	{ "h", 3600 },
	{ "m", 60 },
	{ "s", 1 },
	{ NULL, 0 },
};

const struct conf_unit conf_percents[] = { { "%", 1 }, { NULL, 0 } };
const struct conf_unit conf_numbers[] = { { "", 1 }, { NULL, 0 } };

void
conf_store(void *base, const struct conf_row *row, uint64_t value)
{
	unsigned char *at = (unsigned char *)base + row->offset;
	uint8_t v8 = (uint8_t)value;
	uint32_t v32 = (uint32_t)value;

	if (row->size == sizeof(v8))
		memcpy(at, &v8, sizeof(v8));
	else if (row->size == sizeof(v32))
		memcpy(at, &v32, sizeof(v32));
	else
		memcpy(at, &value, sizeof(value));
}

uint64_t
conf_load(const void *base, const struct conf_row *row)
{
	const unsigned char *at = (const unsigned char *)base + row->offset;
	uint8_t v8;
	uint32_t v32;
	uint64_t v64;

	if (row->size == sizeof(v8)) {
		memcpy(&v8, at, sizeof(v8));
		return v8;
	}
	if (row->size == sizeof(v32)) {
		memcpy(&v32, at, sizeof(v32));
		return v32;
	}
	memcpy(&v64, at, sizeof(v64));
	return v64;
}

bool
conf_is_value(const struct conf_parser *p)
{
	return p->tok.type == TOK_WORD || p->tok.type == TOK_STRING;
}

/* A word of the syntax that must stand here. */
bool
conf_keyword(struct conf_parser *p, const char *word, const char *after)
{
	if (p->tok.type != TOK_WORD || strcmp(p->tok.text, word) != 0) {
		conf_expected(p, NULL, "\"%s\" after \"%s\"", word, after);
		return false;
	}
	conf_next(p);
	return true;
}

/* Decimal digits; *end is what follows.  False: none, or too many. */
bool
conf_number(const char *s, uint64_t *value, const char **end)
{
	uint64_t v = 0;
	unsigned int digit;
	const char *start = s;

	for (; *s >= '0' && *s <= '9'; s++) {
		digit = (unsigned int)(*s - '0');
		if (v > (UINT64_MAX - digit) / 10)
			return false;
		v = v * 10 + digit;
	}
	*value = v;
	*end = s;
	return s != start;
}

static bool
parse_unit(const char *s, const struct conf_unit *units, uint64_t *value)
{
	const char *end;
	size_t i;

	if (!conf_number(s, value, &end))
		return false;
	for (i = 0; units[i].suffix != NULL; i++) {
		if (strcmp(end, units[i].suffix) != 0)
			continue;
		if (*value > UINT64_MAX / units[i].factor)
			return false;
		*value *= units[i].factor;
		return true;
	}
	return false;
}

static const char *
format_unit(uint64_t value, const struct conf_unit *units, char *buf, size_t size)
{
	size_t i;

	for (i = 0; units[i + 1].suffix != NULL; i++) {
		if (value != 0 && value % units[i].factor == 0)
			break;
	}
	snprintf(buf, size, "%" PRIu64 "%s", value / units[i].factor, units[i].suffix);
	return buf;
}

/* A number with a unit, within the limits of the row. */
bool
conf_take_unit(struct conf_parser *p, const struct conf_row *row,
    const struct conf_unit *units, uint64_t *value)
{
	char min[32], max[32];
	const char *what = "a number", *hint = NULL;

	if (conf_is_value(p) && parse_unit(p->tok.text, units, value) &&
	    *value >= row->min && *value <= row->max) {
		conf_next(p);
		return true;
	}
	if (units == conf_sizes) {
		what = "a size";
		hint = "units are K, M, G and T";
	} else if (units == conf_durations) {
		what = "a duration";
		hint = "units are s, m, h, d and w";
	} else if (units == conf_percents)
		what = "a percentage";
	conf_expected(p, hint, "%s from %s to %s after \"%s\"", what,
	    format_unit(row->min, units, min, sizeof(min)),
	    format_unit(row->max, units, max, sizeof(max)), conf_row_name(row));
	return false;
}

static bool
value_unit(struct conf_parser *p, const struct conf_row *row, void *base,
    const struct conf_unit *units)
{
	uint64_t value;

	if (!conf_take_unit(p, row, units, &value))
		return false;
	conf_store(base, row, value);
	return true;
}

/* "a, b or c" */
static void
list_words(const struct conf_word *words, char *buf, size_t size)
{
	const struct conf_word *w;

	buf[0] = '\0';
	for (w = words; w->name != NULL; w++) {
		if (w != words)
			strlcat(buf, w[1].name == NULL ? " or " : ", ", size);
		strlcat(buf, w->name, size);
	}
}

const struct conf_word *
conf_take_word(struct conf_parser *p, const struct conf_row *row)
{
	const struct conf_word *w;
	char list[128];

	for (w = row->words; conf_is_value(p) && w->name != NULL; w++) {
		if (strcmp(p->tok.text, w->name) == 0) {
			conf_next(p);
			return w;
		}
	}
	list_words(row->words, list, sizeof(list));
	conf_expected(p, NULL, "%s after \"%s\"", list, conf_row_name(row));
	return NULL;
}

static bool
value_word(struct conf_parser *p, const struct conf_row *row, void *base)
{
	const struct conf_word *w = conf_take_word(p, row);

	if (w == NULL)
		return false;
	conf_store(base, row, w->value);
	return true;
}

static bool
value_set(struct conf_parser *p, const struct conf_row *row, void *base)
{
	const struct conf_word *w;
	uint64_t value = 0;

	do {
		if (p->tok.type == TOK_COMMA)
			conf_next(p);
		if ((w = conf_take_word(p, row)) == NULL)
			return false;
		value |= w->value;
	} while (p->tok.type == TOK_COMMA || conf_is_value(p));
	conf_store(base, row, value);
	return true;
}

/* Does a path climb: has it ".." as a component? */
bool
conf_climbs(const char *s)
{
	const char *at;

	for (at = strstr(s, ".."); at != NULL; at = strstr(at + 1, "..")) {
		if ((at == s || at[-1] == '/') && (at[2] == '\0' || at[2] == '/'))
			return true;
	}
	return false;
}

/* An absolute path shorter than size, and than max if that is not zero. */
bool
conf_path(struct conf_parser *p, const char *after, char *to, size_t size, uint64_t max)
{
	const char *s = p->tok.text;
	size_t len = p->tok.len;

	if (!conf_is_value(p) || s[0] != '/') {
		conf_expected(p, NULL, "an absolute path after \"%s\"", after);
		return false;
	}
	while (len > 1 && s[len - 1] == '/')
		len--;
	if (max == 0 || max >= size)
		max = size - 1;
	if (len > max) {
		conf_expected(p, NULL, "a path of at most %" PRIu64 " bytes after \"%s\"",
		    max, after);
		return false;
	}
	if (conf_climbs(s)) {
		conf_expected(p, NULL, "a path without \"..\" after \"%s\"", after);
		return false;
	}
	memcpy(to, s, len);
	to[len] = '\0';
	conf_next(p);
	return true;
}

/* Copy the token, once it has been found good. */
bool
conf_take_text(struct conf_parser *p, char *to, size_t size)
{
	if (strlcpy(to, p->tok.text, size) >= size) {
		conf_expected(p, NULL, "at most %zu bytes", size - 1);
		return false;
	}
	conf_next(p);
	return true;
}

static bool
value_text(struct conf_parser *p, const struct conf_row *row, void *base)
{
	if (!conf_is_value(p) || p->tok.len == 0) {
		conf_expected(p, NULL, "a text after \"%s\"", conf_row_name(row));
		return false;
	}
	return conf_take_text(p, (char *)base + row->offset, row->size);
}

bool
conf_word_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

static bool
value_name(struct conf_parser *p, const struct conf_row *row, void *base)
{
	const char *s = p->tok.text;

	if (conf_is_value(p) && *s != '-' && *s != '.') {
		while (conf_word_byte(*s))
			s++;
	}
	if (!conf_is_value(p) || s == p->tok.text || *s != '\0') {
		conf_expected(p, NULL,
		    "a name of letters, digits, '-', '_' "
		    "and '.' after \"%s\"",
		    conf_row_name(row));
		return false;
	}
	return conf_take_text(p, (char *)base + row->offset, row->size);
}

static bool
value_domain(struct conf_parser *p, const struct conf_row *row, void *base)
{
	const char *s = p->tok.text;

	if (!conf_is_value(p) || strncmp(s, "*.", 2) != 0 || !conf_host(s + 2)) {
		conf_expected(p, NULL,
		    "a domain such as \"*.ide.example.com\" "
		    "after \"%s\"",
		    conf_row_name(row));
		return false;
	}
	return conf_take_text(p, (char *)base + row->offset, row->size);
}

/* The value of a number with its unit, as one would write it. */
const char *
conf_format(const struct conf_row *row, uint64_t value, char *buf, size_t size)
{
	const struct conf_unit *units = conf_numbers;

	if (row->kind == K_SIZE)
		units = conf_sizes;
	else if (row->kind == K_DURATION)
		units = conf_durations;
	else if (row->kind == K_PERCENT)
		units = conf_percents;
	return format_unit(value, units, buf, size);
}

bool
conf_value(struct conf_parser *p, const struct conf_row *row, void *base)
{
	switch ((enum conf_kind)row->kind) {
	case K_NONE:
	case K_BLOCK:
		return true;
	case K_FLAG:
		conf_store(base, row, row->min);
		return true;
	case K_NUMBER:
		return value_unit(p, row, base, conf_numbers);
	case K_SIZE:
		return value_unit(p, row, base, conf_sizes);
	case K_DURATION:
		return value_unit(p, row, base, conf_durations);
	case K_PERCENT:
		return value_unit(p, row, base, conf_percents);
	case K_WORD:
		return value_word(p, row, base);
	case K_SET:
		return value_set(p, row, base);
	case K_PATH:
		return conf_path(p, conf_row_name(row), (char *)base + row->offset,
		    row->size, row->max);
	case K_NAME:
		return value_name(p, row, base);
	case K_TEXT:
		return value_text(p, row, base);
	case K_DOMAIN:
		return value_domain(p, row, base);
	case K_PREFIX:
		return conf_value_prefix(p, row, base);
	case K_RATE:
		return conf_value_rate(p, row, base);
	case K_STARTUPS:
		return conf_value_startups(p, row, &p->conf->prefork);
	case K_UIDS:
		return conf_value_uids(p, row, &p->conf->isolation);
	case K_PORTS:
		return conf_value_ports(p, row, &p->conf->proxy);
	case K_BIND:
		return conf_value_bind(p, row, &p->conf->isolation);
	case K_PROTOCOLS:
		return conf_value_protocols(p, row, &p->conf->tls);
	case K_LOGTO:
		return conf_value_log_to(p, row, &p->conf->common);
	case K_LISTEN:
	case K_METRICS:
		return conf_listen(p, row);
	case K_FROM:
		return conf_value_from(p, row, base);
	case K_TARGET:
		return conf_target(p, row, base);
	case K_COMPRESSION:
		return conf_value_compression(p, row, &p->conf->http);
	case K_ARGUMENT:
		return conf_value_argument(p, row, &p->conf->ide);
	case K_EXTENSION:
		return conf_value_extension(p, row, &p->conf->ide);
	case K_NETPOOL:
		return conf_value_pool(p, row, &p->conf->net);
	case K_RESOLVER:
		return conf_value_resolver(p, row, &p->conf->net);
	case K_TABLE:
		return conf_value_table(p, row);
	case K_EGRESS:
		return conf_value_egress(p, row);
	case K_HEADER:
		return conf_value_header(p, row, base);
	case K_WHOSE:
		return conf_value_whose(p, row, base);
	case K_URL:
		return conf_value_url(p, row, base);
	case K_BASE:
		return conf_value_base(p, row, base);
	case K_COLOUR:
		return conf_value_colour(p, row, base);
	case K_ROLE:
		return conf_value_role(p, row);
	}
	return false;
}
