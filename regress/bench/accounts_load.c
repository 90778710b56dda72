/*
 * The accounts' store, as auth uses it, for accounts.mjs to time:
 *
 *	accounts_load fill DIR ACCOUNTS
 *		so many accounts, with an e-mail address and a session each
 *	accounts_load lookup DIR ACCOUNTS LOOKUPS
 *		how long does it take to open, and to find one by name, by e-mail address,
 *		by uid, and a session by its key; of what is looked at meanwhile, the
 *		longest; and a login's writes
 *	accounts_load check DIR
 *		looks at every page and every record, all at once, and then a little at a
 *time accounts_load dirty DIR ACCOUNTS SECONDS logs people in for so long, and is killed
 *	accounts_load argon2 KIB PASSES LANES
 *		hashes once for each line of its input, and says how long it took
 */
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <argon2.h>
#include <bsd/stdlib.h>
#include <bsd/string.h>

#include "../../privsep/auth/hash_memory.h"
#include "../../privsep/auth/store.h"
#include "../../privsep/auth/store_bdb.h"
#include "../../privsep/log.h"
#include "took.h"

#define FIRST 200000u
#define BATCH 20000 /* accounts between checkpoints, where they are only made */

static char err[1400];

/* In the engine's place too: what is only made to be there need not be durable. */
static bool quick;

int
fdatasync(int fd)
{
	return quick ? 0 : (int)syscall(SYS_fdatasync, fd);
}

int
fsync(int fd)
{
	return quick ? 0 : (int)syscall(SYS_fsync, fd);
}

static struct store *
open_store(const char *dir)
{
	struct store_options o = {
		.home = dir, .shown = dir, .uid_first = FIRST, .uid_count = 0x70000000
	};
	struct store *st;

	(void)mkdir(dir, 0700);
	if ((st = store_open(&o, err, sizeof(err))) == NULL)
		fatalx("%s", err);
	return st;
}

static void
account_of(uint32_t n, struct store_account *a)
{
	memset(a, 0, sizeof(*a));
	snprintf(a->name, sizeof(a->name), "user%07u", n);
	snprintf(a->email, sizeof(a->email), "user%07u@example.org", n);
	strlcpy(a->display, "Some Person Or Other", sizeof(a->display));
	strlcpy(a->roles, "user", sizeof(a->roles));
	strlcpy(a->hash,
	    "$argon2id$v=19$m=65536,t=3,p=1$c29tZXNhbHQxMjM0NTY$"
	    "RdescudvJCsgt3ub+b/dWRWJTmaaJObGRdescudvJCs",
	    sizeof(a->hash));
	a->active = true;
	a->has_mint = true;
	memset(a->mint, (int)n, sizeof(a->mint));
	a->created = a->updated = a->password_at = 1700000000;
}

/* Spread, as what is random is. */
static void
session_of(uint32_t n, uint32_t uid, struct store_session *s)
{
	uint64_t x = (n + 1) * 0x9e3779b97f4a7c15u;
	unsigned int i;

	memset(s, 0, sizeof(*s));
	for (i = 0; i < STORE_KEY; i += 8, x = x * 6364136223846793005u + 1)
		memcpy(s->key + i, &x, 8);
	snprintf(s->id, sizeof(s->id), "%016llx",
	    (unsigned long long)((n + 1) * 0xc2b2ae3d27d4eb4fu));
	s->uid = uid;
	/* Of every tenth the time is up. */
	s->created = s->seen = n % 10 == 0 ? 1700000000 : time(NULL);
	s->expires = 4000000000;
	s->source.ip[15] = 1;
	strlcpy(s->agent, "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Firefox/128.0",
	    sizeof(s->agent));
}

static void
run_fill(const char *dir, uint32_t accounts)
{
	struct store *st = open_store(dir);
	struct store_account a;
	struct store_session s;
	struct store_counts c;
	double start = now();
	uint32_t n;

	quick = true;
	store_count(st, &c);
	for (n = c.accounts; n < accounts; n++) {
		account_of(n, &a);
		session_of(n, FIRST + n, &s);
		if (store_account_add(st, &a) != STORE_OK || a.uid != FIRST + n ||
		    store_session_add(st, &s) != STORE_OK)
			fatalx("account %u", n);
		if (n % BATCH == 0)
			store_tick(st);
	}
	printf("{\"accounts\":%u,\"perSecond\":%.0f}\n", accounts,
	    accounts / (now() - start) * 1e3);
	store_close(st);
}

static void
said(const char *what, double *took, size_t n)
{
	qsort(took, n, sizeof(took[0]), by_value);
	printf(",\"%s\":{\"p50\":%.4f,\"p99\":%.4f,\"worst\":%.3f}", what, took[n / 2],
	    took[n * 99 / 100], took[n - 1]);
}

static bool
find(struct store *st, unsigned int by, uint32_t n)
{
	struct store_account a, want;
	struct store_session s, t;
	enum store_result r;

	account_of(n, &want);
	session_of(n, FIRST + n, &t);
	switch (by) {
	case 0:
		r = store_account_by_name(st, want.name, &a);
		break;
	case 1:
		r = store_account_by_email(st, want.email, &a);
		break;
	case 2:
		r = store_account_by_uid(st, FIRST + n, &a);
		break;
	default:
		r = store_session_by_key(st, t.key, &s);
		a.uid = s.uid;
		break;
	}
	return r == STORE_OK && a.uid == FIRST + n;
}

static void
run_lookup(const char *dir, uint32_t accounts, uint32_t lookups)
{
	static const char *const by[] = { "name", "email", "uid", "session" };
	struct store_counts c;
	struct store *st;
	struct rusage ru;
	double *took = calloc(lookups, sizeof(*took)), start;
	unsigned int b;
	uint32_t i, n;
	bool done;

	start = now();
	st = open_store(dir);
	store_count(st, &c);
	printf("{\"openMs\":%.0f,\"accounts\":%u,\"sessions\":%u", now() - start,
	    c.accounts, c.sessions);
	for (b = 0; b < 4; b++) {
		for (i = 0; i < lookups; i++) {
			n = arc4random_uniform(accounts);
			start = now();
			if (!find(st, b, n))
				fatalx("%s of %u", by[b], n);
			took[i] = now() - start;
		}
		said(by[b], took, lookups);
	}
	for (i = 0; i < lookups / 10; i++) {
		start = now();
		if (store_check(st, 400, &done, err, sizeof(err)) != STORE_OK)
			fatalx("%s", err);
		took[i] = now() - start;
	}
	said("slice", took, lookups / 10);
	getrusage(RUSAGE_SELF, &ru);
	printf(",\"rssMB\":%.1f", (double)ru.ru_maxrss / 1024);
	start = now();
	store_close(st);
	printf(",\"closeMs\":%.0f}\n", now() - start);
	free(took);
}

static void
run_check(const char *dir)
{
	struct store *st = open_store(dir);
	double start = now(), all;
	struct store_counts seen;
	bool done;

	if (bdb_check_all(st, &seen) != 0)
		fatalx("it is not sound");
	all = now() - start;
	start = now();

	do {
		if (store_check(st, 100000, &done, err, sizeof(err)) != STORE_OK)
			fatalx("%s", err);
	} while (!done);
	printf("{\"allMs\":%.0f,\"checkMs\":%.0f}\n", all, now() - start);
	store_close(st);
}

/* In the memory that the helpers have for it, so that it is the rest that differs. */
static void
run_argon2(uint32_t kib, uint32_t passes, uint32_t lanes)
{
	char line[8], password[] = "Correct-Horse-7";
	uint8_t salt[16], hash[32];
	argon2_context ctx = { .out = hash,
		.outlen = sizeof(hash),
		.pwd = (uint8_t *)password,
		.pwdlen = sizeof(password) - 1,
		.salt = salt,
		.saltlen = sizeof(salt),
		.t_cost = passes,
		.m_cost = kib,
		.lanes = lanes,
		.threads = 1,
		.version = ARGON2_VERSION_13,
		.allocate_cbk = hash_memory_take,
		.free_cbk = hash_memory_keep };
	double start;

	while (fgets(line, sizeof(line), stdin) != NULL) {
		arc4random_buf(salt, sizeof(salt));
		start = now();
		if (argon2id_ctx(&ctx) != ARGON2_OK)
			fatalx("argon2id");
		printf("%.3f\n", now() - start);
		fflush(stdout);
		hash_memory_drop();
	}
}

/* With a look at the checkpoint once a second, as auth; then what kill -9 leaves. */
static void
run_dirty(const char *dir, uint32_t accounts, double seconds)
{
	struct store *st = open_store(dir);
	struct store_session s;
	double start = now(), tick = start;
	uint32_t n, uid, logins = 0;

	while (now() - start < seconds * 1e3) {
		if (now() - tick >= 1000) {
			tick = now();
			store_tick_if_much(st);
		}
		uid = FIRST + arc4random_uniform(accounts);
		n = arc4random() | 0x80000000;
		session_of(n, uid, &s);
		if (store_session_login(st, &s, s.created) != STORE_OK)
			fatalx("login");
		logins++;
	}
	printf("{\"logins\":%u,\"perSecond\":%.0f}\n", logins,
	    logins / (now() - start) * 1e3);
	fflush(stdout);
	kill(getpid(), SIGKILL);
}

int
main(int argc, char *argv[])
{
	log_init("accounts_load", STDERR_FILENO, 0, LOG_WARNING, false);
	if (argc == 4 && strcmp(argv[1], "fill") == 0)
		run_fill(argv[2], (uint32_t)atoi(argv[3]));
	else if (argc == 5 && strcmp(argv[1], "lookup") == 0)
		run_lookup(argv[2], (uint32_t)atoi(argv[3]), (uint32_t)atoi(argv[4]));
	else if (argc == 3 && strcmp(argv[1], "check") == 0)
		run_check(argv[2]);
	else if (argc == 5 && strcmp(argv[1], "argon2") == 0)
		run_argon2((uint32_t)atoi(argv[2]), (uint32_t)atoi(argv[3]),
		    (uint32_t)atoi(argv[4]));
	else if (argc == 5 && strcmp(argv[1], "dirty") == 0)
		run_dirty(argv[2], (uint32_t)atoi(argv[3]), atof(argv[4]));
	else
		fatalx("usage: accounts_load fill | lookup | check | dirty DIR ..., "
		       "argon2 KIB PASSES LANES");
	return 0;
}
