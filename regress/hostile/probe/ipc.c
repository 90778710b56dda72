/* Shared memory, queues and terminals. */
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <linux/tiocl.h>

#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "probe.h"

static void
q_shm(char **arg)
{
	result(shmget((key_t)strtol(arg[1], NULL, 0), 1, 0));
}

static void
q_queue(char **arg)
{
	mqd_t q = mq_open(arg[1], O_RDONLY);

	result(q == (mqd_t)-1 ? -1 : 0);
	if (q != (mqd_t)-1)
		mq_close(q);
}

/* Type into one's own terminal, as a program that wants to escape from its
 * caller's sandbox does. */
static void
q_terminal(char **arg)
{
	unsigned long request = strtoul(arg[1], NULL, 0);
	char *name, c = 'x', sub[2] = { 3, 0 };
	int master, slave, status, error;
	pid_t pid;

	master = posix_openpt(O_RDWR | O_NOCTTY);
	if (master == -1 || unlockpt(master) == -1 || (name = ptsname(master)) == NULL) {
		result(-1);
		return;
	}
	pid = fork();
	if (pid == 0) {
		setsid();
		slave = open(name, O_RDWR);
		if (slave == -1)
			_exit(errno);
		error = syscall(SYS_ioctl, slave, request,
			    (request & 0xffffffff) == TIOCLINUX ? sub : &c) == -1 ?
		    errno :
		    0;
		_exit(error);
	}
	(void)waitpid(pid, &status, 0);
	close(master);
	errno = WEXITSTATUS(status);
	result(errno == 0 ? 0 : -1);
}

static void
q_semaphore(char **arg)
{
	result(semget((key_t)strtol(arg[1], NULL, 0), 1, 0));
}

const struct question ipc_questions[] = {
	{ "shm", q_shm },
	{ "semaphore", q_semaphore },
	{ "queue", q_queue },
	{ "terminal", q_terminal },
	{ NULL, NULL },
};
