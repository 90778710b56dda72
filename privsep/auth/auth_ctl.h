/*
 * The control socket: idectl's connections.  One command at a time each.
 */
#ifndef AUTH_CTL_H
#define AUTH_CTL_H

#include "auth.h"

enum ctl_list {
	LIST_NONE,
	LIST_USERS,
	LIST_SESSIONS,
};

struct ctl {
	TAILQ_ENTRY(ctl) entry;
	struct chan chan;
	char actor[32]; /* who it is, for the audit */
	permits have;
	uint32_t id;           /* of the command under way */
	enum msg_type command; /* M_NONE: none */
	struct event *timer;
	/* A list that is sent as fast as it is read. */
	enum ctl_list list;
	char after[WIRE_NAME];
	uint32_t uid; /* whose sessions; 0: all */
	/* CTL_USER_ADD and CTL_USER_PASSWD while the hash is made. */
	struct m_user_edit edit;
	/* CTL_EXEC until its three descriptors are here. */
	struct m_exec *exec;
	int fds[3];
	/* CTL_STATUS */
	uint32_t sandboxes;
};

/* auth_ctl.c: each ends the command. */
void ctl_ok(struct ctl *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void ctl_fail(struct ctl *, enum wire_fail, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void ctl_store_fail(struct ctl *, enum store_result, const char *what);
void ctl_exit(struct ctl *, int status);
void ctl_done(struct ctl *); /* answered already */

/* A command begins; false (and answered) if another is under way. */
bool ctl_begin(struct ctl *, const struct msg *);
/* The account that a command names; false (and answered) if there is none. */
bool ctl_account(struct ctl *, const char *name, size_t size, struct store_account *);
void ctl_bad(struct ctl *, const char *why);
void ctl_list_start(struct ctl *, enum ctl_list, uint32_t uid);

/* auth_ctl_user.c */
void ctl_user_add(struct chan *, struct msg *);
void ctl_user_list(struct chan *, struct msg *);
void ctl_user_show(struct chan *, struct msg *);
void ctl_user_passwd(struct chan *, struct msg *);
void ctl_user_disable(struct chan *, struct msg *);
void ctl_user_enable(struct chan *, struct msg *);
void ctl_user_delete(struct chan *, struct msg *);
void ctl_user_row(const struct store_account *, struct m_user *);

/* auth_ctl_sandbox.c */
void ctl_sandbox_list(struct chan *, struct msg *);
void ctl_sandbox_show(struct chan *, struct msg *);
void ctl_sandbox_stop(struct chan *, struct msg *);
void ctl_exec(struct chan *, struct msg *);
void ctl_exec_fd(struct chan *, struct msg *);
void ctl_exec_forget(struct ctl *);
void ctl_status(struct chan *, struct msg *);

/* auth_audit.c */
void ctl_audit_query(struct chan *, struct msg *);
void ctl_audit_where(struct chan *, struct msg *);

/* auth_upgrade.c */
void ctl_handover(struct chan *, struct msg *);
void ctl_leave(struct chan *, struct msg *);

#endif
