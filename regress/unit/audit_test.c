/*
 * The audit trail: records and their lines, the chain, segments that are found whole
 * again after whatever a crash leaves, indexes that find what a look at every record
 * finds, the file beside the store, and the key that signs.
 */
#include "store_helper.h"

#include "../../privsep/audit_sign.h"
#include "../../privsep/auth/audit_file.h"
#include "../../privsep/auth/audit_store.h"
#include "../../privsep/keys/audit_key.h"

static char line[AUDIT_LINE_MAX + 1];

static struct m_audit
record(uint64_t seq, const char *user, const char *event)
{
	struct m_audit r;
	char num[24];

	memset(&r, 0, sizeof(r));
	r.seq = seq;
	r.time = 1700000000000 + (int64_t)seq * 10;
	strlcpy(r.event, event, sizeof(r.event));
	strlcpy(r.outcome, "ok", sizeof(r.outcome));
	strlcpy(r.user, user, sizeof(r.user));
	strlcpy(r.actor, "root", sizeof(r.actor));
	strlcpy(r.source, "192.0.2.1", sizeof(r.source));
	snprintf(num, sizeof(num), "%u", (unsigned int)seq);
	assert_true(audit_detail(&r, "uid", 'n', num));
	return r;
}

static void
append(struct audit_store *st, const char *user, const char *event)
{
	uint8_t buf[AUDIT_RECORD_MAX], prev[WIRE_HASH256];
	struct m_audit r;
	size_t n, len;

	r = record(audit_store_head(st, prev) + 1, user, event);
	memcpy(r.prev, prev, sizeof(prev));
	len = audit_line(&r, line);
	n = audit_encode(&r, buf);
	assert_true(n > 0);
	assert_true(audit_store_room(st));
	audit_store_append(st, &r, buf, n);
	if (audit_file_is_open()) {
		assert_true(audit_file_room());
		audit_file_add(line, len);
	}
	if (audit_store_pending(st) > AUDIT_BATCH_MAX / 2)
		assert_int_equal(audit_store_sync(st), 0);
}

static struct audit_store *
open_trail(void)
{
	struct audit_store *st;

	if ((st = audit_store_open(dir, "TRAIL", err, sizeof(err))) == NULL)
		fail_msg("audit_store_open: %s", err);
	return st;
}

/* Every record there is, from the first to the head, each following the other. */
static uint64_t
check_chain(struct audit_store *st)
{
	struct audit_scan sc = { .at = 1, .from = INT64_MIN, .to = INT64_MAX };
	uint8_t hash[WIRE_HASH256], prev[WIRE_HASH256];
	struct m_audit r;
	uint64_t seq = 0;
	enum audit_scan_result res;

	audit_scan_begin(&sc);
	while ((res = audit_scan_next(st, &sc, &r)) != SCAN_END) {
		if (res == SCAN_MOVED)
			continue;
		assert_int_equal(res, SCAN_RECORD);
		assert_true(audit_hash_ok(&r));
		if (seq != 0) {
			assert_int_equal(r.seq, seq + 1);
			assert_memory_equal(r.prev, prev, sizeof(prev));
		}
		seq = r.seq;
		memcpy(prev, r.hash, sizeof(prev));
	}
	audit_scan_end(&sc);
	assert_int_equal(audit_store_head(st, hash), seq);
	if (seq != 0)
		assert_memory_equal(hash, prev, sizeof(prev));
	return seq;
}

static void
test_record(void **state)
{
	struct m_audit r = record(7, "ann", "login.ok"), back;
	uint8_t buf[AUDIT_RECORD_MAX];
	size_t n, i;

	(void)state;
	(void)audit_line(&r, line);
	n = audit_encode(&r, buf);
	assert_int_equal(audit_decode(&back, buf, n), n);
	assert_memory_equal(&back, &r, sizeof(r));
	assert_true(audit_hash_ok(&back));
	/* A part of one is none, and one that was altered has another hash. */
	for (i = 0; i < n; i++)
		assert_int_equal(audit_decode(&back, buf, i), 0);
	for (i = 4; i < n; i++) {
		buf[i] ^= 0x01;
		if (audit_decode(&back, buf, n) != 0)
			assert_false(audit_hash_ok(&back));
		buf[i] ^= 0x01;
	}
}

/* Whatever a value holds, a record is one line, and JSON. */
static void
test_line(void **state)
{
	static const char *const evil[] = { "a\nb", "\r\n{\"v\":1}", "\"},\"x\":{\"",
		"\\", "\x1b[31m", "\xff\xfe", "\xe2\x80\xae", "\x7f",
		"gr\xc3\xbc\xc3\x9f" };
	uint8_t prev[WIRE_HASH256], hash[WIRE_HASH256];
	struct m_audit r;
	uint64_t seq;
	size_t i, k, n;

	(void)state;
	for (i = 0; i < sizeof(evil) / sizeof(evil[0]); i++) {
		r = record(42, evil[i], "login.failed");
		assert_true(audit_detail(&r, "why", 's', evil[i]));
		n = audit_line(&r, line);
		for (k = 0; k < n; k++)
			assert_true((unsigned char)line[k] >= 0x20 && line[k] != 0x7f);
		assert_true(audit_line_check(line, n, &seq, prev, hash));
		assert_int_equal(seq, 42);
		assert_memory_equal(hash, r.hash, sizeof(hash));
		for (k = 0; k < n; k++) {
			line[k] ^= 0x01;
			assert_false(audit_line_check(line, n, &seq, prev, hash) &&
			    memcmp(hash, r.hash, sizeof(hash)) == 0);
			line[k] ^= 0x01;
		}
		for (k = 0; k < n; k++)
			assert_false(audit_line_check(line, k, &seq, prev, hash));
	}
}

/* The longest that there can be fits, with every byte of it escaped. */
static void
test_longest(void **state)
{
	uint8_t buf[AUDIT_RECORD_MAX], prev[WIRE_HASH256], hash[WIRE_HASH256];
	struct m_audit r, back;
	char value[WIRE_AUDIT_DETAIL];
	uint64_t seq;
	size_t n;

	(void)state;
	r = record(UINT64_MAX, "", "e");
	memset(r.event, 1, sizeof(r.event) - 1);
	memset(r.outcome, 1, sizeof(r.outcome) - 1);
	memset(r.actor, 1, sizeof(r.actor) - 1);
	memset(r.user, 1, sizeof(r.user) - 1);
	memset(r.source, 1, sizeof(r.source) - 1);
	memset(r.agent, 1, sizeof(r.agent) - 1);
	memset(r.session, 1, sizeof(r.session) - 1);
	memset(r.rid, 1, sizeof(r.rid) - 1);
	memset(value, 1, sizeof(value));
	value[sizeof(r.detail) - r.len - 4] = '\0';
	assert_false(audit_detail(&r, "why", 's', value));
	value[sizeof(r.detail) - r.len - 6] = '\0';
	assert_true(audit_detail(&r, "why", 's', value));
	assert_int_equal(r.len, sizeof(r.detail));
	assert_false(audit_detail(&r, "a", 's', ""));
	n = audit_line(&r, line);
	assert_true(n < AUDIT_LINE_MAX && line[n - 1] == '}');
	assert_true(audit_line_check(line, n, &seq, prev, hash));
	n = audit_encode(&r, buf);
	assert_true(n > 0);
	assert_int_equal(audit_decode(&back, buf, n), n);
	assert_memory_equal(&back, &r, sizeof(r));
}

static void
copy_file(const char *from, const char *to)
{
	char cmd[256];

	snprintf(cmd, sizeof(cmd), "cp %s/%s %s/%s", dir, from, dir, to);
	assert_int_equal(system(cmd), 0);
}

#define SEG1 "0000000000000001.seg"

/* Whatever of the end is not there, what is before is, and it goes on. */
static void
test_torn(void **state)
{
	struct audit_store *st;
	struct stat sb, sa;
	char path[256];
	off_t whole, len;
	uint64_t n;

	(void)state;
	empty_dir();
	st = open_trail();
	append(st, "ann", "a.one");
	append(st, "bob", "a.two");
	assert_int_equal(audit_store_sync(st), 0);
	snprintf(path, sizeof(path), "%s/%s", dir, SEG1);
	assert_int_equal(stat(path, &sa), 0);
	append(st, "cleo", "a.three");
	assert_int_equal(audit_store_sync(st), 0);
	audit_store_close(st);
	assert_int_equal(stat(path, &sb), 0);
	whole = sb.st_size;
	copy_file(SEG1, "copy");
	for (len = sa.st_size; len <= whole; len++) {
		copy_file("copy", SEG1);
		assert_int_equal(truncate(path, len), 0);
		st = open_trail();
		n = check_chain(st);
		assert_int_equal(n, len == whole ? 3 : 2);
		assert_int_equal(
		    audit_store_torn(st), len == whole ? 0 : len - sa.st_size);
		append(st, "dan", "a.next");
		assert_int_equal(audit_store_sync(st), 0);
		audit_store_close(st);
		st = open_trail();
		assert_int_equal(check_chain(st), n + 1);
		audit_store_close(st);
	}
	empty_dir();
}

/* What follows a hole is kept beside, for people to look at. */
static void
test_garbage(void **state)
{
	struct audit_store *st;
	char path[256];
	struct stat sb;
	int fd;

	(void)state;
	empty_dir();
	st = open_trail();
	append(st, "ann", "a.one");
	assert_int_equal(audit_store_sync(st), 0);
	audit_store_close(st);
	snprintf(path, sizeof(path), "%s/%s", dir, SEG1);
	fd = open(path, O_WRONLY | O_APPEND);
	assert_int_equal(write(fd, "garbage that is no record", 25), 25);
	close(fd);
	st = open_trail();
	assert_int_equal(check_chain(st), 1);
	assert_int_equal(audit_store_torn(st), 25);
	audit_store_close(st);
	snprintf(path, sizeof(path), "%s/0000000000000001.torn", dir);
	assert_int_equal(stat(path, &sb), 0);
	assert_int_equal(sb.st_size, 25);
	/* A segment whose head is another's is not written over. */
	snprintf(path, sizeof(path), "%s/%s", dir, SEG1);
	fd = open(path, O_WRONLY);
	assert_int_equal(write(fd, "XXXXXXXX", 8), 8);
	close(fd);
	assert_null(audit_store_open(dir, "TRAIL", err, sizeof(err)));
	assert_non_null(strstr(err, "damaged"));
	empty_dir();
}

#define MANY  (2 * AUDIT_SEG_RECORDS + 5000)
#define USERS 7

static const char *
user_of(uint64_t seq)
{
	static const char *const users[USERS] = { "ann", "bob", "cleo", "dan", "eve",
		"fay", "" };

	/* Some often, some seldom. */
	if (seq % 9973 == 0)
		return users[4];
	if (seq > AUDIT_SEG_RECORDS && seq < AUDIT_SEG_RECORDS + 100)
		return users[5];
	return users[seq * 2654435761u / 1000 % 4];
}

static void
walk_user(struct audit_store *st, const char *user, bool down, uint64_t at)
{
	struct audit_scan sc = { .newest_first = down,
		.keyed = user != NULL,
		.at = at,
		.from = INT64_MIN,
		.to = INT64_MAX };
	uint64_t want = at;
	struct m_audit r;
	enum audit_scan_result res;

	if (user != NULL)
		sc.key = audit_key(AUDIT_KEY_WHO, user);
	audit_scan_begin(&sc);
	for (;;) {
		while (want >= 1 && want <= MANY && user != NULL &&
		    strcmp(user_of(want), user) != 0)
			want += down ? (uint64_t)-1 : 1;
		while ((res = audit_scan_next(st, &sc, &r)) == SCAN_MOVED)
			;
		if (want < 1 || want > MANY) {
			assert_int_equal(res, SCAN_END);
			break;
		}
		assert_int_equal(res, SCAN_RECORD);
		assert_int_equal(r.seq, want);
		want += down ? (uint64_t)-1 : 1;
	}
	audit_scan_end(&sc);
}

static void
walk_all(struct audit_store *st)
{
	static const char *const who[] = { "ann", "eve", "fay", "nobody" };
	static const uint64_t from[] = { 1, 2, AUDIT_SEG_RECORDS - 1, AUDIT_SEG_RECORDS,
		AUDIT_SEG_RECORDS + 1, AUDIT_SEG_RECORDS + 50, 2 * AUDIT_SEG_RECORDS,
		MANY - 1, MANY };
	struct m_audit r;
	size_t i, k;

	for (i = 0; i < sizeof(from) / sizeof(from[0]); i++)
		for (k = 0; k < sizeof(who) / sizeof(who[0]); k++) {
			walk_user(st, who[k], false, from[i]);
			walk_user(st, who[k], true, from[i]);
		}
	walk_user(st, NULL, false, 1);
	walk_user(st, NULL, true, MANY);
	for (i = 1; i <= MANY; i += 977) {
		assert_true(audit_store_get(st, i, &r));
		assert_int_equal(r.seq, i);
	}
	assert_false(audit_store_get(st, MANY + 1, &r));
	assert_false(audit_store_get(st, 0, &r));
}

static void
test_index(void **state)
{
	struct audit_store *st;
	char path[256];
	uint64_t i;

	(void)state;
	empty_dir();
	st = open_trail();
	for (i = 1; i <= MANY; i++) {
		append(st, user_of(i), "a.b");
		if (i % 1000 == 0 || i == MANY)
			assert_int_equal(audit_store_sync(st), 0);
	}
	/* The index of the last full segment in memory, then on the disk. */
	walk_all(st);
	audit_store_tick(st);
	walk_all(st);
	audit_store_close(st);
	st = open_trail();
	assert_int_equal(check_chain(st), MANY);
	walk_all(st);
	audit_store_close(st);
	/* One that is lost is made again; so is one that does not fit. */
	snprintf(path, sizeof(path), "%s/0000000000000001.idx", dir);
	assert_int_equal(unlink(path), 0);
	st = open_trail();
	walk_all(st);
	audit_store_close(st);
	assert_int_equal(truncate(path, 100), 0);
	st = open_trail();
	walk_all(st);
	/* The oldest go, one by one, and the newest stay. */
	assert_int_equal(audit_store_prune(st, 1600000000000, 0), 0);
	assert_true(audit_store_prune(st, INT64_MAX, 1) >= AUDIT_SEG_RECORDS);
	assert_int_equal(audit_store_prune(st, INT64_MAX, 1), 0);
	assert_true(audit_store_prune(st, INT64_MAX, 0) >= 2 * AUDIT_SEG_RECORDS);
	assert_int_equal(audit_store_prune(st, INT64_MAX, 0), 0);
	assert_true(audit_store_first(st) > AUDIT_SEG_RECORDS);
	assert_int_equal(check_chain(st), MANY);
	audit_store_close(st);
	empty_dir();
}

/* A walk that goes on while records come, and segments are full. */
static void
test_follow(void **state)
{
	struct audit_scan sc = { .at = 1, .from = INT64_MIN, .to = INT64_MAX };
	struct audit_store *st;
	enum audit_scan_result res;
	struct m_audit r;
	uint64_t i, seen = 0;

	(void)state;
	empty_dir();
	st = open_trail();
	audit_scan_begin(&sc);
	for (i = 1; i <= AUDIT_SEG_RECORDS + 3000; i++) {
		append(st, "ann", "a.b");
		if (i % 701 != 0)
			continue;
		assert_int_equal(audit_store_sync(st), 0);
		if (i % 1402 == 0)
			audit_store_tick(st);
		while ((res = audit_scan_next(st, &sc, &r)) != SCAN_END) {
			if (res == SCAN_MOVED)
				continue;
			assert_int_equal(res, SCAN_RECORD);
			assert_int_equal(r.seq, ++seen);
		}
		assert_int_equal(seen, i);
	}
	audit_scan_end(&sc);
	audit_store_close(st);
	empty_dir();
}

/* Where there is no room, nothing is accepted, and what was accepted is written. */
static void
test_full(void **state)
{
	struct audit_store *st;
	char path[256];
	uint64_t accepted, i;
	int fd;

	(void)state;
	empty_dir();
	if (mount("tmpfs", dir, "tmpfs", 0, "size=4m,mode=0700") == -1) {
		print_message("no tmpfs may be mounted here: not tested\n");
		skip();
	}
	st = open_trail();
	append(st, "ann", "a.b");
	assert_int_equal(audit_store_sync(st), 0);
	snprintf(path, sizeof(path), "%s/ballast", dir);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	while (write(fd, line, sizeof(line)) > 0)
		;
	for (accepted = 1; audit_store_room(st) && accepted < 100000; accepted++)
		append(st, "ann", "a.b");
	assert_true(accepted > 1 && accepted < 100000);
	assert_int_equal(audit_store_sync(st), 0);
	assert_false(audit_store_room(st));
	close(fd);
	assert_int_equal(unlink(path), 0);
	assert_true(audit_store_room(st));
	for (i = 0; i < 10; i++)
		append(st, "bob", "a.b");
	assert_int_equal(audit_store_sync(st), 0);
	audit_store_close(st);
	st = open_trail();
	assert_int_equal(check_chain(st), accepted + 10);
	audit_store_close(st);
	assert_int_equal(umount(dir), 0);
}

static int
open_file(const char *name)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDWR | O_CREAT, 0600);
	assert_true(fd != -1);
	return fd;
}

/* The lines of the file: from..to, each following the other. */
static void
check_file(const char *name, uint64_t from, uint64_t to)
{
	uint8_t prev[WIRE_HASH256], hash[WIRE_HASH256], last[WIRE_HASH256];
	char path[256], *l = NULL;
	uint64_t seq;
	size_t room = 0;
	ssize_t n;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_non_null(f = fopen(path, "r"));
	while ((n = getline(&l, &room, f)) > 0) {
		assert_int_equal(l[n - 1], '\n');
		assert_true(audit_line_check(l, (size_t)n - 1, &seq, prev, hash));
		assert_int_equal(seq, from++);
		if (ftello(f) != n)
			assert_memory_equal(prev, last, sizeof(last));
		memcpy(last, hash, sizeof(last));
	}
	assert_int_equal(from, to + 1);
	free(l);
	fclose(f);
}

static void
test_file(void **state)
{
	struct audit_store *st;
	const char *why;
	char path[256];
	struct stat sb;
	int i;

	(void)state;
	empty_dir();
	st = open_trail();
	append(st, "ann", "a.before");
	assert_int_equal(audit_store_sync(st), 0);
	/* One that begins gets what comes. */
	assert_int_equal(audit_file_take(open_file("log"), st, &why), FILE_BEGINS);
	append(st, "ann", "audit.file");
	for (i = 0; i < 5; i++)
		append(st, "ann", "a.b");
	assert_int_equal(audit_store_sync(st), 0);
	assert_int_equal(audit_file_sync(), 0);
	audit_file_close();
	check_file("log", 2, 7);
	/* Cut anywhere, it goes on, whole. */
	snprintf(path, sizeof(path), "%s/log", dir);
	assert_int_equal(stat(path, &sb), 0);
	for (i = 1; i < 900; i += 7) {
		assert_int_equal(truncate(path, sb.st_size - i), 0);
		assert_int_equal(
		    audit_file_take(open_file("log"), st, &why), FILE_GOES_ON);
		audit_file_close();
		check_file("log", 2, 7);
	}
	/* A crash that kept all of it out: from where it began. */
	audit_store_mark(st, 1);
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(audit_file_take(open_file("log"), st, &why), FILE_BEGINS);
	audit_file_close();
	check_file("log", 2, 7);
	/* One that somebody took away, or the next one: from here on. */
	assert_int_equal(audit_file_take(open_file("next"), st, &why), FILE_BEGINS);
	append(st, "ann", "audit.file");
	append(st, "ann", "a.b");
	assert_int_equal(audit_store_sync(st), 0);
	assert_int_equal(audit_file_sync(), 0);
	assert_int_equal(audit_file_take(open_file("after"), st, &why), FILE_BEGINS);
	append(st, "ann", "audit.file");
	assert_int_equal(audit_store_sync(st), 0);
	assert_int_equal(audit_file_sync(), 0);
	audit_file_close();
	check_file("next", 8, 9);
	check_file("after", 10, 10);
	/* Not the trail's. */
	assert_int_equal(truncate(path, sb.st_size - 10), 0);
	assert_int_equal(truncate(path, sb.st_size), 0);
	assert_int_equal(audit_file_take(open_file("log"), st, &why), FILE_GOES_ON);
	audit_file_close();
	i = open_file("other");
	assert_int_equal(write(i, "hello\n", 6), 6);
	assert_int_equal(audit_file_take(i, st, &why), FILE_ODD);
	assert_non_null(why);
	assert_false(audit_file_is_open());
	/* One whose last record the store never had. */
	audit_store_close(st);
	snprintf(path, sizeof(path), "%s/%s", dir, SEG1);
	assert_int_equal(unlink(path), 0);
	st = open_trail();
	append(st, "ann", "a.other");
	assert_int_equal(audit_store_sync(st), 0);
	assert_int_equal(audit_file_take(open_file("log"), st, &why), FILE_ODD);
	audit_store_close(st);
	empty_dir();
}

/* What is signed last is kept, and nothing older is signed after it. */
static void
test_key(void **state)
{
	struct m_audit_sign what;
	struct m_audit_signed a, last;
	uint8_t pub[WIRE_ED25519];
	int i;

	(void)state;
	empty_dir();
	memset(&what, 0, sizeof(what));
	audit_key_sign(&what, &a);
	assert_int_equal(a.result, AUDIT_SIGN_FAILED);
	assert_null(audit_key_file(open_file("key")));
	assert_null(audit_key_pub(open_file("pub")));
	assert_null(audit_key_last(open_file("last")));
	for (i = 1; i <= 5; i++) {
		what.seq = (uint64_t)i * 10;
		what.time = i;
		what.hash[0] = (uint8_t)i;
		audit_key_sign(&what, &a);
		assert_int_equal(a.result, AUDIT_SIGN_OK);
		assert_true(audit_sign_verify(&a, a.key));
		memcpy(pub, a.key, sizeof(pub));
		assert_true(audit_last_read(open_file("last"), pub, &last));
		assert_int_equal(last.what.seq, what.seq);
	}
	/* As after a restart. */
	assert_null(audit_key_file(open_file("key")));
	assert_null(audit_key_last(open_file("last")));
	what.seq = 49;
	audit_key_sign(&what, &a);
	assert_int_equal(a.result, AUDIT_SIGN_OLDER);
	assert_int_equal(a.last, 50);
	what.seq = 50;
	what.hash[1] = 1;
	audit_key_sign(&what, &a);
	assert_int_equal(a.result, AUDIT_SIGN_OLDER);
	what.hash[1] = 0;
	audit_key_sign(&what, &a);
	assert_int_equal(a.result, AUDIT_SIGN_OK);
	assert_memory_equal(a.key, pub, sizeof(pub));
	/* Nothing of what is signed can be another. */
	a.what.seq++;
	assert_false(audit_sign_verify(&a, pub));
	a.what.seq--;
	a.what.hash[5] ^= 1;
	assert_false(audit_sign_verify(&a, pub));
	a.what.hash[5] ^= 1;
	a.sig[0] ^= 1;
	assert_false(audit_sign_verify(&a, pub));
	/* A file that is no key is not taken for one. */
	i = open_file("odd");
	assert_int_equal(write(i, "x", 1), 1);
	assert_non_null(audit_key_file(i));
	empty_dir();
}

/* A writer that acknowledges, over a pipe, what it has synced, until it is killed. */
static void
writer(int fd)
{
	struct audit_store *st = open_trail();
	uint8_t hash[WIRE_HASH256];
	const char *why;
	unsigned int i, n;
	uint64_t head;

	if (audit_file_take(open_file("log"), st, &why) == FILE_ODD)
		_exit(2);
	for (;;) {
		n = 1 + arc4random_uniform(20);
		for (i = 0; i < n; i++)
			append(st, "ann", "a.b");
		if (audit_store_sync(st) == -1 || audit_file_sync() == -1)
			_exit(3);
		head = audit_store_head(st, hash);
		if (write(fd, &head, sizeof(head)) != sizeof(head))
			_exit(4);
	}
}

static void
test_killed(void **state)
{
	const char *rounds = getenv("STORE_ROUNDS");
	unsigned int i, n = rounds != NULL ? (unsigned int)atoi(rounds) : 100;
	struct timespec ts;
	struct audit_store *st;
	uint64_t acked = 0, head, was = 0;
	const char *why;
	int p[2], status;
	pid_t pid;

	(void)state;
	empty_dir();
	for (i = 0; i < n; i++) {
		assert_int_equal(pipe(p), 0);
		pid = fork();
		assert_true(pid != -1);
		if (pid == 0) {
			close(p[0]);
			writer(p[1]);
		}
		close(p[1]);
		/* Not before it has begun, and then at any moment. */
		if (read(p[0], &head, sizeof(head)) == sizeof(head))
			acked = head;
		ts = (struct timespec){ 0, arc4random_uniform(8000000) };
		nanosleep(&ts, NULL);
		kill(pid, SIGKILL);
		while (read(p[0], &head, sizeof(head)) == sizeof(head))
			acked = head;
		close(p[0]);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		st = open_trail();
		head = check_chain(st);
		assert_true(head >= acked && acked > was);
		assert_int_equal(
		    audit_file_take(open_file("log"), st, &why), FILE_GOES_ON);
		audit_file_close();
		check_file("log", 1, head);
		audit_store_close(st);
		was = acked;
	}
	empty_dir();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_record),
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_longest),
		cmocka_unit_test(test_torn),
		cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_index),
		cmocka_unit_test(test_follow),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_key),
		cmocka_unit_test(test_killed),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
