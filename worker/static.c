/*
 * Static files: see static.h.  RFC 9110: conditional requests (13), ranges
 * (14), negotiated encodings (12.5.3).
 */
#include <sys/stat.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../privsep/log.h"
#include "range.h"
#include "port.h"
#include "respond.h"
#include "static.h"
#include "static_cache.h"
#include "worker.h"

#define STEP (64 * 1024) /* bytes read at once */

/* What is sent: a piece of memory or of a file. */
struct source {
	struct cached *file; /* to be given back; NULL: none */
	bool own;            /* fd is to be closed */
	const uint8_t *mem;  /* NULL: read from fd */
	int fd;
	uint64_t off, left;
};

/* What there is to know of a representation. */
struct content {
	const char *type;
	struct slice tag;     /* quotes included */
	const char *modified; /* NULL: not known */
	int64_t mtime;
	uint64_t size;
	unsigned int coding;
	bool varies; /* other encodings exist, or may */
	enum static_cache cache;
	bool worker; /* a service worker of the whole site */
	bool image;  /* SVG, which could hold more than a picture */
};

static bool source_push(struct stream *, struct source *);

static void
source_drain(struct stream *s)
{
	struct source *src = s->arg;

	if (source_push(s, src) && src->left == 0)
		stream_end(s);
}

/* The file is not read any more. */
static void
source_done(const struct source *src)
{
	if (src->file != NULL)
		cache_unref(src->file);
	if (src->own)
		close(src->fd);
}

static void
source_close(struct stream *s)
{
	struct source *src = s->arg;

	source_done(src);
	free(src);
}

/* One step of a file into the answer; false when it cannot be read. */
static bool
file_step(struct stream *s, struct source *src, size_t n)
{
	static uint8_t buf[STEP];
	uint8_t *p = stream_reserve(s, n);
	ssize_t got;

	got = pread(src->fd, p != NULL ? p : buf, n, (off_t)src->off);
	if (got <= 0)
		return (false);
	if (p != NULL)
		stream_commit(s, (size_t)got);
	else
		stream_write(s, buf, (size_t)got);
	src->off += (uint64_t)got;
	src->left -= (uint64_t)got;
	return (true);
}

/* As much as there is room for; false when it cannot go on. */
static bool
source_push(struct stream *s, struct source *src)
{
	size_t n;

	while (src->left > 0 && (n = stream_room(s)) > 0) {
		n = n < STEP ? n : STEP;
		n = n < src->left ? n : (size_t)src->left;
		if (src->mem != NULL) {
			stream_write(s, src->mem + src->off, n);
			src->off += n;
			src->left -= n;
		} else if (!file_step(s, src, n)) {
			log_warnx("static file cannot be read");
			stream_reset(s);
			return (false);
		}
	}
	return (true);
}

static void
source_send(struct stream *s, const struct source *from)
{
	struct source src = *from, *keep;
	bool ok = source_push(s, &src);

	if (ok && src.left == 0)
		stream_end(s);
	if (!ok || src.left == 0) {
		source_done(&src);
		return;
	}
	if ((keep = malloc(sizeof(*keep))) == NULL)
		fatal("malloc");
	*keep = src;
	s->arg = keep;
	s->on_drain = source_drain;
	s->on_close = source_close;
}

static void
content_headers(struct answer *a, const struct content *c)
{
	static const struct slice cache[] = {
		[CACHE_REVALIDATE] = { "no-cache", 8 },
		[CACHE_IMMUTABLE] = { "public, max-age=31536000, immutable", 35 },
	};

	answer_add(a, SLICE("etag"), c->tag);
	answer_add(a, SLICE("cache-control"), cache[c->cache]);
	if (c->varies)
		answer_add(a, SLICE("vary"), SLICE("accept-encoding"));
	if (c->modified != NULL)
		answer_add(a, SLICE("last-modified"), slice_str(c->modified));
	if (c->worker)
		answer_add(a, SLICE("service-worker-allowed"), SLICE("/"));
	if (c->image)
		answer_add(a, SLICE("content-security-policy"),
		    SLICE("default-src 'none'; style-src 'unsafe-inline'; sandbox"));
}

/* Takes what src holds: source_done(). */
static void
content_send(struct stream *s, const struct content *c, struct source *src)
{
	uint64_t first = 0, last = 0;
	unsigned int status = 200;
	struct answer a;

	s->traffic = TRAFFIC_STATIC;
	/* Webviews are framed by another origin. */
	answer_init(&a, s, s->w->site == SITE_VIEW ? ANSWER_PORT : ANSWER_ASSET);
	content_headers(&a, c);
	if (range_not_modified(stream_header(s, HDR_IF_NONE_MATCH),
		stream_header(s, HDR_IF_MODIFIED_SINCE), c->tag, c->mtime)) {
		stream_respond(s, 304, a.h, a.n, -1);
		stream_end(s);
		source_done(src);
		return;
	}
	answer_add(&a, SLICE("content-type"), slice_str(c->type));
	answer_add(&a, SLICE("accept-ranges"), SLICE("bytes"));
	if (c->coding != CODING_IDENTITY)
		answer_add(
		    &a, SLICE("content-encoding"), slice_str(coding_name(c->coding)));
	src->left = c->size;
	if (s->head.method == METHOD_GET &&
	    range_if_range(stream_header(s, HDR_IF_RANGE), c->tag, c->mtime)) {
		switch (
		    range_parse(stream_header(s, HDR_RANGE), c->size, &first, &last)) {
		case RANGE_PART:
			status = 206;
			src->off += first;
			src->left = last - first + 1;
			answer_fmt(&a, SLICE("content-range"), "bytes %llu-%llu/%llu",
			    (unsigned long long)first, (unsigned long long)last,
			    (unsigned long long)c->size);
			break;
		case RANGE_UNSATISFIABLE:
			answer_init(&a, s, ANSWER_DATA);
			answer_fmt(&a, SLICE("content-range"), "bytes */%llu",
			    (unsigned long long)c->size);
			respond_error_with(&a, 416, NULL);
			source_done(src);
			return;
		case RANGE_NONE:
			break;
		}
	}
	stream_respond(s, status, a.h, a.n, (int64_t)src->left);
	if (s->head.method == METHOD_HEAD) {
		stream_end(s);
		source_done(src);
		return;
	}
	source_send(s, src);
}

/* The best encoding that exists; NULL: no such file. */
static struct variant *
pick(struct stream *s, struct cached *file, unsigned int *coding)
{
	struct slice ae = stream_header(s, HDR_ACCEPT_ENCODING);
	unsigned int have = CODING_IDENTITY | CODING_GZIP | CODING_BR;
	struct variant *v;

	while ((*coding = coding_negotiate(ae, have)) != 0) {
		if ((v = cache_variant(s->w->rootfd, file, *coding)) != NULL)
			return (v);
		have &= ~*coding;
	}
	/* Nothing it would like: better this than nothing. */
	*coding = CODING_IDENTITY;
	return (cache_variant(s->w->rootfd, file, CODING_IDENTITY));
}

static bool
ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return (n >= m && strcmp(s + n - m, end) == 0);
}

bool
static_file(
    struct stream *s, const char *folder, const char *rest, enum static_cache cache)
{
	char path[CACHE_PATH];
	struct cached *file;
	struct variant *v;
	struct content c;
	struct source src;
	unsigned int coding;

	if (!static_path(path, sizeof(path), folder, rest))
		return (false);
	if ((file = cache_get(path)) == NULL) {
		respond_error(s, 503, NULL);
		return (true);
	}
	if ((v = pick(s, file, &coding)) == NULL)
		return (false);
	c = (struct content){ .type = file->type,
		.tag = { v->tag, v->taglen },
		.modified = v->modified,
		.mtime = v->mtime,
		.size = v->size,
		.coding = coding,
		.varies = true,
		.cache = cache,
		.worker = ends_with(path, "/serviceWorker.js") };
	cache_ref(file);
	src = (struct source){ .file = file, .mem = v->mem, .fd = v->fd };
	content_send(s, &c, &src);
	return (true);
}

void
static_fd(struct stream *s, int fd, const char *name)
{
	struct source src = { .fd = fd, .own = true };
	char tag[64], modified[HTTP_DATE_LEN + 1];
	struct content c;
	struct stat st;

	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode)) {
		close(fd);
		respond_error(s, 502, "What was handed over is no file.");
		return;
	}
	/* Its content may change within a second. */
	snprintf(tag, sizeof(tag), "\"%llx-%lx-%llx\"", (unsigned long long)st.st_mtime,
	    (unsigned long)st.st_mtim.tv_nsec, (unsigned long long)st.st_size);
	http_date_format(modified, st.st_mtime);
	c = (struct content){ .type = static_type(name),
		.tag = slice_str(tag),
		.modified = modified,
		.mtime = st.st_mtime,
		.size = (uint64_t)st.st_size,
		.coding = CODING_IDENTITY,
		.varies = true,
		.cache = CACHE_REVALIDATE };
	content_send(s, &c, &src);
}

void
static_www(struct stream *s, const struct www_file *f)
{
	unsigned int have = CODING_IDENTITY | (f->gz != NULL ? CODING_GZIP : 0);
	unsigned int coding = coding_negotiate(
	    stream_header(s, HDR_ACCEPT_ENCODING), have);
	bool gz = coding == CODING_GZIP;
	char tag[32], version[32];
	struct content c;
	struct source src;

	snprintf(tag, sizeof(tag), "\"%s%s\"", f->tag, gz ? "-gz" : "");
	snprintf(version, sizeof(version), "v=%s", f->tag);
	c = (struct content){ .type = f->type,
		.tag = slice_str(tag),
		.mtime = INT64_MAX, /* no date is later */
		.size = gz ? f->gzlen : f->len,
		.coding = gz ? CODING_GZIP : CODING_IDENTITY,
		.varies = f->gz != NULL,
		.worker = ends_with(f->name, "serviceWorker.js"),
		.image = strcmp(f->type, "image/svg+xml") == 0,
		.cache = s->query.p != NULL && slice_eq(s->query, slice_str(version)) ?
		    CACHE_IMMUTABLE :
		    CACHE_REVALIDATE };
	src = (struct source){ .mem = gz ? f->gz : f->data, .fd = -1 };
	content_send(s, &c, &src);
}
