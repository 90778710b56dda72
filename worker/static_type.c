/*
 * What a static file is, by its name.
 */
#include <string.h>
#include <strings.h>

#include "static.h"

#define TEXT "; charset=utf-8"

static const struct {
	const char *ext;
	const char *type;
} types[] = {
	{ "js", "text/javascript" TEXT },
	{ "mjs", "text/javascript" TEXT },
	{ "css", "text/css" TEXT },
	{ "html", "text/html" TEXT },
	{ "json", "application/json" },
	{ "map", "application/json" },
	{ "wasm", "application/wasm" },
	{ "svg", "image/svg+xml" },
	{ "png", "image/png" },
	{ "ico", "image/x-icon" },
	{ "gif", "image/gif" },
	{ "jpg", "image/jpeg" },
	{ "jpeg", "image/jpeg" },
	{ "webp", "image/webp" },
	{ "avif", "image/avif" },
	{ "bmp", "image/bmp" },
	{ "ttf", "font/ttf" },
	{ "otf", "font/otf" },
	{ "woff", "font/woff" },
	{ "woff2", "font/woff2" },
	{ "txt", "text/plain" TEXT },
	{ "md", "text/markdown" TEXT },
	{ "xml", "application/xml" },
	{ "mp3", "audio/mpeg" },
	{ "wav", "audio/wav" },
	{ "ogg", "audio/ogg" },
	{ "mp4", "video/mp4" },
	{ "webm", "video/webm" },
	{ "pdf", "application/pdf" },
	{ "webmanifest", "application/manifest+json" TEXT },
};

const char *
static_type(const char *path)
{
	const char *base = strrchr(path, '/'), *dot;

	dot = strrchr(base != NULL ? base : path, '.');
	for (size_t i = 0; dot != NULL && i < sizeof(types) / sizeof(types[0]); i++)
		if (strcasecmp(dot + 1, types[i].ext) == 0)
			return (types[i].type);
	return ("application/octet-stream");
}

bool
static_path(char *dst, size_t size, const char *folder, const char *rest)
{
	size_t f = strlen(folder), r = strlen(rest);

	/* url_path() has refused dots, empty segments and control bytes. */
	while (*rest == '/') {
		rest++;
		r--;
	}
	if (r == 0 || rest[r - 1] == '/' || f + 1 + r >= size)
		return (false);
	memcpy(dst, folder, f);
	dst[f] = '/';
	memcpy(dst + f + 1, rest, r + 1);
	return (true);
}
