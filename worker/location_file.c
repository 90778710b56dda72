/*
 * Locations that are folders of files: see location.h.  A worker opens nothing there:
 * isolation does, after auth has allowed it, and hands the file over.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "location.h"
#include "respond.h"
#include "routes.h"
#include "session.h"
#include "static.h"

#define INDEX "index.html"

/* The path in the folder, with the page of a folder that is asked for by its '/'. */
static bool
path_of(char *dst, size_t size, const struct stream *s, const struct location *l)
{
	const char *rest = s->path + l->len;
	size_t n = strlen(rest);
	int len;

	len = snprintf(
	    dst, size, "%s%s", rest, n == 0 || rest[n - 1] == '/' ? INDEX : "");
	return (len > 0 && (size_t)len < size);
}

static void
to_folder(struct stream *s)
{
	char to[HTTP_TARGET_MAX + 8];
	struct slice q = s->query;

	snprintf(to, sizeof(to), "%.*s/%s%.*s", (int)s->raw_path.len, s->raw_path.p,
	    q.p != NULL ? "?" : "", (int)q.len, q.p != NULL ? q.p : "");
	respond_redirect(s, 308, to);
}

static void
on_file(void *arg, struct msg *m)
{
	struct stream *s = arg;
	const struct location *l = location_of(s);
	char path[WIRE_FILE];
	int fd;

	s->on_close = NULL;
	if (m != NULL && m->head.type == M_LOCATION_FILE_FD && l != NULL &&
	    path_of(path, sizeof(path), s, l) && (fd = msg_take_fd(m)) != -1)
		static_fd(s, fd, path);
	else if (m != NULL && m->head.type == M_FAIL &&
	    MSG_DATA(m, m_fail)->code == FAIL_EXISTS)
		to_folder(s);
	else if (m != NULL && m->head.type == M_FAIL &&
	    MSG_DATA(m, m_fail)->code == FAIL_NOT_FOUND)
		respond_error(s, 404, NULL);
	else
		auth_error(s, m);
}

void
location_file(struct stream *s, const struct location *l)
{
	struct m_location_file q;

	memset(&q, 0, sizeof(q));
	memcpy(q.location, l->id, sizeof(q.location));
	s->websocket = false;
	if (s->head.method != METHOD_GET && s->head.method != METHOD_HEAD)
		respond_error(s, 405, NULL);
	else if (s->path[0] == '\0' || !path_of(q.path, sizeof(q.path), s, l))
		respond_error(s, 404, NULL);
	else
		auth_ask_for(s, M_LOCATION_FILE, &q, sizeof(q), on_file);
}
