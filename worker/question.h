/*
 * What session.c, which knows when auth is there, and question.c, which knows who asked
 * it, tell each other.
 */
#ifndef WORKER_QUESTION_H
#define WORKER_QUESTION_H

#include <stdbool.h>

#include "worker.h"

/* session.c: auth is wanted, for the first time or again after it died. */
void auth_want(struct worker *w);

/* There is a new channel to auth, which has been told nothing. */
void questions_begin(void);
/* Auth is there: what was held goes out. */
void questions_send(struct worker *w);
/* Nobody will answer any more: all of them, or what is held only. */
void questions_fail(bool all);
/* An answer, or one row of it. */
void question_answer(struct chan *c, struct msg *m);

#endif /* WORKER_QUESTION_H */
