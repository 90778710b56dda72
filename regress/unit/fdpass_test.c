/* A descriptor beside a message, and what comes that should not. */
#include <sys/socket.h>

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../privsep/fdpass.h"

#define MANY 20 /* more than there is room for */

static int pair[2];

static int
setup(void **state)
{
	(void)state;
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair);
}

static int
teardown(void **state)
{
	(void)state;
	close(pair[0]);
	close(pair[1]);
	return 0;
}

static unsigned int
open_now(void)
{
	unsigned int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) != -1;
	return n;
}

/* As nobody of ours would: n of them at once. */
static void
send_many(size_t n)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int) * MANY)];
	} ctl;
	struct iovec iov = { (void *)(uintptr_t) "abc", 3 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *cm;

	memset(&ctl, 0, sizeof(ctl));
	m.msg_control = ctl.buf;
	m.msg_controllen = CMSG_SPACE(sizeof(int) * n);
	cm = CMSG_FIRSTHDR(&m);
	cm->cmsg_level = SOL_SOCKET;
	cm->cmsg_type = SCM_RIGHTS;
	cm->cmsg_len = CMSG_LEN(sizeof(int) * n);
	for (size_t i = 0; i < n; i++)
		memcpy(CMSG_DATA(cm) + i * sizeof(int), &pair[0], sizeof(int));
	assert_int_equal(sendmsg(pair[0], &m, 0), 3);
}

static ssize_t
receive(char buf[4], struct fdpass *got, int flags)
{
	struct iovec iov = { buf, 4 };

	return fdpass_recv(pair[1], &iov, 1, flags, got);
}

static void
test_one(void **state)
{
	const struct iovec iov = { (void *)(uintptr_t) "abc", 3 };
	struct fdpass got;
	char buf[4];

	(void)state;
	assert_int_equal(fdpass_send(pair[0], &iov, 1, -1, 0), 3);
	assert_int_equal(receive(buf, &got, 0), 3);
	assert_true(got.fd == -1 && got.sound && !got.cut);
	assert_memory_equal(buf, "abc", 3);

	assert_int_equal(fdpass_send(pair[0], &iov, 1, pair[0], 0), 3);
	assert_int_equal(receive(buf, &got, 0), 3);
	assert_true(got.fd > pair[0] && got.sound && !got.cut);
	assert_int_equal(fcntl(got.fd, F_GETFD), FD_CLOEXEC);
	close(got.fd);

	assert_int_equal(receive(buf, &got, MSG_DONTWAIT), -1);
	assert_true(got.fd == -1);
}

/* Two fit where one is asked for, by the alignment; twenty fit nowhere. */
static void
test_surplus(void **state)
{
	static const size_t many[] = { 2, 8, 9, MANY };
	unsigned int before = open_now();
	struct fdpass got;
	char buf[4];

	(void)state;
	for (size_t i = 0; i < sizeof(many) / sizeof(many[0]); i++) {
		send_many(many[i]);
		assert_int_equal(receive(buf, &got, 0), 3);
		assert_true(got.fd != -1);
		assert_false(got.sound);
		close(got.fd);
		assert_int_equal(open_now(), before);
	}
}

static void
test_cut(void **state)
{
	const struct iovec iov = { (void *)(uintptr_t) "abcde", 5 };
	struct fdpass got;
	char buf[4];

	(void)state;
	assert_int_equal(fdpass_send(pair[0], &iov, 1, -1, 0), 5);
	assert_int_equal(receive(buf, &got, 0), 4);
	assert_true(got.cut && got.sound);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_one, setup, teardown),
		cmocka_unit_test_setup_teardown(test_surplus, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cut, setup, teardown),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
