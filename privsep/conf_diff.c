/*
 * What differs between two configurations: keyword by keyword as ided.conf(5) has
 * them, with the values as one would write them.  Of what may hold a secret nothing
 * is said but that it is another.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bsd/string.h>

#include "conf_parse.h"
#include "wire.h"

#define LABEL_MAX    256
#define ROW_TEXT_MAX (CONF_HEADER_MAX * (CONF_ARGLEN_MAX + 1) + 1)
#define ELEMENT      sizeof(struct conf_location)

struct diff {
	const struct conf *old;
	const struct conf *fresh;
	conf_change_fn tell;
	void *arg;
};

/* Cut at the end of a character, with a mark. */
static void
cut(char *to, size_t size, const char *text)
{
	static const char mark[] = "...";
	size_t n;

	if (strlcpy(to, text, size) < size)
		return;
	for (n = size - sizeof(mark); n > 0 && ((unsigned char)to[n] & 0xc0) == 0x80; n--)
		;
	memcpy(to + n, mark, sizeof(mark));
}

static void
tell(const struct diff *d, const char *keyword, const char *old, const char *fresh)
{
	struct m_change c;

	memset(&c, 0, sizeof(c));
	cut(c.keyword, sizeof(c.keyword), keyword);
	cut(c.old, sizeof(c.old), old);
	cut(c.fresh, sizeof(c.fresh), fresh);
	d->tell(d->arg, &c);
}

/* "auth session idle"; what stands in label is named by it: location "/x/" root. */
static void
keyword(const struct conf_row *row, enum conf_block within, const char *label, char *buf,
    size_t size)
{
	const struct conf_row *up = conf_row_opening(row->block);

	buf[0] = '\0';
	if (up != NULL)
		keyword(up, within, label, buf, size);
	if (row->name[0] != '\0') {
		strlcat(buf, buf[0] != '\0' ? " " : "", size);
		strlcat(buf, row->name, size);
	}
	if (within != B_NONE && row->sub == within) {
		strlcat(buf, " ", size);
		strlcat(buf, label, size);
	}
}

static void
text_words(const struct conf_row *row, uint64_t value, char *buf, size_t size)
{
	const struct conf_word *w;

	buf[0] = '\0';
	for (w = row->words; w->name != NULL; w++)
		if (row->kind == K_SET ? (value & w->value) != 0 : value == w->value) {
			strlcat(buf, buf[0] != '\0' ? ", " : "", size);
			strlcat(buf, w->name, size);
		}
}

static void
text_prefixes(const struct conf_prefix *p, size_t n, char *buf, size_t size)
{
	char one[64];
	size_t i;

	buf[0] = '\0';
	for (i = 0; i < n; i++) {
		strlcat(buf, i > 0 ? ", " : "", size);
		strlcat(buf, conf_prefix_text(&p[i], one, sizeof(one)), size);
	}
}

/* False: it is no value of one row, or is not this row's alone. */
static bool
text_of(const struct conf_row *row, const void *base, char *buf, size_t size)
{
	const char *at = (const char *)base + row->offset;
	const struct conf_location *l = base;
	const struct conf_listen *listen = base;
	struct conf_rate rate;
	uint32_t i;

	/* Two keywords have one place. */
	if (row->block == B_LOCATION &&
	    row->offset == offsetof(struct conf_location, target) &&
	    (row->kind == K_TARGET) == (l->kind == LOCATION_ROOT)) {
		buf[0] = '\0';
		return true;
	}
	switch ((enum conf_kind)row->kind) {
	case K_NUMBER:
	case K_SIZE:
	case K_DURATION:
	case K_PERCENT:
		if (conf_load(base, row) == 0 && row->min > 0)
			buf[0] = '\0'; /* not set */
		else if (row->size == sizeof(uint64_t) &&
		    conf_load(base, row) == CONF_NO_LIMIT)
			strlcpy(buf, "no limit", size);
		else
			(void)conf_format(row, conf_load(base, row), buf, size);
		return true;
	case K_WORD:
	case K_SET:
	case K_WHOSE:
		text_words(row, conf_load(base, row), buf, size);
		return true;
	case K_FLAG:
		strlcpy(buf, conf_load(base, row) == row->min ? "set" : "", size);
		return true;
	case K_COLOUR:
		buf[0] = '\0';
		if (conf_load(base, row) != 0)
			snprintf(buf, size, "#%06x",
			    (unsigned int)(conf_load(base, row) & 0xffffff));
		return true;
	case K_RATE:
		memcpy(&rate, at, sizeof(rate));
		snprintf(
		    buf, size, "%" PRIu32 " per %" PRIu32 "s", rate.count, rate.period);
		return true;
	case K_PATH:
	case K_NAME:
	case K_TEXT:
	case K_DOMAIN:
	case K_PREFIX:
	case K_BASE:
	case K_URL:
	case K_TARGET:
		strlcpy(buf, at, size);
		return true;
	case K_FROM:
		text_prefixes(listen->from, listen->nfrom, buf, size);
		return true;
	case K_HEADER:
		buf[0] = '\0';
		for (i = 0; i < l->nheaders; i++) {
			strlcat(buf, l->header[i], size);
			strlcat(buf, "\n", size);
		}
		return true;
	default:
		return false;
	}
}

/* The block of those that repeat which a row stands in, or B_NONE. */
static enum conf_block
repeats(const struct conf_row *row)
{
	enum conf_block b;

	while (row != NULL) {
		b = (enum conf_block)row->block;
		if (b == B_LISTEN || b == B_LOCATION || b == B_LIMITS)
			return b;
		row = conf_row_opening(b);
	}
	return B_NONE;
}

/* All rows of one element of a block that repeats; B_NONE: of all other blocks. */
static bool
rows(const struct diff *d, enum conf_block within, const char *label, const void *old,
    const void *fresh)
{
	char a[ROW_TEXT_MAX], b[ROW_TEXT_MAX], name[LABEL_MAX + 64];
	const struct conf_row *row;
	bool told = false;
	size_t i;

	for (i = 0; i < conf_nrows; i++) {
		row = &conf_rows[i];
		if (repeats(row) != within || !text_of(row, old, a, sizeof(a)) ||
		    !text_of(row, fresh, b, sizeof(b)) || strcmp(a, b) == 0)
			continue;
		keyword(row, within, label, name, sizeof(name));
		if ((row->flags & KW_SECRET) != 0)
			tell(d, name, "", "another");
		else
			tell(d, name, a, b);
		told = true;
	}
	return told;
}

/*
 * What repeats: who is there no more, who is new, and what of the others is another.
 * Each has a name that no other one has.
 */
struct list {
	const char *keyword;
	enum conf_block block; /* whose rows say what differs; B_NONE: none do */
	size_t count;          /* offset of the number of them */
	size_t at;             /* ... and of the first */
	size_t size;
	void (*name)(const void *, char *, size_t);
	void (*plain)(void *);                      /* without what does not count */
	void (*text)(const void *, char *, size_t); /* what it says, where no row does */
};

static void
name_listen(const void *e, char *buf, size_t size)
{
	(void)conf_address(e, buf, size);
}

static void
plain_listen(void *e)
{
	((struct conf_listen *)e)->line = 0;
}

static void
name_location(const void *e, char *buf, size_t size)
{
	snprintf(buf, size, "\"%s\"", ((const struct conf_location *)e)->prefix);
}

static void
plain_location(void *e)
{
	((struct conf_location *)e)->line = 0;
}

static void
name_limits(const void *e, char *buf, size_t size)
{
	const struct conf_limits *l = e;

	snprintf(
	    buf, size, "%s \"%s\"", l->whose == LIMITS_USER ? "user" : "role", l->name);
}

static void
name_role(const void *e, char *buf, size_t size)
{
	snprintf(buf, size, "\"%s\"", ((const struct role *)e)->name);
}

static void
name_bind(const void *e, char *buf, size_t size)
{
	snprintf(buf, size, "\"%s\"", ((const struct conf_bind *)e)->path);
}

static void
name_table(const void *e, char *buf, size_t size)
{
	snprintf(buf, size, "<%s>", ((const struct conf_addresses *)e)->name);
}

static void
plain_table(void *e)
{
	((struct conf_addresses *)e)->first = 0;
}

static void
text_role(const void *e, char *buf, size_t size)
{
	(void)permits_text(((const struct role *)e)->permit, buf, size);
}

static void
text_bind(const void *e, char *buf, size_t size)
{
	const struct conf_bind *b = e;

	strlcpy(buf, b->write ? "read-write" : "read-only", size);
}

static void
text_table(const void *e, char *buf, size_t size)
{
	const struct conf_addresses *t = e;

	if (t->file[0] != '\0')
		snprintf(buf, size, "file \"%s\"", t->file);
	else
		snprintf(buf, size, "%" PRIu32 " addresses", t->count);
}

#define LIST(k, block, n, a, name, plain, text)                                          \
	{                                                                                \
		(k), (block), offsetof(struct conf, n), offsetof(struct conf, a),        \
		    sizeof(((struct conf *)0)->a[0]), (name), (plain), (text)            \
	}
static const struct list lists[] = {
	LIST("listen", B_LISTEN, nlisten, listen, name_listen, plain_listen, NULL),
	LIST("role", B_NONE, nroles, role, name_role, NULL, text_role),
	LIST("isolation bind", B_NONE, isolation.nbind, isolation.bind, name_bind, NULL,
	    text_bind),
	LIST("isolation table", B_NONE, net.ntable, net.table, name_table, plain_table,
	    text_table),
	LIST("limits", B_LIMITS, nlimits, limits, name_limits, NULL, NULL),
	LIST("location", B_LOCATION, nlocation, location, name_location, plain_location,
	    NULL),
};
#undef LIST

static const char *
element(const struct list *l, const struct conf *c, uint32_t i, char name[LABEL_MAX])
{
	const char *e = (const char *)c + l->at + i * l->size;

	l->name(e, name, LABEL_MAX);
	return e;
}

static uint32_t
count(const struct list *l, const struct conf *c)
{
	uint32_t n;

	memcpy(&n, (const char *)c + l->count, sizeof(n));
	return n;
}

static const char *
find(const struct list *l, const struct conf *c, const char *name)
{
	char other[LABEL_MAX];
	const char *e;
	uint32_t i;

	for (i = 0; i < count(l, c); i++) {
		e = element(l, c, i, other);
		if (strcmp(other, name) == 0)
			return e;
	}
	return NULL;
}

static void
compare(const struct diff *d, const struct list *l, const char *name, const char *old,
    const char *fresh)
{
	static char a[ELEMENT], b[ELEMENT];
	char text[LABEL_MAX + 64], was[LABEL_MAX] = "", is[LABEL_MAX] = "another";

	_Static_assert(ELEMENT >= sizeof(struct conf_listen) &&
		ELEMENT >= sizeof(struct conf_limits) && ELEMENT >= sizeof(struct role) &&
		ELEMENT >= sizeof(struct conf_bind) &&
		ELEMENT >= sizeof(struct conf_addresses),
	    "the longest element");
	memcpy(a, old, l->size);
	memcpy(b, fresh, l->size);
	if (l->plain != NULL) {
		l->plain(a);
		l->plain(b);
	}
	if (memcmp(a, b, l->size) == 0 ||
	    (l->block != B_NONE && rows(d, l->block, name, a, b)))
		return;
	snprintf(text, sizeof(text), "%s %s", l->keyword, name);
	if (l->text != NULL) {
		l->text(a, was, sizeof(was));
		l->text(b, is, sizeof(is));
	}
	tell(d, text, was, is);
}

static void
list(const struct diff *d, const struct list *l)
{
	char name[LABEL_MAX], text[LABEL_MAX + 64];
	const char *e, *other;
	uint32_t i;

	for (i = 0; i < count(l, d->old); i++) {
		e = element(l, d->old, i, name);
		if ((other = find(l, d->fresh, name)) != NULL) {
			compare(d, l, name, e, other);
		} else {
			snprintf(text, sizeof(text), "%s %s", l->keyword, name);
			tell(d, text, "there", "");
		}
	}
	for (i = 0; i < count(l, d->fresh); i++) {
		(void)element(l, d->fresh, i, name);
		if (find(l, d->old, name) == NULL) {
			snprintf(text, sizeof(text), "%s %s", l->keyword, name);
			tell(d, text, "", "there");
		}
	}
}

/* What has a shape of its own, as text. */
static void
startups(const struct conf *c, char *buf, size_t size)
{
	snprintf(buf, size, "%" PRIu32 ":%" PRIu32 ":%" PRIu32, c->prefork.startups_begin,
	    c->prefork.startups_rate, c->prefork.startups_full);
}

static void
protocols(const struct conf *c, char *buf, size_t size)
{
	snprintf(buf, size, "%s%s%s", c->tls.tls12 ? "tlsv1.2" : "",
	    c->tls.tls12 && c->tls.tls13 ? " " : "", c->tls.tls13 ? "tlsv1.3" : "");
}

static void
ports(const struct conf *c, char *buf, size_t size)
{
	snprintf(buf, size, "%u-%u", c->proxy.port_first, c->proxy.port_last);
}

static void
log_file(const struct conf *c, char *buf, size_t size)
{
	strlcpy(buf, c->common.log_file, size);
}

static void
compression(const struct conf *c, char *buf, size_t size)
{
	snprintf(buf, size, "%s%s%s", c->http.zstd_on ? "zstd " : "",
	    c->http.brotli_on ? "brotli " : "", c->http.gzip_on ? "gzip " : "");
	if (buf[0] == '\0')
		strlcpy(buf, "off", size);
	else
		buf[strlen(buf) - 1] = '\0';
}

static void
pool(const struct conf *c, char *buf, size_t size)
{
	text_prefixes(c->net.pool, 2, buf, size);
}

static void
resolver(const struct conf *c, char *buf, size_t size)
{
	if (c->net.resolver_from == RESOLVER_HOST)
		strlcpy(buf, "host", size);
	else
		text_prefixes(c->net.resolver, c->net.nresolver, buf, size);
}

static const struct {
	const char *keyword;
	void (*text)(const struct conf *, char *, size_t);
} shapes[] = {
	{ "prefork startups", startups },
	{ "tls protocols", protocols },
	{ "proxy ports", ports },
	{ "log to file", log_file },
	{ "compression", compression },
	{ "isolation network-pool", pool },
	{ "isolation resolver", resolver },
};

/* What is told as a whole. */
#define WHOLE(k, n, f)                                                                   \
	{                                                                                \
		(k), offsetof(struct conf, n), offsetof(struct conf, f),                 \
		    sizeof(((struct conf *)0)->f)                                        \
	}
static const struct {
	const char *keyword;
	size_t count; /* offset of the number of them */
	size_t offset;
	size_t size;
} wholes[] = {
	WHOLE("ide extension", ide.nextensions, ide.extension),
	WHOLE("ide argument", ide.nargs, ide.arg),
	WHOLE("isolation egress", net.negress, net.egress),
	WHOLE("isolation table addresses", net.nprefix, net.prefix),
};
#undef WHOLE

void
conf_diff(const struct conf *old, const struct conf *fresh, conf_change_fn fn, void *arg)
{
	const struct diff d = { old, fresh, fn, arg };
	char a[512], b[512];
	size_t i;

	(void)rows(&d, B_NONE, "", old, fresh);
	for (i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		shapes[i].text(old, a, sizeof(a));
		shapes[i].text(fresh, b, sizeof(b));
		if (strcmp(a, b) != 0)
			tell(&d, shapes[i].keyword, a, b);
	}
	for (i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		list(&d, &lists[i]);
	for (i = 0; i < sizeof(wholes) / sizeof(wholes[0]); i++)
		if (memcmp((const char *)old + wholes[i].count,
			(const char *)fresh + wholes[i].count, sizeof(uint32_t)) != 0 ||
		    memcmp((const char *)old + wholes[i].offset,
			(const char *)fresh + wholes[i].offset, wholes[i].size) != 0)
			tell(&d, wholes[i].keyword, "", "another");
}
