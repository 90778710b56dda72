/*
 * The values that only one keyword has, and the shape that is its own.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "conf_parse.h"
#include "https_url.h"

/* What a location serves: a path of URLs. */
bool
conf_value_prefix(struct conf_parser *p, const struct conf_row *row, void *base)
{
	const char *s = p->tok.text;
	size_t i, len = p->tok.len;
	bool good;

	good = conf_is_value(p) && len > 2 && s[0] == '/' && s[len - 1] == '/' &&
	    strstr(s, "//") == NULL && !conf_climbs(s);
	for (i = 0; good && i < len; i++)
		good = conf_word_byte(s[i]) || s[i] == '/' || s[i] == '~';
	if (!good) {
		conf_expected(p, NULL, "a path such as \"/name/\" after \"%s\"",
		    conf_row_name(row));
		return false;
	}
	return conf_take_text(p, (char *)base + row->offset, row->size);
}

/* Likewise, kept without the slash at its end. */
bool
conf_value_base(struct conf_parser *p, const struct conf_row *row, void *base)
{
	char *to = (char *)base + row->offset;

	if (!conf_value_prefix(p, row, base))
		return false;
	to[strlen(to) - 1] = '\0';
	return true;
}

/* Where ided asks somebody outside itself: https, and nothing secret in it. */
bool
conf_value_url(struct conf_parser *p, const struct conf_row *row, void *base)
{
	struct https_url u;

	if (!conf_is_value(p) || !https_url_parse(p->tok.text, &u)) {
		conf_expected(p, NULL,
		    "an address such as \"https://example.com/feed\" after \"%s\"",
		    conf_row_name(row));
		return false;
	}
	return conf_take_text(p, (char *)base + row->offset, row->size);
}

/* 5 per 15m */
bool
conf_value_rate(struct conf_parser *p, const struct conf_row *row, void *base)
{
	struct conf_row part = *row;
	struct conf_rate rate;
	uint64_t count, period;

	if (!conf_take_unit(p, &part, conf_numbers, &count) ||
	    !conf_keyword(p, "per", row->name))
		return false;
	part.name = "per";
	part.min = 1;
	part.max = 24 * 3600;
	if (!conf_take_unit(p, &part, conf_durations, &period))
		return false;
	rate.count = (uint32_t)count;
	rate.period = (uint32_t)period;
	memcpy((char *)base + row->offset, &rate, sizeof(rate));
	return true;
}

/* 64:30:512, as sshd's MaxStartups */
bool
conf_value_startups(
    struct conf_parser *p, const struct conf_row *row, struct conf_prefork *prefork)
{
	const char *s = p->tok.text;
	uint64_t begin = 0, rate = 0, full = 0;

	if (!conf_is_value(p) || !conf_number(s, &begin, &s) || *s++ != ':' ||
	    !conf_number(s, &rate, &s) || *s++ != ':' || !conf_number(s, &full, &s) ||
	    *s != '\0' || begin < row->min || begin > row->max || rate < 1 ||
	    rate > 100 || full < row->min || full > row->max) {
		conf_expected(p, NULL,
		    "begin:percent:full, numbers from "
		    "%" PRIu64 " to %" PRIu64 " and a percent from 1 to 100, "
		    "after \"%s\"",
		    row->min, row->max, row->name);
		return false;
	}
	if (begin > full) {
		conf_expected(p, NULL,
		    "begin:percent:full with begin not above "
		    "full after \"%s\"",
		    row->name);
		return false;
	}
	prefork->startups_begin = (uint32_t)begin;
	prefork->startups_rate = (uint32_t)rate;
	prefork->startups_full = (uint32_t)full;
	conf_next(p);
	return true;
}

/*
 * first:count.  Below 1000 are the system's accounts, 65534 and 65535 stand for
 * nobody, and the last two of 32 bits are -1 and -2 in disguise.
 */
bool
conf_value_uids(
    struct conf_parser *p, const struct conf_row *row, struct conf_isolation *isolation)
{
	const char *s = p->tok.text, *hint = NULL;
	const uint64_t low = 1000, high = UINT32_MAX - 2;
	uint64_t first = 0, count = 0;

	if (!conf_is_value(p) || !conf_number(s, &first, &s) || *s++ != ':' ||
	    !conf_number(s, &count, &s) || *s != '\0' || count == 0)
		hint = "such as 200000:65536";
	else if (first < low)
		hint = "below 1000 are accounts of the system";
	else if (first > high || count - 1 > high - first)
		hint = "the last one is above 4294967293";
	else if (first <= 65535 && count - 1 >= 65534 - first)
		hint = "65534 and 65535 are nobody's: begin above them";
	if (hint != NULL) {
		conf_expected(p, hint,
		    "first:count, users from 1000 to "
		    "4294967293, after \"%s\"",
		    row->name);
		return false;
	}
	isolation->uid_first = (uint32_t)first;
	isolation->uid_count = (uint32_t)count;
	conf_next(p);
	return true;
}

/* Is a path the other one, or below it? */
bool
conf_below(const char *path, const char *above)
{
	size_t len = strlen(above);

	return strncmp(path, above, len) == 0 &&
	    (path[len] == '\0' || path[len] == '/' || len == 1);
}

/* What a sandbox has of its own and cannot have from the host; the second half not
 * even below. */
static const char *const bind_whole[] = { "/", "/bin", "/etc", "/lib", "/lib32", "/lib64",
	"/libx32", "/opt", "/run", "/sbin", "/usr", "/var" };
static const char *const bind_none[] = { "/dev", "/home", "/opt/ide", "/proc", "/root",
	"/run/ide", "/sys", "/tmp", "/var/run", "/var/tmp" };

static const char *
bind_taken(const char *path)
{
	size_t i;

	for (i = 0; i < sizeof(bind_whole) / sizeof(bind_whole[0]); i++)
		if (strcmp(path, bind_whole[i]) == 0)
			return bind_whole[i];
	for (i = 0; i < sizeof(bind_none) / sizeof(bind_none[0]); i++)
		if (conf_below(path, bind_none[i]))
			return bind_none[i];
	return NULL;
}

/* Neither what the sandbox has itself, nor one in another. */
static bool
bind_fits(struct conf_parser *p, const struct conf_isolation *isolation, const char *path,
    struct conf_where at)
{
	const char *other = bind_taken(path);
	uint32_t i;

	if (other != NULL) {
		conf_error(p, at,
		    "expected a path that a sandbox does not have of its own after "
		    "\"bind\", got \"%s\"; %s there is the sandbox's",
		    path, other);
		return false;
	}
	for (i = 0; i < isolation->nbind; i++) {
		other = isolation->bind[i].path;
		if (conf_below(path, other) || conf_below(other, path)) {
			conf_error(p, at,
			    "expected paths apart from one another after \"bind\", "
			    "got \"%s\" and \"%s\"",
			    other, path);
			return false;
		}
	}
	return true;
}

/* "/path" [read-only | read-write], one or more. */
bool
conf_value_bind(
    struct conf_parser *p, const struct conf_row *row, struct conf_isolation *isolation)
{
	struct conf_bind *b;
	struct conf_where at;

	if (p->lx->env)
		isolation->nbind = 0;
	do {
		if (p->tok.type == TOK_COMMA)
			conf_next(p);
		at = conf_here(p);
		if (isolation->nbind == CONF_BIND_MAX) {
			conf_expected(p, NULL, "at most %d binds", CONF_BIND_MAX);
			return false;
		}
		b = &isolation->bind[isolation->nbind];
		if (!conf_path(p, row->name, b->path, sizeof(b->path), 0) ||
		    !bind_fits(p, isolation, b->path, at))
			return false;
		b->write = p->tok.type == TOK_WORD &&
		    strcmp(p->tok.text, "read-write") == 0;
		if (b->write ||
		    (p->tok.type == TOK_WORD && strcmp(p->tok.text, "read-only") == 0))
			conf_next(p);
		p->bind_at[isolation->nbind++] = at;
	} while (p->tok.type == TOK_COMMA);
	if (conf_is_value(p)) {
		conf_expected(p, NULL,
		    "read-only, read-write or the end of the %s after \"%s\"",
		    p->lx->env ? "value" : "line", row->name);
		return false;
	}
	return true;
}

/* Words, in one string or bare. */
bool
conf_value_protocols(
    struct conf_parser *p, const struct conf_row *row, struct conf_tls *tls)
{
	const char *s;
	size_t len;
	bool tls12 = false, tls13 = false, good = conf_is_value(p);

	while (good && (conf_is_value(p) || p->tok.type == TOK_COMMA)) {
		s = p->tok.type == TOK_COMMA ? "" : p->tok.text;
		for (;;) {
			s += strspn(s, " \t,");
			if ((len = strcspn(s, " \t,")) == 0)
				break;
			if (len == 7 && memcmp(s, "tlsv1.2", len) == 0)
				tls12 = true;
			else if (len == 7 && memcmp(s, "tlsv1.3", len) == 0)
				tls13 = true;
			else {
				good = false;
				break;
			}
			s += len;
		}
		if (good)
			conf_next(p);
	}
	if (!good || p->tok.type == TOK_BAD || (!tls12 && !tls13)) {
		conf_expected(
		    p, NULL, "tlsv1.2, tlsv1.3 or both after \"%s\"", row->name);
		return false;
	}
	tls->tls12 = tls12;
	tls->tls13 = tls13;
	return true;
}

bool
conf_value_log_to(
    struct conf_parser *p, const struct conf_row *row, struct conf_common *common)
{
	const struct conf_word *w = conf_take_word(p, row);

	if (w == NULL)
		return false;
	common->log_file[0] = '\0';
	if (w->value == LOG_TO_FILE &&
	    !conf_path(p, "to file", common->log_file, sizeof(common->log_file), 0))
		return false;
	common->log_to = w->value;
	return true;
}

static bool
given(const struct conf_parser *p, const char *name)
{
	const struct conf_row *row = conf_row_find(B_COMPRESSION, name);

	return p->at[conf_row_index(row)].name != NULL;
}

/* off, or the encodings to use: those that are not named are not used. */
bool
conf_value_compression(
    struct conf_parser *p, const struct conf_row *row, struct conf_http *http)
{
	bool zstd, brotli, gzip;

	if (p->tok.type == TOK_WORD && strcmp(p->tok.text, "off") == 0) {
		http->zstd_on = http->brotli_on = http->gzip_on = 0;
		conf_next(p);
		return true;
	}
	if (!conf_options(p, B_COMPRESSION, p->conf))
		return false;
	zstd = given(p, "zstd");
	brotli = given(p, "brotli");
	gzip = given(p, "gzip");
	if (zstd || brotli || gzip) {
		http->zstd_on = zstd;
		http->brotli_on = brotli;
		http->gzip_on = gzip;
	} else if (!given(p, "minimum")) {
		conf_expected(p, NULL,
		    "zstd, brotli, gzip, minimum or off after "
		    "\"%s\"",
		    row->name);
		return false;
	}
	return true;
}

/* The first one given takes the place of the default. */
bool
conf_value_argument(
    struct conf_parser *p, const struct conf_row *row, struct conf_ide *ide)
{
	if (!p->seen[conf_row_index(row)] || p->lx->env)
		ide->nargs = 0;
	do {
		if (p->tok.type == TOK_COMMA)
			conf_next(p);
		if (!conf_is_value(p) || p->tok.len == 0) {
			conf_expected(p, NULL, "a string after \"%s\"", row->name);
			return false;
		}
		if (ide->nargs == CONF_ARG_MAX) {
			conf_expected(p, NULL, "at most %d arguments", CONF_ARG_MAX);
			return false;
		}
		if (!conf_take_text(p, ide->arg[ide->nargs], CONF_ARGLEN_MAX))
			return false;
		ide->nargs++;
	} while (p->tok.type == TOK_COMMA || conf_is_value(p));
	return true;
}

/* "publisher" or "publisher.name", in lower case: VS Code does not tell them apart. */
static bool
extension_id(const char *s, char *id)
{
	size_t n, dots = 0;

	for (n = 0; s[n] != '\0' && n < CONF_EXTENSION_MAX; n++) {
		id[n] = s[n] >= 'A' && s[n] <= 'Z' ? (char)(s[n] | 0x20) : s[n];
		if ((id[n] >= 'a' && id[n] <= 'z') || (id[n] >= '0' && id[n] <= '9') ||
		    id[n] == '_' || id[n] == '-')
			continue;
		if (id[n] != '.' || n == 0 || s[n + 1] == '\0' || ++dots > 1)
			return false;
	}
	if (n == 0 || n == CONF_EXTENSION_MAX)
		return false;
	id[n] = '\0';
	return true;
}

/* allow or deny, and one or more of them. */
bool
conf_value_extension(
    struct conf_parser *p, const struct conf_row *row, struct conf_ide *ide)
{
	const struct conf_word *w = conf_take_word(p, row);
	struct conf_extension e;
	uint32_t i;

	if (w == NULL)
		return false;
	do {
		if (p->tok.type == TOK_COMMA)
			conf_next(p);
		memset(&e, 0, sizeof(e));
		e.allow = (uint32_t)w->value;
		if (!conf_is_value(p) || !extension_id(p->tok.text, e.id)) {
			conf_expected(p, NULL,
			    "a publisher or an extension, such as \"golang\" or "
			    "\"golang.go\", after \"%s\"",
			    w->name);
			return false;
		}
		for (i = 0; i < ide->nextensions; i++)
			if (strcmp(ide->extension[i].id, e.id) == 0) {
				conf_expected(
				    p, NULL, "each once after \"%s\"", row->name);
				return false;
			}
		if (ide->nextensions == CONF_EXTENSIONS_MAX) {
			conf_expected(p, "a publisher stands for all of its extensions",
			    "at most %d after \"%s\"", CONF_EXTENSIONS_MAX, row->name);
			return false;
		}
		ide->extension[ide->nextensions++] = e;
		conf_next(p);
	} while (p->tok.type == TOK_COMMA || conf_is_value(p));
	return true;
}

/* "#rrggbb" */
bool
conf_value_colour(struct conf_parser *p, const struct conf_row *row, void *base)
{
	const char *s = p->tok.text;
	uint32_t v = 0;
	int i, digit;

	for (i = 1; i <= 6 && conf_is_value(p) && s[0] == '#'; i++) {
		if (s[i] >= '0' && s[i] <= '9')
			digit = s[i] - '0';
		else if ((s[i] | 0x20) >= 'a' && (s[i] | 0x20) <= 'f')
			digit = (s[i] | 0x20) - 'a' + 10;
		else
			break;
		v = v << 4 | (uint32_t)digit;
	}
	if (i != 7 || p->tok.len != 7) {
		conf_expected(p, NULL, "a colour such as \"#2456a6\" after \"%s\"",
		    conf_row_name(row));
		return false;
	}
	conf_store(base, row, COLOUR_SET | v);
	conf_next(p);
	return true;
}
