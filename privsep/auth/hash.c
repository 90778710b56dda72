/*
 * A hash helper: Argon2id in, yes or no out.  It has no file, no secret of its
 * own and nothing to keep between two requests.
 *
 * Descriptors: FD_PARENT channel from isolation, FD_ROOT an empty folder, FD_LOG,
 * FD_MASTER channel to auth.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <argon2.h>

#include <bsd/stdlib.h>
#include <bsd/string.h>
#include <bsd/unistd.h>

#include "../chan.h"
#include "../confsend.h"
#include "../log.h"
#include "../sandbox.h"
#include "hash_memory.h"

#define SALT       16
#define TAG        32
#define KIB_MAX    (4u << 20) /* 4 GiB */
#define KIB_MIN    1024u
#define PASSES_MAX 64u
#define LANES_MAX  16u

extern const struct sandbox sandbox_hash;

struct params {
	uint32_t kib;
	uint32_t passes;
	uint32_t lanes;
	uint8_t salt[SALT];
	uint8_t tag[TAG];
};

static struct event_base *base;
static struct chan isolation, auth;

static const char b64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			  "abcdefghijklmnopqrstuvwxyz0123456789+/";

/* Base64 without padding, as the encoded form has it. */
static char *
b64_put(char *dst, const uint8_t *p, size_t len)
{
	uint32_t v = 0;
	unsigned int bits = 0;
	size_t i;

	for (i = 0; i < len; i++) {
		v = v << 8 | p[i];
		for (bits += 8; bits >= 6; bits -= 6)
			*dst++ = b64[v >> (bits - 6) & 63];
	}
	if (bits > 0)
		*dst++ = b64[v << (6 - bits) & 63];
	*dst = '\0';
	return dst;
}

/* Exactly len bytes; NULL if there are not. */
static const char *
b64_get(uint8_t *p, size_t len, const char *src)
{
	const char *c;
	uint32_t v = 0;
	unsigned int bits = 0;
	size_t n = 0;

	for (; *src != '\0' && *src != '$'; src++) {
		if ((c = strchr(b64, *src)) == NULL)
			return NULL;
		v = v << 6 | (uint32_t)(c - b64);
		bits += 6;
		if (bits < 8)
			continue;
		if (n == len)
			return NULL;
		bits -= 8;
		p[n++] = (uint8_t)(v >> bits);
	}
	return n == len && bits < 6 ? src : NULL;
}

static bool
params_ok(const struct params *p)
{
	return p->kib >= KIB_MIN && p->kib <= KIB_MAX && p->passes >= 1 &&
	    p->passes <= PASSES_MAX && p->lanes >= 1 && p->lanes <= LANES_MAX &&
	    p->kib >= 8 * p->lanes;
}

static bool
decode(struct params *p, const char *encoded)
{
	const char *s;
	int end = 0;

	if (sscanf(encoded, "$argon2id$v=19$m=%9u,t=%9u,p=%9u$%n", &p->kib, &p->passes,
		&p->lanes, &end) != 3 ||
	    end == 0)
		return false;
	s = b64_get(p->salt, sizeof(p->salt), encoded + end);
	if (s == NULL || *s++ != '$')
		return false;
	s = b64_get(p->tag, sizeof(p->tag), s);
	return s != NULL && *s == '\0' && params_ok(p);
}

static void
encode(const struct params *p, char encoded[WIRE_HASH])
{
	char *s;
	int n;

	n = snprintf(encoded, WIRE_HASH, "$argon2id$v=19$m=%u,t=%u,p=%u$", p->kib,
	    p->passes, p->lanes);
	s = b64_put(encoded + n, p->salt, sizeof(p->salt));
	*s++ = '$';
	b64_put(s, p->tag, sizeof(p->tag));
}

/* One thread does all lanes: this process starts no other. */
static bool
compute(const struct params *p, char *password, uint8_t tag[TAG])
{
	argon2_context ctx;

	memset(&ctx, 0, sizeof(ctx));
	ctx.out = tag;
	ctx.outlen = TAG;
	ctx.pwd = (uint8_t *)password;
	ctx.pwdlen = (uint32_t)strlen(password);
	ctx.salt = (uint8_t *)(uintptr_t)p->salt;
	ctx.saltlen = SALT;
	ctx.t_cost = p->passes;
	ctx.m_cost = p->kib;
	ctx.lanes = p->lanes;
	ctx.threads = 1;
	ctx.version = ARGON2_VERSION_13;
	ctx.flags = ARGON2_FLAG_CLEAR_PASSWORD;
	ctx.allocate_cbk = hash_memory_take;
	ctx.free_cbk = hash_memory_keep;
	return argon2id_ctx(&ctx) == ARGON2_OK;
}

/* Takes the same time wherever the difference is. */
static bool
same(const uint8_t *a, const uint8_t *b, size_t len)
{
	volatile uint8_t diff = 0;
	size_t i;

	for (i = 0; i < len; i++)
		diff |= a[i] ^ b[i];
	return diff == 0;
}

/* The request without its strings' ends is auth's bug; the helper leaves. */
static void
request(const struct msg *m, struct m_hash *h)
{
	*h = *MSG_DATA(m, m_hash);
	if (!wire_str(h->password) || !wire_str(h->encoded))
		fatalx("BUG: request without an end of a string");
}

static void
respond(uint32_t id, struct m_hashed *a)
{
	chan_send(&auth, M_HASHED, id, -1, a, sizeof(*a));
	explicit_bzero(a, sizeof(*a));
	hash_memory_drop();
}

static void
on_make(struct chan *c, struct msg *m)
{
	struct m_hashed a;
	struct m_hash h;
	struct params p;

	(void)c;
	memset(&a, 0, sizeof(a));
	memset(&p, 0, sizeof(p));
	request(m, &h);
	p.kib = h.memory_kib;
	p.passes = h.passes;
	p.lanes = h.lanes;
	arc4random_buf(p.salt, sizeof(p.salt));
	a.ok = HASHED_FAILED;
	if (params_ok(&p) && compute(&p, h.password, p.tag)) {
		encode(&p, a.encoded);
		a.ok = HASHED_YES;
	} else {
		log_warnx("hash not computed: m=%u t=%u p=%u", p.kib, p.passes, p.lanes);
	}
	explicit_bzero(&h, sizeof(h));
	explicit_bzero(&p, sizeof(p));
	respond(m->head.id, &a);
}

static void
on_verify(struct chan *c, struct msg *m)
{
	uint8_t tag[TAG];
	struct m_hashed a;
	struct m_hash h;
	struct params p;

	(void)c;
	memset(&a, 0, sizeof(a));
	request(m, &h);
	a.ok = HASHED_FAILED;
	if (decode(&p, h.encoded) && compute(&p, h.password, tag))
		a.ok = same(tag, p.tag, sizeof(tag)) ? HASHED_YES : HASHED_NO;
	else
		log_warnx("hash not verified");
	explicit_bzero(&h, sizeof(h));
	explicit_bzero(&p, sizeof(p));
	explicit_bzero(tag, sizeof(tag));
	respond(m->head.id, &a);
}

static void
on_log_file(struct chan *c, struct msg *m)
{
	(void)c;
	log_set_fd(msg_take_fd(m));
}

static void
on_gone(struct chan *c, const char *why)
{
	if (why != NULL)
		log_warnx("channel to %s: %s", proc_name(c->peer), why);
	event_base_loopbreak(base);
}

static const struct chan_handler from_auth[] = {
	{ M_HASH_MAKE, on_make },
	{ M_HASH_VERIFY, on_verify },
	{ M_NONE, NULL },
};

static const struct chan_handler from_isolation[] = {
	{ M_LOG_FILE, on_log_file },
	{ M_NONE, NULL },
};

int
main(int argc, char *argv[], char *envp[])
{
	struct conf_for_hash conf;

	setproctitle_init(argc, argv, envp);
	sandbox_root();
	setproctitle("-ided: hash");
	signal(SIGHUP, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	conf_section_recv(FD_CONF, &conf, sizeof(conf));
	log_init("hash", FD_LOG, conf.common.log_format, conf.common.log_level,
	    conf.common.log_to == LOG_TO_SYSLOG);
	if ((base = event_base_new()) == NULL)
		fatalx("event loop: out of memory");
	chan_init(&isolation, FD_PARENT, P_HASH, P_ISOLATION, base, from_isolation,
	    on_gone, NULL);
	chan_init(&auth, FD_MASTER, P_HASH, P_AUTH, base, from_auth, on_gone, NULL);
	sandbox_enter(&sandbox_hash);
	event_base_dispatch(base);
	_exit(0);
}
