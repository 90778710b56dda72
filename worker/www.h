/*
 * The pages of our own and what they load, compiled in: made from www/ by
 * www/embed.
 */
#ifndef WORKER_WWW_H
#define WORKER_WWW_H

#include <stddef.h>

struct www_file {
	const char *name;
	const char *type; /* "": a template, not to be served as it is */
	const char *tag;  /* of its content; the ETag, without quotes */
	const unsigned char *data;
	size_t len;
	const unsigned char *gz;
	size_t gzlen;
};

/* Ends with name NULL. */
extern const struct www_file www_files[];

const struct www_file *www_find(const char *name);

#endif /* WORKER_WWW_H */
