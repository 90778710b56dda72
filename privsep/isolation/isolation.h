/*
 * The isolation process: the only one that stays root.  It starts the other
 * privileged processes again when they die, and makes users' sandboxes on
 * auth's word.
 *
 * isolation.c		start, loop, leaving
 * children.c		auth, hash helpers, keys, zygote: one row each
 * reload.c		a new configuration
 * sections.c		what each child gets of the configuration
 * folders.c		data and runtime folders, made and verified
 * worker_root.c	the root of zygote and workers
 * check.c		what must hold outside the configuration file
 * caps.c		which capabilities are kept
 * features.c		what this kernel has
 * seccomp_isolation.c	its own system calls
 * requests.c		what auth asks (M_SB_*)
 * location.c		the site's own services: who asks for them is connected
 * net_*.c		the network of sandboxes (net.h)
 *
 * box.c		users' sandboxes: list, life, end
 * box_folder.c	their folders and control sockets
 * box_limits.c	what each of them may have
 * box_ask.c		what a running sandbox is asked, with time limits
 * box_port.c		connections to ports inside
 * box_adopt.c		those that a predecessor left
 * sandbox_spare.c	sandboxes that wait for their user
 * sandbox_namespace.c, sandbox_directory.c	the strategies: steps in their order
 * sandbox_start.c	the steps from nothing to a running ide-session
 * sandbox_*.c		one file per kernel facility
 * seccomp_user.c	the system calls of users' programs
 * home.c		names and homes
 * home_first.c		what a new home holds
 * storage*.c		limits of storage: see storage.h
 * tree*.c		whole trees of files
 * jobs.c		what takes long, in children of their own
 * fetch.c		who asks the feed of releases
 */
#ifndef ISOLATION_ISOLATION_H
#define ISOLATION_ISOLATION_H

#include <sys/types.h>

#include <event2/event.h>

#include <stdbool.h>
#include <stdint.h>

#include "../chan.h"
#include "../conf.h"
#include "../confsend.h"

struct isolation {
	struct event_base *base;
	struct conf conf;
	const char *conf_file;
	bool verbose;
	struct conf_define *def;
	unsigned int ndef;
	struct chan master; /* one way: we speak */
	struct chan *auth;  /* NULL while there is none */
	int control;        /* listening socket of idectl, for auth */
	/* Folders, opened once. */
	int homes;   /* data/home, root's */
	int volumes; /* data/volume, root's */
	int store;   /* data/store, auth's */
	int keys;    /* data/keys, root's: what keys keeps */
	int empty;   /* runtime/empty */
	int boxes;   /* runtime/sandbox, root only */
	int users;   /* runtime/user, for `directory' */
	int runtime;
	int hostns; /* our own mount namespace */
};

extern struct isolation isolation;

/* isolation.c */
void isolation_leave(int code);
struct timeval isolation_ms(long ms);

/* children.c */
void children_start(void); /* all of them, for the first time */
bool children_reap(pid_t pid, int status);
void children_reload(void); /* new sections; a new zygote */
void children_renew(void);  /* a new zygote */
void children_log(int fd);  /* LOG_FILE to all that write lines */
char *const *children_environment(void);

/* reload.c */
void reload_conf(struct chan *c, uint32_t id);
int reload_log_open(const struct conf_common *common);
void reload_heart(void); /* opens the file for master */

/* sections.c: each returns a sealed memory file, or fatal. */
struct sections {
	struct conf_for_worker worker;
	uint8_t keyid[32];
	struct sockaddr_storage address[CONF_LOCATION_MAX]; /* of locations by TCP */
};
/* Read what the configuration names: certificate, IDE.  0, or -1 and err. */
int sections_read(struct sections *s, const struct conf *conf, char *err, size_t errlen);
void sections_take(const struct sections *s);
void sections_admin(void); /* IDED_ADMIN_*: taken and wiped */
int section_master(void);
int section_auth(void);
int section_hash(void);
int section_keys(void);
int section_worker(void);
int section_fetch(void); /* or -1 */
const uint8_t *section_keyid(void);
uint16_t https_port(const struct conf *conf); /* 0: no listener of TLS */

/* location.c: connections to services of the site's own, and files of its folders. */
int locations_resolve(const struct conf *conf,
    struct sockaddr_storage to[CONF_LOCATION_MAX], char *err, size_t errlen);
void locations_take(const struct sockaddr_storage to[CONF_LOCATION_MAX]);
/* A file of certificates: NULL, or what is wrong. */
const char *ca_lacks(const char *path);
/* What is there for it, on this machine?  NULL, or what is wrong. */
const char *location_lacks(const struct conf_location *);
void location_connect(struct chan *, struct msg *);
void location_file(struct chan *, struct msg *);

/* audit_file.c: the audit trail's file, for auth; -1 with errno. */
int audit_file_check(const char *path);
void audit_file_give(struct chan *auth);
void audit_file_rotate(struct chan *auth, struct msg *);

/* audit_syslog.c: ... and its socket to syslog. */
void audit_syslog_give(struct chan *auth);
void audit_syslog_ask(struct chan *auth, struct msg *);

/* fetch.c: the feed of releases is asked. */
void fetch_start(struct chan *auth, struct msg *);
bool fetch_reap(pid_t pid, int status);
void fetch_leave(void);

/* folders.c */
void folders_open(void);

/* worker_root.c: into a new mount namespace, and out again */
void worker_root_in(int *root);
void worker_root_out(int root);

/* caps.c, seccomp_isolation.c, features.c */
void caps_keep(void);
int caps_only(int cap);
void seccomp_isolation(void);
/* Each thing that this kernel lacks, and whether the configuration requires it. */
typedef void (*features_fn)(void *arg, const char *what, const char *why, bool required);
void features_lacking(const struct conf_isolation *conf, features_fn fn, void *arg);
void features_check(const struct conf_isolation *conf);
int64_t sysctl_number(const char *name); /* below /proc/sys; -1: there is none */

/* requests.c */
extern const struct chan_handler request_handlers[];
void requests_auth_gone(void);

#endif
