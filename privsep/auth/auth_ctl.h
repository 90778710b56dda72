/*
 * The control socket: idectl's connections.  One command at a time each.
 */
#ifndef AUTH_CTL_H
#define AUTH_CTL_H

#include "auth.h"

struct ctl {
	TAILQ_ENTRY(ctl) entry;
	struct chan chan;
	char actor[WIRE_NAME]; /* who it is, for the audit */
	permits have;
	uint32_t id;           /* of the command under way */
	enum msg_type command; /* M_NONE: none */
	struct event *timer;
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

/* token_admin.c */
void ctl_rotate(struct chan *, struct msg *);

/* auth_backup.c */
void ctl_backup(struct chan *, struct msg *);
void ctl_backup_fd(struct chan *, struct msg *);
void backup_forget(const struct ctl *);

/* auth_upgrade.c */
void ctl_handover(struct chan *, struct msg *);
void ctl_leave(struct chan *, struct msg *);

#endif
