/* Names of locations: see location.h. */
#include <openssl/evp.h>

#include <string.h>

#include "location.h"
#include "log.h"

/* Plain data, of which each byte was set: conf.h. */
void
location_id(const struct conf_location *l, uint8_t id[WIRE_LOCATION])
{
	struct conf_location all;
	uint8_t md[EVP_MAX_MD_SIZE];

	memcpy(&all, l, sizeof(all));
	all.line = 0;
	if (EVP_Digest(&all, sizeof(all), md, NULL, EVP_sha256(), NULL) != 1)
		fatalx("SHA-256 failed");
	memcpy(id, md, WIRE_LOCATION);
}

const struct conf_location *
location_find(const struct conf_location *l, uint32_t n, const uint8_t id[WIRE_LOCATION])
{
	uint8_t its[WIRE_LOCATION];
	uint32_t i;

	for (i = 0; i < n && i < CONF_LOCATION_MAX; i++) {
		location_id(&l[i], its);
		if (memcmp(its, id, sizeof(its)) == 0)
			return &l[i];
	}
	return NULL;
}
