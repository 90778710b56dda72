/*
 * role "name" permit PERMISSION ...: a role beside those that are built in.
 */
#include <string.h>

#include <bsd/string.h>

#include "conf_parse.h"

static bool
take_name(struct conf_parser *p, const struct conf_row *row, struct role *r)
{
	const struct conf *c = p->conf;
	uint32_t i;

	if (!conf_is_value(p) || p->tok.len >= sizeof(r->name) ||
	    !role_name_ok(p->tok.text)) {
		conf_expected(p, NULL, "the name of a role after \"%s\"", row->name);
		return false;
	}
	for (i = 0; i < ROLES_BUILTIN; i++)
		if (strcmp(roles_builtin[i].name, p->tok.text) == 0) {
			conf_expected(p, "this one is built in",
			    "the name of a new role after \"%s\"", row->name);
			return false;
		}
	for (i = 0; i < c->nroles; i++)
		if (strcmp(c->role[i].name, p->tok.text) == 0) {
			conf_expected(p, NULL, "the role \"%s\" once", p->tok.text);
			return false;
		}
	strlcpy(r->name, p->tok.text, sizeof(r->name));
	conf_next(p);
	return true;
}

/* The permission that was meant, as a hint. */
static const char *
near(const char *text, char *buf, size_t size)
{
	size_t best = SIZE_MAX;
	unsigned int k;

	strlcpy(buf, "ided.conf(5) lists them", size);
	for (k = PERMISSION_NOBODY + 1; k < PERMISSION_MAX; k++)
		if (conf_near(text, permission_table[k].name, &best)) {
			strlcpy(buf, "did you mean \"", size);
			strlcat(buf, permission_table[k].name, size);
			strlcat(buf, "\"?", size);
		}
	return buf;
}

bool
conf_value_role(struct conf_parser *p, const struct conf_row *row)
{
	struct conf *c = p->conf;
	enum permission one;
	struct role r;
	char hint[96];

	memset(&r, 0, sizeof(r));
	if (c->nroles == CONF_ROLE_MAX) {
		conf_expected(p, NULL, "at most %d roles", CONF_ROLE_MAX);
		return false;
	}
	if (!take_name(p, row, &r) || !conf_keyword(p, "permit", r.name))
		return false;
	do {
		if (p->tok.type == TOK_COMMA)
			conf_next(p);
		one = conf_is_value(p) ? permission_find(p->tok.text, p->tok.len) :
					 PERMISSION_NOBODY;
		if (one == PERMISSION_NOBODY) {
			conf_expected(p, near(p->tok.text, hint, sizeof(hint)),
			    "a permission after \"permit\"");
			return false;
		}
		r.permit |= PERMIT(one);
		conf_next(p);
	} while (p->tok.type == TOK_COMMA || conf_is_value(p));
	c->role[c->nroles++] = r;
	return true;
}
