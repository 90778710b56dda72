/*
 * Session tokens: a million of the real ones are all different, in each of their parts,
 * and even in every bit; and of a token the store holds its hash and nothing else.
 */
#include "store_helper.h"

#include <openssl/sha.h>

#include "../../privsep/auth/auth.h"

#define MILLION 1000000u

struct auth auth;

static int
cmp8(const void *a, const void *b)
{
	return memcmp(a, b, 8);
}

static void
all_different(void **state)
{
	static unsigned int set[WIRE_TOKEN * 8];
	uint8_t(*tokens)[WIRE_TOKEN], (*part)[8], key[STORE_KEY], md[STORE_KEY];
	unsigned int i, p, bit;

	(void)state;
	tokens = calloc(MILLION, sizeof(*tokens));
	part = calloc(MILLION, sizeof(*part));
	assert_non_null(tokens);
	assert_non_null(part);
	for (i = 0; i < MILLION; i++) {
		session_token(tokens[i], key);
		for (bit = 0; bit < WIRE_TOKEN * 8; bit++)
			set[bit] += tokens[i][bit / 8] >> bit % 8 & 1;
		if (i % 1000 != 0)
			continue;
		SHA256(tokens[i], WIRE_TOKEN, md);
		assert_memory_equal(md, key, sizeof(key));
	}
	/* Two of a million random 64-bit numbers are equal once in 36 million runs. */
	for (p = 0; p < WIRE_TOKEN; p += 8) {
		for (i = 0; i < MILLION; i++)
			memcpy(part[i], tokens[i] + p, 8);
		qsort(part, MILLION, sizeof(*part), cmp8);
		for (i = 1; i < MILLION; i++)
			assert_int_not_equal(memcmp(part[i - 1], part[i], 8), 0);
	}
	/* Ten standard deviations around half of them. */
	for (bit = 0; bit < WIRE_TOKEN * 8; bit++)
		assert_in_range(set[bit], MILLION / 2 - 5000, MILLION / 2 + 5000);
	free(tokens);
	free(part);
}

/* A process that was forked draws others. */
static void
forked(void **state)
{
	uint8_t mine[64][WIRE_TOKEN], other[64][WIRE_TOKEN], key[STORE_KEY];
	int p[2], status, i, k;
	pid_t pid;

	(void)state;
	session_token(mine[0], key);
	assert_int_equal(pipe(p), 0);
	pid = fork();
	assert_int_not_equal(pid, -1);
	if (pid == 0) {
		for (i = 0; i < 64; i++)
			session_token(other[i], key);
		_exit(write(p[1], other, sizeof(other)) == sizeof(other) ? 0 : 1);
	}
	for (i = 0; i < 64; i++)
		session_token(mine[i], key);
	assert_int_equal(read(p[0], other, sizeof(other)), sizeof(other));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	for (i = 0; i < 64; i++)
		for (k = 0; k < 64; k++)
			assert_int_not_equal(memcmp(mine[i], other[k], WIRE_TOKEN), 0);
	close(p[0]);
	close(p[1]);
}

/* Is the text in one of the store's files? */
static bool
in_files(const void *what, size_t len)
{
	struct dirent *e;
	char path[512];
	struct stat sb;
	bool found = false;
	uint8_t *buf;
	DIR *d;
	int fd;

	assert_non_null(d = opendir(dir));
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		fd = open(path, O_RDONLY);
		assert_int_equal(fstat(fd, &sb), 0);
		assert_non_null(buf = malloc((size_t)sb.st_size + 1));
		assert_int_equal(read(fd, buf, (size_t)sb.st_size), sb.st_size);
		found = found || memmem(buf, (size_t)sb.st_size, what, len) != NULL;
		free(buf);
		close(fd);
	}
	closedir(d);
	return found;
}

/* Sessions as logins make them: found by the token, which is nowhere on disk. */
static void
only_the_hash(void **state)
{
	static const struct wire_addr source;
	struct store_account a = account("ann", ""), b;
	struct store_session s, found;
	uint8_t token[WIRE_TOKEN];
	char hex[2 * WIRE_TOKEN + 1];
	unsigned int i, k;

	(void)state;
	empty_dir();
	auth.store = open_store(false);
	auth.conf.auth.session_max = 100;
	auth.conf.auth.session_lifetime = auth.conf.auth.session_idle = 3600;
	assert_int_equal(store_account_add(auth.store, &a), STORE_OK);
	for (i = 0; i < 50; i++) {
		assert_int_equal(session_new(&a, &source, "test", token, &s), STORE_OK);
		assert_int_equal(store_session_add(auth.store, &s), STORE_OK);
		assert_int_equal(session_find(token, &found, &b), STORE_OK);
		assert_string_equal(found.id, s.id);
		assert_int_equal(b.uid, a.uid);
		store_tick(auth.store);
		for (k = 0; k < WIRE_TOKEN; k++)
			snprintf(hex + 2 * k, 3, "%02x", token[k]);
		assert_true(in_files(s.key, sizeof(s.key)));
		/* Half of it is too much. */
		assert_false(in_files(token, 16));
		assert_false(in_files(token + 16, 16));
		assert_false(in_files(hex, 32));
		/* What is in the store opens nothing. */
		assert_int_equal(session_find(s.key, &found, &b), STORE_NOT_FOUND);
	}
	store_close(auth.store);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_different),
		cmocka_unit_test(forked),
		cmocka_unit_test(only_the_hash),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
