/*
 * What messages carry of services of the site's own, and what is told them of whom they
 * serve.  A part of wire.h.
 */
#ifndef PRIVSEP_WIRE_LOCATION_H
#define PRIVSEP_WIRE_LOCATION_H

#include <stdint.h>

/*
 * Services of the site's own: locations of the configuration.  Which one is told by a
 * digest of all that the configuration says about it (location.h), so that two
 * processes that speak of one mean the same, whatever was reloaded meanwhile.
 *
 * M_LOCATION: a connection to it is wanted; M_LOCATION_FD carries it.  M_SB_LOCATION:
 * auth allows it.  M_LOCATION_SIGN: a word about the user for it, M_LOCATION_SIGNED.
 */
#define WIRE_LOCATION 16
#define WIRE_PREFIX   64
#define WIRE_FILE     1024
struct m_location {
	uint8_t location[WIRE_LOCATION];
};
/* M_LOCATION_FILE, M_SB_FILE: a file below its root, no '/' first; M_LOCATION_FILE_FD */
struct m_location_file {
	uint8_t location[WIRE_LOCATION];
	char path[WIRE_FILE];
};
/* M_JWT_ASSERT: who it is, for that service alone; auth alone may have it signed.
 * M_JWT_ASSERTED: with alg and kid, and no signature when there can be none. */
struct wire_assertion {
	struct wire_jwt jwt; /* use, version and generation: 0 */
	char location[WIRE_PREFIX];
	char roles[WIRE_ROLES];
};
struct m_location_signed {
	struct wire_assertion assertion;
	struct wire_jwt_sig sig;
};

#endif
