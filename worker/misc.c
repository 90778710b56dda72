/*
 * Small answers: is ided alive, what robots and researchers want to know.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "../privsep/chan.h"
#include "dates.h"
#include "heart.h"
#include "respond.h"
#include "routes.h"
#include "static.h"
#include "worker.h"

#define ALIVE_MS     60000 /* after someone's last activity */
#define CONTACT_DAYS 180

static void
text_send(struct stream *s, const char *text)
{
	struct answer a;

	answer_init(&a, s, ANSWER_DATA);
	answer_add(&a, SLICE("content-type"), SLICE("text/plain; charset=utf-8"));
	answer_send(&a, 200, text, strlen(text));
}

static void
health_send(struct stream *s, const struct m_heart *h)
{
	char text[96];
	struct answer a;
	int n;

	n = snprintf(text, sizeof(text), "{\"status\":\"%s\",\"lastHeartbeat\":%lld}",
	    h->last != 0 && h->ago < ALIVE_MS ? "alive" : "expired", (long long)h->last);
	answer_init(&a, s, ANSWER_DATA);
	answer_add(&a, SLICE("content-type"), SLICE("application/json"));
	answer_send(&a, 200, text, (size_t)n);
}

void
healthz(struct stream *s, const char *rest)
{
	(void)rest;
	heart_ask(s, health_send);
}

void
robots(struct stream *s, const char *rest)
{
	(void)rest;
	text_send(s, "User-agent: *\nDisallow: /\n");
}

/* RFC 9116: whoever runs the site is asked through it. */
void
security_txt(struct stream *s, const char *rest)
{
	const char *contact = s->w->conf->http.contact, *base = site_base(s->w);
	char text[1400], site[384], date[DATE_LEN + 1];

	(void)rest;
	date_format(date, time(NULL) + CONTACT_DAYS * 86400);
	snprintf(site, sizeof(site), "https://%.*s%s",
	    (int)(s->head.host.len < 300 ? s->head.host.len : 300), s->head.host.p, base);
	snprintf(text, sizeof(text),
	    "# Please tell the administrators of this site.\n"
	    "Contact: %s%s\nExpires: %s\nCanonical: %s/.well-known/security.txt\n",
	    *contact != '\0' ? contact : site, *contact != '\0' ? "" : "/", date, site);
	text_send(s, text);
}

void
favicon(struct stream *s, const char *rest)
{
	(void)rest;
	if (strcmp(s->path, "/favicon.ico") != 0 ||
	    !static_file(
		s, "ide/front/src/browser/media", "favicon.ico", CACHE_REVALIDATE))
		static_www(s, www_find("favicon.svg"));
}

void
auth_error(struct stream *s, const struct msg *m)
{
	static const unsigned int statuses[] = { [FAIL_INTERNAL] = 500,
		[FAIL_BUSY] = 503,
		[FAIL_TIMEOUT] = 503,
		[FAIL_NOT_FOUND] = 404,
		[FAIL_EXISTS] = 409,
		[FAIL_INVALID] = 400,
		[FAIL_DENIED] = 403,
		[FAIL_NO_SPACE] = 503,
		[FAIL_UNAVAILABLE] = 503,
		[FAIL_MUST_CHANGE] = 403,
		[FAIL_CHANGED] = 409,
		[FAIL_LIMITED] = 429 };
	uint32_t code = 0;

	if (m != NULL && m->head.type == M_FAIL)
		code = MSG_DATA(m, m_fail)->code;
	if (m == NULL)
		respond_error(s, 503, NULL);
	else if (code == FAIL_NO_SPACE)
		respond_error(s, 503, "There is no space left to keep this.");
	else if (code > 0 && code < sizeof(statuses) / sizeof(statuses[0]))
		respond_error(s, statuses[code], NULL);
	else
		respond_error(s, 500, NULL);
}
