/*
 * What messages carry of tokens for programs, and of the keys that sign them.  A part of
 * wire.h.
 */
#ifndef PRIVSEP_WIRE_TOKEN_H
#define PRIVSEP_WIRE_TOKEN_H

#include <stdint.h>

/*
 * Tokens as JWT (jwt.h).  A token's claims, as a struct: times in seconds since the
 * epoch, nbf is iat.
 */
#define WIRE_ISSUER  128
#define WIRE_KID     17 /* 16 hex digits */
#define WIRE_JTI     33 /* 32 hex digits */
#define WIRE_JWT_SIG 512
#define JWT_TIME_MAX 253402300799LL /* the year 9999 */
struct wire_jwt {
	char issuer[WIRE_ISSUER];
	char name[WIRE_NAME];
	char session[WIRE_SESSION]; /* the family: sid */
	char jti[WIRE_JTI];
	char kid[WIRE_KID];
	char pad[4];
	uint32_t alg; /* enum wire_jwt_alg */
	uint32_t use; /* enum wire_jwt_use */
	uint32_t uid;
	uint32_t version;    /* of all of the user's tokens */
	uint32_t generation; /* of the family: counts refreshments */
	uint32_t pad2;
	int64_t issued;
	int64_t expires;
};
enum wire_jwt_alg { JWT_EDDSA = 1, JWT_RS256 };
enum wire_jwt_use { JWT_ACCESS = 1, JWT_REFRESH };
struct wire_jwt_sig {
	uint32_t len;
	uint8_t bytes[WIRE_JWT_SIG];
	uint32_t pad;
};

/* API tokens. */
#define WIRE_LABEL  65  /* a name for a person: at most 64 bytes */
#define WIRE_SCOPES 512 /* PERMITS_TEXT */

/* M_JWT_USE, M_JWT_REFRESH: what a worker read in a token; auth believes only what
 * the signature holds for (jwt.h). */
struct m_jwt {
	struct wire_jwt jwt;
	struct wire_jwt_sig sig;
};
/* M_TOKENS: a new pair, to a login or a refreshment. */
struct m_tokens {
	struct m_jwt access;
	struct m_jwt refresh;
	struct wire_who who;
};
/* M_TOKEN_ADD */
struct m_token_add {
	char name[WIRE_LABEL];
	char scopes[WIRE_SCOPES]; /* names of permissions, a space between */
	char pad[7];
	uint64_t lifetime; /* seconds; 0: for ever */
	struct wire_once once;
};
/* M_CTL_TOKEN_ADD: an API token for a user */
struct m_user_token {
	char user[WIRE_NAME];
	char name[WIRE_LABEL];
	char scopes[WIRE_SCOPES]; /* names of permissions */
	char pad[6];
	uint64_t lifetime; /* seconds; 0: for ever */
};

/* M_ROW_TOKEN */
struct m_token {
	char id[WIRE_SESSION];
	char user[WIRE_NAME];
	char name[WIRE_LABEL];
	char scopes[WIRE_SCOPES];
	char pad[5];
	int64_t created;
	int64_t expires; /* 0: never */
	int64_t seen;    /* 0: never */
};
/* M_ROW_TOKEN_MADE: with its secret, which is shown this once; all zero: it was. */
struct m_token_made {
	struct m_token is;
	uint8_t token[WIRE_TOKEN];
};

/* M_KEYSTORE, with the file that token keys are kept in: at start, at a reload. */
struct m_keystore {
	uint32_t alg;     /* of new keys */
	uint32_t rotate;  /* seconds that one signs */
	uint32_t overlap; /* ... and after which no token of its is good any more */
	uint32_t pad;
};
/* M_JWT_SIGN: both tokens of a pair; keys fills in alg and kid. */
struct m_jwt_sign {
	struct wire_jwt access;
	struct wire_jwt refresh;
};
struct m_jwt_signed {
	uint32_t ok;
	uint32_t alg;
	char kid[WIRE_KID];
	char pad[7];
	struct wire_jwt_sig access;
	struct wire_jwt_sig refresh;
};
/* M_JWT_KEYS: the public keys that tokens may be signed with.  Of an Ed25519 key
 * its 32 bytes, of an RSA key the modulus; its exponent is 65537. */
#define WIRE_JWT_KEYS 8
#define WIRE_JWT_PUB  512
struct wire_jwt_key {
	char kid[WIRE_KID];
	char pad[7];
	uint32_t alg;
	uint32_t len;
	uint8_t pub[WIRE_JWT_PUB];
};
struct m_jwt_keys {
	uint32_t count;
	uint32_t pad;
	struct wire_jwt_key key[WIRE_JWT_KEYS];
};
/* M_JWT_ROTATE: a new key at once; forget: the others are good for nothing more. */
struct m_jwt_rotate {
	uint32_t forget;
	uint32_t pad;
};

#endif
