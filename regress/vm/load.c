/*
 * What a user does to a machine that others share, and what a program does that
 * trusts a disk.
 *
 *	load fds N		open descriptors, in several processes, until refused
 *	load spin N SECONDS	N busy processes
 *	load memory MB SECONDS	touch so much, and keep touching it
 *	load records FILE HOW	number after number into FILE: one is printed once
 *				it is written; HOW is sync, lazy (never synced) or
 *				unflushed (past the page cache, never flushed)
 */
#include <sys/mman.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BLOCK 4096

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Each process until it may have no more; what all had is what is printed. */
static int
fds(long want)
{
	long have = 0, n;
	int p[2], fd;
	pid_t pid;

	if (pipe(p) == -1)
		return 1;
	while (have < want) {
		pid = fork();
		if (pid == -1)
			break;
		if (pid == 0) {
			for (n = 0; have + n < want; n++)
				if ((fd = open("/dev/null", O_RDONLY)) == -1)
					break;
			(void)!write(p[1], &n, sizeof(n));
			pause();
		}
		if (read(p[0], &n, sizeof(n)) != sizeof(n) || n == 0)
			break;
		have += n;
	}
	printf("%ld %s\n", have, have >= want ? "ok" : strerrorname_np(errno));
	return 0;
}

static int
spin(long n, double seconds)
{
	double end = now() + seconds;

	while (n-- > 0)
		if (fork() == 0) {
			while (now() < end)
				;
			_exit(0);
		}
	while (wait(NULL) != -1)
		;
	return 0;
}

static int
memory(size_t mb, double seconds)
{
	double end = now() + seconds;
	size_t i, len = mb << 20;
	char *p;

	p = mmap(NULL, len, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED) {
		printf("%s\n", strerrorname_np(errno));
		return 1;
	}
	do {
		for (i = 0; i < len; i += BLOCK)
			p[i]++;
	} while (now() < end);
	printf("ok\n");
	return 0;
}

static int
records(const char *path, const char *how)
{
	bool direct = strcmp(how, "unflushed") == 0, sync = strcmp(how, "sync") == 0;
	char *block;
	long n;
	int fd;

	fd = open(path, O_WRONLY | O_CREAT | (direct ? O_DIRECT : 0), 0600);
	block = aligned_alloc(BLOCK, BLOCK);
	if (fd == -1 || block == NULL || posix_fallocate(fd, 0, 4096L * BLOCK) != 0 ||
	    fsync(fd) == -1) {
		perror(path);
		return 1;
	}
	for (n = 0; n < 4096; n++) {
		memset(block, 0, BLOCK);
		snprintf(block, BLOCK, "record %ld\n", n);
		if (pwrite(fd, block, BLOCK, n * BLOCK) != BLOCK ||
		    (sync && fdatasync(fd) == -1)) {
			perror(path);
			return 1;
		}
		printf("%ld\n", n);
		fflush(stdout);
		usleep(2000);
	}
	return 0;
}

int
main(int argc, char *argv[])
{
	if (argc == 3 && strcmp(argv[1], "fds") == 0)
		return fds(atol(argv[2]));
	if (argc == 4 && strcmp(argv[1], "spin") == 0)
		return spin(atol(argv[2]), atof(argv[3]));
	if (argc == 4 && strcmp(argv[1], "memory") == 0)
		return memory((size_t)atol(argv[2]), atof(argv[3]));
	if (argc == 4 && strcmp(argv[1], "records") == 0)
		return records(argv[2], argv[3]);
	fprintf(stderr,
	    "usage: load fds N | spin N SECONDS | memory MB SECONDS | "
	    "records FILE HOW\n");
	return 2;
}
