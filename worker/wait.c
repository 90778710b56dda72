/* Pages that wait: see wait.h. */
#include <stdio.h>

#include "../privsep/log.h"
#include "pages.h"
#include "wait.h"

void
wait_answer(struct answer *a, unsigned int status)
{
	/* 421: on this connection; 429: at this moment. */
	if (wait_asks(a->s) &&
	    (status == 421 || status == 429 || (status >= 502 && status <= 504)))
		answer_add(a, SLICE(WAIT_FIELD), SLICE("1"));
}

bool
wait_possible(const struct stream *s, unsigned int status)
{
	return (s->head.method == METHOD_GET && status >= 502 && status <= 504);
}

struct evbuffer *
wait_html(bool possible)
{
	struct evbuffer *html = evbuffer_new();

	if (html == NULL)
		fatalx("out of memory for a page");
	page_render(html, possible ? "wait.html" : "wait_not.html", NULL, 0);
	return (html);
}

void
wait_page(struct stream *s, unsigned int status, const char *heading, const char *why,
    unsigned int retry)
{
	struct evbuffer *html = wait_html(true);
	struct answer a;
	char num[12];

	snprintf(num, sizeof(num), "%u", status);
	answer_init(&a, s, ANSWER_PAGE);
	if (retry != 0)
		answer_fmt(&a, SLICE("retry-after"), "%u", retry);
	page_send(&a, status, status_reason(status), "away.html",
	    (const struct page_value[]){ PAGE_TEXT("status", num),
		PAGE_TEXT("heading", heading), PAGE_TEXT("text", why),
		PAGE_HTML("wait", html), PAGE_TEXT("rid", s->rid) },
	    5);
	evbuffer_free(html);
}
