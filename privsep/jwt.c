/* The spelling of tokens: see jwt.h. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "jwt.h"

#define PART_MAX (JWT_INPUT_MAX * 3 / 4 - 64)

static const struct {
	const char *name;
	uint32_t alg;
} algs[] = {
	{ "EdDSA", JWT_EDDSA },
	{ "RS256", JWT_RS256 },
};

/* What one is for is told by typ, and to those who do not look there by aud. */
static const struct {
	const char *typ;
	const char *aud;
	uint32_t use;
} uses[] = {
	{ "at+jwt", "ided", JWT_ACCESS },
	{ "rt+jwt", "ided-refresh", JWT_REFRESH },
};

const char *
jwt_alg_name(uint32_t alg)
{
	size_t i;

	for (i = 0; i < sizeof(algs) / sizeof(algs[0]); i++)
		if (algs[i].alg == alg)
			return algs[i].name;
	return NULL;
}

const char *
jwt_typ_name(uint32_t use)
{
	size_t i;

	for (i = 0; i < sizeof(uses) / sizeof(uses[0]); i++)
		if (uses[i].use == use)
			return uses[i].typ;
	return NULL;
}

const char *
jwt_aud_name(uint32_t use)
{
	size_t i;

	for (i = 0; i < sizeof(uses) / sizeof(uses[0]); i++)
		if (uses[i].use == use)
			return uses[i].aud;
	return NULL;
}

size_t
jwt_base64(char *dst, const void *src, size_t len)
{
	static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				  "abcdefghijklmnopqrstuvwxyz0123456789-_";
	const uint8_t *p = src;
	size_t i, n = 0;
	uint32_t v;

	for (i = 0; i < len; i += 3) {
		v = (uint32_t)p[i] << 16;
		v |= i + 1 < len ? (uint32_t)p[i + 1] << 8 : 0;
		v |= i + 2 < len ? (uint32_t)p[i + 2] : 0;
		dst[n++] = set[v >> 18];
		dst[n++] = set[v >> 12 & 63];
		if (i + 1 < len)
			dst[n++] = set[v >> 6 & 63];
		if (i + 2 < len)
			dst[n++] = set[v & 63];
	}
	dst[n] = '\0';
	return n;
}

static bool
only(const char *s, const char *set, size_t size)
{
	size_t n = strnlen(s, size);

	return n > 0 && n < size && strspn(s, set) == n;
}

bool
jwt_issuer_ok(const char *issuer)
{
	return only(issuer,
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	    "-._~:/@?#[]!$&()*+,;=%",
	    WIRE_ISSUER);
}

bool
jwt_hex_ok(const char *s, size_t n)
{
	return strnlen(s, n + 1) == n && strspn(s, "0123456789abcdef") == n;
}

static bool
sound(const struct wire_jwt *j)
{
	/* A user's name as the store takes it, and nothing that JSON would escape. */
	return jwt_issuer_ok(j->issuer) &&
	    only(j->name, "abcdefghijklmnopqrstuvwxyz0123456789._-", sizeof(j->name)) &&
	    jwt_hex_ok(j->kid, WIRE_KID - 1) &&
	    jwt_hex_ok(j->session, WIRE_SESSION - 1) &&
	    jwt_hex_ok(j->jti, WIRE_JTI - 1) && jwt_alg_name(j->alg) != NULL &&
	    j->uid != 0 && j->issued >= 0 && j->issued < j->expires &&
	    j->expires <= JWT_TIME_MAX;
}

/* Appends header and claims; the whole length, 0 if they do not fit. */
static size_t
encode(char buf[JWT_INPUT_MAX], const struct wire_jwt *j, const char *typ,
    const char *claims, int len)
{
	char head[256];
	size_t n;
	int m;

	m = snprintf(head, sizeof(head), "{\"alg\":\"%s\",\"typ\":\"%s\",\"kid\":\"%s\"}",
	    jwt_alg_name(j->alg), typ, j->kid);
	if (m < 0 || (size_t)m >= sizeof(head) || len < 0 || (size_t)len >= PART_MAX ||
	    JWT_BASE64((size_t)m) + 1 + JWT_BASE64((size_t)len) >= JWT_INPUT_MAX)
		return 0;
	n = jwt_base64(buf, head, (size_t)m);
	buf[n++] = '.';
	return n + jwt_base64(buf + n, claims, (size_t)len);
}

static size_t
add_signature(char buf[JWT_TEXT_MAX], size_t n, const struct wire_jwt_sig *sig)
{
	if (n == 0 || sig->len == 0 || sig->len > sizeof(sig->bytes))
		return 0;
	buf[n++] = '.';
	return n + jwt_base64(buf + n, sig->bytes, sig->len);
}

size_t
jwt_input(const struct wire_jwt *j, char buf[JWT_INPUT_MAX])
{
	const char *typ = jwt_typ_name(j->use);
	char part[PART_MAX];
	int len;

	if (typ == NULL || !sound(j))
		return 0;
	len = snprintf(part, sizeof(part),
	    "{\"iss\":\"%s\",\"aud\":\"%s\",\"sub\":\"%s\",\"uid\":%" PRIu32
	    ",\"sid\":\"%s\",\"jti\":\"%s\",\"ver\":%" PRIu32 ",\"gen\":%" PRIu32
	    ",\"iat\":%" PRId64 ",\"nbf\":%" PRId64 ",\"exp\":%" PRId64 "}",
	    j->issuer, jwt_aud_name(j->use), j->name, j->uid, j->session, j->jti,
	    j->version, j->generation, j->issued, j->issued, j->expires);
	return encode(buf, j, typ, part, len);
}

size_t
jwt_text(const struct wire_jwt *j, const struct wire_jwt_sig *sig, char buf[JWT_TEXT_MAX])
{
	return add_signature(buf, jwt_input(j, buf), sig);
}

/* --- assertions --- */

/* "admin user" as "admin","user" */
static bool
role_list(const char *roles, char *dst, size_t size)
{
	const char *p;
	size_t n = 0;

	if (!only(roles, "abcdefghijklmnopqrstuvwxyz0123456789._- ", WIRE_ROLES) ||
	    size < WIRE_ROLES * 2 + 3)
		return false;
	dst[n++] = '"';
	for (p = roles; *p != '\0'; p++) {
		if (*p != ' ') {
			dst[n++] = *p;
			continue;
		}
		memcpy(dst + n, "\",\"", 3);
		n += 3;
	}
	memcpy(dst + n, "\"", 2);
	return true;
}

size_t
jwt_assertion_input(const struct wire_assertion *a, char buf[JWT_INPUT_MAX])
{
	char part[PART_MAX], roles[WIRE_ROLES * 4];
	const struct wire_jwt *j = &a->jwt;
	int len;

	if (!sound(j) || j->use != 0 || j->version != 0 || j->generation != 0 ||
	    j->expires - j->issued > JWT_ASSERTION_LIFE ||
	    !only(a->location,
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~/:-",
		sizeof(a->location)) ||
	    !role_list(a->roles, roles, sizeof(roles)))
		return 0;
	len = snprintf(part, sizeof(part),
	    "{\"iss\":\"%s\",\"aud\":\"%s\",\"sub\":\"%s\",\"roles\":[%s],\"uid\":"
	    "%" PRIu32 ",\"sid\":\"%s\",\"jti\":\"%s\",\"iat\":%" PRId64
	    ",\"nbf\":%" PRId64 ",\"exp\":%" PRId64 "}",
	    j->issuer, a->location, j->name, roles, j->uid, j->session, j->jti, j->issued,
	    j->issued, j->expires);
	return encode(buf, j, "ided-user+jwt", part, len);
}

size_t
jwt_assertion_text(const struct wire_assertion *a, const struct wire_jwt_sig *sig,
    char buf[JWT_TEXT_MAX])
{
	return add_signature(buf, jwt_assertion_input(a, buf), sig);
}
