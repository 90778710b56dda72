/* What a request shows of who sends it: see credential.h. */
#include <openssl/sha.h>

#include <string.h>

#include "../privsep/token_text.h"
#include "cookie.h"
#include "credential.h"
#include "jwt_parse.h"
#include "port.h"
#include "routes.h"
#include "session.h"
#include "worker.h"

static bool
token_parse(uint8_t token[WIRE_TOKEN], struct slice hex)
{
	static const char digits[] = "0123456789abcdef";
	const char *p;
	uint8_t v[2];

	if (hex.len != 2 * WIRE_TOKEN)
		return (false);
	for (size_t i = 0; i < WIRE_TOKEN; i++) {
		for (size_t j = 0; j < 2; j++) {
			p = memchr(digits, hex.p[2 * i + j], 16);
			if (p == NULL)
				return (false);
			v[j] = (uint8_t)(p - digits);
		}
		token[i] = (uint8_t)(v[0] << 4 | v[1]);
	}
	return (true);
}

/* By their looks: what it is in truth, auth says. */
static int
bearer(struct slice v, uint8_t token[WIRE_TOKEN], uint8_t *kind)
{
	if (v.len > 5 && memcmp(v.p, "ided_", 5) == 0) {
		*kind = CRED_API;
		return (token_text_parse(token, v.p, v.len));
	}
	if (v.len > 0 && memchr(v.p, '.', v.len) != NULL) {
		*kind = CRED_JWT;
		SHA256((const uint8_t *)v.p, v.len, token);
		return (1);
	}
	return (token_parse(token, v));
}

static struct slice
bearer_text(struct slice v)
{
	if (v.len <= 7 || !slice_caseeq((struct slice){ v.p, 7 }, SLICE("bearer ")))
		return ((struct slice){ NULL, 0 });
	return (slice_trim((struct slice){ v.p + 7, v.len - 7 }));
}

struct slice
credential_bearer(const struct stream *s)
{
	return (bearer_text(stream_header(s, HDR_AUTHORIZATION)));
}

bool
credential_is_ours(struct slice authorization)
{
	struct slice v = bearer_text(authorization);
	uint8_t token[WIRE_TOKEN], kind = CRED_SESSION;
	struct m_jwt jwt;

	if (v.p == NULL || bearer(v, token, &kind) == 0)
		return (false);
	/* Others have JWT too; of ours there is one spelling. */
	return (kind != CRED_JWT || jwt_parse(&jwt, v));
}

static int
cookie(const struct stream *s, uint8_t token[WIRE_TOKEN], uint8_t *kind)
{
	bool port = port_is(s->w);
	struct slice v = { NULL, 0 };

	*kind = s->w->site == SITE_SHARE ? CRED_SHARE : port ? CRED_PORT : CRED_SESSION;
	for (size_t i = 0; i < s->head.nheader; i++)
		if (s->head.header[i].id == HDR_COOKIE &&
		    cookie_find(s->head.header[i].value,
			port ? SLICE(PORT_COOKIE) : SLICE(SESSION_COOKIE),
			&v) == COOKIE_DUP)
			return (-1);
	/* Whose it was stands behind it. */
	if (port && v.len > 2 * WIRE_TOKEN && v.p[2 * WIRE_TOKEN] == '.')
		v.len = 2 * WIRE_TOKEN;
	return (v.p != NULL && token_parse(token, v));
}

/*
 * Where a program is asked, Authorization may be meant for it: on an origin of its own
 * always, below ours if there is a cookie too.
 */
int
credential(struct stream *s, uint8_t token[WIRE_TOKEN], uint8_t *kind)
{
	struct slice v = credential_bearer(s);
	int r;

	if (port_is(s->w))
		return (cookie(s, token, kind));
	*kind = CRED_SESSION;
	if (s->w->conf->mode == AUTH_NONE) {
		/* Who shows none is the one that there is. */
		memset(token, 0, WIRE_TOKEN);
		return (1);
	}
	if ((s->route->flags & R_APP) != 0 && (r = cookie(s, token, kind)) != 0)
		return (r);
	if (v.p != NULL) {
		s->by_bearer = true;
		*kind = CRED_SESSION;
		return (bearer(v, token, kind));
	}
	return (cookie(s, token, kind));
}
