/* The commonest passwords: see common.h. */
#include <ctype.h>
#include <string.h>

#include "common.h"

#define LONGEST 64 /* and more than the list's own */

/* The file as it stands, in the executable's read-only part. */
__asm__(".pushsection .rodata\n"
	".type common_list, @object\n"
	"common_list: .incbin \"privsep/auth/common-passwords\"\n"
	"common_end: .byte 0\n"
	".popsection\n");
extern const char common_list[] __attribute__((visibility("hidden")));
extern const char common_end[] __attribute__((visibility("hidden")));

static int
compare(const char *line, size_t n, const char *s, size_t len)
{
	int r = memcmp(line, s, n < len ? n : len);

	return r != 0 ? r : n < len ? -1 : n > len;
}

bool
common_listed(const char *s, size_t len)
{
	const char *lo = common_list, *hi = common_end, *line;
	char low[LONGEST];
	size_t i, n;
	int r;

	if (len == 0 || len > sizeof(low))
		return false;
	for (i = 0; i < len; i++)
		low[i] = (char)tolower((unsigned char)s[i]);
	/* [lo, hi) are whole lines. */
	while (lo < hi) {
		line = lo + (hi - lo) / 2;
		while (line > lo && line[-1] != '\n')
			line--;
		n = strcspn(line, "\n");
		r = compare(line, n, low, len);
		if (r == 0)
			break;
		if (r < 0)
			lo = line + n + 1;
		else
			hi = line;
	}
	explicit_bzero(low, sizeof(low));
	return lo < hi;
}

bool
common_password(const char *password)
{
	size_t from = 0, to = strlen(password), all = to;

	if (common_listed(password, to))
		return true;
	while (to > 0 && !isalpha((unsigned char)password[to - 1]))
		to--;
	while (from < to && !isalpha((unsigned char)password[from]))
		from++;
	return all - (to - from) < COMMON_ENDS &&
	    common_listed(password + from, to - from);
}
