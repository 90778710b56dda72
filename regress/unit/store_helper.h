/* What the tests of the store share: a folder of its own, records to put in. */
#ifndef STORE_HELPER_H
#define STORE_HELPER_H

#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bsd/stdlib.h>
#include <bsd/string.h>

#include <cmocka.h>

#include "../../privsep/auth/store.h"
#include "../../privsep/auth/store_bdb.h"
#include "../../privsep/auth/store_record.h"
#include "../../privsep/log.h"

/* After a panic the engine does not free what it had; the process is to end. */
const char *__lsan_default_suppressions(void);
const char *
__lsan_default_suppressions(void)
{
	return "leak:libdb";
}

#define FIRST 200000u
#define COUNT 1000u

static char dir[64];
static __attribute__((unused)) char err[2048];

static __attribute__((unused)) struct store_options
options(bool memory)
{
	return (struct store_options){ .home = memory ? "/nonexistent" : dir,
		.shown = "STORE",
		.memory = memory,
		.uid_first = FIRST,
		.uid_count = COUNT };
}

static __attribute__((unused)) void
empty_dir(void)
{
	struct dirent *e;
	char path[512];
	DIR *d;

	if ((d = opendir(dir)) == NULL)
		return;
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		unlink(path);
	}
	closedir(d);
}

/* In memory, where there is some: these tests are about processes that die and files
 * that are damaged, not about disks. */
static __attribute__((unused)) int
folder(char path[64])
{
	strlcpy(path, "/dev/shm/ided-store.XXXXXX", 64);
	if (mkdtemp(path) != NULL)
		return 0;
	strlcpy(path, "/tmp/ided-store.XXXXXX", 64);
	return mkdtemp(path) == NULL ? -1 : 0;
}

static __attribute__((unused)) int
make_dir(void **state)
{
	(void)state;
	if (folder(dir) == -1)
		return -1;
	log_init("test", STDERR_FILENO, 0, LOG_CRIT, false);
	return 0;
}

static __attribute__((unused)) int
remove_dir(void **state)
{
	(void)state;
	umount2(dir, MNT_DETACH); /* of a test that failed */
	empty_dir();
	return rmdir(dir);
}

static __attribute__((unused)) struct store *
open_store(bool memory)
{
	struct store_options o = options(memory);
	struct store *st;

	err[0] = '\0';
	st = store_open(&o, err, sizeof(err));
	if (st == NULL)
		fail_msg("store_open: %s", err);
	return st;
}

static __attribute__((unused)) void
refused(const char *part)
{
	struct store_options o = options(false);
	struct store *st;

	st = store_open(&o, err, sizeof(err));
	if (st != NULL) {
		store_close(st);
		fail_msg("opened, where \"%s\" was expected", part);
	}
	if (strstr(err, part) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", err, part);
}

static __attribute__((unused)) struct store_account
account(const char *name, const char *email)
{
	struct store_account a;

	memset(&a, 0, sizeof(a));
	strlcpy(a.name, name, sizeof(a.name));
	strlcpy(a.email, email, sizeof(a.email));
	strlcpy(a.roles, "user", sizeof(a.roles));
	strlcpy(a.hash, "$argon2id$v=19$m=65536,t=3,p=1$c2FsdA$dGFn", sizeof(a.hash));
	a.active = true;
	a.created = a.updated = 1700000000;
	return a;
}

static __attribute__((unused)) struct store_session
session(uint32_t uid, uint32_t n)
{
	struct store_session s;

	memset(&s, 0, sizeof(s));
	memset(s.key, 0x5a, sizeof(s.key));
	memcpy(s.key, &n, sizeof(n));
	snprintf(s.id, sizeof(s.id), "%016x", n);
	s.uid = uid;
	s.created = s.seen = 1700000000 + n;
	s.created_ms = (uint16_t)(n % 1000);
	s.expires = s.created + 3600;
	s.source.ip[15] = (uint8_t)n;
	s.source.port = (uint16_t)n;
	strlcpy(s.agent, "Mozilla/5.0", sizeof(s.agent));
	return s;
}

static __attribute__((unused)) void
same_account(const struct store_account *a, const struct store_account *b)
{
	assert_int_equal(a->uid, b->uid);
	assert_int_equal(a->active, b->active);
	assert_int_equal(a->has_mint, b->has_mint);
	assert_string_equal(a->name, b->name);
	assert_string_equal(a->email, b->email);
	assert_string_equal(a->roles, b->roles);
	assert_int_equal(a->pending, b->pending);
	assert_int_equal(a->must_change, b->must_change);
	assert_string_equal(a->display, b->display);
	assert_string_equal(a->metadata, b->metadata);
	assert_int_equal(a->version, b->version);
	assert_int_equal(a->token_version, b->token_version);
	assert_int_equal(a->password_at, b->password_at);
	assert_memory_equal(&a->limits, &b->limits, sizeof(a->limits));
	assert_memory_equal(a->reset_key, b->reset_key, sizeof(a->reset_key));
	assert_int_equal(a->reset_expires, b->reset_expires);
	assert_string_equal(a->hash, b->hash);
	assert_string_equal(a->last_query, b->last_query);
	assert_int_equal(a->created, b->created);
	assert_int_equal(a->updated, b->updated);
	assert_int_equal(a->last_login, b->last_login);
	assert_memory_equal(a->mint, b->mint, sizeof(a->mint));
}

static __attribute__((unused)) void
same_session(const struct store_session *a, const struct store_session *b)
{
	assert_memory_equal(a->key, b->key, sizeof(a->key));
	assert_string_equal(a->id, b->id);
	assert_int_equal(a->uid, b->uid);
	assert_int_equal(a->created, b->created);
	assert_int_equal(a->created_ms, b->created_ms);
	assert_int_equal(a->seen, b->seen);
	assert_int_equal(a->expires, b->expires);
	assert_memory_equal(a->source.ip, b->source.ip, 16);
	assert_int_equal(a->source.port, b->source.port);
	assert_int_equal(a->source.unix_peer, b->source.unix_peer);
	assert_string_equal(a->agent, b->agent);
}

/* A record as no function of the store would write it. */
static inline void
put_raw(struct store *st, enum table t, const void *key, size_t klen, const void *data,
    size_t dlen)
{
	DBT k, d;

	bdb_dbt(&k, key, klen);
	bdb_dbt(&d, data, dlen);
	assert_int_equal(st->db[t]->put(st->db[t], NULL, &k, &d, 0), 0);
}

#endif
