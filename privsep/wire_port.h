/*
 * What messages carry of ports of sandboxes: their own user's, and those that are
 * shared.  A part of wire.h.
 */
#ifndef PRIVSEP_WIRE_PORT_H
#define PRIVSEP_WIRE_PORT_H

#include <stdint.h>

/*
 * M_PORT: a connection to a port of the user's own sandbox is wanted; M_PORT_FD
 * carries it.
 */
struct m_port {
	uint16_t port;
	uint8_t pad[6];
};

/*
 * The sign-on of a port's origin (auth_port.c).  M_PORT_CODE, on the main origin:
 * a code for that port and for the browser that knows what nonce is the SHA-256
 * of; M_PORT_ENTER, on the port's: here it is, once; M_PORT_TOKEN: the token that
 * came of it.  M_WHO answers the last one.
 */
struct m_port_code {
	uint8_t nonce[WIRE_TOKEN];
	uint16_t port;
	uint8_t pad[6];
};
struct m_port_coded {
	uint8_t code[WIRE_TOKEN];
};
struct m_port_enter {
	uint8_t code[WIRE_TOKEN];
	uint8_t nonce[WIRE_TOKEN];
	uint8_t owner[WIRE_OWNER]; /* of the browser's last token; 0: none */
	uint16_t port;
	uint8_t pad[6];
};
struct m_port_token {
	uint8_t token[WIRE_TOKEN];
	uint16_t port;
	uint8_t pad[6];
};

/*
 * Shared ports (auth_share.c).  A share has a name of its own, which nobody guesses
 * and which is never given again; with the port before it, it is a label of the proxy
 * domain.
 *
 * M_SHARE_CODE, M_SHARE_ENTER, M_SHARE_TOKEN: the sign-on of a visitor, as a port's.
 * M_SHARE_VISIT: somebody is at its address; M_SHARE_VISITED: what is to be done.
 * M_SHARE_PORT: a connection to it; M_PORT_FD carries it.  M_SHARE_SIGN: a word about
 * the visitor; M_LOCATION_SIGNED.
 */
#define WIRE_SHARE      10 /* random bytes */
#define WIRE_SHARE_TEXT 17 /* 16 of 0-9 and a-v */
struct wire_share {
	uint8_t id[WIRE_SHARE];
	uint16_t port;
};
struct m_share_code {
	struct m_port_code code;
	struct wire_share share;
	uint8_t pad[4];
};
struct m_share_enter {
	struct m_port_enter enter;
	struct wire_share share;
	uint8_t pad[4];
};
struct m_share_token {
	struct m_port_token token;
	struct wire_share share;
	uint8_t pad[4];
};
struct m_share_visited {
	uint32_t what; /* enum wire_visit */
	uint32_t pad;
};
enum wire_visit {
	VISIT_NONE = 1, /* there is no such share (any more) */
	VISIT_SIGN_ON,  /* it is for users */
	VISIT_GUEST,    /* it is for everybody: come in */
};

/* With whom. */
enum wire_share_with {
	SHARE_WITH_USERS = 1,
	SHARE_WITH_PUBLIC,
};
/* M_SHARE_ADD: a port of one's own sandbox; from idectl, of user's. */
struct m_share_add {
	char user[WIRE_NAME];
	char pad[3];
	uint32_t port;
	uint32_t with; /* enum wire_share_with */
	uint32_t pad2;
	uint64_t lifetime; /* seconds; 0: as long as policy has it */
};
/* M_SHARE_END: likewise; port 0: all of them. */
struct m_share_ref {
	char user[WIRE_NAME];
	char pad[3];
	uint32_t port;
};
/* M_ROW_SHARE */
#define WIRE_SHARE_ADDRESS 328
struct m_share {
	char user[WIRE_NAME];
	char pad[3];
	uint32_t port;
	uint32_t with;
	uint32_t visitors; /* connections of them right now */
	uint32_t pad2;
	int64_t created;
	int64_t expires; /* 0: with the sandbox */
	char address[WIRE_SHARE_ADDRESS];
};

#endif
