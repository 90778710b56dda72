/*
 * Which location of the configuration is meant (WIRE_LOCATION): a digest of all that
 * it says of it, but for where in the file that stands.
 */
#ifndef PRIVSEP_LOCATION_H
#define PRIVSEP_LOCATION_H

#include <stdint.h>

#include "conf.h"
#include "wire.h"

void location_id(const struct conf_location *, uint8_t id[WIRE_LOCATION]);
/* NULL when there is none of that name (any more). */
const struct conf_location *location_find(
    const struct conf_location *, uint32_t n, const uint8_t id[WIRE_LOCATION]);

#endif
