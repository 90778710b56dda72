/* Which ports of a sandbox may be reached: proxy { ports first:last }. */
#include <inttypes.h>

#include "conf_parse.h"

bool
conf_value_ports(
    struct conf_parser *p, const struct conf_row *row, struct conf_proxy *proxy)
{
	const char *s = p->tok.text;
	uint64_t first = 0, last = 0;

	if (!conf_is_value(p) || !conf_number(s, &first, &s) || *s++ != ':' ||
	    !conf_number(s, &last, &s) || *s != '\0' || first < 1 || last > 65535 ||
	    first > last) {
		conf_expected(p, "such as 1024:65535",
		    "first:last, ports from 1 to 65535, after \"%s\"", row->name);
		return false;
	}
	proxy->port_first = (uint16_t)first;
	proxy->port_last = (uint16_t)last;
	conf_next(p);
	return true;
}
