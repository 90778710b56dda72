/* The worker's code in large pages. */
#ifndef WORKER_TEXT_H
#define WORKER_TEXT_H

/* Zygote, before it has a sandbox: see text.c. */
void text_large(void);

#endif
