/*
 * Trees of files as users make them: copied without losing anything, copied as
 * a skeleton, counted, and removed, and nothing followed out of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "privsep/isolation/tree.h"

#define UID 345678

static char dir[64];
static int top, from, to;

static const struct tree_rules all = { .skeleton = false };
static const struct tree_rules skeleton = {
	.skeleton = true, .uid = UID, .max_bytes = 4096, .max_files = 20
};

static int
setup(void **state)
{
	(void)state;
	umask(0);
	strcpy(dir, "/tmp/tree_test.XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	top = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (mkdirat(top, "from", 0700) == -1 || mkdirat(top, "to", 0700) == -1)
		return -1;
	from = tree_open(top, "from");
	to = tree_open(top, "to");
	return from == -1 || to == -1 ? -1 : 0;
}

static int
teardown(void **state)
{
	char cmd[80];

	(void)state;
	close(from);
	close(to);
	close(top);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	return system(cmd);
}

static void
need_root(void)
{
	if (geteuid() != 0) {
		print_message("SKIPPED: only root can give files away\n");
		skip();
	}
}

static void
put(int at, const char *name, const char *text, mode_t mode)
{
	int fd = openat(at, name, O_WRONLY | O_CREAT | O_EXCL, 0600);

	assert_int_not_equal(fd, -1);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void
get(int at, const char *name, const char *want)
{
	char buf[128];
	int fd = openat(at, name, O_RDONLY | O_NOFOLLOW);
	ssize_t n;

	assert_int_not_equal(fd, -1);
	n = read(fd, buf, sizeof(buf) - 1);
	assert_true(n >= 0);
	buf[n] = '\0';
	assert_string_equal(buf, want);
	close(fd);
}

/* Folders in folders; the deepest one stays open. */
static int
nest(int at, unsigned int depth)
{
	int fd = dup(at), next;

	for (; depth > 0; depth--) {
		assert_int_equal(mkdirat(fd, "d", 0755), 0);
		next = openat(fd, "d", O_RDONLY | O_DIRECTORY);
		assert_int_not_equal(next, -1);
		close(fd);
		fd = next;
	}
	return fd;
}

static bool
there(int at, const char *name)
{
	struct stat st;

	return fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* All that a user can make in a home. */
static void
test_copy(void **state)
{
	static const char *const names[] = { "file", "s", "hole", "fifo", "link",
		"dangling", "none", "suid", "deep" };
	struct timespec old[2] = { { 1000000000, 123456789 }, { 1000000001, 987654321 } };
	struct tree_report r;
	struct stat a, b;
	char buf[32];
	size_t i;
	int fd;

	(void)state;
	need_root();
	put(from, "file", "text", 0640);
	put(from, "a\nb \033[1m\351", "odd", 0600);
	put(from, ".ided-links-0", "of the user's own", 0600);
	assert_int_equal(linkat(from, "file", from, "second", 0), 0);
	assert_int_equal(mkdirat(from, "s", 0700), 0);
	assert_int_equal(fchownat(from, "s", UID, UID, 0), 0);
	assert_int_equal(fchmodat(from, "s", 02775, 0), 0);
	assert_int_equal(linkat(from, "file", from, "s/third", 0), 0);
	assert_int_equal(mkfifoat(from, "fifo", 0622), 0);
	assert_int_equal(mknodat(from, "socket", S_IFSOCK | 0711, 0), 0);
	assert_int_equal(mknodat(from, "none", S_IFCHR | 0600, 0), 0);
	assert_int_equal(symlinkat("/etc/passwd", from, "link"), 0);
	assert_int_equal(symlinkat("nowhere", from, "dangling"), 0);
	put(from, "suid", "x", 04755);
	fd = openat(from, "hole", O_RDWR | O_CREAT, 0600);
	assert_int_equal(pwrite(fd, "end", 3, 64 << 20), 3);
	assert_int_equal(ftruncate(fd, 128 << 20), 0);
	assert_int_equal(fsetxattr(fd, "user.colour", "red", 3, 0), 0);
	close(fd);
	fd = nest(from, 300);
	put(fd, "deep", "down", 0600);
	close(fd);
	put(from, "deep", "", 0600);
	assert_int_equal(utimensat(from, "s", old, 0), 0);
	assert_int_equal(utimensat(from, "link", old, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(futimens(from, old), 0);

	if (tree_copy(from, to, &all, &r) == -1)
		fail_msg("%s: %s", r.path, r.why);
	assert_int_equal(tree_same(from, to, NULL, &r), 0);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_int_equal(fstatat(from, names[i], &a, AT_SYMLINK_NOFOLLOW), 0);
		assert_int_equal(fstatat(to, names[i], &b, AT_SYMLINK_NOFOLLOW), 0);
		assert_int_equal(a.st_mode, b.st_mode);
		assert_int_equal(a.st_uid, b.st_uid);
		assert_int_equal(a.st_size, b.st_size);
		assert_int_equal(a.st_nlink, b.st_nlink);
		assert_int_equal(a.st_mtim.tv_sec, b.st_mtim.tv_sec);
		assert_int_equal(a.st_mtim.tv_nsec, b.st_mtim.tv_nsec);
	}
	assert_int_equal(fstatat(to, "s/third", &a, 0), 0);
	assert_int_equal(fstatat(to, "second", &b, 0), 0);
	assert_int_equal(a.st_ino, b.st_ino);
	assert_int_equal(a.st_nlink, 3);
	assert_int_equal(fstatat(to, "hole", &a, 0), 0);
	assert_true(a.st_blocks * 512 < 1 << 20);
	fd = openat(to, "hole", O_RDONLY);
	assert_int_equal(pread(fd, buf, 3, 64 << 20), 3);
	assert_memory_equal(buf, "end", 3);
	assert_int_equal(fgetxattr(fd, "user.colour", buf, sizeof(buf)), 3);
	close(fd);
	get(to, "file", "text");
	get(to, "a\nb \033[1m\351", "odd");
	get(to, ".ided-links-0", "of the user's own");
	assert_int_equal(readlinkat(to, "link", buf, sizeof(buf)), 11);
	assert_int_equal(fstat(to, &b), 0);
	assert_int_equal(b.st_mtim.tv_sec, old[1].tv_sec);

	/* What is not the same is found. */
	put(from, "more", "", 0600);
	assert_int_equal(tree_same(from, to, NULL, &r), -1);
	assert_string_equal(r.path, "more");
	assert_int_equal(unlinkat(from, "more", 0), 0);
	assert_int_equal(fchmodat(to, "s", 0700, 0), 0);
	assert_int_equal(tree_same(from, to, NULL, &r), -1);
	assert_string_equal(r.path, "s");
}

/* Named, and nothing half is taken for whole. */
static void
test_refused(void **state)
{
	struct tree_report r;
	int fd;

	(void)state;
	need_root();
	assert_int_equal(mkdirat(from, "x", 0700), 0);
	assert_int_equal(mknodat(from, "x/\033dev", S_IFCHR | 0600, 0x103), 0);
	assert_int_equal(tree_copy(from, to, &all, &r), -1);
	assert_string_equal(r.path, "x/?dev");
	assert_string_equal(r.why, "is a device: remove it");
	assert_int_equal(unlinkat(from, "x/\033dev", 0), 0);
	assert_int_equal(tree_remove(top, "to"), 0);
	assert_int_equal(mkdirat(top, "to", 0700), 0);
	close(to);
	to = tree_open(top, "to");
	fd = nest(from, 500);
	close(fd);
	assert_int_equal(tree_copy(from, to, &all, &r), -1);
	assert_string_equal(r.why, "folders are nested too deeply: move it up");
}

static void
test_skeleton(void **state)
{
	struct tree_report r;
	struct stat st;
	char buf[32];

	(void)state;
	need_root();
	put(from, "run", "#!", 0755);
	put(from, "text", "t", 0444);
	put(from, "suid", "t", 06644);
	assert_int_equal(mkdirat(from, "s", 0755), 0);
	put(from, "s/inner", "i", 0666);
	assert_int_equal(symlinkat("/etc/shadow", from, "link"), 0);
	assert_int_equal(linkat(from, "text", from, "again", 0), 0);
	assert_int_equal(tree_check(from, &skeleton, &r), 0);
	assert_int_equal(r.files, 7);
	if (tree_copy(from, to, &skeleton, &r) == -1)
		fail_msg("%s: %s", r.path, r.why);
	assert_int_equal(fstatat(to, "run", &st, 0), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0700);
	assert_int_equal(st.st_uid, UID);
	assert_int_equal(st.st_gid, UID);
	assert_int_equal(fstatat(to, "text", &st, 0), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0600);
	assert_int_equal(st.st_nlink, 1);
	assert_int_equal(fstatat(to, "suid", &st, 0), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0600);
	assert_int_equal(fstatat(to, "s", &st, 0), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0700);
	assert_int_equal(fstatat(to, "s/inner", &st, 0), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0600);
	assert_int_equal(fstatat(to, "link", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(st.st_uid, UID);
	assert_int_equal(readlinkat(to, "link", buf, sizeof(buf)), 11);
	/* Not what it points to. */
	assert_true(S_ISLNK(st.st_mode));
}

static void
test_skeleton_bad(void **state)
{
	struct tree_rules few = skeleton;
	struct tree_report r;

	(void)state;
	need_root();
	assert_int_equal(mkdirat(from, "s", 0755), 0);
	assert_int_equal(mkfifoat(from, "s/pipe", 0600), 0);
	assert_int_equal(tree_check(from, &skeleton, &r), -1);
	assert_string_equal(r.path, "s/pipe");
	assert_string_equal(r.why, "is no file, folder or symbolic link: remove it");
	assert_int_equal(tree_copy(from, to, &skeleton, &r), -1);
	assert_string_equal(r.path, "s/pipe");
	assert_int_equal(unlinkat(from, "s/pipe", 0), 0);
	put(from, "s/big", "", 0600);
	assert_int_equal(
	    truncate(strcat(strcpy((char[128]){ 0 }, dir), "/from/s/big"), 4097), 0);
	assert_int_equal(tree_check(from, &skeleton, &r), -1);
	assert_string_equal(r.path, "s/big");
	assert_string_equal(r.why, "more than 4096 bytes with this one");
	few.max_bytes = 1 << 20;
	few.max_files = 1;
	assert_int_equal(tree_check(from, &few, &r), -1);
	assert_string_equal(r.why, "more than 1 files");
}

/* Links lead nowhere, and depth is no matter. */
static void
test_remove(void **state)
{
	struct stat st;
	int fd;

	(void)state;
	put(to, "kept", "outside", 0600);
	assert_int_equal(symlinkat("../to", from, "folder"), 0);
	assert_int_equal(symlinkat("../to/kept", from, "file"), 0);
	assert_int_equal(mkfifoat(from, "fifo", 0600), 0);
	assert_int_equal(mkdirat(from, "0", 0700), 0);
	put(from, "0/1", "", 0600);
	assert_int_equal(mkdirat(from, "1", 0000), 0);
	put(from, "2", "", 0000);
	fd = nest(from, 3000);
	put(fd, "x", "", 0600);
	assert_int_equal(mkdirat(fd, "0", 0700), 0);
	put(fd, "0/0", "", 0600);
	close(fd);
	assert_int_equal(tree_remove(top, "from"), 0);
	assert_int_equal(fstatat(top, "from", &st, AT_SYMLINK_NOFOLLOW), -1);
	get(to, "kept", "outside");
	/* A link itself goes, and what is not there is gone. */
	assert_int_equal(symlinkat("to", top, "l"), 0);
	assert_int_equal(tree_remove(top, "l"), 0);
	assert_false(there(top, "l"));
	assert_true(there(to, "kept"));
	assert_int_equal(tree_remove(top, "from"), 0);
}

/* What somebody mounted in a home is not the home's: no step goes into it. */
static void
test_mount(void **state)
{
	struct tree_report r;
	char path[80];

	(void)state;
	if (geteuid() != 0 || unshare(CLONE_NEWNS) == -1 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == -1) {
		print_message("SKIPPED: only root can mount\n");
		skip();
	}
	/* Descriptors see the namespace that they were opened in. */
	close(from);
	close(top);
	top = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	from = tree_open(top, "from");
	assert_int_not_equal(from, -1);
	assert_int_equal(mkdirat(from, "m", 0700), 0);
	put(from, "file", "text", 0600);
	snprintf(path, sizeof(path), "%s/from/m", dir);
	assert_int_equal(mount("x", path, "tmpfs", 0, "size=1m"), 0);
	put(from, "m/inside", "kept", 0600);
	assert_int_equal(tree_copy(from, to, &all, &r), -1);
	assert_string_equal(r.path, "m");
	assert_string_equal(r.why, "is a mount: unmount it");
	assert_int_equal(tree_count(from, 0, &r), 0);
	assert_int_equal(r.files, 2); /* the file and the top */
	assert_int_equal(tree_remove(top, "from"), -1);
	get(from, "m/inside", "kept");
	assert_int_equal(umount(path), 0);
}

static void
test_count(void **state)
{
	struct tree_report r, again;
	struct stat st;
	char name[32];
	unsigned int i;
	uint64_t want = 0;
	int fd;

	(void)state;
	fd = openat(from, "data", O_WRONLY | O_CREAT, 0600);
	for (i = 0; i < 64; i++)
		assert_int_equal(write(fd, (char[4096]){ 1 }, 4096), 4096);
	assert_int_equal(fsync(fd), 0);
	assert_int_equal(fstat(fd, &st), 0);
	want += (uint64_t)st.st_blocks * 512;
	close(fd);
	for (i = 0; i < 6; i++) {
		snprintf(name, sizeof(name), "link%u", i);
		assert_int_equal(linkat(from, "data", from, name, 0), 0);
	}
	assert_int_equal(symlinkat("/", from, "root"), 0);
	fd = nest(from, 20);
	assert_int_equal(fstatat(from, "d", &st, 0), 0);
	want += 21 * (uint64_t)st.st_blocks * 512;
	close(fd);
	assert_int_equal(tree_count(from, 0, &r), 0);
	assert_int_equal(r.files, 1 + 1 + 1 + 20);
	/* A seventh with each name, rounded down. */
	assert_true(r.bytes <= want && want - r.bytes < 7);
	assert_false(r.partial);
	assert_int_equal(tree_count(from, 100000, &again), 0);
	assert_int_equal(again.files, r.files);
	fd = nest(to, 400);
	close(fd);
	assert_int_equal(tree_count(to, 0, &r), 0);
	assert_true(r.partial);
	assert_true(r.files > 200);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_copy, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_skeleton, setup, teardown),
		cmocka_unit_test_setup_teardown(test_skeleton_bad, setup, teardown),
		cmocka_unit_test_setup_teardown(test_remove, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mount, setup, teardown),
		cmocka_unit_test_setup_teardown(test_count, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
