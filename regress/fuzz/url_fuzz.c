/*
 * Targets and forms: decoded is no longer than encoded; what passes as a path
 * or a redirect has no way out of the site; what is encoded decodes to itself.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../worker/url.h"
#include "fuzz.h"

static void
paths(struct slice in, char *out)
{
	ssize_t n = url_path(out, in.len + 1, in);

	if (n < 0)
		return;
	check((size_t)n <= in.len && strlen(out) == (size_t)n);
	check(out[0] == '/' && strstr(out, "//") == NULL);
	check(strstr(out, "/../") == NULL && strstr(out, "/./") == NULL);
	check(n < 3 || strcmp(out + n - 3, "/..") != 0);
	check(n < 2 || strcmp(out + n - 2, "/.") != 0);
	check(strpbrk(out, "\\%\r\n") == NULL);
	check(url_path_safe(in));
}

static void
redirects(struct slice in)
{
	struct slice path, query;

	if (!url_redirect_ok(in))
		return;
	url_split(in, &path, &query);
	check(in.len <= URL_TO_MAX && in.p[0] == '/');
	check(in.len < 2 || (in.p[1] != '/' && in.p[1] != '\\'));
	for (size_t i = 0; i < in.len; i++)
		check(in.p[i] > ' ' && in.p[i] < 0x7f && in.p[i] != '\\');
}

static void
escapes(struct slice in, char *out, char *back)
{
	ssize_t n = url_encode(out, in.len * 3 + 1, in, false), m;

	check((n < 0) == (in.len > 0 && memchr(in.p, '\0', in.len) != NULL));
	if (n < 0)
		return;
	m = url_decode(back, in.len + 1, (struct slice){ out, (size_t)n }, URL_PLUS);
	check(m == (ssize_t)in.len);
	check(memcmp(back, in.p, in.len) == 0);
	n = html_escape(out, in.len * 6 + 1, in);
	check(n >= (ssize_t)in.len && strpbrk(out, "<>\"'") == NULL);
}

static void
fields(struct slice in, char *body)
{
	struct url_field f[8];
	size_t total = 0;
	int n;

	memcpy(body, in.p, in.len);
	n = url_form(body, in.len, f, 8);
	check(n >= -1 && n <= 8);
	for (int i = 0; i < n; i++) {
		check(
		    f[i].name.p >= body && f[i].name.p + f[i].name.len <= body + in.len);
		check(f[i].value.p >= body &&
		    f[i].value.p + f[i].value.len <= body + in.len);
		check(strlen(f[i].name.p) == f[i].name.len);
		check(strlen(f[i].value.p) == f[i].value.len);
		total += f[i].name.len + f[i].value.len;
		(void)url_form_get(f, n, f[i].name);
	}
	check(total <= in.len);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *in = malloc(len + 1), *out = malloc(len * 6 + 1);
	char *back = malloc(len + 1);
	struct slice s;
	ssize_t n;

	check(in != NULL && out != NULL && back != NULL);
	if (len > 0)
		memcpy(in, data, len);
	s = (struct slice){ in, len };
	paths(s, back);
	redirects(s);
	escapes(s, out, back);
	fields(s, back);
	n = url_query(out, len + 1, s, SLICE("a"));
	check(n >= URL_ABSENT && n <= (ssize_t)len);
	n = url_decode(in, len + 1, s, 0); /* in its own place */
	check(n >= -1 && n <= (ssize_t)len);
	free(in);
	free(out);
	free(back);
	return (0);
}
