/*
 * The environment: IDED_<BLOCK>_<KEYWORD> has the value that the keyword has in
 * a file, and takes its place.  Values are taken as they are: no macros, no
 * comments.  A name that is no keyword's is an error, as it is in a file.
 */
#include <string.h>

#include <bsd/string.h>

#include "conf_parse.h"

#define PREFIX "IDED_"

/* Not the configuration's: the first account, see ided(8). */
static const char *const others[] = {
	"IDED_ADMIN_USERNAME",
	"IDED_ADMIN_PASSWORD",
};

static bool
is_other(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		if (strcmp(name, others[i]) == 0)
			return true;
	}
	return false;
}

static void
unknown(struct conf_parser *p, const char *name)
{
	struct conf_where at = { name, CONF_LINE_ENV };
	const char *found = NULL;
	const size_t skip = sizeof(PREFIX) - 1; /* what all have alike */
	size_t i, best = SIZE_MAX;

	for (i = 0; i < conf_nrows; i++) {
		if (conf_rows[i].env != NULL &&
		    conf_near(name + skip, conf_rows[i].env + skip, &best))
			found = conf_rows[i].env;
	}
	conf_error(p, at,
	    "expected the variable of a keyword, got one that "
	    "ided does not know%s%s%s",
	    found != NULL ? "; did you mean " : "", found != NULL ? found : "",
	    found != NULL ? "?" : "");
}

/* A single text or path may have blanks without being quoted. */
static bool
is_raw(const struct conf_row *row, const char *value)
{
	return (row->kind == K_PATH || row->kind == K_TEXT) && row->sub == B_NONE &&
	    value[0] != '"';
}

/* Several listeners may stand in one variable, with ";" between. */
static bool
listeners(struct conf_parser *p, const struct conf_row *row)
{
	bool good;

	conf_listen_drop(p, false);
	for (;;) {
		good = conf_statement_value(p, row, p->conf);
		if (!good || p->tok.type != TOK_END)
			return good;
		conf_next(p);
	}
}

static void
variable(struct conf_parser *p, const struct conf_row *row, const char *value)
{
	const struct conf_row *block = conf_row_opening(row->block);
	size_t i = conf_row_index(row);
	struct conf_lexer lx;
	bool good;

	memset(&lx, 0, sizeof(lx));
	lx.name = row->env;
	lx.buf = (const unsigned char *)value;
	lx.len = strlen(value);
	lx.line = 1;
	lx.env = true;
	lx.raw = is_raw(row, value);
	p->lx = &lx;
	conf_next(p);

	conf_mark(p, row, conf_here(p));
	if (block != NULL)
		p->seen[conf_row_index(block)] = true;
	if (row->kind == K_LISTEN)
		good = listeners(p, row);
	else {
		if (row->kind == K_METRICS)
			conf_listen_drop(p, true);
		good = conf_statement_value(p, row, p->conf);
	}
	good = good && conf_end(p, row);
	if (good && p->tok.type == TOK_END) {
		conf_expected(p, NULL, "the end of the value after \"%s\"", row->name);
		good = false;
	}
	p->bad[i] = !good;
	p->lx = NULL;
}

void
conf_environment(struct conf_parser *p, char *const envp[])
{
	bool given[CONF_ROW_MAX] = { false };
	const struct conf_row *row;
	struct conf_where at = { NULL, CONF_LINE_ENV };
	char name[128];
	size_t len;

	for (; *envp != NULL; envp++) {
		if (strncmp(*envp, PREFIX, sizeof(PREFIX) - 1) != 0)
			continue;
		len = strcspn(*envp, "=");
		if (len >= sizeof(name))
			len = sizeof(name) - 1;
		memcpy(name, *envp, len);
		name[len] = '\0';
		if (is_other(name))
			continue;
		row = conf_row_env(name);
		if (row == NULL || (*envp)[len] != '=') {
			unknown(p, name);
			continue;
		}
		if (given[conf_row_index(row)]) {
			at.name = row->env;
			conf_error(p, at,
			    "expected the variable once, "
			    "got it again");
			continue;
		}
		given[conf_row_index(row)] = true;
		variable(p, row, *envp + len + 1);
	}
}
