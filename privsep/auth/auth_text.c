/* Text that people give themselves: see auth_text.h. */
#include <idn2.h>
#include <stdlib.h>
#include <string.h>
#include <unicase.h>
#include <unictype.h>
#include <uninorm.h>
#include <unistr.h>

#include <bsd/string.h>

#include "auth_text.h"
#include "store_record.h"

#define DISPLAY_CHARS 64
#define MARKS         4
#define TEXT_MAX      512 /* bytes of anything here, normalized */

/* Scripts that a text may hold together. */
enum {
	LATIN = 0x01,
	HAN = 0x02,
	KANA = 0x04, /* Hiragana and Katakana */
	BOPOMOFO = 0x08,
	HANGUL = 0x10,
	OTHER = 0x20,
};
static const unsigned int together[] = { LATIN | HAN | KANA, LATIN | HAN | BOPOMOFO,
	LATIN | HAN | HANGUL };

static unsigned int
script_bit(const uc_script_t *s)
{
	static const struct {
		const char *name;
		unsigned int bit;
	} names[] = { { "Latin", LATIN }, { "Han", HAN }, { "Hiragana", KANA },
		{ "Katakana", KANA }, { "Bopomofo", BOPOMOFO }, { "Hangul", HANGUL } };
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(s->name, names[i].name) == 0)
			return names[i].bit;
	return OTHER;
}

/* Of all scripts: digits, punctuation, marks. */
static bool
is_common(const uc_script_t *s)
{
	return s == NULL || strcmp(s->name, "Common") == 0 ||
	    strcmp(s->name, "Inherited") == 0;
}

struct scripts {
	unsigned int bits;
	const uc_script_t *other;
};

static bool
scripts_add(struct scripts *all, ucs4_t c)
{
	const uc_script_t *s = uc_script(c);
	unsigned int bit;
	size_t i;

	if (is_common(s))
		return true;
	bit = script_bit(s);
	if (bit == OTHER) {
		if (all->other != NULL && all->other != s)
			return false;
		all->other = s;
	}
	all->bits |= bit;
	if ((all->bits & (all->bits - 1)) == 0)
		return true;
	for (i = 0; i < sizeof(together) / sizeof(together[0]); i++)
		if ((all->bits & ~together[i]) == 0)
			return true;
	return false;
}

static const char *
char_wrong(ucs4_t c)
{
	const uc_general_category_t cat = uc_general_category(c);

	if (uc_is_general_category(c, UC_CONTROL))
		return "it has a control character";
	if (uc_is_general_category(c, UC_FORMAT))
		return "it has a character that is not seen";
	if (uc_is_general_category(c, UC_UNASSIGNED) ||
	    uc_is_general_category(c, UC_PRIVATE_USE) ||
	    uc_is_general_category(c, UC_SURROGATE))
		return "it has a character that means nothing";
	if (c != ' ' && (cat.bitmask & UC_CATEGORY_MASK_Z) != 0)
		return "it has a space of an unusual kind";
	/* Blanks, and what fills a Hangul syllable with nothing. */
	if (c == 0x2800 || c == 0x115f || c == 0x1160 || c == 0x3164 || c == 0xffa0 ||
	    uc_is_property_default_ignorable_code_point(c))
		return "it has a character that is not seen";
	return NULL;
}

/* Characters and scripts of what is normalized already. */
static const char *
chars_wrong(const uint8_t *s, size_t n)
{
	struct scripts scripts = { 0, NULL };
	unsigned int marks = 0;
	const char *why;
	ucs4_t c;
	size_t i;
	int len;

	for (i = 0; i < n; i += (size_t)len) {
		if ((len = u8_mbtouc(&c, s + i, n - i)) <= 0)
			return "it is no UTF-8";
		if ((why = char_wrong(c)) != NULL)
			return why;
		marks = uc_combining_class(c) != 0 ? marks + 1 : 0;
		if (marks > MARKS)
			return "it has too many marks on one letter";
		if (i == 0 && marks > 0)
			return "it begins with a mark";
		if (!scripts_add(&scripts, c))
			return "it mixes letters of different scripts, which look alike";
	}
	return NULL;
}

/* The library returns the buffer, or, where that does not suffice, one of its own. */
static bool
fits(uint8_t *got, const uint8_t *buf)
{
	if (got == buf)
		return true;
	free(got);
	return false;
}

static bool
normalize(uninorm_t form, const uint8_t *s, size_t n, uint8_t out[TEXT_MAX], size_t *len)
{
	*len = TEXT_MAX;
	return fits(u8_normalize(form, s, n, out, len), out);
}

static bool
casefold(const uint8_t *s, size_t n, uint8_t out[TEXT_MAX], size_t *len)
{
	*len = TEXT_MAX;
	return fits(u8_casefold(s, n, NULL, UNINORM_NFC, out, len), out);
}

/* NFC, and sound; *len is that of out. */
static const char *
normal(const char *text, uint8_t out[TEXT_MAX], size_t *len)
{
	uint8_t compat[TEXT_MAX];
	size_t n = strlen(text), k;

	if (u8_check((const uint8_t *)text, n) != NULL)
		return "it is no UTF-8";
	if (!normalize(UNINORM_NFC, (const uint8_t *)text, n, out, len) ||
	    !normalize(UNINORM_NFKC, out, *len, compat, &k))
		return "it is too long";
	if (k != *len || memcmp(compat, out, k) != 0)
		return "it has letters of a special form, which look like others";
	return chars_wrong(out, *len);
}

static const char *
spaces_wrong(const char *s, size_t n)
{
	size_t i;

	if (n > 0 && (s[0] == ' ' || s[n - 1] == ' '))
		return "it begins or ends with a space";
	for (i = 1; i < n; i++)
		if (s[i] == ' ' && s[i - 1] == ' ')
			return "it has two spaces together";
	return NULL;
}

const char *
text_display(char text[WIRE_DISPLAY])
{
	uint8_t out[TEXT_MAX];
	const char *why;
	size_t n;

	if ((why = normal(text, out, &n)) != NULL ||
	    (why = spaces_wrong((const char *)out, n)) != NULL)
		return why;
	if (n >= WIRE_DISPLAY || u8_mbsnlen(out, n) > DISPLAY_CHARS)
		return "it has more than 64 characters";
	memset(text, 0, WIRE_DISPLAY);
	memcpy(text, out, n);
	return NULL;
}

/* The part before the '@': folded. */
static const char *
local_part(const char *s, size_t n, char *out, size_t size)
{
	char text[WIRE_EMAIL];
	uint8_t nfc[TEXT_MAX], folded[TEXT_MAX];
	size_t len, k;
	const char *why;

	memcpy(text, s, n);
	text[n] = '\0';
	if ((why = normal(text, nfc, &len)) != NULL)
		return why;
	if (!casefold(nfc, len, folded, &k) || k >= size)
		return "it is too long";
	memcpy(out, folded, k);
	out[k] = '\0';
	return NULL;
}

/* The part behind it: as DNS has it. */
static const char *
domain_part(const char *s, char *out, size_t size)
{
	const char *why = NULL;
	uint8_t nfc[TEXT_MAX];
	char *shown = NULL, *dns = NULL;
	size_t len;

	/* What a reader would see of it follows the rules as well. */
	if (strstr(s, "..") != NULL || idn2_to_unicode_8z8z(s, &shown, 0) != IDN2_OK)
		why = "its domain is none";
	else if ((why = normal(shown, nfc, &len)) == NULL &&
	    (idn2_to_ascii_8z(s, &dns, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) !=
		    IDN2_OK ||
		strlcpy(out, dns, size) >= size))
		why = "its domain is none";
	idn2_free(shown);
	idn2_free(dns);
	return why;
}

const char *
text_email(char text[WIRE_EMAIL])
{
	char out[WIRE_EMAIL];
	const char *at = strrchr(text, '@'), *why;
	size_t n;

	if (text[0] == '\0')
		return NULL;
	if (at == NULL || at == text || at[1] == '\0')
		return "it is no e-mail address";
	why = local_part(text, (size_t)(at - text), out, sizeof(out) - 2);
	if (why != NULL)
		return why;
	n = strlcat(out, "@", sizeof(out));
	if ((why = domain_part(at + 1, out + n, sizeof(out) - n)) != NULL)
		return why;
	if (!account_email_ok(out))
		return "it is no e-mail address";
	memset(text, 0, WIRE_EMAIL);
	strlcpy(text, out, WIRE_EMAIL);
	return NULL;
}

void
text_fold(const char *text, char *out, size_t size)
{
	uint8_t folded[TEXT_MAX];
	size_t n = strlen(text), k;

	/* What is no more than ASCII, which is most of it, needs no tables. */
	for (k = 0; k < n && k + 1 < size && (unsigned char)text[k] < 0x80; k++)
		out[k] = text[k] >= 'A' && text[k] <= 'Z' ? (char)(text[k] + 32) :
							    text[k];
	if (k == n) {
		out[k] = '\0';
		return;
	}
	if (u8_check((const uint8_t *)text, n) != NULL ||
	    !casefold((const uint8_t *)text, n, folded, &k) || k >= size) {
		strlcpy(out, text, size);
		return;
	}
	memcpy(out, folded, k);
	out[k] = '\0';
}
