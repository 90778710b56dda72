/* /reset: the page of a one-time link, which sets a password. */
#include <stdlib.h>
#include <string.h>

#include <bsd/stdlib.h>
#include <bsd/string.h>

#include "../privsep/log.h"
#include "pages.h"
#include "respond.h"
#include "routes.h"
#include "session.h"
#include "url.h"
#include "worker.h"

#define HEX (2 * WIRE_RESET)

struct attempt {
	struct stream *s;
	uint32_t question;
	char token[HEX + 1];
};

static void
reset_page(struct stream *s, unsigned int status, const char *token, const char *error)
{
	struct evbuffer *html = evbuffer_new();
	struct answer a;

	if (html == NULL)
		fatalx("evbuffer_new");
	answer_init(&a, s, ANSWER_PAGE);
	if (error != NULL)
		page_render(html, "login_error.html",
		    (const struct page_value[]){ PAGE_TEXT("text", error) }, 1);
	page_send(&a, status, "A new password", "reset.html",
	    (const struct page_value[]){
		PAGE_HTML("error", html), PAGE_TEXT("token", token) },
	    2);
	evbuffer_free(html);
}

/* As many hexadecimal digits as there must be; "" otherwise. */
static void
token_set(char token[HEX + 1], const char *v, size_t len)
{
	token[0] = '\0';
	if (len != HEX || strspn(v, "0123456789abcdef") < HEX)
		return;
	memcpy(token, v, HEX);
	token[HEX] = '\0';
}

void
reset_get(struct stream *s, const char *rest)
{
	char buf[HEX + 2] = "", token[HEX + 1] = "";
	ssize_t n = -1;

	(void)rest;
	if (s->query.p != NULL)
		n = url_query(buf, sizeof(buf), s->query, SLICE("token"));
	if (n > 0)
		token_set(token, buf, (size_t)n);
	reset_page(s, 200, token, NULL);
}

static void
attempt_close(struct stream *s)
{
	struct attempt *at = s->arg;

	auth_forget(s->w, at->question);
	freezero(at, sizeof(*at));
	s->arg = NULL;
}

static void
on_used(void *arg, struct msg *m)
{
	struct attempt *at = arg;
	const struct m_fail *f;

	at->question = 0;
	if (m != NULL && m->head.type == M_OK) {
		respond_redirect(at->s, 303, "/login");
	} else if (m != NULL && m->head.type == M_FAIL &&
	    (f = MSG_DATA(m, m_fail))->code == FAIL_INVALID && wire_str(f->text)) {
		reset_page(at->s, 400, at->token, f->text);
	} else {
		auth_error(at->s, m);
	}
}

static uint8_t
nibble(char c)
{
	return ((uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10));
}

static void
reset_body(struct stream *s, char *body, size_t len)
{
	struct url_field f[URL_FORM_MAX];
	struct m_reset_use m;
	struct slice token, password;
	struct attempt *at;
	int n = url_form(body, len, f, URL_FORM_MAX);

	if ((at = calloc(1, sizeof(*at))) == NULL)
		fatal("calloc");
	at->s = s;
	s->arg = at;
	s->on_close = attempt_close;
	token = n < 0 ? (struct slice){ NULL, 0 } : url_form_get(f, n, SLICE("token"));
	password = n < 0 ? (struct slice){ NULL, 0 } :
			   url_form_get(f, n, SLICE("password"));
	if (token.p != NULL)
		token_set(at->token, token.p, token.len);
	if (at->token[0] == '\0' || password.len == 0 ||
	    password.len >= sizeof(m.password)) {
		reset_page(s, 400, at->token,
		    at->token[0] == '\0' ? "This link is not whole: open it again." :
					   "A password of 1 to 1024 bytes is wanted.");
		return;
	}
	memset(&m, 0, sizeof(m));
	strlcpy(m.ask.rid, s->rid, sizeof(m.ask.rid));
	for (size_t i = 0; i < WIRE_RESET; i++)
		m.token[i] = (uint8_t)(nibble(at->token[2 * i]) << 4 |
		    nibble(at->token[2 * i + 1]));
	memcpy(m.password, password.p, password.len);
	at->question = auth_ask(s->w, M_RESET_USE, &m, sizeof(m), on_used, at);
	explicit_bzero(&m, sizeof(m));
	if (at->question == 0)
		respond_error(s, 503, NULL);
}

void
reset_post(struct stream *s, const char *rest)
{
	(void)rest;
	body_collect(s, reset_body);
}
