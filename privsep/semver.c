/* Versions: see semver.h. */
#include <stddef.h>
#include <string.h>

#include "semver.h"

#define DIGITS "0123456789"
#define IDENTIFIER                                                                       \
	DIGITS "-"                                                                       \
	       "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

/* Length of a number at s, 0 if there is none. */
static size_t
number(const char *s)
{
	size_t n = strspn(s, DIGITS);

	return n > 1 && s[0] == '0' ? 0 : n;
}

/* Past identifiers with dots between them; NULL if one is empty, or a number with
 * leading zeros where that counts. */
static const char *
identifiers(const char *s, bool numbers)
{
	size_t n;

	for (;;) {
		n = strspn(s, IDENTIFIER);
		if (n == 0 || (numbers && strspn(s, DIGITS) == n && number(s) != n))
			return NULL;
		s += n;
		if (*s != '.')
			return s;
		s++;
	}
}

bool
semver_ok(const char *s)
{
	unsigned int i;
	size_t n;

	if (strnlen(s, SEMVER_MAX) == SEMVER_MAX)
		return false;
	for (i = 0; i < 3; i++) {
		if (i > 0 && *s++ != '.')
			return false;
		if ((n = number(s)) == 0)
			return false;
		s += n;
	}
	if (*s == '-' && (s = identifiers(s + 1, true)) == NULL)
		return false;
	if (*s == '+' && (s = identifiers(s + 1, false)) == NULL)
		return false;
	return *s == '\0';
}

static int
sign(int n)
{
	return (n > 0) - (n < 0);
}

/* Numbers by their value, others by their bytes, and numbers first. */
static int
compare_one(const char *a, size_t la, const char *b, size_t lb)
{
	bool na = strspn(a, DIGITS) >= la, nb = strspn(b, DIGITS) >= lb;
	int c;

	if (na != nb)
		return na ? -1 : 1;
	if (na && la != lb) /* there are no leading zeros */
		return la < lb ? -1 : 1;
	c = memcmp(a, b, la < lb ? la : lb);
	if (c == 0)
		c = (la > lb) - (la < lb);
	return sign(c);
}

int
semver_compare(const char *a, const char *b)
{
	bool pre = false; /* past the three numbers */
	size_t la, lb;
	int c;

	for (;;) {
		la = strcspn(a, pre ? ".+" : ".-+");
		lb = strcspn(b, pre ? ".+" : ".-+");
		if ((c = compare_one(a, la, b, lb)) != 0)
			return c;
		a += la;
		b += lb;
		if (*a != *b || *a != '.') {
			/* What comes before a release is below it; and of two
			 * such, the one that ends sooner. */
			bool ea = *a == '\0' || *a == '+', eb = *b == '\0' || *b == '+';

			if (ea || eb)
				return ea && eb ? 0 : (ea == pre ? -1 : 1);
			pre = true;
		}
		a++;
		b++;
	}
}
