/*
 * Times and sizes for people: see dates.h.
 */
#include <stdio.h>

#include "dates.h"

#define DAY  86400
#define LAST 253402300799 /* 9999-12-31T23:59:59Z */

/*
 * Days since 1970 to a date, in years that begin in March: then the leap day is
 * the last of its year, and months follow a pattern of 153 days in 5.
 */
void
date_format(char out[DATE_LEN + 1], int64_t t)
{
	int64_t days, era, doe, yoe, doy, y, m, d, s;

	t = t < 0 ? 0 : t > LAST ? LAST : t;
	days = t / DAY + 719468; /* since 0000-03-01 */
	s = t % DAY;
	era = days / 146097;
	doe = days - era * 146097;
	yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	m = (5 * doy + 2) / 153;
	d = doy - (153 * m + 2) / 5 + 1;
	y = yoe + era * 400 + (m >= 10);
	m = m < 10 ? m + 3 : m - 9;
	snprintf(out, DATE_LEN + 1, "%04u-%02u-%02uT%02u:%02u:%02uZ",
	    (unsigned int)y % 10000, (unsigned int)m % 100, (unsigned int)d % 100,
	    (unsigned int)(s / 3600) % 100, (unsigned int)(s / 60 % 60),
	    (unsigned int)(s % 60));
}

void
date_span(char *dst, size_t size, int64_t seconds)
{
	static const struct {
		int64_t len;
		const char *name;
	} units[] = {
		{ DAY, "day" },
		{ 3600, "hour" },
		{ 60, "minute" },
	};
	int64_t n;

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		n = (seconds + units[i].len / 2) / units[i].len;
		if (seconds >= units[i].len || (i == 2 && n > 0)) {
			snprintf(dst, size, "%lld %s%s", (long long)n, units[i].name,
			    n == 1 ? "" : "s");
			return;
		}
	}
	snprintf(dst, size, "a moment");
}

void
date_relative(char *dst, size_t size, int64_t t, int64_t now)
{
	char span[32];
	int64_t d = now > t ? now - t : t - now;

	date_span(span, sizeof(span), d);
	if (d < 30)
		snprintf(dst, size, "just now");
	else if (now > t)
		snprintf(dst, size, "%s ago", span);
	else
		snprintf(dst, size, "in %s", span);
}

void
bytes_format(char *dst, size_t size, uint64_t bytes)
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB" };
	double v = (double)bytes;
	size_t i = 0;

	for (; v >= 1024 && i + 1 < sizeof(units) / sizeof(units[0]); i++)
		v /= 1024;
	snprintf(dst, size, i == 0 || v >= 100 ? "%.0f %s" : "%.1f %s", v, units[i]);
}
