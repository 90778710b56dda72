/*
 * limits role "name" { ... } and limits user "name" { ... }: what some users
 * have instead of what the block "isolation" gives to all.
 */
#include <string.h>

#include "conf_parse.h"

/* role "student", user "ann" */
bool
conf_value_whose(
    struct conf_parser *p, const struct conf_row *row, struct conf_limits *limits)
{
	const struct conf_word *w;
	const char *s;
	size_t len;

	if ((w = conf_take_word(p, row)) == NULL)
		return false;
	limits->whose = w->value;
	s = p->tok.text;
	len = p->tok.len;
	/* As accounts are named: what nobody can have is a slip of the pen. */
	if (!conf_is_value(p) || s[0] < 'a' || s[0] > 'z' || len > 32 ||
	    strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789._-") != len) {
		conf_expected(p, NULL, "the name of a %s after \"%s\"", w->name, w->name);
		return false;
	}
	return conf_take_text(p, limits->name, sizeof(limits->name));
}

/* At the end of a block: false, if it is not to be kept. */
bool
conf_limits_check(
    struct conf_parser *p, const struct conf_limits *limits, struct conf_where at)
{
	const struct conf_limits *l = p->conf->limits;
	char text[CONF_PATH_MAX + 32];
	size_t row;
	uint32_t i;

	if (p->bad[conf_row_index(conf_row_find(B_LIMITS, ""))])
		return false;
	for (i = 0; i < p->conf->nlimits; i++) {
		if (l[i].whose != limits->whose || strcmp(l[i].name, limits->name) != 0)
			continue;
		conf_error(p, at,
		    "expected the limits of %s \"%s\" once, got them again; the first "
		    "are in %s",
		    limits->whose == LIMITS_USER ? "user" : "role", limits->name,
		    conf_where_text(p->limits_at[i], text, sizeof(text)));
		return false;
	}
	for (row = 0; row < conf_nrows; row++)
		if (conf_rows[row].block == B_LIMITS && conf_rows[row].name[0] != '\0' &&
		    (p->at[row].name != NULL || p->bad[row]))
			return true;
	conf_error(p, at, "expected a limit in the block \"limits\", got none");
	return false;
}

static void
apply(const struct conf_limits *l, struct conf_limits *out)
{
	if (l->memory != 0)
		out->memory = l->memory;
	if (l->cpu != 0)
		out->cpu = l->cpu;
	if (l->processes != 0)
		out->processes = l->processes;
	if (l->storage != 0)
		out->storage = l->storage;
	if (l->files != 0)
		out->files = l->files;
}

void
conf_limits_all(const struct conf_isolation *all, struct conf_limits *out)
{
	memset(out, 0, sizeof(*out));
	out->memory = all->memory;
	out->cpu = all->cpu;
	out->processes = all->processes;
	out->storage = all->storage;
	out->files = all->files;
	out->swap = all->swap;
	out->io_weight = all->io_weight;
	out->io_read = all->io_read;
	out->io_write = all->io_write;
}

void
conf_limits(
    const struct conf *conf, const char *user, const char *role, struct conf_limits *out)
{
	static const enum conf_limits_for order[] = { LIMITS_ROLE, LIMITS_USER };
	const char *names[] = { role, user };
	unsigned int k;
	uint32_t i;

	conf_limits_all(&conf->isolation, out);
	for (k = 0; k < 2; k++)
		for (i = 0; i < conf->nlimits && i < CONF_LIMITS_MAX; i++)
			if (conf->limits[i].whose == order[k] &&
			    strcmp(conf->limits[i].name, names[k]) == 0)
				apply(&conf->limits[i], out);
}
