/*
 * What may be signed: the two things that a TLS server signs, in full and in
 * their exact form, under the schemes that fit the key.  Nobody can have a
 * digest signed that was computed elsewhere.
 */
#ifndef PRIVSEP_KEYS_SIGN_H
#define PRIVSEP_KEYS_SIGN_H

#include <stdint.h>

#include "../wire.h"

enum sign_form {
	FORM_NONE,
	FORM_TLS13 = 0x1, /* CertificateVerify, RFC 8446 4.4.3 */
	FORM_TLS12 = 0x2 /* ServerKeyExchange with ECDHE, RFC 8422 5.4 */,
};

enum sign_result {
	SIGN_OK,
	SIGN_FAILED,   /* nobody's fault: an unknown key, no memory */
	SIGN_VIOLATION /* no honest worker asks for this */
};

enum sign_form sign_form(const uint8_t *tbs, uint32_t len);
/* *ans is filled whatever comes of it; *why is a static string unless OK. */
enum sign_result sign_tls(
    const struct m_sign *req, struct m_signed *ans, const char **why);

#endif
