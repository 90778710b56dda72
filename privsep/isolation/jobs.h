/*
 * What takes long and is not to hold up isolation: done in a child of its own,
 * which has none of isolation's channels.  Who asked is told when it has ended.
 */
#ifndef ISOLATION_JOBS_H
#define ISOLATION_JOBS_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JOB_ANSWER 512 /* largest answer, in bytes: one write to a pipe */
#define JOB_FDS    8

struct job {
	const char *name; /* shown by ps(1) as ided-<name> */
	bool low;         /* behind everything else */
	int fd[JOB_FDS];  /* kept open besides the log; they stay the caller's */
	unsigned int nfd;
	const int *more; /* and these, until it has been started */
	unsigned int nmore;
	/* In the child: arg is its own copy of the caller's memory.  It fills in
	 * the answer, of len bytes; 0, or an errno value. */
	int (*run)(void *arg, void *answer);
	void *arg;
	size_t len;
	/* In isolation, once: error is 0, what run returned, or EINTR when the child
	 * was killed, and then there is no answer. */
	void (*done)(void *owner, int error, const void *answer);
	void *owner;
};

/* 0, or -1 with errno, and then done is not called.  The job is copied. */
int job_start(const struct job *job);
/* No more for that owner: jobs go on, and nobody is told. */
void job_forget(const void *owner);
bool job_reap(pid_t pid, int status);

/* All others from 3 on are closed; the list is sorted. */
int fds_keep(int fd[], unsigned int n);

#endif
