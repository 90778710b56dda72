/*
 * conf_check(): the world outside the configuration file, looked at before
 * anything is started or a new configuration is taken.
 */
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <stdarg.h>
#include <stdbool.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "../conf.h"
#include "../sandbox.h"
#include "../spawn.h"
#include "isolation.h"
#include "sandbox_steps.h"
#include "net.h"
#include "storage.h"
#include "tree.h"

struct check {
	conf_error_fn fn;
	void *arg;
	int count;
};

static void complain(struct check *, const char *, ...)
    __attribute__((format(printf, 2, 3)));

static void
complain(struct check *c, const char *fmt, ...)
{
	char line[CONF_PATH_MAX * 2 + 512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	c->count++;
	c->fn(c->arg, line);
}

/* A folder that belongs to root and that nobody else may write to. */
static bool
folder(struct check *c, const char *what, const char *path)
{
	struct stat st;

	if (lstat(path, &st) == -1) {
		complain(c, "%s \"%s\": %s; make it: install -d -m 0711 %s", what, path,
		    strerror(errno), path);
		return false;
	}
	if (!S_ISDIR(st.st_mode)) {
		complain(c, "%s \"%s\": is not a folder", what, path);
		return false;
	}
	if (st.st_uid != 0 || (st.st_mode & 022) != 0) {
		complain(c,
		    "%s \"%s\": owner %u, mode %04o; only root may write to "
		    "it: chown root %s && chmod go-w %s",
		    what, path, st.st_uid, st.st_mode & 07777, path, path);
		return false;
	}
	return true;
}

static void
data_folder(struct check *c, const struct conf *conf)
{
	const char *path = conf->common.data;
	struct statvfs vfs;

	if (!folder(c, "data", path))
		return;
	if (statvfs(path, &vfs) == 0 && (vfs.f_bavail == 0 || vfs.f_favail == 0))
		complain(c, "data \"%s\": the disk is full; free some space first", path);
}

static void
runtime_folder(struct check *c, const struct conf *conf)
{
	char parent[CONF_PATH_MAX];
	struct stat st;
	char *slash;

	if (lstat(conf->common.runtime, &st) == 0) {
		folder(c, "runtime", conf->common.runtime);
		return;
	}
	/* It is made at start, as /run is empty after each boot. */
	snprintf(parent, sizeof(parent), "%s", conf->common.runtime);
	slash = strrchr(parent, '/');
	if (slash == NULL || slash == parent)
		return;
	*slash = '\0';
	if (stat(parent, &st) == -1 || !S_ISDIR(st.st_mode))
		complain(c, "runtime \"%s\": its parent folder %s is missing",
		    conf->common.runtime, parent);
}

static FILE *
open_tls_file(struct check *c, const char *what, const char *path, bool secret)
{
	struct stat st;
	FILE *fp;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd == -1) {
		complain(c, "tls %s \"%s\": %s", what, path, strerror(errno));
		return NULL;
	}
	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode)) {
		complain(c, "tls %s \"%s\": is not a regular file", what, path);
		close(fd);
		return NULL;
	}
	if (secret && (st.st_uid != 0 || (st.st_mode & 077) != 0)) {
		complain(c,
		    "tls key \"%s\": owner %u, mode %04o; only root may read it: "
		    "chown root %s && chmod 0600 %s",
		    path, st.st_uid, st.st_mode & 07777, path, path);
		close(fd);
		return NULL;
	}
	fp = fdopen(fd, "r");
	if (fp == NULL)
		close(fd);
	return fp;
}

/* A key that asks for a passphrase cannot be used by a daemon. */
static int
no_passphrase(char *buf, int size, int rw, void *arg)
{
	(void)buf;
	(void)size;
	(void)rw;
	*(bool *)arg = true;
	return -1;
}

static void
key_strength(struct check *c, const char *path, EVP_PKEY *key)
{
	if (EVP_PKEY_is_a(key, "RSA") && EVP_PKEY_get_bits(key) >= 2048)
		return;
	if (EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_bits(key) >= 256)
		return;
	complain(c,
	    "tls key \"%s\": expected an ECDSA key of at least 256 bits or an "
	    "RSA key of at least 2048",
	    path);
}

static bool
uses_tls(const struct conf *conf)
{
	uint32_t i;

	for (i = 0; i < conf->nlisten; i++)
		if (conf->listen[i].kind == LISTEN_TLS)
			return true;
	return false;
}

/* Each port and each webview has a name below it, and browsers take no other's. */
static void
proxy_domain(struct check *c, const struct conf *conf, X509 *cert)
{
	char host[CONF_DOMAIN_MAX + 8];

	if (conf->proxy.domain[0] == '\0')
		return;
	snprintf(host, sizeof(host), "3000%s", conf->proxy.domain + 1);
	if (X509_check_host(cert, host, 0, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) ==
	    1)
		return;
	complain(c,
	    "tls certificate \"%s\": is not for %s, which is the proxy domain; get one "
	    "that names it (subjectAltName), or leave \"domain\" out",
	    conf->tls.certificate, conf->proxy.domain);
}

static void
tls_files(struct check *c, const struct conf *conf)
{
	const char *cert_path = conf->tls.certificate;
	const char *key_path = conf->tls.key;
	bool encrypted = false;
	EVP_PKEY *key = NULL;
	X509 *cert = NULL;
	FILE *fp;

	fp = open_tls_file(c, "certificate", cert_path, false);
	if (fp != NULL) {
		cert = PEM_read_X509(fp, NULL, NULL, NULL);
		fclose(fp);
		if (cert == NULL)
			complain(c,
			    "tls certificate \"%s\": holds no certificate in "
			    "PEM form",
			    cert_path);
	}
	fp = open_tls_file(c, "key", key_path, true);
	if (fp != NULL) {
		key = PEM_read_PrivateKey(fp, NULL, no_passphrase, &encrypted);
		fclose(fp);
		if (key == NULL)
			complain(c,
			    encrypted ?
				"tls key \"%s\": is encrypted; decrypt it: "
				"openssl pkey -in KEY -out NEWKEY" :
				"tls key \"%s\": holds no private key in PEM form",
			    key_path);
		else
			key_strength(c, key_path, key);
	}
	if (cert != NULL && key != NULL && X509_check_private_key(cert, key) != 1)
		complain(c,
		    "tls certificate \"%s\" and key \"%s\" do not belong "
		    "together",
		    cert_path, key_path);
	if (cert != NULL && uses_tls(conf))
		proxy_domain(c, conf, cert);
	if (cert != NULL && X509_cmp_current_time(X509_get0_notAfter(cert)) < 0)
		complain(c, "tls certificate \"%s\": has expired; renew it", cert_path);
	X509_free(cert);
	EVP_PKEY_free(key);
	ERR_clear_error();
}

static void
ide(struct check *c, const struct conf *conf)
{
	static const char *const parts[] = { "node/bin/node", "server/out/server-main.js",
		"static/vscode", "static/front", "product", "cli/policy.js" };
	char path[CONF_PATH_MAX + 64];
	struct stat st;
	size_t i, n = sizeof(parts) / sizeof(parts[0]);

	/* The last one is for who has rules for extensions. */
	if (conf->ide.nextensions == 0)
		n--;
	for (i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/%s", conf->ide.path, parts[i]);
		if (stat(path, &st) == 0 && st.st_uid == 0 && (st.st_mode & 022) == 0)
			continue;
		complain(c,
		    "ide \"%s\": %s is missing, or not root's alone; install "
		    "VS Code: make ide IDEDIR=%s",
		    conf->ide.name, path, conf->ide.path);
		return;
	}
}

/* Each sandbox opens it again; here it is said before there is one. */
static void
binds(struct check *c, const struct conf_isolation *conf)
{
	struct stat st;
	uint32_t i;
	int fd;

	for (i = 0; i < conf->nbind; i++) {
		fd = bind_open(conf->bind[i].path);
		if (fd == -1)
			complain(c, "bind \"%s\": %s", conf->bind[i].path,
			    errno == ELOOP ?
				"a symbolic link is on the way; name the folder "
				"that it leads to" :
				strerror(errno));
		else if (fstat(fd, &st) == 0 && !S_ISDIR(st.st_mode) &&
		    !S_ISREG(st.st_mode))
			complain(c, "bind \"%s\": is neither a folder nor a file",
			    conf->bind[i].path);
		if (fd != -1)
			close(fd);
	}
}

/* The addresses that stand in files of their own. */
static void
table_files(struct check *c, const struct conf *conf)
{
	char err[CONF_PATH_MAX + NET_ERR];
	struct net_list list;
	uint32_t t;

	for (t = 0; t < conf->net.ntable; t++) {
		if (conf->net.table[t].file[0] == '\0')
			continue;
		if (net_file_read(conf->net.table[t].file, &list, err, sizeof(err)) == -1)
			complain(c, "%s", err);
		else
			net_file_free(&list);
	}
}

static void
skeleton(struct check *c, const struct conf_isolation *conf)
{
	struct tree_report report;
	struct tree_rules rules;
	const char *why;
	int fd;

	if (conf->skel[0] == '\0')
		return;
	fd = skel_open(conf->skel, &why);
	if (fd == -1) {
		complain(c, "isolation skel \"%s\": %s", conf->skel, why);
		return;
	}
	skel_rules(&rules, 0, conf->storage, conf->files);
	if (tree_check(fd, &rules, &report) == -1)
		complain(c, "isolation skel \"%s\": %s %s", conf->skel, report.path,
		    report.why);
	close(fd);
}

/* Where it is not to be chosen for what there is. */
static void
volumes(struct check *c, const struct conf_isolation *conf)
{
	const char *tool = tool_missing();

	if (conf->storage_by == STORAGE_VOLUME && tool != NULL)
		complain(c,
		    "isolation storage by volume: %s is missing; install it: "
		    "apt-get install e2fsprogs",
		    tool);
}

static void
locations(struct check *c, const struct conf *conf)
{
	const struct conf_location *l;
	const char *lacks;
	uint32_t i;

	for (i = 0; i < conf->nlocation; i++) {
		l = &conf->location[i];
		lacks = location_lacks(l);
		if (lacks != NULL)
			complain(c, "location \"%s\": %s", l->prefix, lacks);
	}
}

static void
update_check(struct check *c, const struct conf_update *conf)
{
	const char *lacks;

	if (conf->feed[0] != '\0' && (lacks = ca_lacks(conf->ca)) != NULL)
		complain(c, "update-check: %s", lacks);
}

int
conf_check(const struct conf *conf, conf_error_fn error, void *arg)
{
	struct check c = { error, arg, 0 };
	const char *missing;

	if (accounts_load(&missing) == -1)
		complain(&c,
		    "account \"%s\" is missing; make it: systemd-sysusers, or "
		    "useradd --system --user-group %s",
		    missing, missing);
	data_folder(&c, conf);
	runtime_folder(&c, conf);
	if (uses_tls(conf) || conf->tls.key[0] != '\0')
		tls_files(&c, conf);
	ide(&c, conf);
	skeleton(&c, &conf->isolation);
	volumes(&c, &conf->isolation);
	binds(&c, &conf->isolation);
	table_files(&c, conf);
	locations(&c, conf);
	update_check(&c, &conf->update);
	return c.count;
}
