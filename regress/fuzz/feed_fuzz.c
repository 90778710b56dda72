/*
 * What a feed of releases answers: HTTP, an address to go to, JSON and the version in
 * it.  What is whole when it comes in one piece is never taken for anything else when it
 * comes in two; a version is one, and is neither above nor below itself.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../privsep/fetch/fetch.h"
#include "fuzz.h"

static enum response_state
response(const uint8_t *data, size_t len, bool end, struct response *r, char **buf)
{
	const char *why;

	if ((*buf = malloc(len + 1)) == NULL) /* none of it is a string */
		abort();
	memcpy(*buf, data, len);
	return (fetch_response(*buf, len, end, r, &why));
}

static void
version(const char *json, size_t len)
{
	char v[SEMVER_MAX];

	if (fetch_feed(json, len, v) != NULL) {
		check(v[0] == '\0');
		return;
	}
	check(semver_ok(v));
	check(semver_compare(v, v) == 0);
	check(semver_compare(v, "4.139.1-rc.1") == -semver_compare("4.139.1-rc.1", v));
}

static void
where(const char *location)
{
	char name[HTTPS_AUTHORITY_MAX];
	struct https_url u;

	if (!https_url_parse(location, &u))
		return;
	check(https_path_ok(u.path) && u.port != 0 && u.host[0] != '\0');
	check(strpbrk(https_authority_text(&u, true, name), " \r\n/@") == NULL);
	(void)fetch_proxy_skips(location, &u);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	enum response_state all, part;
	struct response r, half;
	size_t first;
	char *buf;

	if (len < 2)
		return (0);
	first = data[0] * (len - 1) / 255;
	data++;
	len--;
	part = response(data, first, false, &half, &buf);
	free(buf);
	all = response(data, len, true, &r, &buf);
	check(all != RESPONSE_MORE);
	check(part != RESPONSE_BAD || all == RESPONSE_BAD);
	check(part != RESPONSE_DONE ||
	    (all == RESPONSE_DONE && r.status == half.status && r.len == half.len));
	if (all == RESPONSE_DONE) {
		check(r.len <= FETCH_BODY_MAX && r.status >= 200 && r.status < 600);
		check(r.body >= buf && r.body + r.len <= buf + len);
		where(r.location);
		version(r.body, r.len);
	}
	free(buf);
	version((const char *)data, len);
	return (0);
}
