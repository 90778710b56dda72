/*
 * Open static files: see static_cache.h.
 */
#include <sys/stat.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../privsep/log.h"
#include "range.h"
#include "static.h"
#include "static_cache.h"

static struct cached *files[CACHE_FILES];
static size_t nfiles; /* that were ever used */
static uint64_t clock_hand;

static const struct {
	unsigned int coding;
	const char *suffix;
	const char *tag;
} codings[CACHE_CODINGS] = {
	{ CODING_IDENTITY, "", "" },
	{ CODING_GZIP, ".gz", "-gz" },
	{ CODING_BR, ".br", "-br" },
};

static void
cache_clear(struct cached *c)
{
	for (size_t i = 0; i < CACHE_CODINGS; i++) {
		if (c->v[i].looked && c->v[i].fd != -1)
			close(c->v[i].fd);
		free(c->v[i].mem);
		c->v[i] = (struct variant){ .fd = -1 };
	}
	c->pathlen = 0;
}

struct cached *
cache_get(const char *path)
{
	size_t len = strlen(path);
	struct cached *c, *oldest = NULL;

	if (len == 0 || len >= CACHE_PATH)
		return (NULL);
	clock_hand++;
	for (size_t i = 0; i < nfiles; i++) {
		c = files[i];
		if (c->pathlen == len && memcmp(c->path, path, len) == 0) {
			c->used = clock_hand;
			return (c);
		}
		if (c->refs == 0 && (oldest == NULL || c->used < oldest->used))
			oldest = c;
	}
	if (nfiles < CACHE_FILES) {
		if ((oldest = calloc(1, sizeof(*oldest))) == NULL)
			fatal("calloc");
		files[nfiles++] = oldest;
	}
	if (oldest == NULL)
		return (NULL);
	cache_clear(oldest);
	memcpy(oldest->path, path, len + 1);
	oldest->pathlen = len;
	oldest->type = static_type(path);
	oldest->used = clock_hand;
	return (oldest);
}

void
cache_ref(struct cached *c)
{
	c->refs++;
}

void
cache_unref(struct cached *c)
{
	c->refs--;
}

/* A small one is read at once, and its descriptor given back. */
static void
keep_small(struct variant *v)
{
	size_t got = 0;
	ssize_t n;

	if (v->size > CACHE_SMALL)
		return;
	if ((v->mem = malloc(v->size + 1)) == NULL)
		fatal("malloc");
	while (got < v->size &&
	    (n = pread(v->fd, v->mem + got, v->size - got, (off_t)got)) > 0)
		got += (size_t)n;
	if (got < v->size) {
		free(v->mem);
		v->mem = NULL;
		return;
	}
	close(v->fd);
	v->fd = -1;
}

static void
look(int rootfd, const struct cached *c, struct variant *v, const char *suffix,
    const char *tag)
{
	char path[CACHE_PATH + 4];
	struct stat st;

	v->looked = true;
	snprintf(path, sizeof(path), "%s%s", c->path, suffix);
	/* These flags and no others: the filter knows them. */
	v->fd = openat(rootfd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (v->fd == -1)
		return;
	if (fstat(v->fd, &st) == -1 || !S_ISREG(st.st_mode)) {
		close(v->fd);
		v->fd = -1;
		return;
	}
	v->size = (uint64_t)st.st_size;
	/* Packages date all their files alike; when it came here does tell. */
	v->mtime = st.st_mtime > st.st_ctime ? st.st_mtime : st.st_ctime;
	v->taglen = (size_t)snprintf(v->tag, sizeof(v->tag), "\"%llx-%llx%s\"",
	    (unsigned long long)v->mtime, (unsigned long long)v->size, tag);
	http_date_format(v->modified, v->mtime);
	keep_small(v);
}

struct variant *
cache_variant(int rootfd, struct cached *c, unsigned int coding)
{
	struct variant *v;

	for (size_t i = 0; i < CACHE_CODINGS; i++) {
		if (codings[i].coding != coding)
			continue;
		v = &c->v[i];
		if (!v->looked)
			look(rootfd, c, v, codings[i].suffix, codings[i].tag);
		return (v->fd == -1 && v->mem == NULL ? NULL : v);
	}
	return (NULL);
}
