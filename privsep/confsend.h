/*
 * Sections of the configuration on their way to the process that they concern:
 * a sealed memory file (memfd_create(2), F_ADD_SEALS) that holds one struct.
 */
#ifndef PRIVSEP_CONFSEND_H
#define PRIVSEP_CONFSEND_H

#include <stddef.h>

#include "conf.h"

struct conf_for_master {
	struct conf_common common;
	uint32_t nlisten;
	struct conf_listen listen[CONF_LISTEN_MAX];
	struct conf_prefork prefork;
	uint32_t idle_exit;
	struct conf_ratelimit ratelimit;
};

#define LOGO_MAX 65536

struct conf_for_worker {
	struct conf_common common;
	struct conf_prefork prefork;
	struct conf_http http;
	struct conf_brand brand;
	struct conf_proxy proxy;
	uint8_t mode;     /* enum conf_auth_mode */
	char account[33]; /* the one, unless it is multi */
	uint8_t registration;
	uint32_t password_min; /* said where one is set */
	uint32_t password_classes;
	uint8_t tls12;
	uint8_t tls13;
	uint16_t https_port;       /* for redirects */
	uint32_t session_lifetime; /* the cookie's Max-Age */
	uint8_t update_check;      /* auth knows of releases */
	char ide_prefix[64];       /* "<quality>-<commit>" of the IDE installed */
	char ide_version[32];      /* as its makers count releases */
	uint32_t certlen;          /* PEM chain follows in cert */
	char cert[65536];
	uint8_t keyid[32]; /* SHA-256 of the SPKI */
	char openssl[64];  /* the machine's; the worker has one of its own */
	uint8_t logo_type; /* enum logo_type (logo.h) */
	uint32_t logolen;
	uint8_t logo[LOGO_MAX];
	uint32_t nlocation;
	struct conf_location location[CONF_LOCATION_MAX];
};

struct conf_for_auth {
	struct conf_common common;
	struct conf_auth auth;
	uint32_t nroles;
	struct role role[CONF_ROLE_MAX];
	struct conf_ratelimit ratelimit;
	struct conf_audit audit;
	uint32_t uid_first;
	uint32_t uid_count;
	uint32_t idle_freeze;
	uint32_t idle_stop;
	char update_feed[CONF_PATH_MAX]; /* "": nobody is asked */
	char ide_version[32];
	uint16_t port_first; /* of sandboxes, that may be reached */
	uint16_t port_last;
	uint8_t port_secret[32]; /* of their origins' tokens: auth_port.c */
	uint8_t share;           /* enum conf_share */
	uint32_t share_for;
	char port_address[CONF_DOMAIN_MAX + 32]; /* {{port}} in it; "": none */
	uint32_t nlocation;
	struct conf_location location[CONF_LOCATION_MAX];
	/* The first administrator, only on an empty store; wiped after use. */
	char admin_name[33];
	char admin_password[1025];
};

struct conf_for_keys {
	struct conf_common common;
	uint8_t keyid[32];
};

struct conf_for_hash {
	struct conf_common common;
};

struct conf_for_fetch {
	struct conf_common common;
	char feed[CONF_PATH_MAX];
	char proxy[CONF_PATH_MAX]; /* of the environment; "" for none */
	char no_proxy[CONF_PATH_MAX];
};

/* A sealed memory file with len bytes, or -1. */
int conf_section_send(const void *section, size_t len);
/* Read one back; fatal on anything but exactly len bytes.  Closes fd. */
void conf_section_recv(int fd, void *section, size_t len);

#endif
