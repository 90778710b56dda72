#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <bsd/sys/queue.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../log.h"
#include "jobs.h"
#include "sandbox_steps.h"

#define IOPRIO_WHO_PROCESS 1
#define IOPRIO_IDLE        (3 << 13)

struct running {
	TAILQ_ENTRY(running) entry;
	pid_t pid;
	int pipe;
	struct job job;
};

static TAILQ_HEAD(, running) jobs = TAILQ_HEAD_INITIALIZER(jobs);

static int
by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

int
fds_keep(int fd[], unsigned int n)
{
	unsigned int i;
	int from = STDERR_FILENO + 1;

	qsort(fd, n, sizeof(fd[0]), by_number);
	for (i = 0; i < n; i++) {
		if (fd[i] < from)
			continue; /* none (-1), or kept already */
		if (fd[i] > from && syscall(SYS_close_range, from, fd[i] - 1, 0) == -1)
			return -1;
		from = fd[i] + 1;
	}
	return (int)syscall(SYS_close_range, from, ~0U, 0);
}

static void
become(const struct job *job, int to)
{
	unsigned int n = 2 + job->nfd + job->nmore;
	int *keep = calloc(n, sizeof(keep[0]));
	char name[16];

	if (keep == NULL)
		_exit(255);
	keep[0] = log_get_fd();
	keep[1] = to;
	memcpy(keep + 2, job->fd, job->nfd * sizeof(keep[0]));
	if (job->nmore > 0)
		memcpy(keep + 2 + job->nfd, job->more, job->nmore * sizeof(keep[0]));
	if (fds_keep(keep, n) == -1)
		_exit(255);
	free(keep);
	signals_reset();
	snprintf(name, sizeof(name), "ided-%s", job->name);
	(void)prctl(PR_SET_NAME, name, 0, 0, 0);
	if (!job->low)
		return;
	(void)setpriority(PRIO_PROCESS, 0, 19);
	(void)syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_IDLE);
}

_Noreturn static void
child(const struct job *job, int to)
{
	union {
		uint64_t align;
		unsigned char bytes[JOB_ANSWER];
	} answer;
	int error;

	become(job, to);
	memset(&answer, 0, sizeof(answer));
	error = job->run(job->arg, answer.bytes);
	if (job->len > 0 && write(to, answer.bytes, job->len) != (ssize_t)job->len)
		_exit(255);
	_exit(error < 255 ? error : EIO);
}

int
job_start(const struct job *job)
{
	struct running *r;
	int fd[2], error;

	if (job->len > JOB_ANSWER || job->nfd > JOB_FDS) {
		errno = EINVAL;
		return -1;
	}
	r = calloc(1, sizeof(*r));
	if (r == NULL || pipe2(fd, O_CLOEXEC | O_NONBLOCK) == -1) {
		free(r);
		return -1;
	}
	r->pid = ns_clone(0, -1, NULL);
	if (r->pid == 0)
		child(job, fd[1]);
	error = errno;
	close(fd[1]);
	if (r->pid == -1) {
		close(fd[0]);
		free(r);
		errno = error;
		return -1;
	}
	r->pipe = fd[0];
	r->job = *job;
	TAILQ_INSERT_TAIL(&jobs, r, entry);
	return 0;
}

void
job_forget(const void *owner)
{
	struct running *r;

	TAILQ_FOREACH(r, &jobs, entry)
		if (r->job.owner == owner)
			r->job.done = NULL;
}

bool
job_reap(pid_t pid, int status)
{
	union {
		uint64_t align;
		unsigned char bytes[JOB_ANSWER];
	} answer;
	struct running *r;
	int error = EINTR;

	TAILQ_FOREACH(r, &jobs, entry)
		if (r->pid == pid)
			break;
	if (r == NULL)
		return false;
	TAILQ_REMOVE(&jobs, r, entry);
	memset(&answer, 0, sizeof(answer));
	/* It has ended: what it wrote is there, or will never be. */
	if (WIFEXITED(status) && WEXITSTATUS(status) != 255 &&
	    (r->job.len == 0 ||
		read(r->pipe, answer.bytes, r->job.len) == (ssize_t)r->job.len))
		error = WEXITSTATUS(status);
	close(r->pipe);
	if (r->job.done != NULL)
		r->job.done(r->job.owner, error, error == EINTR ? NULL : answer.bytes);
	free(r);
	return true;
}
