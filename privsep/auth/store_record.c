/* Records of the store: see store_record.h. */
#include <string.h>

#include <unistr.h>

#include "../permission.h"
#include "store_record.h"

#define ACCOUNT_ACTIVE  0x01
#define ACCOUNT_MINT    0x02
#define ACCOUNT_TOKENS  0x04 /* version 3 only */
#define ACCOUNT_PENDING 0x08
#define ACCOUNT_CHANGE  0x10
#define ACCOUNT_RESET   0x20
#define ACCOUNT_FLAGS_3 (ACCOUNT_ACTIVE | ACCOUNT_MINT | ACCOUNT_TOKENS)
#define ACCOUNT_FLAGS_4                                                                  \
	(ACCOUNT_ACTIVE | ACCOUNT_MINT | ACCOUNT_PENDING | ACCOUNT_CHANGE | ACCOUNT_RESET)
#define SESSION_UNIX   0x01
#define SESSION_FAMILY 0x02
#define SESSION_FLAGS  (SESSION_UNIX | SESSION_FAMILY)

/* Writes and reads that cannot leave the buffer: once bad, always bad. */
struct out {
	uint8_t *p;
	size_t left;
	bool bad;
};

struct in {
	const uint8_t *p;
	size_t left;
	bool bad;
};

static void
put_bytes(struct out *o, const void *p, size_t n)
{
	if (o->bad || n > o->left) {
		o->bad = true;
		return;
	}
	memcpy(o->p, p, n);
	o->p += n;
	o->left -= n;
}

static void
put_int(struct out *o, uint64_t v, unsigned int bytes)
{
	uint8_t b[8];
	unsigned int i;

	for (i = 0; i < bytes; i++)
		b[i] = (uint8_t)(v >> (8 * i));
	put_bytes(o, b, bytes);
}

/* size is that of the array that holds s. */
static void
put_str(struct out *o, const char *s, size_t size)
{
	size_t n = strnlen(s, size);

	if (n == size) {
		o->bad = true;
		return;
	}
	put_int(o, n, 2);
	put_bytes(o, s, n);
}

static void
get_bytes(struct in *in, void *p, size_t n)
{
	if (in->bad || n > in->left) {
		in->bad = true;
		memset(p, 0, n);
		return;
	}
	memcpy(p, in->p, n);
	in->p += n;
	in->left -= n;
}

static uint64_t
get_int(struct in *in, unsigned int bytes)
{
	uint8_t b[8];
	uint64_t v = 0;
	unsigned int i;

	get_bytes(in, b, bytes);
	for (i = 0; i < bytes; i++)
		v |= (uint64_t)b[i] << (8 * i);
	return v;
}

static void
get_str(struct in *in, char *s, size_t size)
{
	size_t n = (size_t)get_int(in, 2);

	if (in->bad || n >= size) {
		in->bad = true;
		return;
	}
	get_bytes(in, s, n);
	s[n] = '\0';
	if (strlen(s) != n)
		in->bad = true;
}

bool
account_name_ok(const char *name)
{
	size_t i, n = strnlen(name, WIRE_NAME);

	if (n == 0 || n >= WIRE_NAME || name[0] < 'a' || name[0] > 'z')
		return false;
	for (i = 1; i < n; i++)
		if (!(name[i] >= 'a' && name[i] <= 'z') &&
		    !(name[i] >= '0' && name[i] <= '9') && strchr("._-", name[i]) == NULL)
			return false;
	return true;
}

/* What is shown or kept for others to read: UTF-8 without control characters. */
static bool
text_ok(const char *s, size_t size)
{
	size_t i, n = strnlen(s, size);

	if (n == size || u8_check((const uint8_t *)s, n) != NULL)
		return false;
	for (i = 0; i < n; i++)
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
			return false;
	return true;
}

/* Enough to tell an address from a mistake; only mail shows that it works. */
bool
account_email_ok(const char *email)
{
	size_t i, n = strnlen(email, WIRE_EMAIL);
	const char *at;

	if (n < 3 || n >= WIRE_EMAIL || !text_ok(email, WIRE_EMAIL))
		return false;
	for (i = 0; i < n; i++)
		if ((email[i] >= 0 && email[i] <= ' ') || email[i] == 0x7f ||
		    strchr("\"'<>()[],;:\\`", email[i]) != NULL ||
		    (email[i] >= 'A' && email[i] <= 'Z'))
			return false;
	at = strchr(email, '@');
	return at != NULL && at != email && at[1] != '\0' && at[1] != '.' &&
	    strchr(at + 1, '@') == NULL && email[n - 1] != '.';
}

bool
session_id_ok(const char *id)
{
	size_t i;

	if (strnlen(id, WIRE_SESSION) != WIRE_SESSION - 1)
		return false;
	for (i = 0; i < WIRE_SESSION - 1; i++)
		if (!(id[i] >= '0' && id[i] <= '9') && !(id[i] >= 'a' && id[i] <= 'f'))
			return false;
	return true;
}

static bool
account_ok(const struct store_account *a)
{
	return a->uid != 0 && account_name_ok(a->name) &&
	    (a->email[0] == '\0' || account_email_ok(a->email)) && roles_ok(a->roles) &&
	    (a->hash[0] == '$' || a->hash[0] == '\0') &&
	    text_ok(a->display, sizeof(a->display)) &&
	    text_ok(a->metadata, sizeof(a->metadata)) && !(a->active && a->pending) &&
	    a->created >= 0 && a->updated >= 0 && a->last_login >= 0 &&
	    a->password_at >= 0 && a->reset_expires >= 0;
}

static bool
session_ok(const struct store_session *s)
{
	return s->uid != 0 && session_id_ok(s->id) && s->created >= 0 &&
	    s->created_ms < 1000 && s->seen >= 0 && s->expires >= 0 &&
	    (s->kind == STORE_COOKIE ? s->generation == 0 : s->kind == STORE_FAMILY);
}

/* What a person may call one: printable ASCII, no spaces around it. */
bool
token_name_ok(const char *name)
{
	size_t i, n = strnlen(name, WIRE_LABEL);

	if (n == 0 || n >= WIRE_LABEL || name[0] == ' ' || name[n - 1] == ' ')
		return false;
	for (i = 0; i < n; i++)
		if (name[i] < ' ' || name[i] > '~')
			return false;
	return true;
}

static bool
token_ok(const struct store_token *t)
{
	permits set;

	return t->uid != 0 && session_id_ok(t->id) && token_name_ok(t->name) &&
	    wire_str(t->scopes) && permits_parse(t->scopes, &set) && t->created >= 0 &&
	    t->expires >= 0 && t->seen >= 0;
}

static uint64_t
account_flags(const struct store_account *a)
{
	return (a->active ? ACCOUNT_ACTIVE : 0u) | (a->has_mint ? ACCOUNT_MINT : 0u) |
	    (a->pending ? ACCOUNT_PENDING : 0u) | (a->must_change ? ACCOUNT_CHANGE : 0u) |
	    (a->reset_expires != 0 ? ACCOUNT_RESET : 0u);
}

size_t
account_encode(const struct store_account *a, uint8_t buf[STORE_RECORD_MAX])
{
	struct out o = { buf, STORE_RECORD_MAX, false };

	put_int(&o, STORE_VERSION, 1);
	put_int(&o, account_flags(a), 1);
	put_int(&o, a->uid, 4);
	put_int(&o, (uint64_t)a->created, 8);
	put_int(&o, (uint64_t)a->updated, 8);
	put_int(&o, (uint64_t)a->last_login, 8);
	put_str(&o, a->name, sizeof(a->name));
	put_str(&o, a->email, sizeof(a->email));
	put_str(&o, a->roles, sizeof(a->roles));
	put_str(&o, a->hash, sizeof(a->hash));
	put_str(&o, a->last_query, sizeof(a->last_query));
	if (a->has_mint)
		put_bytes(&o, a->mint, sizeof(a->mint));
	put_str(&o, a->display, sizeof(a->display));
	put_str(&o, a->metadata, sizeof(a->metadata));
	put_int(&o, a->version, 4);
	put_int(&o, a->token_version, 4);
	put_int(&o, (uint64_t)a->password_at, 8);
	put_int(&o, a->limits.memory, 8);
	put_int(&o, a->limits.storage, 8);
	put_int(&o, a->limits.files, 8);
	put_int(&o, a->limits.cpu, 4);
	put_int(&o, a->limits.processes, 4);
	put_int(&o, a->limits.sessions, 4);
	if (a->reset_expires != 0) {
		put_bytes(&o, a->reset_key, sizeof(a->reset_key));
		put_int(&o, (uint64_t)a->reset_expires, 8);
	}
	if (o.bad || !account_ok(a))
		return 0;
	return STORE_RECORD_MAX - o.left;
}

/* What came with version 4. */
static void
account_rest(struct in *in, struct store_account *a, bool reset)
{
	get_str(in, a->display, sizeof(a->display));
	get_str(in, a->metadata, sizeof(a->metadata));
	a->version = (uint32_t)get_int(in, 4);
	a->token_version = (uint32_t)get_int(in, 4);
	a->password_at = (int64_t)get_int(in, 8);
	a->limits.memory = get_int(in, 8);
	a->limits.storage = get_int(in, 8);
	a->limits.files = get_int(in, 8);
	a->limits.cpu = (uint32_t)get_int(in, 4);
	a->limits.processes = (uint32_t)get_int(in, 4);
	a->limits.sessions = (uint32_t)get_int(in, 4);
	if (!reset)
		return;
	get_bytes(in, a->reset_key, sizeof(a->reset_key));
	a->reset_expires = (int64_t)get_int(in, 8);
	in->bad = in->bad || a->reset_expires == 0;
}

enum record_result
account_decode(struct store_account *a, const void *data, size_t len)
{
	struct in in = { data, len, len > STORE_RECORD_MAX };
	uint8_t version, flags;

	memset(a, 0, sizeof(*a));
	version = (uint8_t)get_int(&in, 1);
	if (!in.bad && version > STORE_VERSION)
		return RECORD_NEWER;
	flags = (uint8_t)get_int(&in, 1);
	a->active = (flags & ACCOUNT_ACTIVE) != 0;
	a->has_mint = (flags & ACCOUNT_MINT) != 0;
	a->pending = (flags & ACCOUNT_PENDING) != 0;
	a->must_change = (flags & ACCOUNT_CHANGE) != 0;
	a->uid = (uint32_t)get_int(&in, 4);
	a->created = (int64_t)get_int(&in, 8);
	a->updated = (int64_t)get_int(&in, 8);
	a->last_login = (int64_t)get_int(&in, 8);
	get_str(&in, a->name, sizeof(a->name));
	get_str(&in, a->email, sizeof(a->email));
	get_str(&in, a->roles, version < 4 ? WIRE_ROLE : sizeof(a->roles));
	get_str(&in, a->hash, sizeof(a->hash));
	get_str(&in, a->last_query, sizeof(a->last_query));
	if (a->has_mint)
		get_bytes(&in, a->mint, sizeof(a->mint));
	if (version >= 4)
		account_rest(&in, a, (flags & ACCOUNT_RESET) != 0);
	else
		a->password_at = a->created;
	if (version <= 3 && (flags & ACCOUNT_TOKENS) != 0)
		a->token_version = (uint32_t)get_int(&in, 4);
	if (in.bad || in.left != 0 || version == 0 ||
	    (flags & ~(version < 4 ? ACCOUNT_FLAGS_3 : ACCOUNT_FLAGS_4)) != 0 ||
	    !account_ok(a))
		return RECORD_BAD;
	return RECORD_OK;
}

size_t
session_encode(const struct store_session *s, uint8_t buf[STORE_RECORD_MAX])
{
	struct out o = { buf, STORE_RECORD_MAX, false };

	put_int(&o, STORE_VERSION, 1);
	put_int(&o,
	    (s->source.unix_peer != 0 ? SESSION_UNIX : 0u) |
		(s->kind == STORE_FAMILY ? SESSION_FAMILY : 0u),
	    1);
	put_int(&o, s->uid, 4);
	put_bytes(&o, s->id, WIRE_SESSION - 1);
	put_int(&o, (uint64_t)s->created, 8);
	put_int(&o, (uint64_t)s->seen, 8);
	put_int(&o, (uint64_t)s->expires, 8);
	put_int(&o, s->created_ms, 2);
	put_bytes(&o, s->source.ip, sizeof(s->source.ip));
	put_int(&o, s->source.port, 2);
	put_str(&o, s->agent, sizeof(s->agent));
	if (s->kind == STORE_FAMILY)
		put_int(&o, s->generation, 4);
	if (o.bad || !session_ok(s))
		return 0;
	return STORE_RECORD_MAX - o.left;
}

static enum record_result
session_read(struct store_session *s, const void *data, size_t len, bool ms)
{
	struct in in = { data, len, len > STORE_RECORD_MAX };
	uint8_t version, flags;

	memset(s, 0, sizeof(*s));
	version = (uint8_t)get_int(&in, 1);
	flags = (uint8_t)get_int(&in, 1);
	s->source.unix_peer = (flags & SESSION_UNIX) != 0;
	s->uid = (uint32_t)get_int(&in, 4);
	get_bytes(&in, s->id, WIRE_SESSION - 1);
	s->created = (int64_t)get_int(&in, 8);
	s->seen = (int64_t)get_int(&in, 8);
	s->expires = (int64_t)get_int(&in, 8);
	if (ms)
		s->created_ms = (uint16_t)get_int(&in, 2);
	get_bytes(&in, s->source.ip, sizeof(s->source.ip));
	s->source.port = (uint16_t)get_int(&in, 2);
	get_str(&in, s->agent, sizeof(s->agent));
	if ((flags & SESSION_FAMILY) != 0) {
		s->kind = STORE_FAMILY;
		s->generation = (uint32_t)get_int(&in, 4);
	}
	if (in.bad || in.left != 0 || version == 0 || (flags & ~SESSION_FLAGS) != 0 ||
	    !session_ok(s))
		return RECORD_BAD;
	return RECORD_OK;
}

/*
 * Version 1 was written with and without created_ms.  Read as the other form, the
 * length of the agent would stand where two of its bytes do, or the port: one of them
 * would have to be a NUL, which no agent has, so that only one of the forms fits.
 */
enum record_result
session_decode(struct store_session *s, const void *data, size_t len)
{
	const uint8_t *version = data;

	if (len > 0 && *version > STORE_VERSION) {
		memset(s, 0, sizeof(*s));
		return RECORD_NEWER;
	}
	if (session_read(s, data, len, true) == RECORD_OK)
		return RECORD_OK;
	if (len > 0 && *version == 1)
		return session_read(s, data, len, false);
	return RECORD_BAD;
}

size_t
token_encode(const struct store_token *t, uint8_t buf[STORE_RECORD_MAX])
{
	struct out o = { buf, STORE_RECORD_MAX, false };

	put_int(&o, STORE_VERSION, 1);
	put_int(&o, 0, 1);
	put_int(&o, t->uid, 4);
	put_bytes(&o, t->id, WIRE_SESSION - 1);
	put_int(&o, (uint64_t)t->created, 8);
	put_int(&o, (uint64_t)t->expires, 8);
	put_int(&o, (uint64_t)t->seen, 8);
	put_str(&o, t->name, sizeof(t->name));
	put_str(&o, t->scopes, sizeof(t->scopes));
	if (o.bad || !token_ok(t))
		return 0;
	return STORE_RECORD_MAX - o.left;
}

enum record_result
token_decode(struct store_token *t, const void *data, size_t len)
{
	struct in in = { data, len, len > STORE_RECORD_MAX };
	uint8_t version, flags;

	memset(t, 0, sizeof(*t));
	version = (uint8_t)get_int(&in, 1);
	if (!in.bad && version > STORE_VERSION)
		return RECORD_NEWER;
	flags = (uint8_t)get_int(&in, 1);
	t->uid = (uint32_t)get_int(&in, 4);
	get_bytes(&in, t->id, WIRE_SESSION - 1);
	t->created = (int64_t)get_int(&in, 8);
	t->expires = (int64_t)get_int(&in, 8);
	t->seen = (int64_t)get_int(&in, 8);
	get_str(&in, t->name, sizeof(t->name));
	get_str(&in, t->scopes, sizeof(t->scopes));
	if (in.bad || in.left != 0 || version < 3 || flags != 0 || !token_ok(t))
		return RECORD_BAD;
	return RECORD_OK;
}

void
record_put32be(uint8_t p[4], uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

uint32_t
record_get32be(const uint8_t p[4])
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}
