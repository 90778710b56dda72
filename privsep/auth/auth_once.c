/*
 * Creating calls that come twice: who sends the same one again, with the same
 * Idempotency-Key, is answered as at first, and nothing more is made.  A key is
 * that of whoever sends it; nobody's, of the address that it comes from.
 */
#include <openssl/evp.h>

#include <string.h>

#include "auth_peer.h"
#include "store_record.h"

static void
key_of(const struct asker *who, const struct wire_once *once, uint8_t key[STORE_KEY])
{
	uint8_t buf[4 + INET6_ADDRSTRLEN + sizeof(once->key)];

	memset(buf, 0, sizeof(buf));
	record_put32be(buf, who->uid);
	if (who->uid == 0)
		memcpy(buf + 4, who->from, sizeof(who->from));
	memcpy(buf + 4 + INET6_ADDRSTRLEN, once->key, sizeof(once->key));
	if (EVP_Digest(buf, sizeof(buf), key, NULL, EVP_sha256(), NULL) != 1)
		fatalx("SHA-256 failed");
}

bool
once_wanted(const struct wire_once *once)
{
	static const struct wire_once none;

	return memcmp(once->key, none.key, sizeof(none.key)) != 0;
}

enum once_is
once_look(const struct asker *who, const struct wire_once *once, struct store_once *o)
{
	uint8_t key[STORE_KEY];

	memset(o, 0, sizeof(*o));
	if (!once_wanted(once))
		return ONCE_FIRST;
	key_of(who, once, key);
	if (store_once_get(auth.store, key, o) != STORE_OK) {
		memset(o, 0, sizeof(*o));
		memcpy(o->key, key, sizeof(o->key));
		memcpy(o->body, once->body, sizeof(o->body));
		o->at = auth_now();
		return ONCE_FIRST;
	}
	if (memcmp(o->body, once->body, sizeof(o->body)) == 0)
		return ONCE_AGAIN;
	asker_fail(who, FAIL_EXISTS, "Idempotency-Key",
	    "this Idempotency-Key came with another request before");
	return ONCE_REFUSED;
}

void
once_gone(const struct asker *who)
{
	asker_fail(who, FAIL_EXISTS, "Idempotency-Key",
	    "what this request made is not there any more");
}
