/*
 * What each child gets to know of the configuration, and the facts in files
 * that it names: the certificate, its key's name, the IDE's version.
 */
#include <sys/stat.h>

#include <bsd/stdlib.h>
#include <bsd/string.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509.h>

#include "../log.h"
#include "../logo.h"
#include "box.h"
#include "isolation.h"

static struct sections taken;
static struct conf_for_auth admin; /* only its two last fields */
static uint8_t port_secret[32];

static int
file_read(const char *path, char *buf, size_t size, size_t *len)
{
	struct stat st;
	ssize_t n;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd == -1)
		return -1;
	*len = 0;
	n = -1;
	errno = EINVAL;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		while (*len < size && (n = read(fd, buf + *len, size - *len)) > 0)
			*len += (size_t)n;
	close(fd);
	if (n > 0)
		errno = EFBIG;
	return n == 0 ? 0 : -1;
}

/* A key is called by the SHA-256 of its public half (SPKI). */
static int
key_id(const char *pem, size_t len, uint8_t id[32])
{
	unsigned char *der = NULL;
	X509 *cert = NULL;
	BIO *bio;
	int n = 0;

	bio = BIO_new_mem_buf(pem, (int)len);
	if (bio != NULL)
		cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	if (cert != NULL)
		n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);
	if (n > 0)
		SHA256(der, (size_t)n, id);
	OPENSSL_free(der);
	X509_free(cert);
	BIO_free(bio);
	return n > 0 ? 0 : -1;
}

/* The value of a line "key=value"; letters, digits, dot and dash only. */
static bool
product_value(const char *text, const char *key, char *to, size_t size)
{
	const char *p = text;
	size_t len = strlen(key), n;

	while (strncmp(p, key, len) != 0 || p[len] != '=') {
		p = strchr(p, '\n');
		if (p == NULL)
			return false;
		p++;
	}
	p += len + 1;
	n = strspn(p,
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "0123456789.-");
	if (n == 0 || n >= size || (p[n] != '\n' && p[n] != '\0'))
		return false;
	memcpy(to, p, n);
	to[n] = '\0';
	return true;
}

static int
product_read(struct sections *s, const struct conf *conf, char *err, size_t errlen)
{
	char path[CONF_PATH_MAX + 16], text[4096];
	char quality[16], commit[45];
	size_t len;

	snprintf(path, sizeof(path), "%s/product", conf->ide.path);
	if (file_read(path, text, sizeof(text) - 1, &len) == -1) {
		snprintf(err, errlen, "ide: \"%s\": %s; install it: make ide", path,
		    strerror(errno));
		return -1;
	}
	text[len] = '\0';
	if (!product_value(text, "quality", quality, sizeof(quality)) ||
	    !product_value(text, "commit", commit, sizeof(commit)) ||
	    !product_value(
		text, "version", s->worker.ide_version, sizeof(s->worker.ide_version))) {
		snprintf(err, errlen,
		    "ide: \"%s\": expected lines quality=, "
		    "commit= and version=; install it again: make ide",
		    path);
		return -1;
	}
	/* Where the product has a number of its own for releases, it is that one. */
	(void)product_value(
	    text, "codeserver", s->worker.ide_version, sizeof(s->worker.ide_version));
	snprintf(
	    s->worker.ide_prefix, sizeof(s->worker.ide_prefix), "%s-%s", quality, commit);
	return 0;
}

uint16_t
https_port(const struct conf *conf)
{
	const struct sockaddr_storage *ss;
	uint32_t i;

	for (i = 0; i < conf->nlisten; i++) {
		ss = &conf->listen[i].addr;
		if (conf->listen[i].kind != LISTEN_TLS)
			continue;
		if (ss->ss_family == AF_INET)
			return ntohs(((const struct sockaddr_in *)ss)->sin_port);
		if (ss->ss_family == AF_INET6)
			return ntohs(((const struct sockaddr_in6 *)ss)->sin6_port);
	}
	return 0;
}

static int
logo_read(struct conf_for_worker *w, const char *path, char *err, size_t errlen)
{
	size_t len;

	if (path[0] == '\0')
		return 0;
	if (file_read(path, (char *)w->logo, sizeof(w->logo), &len) == -1) {
		snprintf(err, errlen, "brand logo \"%s\": %s%s", path, strerror(errno),
		    errno == EFBIG ? "; at most 64 KB" : "");
		return -1;
	}
	w->logolen = (uint32_t)len;
	w->logo_type = (uint8_t)logo_type(w->logo, len);
	if (w->logo_type == LOGO_NONE) {
		snprintf(err, errlen,
		    "brand logo \"%s\": expected an image: PNG, JPEG, WebP or SVG", path);
		return -1;
	}
	return 0;
}

int
sections_read(struct sections *s, const struct conf *conf, char *err, size_t errlen)
{
	struct conf_for_worker *w = &s->worker;
	size_t len;

	memset(s, 0, sizeof(*s));
	w->common = conf->common;
	w->prefork = conf->prefork;
	w->http = conf->http;
	w->proxy = conf->proxy;
	w->brand = conf->brand;
	memset(w->brand.logo, 0, sizeof(w->brand.logo)); /* not where it came from */
	w->mode = conf->auth.mode;
	strlcpy(w->account, conf->auth.account, sizeof(w->account));
	w->registration = conf->auth.registration;
	w->password_min = conf->auth.password_min;
	w->password_classes = conf->auth.password_classes;
	w->tls12 = conf->tls.tls12;
	w->tls13 = conf->tls.tls13;
	w->https_port = https_port(conf);
	w->update_check = conf->update.feed[0] != '\0';
	w->session_lifetime = conf->auth.session_lifetime;
	w->nlocation = conf->nlocation;
	memcpy(w->location, conf->location, sizeof(w->location));
	if (locations_resolve(conf, s->address, err, errlen) == -1)
		return -1;
	if (product_read(s, conf, err, errlen) == -1)
		return -1;
	/* The last byte stays zero. */
	if (file_read(conf->tls.certificate, w->cert, sizeof(w->cert) - 1, &len) == -1) {
		snprintf(err, errlen, "tls certificate \"%s\": %s", conf->tls.certificate,
		    strerror(errno));
		return -1;
	}
	w->certlen = (uint32_t)len;
	if (key_id(w->cert, len, s->keyid) == -1) {
		snprintf(err, errlen,
		    "tls certificate \"%s\": holds no "
		    "certificate in PEM form",
		    conf->tls.certificate);
		return -1;
	}
	if (logo_read(w, conf->brand.logo, err, errlen) == -1)
		return -1;
	memcpy(w->keyid, s->keyid, sizeof(w->keyid));
	strlcpy(w->openssl, OpenSSL_version(OPENSSL_VERSION), sizeof(w->openssl));
	return 0;
}

void
sections_take(const struct sections *s)
{
	taken = *s;
	locations_take(taken.address);
}

/*
 * The first administrator's password came by the environment: it leaves it
 * before anything else is started, and this memory with the first auth.
 */
void
sections_admin(void)
{
	static const struct {
		const char *name;
		char *to;
		size_t size;
	} vars[] = {
		{ "IDED_ADMIN_USERNAME", admin.admin_name, sizeof(admin.admin_name) },
		{ "IDED_ADMIN_PASSWORD", admin.admin_password,
		    sizeof(admin.admin_password) },
	};
	unsigned int i;
	char *v;

	for (i = 0; i < sizeof(vars) / sizeof(vars[0]); i++) {
		v = getenv(vars[i].name);
		if (v == NULL)
			continue;
		if (strlcpy(vars[i].to, v, vars[i].size) >= vars[i].size)
			fatalx("%s: too long", vars[i].name);
		explicit_bzero(v, strlen(v));
		unsetenv(vars[i].name);
	}
}

static int
section(const void *data, size_t len, const char *whose)
{
	int fd;

	fd = conf_section_send(data, len);
	if (fd == -1)
		fatal("configuration for %s", whose);
	return fd;
}

int
section_master(void)
{
	static struct conf_for_master m;
	const struct conf *conf = &isolation.conf;

	memset(&m, 0, sizeof(m));
	m.common = conf->common;
	m.nlisten = conf->nlisten;
	memcpy(m.listen, conf->listen, sizeof(m.listen));
	m.prefork = conf->prefork;
	m.idle_exit = conf->idle_exit;
	m.ratelimit = conf->ratelimit;
	return section(&m, sizeof(m), "master");
}

int
section_auth(void)
{
	const struct conf *conf = &isolation.conf;
	struct conf_for_auth a;
	int fd;

	memset(&a, 0, sizeof(a));
	a.common = conf->common;
	a.auth = conf->auth;
	a.nroles = conf->nroles;
	memcpy(a.role, conf->role, sizeof(a.role));
	a.ratelimit = conf->ratelimit;
	a.audit = conf->audit;
	a.uid_first = conf->isolation.uid_first;
	a.uid_count = conf->isolation.uid_count;
	a.idle_freeze = conf->isolation.idle_freeze;
	a.idle_stop = conf->isolation.idle_stop;
	strlcpy(a.update_feed, conf->update.feed, sizeof(a.update_feed));
	strlcpy(a.ide_version, taken.worker.ide_version, sizeof(a.ide_version));
	a.port_first = conf->proxy.port_first;
	a.port_last = conf->proxy.port_last;
	a.share = conf->proxy.share;
	a.share_for = conf->proxy.share_for;
	if (!box_port_possible() ||
	    !box_proxy_uri(conf, a.port_address, sizeof(a.port_address)))
		a.share = SHARE_OFF;
	a.nlocation = conf->nlocation;
	memcpy(a.location, conf->location, sizeof(a.location));
	/* As old as this process: a new auth knows its predecessor's tokens. */
	if (port_secret[0] == 0)
		arc4random_buf(port_secret, sizeof(port_secret));
	port_secret[0] |= 1;
	memcpy(a.port_secret, port_secret, sizeof(a.port_secret));
	memcpy(a.admin_name, admin.admin_name, sizeof(a.admin_name));
	memcpy(a.admin_password, admin.admin_password, sizeof(a.admin_password));
	fd = section(&a, sizeof(a), "auth");
	explicit_bzero(&a, sizeof(a));
	explicit_bzero(&admin, sizeof(admin));
	return fd;
}

int
section_hash(void)
{
	struct conf_for_hash h;

	memset(&h, 0, sizeof(h));
	h.common = isolation.conf.common;
	return section(&h, sizeof(h), "hash");
}

int
section_keys(void)
{
	struct conf_for_keys k;

	memset(&k, 0, sizeof(k));
	k.common = isolation.conf.common;
	memcpy(k.keyid, taken.keyid, sizeof(k.keyid));
	return section(&k, sizeof(k), "keys");
}

/* What the environment says, in the name that is usual and in that of others. */
static bool
variable(char *to, size_t size, const char *name, const char *other)
{
	const char *v = getenv(name);

	if (v == NULL || *v == '\0')
		v = getenv(other);
	if (v == NULL || strlcpy(to, v, size) < size)
		return true;
	log_warnx("%s: too long", name);
	return false;
}

int
section_fetch(void)
{
	struct conf_for_fetch f;
	int fd;

	memset(&f, 0, sizeof(f));
	f.common = isolation.conf.common;
	strlcpy(f.feed, isolation.conf.update.feed, sizeof(f.feed));
	if (!variable(f.proxy, sizeof(f.proxy), "https_proxy", "HTTPS_PROXY") ||
	    !variable(f.no_proxy, sizeof(f.no_proxy), "no_proxy", "NO_PROXY"))
		return -1;
	fd = section(&f, sizeof(f), "fetch");
	explicit_bzero(&f, sizeof(f));
	return fd;
}

int
section_worker(void)
{
	return section(&taken.worker, sizeof(taken.worker), "worker");
}

const uint8_t *
section_keyid(void)
{
	return taken.keyid;
}
