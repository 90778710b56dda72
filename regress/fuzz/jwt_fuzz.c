/*
 * A JWT from a client: what is taken is the one spelling of the struct that it gives,
 * byte by byte; and an API token likewise.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../privsep/jwt.h"
#include "../../privsep/token_text.h"
#include "../../worker/jwt_parse.h"
#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *in = malloc(len + 1), text[JWT_TEXT_MAX];
	uint8_t token[WIRE_TOKEN];
	struct m_jwt m;
	size_t n;

	check(in != NULL);
	if (len > 0)
		memcpy(in, data, len);
	if (jwt_parse(&m, (struct slice){ in, len })) {
		check(wire_str(m.jwt.issuer) && wire_str(m.jwt.name));
		check(jwt_alg_name(m.jwt.alg) != NULL && jwt_typ_name(m.jwt.use) != NULL);
		check(m.sig.len >= 64 && m.sig.len <= sizeof(m.sig.bytes));
		check(m.jwt.issued < m.jwt.expires && m.jwt.expires <= JWT_TIME_MAX);
		n = jwt_text(&m.jwt, &m.sig, text);
		check(n == len && memcmp(text, in, n) == 0);
	}
	if (token_text_parse(token, in, len)) {
		token_text(token, text);
		check(len == TOKEN_TEXT && memcmp(text, in, len) == 0);
	}
	free(in);
	return (0);
}
