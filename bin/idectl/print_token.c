/* Rows of tokens, of rate limits and of shared ports: see print.c. */
#include <string.h>

#include "../../privsep/token_text.h"
#include "print.h"

json_t *
row_token(const struct m_token *t)
{
	json_t *o = json_object();

	set(o, "token", STR(t->id));
	set(o, "user", STR(t->user));
	set(o, "name", STR(t->name));
	set(o, "created", json_integer(t->created));
	set(o, "seen", json_integer(t->seen));
	set(o, "expires", json_integer(t->expires));
	set(o, "scopes", names(t->scopes, sizeof(t->scopes)));
	return o;
}

/* Nobody sees it again. */
json_t *
row_token_made(const struct m_token_made *t)
{
	char text[TOKEN_TEXT + 1];
	json_t *o = json_object();

	token_text(t->token, text);
	set(o, "token", STR(t->is.id));
	set(o, "secret", string(text, sizeof(text)));
	set(o, "created", json_integer(t->is.created));
	set(o, "expires", json_integer(t->is.expires));
	explicit_bzero(text, sizeof(text));
	return o;
}

json_t *
row_limit(const struct m_limit *l)
{
	json_t *o = json_object();

	set(o, "limit", STR(l->limit));
	set(o, "who", STR(l->who));
	set(o, "refused", json_integer(l->refused));
	set(o, "used", json_integer(l->used));
	set(o, "of", json_integer(l->of));
	set(o, "reset", json_integer(l->reset));
	return o;
}

json_t *
row_share(const struct m_share *s)
{
	json_t *o = json_object();

	set(o, "user", STR(s->user));
	set(o, "port", json_integer(s->port));
	set(o, "with", json_string(s->with == SHARE_WITH_PUBLIC ? "public" : "users"));
	set(o, "visitors", json_integer(s->visitors));
	set(o, "created", json_integer(s->created));
	set(o, "expires", json_integer(s->expires));
	set(o, "address", STR(s->address));
	return o;
}
