/* Kinds of images: see logo.h. */
#include <stdbool.h>
#include <string.h>

#include "logo.h"

static bool
has(const uint8_t *data, size_t len, size_t at, const char *what)
{
	size_t n = strlen(what);

	return len >= at + n && memcmp(data + at, what, n) == 0;
}

/* The first element, after what XML lets stand before it. */
static bool
is_svg(const uint8_t *data, size_t len)
{
	const char *end;
	size_t i = has(data, len, 0, "\xef\xbb\xbf") ? 3 : 0;

	for (;;) {
		while (
		    i < len && (data[i] == ' ' || (data[i] >= '\t' && data[i] <= '\r')))
			i++;
		if (has(data, len, i, "<svg"))
			return true;
		if (has(data, len, i, "<?"))
			end = "?>";
		else if (has(data, len, i, "<!--"))
			end = "-->";
		else if (has(data, len, i, "<!DOCTYPE svg"))
			end = ">";
		else
			return false;
		while (i < len && !has(data, len, i, end))
			i++;
		if (i == len)
			return false;
		i += strlen(end);
	}
}

enum logo_type
logo_type(const uint8_t *data, size_t len)
{
	if (has(data, len, 0, "\x89PNG\r\n\x1a\n"))
		return LOGO_PNG;
	if (has(data, len, 0, "\xff\xd8\xff"))
		return LOGO_JPEG;
	if (has(data, len, 0, "RIFF") && has(data, len, 8, "WEBP"))
		return LOGO_WEBP;
	return is_svg(data, len) ? LOGO_SVG : LOGO_NONE;
}
