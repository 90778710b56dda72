/*
 * Logging in and out, by form and by JSON.
 *
 * Auth decides, slowly and always in the same way; nothing here tells an unknown
 * user from a wrong password.  What was typed is wiped once it is sent on.
 */
#include <bsd/string.h>

#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>

#include "../privsep/hex.h"
#include "../privsep/log.h"
#include "api.h"
#include "brand.h"
#include "conn.h"
#include "form.h"
#include "lang.h"
#include "pages.h"
#include "respond.h"
#include "routes.h"
#include "session.h"
#include "token.h"
#include "url.h"
#include "worker.h"

#define HOME     "/"
#define LAST_LEN 32 /* digits of LAST_COOKIE */

/* Someone who waits for auth's word: by a form, or by JSON for it.  What was typed as a
 * name is kept on the form. */
struct attempt {
	struct form f;
	bool json;
	bool token; /* the answer shall hold the token */
	bool pair;  /* ... or a pair of tokens, and there shall be no cookie */
	char to[URL_TO_MAX + 1];
};

/* --- where to go afterwards --- */

/* Copies a place of this site; anything else becomes the start page. */
static void
to_set(char to[URL_TO_MAX + 1], struct slice v)
{
	strlcpy(to, HOME, URL_TO_MAX + 1);
	if (v.p == NULL || v.len == 0 || v.len > URL_TO_MAX || !url_redirect_ok(v))
		return;
	memcpy(to, v.p, v.len);
	to[v.len] = '\0';
}

static void
to_from_query(char to[URL_TO_MAX + 1], const struct stream *s)
{
	char buf[URL_TO_MAX + 1];
	ssize_t n = -1;

	if (s->query.p != NULL)
		n = url_query(buf, sizeof(buf), s->query, SLICE("to"));
	to_set(to, (struct slice){ n > 0 ? buf : NULL, n > 0 ? (size_t)n : 0 });
}

void
login_redirect(struct stream *s)
{
	char enc[3 * URL_TO_MAX + 1], to[sizeof(enc) + 16];
	struct slice t = s->head.target;

	if (slice_eq(t, SLICE("/")) || !url_redirect_ok(t) ||
	    url_encode(enc, sizeof(enc), t, true) == -1) {
		respond_redirect(s, 302, "/login");
		return;
	}
	snprintf(to, sizeof(to), "/login?to=%s", enc);
	respond_redirect(s, 302, to);
}

/* --- the page --- */

static void
login_page(struct answer *a, unsigned int status, const char *error, const char *name,
    const char *to)
{
	const char *l = page_lang(a);
	const char *heading = lang_text(l, "login");
	const struct conf_for_worker *conf = a->s->w->conf;
	/* Who has said a name goes on with the password. */
	bool named = *name != '\0';
	struct evbuffer *html[] = { form_error(l, error),
		form_words("login_welcome.html", brand_welcome()),
		form_words("login_text.html", conf->brand.text),
		form_words("login_register.html",
		    register_open(a->s->w) ?
			lang_text(l, "No account yet? Register here.") :
			NULL),
		form_words("focus.html", named ? NULL : l),
		form_words("focus.html", named ? l : NULL) };

	page_send(a, status, heading,
	    conf->mode == AUTH_SINGLE ? "login_single.html" : "login.html",
	    (const struct page_value[]){ PAGE_TEXT("app", conf->http.app_name),
		PAGE_TEXT("heading", heading),
		PAGE_TEXT("user_label", lang_text(l, "User name")),
		PAGE_TEXT("password_label", lang_text(l, "Password")),
		PAGE_TEXT("login_label", lang_text(l, "Log in")),
		PAGE_HTML("error", html[0]), PAGE_HTML("welcome", html[1]),
		PAGE_HTML("text", html[2]), PAGE_HTML("register", html[3]),
		PAGE_HTML("focus_name", html[4]), PAGE_HTML("focus_password", html[5]),
		PAGE_TEXT("username", name), PAGE_TEXT("to", to) },
	    13);
	for (size_t i = 0; i < sizeof(html) / sizeof(html[0]); i++)
		evbuffer_free(html[i]);
}

static void
login_known(struct stream *s, unsigned int who)
{
	char to[URL_TO_MAX + 1];
	struct answer a;

	to_from_query(to, s);
	if (who == WHO_USER) {
		respond_redirect(s, 302, to);
		return;
	}
	answer_init(&a, s, ANSWER_PAGE);
	login_page(&a, 200, NULL, "", to);
}

void
login_get(struct stream *s, const char *rest)
{
	(void)rest;
	session_who(s, login_known);
}

/* --- the attempt --- */

static void
attempt_fail(struct attempt *at, unsigned int status, uint32_t retry, const char *text)
{
	struct answer a;

	answer_init(&a, at->f.s, at->json ? ANSWER_DATA : ANSWER_PAGE);
	if (retry > 0)
		answer_fmt(&a, SLICE("retry-after"), "%u", retry);
	if (status == 401)
		answer_challenge(&a);
	if (at->json || status == 421 || !wants_html(at->f.s))
		respond_error_with(&a, status, text);
	else
		login_page(&a, status, text, at->f.kept, at->to);
}

/*
 * What VS Code keeps in a browser (which folders were open, what was looked for, what its
 * extensions put there) is its user's.
 */
static void
browser_clear(struct answer *a)
{
	answer_add(a, SLICE("clear-site-data"), SLICE("\"storage\""));
}

/* Not every session ends with a logout: another user finds nothing either. */
static void
browser_of(struct answer *a, const char *name)
{
	struct slice last = cookie_of(a->s, LAST_COOKIE);
	uint8_t md[EVP_MAX_MD_SIZE];
	char hex[LAST_LEN + 1];

	if (EVP_Digest(name, strlen(name), md, NULL, EVP_sha256(), NULL) != 1)
		fatalx("SHA-256 failed");
	hex_put(hex, md, LAST_LEN / 2);
	if (last.p != NULL && !slice_eq(last, slice_str(hex)))
		browser_clear(a);
	answer_fmt(a, SLICE("set-cookie"),
	    LAST_COOKIE "=%s; Secure; HttpOnly; SameSite=Lax; Path=/; Max-Age=31536000",
	    hex);
}

static void
attempt_ok(struct attempt *at, const struct m_who *m)
{
	struct worker *w = at->f.s->w;
	struct api_login in;
	struct answer a;
	json_t *data;

	if (!session_bind(w, &m->who, m->token)) {
		conn_abort(w->conn, "auth's answer is unsound");
		return;
	}
	session_beat(w);
	answer_init(&a, at->f.s, ANSWER_DATA);
	answer_cookie(&a, m->token);
	browser_of(&a, w->who.name);
	if (!at->json) {
		answer_location(&a, at->to);
		answer_send(&a, 302, NULL, 0);
		return;
	}
	memset(&in, 0, sizeof(in));
	strlcpy(in.username, w->who.name, sizeof(in.username));
	strlcpy(in.role, w->who.role, sizeof(in.role));
	snprintf(in.to, sizeof(in.to), "%s%s", site_base(w), at->to);
	in.expires = w->who.expires;
	memcpy(in.token, m->token, sizeof(in.token));
	data = api_row(api_logged_in, &in);
	/* A browser has it in the cookie, which scripts do not see. */
	if (!at->token)
		json_object_del(data, "token");
	explicit_bzero(&in, sizeof(in));
	respond_json(&a, 200, json_pack("{s:b, s:o}", "success", 1, "data", data));
}

static void
attempt_answer(struct form *f, struct msg *m)
{
	struct attempt *at = (struct attempt *)f;
	const struct m_who *who;

	if (m != NULL && m->head.type == M_TOKENS && at->pair) {
		if (!tokens_answer(f->s, MSG_DATA(m, m_tokens)))
			conn_abort(f->s->w->conn, "auth's answer is unsound");
		explicit_bzero(m->u.bytes, sizeof(struct m_tokens));
		return;
	}
	if (m == NULL || m->head.type != M_WHO) {
		auth_error(f->s, m);
		return;
	}
	who = MSG_DATA(m, m_who);
	switch (who->result) {
	case AUTH_OK:
		attempt_ok(at, who);
		explicit_bzero(m->u.bytes, sizeof(*who));
		break;
	case AUTH_DENIED:
		attempt_fail(at, 401, 0, "Incorrect user name or password.");
		break;
	case AUTH_RATE_LIMITED:
		attempt_fail(at, 429, who->retry_after > 0 ? who->retry_after : 1,
		    "Login rate limited! Please wait and try again.");
		break;
	case AUTH_OTHER_USER:
		/* The browser comes back on a new connection. */
		conn_drain(f->s->w);
		attempt_fail(at, 421, 0, NULL);
		break;
	default:
		attempt_fail(at, 503, who->retry_after > 0 ? who->retry_after : 1, NULL);
		break;
	}
}

static void
attempt_missing(struct attempt *at, const char *field, const char *text)
{
	if (at->json)
		api_fault(at->f.s, 400, "VALIDATION_ERROR", field, text);
	else
		attempt_fail(at, 400, 0, text);
}

/* Both are given: let auth look at them. */
static void
attempt_start(struct attempt *at, struct slice name, struct slice password)
{
	struct stream *s = at->f.s;
	struct m_login m;
	bool fits;

	/* There is one, which need not be named. */
	if (s->w->conf->mode == AUTH_SINGLE && name.len == 0)
		name = slice_str(s->w->conf->account);
	memset(&m, 0, sizeof(m));
	(void)form_put(at->f.kept, WIRE_EMAIL, name);
	fits = form_put(m.name, sizeof(m.name), name) &&
	    form_put(m.password, sizeof(m.password), password);
	m.tokens = at->pair;
	if (name.len == 0)
		attempt_missing(at, "username", "Missing user name");
	else if (password.len == 0)
		attempt_missing(at, "password", "Missing password");
	else if (!fits) /* there is no account of that kind */
		attempt_fail(at, 401, 0, "Incorrect user name or password.");
	else
		form_ask(&at->f, M_LOGIN, &m, sizeof(m));
	explicit_bzero(&m, sizeof(m));
}

static void
attempt_json(struct attempt *at, const char *body, size_t len)
{
	struct api_login in;

	memset(&in, 0, sizeof(in));
	if (api_body(at->f.s, &(struct api_call){ .in = api_login_in }, body, len, &in)) {
		if (in.to[0] != '\0')
			to_set(at->to, slice_str(in.to));
		attempt_start(at, slice_str(in.username), slice_str(in.password));
	}
	explicit_bzero(&in, sizeof(in));
}

static void
attempt_form(struct attempt *at, char *body, size_t len)
{
	struct slice to;

	form_parse(&at->f, body, len);
	if (at->f.n == -1) {
		attempt_fail(at, 400, 0, "The form is malformed.");
		return;
	}
	to = form_get(&at->f, SLICE("to"));
	if (to.p != NULL)
		to_set(at->to, to);
	attempt_start(
	    at, form_get(&at->f, SLICE("username")), form_get(&at->f, SLICE("password")));
}

static void
attempt_body(struct stream *s, char *body, size_t len, bool api, bool pair)
{
	bool json = content_is(s, SLICE("application/json"));
	struct attempt *at;

	if (!json && !content_is(s, SLICE("application/x-www-form-urlencoded"))) {
		respond_error(s, 415, NULL);
		return;
	}
	at = form_make(s, sizeof(*at));
	at->f.answer = attempt_answer;
	at->json = json || api;
	at->token = api;
	at->pair = pair;
	to_from_query(at->to, s);
	if (json)
		attempt_json(at, body, len);
	else
		attempt_form(at, body, len);
}

static void
login_body(struct stream *s, char *body, size_t len)
{
	attempt_body(s, body, len, false, false);
}

void
login_post(struct stream *s, const char *rest)
{
	(void)rest;
	body_collect(s, login_body);
}

/* As /login by JSON, and the answer holds the token: for programs. */
void
login_api(struct stream *s, char *body, size_t len)
{
	attempt_body(s, body, len, true, false);
}

/* For programs that come again: an access and a refresh token. */
void
login_tokens(struct stream *s, char *body, size_t len)
{
	attempt_body(s, body, len, true, true);
}

/* --- leaving --- */

/* A page for people, JSON for programs; the cookie goes in either case. */
static void
logout_answer(struct stream *s)
{
	struct answer a;

	answer_init(&a, s, ANSWER_DATA);
	answer_cookie(&a, NULL);
	browser_clear(&a);
	if (strncmp(s->path, "/api/", 5) == 0 && !wants_html(s)) {
		respond_json(&a, 200, json_pack("{s:b, s:n}", "success", 1, "data"));
		return;
	}
	answer_location(&a, "/login");
	answer_send(&a, s->head.method == METHOD_GET ? 302 : 303, NULL, 0);
}

/* The answer is out: whatever else runs on this connection ends with it. */
static void
logout_close(struct stream *s)
{
	conn_end(s->w->conn);
}

/* The session is over.  Nothing more is taken, and nobody is it any more. */
void
logout_over(struct stream *s)
{
	session_leaving(s->w);
	conn_drain(s->w);
	s->on_close = logout_close;
}

static void
logout_done(void *arg, struct msg *m)
{
	struct stream *s = arg;

	s->on_close = NULL;
	if (m == NULL || m->head.type != M_OK) {
		auth_error(s, m);
		return;
	}
	logout_over(s);
	logout_answer(s);
}

void
logout_now(struct stream *s)
{
	auth_ask_for(s, M_LOGOUT, NULL, 0, logout_done);
}

static void
logout_known(struct stream *s, unsigned int who)
{
	if (who == WHO_USER)
		logout_now(s);
	else
		logout_answer(s);
}

void
api_logout(struct stream *s, char *body, size_t len)
{
	(void)body;
	(void)len;
	logout(s, "");
}

void
logout(struct stream *s, const char *rest)
{
	(void)rest;
	if (s->w->conf->mode == AUTH_NONE)
		respond_redirect(s, s->head.method == METHOD_POST ? 303 : 302, HOME);
	else
		session_who(s, logout_known);
}
