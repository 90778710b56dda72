/* A JWT as a struct: see jwt_parse.h. */
#include <string.h>

#include "../privsep/jwt.h"
#include "jwt_parse.h"

#define ED25519_SIG 64 /* bytes of its signature, and fewer than of any other */

static int
digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (c - 'A');
	if (c >= 'a' && c <= 'z')
		return (c - 'a' + 26);
	if (c >= '0' && c <= '9')
		return (c - '0' + 52);
	return (c == '-' ? 62 : c == '_' ? 63 : -1);
}

/* Base64url without padding; its length, or -1.  That bits are left over which are
 * not zero is found when all is written again; for a signature, here. */
static ssize_t
decode(uint8_t *dst, size_t size, struct slice s)
{
	uint32_t v = 0;
	unsigned int bits = 0;
	size_t n = 0;
	int d;

	for (size_t i = 0; i < s.len; i++) {
		if ((d = digit(s.p[i])) == -1)
			return (-1);
		v = v << 6 | (uint32_t)d;
		bits += 6;
		if (bits < 8)
			continue;
		bits -= 8;
		if (n == size)
			return (-1);
		dst[n++] = (uint8_t)(v >> bits);
		v &= (1U << bits) - 1;
	}
	return (bits >= 6 || v != 0 ? -1 : (ssize_t)n);
}

/* The text that must come next. */
static bool
skip(struct slice *s, const char *text)
{
	size_t n = strlen(text);

	if (s->len < n || memcmp(s->p, text, n) != 0)
		return (false);
	s->p += n;
	s->len -= n;
	return (true);
}

/* A string up to its quote, which must come. */
static bool
string(struct slice *s, char *dst, size_t size)
{
	const char *q = s->len == 0 ? NULL : memchr(s->p, '"', s->len);
	size_t n = q == NULL ? size : (size_t)(q - s->p);

	if (n >= size || memchr(s->p, '\0', n) != NULL)
		return (false);
	memcpy(dst, s->p, n);
	dst[n] = '\0';
	s->p += n;
	s->len -= n;
	return (skip(s, "\""));
}

static bool
number(struct slice *s, int64_t max, int64_t *v)
{
	*v = 0;
	if (s->len == 0 || s->p[0] < '0' || s->p[0] > '9')
		return (false);
	for (; s->len > 0 && s->p[0] >= '0' && s->p[0] <= '9'; s->p++, s->len--) {
		*v = *v * 10 + (s->p[0] - '0');
		if (*v > max)
			return (false);
	}
	return (true);
}

static bool
number32(struct slice *s, uint32_t *v)
{
	int64_t n;

	if (!number(s, UINT32_MAX, &n))
		return (false);
	*v = (uint32_t)n;
	return (true);
}

static bool
header(struct wire_jwt *j, struct slice s)
{
	char alg[8], typ[8];

	if (!skip(&s, "{\"alg\":\"") || !string(&s, alg, sizeof(alg)) ||
	    !skip(&s, ",\"typ\":\"") || !string(&s, typ, sizeof(typ)) ||
	    !skip(&s, ",\"kid\":\"") || !string(&s, j->kid, sizeof(j->kid)) ||
	    !skip(&s, "}") || s.len != 0)
		return (false);
	for (uint32_t a = JWT_EDDSA; a <= JWT_RS256; a++)
		if (strcmp(alg, jwt_alg_name(a)) == 0)
			j->alg = a;
	for (uint32_t u = JWT_ACCESS; u <= JWT_REFRESH; u++)
		if (strcmp(typ, jwt_typ_name(u)) == 0)
			j->use = u;
	return (j->alg != 0 && j->use != 0);
}

static bool
payload(struct wire_jwt *j, struct slice s)
{
	char aud[16];
	int64_t nbf;

	return (skip(&s, "{\"iss\":\"") && string(&s, j->issuer, sizeof(j->issuer)) &&
	    skip(&s, ",\"aud\":\"") && string(&s, aud, sizeof(aud)) &&
	    skip(&s, ",\"sub\":\"") && string(&s, j->name, sizeof(j->name)) &&
	    skip(&s, ",\"uid\":") && number32(&s, &j->uid) && skip(&s, ",\"sid\":\"") &&
	    string(&s, j->session, sizeof(j->session)) && skip(&s, ",\"jti\":\"") &&
	    string(&s, j->jti, sizeof(j->jti)) && skip(&s, ",\"ver\":") &&
	    number32(&s, &j->version) && skip(&s, ",\"gen\":") &&
	    number32(&s, &j->generation) && skip(&s, ",\"iat\":") &&
	    number(&s, JWT_TIME_MAX, &j->issued) && skip(&s, ",\"nbf\":") &&
	    number(&s, JWT_TIME_MAX, &nbf) && skip(&s, ",\"exp\":") &&
	    number(&s, JWT_TIME_MAX, &j->expires) && skip(&s, "}") && s.len == 0);
}

/* The part before the next dot. */
static bool
part(struct slice *rest, struct slice *p)
{
	const char *dot = rest->len == 0 ? NULL : memchr(rest->p, '.', rest->len);

	if (dot == NULL)
		return (false);
	*p = (struct slice){ rest->p, (size_t)(dot - rest->p) };
	rest->len -= p->len + 1;
	rest->p = dot + 1;
	return (true);
}

bool
jwt_parse(struct m_jwt *m, struct slice text)
{
	char input[JWT_INPUT_MAX], again[JWT_INPUT_MAX];
	struct slice rest = text, head, body;
	ssize_t n;

	memset(m, 0, sizeof(*m));
	if (text.len >= JWT_TEXT_MAX || !part(&rest, &head) || !part(&rest, &body))
		return (false);
	if ((n = decode((uint8_t *)input, sizeof(input), head)) == -1 ||
	    !header(&m->jwt, (struct slice){ input, (size_t)n }) ||
	    (n = decode((uint8_t *)input, sizeof(input), body)) == -1 ||
	    !payload(&m->jwt, (struct slice){ input, (size_t)n }))
		return (false);
	n = (ssize_t)jwt_input(&m->jwt, again);
	if (n == 0 || (size_t)n != head.len + 1 + body.len ||
	    memcmp(again, text.p, (size_t)n) != 0)
		return (false);
	n = decode(m->sig.bytes, sizeof(m->sig.bytes), rest);
	if (n < ED25519_SIG || (m->jwt.alg == JWT_EDDSA && n != ED25519_SIG))
		return (false);
	m->sig.len = (uint32_t)n;
	return (true);
}
