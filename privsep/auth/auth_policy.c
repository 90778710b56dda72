/* Rules: see auth_policy.h. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bsd/stdlib.h>
#include <bsd/string.h>

#include "auth_policy.h"
#include "common.h"
#include "store_record.h"

/* Names that something inside a sandbox, or a person, takes for another. */
static const char *const reserved[] = { "backup", "bin", "daemon", "games", "gnats",
	"ided", "irc", "list", "lp", "mail", "man", "me", "messagebus", "news", "nobody",
	"nogroup", "proxy", "root", "shadow", "shutdown", "sshd", "sudo", "sync", "sys",
	"systemd-network", "systemd-resolve", "tty", "uucp", "wheel", "www-data" };

/* Names that may be had, and that no other is to look like. */
static const char *const watched[] = { "admin", "administrator", "operator" };

/*
 * What a reader makes of a name at a glance: signs between its letters are passed
 * over, 0 is o, 1 and i are l, 5 is s, rn is m and vv is w.
 */
static void
glance(const char *name, char out[WIRE_NAME])
{
	static const char from[] = "01i5", to[] = "olls";
	const char *at;
	size_t n = 0;

	for (; *name != '\0'; name++) {
		if (strchr("._-", *name) != NULL)
			continue;
		out[n] = *name;
		if ((at = strchr(from, *name)) != NULL)
			out[n] = to[at - from];
		n++;
		if (n >= 2 && out[n - 2] == 'r' && out[n - 1] == 'n')
			out[--n - 1] = 'm';
		else if (n >= 2 && out[n - 2] == 'v' && out[n - 1] == 'v')
			out[--n - 1] = 'w';
	}
	out[n] = '\0';
}

const char *
policy_name(const char *name)
{
	size_t i;

	if (!account_name_ok(name))
		return "a name starts with a letter and has at most 32 of a-z, "
		       "0-9, '.', '_' and '-'";
	for (i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
		if (strcmp(name, reserved[i]) == 0)
			return "this name is reserved";
	return NULL;
}

const char *
policy_name_like(const char *name)
{
	char like[WIRE_NAME], other[WIRE_NAME];
	size_t i;

	glance(name, like);
	for (i = 0; i < sizeof(watched) / sizeof(watched[0]); i++) {
		glance(watched[i], other);
		if (strcmp(like, other) == 0 && strcmp(name, watched[i]) != 0)
			return "this name looks like another one";
	}
	for (i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++) {
		glance(reserved[i], other);
		if (strcmp(like, other) == 0)
			return "this name looks like a reserved one";
	}
	return NULL;
}

/* Does the password hold the name, in whatever case? */
static bool
holds(const char *password, const char *name)
{
	return strlen(name) >= 3 && strcasestr(password, name) != NULL;
}

const char *
policy_password(const struct conf_auth *conf, const char *name, const char *password,
    char *buf, size_t len)
{
	unsigned int lower = 0, upper = 0, digit = 0, other = 0;
	const unsigned char *p;
	size_t chars = 0;

	for (p = (const unsigned char *)password; *p != '\0'; p++) {
		/* Bytes that continue a UTF-8 sequence are no characters. */
		if ((*p & 0xc0) != 0x80)
			chars++;
		if (*p >= 'a' && *p <= 'z')
			lower = 1;
		else if (*p >= 'A' && *p <= 'Z')
			upper = 1;
		else if (*p >= '0' && *p <= '9')
			digit = 1;
		else
			other = 1;
		if (*p < 0x20 || *p == 0x7f)
			return "a password has no control characters";
	}
	if (chars < conf->password_min)
		snprintf(buf, len, "a password has at least %u characters",
		    conf->password_min);
	else if (lower + upper + digit + other < conf->password_classes)
		snprintf(buf, len,
		    "a password has at least %u kinds of "
		    "characters of lower case, upper case, digits and others",
		    conf->password_classes);
	else if (strcasecmp(password, name) == 0 || holds(password, name))
		snprintf(buf, len, "a password does not hold the user's name");
	else if (common_password(password))
		snprintf(buf, len,
		    "this password is one of the commonest, or little more: take "
		    "another");
	else
		return NULL;
	return buf;
}

bool
policy_session_alive(
    const struct conf_auth *conf, const struct store_session *s, int64_t now)
{
	/* One from the future was made before the clock was set back. */
	if (s->created > now + 300)
		return false;
	if (s->kind == STORE_API)
		return s->expires == 0 || now < s->expires;
	/* Refreshing does not prolong it: it ends with its first refresh token. */
	if (s->kind == STORE_FAMILY)
		return now < s->expires && now - s->created < conf->token_refresh;
	return now < s->expires && now - s->created < conf->session_lifetime &&
	    now - s->seen < conf->session_idle;
}

size_t
policy_session_oldest(const struct store_session *s, size_t n)
{
	size_t i, oldest = 0;

	for (i = 1; i < n; i++)
		if (s[i].created < s[oldest].created ||
		    (s[i].created == s[oldest].created &&
			s[i].created_ms < s[oldest].created_ms))
			oldest = i;
	return oldest;
}

/* A number and the text after it; false if it is not there or too large. */
static bool
number(const char **p, const char *before, uint32_t *v)
{
	size_t n = strlen(before);
	char *end;
	unsigned long l;

	if (strncmp(*p, before, n) != 0 || (*p)[n] < '0' || (*p)[n] > '9')
		return false;
	l = strtoul(*p + n, &end, 10);
	if (l > UINT32_MAX)
		return false;
	*v = (uint32_t)l;
	*p = end;
	return true;
}

bool
policy_hash_params(const char *encoded, struct hash_params *h)
{
	const char *p = encoded;

	return number(&p, "$argon2id$v=19$m=", &h->memory_kib) &&
	    number(&p, ",t=", &h->passes) && number(&p, ",p=", &h->lanes) && *p == '$';
}

void
policy_hash_want(const struct conf_auth *conf, struct hash_params *h)
{
	h->memory_kib = (uint32_t)(conf->argon2_memory / 1024);
	h->passes = conf->argon2_passes;
	h->lanes = conf->argon2_lanes;
}

bool
policy_rehash(const struct conf_auth *conf, const char *encoded)
{
	struct hash_params have, want;

	policy_hash_want(conf, &want);
	return !policy_hash_params(encoded, &have) ||
	    have.memory_kib != want.memory_kib || have.passes != want.passes ||
	    have.lanes != want.lanes;
}

void
policy_hash_dummy(const struct hash_params *h, char encoded[WIRE_HASH])
{
	static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				  "abcdefghijklmnopqrstuvwxyz0123456789+/";
	char salt[23], tag[44];
	size_t i;

	/* 16 and 32 bytes; the last character of each has bits to spare. */
	for (i = 0; i < sizeof(salt) - 2; i++)
		salt[i] = set[arc4random_uniform(64)];
	for (i = 0; i < sizeof(tag) - 2; i++)
		tag[i] = set[arc4random_uniform(64)];
	strlcpy(salt + sizeof(salt) - 2, "A", 2);
	strlcpy(tag + sizeof(tag) - 2, "A", 2);
	snprintf(encoded, WIRE_HASH, "$argon2id$v=19$m=%u,t=%u,p=%u$%s$%s", h->memory_kib,
	    h->passes, h->lanes, salt, tag);
}
