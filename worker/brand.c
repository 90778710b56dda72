/* Looks: see brand.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "../privsep/log.h"
#include "../privsep/logo.h"
#include "brand.h"
#include "../privsep/hex.h"

#define TAG_LEN 16

static struct www_file style, logo;
static char style_tag[TAG_LEN + 1], logo_tag[TAG_LEN + 1];
static char welcome[CONF_ARGLEN_MAX + CONF_NAME_MAX];

/* As www/embed makes them: an address changes with its content. */
static void
tag_set(char tag[TAG_LEN + 1], const unsigned char *data, size_t len)
{
	unsigned char md[EVP_MAX_MD_SIZE];

	if (EVP_Digest(data, len, md, NULL, EVP_sha256(), NULL) != 1)
		fatalx("brand: no SHA-256");
	hex_put(tag, md, TAG_LEN / 2);
}

/* Relative luminance in thousandths, by a gamma of 2. */
static unsigned int
luminance(uint32_t c)
{
	uint32_t r = c >> 16 & 0xff, g = c >> 8 & 0xff, b = c & 0xff;

	return ((213 * r * r + 715 * g * g + 72 * b * b) / (255 * 255));
}

/* By a sixth. */
static uint32_t
darker(uint32_t c)
{
	uint32_t v = 0;

	for (int shift = 16; shift >= 0; shift -= 8)
		v |= (c >> shift & 0xff) * 85 / 100 << shift;
	return (v);
}

static void
put_colours(FILE *f, uint32_t accent, uint32_t background)
{
	fputs(":root {\n", f);
	if (accent & COLOUR_SET) {
		accent &= 0xffffff;
		/* Where black and white stand out as much as each other. */
		fprintf(f,
		    "\t--accent: #%06x;\n\t--accent-text: %s;\n"
		    "\t--accent-hover: #%06x;\n",
		    accent, luminance(accent) > 179 ? "#000000" : "#ffffff",
		    darker(accent));
	}
	if (background & COLOUR_SET)
		fprintf(f, "\t--back: #%06x;\n", background & 0xffffff);
	fputs("}\n", f);
}

static void
style_make(const struct conf_brand *b, const struct www_file *plain)
{
	char *data = NULL;
	size_t len = 0;
	FILE *f;

	if ((f = open_memstream(&data, &len)) == NULL)
		fatal("brand");
	fwrite(plain->data, 1, plain->len, f);
	put_colours(f, b->accent, b->background);
	fputs("@media (prefers-color-scheme: dark) {\n", f);
	put_colours(f, b->accent_dark ? b->accent_dark : b->accent, b->background_dark);
	if (fputs("}\n", f) == EOF || fclose(f) == EOF)
		fatal("brand");
	style = *plain;
	style.data = (unsigned char *)data;
	style.len = len;
	style.gz = NULL;
	style.gzlen = 0;
	tag_set(style_tag, style.data, len);
	style.tag = style_tag;
}

static void
logo_make(const struct conf_for_worker *conf)
{
	static const char *const types[] = {
		[LOGO_PNG] = "image/png",
		[LOGO_JPEG] = "image/jpeg",
		[LOGO_WEBP] = "image/webp",
		[LOGO_SVG] = "image/svg+xml",
	};

	logo.name = "logo";
	logo.type = types[conf->logo_type];
	logo.data = conf->logo;
	logo.len = conf->logolen;
	tag_set(logo_tag, logo.data, logo.len);
	logo.tag = logo_tag;
}

static void
welcome_make(const struct conf_for_worker *conf)
{
	static const char mark[] = "{{app}}";
	const char *text = conf->brand.welcome, *at = strstr(text, mark);

	if (at == NULL)
		snprintf(welcome, sizeof(welcome), "%s", text);
	else
		snprintf(welcome, sizeof(welcome), "%.*s%s%s", (int)(at - text), text,
		    conf->http.app_name, at + strlen(mark));
}

void
brand_prepare(const struct conf_for_worker *conf)
{
	const struct conf_brand *b = &conf->brand;

	memset(&style, 0, sizeof(style));
	memset(&logo, 0, sizeof(logo));
	welcome_make(conf);
	if (b->accent || b->accent_dark || b->background || b->background_dark)
		style_make(b, www_find("style.css"));
	if (conf->logolen > 0 && conf->logo_type > LOGO_NONE &&
	    conf->logo_type <= LOGO_SVG)
		logo_make(conf);
}

const struct www_file *
brand_file(const char *name)
{
	if (style.data != NULL && strcmp(name, style.name) == 0)
		return (&style);
	if (strcmp(name, "logo") == 0)
		return (logo.data != NULL ? &logo : www_find("favicon.svg"));
	return (NULL);
}

const char *
brand_welcome(void)
{
	return (welcome);
}
