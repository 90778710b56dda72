/* What the zygote and the worker forked from it share. */
#ifndef WORKER_ZYGOTE_H
#define WORKER_ZYGOTE_H

/* The worker's root, opened by worker_prepare(); the one descriptor that openat(2)
 * is allowed to start from. */
#define FD_STATIC 5

#endif
