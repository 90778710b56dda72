/* An address of the web, as far as ided asks there itself: https and nothing else. */
#ifndef PRIVSEP_HTTPS_URL_H
#define PRIVSEP_HTTPS_URL_H

#include <stdbool.h>
#include <stdint.h>

#define HTTPS_HOST_MAX 256
#define HTTPS_PATH_MAX 1024

struct https_url {
	char host[HTTPS_HOST_MAX]; /* without brackets */
	uint16_t port;
	char path[HTTPS_PATH_MAX]; /* with the query; begins with "/" */
};

/* "https://host[:port][/path]": no name, no password, no fragment. */
bool https_url_parse(const char *, struct https_url *);

/* A path with its query, as it stands in a request. */
bool https_path_ok(const char *);

/* "host[:port]" into u; returns what follows, NULL if it is none. */
const char *https_authority(const char *, uint16_t port, struct https_url *u);

/* "host[:port]", or "[address]:port": as it stands in a request. */
#define HTTPS_AUTHORITY_MAX (HTTPS_HOST_MAX + 16)
const char *https_authority_text(
    const struct https_url *, bool port, char buf[HTTPS_AUTHORITY_MAX]);

#endif
