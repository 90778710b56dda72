/*
 * idectl audit verify: is the trail whole?  It reads the files itself, as root, and
 * believes auth, whose files they are, in nothing: each record must hash to what it
 * says and follow the one before; checkpoints must be signed by the key; and what
 * keys has signed last must be there.
 */
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bsd/stdlib.h>
#include <bsd/string.h>

#include <jansson.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "../../privsep/audit_sign.h"
#include "audit.h"
#include "idectl.h"
#include "../../privsep/hex.h"

#define FAULTS_SHOWN 100
#define REMEMBERED   65536 /* hashes of the last records */
#define SEG_HEAD     64    /* auth/audit_store.c */
#define SEG_MAX      (64u << 20)

static struct {
	bool have;
	uint8_t pub[WIRE_ED25519];
	bool have_last;
	struct m_audit_signed last;
} key;

/* One trail: the store's, or the files'. */
struct trail {
	const char *name;
	bool started;
	uint64_t first;
	uint64_t seq; /* of the last one */
	uint8_t hash[WIRE_HASH256];
	uint64_t records;
	uint64_t checkpoints;
	unsigned int faults;
	struct {
		uint64_t seq;
		uint8_t hash[WIRE_HASH256];
	} ring[REMEMBERED];
};

static void fault(struct trail *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void
fault(struct trail *t, const char *fmt, ...)
{
	va_list ap;

	if (++t->faults > FAULTS_SHOWN)
		return;
	printf("%s: ", t->name);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
}

/* The hash that the record of that number had; NULL when it is too long ago. */
static const uint8_t *
remembered(const struct trail *t, uint64_t seq)
{
	const size_t i = (size_t)(seq % REMEMBERED);

	return t->ring[i].seq == seq ? t->ring[i].hash : NULL;
}

/* One record, of which what it says of itself was looked at already. */
static void
follow(struct trail *t, uint64_t seq, const uint8_t *prev, const uint8_t *hash,
    const char *where)
{
	uint64_t next = t->seq + 1;

	if (!t->started)
		t->first = seq;
	else if (seq > next)
		fault(t, "%s: records %" PRIu64 " to %" PRIu64 " are missing", where,
		    next, seq - 1);
	else if (seq < next)
		fault(t, "%s: record %" PRIu64 " comes after record %" PRIu64, where, seq,
		    t->seq);
	else if (memcmp(prev, t->hash, WIRE_HASH256) != 0)
		fault(t,
		    "%s: record %" PRIu64 " does not follow record %" PRIu64
		    ": one of them is not the one that was written",
		    where, seq, t->seq);
	t->started = true;
	t->records++;
	t->seq = seq;
	memcpy(t->hash, hash, sizeof(t->hash));
	t->ring[seq % REMEMBERED].seq = seq;
	memcpy(t->ring[seq % REMEMBERED].hash, hash, WIRE_HASH256);
}

static void
changed(struct trail *t, const char *where)
{
	fault(t, "%s: the record after %" PRIu64 " was changed, or is damaged", where,
	    t->seq);
}

/* What a checkpoint's record says. */
struct said {
	const char *hash;
	const char *key;
	const char *signature;
	uint64_t of;
	int64_t time;
};

static void
checkpoint(struct trail *t, uint64_t seq, const struct said *s)
{
	struct m_audit_signed c;
	const uint8_t *was;

	memset(&c, 0, sizeof(c));
	c.what.seq = s->of;
	c.what.time = s->time;
	if (s->hash == NULL || s->key == NULL || s->signature == NULL ||
	    strlen(s->hash) != AUDIT_HEX || strlen(s->key) != 2 * WIRE_ED25519 ||
	    strlen(s->signature) != 2 * WIRE_ED25519SIG ||
	    !hex_get(c.what.hash, sizeof(c.what.hash), s->hash) ||
	    !hex_get(c.key, sizeof(c.key), s->key) ||
	    !hex_get(c.sig, sizeof(c.sig), s->signature))
		fault(t, "record %" PRIu64 ": a checkpoint that is none", seq);
	else if (!audit_sign_verify(&c, key.have ? key.pub : c.key))
		fault(t, "record %" PRIu64 ": the checkpoint is not signed by %s", seq,
		    key.have ? "the key" : "the key that it names");
	else if ((was = remembered(t, s->of)) != NULL &&
	    memcmp(was, c.what.hash, WIRE_HASH256) != 0)
		fault(t,
		    "record %" PRIu64 ": record %" PRIu64
		    " was signed with another hash than it has",
		    seq, s->of);
	else
		t->checkpoints++;
}

static void
checkpoint_of(struct trail *t, const struct m_audit *r)
{
	const char *name, *value;
	struct said s;
	uint32_t at = 0;
	char kind;

	memset(&s, 0, sizeof(s));
	while (audit_detail_next(r, &at, &name, &kind, &value)) {
		if (strcmp(name, "hash") == 0)
			s.hash = value;
		else if (strcmp(name, "key") == 0)
			s.key = value;
		else if (strcmp(name, "signature") == 0)
			s.signature = value;
		else if (strcmp(name, "of") == 0)
			s.of = strtoull(value, NULL, 10);
		else if (strcmp(name, "time_ms") == 0)
			s.time = strtoll(value, NULL, 10);
	}
	checkpoint(t, r->seq, &s);
}

static void
checkpoint_line(struct trail *t, uint64_t seq, const char *line, size_t len)
{
	struct said s;
	const json_t *d;
	json_t *j;

	if (memmem(line, len, ",\"event\":\"audit.checkpoint\",", 28) == NULL)
		return;
	j = json_loadb(line, len, 0, NULL);
	d = json_object_get(j, "detail");
	s = (struct said){ json_string_value(json_object_get(d, "hash")),
		json_string_value(json_object_get(d, "key")),
		json_string_value(json_object_get(d, "signature")),
		(uint64_t)json_integer_value(json_object_get(d, "of")),
		json_integer_value(json_object_get(d, "time_ms")) };
	checkpoint(t, seq, &s);
	json_decref(j);
}

static uint8_t *
read_whole(const char *path, size_t *len)
{
	struct stat sb;
	uint8_t *p;
	size_t done;
	ssize_t n;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd == -1 || fstat(fd, &sb) == -1 || !S_ISREG(sb.st_mode) ||
	    sb.st_size > SEG_MAX || (p = malloc((size_t)sb.st_size + 1)) == NULL) {
		if (fd != -1)
			close(fd);
		return NULL;
	}
	for (done = 0; done < (size_t)sb.st_size; done += (size_t)n)
		if ((n = read(fd, p + done, (size_t)sb.st_size - done)) <= 0)
			break;
	close(fd);
	*len = done;
	return p;
}

/* One that is being written to may end in the middle of a record. */
static void
segment(struct trail *t, const char *path, const char *name, bool last)
{
	struct m_audit r;
	uint8_t *p;
	size_t len, at, n;
	char where[320];

	if ((p = read_whole(path, &len)) == NULL) {
		fault(t, "%s: %s", name, strerror(errno));
		return;
	}
	for (at = SEG_HEAD; at < len; at += n) {
		snprintf(where, sizeof(where), "%s, byte %zu", name, at);
		if ((n = audit_decode(&r, p + at, len - at)) == 0) {
			if (!last)
				fault(t, "%s: what follows record %" PRIu64 " is damaged",
				    where, t->seq);
			break;
		}
		if (!audit_hash_ok(&r))
			changed(t, where);
		follow(t, r.seq, r.prev, r.hash, where);
		if (strcmp(r.event, "audit.checkpoint") == 0)
			checkpoint_of(t, &r);
	}
	free(p);
}

static int
segments_only(const struct dirent *d)
{
	return strlen(d->d_name) == 20 && strcmp(d->d_name + 16, ".seg") == 0;
}

static void
store(struct trail *t, const char *data)
{
	char folder[WIRE_AUDIT_PATH + 16], path[WIRE_AUDIT_PATH + 320];
	struct dirent **d;
	int i, n;

	snprintf(folder, sizeof(folder), "%s/store/audit", data);
	if ((n = scandir(folder, &d, segments_only, alphasort)) == -1)
		die("%s: %s", folder, strerror(errno));
	for (i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, d[i]->d_name);
		segment(t, path, d[i]->d_name, i == n - 1);
		free(d[i]);
	}
	free(d);
}

static void
file(struct trail *t, const char *path)
{
	uint8_t prev[WIRE_HASH256], hash[WIRE_HASH256];
	char where[WIRE_AUDIT_PATH + 32];
	unsigned long number = 0;
	uint64_t seq;
	char *line = NULL;
	size_t room = 0;
	ssize_t n;
	FILE *f;

	if ((f = fopen(path, "re")) == NULL) {
		fault(t, "%s: %s", path, strerror(errno));
		return;
	}
	while ((n = getline(&line, &room, f)) > 0) {
		snprintf(where, sizeof(where), "%s, line %lu", path, ++number);
		/* What has no end yet is being written. */
		if (line[n - 1] != '\n')
			break;
		if (!audit_line_check(line, (size_t)n - 1, &seq, prev, hash)) {
			changed(t, where);
			continue;
		}
		follow(t, seq, prev, hash, where);
		checkpoint_line(t, seq, line, (size_t)n - 1);
	}
	free(line);
	fclose(f);
}

struct part {
	const char *path;
	uint64_t first;
};

static uint64_t
first_of(const char *path)
{
	uint64_t first;
	int fd;

	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) == -1)
		return UINT64_MAX;
	first = audit_file_first(fd);
	close(fd);
	return first;
}

static int
by_first(const void *a, const void *b)
{
	const struct part *x = a, *y = b;

	return x->first < y->first ? -1 : x->first > y->first;
}

static void
files(struct trail *t, char **paths, size_t n)
{
	struct part *p;
	size_t i;

	if ((p = calloc(n + 1, sizeof(*p))) == NULL)
		die("out of memory");
	for (i = 0; i < n; i++)
		p[i] = (struct part){ paths[i], first_of(paths[i]) };
	qsort(p, n, sizeof(*p), by_first);
	for (i = 0; i < n; i++)
		file(t, p[i].path);
	free(p);
}

/* The file and those that were put aside. */
static void
file_and_old(struct trail *t, const char *path)
{
	char pattern[WIRE_AUDIT_PATH + 64];
	glob_t g;

	memset(&g, 0, sizeof(g));
	snprintf(pattern, sizeof(pattern), "%s-[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]*",
	    path);
	(void)glob(path, GLOB_NOCHECK, NULL, &g);
	(void)glob(pattern, GLOB_APPEND, NULL, &g);
	files(t, g.gl_pathv, g.gl_pathc);
	globfree(&g);
}

static void
key_read(const char *data, const char *given)
{
	char path[WIRE_AUDIT_PATH + 32];
	size_t len = sizeof(key.pub);
	EVP_PKEY *pkey = NULL;
	FILE *f;
	int fd;

	snprintf(path, sizeof(path), "%s/keys/audit.pub", data);
	if ((f = fopen(given != NULL ? given : path, "re")) != NULL) {
		pkey = PEM_read_PUBKEY(f, NULL, NULL, NULL);
		fclose(f);
	}
	key.have = pkey != NULL && EVP_PKEY_is_a(pkey, "ED25519") &&
	    EVP_PKEY_get_raw_public_key(pkey, key.pub, &len) == 1;
	EVP_PKEY_free(pkey);
	if (given != NULL && !key.have)
		die("%s: no Ed25519 public key in PEM form", given);
	if (!key.have)
		return;
	snprintf(path, sizeof(path), "%s/keys/audit.last", data);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) == -1)
		return;
	key.have_last = audit_last_read(fd, key.pub, &key.last);
	close(fd);
}

/* Does it reach as far as it must, and was it the same there? */
static void
reaches(struct trail *t, uint64_t seq, const uint8_t *hash, const char *who, int64_t at)
{
	const uint8_t *was = remembered(t, seq);
	char text[32] = "";

	if (at != 0)
		audit_time_text(text, at);
	if (seq > t->seq)
		fault(t,
		    "cut: it ends with record %" PRIu64 ", and %s record %" PRIu64 "%s%s",
		    t->seq, who, seq, at != 0 ? " at " : "", text);
	else if (was != NULL && memcmp(was, hash, WIRE_HASH256) != 0)
		fault(t, "record %" PRIu64 " is not the one that %s", seq, who);
}

static void
result(struct trail *t)
{
	if (t->faults > FAULTS_SHOWN)
		printf("%s: and %u more\n", t->name, t->faults - FAULTS_SHOWN);
	if (t->records == 0)
		printf("%s: no records\n", t->name);
	else
		printf("%s: records %" PRIu64 " to %" PRIu64 ", %" PRIu64
		       " checkpoints%s: %s\n",
		    t->name, t->first, t->seq, t->checkpoints,
		    key.have ? "" : " (not held against a key: there is none)",
		    t->faults == 0 ? "whole" : "NOT WHOLE");
}

/* What ided says of where things are; false when it does not run. */
static bool
ask_where(const char *socket, struct m_audit_where *w)
{
	struct msg m;

	ctl_connect(socket);
	ctl_send(M_CTL_AUDIT_WHERE, -1, NULL, 0);
	for (;;) {
		ctl_recv(&m, CTL_WAIT);
		if (m.head.type == M_AUDIT_WHERE)
			*w = *MSG_DATA(&m, m_audit_where);
		else if (m.head.type == M_OK)
			break;
		else if (m.head.type == M_FAIL) {
			print_fail(MSG_DATA(&m, m_fail));
			exit(EXIT_FAILED);
		}
	}
	return wire_str(w->data) && wire_str(w->file) && w->data[0] != '\0';
}

static unsigned int
end(struct trail *t, const struct m_audit_where *w, bool head)
{
	unsigned int n;

	if (key.have_last && head)
		reaches(t, key.last.what.seq, key.last.what.hash, "keys signed",
		    key.last.what.time);
	if (w->head != 0 && head)
		reaches(t, w->head, w->hash, "auth has", 0);
	result(t);
	n = t->faults;
	free(t);
	return n;
}

static struct trail *
begin(const char *name)
{
	struct trail *t;

	if ((t = calloc(1, sizeof(*t))) == NULL)
		die("out of memory");
	t->name = name;
	return t;
}

int
audit_verify(
    const char *socket, const char *data, const char *keyfile, char **paths, int npaths)
{
	struct m_audit_where w;
	unsigned int faults = 0;
	struct trail *t;

	memset(&w, 0, sizeof(w));
	if (npaths > 0) {
		/* Files alone: they may be of some days only. */
		key_read(data != NULL ? data : "/nonexistent", keyfile);
		t = begin("files");
		files(t, paths, (size_t)npaths);
		return end(t, &w, data != NULL) == 0 ? EXIT_SUCCESS : EXIT_FAILED;
	}
	if (data == NULL && !ask_where(socket, &w))
		die("nothing is audited: `audit' in the configuration says where to");
	if (data == NULL)
		data = w.data;
	key_read(data, keyfile);
	if (!key.have)
		printf("%s/keys/audit.pub: there is no key: signatures prove nothing\n",
		    data);
	t = begin("store");
	store(t, data);
	faults += end(t, &w, true);
	if (w.file[0] != '\0') {
		t = begin("file");
		file_and_old(t, w.file);
		faults += end(t, &w, true);
	}
	return faults == 0 ? EXIT_SUCCESS : EXIT_FAILED;
}
