/*
 * Open static files, and the small ones' content.  Files below the static
 * root do not change while ided runs, so what was found out is remembered.
 */
#ifndef WORKER_STATIC_CACHE_H
#define WORKER_STATIC_CACHE_H

#include <sys/types.h>

#include <stdbool.h>
#include <stdint.h>

#define CACHE_FILES 48 /* files remembered */
#define CACHE_PATH                                                                       \
	512                     /* longest path that is; longer ones are                 \
				 * looked up each time */
#define CACHE_SMALL (16 * 1024) /* content kept up to this size */
#define CACHE_TAG   48

/* One encoding of a file. */
struct variant {
	bool looked;  /* it is known whether it is there */
	int fd;       /* -1: absent, or in mem */
	uint8_t *mem; /* the content of a small one */
	uint64_t size;
	int64_t mtime;
	char tag[CACHE_TAG]; /* ETag, quotes included */
	size_t taglen;
	char modified[32]; /* Last-Modified */
};

/* By coding: CODING_IDENTITY, CODING_GZIP, CODING_BR. */
#define CACHE_CODINGS 3

struct cached {
	char path[CACHE_PATH];
	size_t pathlen; /* 0: free */
	const char *type;
	uint64_t used;     /* when, for eviction */
	unsigned int refs; /* streams that read from it */
	struct variant v[CACHE_CODINGS];
};

/* NULL: too many files are in use at once, or the path is too long. */
struct cached *cache_get(const char *path);
void cache_ref(struct cached *);
void cache_unref(struct cached *);
/* The file in that coding (one CODING_ bit); NULL: there is none. */
struct variant *cache_variant(int rootfd, struct cached *, unsigned int coding);

#endif /* WORKER_STATIC_CACHE_H */
