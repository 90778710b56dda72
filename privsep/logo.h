/*
 * A site's logo: which images it may be, told by how they begin.
 */
#ifndef PRIVSEP_LOGO_H
#define PRIVSEP_LOGO_H

#include <stddef.h>
#include <stdint.h>

enum logo_type {
	LOGO_NONE,
	LOGO_PNG,
	LOGO_JPEG,
	LOGO_WEBP,
	LOGO_SVG,
};

enum logo_type logo_type(const uint8_t *data, size_t len);

#endif
