/* The memory that workers start with. */
#ifndef WORKER_HEAP_H
#define WORKER_HEAP_H

/* Zygote, once everything is ready: see heap.c. */
void heap_settle(void);
/* Worker, first of all. */
void heap_worker(void);

#endif
