/*
 * Tokens as JWT (RFC 7519, RFC 9068): their one spelling.
 *
 * Who splits and decodes what a client sent is the worker (worker/jwt_parse.h), the
 * one process that reads bytes of the network; auth and keys hear a struct
 * wire_jwt and never a text.  But a worker may lie about what a token says, so
 * nobody behind the boundary believes the struct: it is written out again, here,
 * and the signature is held against that.  Hence there is nothing to be confused about:
 * which algorithm, which key, which claims, in which order and spelling follows from the
 * struct, and a token that says anything else, or the same in other words, is not
 * one that we signed.
 *
 * As what is signed is written by this function and by no other, keys signs
 * nothing but tokens.
 */
#ifndef PRIVSEP_JWT_H
#define PRIVSEP_JWT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire.h"

/* What is signed, and with the signature at its end; a NUL included. */
#define JWT_INPUT_MAX 1280
#define JWT_TEXT_MAX  (JWT_INPUT_MAX + 1 + JWT_BASE64(WIRE_JWT_SIG))

/* Bytes that n bytes are as base64url without padding (RFC 7515 2). */
#define JWT_BASE64(n) (((n)*4 + 2) / 3)

/* Both are terminated; return the length, 0 when the struct is not sound. */
size_t jwt_input(const struct wire_jwt *, char buf[JWT_INPUT_MAX]);
size_t jwt_text(
    const struct wire_jwt *, const struct wire_jwt_sig *, char buf[JWT_TEXT_MAX]);

/*
 * The same of a word about a user for one service of the site (wire_assertion).  It
 * says who it is to that service and to nobody else, ided included: its typ is none
 * of a token's.
 */
#define JWT_ASSERTION_LIFE 60 /* seconds */
size_t jwt_assertion_input(const struct wire_assertion *, char buf[JWT_INPUT_MAX]);
size_t jwt_assertion_text(
    const struct wire_assertion *, const struct wire_jwt_sig *, char buf[JWT_TEXT_MAX]);

/* dst has room for JWT_BASE64(len) + 1. */
size_t jwt_base64(char *dst, const void *src, size_t len);

const char *jwt_alg_name(uint32_t alg); /* "EdDSA", "RS256"; NULL */
const char *jwt_typ_name(uint32_t use); /* "at+jwt", "rt+jwt"; NULL */
const char *jwt_aud_name(uint32_t use);

/* Of what a name of the issuer may be made: what JSON shows as it is. */
bool jwt_issuer_ok(const char *issuer);
/* Exactly n hex digits in lower case. */
bool jwt_hex_ok(const char *s, size_t n);

#endif
