/*
 * Static files: below the static root, and those compiled in.
 */
#ifndef WORKER_STATIC_H
#define WORKER_STATIC_H

#include <stdbool.h>
#include <stddef.h>

#include "stream.h"
#include "www.h"

/* How long a browser may keep it. */
enum static_cache {
	CACHE_REVALIDATE, /* asks each time whether it is still the same */
	CACHE_IMMUTABLE   /* under this address it never changes */
};

/*
 * The file's path below the root ("ide/vscode/out/a.js") for a folder there and
 * the rest of a request's path, which has been through url_path().  False
 * for what cannot name a file to be served.
 */
bool static_path(char *dst, size_t size, const char *folder, const char *rest);
/* Never NULL. */
const char *static_type(const char *path);

/* Answers with the file, as a whole, in part or not at all (304, 416); false,
 * and no answer, when there is no such file. */
bool static_file(
    struct stream *s, const char *folder, const char *rest, enum static_cache cache);
void static_www(struct stream *s, const struct www_file *f);
/* The same with a file that was opened elsewhere; takes the descriptor.  name is for
 * its type. */
void static_fd(struct stream *s, int fd, const char *name);

#endif /* WORKER_STATIC_H */
