/*
 * The audit trail to syslog: what was recorded comes whole and in order, nothing of it
 * before it is on the disk, and a service that is slow or away costs no more than the
 * queue; what it loses is counted.
 */
#include "store_helper.h"

#include <sys/socket.h>
#include <sys/un.h>

#include "../../privsep/audit_record.h"
#include "../../privsep/auth/audit_syslog.h"
#include "../../privsep/auth/auth.h"
#include "../../privsep/hex.h"

struct auth auth;

static char line[AUDIT_LINE_MAX + 1];
static char got[AUDIT_LINE_MAX];
static int service;

static struct m_audit
record(uint64_t seq, const char *agent)
{
	struct m_audit r;

	memset(&r, 0, sizeof(r));
	r.seq = seq;
	r.time = 1700000000000;
	strlcpy(r.event, "login.ok", sizeof(r.event));
	strlcpy(r.outcome, "ok", sizeof(r.outcome));
	strlcpy(r.agent, agent, sizeof(r.agent));
	return r;
}

static void
add(uint64_t seq, const char *agent)
{
	struct m_audit r = record(seq, agent);
	size_t len = audit_line(&r, line);

	line[len] = '\0';
	audit_syslog_add(LOG_INFO, &r, line, len);
}

static void
loop(void)
{
	event_base_loop(auth.base, EVLOOP_NONBLOCK);
}

/* A service with a socket for auth. */
static void
begin(void)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, fds), 0);
	service = fds[1];
	audit_syslog_config(true, LOG_LOCAL3 >> 3);
	audit_syslog_take(fds[0]);
}

static void
end(void)
{
	audit_syslog_close();
	close(service);
	assert_int_equal(audit_syslog_lost(), 0);
}

static bool
take(void)
{
	ssize_t n = recv(service, got, sizeof(got) - 1, MSG_DONTWAIT);

	got[n > 0 ? n : 0] = '\0';
	return n > 0;
}

static uint64_t
seq_of(void)
{
	const char *p = strstr(got, "\"seq\":");

	assert_non_null(p);
	return strtoull(p + 6, NULL, 10);
}

static void
test_line(void **state)
{
	char want[AUDIT_LINE_MAX + 64];

	(void)state;
	begin();
	add(1, "a");
	assert_false(take());
	audit_syslog_durable();
	snprintf(want, sizeof(want), "<158>ided-audit[%d]: %s", (int)getpid(), line);
	assert_true(take());
	assert_string_equal(got, want);
	assert_false(take());
	end();
}

/* Longer than services take: who reads it is led to the trail. */
static void
test_long(void **state)
{
	struct m_audit r = record(7, "");
	char value[256], hash[AUDIT_HEX + 1];
	size_t len;

	(void)state;
	memset(value, 1, sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	while (audit_detail(&r, "text", 's', value))
		;
	memset(r.agent, 1, sizeof(r.agent) - 1);
	memset(r.user, 1, sizeof(r.user) - 1);
	len = audit_line(&r, line);
	assert_true(len > 8192);
	begin();
	audit_syslog_add(LOG_INFO, &r, line, len);
	audit_syslog_durable();
	assert_true(take());
	hex_put(hash, r.hash, sizeof(r.hash));
	assert_non_null(strstr(got, hash));
	assert_int_equal(seq_of(), 7);
	assert_true(strlen(got) < 512 && got[strlen(got) - 1] == '}');
	end();
}

/* It reads nothing: nobody waits, the first ones are kept, the others counted. */
static void
test_slow(void **state)
{
	enum { MANY = 20000 };
	uint64_t seq, lost, last = 0, n = 0;

	(void)state;
	begin();
	for (seq = 1; seq <= MANY; seq++) {
		add(seq, "a");
		audit_syslog_durable();
	}
	lost = audit_syslog_lost();
	assert_true(lost > 0 && lost < MANY - 1000);
	do {
		while (take()) {
			assert_int_equal(seq_of(), last + 1);
			last++;
			n++;
		}
		loop();
	} while (take() ? (last++, n++, true) : false);
	assert_int_equal(n + lost, MANY);
	/* There is room again. */
	add(MANY + 1, "b");
	audit_syslog_durable();
	assert_true(take());
	assert_int_equal(seq_of(), MANY + 1);
	end();
}

/* It goes away, and another one comes. */
static void
test_away(void **state)
{
	int fds[2];

	(void)state;
	begin();
	close(service);
	add(1, "a");
	audit_syslog_durable();
	add(2, "a");
	audit_syslog_durable();
	assert_int_equal(audit_syslog_lost(), 0);
	assert_false(audit_syslog_tick()); /* not yet: it was configured just now */
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, fds), 0);
	service = fds[1];
	audit_syslog_take(fds[0]);
	assert_true(take());
	assert_int_equal(seq_of(), 1);
	assert_true(take());
	assert_int_equal(seq_of(), 2);
	assert_false(take());
	end();
}

/* Not asked for: a socket that comes all the same is closed. */
static void
test_off(void **state)
{
	int fds[2];

	(void)state;
	audit_syslog_config(false, 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds), 0);
	audit_syslog_take(fds[0]);
	assert_int_equal(send(fds[1], "x", 1, MSG_NOSIGNAL), -1);
	add(1, "a");
	audit_syslog_durable();
	assert_false(audit_syslog_tick());
	assert_int_equal(audit_syslog_lost(), 0);
	close(fds[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_slow),
		cmocka_unit_test(test_away),
		cmocka_unit_test(test_off),
	};
	int r;

	if ((auth.base = event_base_new()) == NULL)
		return 1;
	r = cmocka_run_group_tests(tests, NULL, NULL);
	event_base_free(auth.base);
	return r;
}
