/*
 * Makes privsep/auth/like_table.h: what looks like what, as ICU knows it by UTS 39.
 *
 *	cc -o like-table etc/like-table.c -licui18n -licuuc && ./like-table
 *
 * needs Debian's libicu-dev.  A row is a character that a name or an address may hold
 * (auth_text.h), and what is to be put in its place for comparing: its skeleton, folded
 * and composed as those texts are.
 */
#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/uspoof.h>
#include <unicode/ustring.h>
#include <unicode/uversion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(e)                                                                         \
	do {                                                                             \
		if (U_FAILURE(e)) {                                                      \
			fprintf(stderr, "%s\n", u_errorName(e));                         \
			exit(1);                                                         \
		}                                                                        \
	} while (0)

static const UNormalizer2 *nfc, *nfkc;

static int
may_stand(UChar32 c, const UChar *s, int32_t n)
{
	static const uint32_t never = U_GC_C_MASK | U_GC_Z_MASK;
	UErrorCode e = U_ZERO_ERROR;
	int ok;

	if (c == ' ')
		return 0;
	ok = (U_GET_GC_MASK(c) & never) == 0 &&
	    !u_hasBinaryProperty(c, UCHAR_DEFAULT_IGNORABLE_CODE_POINT) &&
	    unorm2_isNormalized(nfc, s, n, &e) && unorm2_isNormalized(nfkc, s, n, &e) &&
	    u_foldCase(c, U_FOLD_CASE_DEFAULT) == c;
	CHECK(e);
	return ok;
}

int
main(void)
{
	UErrorCode e = U_ZERO_ERROR;
	USpoofChecker *sc = uspoof_open(&e);
	UChar s[8], skel[64], fold[64], norm[64];
	char utf8[128];
	int32_t n, len;
	UChar32 c;

	nfc = unorm2_getNFCInstance(&e);
	nfkc = unorm2_getNFKCInstance(&e);
	CHECK(e);
	printf("/*\n * Made by etc/like-table.c from ICU %s, Unicode %s; see like.h.\n"
	       " * Copyright (c) 1991-2022 Unicode, Inc.: like_table.license.\n */\n"
	       "/* clang-format off */\n",
	    U_ICU_VERSION, U_UNICODE_VERSION);
	for (c = 0x21; c <= 0x10ffff; c++) {
		if (c >= 0xac00 && c <= 0xdfff) /* syllables; surrogates */
			continue;
		n = 0;
		U16_APPEND_UNSAFE(s, n, c);
		if (!may_stand(c, s, n))
			continue;
		len = uspoof_getSkeleton(sc, 0, s, n, skel, 64, &e);
		len = u_strFoldCase(fold, 64, skel, len, U_FOLD_CASE_DEFAULT, &e);
		len = unorm2_normalize(nfc, fold, len, norm, 64, &e);
		CHECK(e);
		if (len == n && memcmp(norm, s, (size_t)n * sizeof(*s)) == 0)
			continue;
		u_strToUTF8(utf8, sizeof(utf8), &len, norm, len, &e);
		CHECK(e);
		/* Longer ones are ligatures, which no other text is likely to spell. */
		if (len == 0 || len >= 12)
			continue;
		printf("{ 0x%05x, \"", (unsigned int)c);
		for (int32_t i = 0; i < len; i++)
			if ((unsigned char)utf8[i] < 0x80 && utf8[i] != '"' &&
			    utf8[i] != '\\')
				putchar(utf8[i]);
			else
				printf("\\%03o", (unsigned char)utf8[i]);
		printf("\" },\n");
	}
	uspoof_close(sc);
	return 0;
}
