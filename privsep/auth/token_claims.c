/* What must hold of a token whose signature does: see token.h. */
#include "token.h"

const char *
token_claims(const struct conf_auth *conf, const struct wire_jwt *j,
    const struct store_session *s, const struct store_account *a, int64_t now)
{
	uint32_t life = j->use == JWT_ACCESS ? conf->token_access : conf->token_refresh;

	if (s->kind != STORE_FAMILY || s->uid != j->uid || a->uid != j->uid)
		return "of another user or family";
	if (j->version != a->token_version)
		return "of another version";
	if (j->issued > now + TOKEN_SKEW)
		return "issued in the future";
	if (now >= j->expires)
		return "expired";
	/* A limit that was lowered holds for those of before. */
	if (now - j->issued >= (int64_t)life || j->expires - j->issued > (int64_t)life)
		return "lasts longer than it may";
	if (j->issued < s->created - TOKEN_SKEW)
		return "older than its family";
	if (j->use == JWT_ACCESS && j->generation > s->generation)
		return "of a generation that is not yet";
	return NULL;
}
