/* What isolation lets become a name and a home. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/stat.h>
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "privsep/isolation/sandbox_steps.h"

#define UID   345678
#define OTHER 345679

static char dir[] = "/tmp/home_test.XXXXXX";
static int homes = -1;
static const struct home_new bare; /* without a skeleton */

static void
need_root(void)
{
	if (geteuid() != 0) {
		print_message("SKIPPED: only root can make homes\n");
		skip();
	}
}

/* Names. */

static void
test_names(void **state)
{
	static const char *const good[] = { "a", "alice", "a1", "a-b", "a_b", "a.b",
		"z9.-_", "abcdefghijklmnopqrstuvwxyzabcdef" };
	static const char *const bad[] = { "", ".", "..", "...", ".a", "-a", "_a", "1a",
		"A", "Alice", "aB", "a/b", "/a", "../a", "a b", "a\n", "a\tb", "a:b",
		"a;b", "a$b", "a%b", "a\\b", "a'b", "a\"b", "a*", "\303\244", "a\177",
		"a\001", ".new-1", "abcdefghijklmnopqrstuvwxyzabcdefg" };
	char name[WIRE_NAME + 8];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		memset(name, 0, sizeof(name));
		strcpy(name, good[i]);
		assert_true(user_name_ok(name));
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		memset(name, 0, sizeof(name));
		strcpy(name, bad[i]);
		if (user_name_ok(name))
			fail_msg("\"%s\" was accepted", bad[i]);
	}
	/* Not terminated within its field. */
	memset(name, 'a', sizeof(name));
	assert_false(user_name_ok(name));
}

/* Homes. */

static int
setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/home_test.XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	homes = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return homes == -1 ? -1 : 0;
}

static int
teardown(void **state)
{
	char cmd[64];

	(void)state;
	close(homes);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	return system(cmd);
}

static void
test_new(void **state)
{
	static const char *const folders[] = { "data", "settings", "extensions",
		"workspaces", "logs" };
	struct m_fail f;
	struct stat st;
	size_t i;
	int fd;

	(void)state;
	need_root();
	umask(0);
	fd = home_open(homes, "alice", UID, &bare, &f);
	assert_int_not_equal(fd, -1);
	assert_int_equal(home_folders(fd, "alice", UID, &f), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_uid, UID);
	assert_int_equal(st.st_gid, UID);
	assert_int_equal(st.st_mode & 07777, 0700);
	for (i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		assert_int_equal(fstatat(fd, folders[i], &st, AT_SYMLINK_NOFOLLOW), 0);
		assert_true(S_ISDIR(st.st_mode));
		assert_int_equal(st.st_uid, UID);
		assert_int_equal(st.st_mode & 07777, 0700);
	}
	close(fd);
	/* The second time all of it is there. */
	fd = home_open(homes, "alice", UID, &bare, &f);
	assert_int_not_equal(fd, -1);
	assert_int_equal(home_folders(fd, "alice", UID, &f), 0);
	close(fd);
	assert_int_equal(geteuid(), 0);
}

/* What a start that was killed left is no home, and in nobody's way. */
static void
test_half_made(void **state)
{
	struct m_fail f;
	char fresh[32];
	int fd;

	(void)state;
	need_root();
	snprintf(fresh, sizeof(fresh), ".new-%u", UID);
	assert_int_equal(mkdirat(homes, fresh, 0700), 0);
	fd = home_open(homes, "alice", UID, &bare, &f);
	assert_int_not_equal(fd, -1);
	close(fd);
	assert_int_equal(faccessat(homes, fresh, F_OK, 0), -1);
}

enum what {
	SYMLINK,
	SYMLINK_OUT,
	DANGLING,
	FIFO,
	FILE_,
	FOREIGN,
	OPEN_TO_ALL,
};

static void
put(int at, const char *name, enum what what)
{
	int fd;

	switch (what) {
	case SYMLINK:
		assert_int_equal(mkdirat(at, "target", 0700), 0);
		assert_int_equal(fchownat(at, "target", UID, UID, 0), 0);
		assert_int_equal(symlinkat("target", at, name), 0);
		break;
	case SYMLINK_OUT:
		assert_int_equal(symlinkat("/etc", at, name), 0);
		break;
	case DANGLING:
		assert_int_equal(symlinkat("/nonexistent/x", at, name), 0);
		break;
	case FIFO:
		assert_int_equal(mkfifoat(at, name, 0600), 0);
		assert_int_equal(fchownat(at, name, UID, UID, 0), 0);
		break;
	case FILE_:
		fd = openat(at, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		assert_int_not_equal(fd, -1);
		close(fd);
		break;
	case FOREIGN:
		assert_int_equal(mkdirat(at, name, 0700), 0);
		assert_int_equal(fchownat(at, name, OTHER, OTHER, 0), 0);
		break;
	case OPEN_TO_ALL:
		assert_int_equal(mkdirat(at, name, 0700), 0);
		assert_int_equal(fchownat(at, name, UID, UID, 0), 0);
		assert_int_equal(fchmodat(at, name, 0777, 0), 0);
		break;
	}
}

static const struct {
	enum what what;
	const char *says;
} refused[] = {
	{ SYMLINK, "symbolic link" },
	{ SYMLINK_OUT, "symbolic link" },
	{ DANGLING, "symbolic link" },
	{ FIFO, "is no folder" },
	{ FILE_, "is no folder" },
	{ FOREIGN, "belongs to" },
	{ OPEN_TO_ALL, "written to by others" },
};

static void
test_home_refused(void **state)
{
	struct stat before, after;
	struct m_fail f;
	char name[16];
	size_t i;

	(void)state;
	need_root();
	umask(0);
	for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		snprintf(name, sizeof(name), "u%zu", i);
		put(homes, name, refused[i].what);
		assert_int_equal(fstatat(homes, name, &before, AT_SYMLINK_NOFOLLOW), 0);
		memset(&f, 0, sizeof(f));
		assert_int_equal(home_open(homes, name, UID, &bare, &f), -1);
		if (strstr(f.text, refused[i].says) == NULL)
			fail_msg("%s: \"%s\"", refused[i].says, f.text);
		assert_int_equal(fstatat(homes, name, &after, AT_SYMLINK_NOFOLLOW), 0);
		assert_int_equal(before.st_ino, after.st_ino);
		assert_int_equal(before.st_uid, after.st_uid);
		assert_int_equal(before.st_mode, after.st_mode);
		assert_int_equal(before.st_ctime, after.st_ctime);
	}
}

/* A home whose folders are not as they must be is left as it is. */
static void
test_folder_refused(void **state)
{
	struct m_fail f;
	char name[16];
	size_t i;
	int fd;

	(void)state;
	need_root();
	umask(0);
	for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		if (refused[i].what == OPEN_TO_ALL)
			continue; /* inside, that is the user's own business */
		snprintf(name, sizeof(name), "v%zu", i);
		fd = home_open(homes, name, UID, &bare, &f);
		assert_int_not_equal(fd, -1);
		put(fd, "logs", refused[i].what);
		memset(&f, 0, sizeof(f));
		assert_int_equal(home_folders(fd, name, UID, &f), -1);
		assert_non_null(strstr(f.text, refused[i].says));
		assert_int_equal(faccessat(fd, "settings", F_OK, 0), -1);
		close(fd);
	}
	assert_int_equal(geteuid(), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test_setup_teardown(test_new, setup, teardown),
		cmocka_unit_test_setup_teardown(test_half_made, setup, teardown),
		cmocka_unit_test_setup_teardown(test_home_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_folder_refused, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
