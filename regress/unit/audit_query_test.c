/*
 * Questions to the audit trail, of many at once: the very same are looked for once, and
 * each gets all of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bsd/string.h>

#include "../../privsep/auth/auth.h"

#define RECORDS 6000 /* more than are looked at in one go */
#define FOUND   7    /* of them, that are asked for */
#define MANY    16

struct auth auth;

static char dir[] = "/tmp/ided-unit-XXXXXX";

struct who {
	struct chan here, there;
	unsigned int rows, pages, oks, fails;
	uint64_t last;
	struct m_audit_page page;
};

static void
on_word(struct chan *c, struct msg *m)
{
	struct who *w = c->arg;

	switch (m->head.type) {
	case M_ROW_AUDIT:
		/* In order, each once. */
		assert_true(w->rows == 0 || MSG_DATA(m, m_audit)->seq < w->last);
		w->last = MSG_DATA(m, m_audit)->seq;
		w->rows++;
		break;
	case M_ROW_AUDIT_PAGE:
		w->page = *MSG_DATA(m, m_audit_page);
		w->pages++;
		break;
	case M_OK:
		w->oks++;
		break;
	default:
		w->fails++;
	}
}

static const struct chan_handler handlers[] = { { M_ROW_AUDIT, on_word },
	{ M_ROW_AUDIT_PAGE, on_word }, { M_OK, on_word }, { M_FAIL, on_word },
	{ M_NONE, NULL } };

static void
gone(struct chan *c, const char *why)
{
	(void)c;
	fail_msg("the channel closed: %s", why != NULL ? why : "");
}

static void
who_open(struct who *w)
{
	static const struct chan_handler none[] = { { M_NONE, NULL } };
	int fds[2];

	memset(w, 0, sizeof(*w));
	assert_int_equal(chan_pair(fds), 0);
	chan_init(&w->here, fds[0], P_AUTH, P_WORKER, auth.base, none, gone, w);
	chan_init(&w->there, fds[1], P_WORKER, P_AUTH, auth.base, handlers, gone, w);
	w->there.state = S_ANY;
}

static void
who_close(struct who *w)
{
	chan_close(&w->here);
	chan_close(&w->there);
}

static void
query(struct who *w, const char *text, uint32_t limit)
{
	struct m_audit_query q;

	memset(&q, 0, sizeof(q));
	strlcpy(q.text, text, sizeof(q.text));
	q.limit = limit;
	audit_query(&w->here, 1, &q, w, "root", "", NULL);
}

static void
wait_for(struct who *w, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		while (w[i].oks + w[i].fails == 0)
			event_base_loop(auth.base, EVLOOP_ONCE);
}

/* Calls of read(2) and the like: a record that is looked at takes one. */
static uint64_t
reads(void)
{
	char line[128];
	uint64_t n = 0;
	FILE *fp;

	assert_non_null(fp = fopen("/proc/self/io", "re"));
	while (fgets(line, sizeof(line), fp) != NULL)
		(void)sscanf(line, "syscr: %lu", &n);
	fclose(fp);
	return n;
}

static int
setup(void **state)
{
	(void)state;
	log_init("test", STDERR_FILENO, 0, LOG_WARNING, false);
	assert_non_null(mkdtemp(dir));
	assert_non_null(auth.base = event_base_new());
	auth.conf.audit.store = 1;
	auth.isolation.closed = auth.master.closed = auth.keys.closed = true;
	audit_prepare(dir);
	audit_config();
	assert_non_null(audit_trail());
	for (unsigned int i = 0; i < RECORDS; i++) {
		assert_true(audit_event(AUDIT_LOGOUT,
		    LOG_S("user", i % (RECORDS / FOUND) == 5 ? "needle" : "ann"),
		    LOG_S("actor", "ann")));
		if (i % 500 == 0)
			audit_flush();
	}
	audit_flush();
	return 0;
}

static int
rm(const char *path, const struct stat *st, int type, struct FTW *f)
{
	(void)st;
	(void)type;
	(void)f;
	return remove(path);
}

static int
teardown(void **state)
{
	(void)state;
	audit_close("test");
	return nftw(dir, rm, 8, FTW_DEPTH | FTW_PHYS);
}

static void
test_once(void **state)
{
	static struct who w[MANY];
	uint64_t one, many, apart;
	char text[32];

	(void)state;
	who_open(&w[0]);
	one = reads();
	query(&w[0], "needle", 0);
	wait_for(w, 1);
	one = reads() - one;
	assert_int_equal(w[0].pages, 1);
	assert_true(w[0].rows >= FOUND);
	assert_true(one > RECORDS);
	who_close(&w[0]);

	for (int i = 0; i < MANY; i++)
		who_open(&w[i]);
	many = reads();
	for (int i = 0; i < MANY; i++)
		query(&w[i], "needle", 0);
	wait_for(w, MANY);
	many = reads() - many;
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(w[i].pages, 1);
		assert_int_equal(w[i].rows, w[0].rows);
		assert_int_equal(w[i].page.rows, w[i].rows);
		assert_int_equal(w[i].page.end, 1);
		who_close(&w[i]);
	}
	assert_true(many < 2 * one);

	/* Other words are another question. */
	for (int i = 0; i < 4; i++)
		who_open(&w[i]);
	apart = reads();
	for (int i = 0; i < 4; i++) {
		snprintf(text, sizeof(text), "nobody-%d", i);
		query(&w[i], text, 0);
	}
	wait_for(w, 4);
	apart = reads() - apart;
	assert_true(apart > 3 * one);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(w[i].rows, 1); /* that it was asked for */
		who_close(&w[i]);
	}
}

/* One ends, one asks for less, one asks when something has come. */
static void
test_apart(void **state)
{
	static struct who w[4];

	(void)state;
	for (int i = 0; i < 4; i++)
		who_open(&w[i]);
	query(&w[0], "needle", 0);
	query(&w[1], "needle", 0);
	query(&w[2], "needle", 3);
	audit_query_forget(&w[0]);
	assert_true(
	    audit_event(AUDIT_LOGOUT, LOG_S("user", "needle"), LOG_S("actor", "late")));
	query(&w[3], "needle", 0);
	wait_for(w + 1, 3);
	assert_int_equal(w[0].oks, 0);
	assert_int_equal(w[2].rows, 3);
	assert_int_equal(w[2].page.end, 0);
	assert_true(w[2].page.cursor[0] != '\0');
	/* What had happened before it was asked is there. */
	assert_true(w[3].rows > w[1].rows);
	for (int i = 0; i < 4; i++)
		who_close(&w[i]);
}

/* One who reads nothing holds up nobody, and is not forgotten. */
static void
test_slow(void **state)
{
	static struct who w[3];

	(void)state;
	for (int i = 0; i < 3; i++)
		who_open(&w[i]);
	chan_pause(&w[0].there, true);
	for (int i = 0; i < 3; i++)
		query(&w[i], "ann", 1000);
	wait_for(w + 1, 2);
	assert_int_equal(w[1].rows, 1000);
	assert_int_equal(w[2].rows, 1000);
	assert_int_equal(w[0].oks, 0);
	chan_pause(&w[0].there, false);
	wait_for(w, 1);
	assert_int_equal(w[0].rows, 1000);
	assert_int_equal(w[0].last, w[1].last);
	assert_string_equal(w[0].page.cursor, w[1].page.cursor);
	for (int i = 0; i < 3; i++)
		who_close(&w[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_once),
		cmocka_unit_test(test_apart),
		cmocka_unit_test(test_slow),
	};

	if (access("/proc/self/io", R_OK) == -1) {
		printf("SKIP: this kernel does not count a process's reads\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, setup, teardown);
}
