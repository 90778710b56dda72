/*
 * The IDE: what its workbench asks of its front is answered here, its static
 * files come from the shared copy, and all else goes to the user's own server.
 */
#include <bsd/string.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../privsep/log.h"
#include "../privsep/semver.h"
#include "pages.h"
#include "proxy.h"
#include "respond.h"
#include "routes.h"
#include "session.h"
#include "static.h"
#include "url.h"
#include "wait.h"
#include "worker.h"

#define IDE_FILES   "ide/vscode" /* below the static root */
#define FRONT_FILES "ide/front"
#define AGAIN       5 /* s until a program may ask again whether the IDE is there */

/* Where the workbench is. */
static const char *
ide_base(const struct stream *s)
{
	return (s->w->conf->mode == AUTH_MULTI ? "/ide/" : "/");
}

void
ide_slash(struct stream *s, const char *rest)
{
	char to[HTTP_TARGET_MAX + 8];

	(void)rest;
	if (s->query.p == NULL)
		strlcpy(to, ide_base(s), sizeof(to));
	else
		snprintf(to, sizeof(to), "%s?%.*s", ide_base(s), (int)s->query.len,
		    s->query.p);
	respond_redirect(s, 308, to);
}

/* The workbench goes here when it finds itself logged out. */
void
ide_login(struct stream *s, const char *rest)
{
	(void)rest;
	respond_redirect(s, 302, "/login?to=/ide/");
}

/* --- the page --- */

/* The "name=value" of a query, as it stands there; absent when it is not. */
static struct slice
query_pair(struct slice query, const char *name)
{
	size_t n = strlen(name), len;
	const char *amp;

	while (query.len > 0) {
		amp = memchr(query.p, '&', query.len);
		len = amp == NULL ? query.len : (size_t)(amp - query.p);
		if (len > n && memcmp(query.p, name, n) == 0 && query.p[n] == '=')
			return ((struct slice){ query.p, len });
		len += amp != NULL;
		query.p += len;
		query.len -= len;
	}
	return ((struct slice){ NULL, 0 });
}

static struct slice
opened(const struct stream *s)
{
	struct slice v = { NULL, 0 };

	if (s->query.p == NULL)
		return (v);
	v = query_pair(s->query, "workspace");
	return (v.p != NULL ? v : query_pair(s->query, "folder"));
}

static bool
has_ew(const struct stream *s)
{
	return (s->query.p != NULL && query_pair(s->query, "ew").p != NULL);
}

static void
remember(struct worker *w, struct slice q)
{
	struct m_last m;

	if (q.len >= sizeof(m.query) ||
	    (strlen(w->who.last_query) == q.len &&
		memcmp(w->who.last_query, q.p, q.len) == 0))
		return;
	memset(&m, 0, sizeof(m));
	memcpy(m.query, q.p, q.len);
	if (!auth_there(w) || chan_send(&w->auth, M_LAST, 0, -1, &m, sizeof(m)) == -1)
		return;
	memcpy(w->who.last_query, m.query, sizeof(w->who.last_query));
}

/* What we remembered went through the user's hands: look at it once more. */
static bool
last_ok(const char *q)
{
	if (strncmp(q, "folder=", 7) != 0 && strncmp(q, "workspace=", 10) != 0)
		return (false);
	for (; *q != '\0'; q++)
		if (*q <= ' ' || *q > '~' || *q == '#' || *q == '&')
			return (false);
	return (true);
}

/* Has this browser been told of this build's files before?  Then it has them. */
static bool
has_files(const struct stream *s)
{
	struct slice v = cookie_of(s, IDE_HINTED);

	return (v.p != NULL && slice_eq(v, slice_str(s->w->conf->ide_prefix)));
}

struct header
ide_hinted(const struct stream *s)
{
	static char text[WIRE_TEXT];

	snprintf(text, sizeof(text),
	    IDE_HINTED "=%s; Secure; HttpOnly; SameSite=Lax; Path=%s%s; Max-Age=31536000",
	    s->w->conf->ide_prefix, site_base(s->w), ide_base(s));
	return ((struct header){ SLICE("set-cookie"), slice_str(text) });
}

/*
 * The largest files of the workbench, before its page is there: the browser fetches
 * them while the page is made, or the whole sandbox is.  RFC 8297.  Once only, as it
 * goes past the service worker, which has them afterwards.
 */
static void
hint(struct stream *s)
{
	static const struct {
		const char *file, *as;
	} files[] = {
		{ "workbench.js", "modulepreload" },
		{ "workbench.css", "preload; as=style" },
	};
	const char *prefix = s->w->conf->ide_prefix;
	char text[2][WIRE_TEXT];
	struct header h[2];
	size_t i;

	if (prefix[0] == '\0' || has_files(s) ||
	    !slice_eq(stream_header(s, HDR_SEC_FETCH_DEST), SLICE("document")))
		return;
	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(text[i], sizeof(text[i]),
		    "<%s%s%s/static/out/vs/code/browser/workbench/%s>; rel=%s",
		    site_base(s->w), ide_base(s), prefix, files[i].file, files[i].as);
		h[i] = (struct header){ SLICE("link"), slice_str(text[i]) };
	}
	s->hinted = stream_hint(s, h, i);
}

void
ide_root(struct stream *s, const char *rest)
{
	struct slice q;
	char to[WIRE_QUERY + 16];

	(void)rest;
	if (!s->websocket && s->head.method == METHOD_GET) {
		q = opened(s);
		if (q.p != NULL)
			remember(s->w, q);
		else if (!has_ew(s) && last_ok(s->w->who.last_query)) {
			snprintf(
			    to, sizeof(to), "%s?%s", ide_base(s), s->w->who.last_query);
			respond_redirect(s, 302, to);
			return;
		}
		hint(s);
	}
	proxy_request(s);
}

/* However often its page asks, it is ide-session that says how often one that is
 * broken is started. */
void
ide_error(struct stream *s, unsigned int status, const char *why)
{
	if (s->websocket || !wants_html(s) || !wait_possible(s, status))
		respond_error(s, status, why);
	else
		wait_page(s, status, "The IDE does not answer", why, AGAIN);
}

void
ide_page(const struct stream *s, struct evbuffer *page)
{
	if (evbuffer_add_printf(page,
		"<script src=\"%s/_static/activity.js\"></script>\n",
		site_base(s->w)) == -1)
		fatalx("out of memory");
}

struct header
ide_tells(const struct stream *s)
{
	static char text[WIRE_TEXT];

	snprintf(text, sizeof(text),
	    IDE_TELLS "=1; Secure; HttpOnly; SameSite=Lax; Path=%s%s", site_base(s->w),
	    ide_base(s));
	return ((struct header){ SLICE("set-cookie"), slice_str(text) });
}

/* --- what is below --- */

/*
 * <quality>-<commit>/static/ is the same for all users and never changes.  What
 * the shared copy has not, the user's own server may have.
 */
void
ide_any(struct stream *s, const char *rest)
{
	const char *prefix = s->w->conf->ide_prefix;
	size_t n = strlen(prefix);

	if (n > 0 && !s->websocket &&
	    (s->head.method == METHOD_GET || s->head.method == METHOD_HEAD) &&
	    strncmp(rest, prefix, n) == 0 && strncmp(rest + n, "/static/", 8) == 0 &&
	    static_file(s, IDE_FILES, rest + n + 8, CACHE_IMMUTABLE))
		return;
	proxy_request(s);
}

/*
 * The server sends any file that its user may read, and what a gallery has of an
 * extension, by these names, behind <quality>-<commit>/ or without, and as what its name
 * says: a link is enough to have a browser open it.
 */
bool
ide_is_file(const struct stream *s)
{
	static const char *const names[] = { "/vscode-remote-resource",
		"/web-extension-resource" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (memmem(s->raw_path.p, s->raw_path.len, names[i], strlen(names[i])) !=
		    NULL)
			return (true);
	return (false);
}

/* Pages of ours, and the files that the workbench's front has to have. */
void
front_static(struct stream *s, const char *rest)
{
	static const char name[] = "out/browser/serviceWorker.js";
	const struct www_file *f;

	/* The workbench's own keeps nothing. */
	f = www_find(strcmp(rest, name) == 0 ? "serviceWorker.js" : rest);
	if (f != NULL && f->type[0] != '\0')
		static_www(s, f);
	else if (!static_file(s, FRONT_FILES, rest, CACHE_REVALIDATE))
		respond_error(s, 404, NULL);
}

/* --- what the workbench asks of its front --- */

static void
minted(void *arg, struct msg *m)
{
	struct stream *s = arg;
	struct answer a;

	s->on_close = NULL;
	if (m == NULL || m->head.type != M_MINTED) {
		auth_error(s, m);
		return;
	}
	answer_init(&a, s, ANSWER_DATA);
	answer_add(&a, SLICE("content-type"), SLICE("application/octet-stream"));
	answer_send(&a, 200, MSG_DATA(m, m_minted)->key, WIRE_MINT);
	explicit_bzero(m->u.bytes, sizeof(struct m_minted));
}

/* Half of the key that guards the user's secrets in the browser. */
void
ide_mint(struct stream *s, const char *rest)
{
	(void)rest;
	auth_ask_for(s, M_MINT, NULL, 0, minted);
}

static const char *
ide_version(const struct stream *s)
{
	const char *v = s->w->conf->ide_version;

	return (v[0] == '\0' ? "unknown" : v);
}

/* checked in milliseconds; 0 is now. */
static void
update_answer(struct stream *s, int64_t checked, const char *latest)
{
	const char *v = ide_version(s);
	struct timespec ts;
	struct answer a;
	bool newer = semver_ok(v) && semver_ok(latest) && semver_compare(latest, v) > 0;

	clock_gettime(CLOCK_REALTIME, &ts);
	if (checked == 0)
		checked = (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
	answer_init(&a, s, ANSWER_DATA);
	respond_json(&a, 200,
	    json_pack("{s:I, s:s, s:s, s:b}", "checked", (json_int_t)checked, "latest",
		latest, "current", v, "isLatest", !newer));
}

static void
updated(void *arg, struct msg *m)
{
	const struct m_update *u;
	struct stream *s = arg;

	s->on_close = NULL;
	if (m == NULL || m->head.type != M_UPDATED) {
		auth_error(s, m);
		return;
	}
	u = MSG_DATA(m, m_update);
	if (wire_str(u->version) && semver_ok(u->version))
		update_answer(s, u->checked * 1000, u->version);
	else
		update_answer(s, 0, "unknown");
}

/*
 * Whoever installed ided updates it.  Nobody outside is asked on a user's word: auth
 * knows what it has been told, if the configuration has it ask at all.
 */
void
ide_update(struct stream *s, const char *rest)
{
	(void)rest;
	if (s->w->conf->update_check)
		auth_ask_for(s, M_UPDATE, NULL, 0, updated);
	else
		update_answer(s, 0, ide_version(s));
}

static json_t *
manifest_icon(const char *base, const char *name, const char *size, const char *purpose)
{
	json_t *src = json_sprintf("%s%s/_static/src/browser/media/%s-%s.png",
	    site_base(&worker), base, name, size);

	return (
	    json_pack("{s:o, s:s, s:s, s:s}", "src", src, "type", "image/png", "sizes",
		strcmp(size, "192") == 0 ? "192x192" : "512x512", "purpose", purpose));
}

void
ide_manifest(struct stream *s, const char *rest)
{
	const char *app = s->w->conf->http.app_name;
	const char *base = strncmp(s->path, "/ide/", 5) == 0 ? "/ide" : "";
	char *text;
	json_t *j;
	struct answer a;

	(void)rest;
	j = json_pack("{s:s, s:s, s:s, s:s, s:[s], s:s, s:[oooo]}", "name", app,
	    "short_name", app, "start_url", ".", "display", "fullscreen",
	    "display_override", "window-controls-overlay", "description",
	    "VS Code, in an environment of your own.", "icons",
	    manifest_icon(base, "pwa-icon", "192", "any"),
	    manifest_icon(base, "pwa-icon-maskable", "192", "maskable"),
	    manifest_icon(base, "pwa-icon", "512", "any"),
	    manifest_icon(base, "pwa-icon-maskable", "512", "maskable"));
	text = j == NULL ? NULL : json_dumps(j, JSON_COMPACT);
	json_decref(j);
	if (text == NULL)
		fatalx("manifest");
	answer_init(&a, s, ANSWER_DATA);
	answer_add(&a, SLICE("content-type"), SLICE("application/manifest+json"));
	answer_send(&a, 200, text, strlen(text));
	free(text);
}
