/*
 * Forms on which a password is typed: to log in (login.c), for another one of one's own
 * (password.c), by a one-time link (reset.c), for a new account (register.c).  What was
 * sent goes to auth; its word is shown on the form, or leads on.
 */
#ifndef WORKER_FORM_H
#define WORKER_FORM_H

#include "../privsep/msg.h"
#include "pages.h"
#include "url.h"

struct msg;
struct form {
	struct stream *s;
	uint32_t question;
	/* The form again, with what is wrong; NULL: as it is at first. */
	void (*page)(
	    struct stream *, unsigned int status, const struct form *, const char *error);
	void (*done)(struct stream *);
	/* Instead of both: all that auth says. */
	void (*answer)(struct form *, struct msg *);
	size_t size;    /* of what begins with this */
	char kept[256]; /* what is shown on it again */
	char kept2[256];
	struct url_field field[URL_FORM_MAX];
	int n; /* -1: it is malformed */
};

/* The stream's until it is answered; so many bytes, which begin with a struct form. */
void *form_make(struct stream *, size_t size);
/* What has come. */
void form_parse(struct form *, char *body, size_t len);
/* Both, where there is no more to it. */
struct form *form_new(struct stream *, char *body, size_t len);
struct slice form_get(const struct form *, struct slice name);
/* Copies, terminated: false when it does not fit. */
bool form_put(char *dst, size_t size, struct slice v);
/* Likewise a field: false, too, when it is empty. */
bool form_copy(const struct form *, struct slice name, char *dst, size_t size);
void form_ask(struct form *, enum msg_type type, const void *payload, size_t len);

/* A line of a page in a template of its own, {{text}}; nothing, for NULL or "". */
struct evbuffer *form_words(const char *template, const char *text);
/* What is wrong: in that language, or marked as English. */
struct evbuffer *form_error(const char *lang, const char *english);
/* What a new password must have. */
struct evbuffer *form_rules(const struct worker *w, const char *lang);

#endif
