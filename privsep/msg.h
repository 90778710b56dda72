/*
 * The one list of messages: everything that may pass between two processes.
 *
 *	M(name, from, to, state, smallest, largest, descriptor)
 *
 * name        M_<name> in the code, <name> in logs and in ided-msg(7)
 * from, to    the roles that may send and receive it
 * state       of the receiving end's channel in which it is accepted: S_NEW
 *             (nobody is known yet), S_BOUND (the channel acts for one user),
 *             S_PORT (for one port of one user's sandbox, and nothing else),
 *             S_SHARE (for one port that somebody shares, and nothing else; whoever
 *             visits it may be nobody), S_SITE (the first two), S_USER (S_BOUND and
 *             S_PORT), S_ANY
 * smallest,
 * largest     payload in bytes; equal for fixed layouts (wire.h)
 * descriptor  FD_NONE, or what must come with it: FD_CHAN (a channel's end),
 *             FD_SOCK (a stream socket), FD_FILE (a regular or memory file),
 *             FD_PIPE, FD_LISTEN (a listening socket), FD_DGRAM (a local
 *             datagram socket)
 *
 * chan_recv() (chan.h) checks all of it before a handler runs.  What is not
 * listed here cannot be said.
 */
#ifndef PRIVSEP_MSG_H
#define PRIVSEP_MSG_H

#include <stddef.h>
#include <stdint.h>

#include "wire.h"

enum proc {
	P_MASTER = 0x001,
	P_ZYGOTE = 0x002,
	P_WORKER = 0x004,
	P_AUTH = 0x008,
	P_HASH = 0x010,
	P_KEYS = 0x020,
	P_ISOLATION = 0x040,
	P_SESSION = 0x080,
	P_CTL = 0x100,
	P_FETCH = 0x200,
};

enum msg_state {
	S_NEW = 0x1,
	S_BOUND = 0x2,
	S_PORT = 0x4,
	S_SHARE = 0x8,
	S_SITE = 0x3,
	S_USER = 0x6,
	S_ANY = 0xf,
};
enum msg_fd {
	FD_NONE,
	FD_CHAN,
	FD_SOCK,
	FD_FILE,
	FD_PIPE,
	FD_LISTEN,
	FD_DGRAM,
};

#define MSG_PAYLOAD_MAX 16384

#define X_(t) sizeof(struct t), sizeof(struct t) /* exactly this struct */
#define NONE_ 0, 0
#define SESS_ WIRE_SESS(0), WIRE_SESS(WIRE_SESSDER)

/* clang-format off */
#define MSG_TABLE(M)								\
/* A user's own session: nobody trusts what it says.  It outlives an upgrade of ided,	\
 * so these keep their numbers: first of all, and a new one is the last of them. */	\
M(SESSION_CONNECT, P_ISOLATION, P_SESSION, S_ANY, X_(m_session_what), FD_NONE)	\
M(SESSION_FD,	P_SESSION, P_ISOLATION,	S_ANY,	NONE_,		FD_SOCK)	\
M(SESSION_FAIL,	P_SESSION, P_ISOLATION,	S_ANY,	X_(m_fail),	FD_NONE)	\
M(SESSION_EXEC,	P_ISOLATION, P_SESSION,	S_ANY,	X_(m_exec),	FD_NONE)	\
M(SESSION_EXEC_FD, P_ISOLATION, P_SESSION, S_ANY, X_(m_exec_fd), FD_PIPE)	\
M(SESSION_EXIT,	P_SESSION, P_ISOLATION,	S_ANY,	X_(m_exit),	FD_NONE)	\
M(SESSION_ASK,	P_ISOLATION, P_SESSION,	S_ANY,	NONE_,		FD_NONE)	\
M(SESSION_STATE, P_SESSION, P_ISOLATION, S_ANY,	X_(m_session_state), FD_NONE)	\
M(SESSION_LOOK,	P_ISOLATION, P_SESSION, S_ANY,	NONE_,		FD_NONE)	\
M(SESSION_PROCESSES, P_SESSION, P_ISOLATION, S_ANY, X_(m_processes), FD_NONE)	\
M(SESSION_RELIEVE, P_ISOLATION, P_SESSION, S_ANY, NONE_,	FD_NONE)	\
M(SESSION_RELIEVED, P_SESSION, P_ISOLATION, S_ANY, X_(m_process), FD_NONE)	\
M(SESSION_STOP,	P_ISOLATION, P_SESSION,	S_ANY,	NONE_,		FD_NONE)	\
/* Start, stop, and channels joined: isolation speaks, master never answers. */	\
M(JOIN_AUTH,	P_ISOLATION, P_MASTER,	S_ANY,	NONE_,		FD_CHAN)	\
M(JOIN_KEYS,	P_ISOLATION, P_MASTER,	S_ANY,	NONE_,		FD_CHAN)	\
M(JOIN_ZYGOTE,	P_ISOLATION, P_MASTER,	S_ANY,	NONE_,		FD_CHAN)	\
M(JOIN_HASH,	P_ISOLATION, P_AUTH,	S_ANY,	NONE_,		FD_CHAN)	\
M(CONF_MASTER,	P_ISOLATION, P_MASTER,	S_ANY,	NONE_,		FD_FILE)	\
M(CONF_AUTH,	P_ISOLATION, P_AUTH,	S_ANY,	NONE_,		FD_FILE)	\
M(LISTEN,	P_ISOLATION, P_MASTER,	S_ANY,	X_(m_listen),	FD_LISTEN)	\
M(LISTEN_DONE,	P_ISOLATION, P_MASTER,	S_ANY,	NONE_,		FD_NONE)	\
M(KEY,		P_ISOLATION, P_KEYS,	S_ANY,	X_(m_key),	FD_FILE)	\
M(LOG_FILE,	P_ISOLATION, P_MASTER | P_AUTH | P_KEYS | P_HASH, S_ANY, NONE_,	FD_FILE)	\
M(READY,	P_AUTH | P_KEYS | P_ZYGOTE, P_MASTER, S_ANY, NONE_, FD_NONE)	\
/* The pool of workers. */							\
M(FORK,		P_MASTER, P_ZYGOTE,	S_ANY,	X_(m_fork),	FD_CHAN)	\
M(KILL,		P_MASTER, P_ZYGOTE,	S_ANY,	X_(m_kill),	FD_NONE)	\
M(RETIRE,	P_MASTER, P_ZYGOTE,	S_ANY,	NONE_,		FD_NONE)	\
M(WORKER_EXIT,	P_ZYGOTE, P_MASTER,	S_ANY,	X_(m_worker_exit), FD_NONE)	\
M(CONN_AUTH,	P_MASTER, P_WORKER,	S_ANY,	NONE_,		FD_CHAN)	\
M(CONN_KEYS,	P_MASTER, P_WORKER,	S_NEW,	NONE_,		FD_CHAN)	\
M(CONN,		P_MASTER, P_WORKER,	S_NEW,	X_(m_conn),	FD_SOCK)	\
M(DRAIN,	P_MASTER, P_WORKER,	S_ANY,	NONE_,		FD_NONE)	\
M(WANT_AUTH,	P_WORKER, P_MASTER,	S_ANY,	NONE_,		FD_NONE)	\
M(HEART_FILE,	P_ISOLATION, P_MASTER,	S_ANY,	NONE_,		FD_FILE)	\
M(ALIVE,	P_AUTH, P_MASTER,	S_ANY,	NONE_,		FD_NONE)	\
M(HEART_ASK,	P_WORKER, P_MASTER,	S_ANY,	NONE_,		FD_NONE)	\
M(HEART,	P_MASTER, P_WORKER,	S_ANY,	X_(m_heart),	FD_NONE)	\
M(SOURCE,	P_WORKER, P_MASTER,	S_ANY,	X_(m_source),	FD_NONE)	\
M(STAGE,	P_WORKER, P_MASTER,	S_ANY,	X_(m_stage),	FD_NONE)	\
M(LOG,		P_WORKER, P_MASTER,	S_ANY,	X_(m_log),	FD_NONE)	\
M(WORKER_AUTH,	P_MASTER, P_AUTH,	S_ANY,	X_(m_worker),	FD_CHAN)	\
M(WORKER_KEYS,	P_MASTER, P_KEYS,	S_ANY,	X_(m_worker),	FD_CHAN)	\
M(WORKER_NOTE,	P_AUTH | P_KEYS, P_MASTER, S_ANY, X_(m_worker_note), FD_NONE)	\
M(RENEW,	P_MASTER, P_AUTH,	S_ANY,	NONE_,		FD_NONE)	\
M(RELOAD,	P_MASTER, P_AUTH,	S_ANY,	NONE_,		FD_NONE)	\
M(STOPPING,	P_MASTER, P_AUTH,	S_ANY,	NONE_,		FD_NONE)	\
M(PENALTY,	P_MASTER, P_AUTH,	S_ANY,	X_(m_penalty),	FD_NONE)	\
M(STOP,		P_AUTH, P_MASTER,	S_ANY,	NONE_,		FD_NONE)	\
M(HANDOVER,	P_AUTH, P_MASTER,	S_ANY,	NONE_,		FD_NONE)	\
M(HANDOVER_LISTEN, P_MASTER, P_AUTH,	S_ANY,	NONE_,		FD_LISTEN)	\
M(HANDOVER_DONE, P_MASTER, P_AUTH,	S_ANY,	X_(m_handover),	FD_NONE)	\
M(LEAVE,	P_AUTH, P_MASTER,	S_ANY,	X_(m_leave),	FD_NONE)	\
M(STATUS_ASK,	P_AUTH, P_MASTER,	S_ANY,	NONE_,		FD_NONE)	\
M(STATUS_MASTER, P_MASTER, P_AUTH,	S_ANY,	X_(m_status),	FD_NONE)	\
/* Figures, for the listener of metrics. */					\
M(TRAFFIC,	P_WORKER, P_MASTER,	S_ANY,	X_(m_traffic),	FD_NONE)	\
M(METRICS_ASK,	P_WORKER, P_MASTER,	S_ANY,	NONE_,		FD_NONE)	\
M(METRICS,	P_MASTER, P_WORKER,	S_ANY,	X_(m_metrics),	FD_NONE)	\
M(TALLY_ASK,	P_MASTER, P_AUTH,	S_ANY,	NONE_,		FD_NONE)	\
M(TALLY,	P_AUTH, P_MASTER,	S_ANY,	X_(m_tally),	FD_NONE)	\
/* Rate limits: lease.h. */							\
M(LEASE_ASK,	P_WORKER, P_MASTER | P_AUTH, S_ANY, X_(m_lease_ask), FD_NONE)	\
M(LEASE_BACK,	P_WORKER, P_MASTER | P_AUTH, S_ANY, X_(m_lease_ask), FD_NONE)	\
M(LEASE,	P_MASTER | P_AUTH, P_WORKER, S_ANY, X_(wire_lease), FD_NONE)	\
M(LEASE_RECALL,	P_MASTER | P_AUTH, P_WORKER, S_ANY, X_(m_lease_ask), FD_NONE)	\
M(LIMITED,	P_MASTER, P_AUTH,	S_ANY,	X_(m_limited),	FD_NONE)	\
M(LIMITS_ASK,	P_AUTH, P_MASTER,	S_ANY,	NONE_,		FD_NONE)	\
M(LIMITS,	P_MASTER, P_AUTH,	S_ANY,	X_(m_limits),	FD_NONE)	\
M(RATELIMITS,	P_WORKER | P_CTL, P_AUTH, S_BOUND, X_(m_list),	FD_NONE)	\
M(ROW_LIMIT,	P_AUTH, P_WORKER | P_CTL, S_ANY, X_(m_limit),	FD_NONE)	\
/* TLS: only during the handshake. */						\
M(SIGN,		P_WORKER, P_KEYS,	S_NEW,	X_(m_sign),	FD_NONE)	\
M(SIGNED,	P_KEYS, P_WORKER,	S_ANY,	X_(m_signed),	FD_NONE)	\
M(SESS_PUT,	P_WORKER, P_KEYS,	S_ANY,	SESS_,		FD_NONE)	\
M(SESS_GET,	P_WORKER, P_KEYS,	S_NEW,	SESS_,		FD_NONE)	\
M(SESS,		P_KEYS, P_WORKER,	S_ANY,	SESS_,		FD_NONE)	\
/* Keys for auth: checkpoints of the audit trail, and the files of its key. */	\
M(KEY_FILE,	P_ISOLATION, P_KEYS,	S_ANY,	X_(m_key_file),	FD_FILE)	\
M(AUDIT_SIGN,	P_AUTH, P_KEYS,		S_ANY,	X_(m_audit_sign), FD_NONE)	\
M(AUDIT_SIGNED,	P_KEYS, P_AUTH,		S_ANY,	X_(m_audit_signed), FD_NONE)	\
/* The audit trail's file: another one is wanted, and here it is. */		\
M(AUDIT_ROTATE,	P_AUTH, P_ISOLATION,	S_ANY,	X_(m_audit_rotate), FD_NONE)	\
M(AUDIT_FILE,	P_ISOLATION, P_AUTH,	S_ANY,	NONE_,		FD_FILE)	\
/* ... and its socket to syslog. */						\
M(AUDIT_SYSLOG_ASK, P_AUTH, P_ISOLATION, S_ANY,	NONE_,		FD_NONE)	\
M(AUDIT_SYSLOG,	P_ISOLATION, P_AUTH,	S_ANY,	NONE_,		FD_DGRAM)	\
/* The audit trail is asked: rows, a page, M_OK. */				\
M(AUDIT_QUERY,	P_WORKER, P_AUTH,	S_BOUND, X_(m_audit_query), FD_NONE)	\
M(CTL_AUDIT_QUERY, P_CTL, P_AUTH,	S_ANY,	X_(m_audit_query), FD_NONE)	\
M(CTL_AUDIT_WHERE, P_CTL, P_AUTH,	S_ANY,	NONE_,		FD_NONE)	\
M(ROW_AUDIT,	P_AUTH, P_WORKER | P_CTL, S_ANY, X_(m_audit),	FD_NONE)	\
M(ROW_AUDIT_PAGE, P_AUTH, P_WORKER | P_CTL, S_ANY, X_(m_audit_page), FD_NONE)	\
M(AUDIT_WHERE,	P_AUTH, P_CTL,		S_ANY,	X_(m_audit_where), FD_NONE)	\
/* Who is it, and what may it have: a worker and auth. */			\
M(REQUEST,	P_WORKER, P_AUTH,	S_ANY,	X_(m_request),	FD_NONE)	\
M(AUTH_TOKEN,	P_WORKER, P_AUTH,	S_SITE,	X_(m_auth_token), FD_NONE)	\
M(LOGIN,	P_WORKER, P_AUTH,	S_SITE,	X_(m_login),	FD_NONE)	\
M(WHO,		P_AUTH, P_WORKER,	S_ANY,	X_(m_who),	FD_NONE)	\
M(REVOKED,	P_AUTH, P_WORKER,	S_ANY,	X_(m_revoked),	FD_NONE)	\
M(LOGOUT,	P_WORKER, P_AUTH,	S_BOUND, NONE_,		FD_NONE)	\
M(IDE,		P_WORKER, P_AUTH,	S_BOUND, NONE_,		FD_NONE)	\
M(IDE_FD,	P_AUTH, P_WORKER,	S_ANY,	NONE_,		FD_SOCK)	\
M(FAIL,		P_AUTH, P_WORKER | P_CTL, S_ANY, X_(m_fail),	FD_NONE)	\
M(LAST,		P_WORKER, P_AUTH,	S_BOUND, X_(m_last),	FD_NONE)	\
M(MINT,		P_WORKER, P_AUTH,	S_BOUND, NONE_,		FD_NONE)	\
M(MINTED,	P_AUTH, P_WORKER,	S_ANY,	X_(m_minted),	FD_NONE)	\
M(PORTAL,	P_WORKER, P_AUTH,	S_BOUND, NONE_,		FD_NONE)	\
M(SESSION_END,	P_WORKER, P_AUTH,	S_BOUND, X_(m_session_id), FD_NONE)	\
M(BEAT,		P_WORKER, P_AUTH,	S_USER, NONE_,		FD_NONE)	\
M(HOLD,		P_WORKER, P_AUTH,	S_USER, X_(m_hold),	FD_NONE)	\
M(OK,		P_AUTH, P_WORKER | P_CTL, S_ANY, X_(m_ok),	FD_NONE)	\
/* Tokens: token.c, token_api.c. */						\
M(JWT_USE,	P_WORKER, P_AUTH,	S_SITE,	X_(m_jwt),	FD_NONE)	\
M(JWT_REFRESH,	P_WORKER, P_AUTH,	S_SITE,	X_(m_jwt),	FD_NONE)	\
M(TOKENS,	P_AUTH, P_WORKER,	S_ANY,	X_(m_tokens),	FD_NONE)	\
M(JWKS,		P_WORKER, P_AUTH,	S_SITE,	NONE_,		FD_NONE)	\
M(JWKS_KEYS,	P_AUTH, P_WORKER | P_CTL, S_ANY, X_(m_jwt_keys), FD_NONE)	\
M(API_TOKEN,	P_WORKER, P_AUTH,	S_SITE,	X_(m_auth_token), FD_NONE)	\
M(TOKEN_ADD,	P_WORKER, P_AUTH,	S_BOUND, X_(m_token_add), FD_NONE)	\
M(TOKEN_LIST,	P_WORKER, P_AUTH,	S_BOUND, X_(m_list),	FD_NONE)	\
M(TOKEN_END,	P_WORKER, P_AUTH,	S_BOUND, X_(m_session_ref), FD_NONE)	\
M(ROW_TOKEN_MADE, P_AUTH, P_WORKER | P_CTL, S_ANY, X_(m_token_made), FD_NONE)	\
M(ROW_TOKEN,	P_AUTH, P_WORKER | P_CTL, S_ANY, X_(m_token),	FD_NONE)	\
/* ... of other users, and their keys: token_admin.c. */			\
M(USER_TOKENS,	P_WORKER | P_CTL, P_AUTH, S_BOUND, X_(m_list),	FD_NONE)	\
M(CTL_TOKEN_ADD, P_CTL, P_AUTH,	S_BOUND, X_(m_user_token), FD_NONE)	\
M(USER_TOKEN_END, P_WORKER | P_CTL, P_AUTH, S_BOUND, X_(m_session_ref), FD_NONE) \
M(CTL_ROTATE,	P_CTL, P_AUTH,		S_ANY,	X_(m_jwt_rotate), FD_NONE)	\
/* Ports of the user's own sandbox, and the sign-on of their origins. */	\
M(PORT,		P_WORKER, P_AUTH,	S_USER,	X_(m_port),	FD_NONE)	\
M(PORT_FD,	P_AUTH, P_WORKER,	S_ANY,	NONE_,		FD_SOCK)	\
M(PORT_CODE,	P_WORKER, P_AUTH,	S_BOUND, X_(m_port_code), FD_NONE)	\
M(PORT_CODED,	P_AUTH, P_WORKER,	S_ANY,	X_(m_port_coded), FD_NONE)	\
M(PORT_ENTER,	P_WORKER, P_AUTH,	S_NEW | S_PORT, X_(m_port_enter), FD_NONE)	\
M(PORT_ENTERED,	P_AUTH, P_WORKER,	S_ANY,	X_(m_port_entered), FD_NONE)	\
M(PORT_TOKEN,	P_WORKER, P_AUTH,	S_NEW | S_PORT, X_(m_port_token), FD_NONE) \
/* Shared ports: their owner's word, and visitors. */				\
M(SHARE_ADD,	P_WORKER | P_CTL, P_AUTH, S_BOUND, X_(m_share_add), FD_NONE)	\
M(SHARE_LIST,	P_WORKER | P_CTL, P_AUTH, S_BOUND, X_(m_list),	FD_NONE)	\
M(SHARE_END,	P_WORKER | P_CTL, P_AUTH, S_BOUND, X_(m_share_ref), FD_NONE)	\
M(ROW_SHARE,	P_AUTH, P_WORKER | P_CTL, S_ANY, X_(m_share),	FD_NONE)	\
M(SHARE_CODE,	P_WORKER, P_AUTH,	S_BOUND, X_(m_share_code), FD_NONE)	\
M(SHARE_ENTER,	P_WORKER, P_AUTH,	S_NEW | S_SHARE, X_(m_share_enter), FD_NONE) \
M(SHARE_TOKEN,	P_WORKER, P_AUTH,	S_NEW | S_SHARE, X_(m_share_token), FD_NONE) \
M(SHARE_VISIT,	P_WORKER, P_AUTH,	S_NEW | S_SHARE, X_(wire_share), FD_NONE) \
M(SHARE_VISITED, P_AUTH, P_WORKER,	S_ANY,	X_(m_share_visited), FD_NONE)	\
M(SHARE_PORT,	P_WORKER, P_AUTH,	S_SHARE, NONE_,		FD_NONE)	\
M(SHARE_SIGN,	P_WORKER, P_AUTH,	S_SHARE, NONE_,		FD_NONE)	\
/* Services of the site's own. */						\
M(LOCATION,	P_WORKER, P_AUTH,	S_BOUND, X_(m_location), FD_NONE)	\
M(LOCATION_FD,	P_AUTH, P_WORKER,	S_ANY,	NONE_,		FD_SOCK)	\
M(LOCATION_FILE, P_WORKER, P_AUTH,	S_BOUND, X_(m_location_file), FD_NONE)	\
M(LOCATION_FILE_FD, P_AUTH, P_WORKER,	S_ANY,	NONE_,		FD_FILE)	\
M(LOCATION_SIGN, P_WORKER, P_AUTH,	S_BOUND, X_(m_location), FD_NONE)	\
M(LOCATION_SIGNED, P_AUTH, P_WORKER,	S_ANY,	X_(m_location_signed), FD_NONE)	\
/* Accounts: nobody's word, and that of the one who is known. */			\
M(REGISTER,	P_WORKER, P_AUTH,	S_SITE,	X_(m_account_edit), FD_NONE)	\
M(RESET_USE,	P_WORKER, P_AUTH,	S_SITE,	X_(m_reset_use), FD_NONE)	\
M(ME,		P_WORKER, P_AUTH,	S_BOUND, X_(m_account_ref), FD_NONE)	\
M(ME_PUT,	P_WORKER, P_AUTH,	S_BOUND, X_(m_account_edit), FD_NONE)	\
M(ME_PASSWORD,	P_WORKER, P_AUTH,	S_BOUND, X_(m_password), FD_NONE)	\
M(ME_SESSIONS,	P_WORKER, P_AUTH,	S_BOUND, X_(m_list),	FD_NONE)	\
M(ME_SESSION_END, P_WORKER, P_AUTH,	S_BOUND, X_(m_session_ref), FD_NONE)	\
M(ME_SESSIONS_END, P_WORKER, P_AUTH,	S_BOUND, X_(m_account_ref), FD_NONE)	\
M(ME_USAGE,	P_WORKER, P_AUTH,	S_BOUND, X_(m_account_ref), FD_NONE)	\
M(ME_ACTIVITY,	P_WORKER, P_AUTH,	S_BOUND, X_(m_activity), FD_NONE)	\
M(SETTINGS_GET,	P_WORKER, P_AUTH,	S_BOUND, X_(m_account_ref), FD_NONE)	\
M(SETTINGS_PUT,	P_WORKER, P_AUTH,	S_BOUND, X_(m_settings), FD_NONE)	\
/* Accounts: an administrator's, by the API or by idectl. */			\
M(USERS,	P_WORKER | P_CTL, P_AUTH, S_BOUND, X_(m_list),	FD_NONE)	\
M(USER_GET,	P_WORKER | P_CTL, P_AUTH, S_BOUND, X_(m_account_ref), FD_NONE)	\
M(USER_ADD,	P_WORKER | P_CTL, P_AUTH, S_BOUND, X_(m_account_edit), FD_NONE)	\
M(USER_PUT,	P_WORKER | P_CTL, P_AUTH, S_BOUND, X_(m_account_edit), FD_NONE)	\
M(USER_LIMITS,	P_WORKER | P_CTL, P_AUTH, S_BOUND, X_(m_account_limits), FD_NONE) \
M(USER_DELETE,	P_WORKER | P_CTL, P_AUTH, S_BOUND, X_(m_account_delete), FD_NONE) \
M(USER_APPROVE,	P_WORKER | P_CTL, P_AUTH, S_BOUND, X_(m_account_ref), FD_NONE)	\
M(USER_DISABLE,	P_WORKER | P_CTL, P_AUTH, S_BOUND, X_(m_account_ref), FD_NONE)	\
M(USER_ENABLE,	P_WORKER | P_CTL, P_AUTH, S_BOUND, X_(m_account_ref), FD_NONE)	\
M(USER_RESET,	P_WORKER | P_CTL, P_AUTH, S_BOUND, X_(m_account_ref), FD_NONE)	\
M(ROLES,	P_WORKER | P_CTL, P_AUTH, S_BOUND, X_(m_list),	FD_NONE)	\
M(SESSIONS,	P_WORKER | P_CTL, P_AUTH, S_BOUND, X_(m_list),	FD_NONE)	\
M(SESSION_KILL,	P_WORKER | P_CTL, P_AUTH, S_BOUND, X_(m_session_ref), FD_NONE)	\
M(SESSIONS_KILL, P_WORKER | P_CTL, P_AUTH, S_BOUND, X_(m_account_ref), FD_NONE)	\
M(SANDBOXES,	P_WORKER, P_AUTH,	S_BOUND, X_(m_list),	FD_NONE)	\
M(SANDBOX_KILL,	P_WORKER, P_AUTH,	S_BOUND, X_(m_account_ref), FD_NONE)	\
M(STATS,	P_WORKER, P_AUTH,	S_BOUND, X_(m_account_ref), FD_NONE)	\
/* Rows of an answer; M_OK or M_PAGE ends them. */				\
M(PAGE,		P_AUTH, P_WORKER | P_CTL, S_ANY, X_(m_page),	FD_NONE)	\
M(ROW_SESSION,	P_AUTH, P_WORKER | P_CTL, S_ANY, X_(m_session),	FD_NONE)	\
M(ROW_ACCOUNT,	P_AUTH, P_WORKER | P_CTL, S_ANY, X_(m_account),	FD_NONE)	\
M(ROW_RESET,	P_AUTH, P_WORKER | P_CTL, S_ANY, X_(m_reset),	FD_NONE)	\
M(ROW_DELETED,	P_AUTH, P_WORKER | P_CTL, S_ANY, X_(m_account_deleted), FD_NONE) \
M(ROW_ROLE,	P_AUTH, P_WORKER | P_CTL, S_ANY, X_(m_role),	FD_NONE)	\
M(ROW_STATS,	P_AUTH, P_WORKER | P_CTL, S_ANY, X_(m_stats),	FD_NONE)	\
M(ROW_SETTINGS,	P_AUTH, P_WORKER | P_CTL, S_ANY, X_(m_settings), FD_NONE)	\
M(ROW_SANDBOX,	P_AUTH, P_WORKER | P_CTL, S_ANY, X_(m_sandbox),	FD_NONE)	\
M(ROW_PROCESSES, P_AUTH, P_WORKER | P_CTL, S_ANY, X_(m_processes), FD_NONE)	\
M(ROW_MEMORY,	P_AUTH, P_WORKER | P_CTL, S_ANY, X_(m_memory),	FD_NONE)	\
M(ROW_TEXT,	P_AUTH, P_CTL,		S_ANY,	X_(m_ok),	FD_NONE)	\
/* idectl. */									\
M(CTL_SANDBOX_LIST, P_CTL, P_AUTH,	S_ANY,	NONE_,		FD_NONE)	\
M(CTL_SANDBOX_SHOW, P_CTL, P_AUTH,	S_ANY,	X_(m_name),	FD_NONE)	\
M(CTL_SANDBOX_STOP, P_CTL, P_AUTH,	S_ANY,	X_(m_name),	FD_NONE)	\
M(CTL_EXEC,	P_CTL, P_AUTH,		S_ANY,	X_(m_exec),	FD_NONE)	\
M(CTL_EXEC_FD,	P_CTL, P_AUTH,		S_ANY,	X_(m_exec_fd),	FD_PIPE)	\
M(CTL_EXIT,	P_AUTH, P_CTL,		S_ANY,	X_(m_exit),	FD_NONE)	\
M(CTL_STATUS,	P_CTL, P_AUTH,		S_ANY,	NONE_,		FD_NONE)	\
M(STATUS,	P_AUTH, P_CTL,		S_ANY,	X_(m_status),	FD_NONE)	\
M(CTL_RELOAD,	P_CTL, P_AUTH,		S_ANY,	NONE_,		FD_NONE)	\
M(CTL_STOP,	P_CTL, P_AUTH,		S_ANY,	NONE_,		FD_NONE)	\
M(CTL_HANDOVER,	P_CTL, P_AUTH,		S_ANY,	NONE_,		FD_NONE)	\
M(CTL_LISTEN,	P_AUTH, P_CTL,		S_ANY,	NONE_,		FD_LISTEN)	\
M(CTL_HANDED,	P_AUTH, P_CTL,		S_ANY,	X_(m_handover),	FD_NONE)	\
M(CTL_LEAVE,	P_CTL, P_AUTH,		S_ANY,	X_(m_leave),	FD_NONE)	\
/* A backup: auth writes what the store holds into the pipe (backup.h). */	\
M(CTL_BACKUP,	P_CTL, P_AUTH,		S_ANY,	NONE_,		FD_NONE)	\
M(BACKUP,	P_AUTH, P_CTL,		S_ANY,	X_(m_backup),	FD_NONE)	\
M(CTL_BACKUP_FD, P_CTL, P_AUTH,		S_ANY,	NONE_,		FD_PIPE)	\
/* The feed of releases: auth has it asked, and tells workers. */		\
M(FETCH,	P_AUTH, P_ISOLATION,	S_ANY,	NONE_,		FD_NONE)	\
M(JOIN_FETCH,	P_ISOLATION, P_AUTH,	S_ANY,	NONE_,		FD_CHAN)	\
M(FETCHED,	P_FETCH, P_AUTH,	S_ANY,	X_(m_fetched),	FD_NONE)	\
M(UPDATE,	P_WORKER, P_AUTH,	S_BOUND, NONE_,		FD_NONE)	\
M(UPDATED,	P_AUTH, P_WORKER,	S_ANY,	X_(m_update),	FD_NONE)	\
/* Argon2id. */									\
M(HASH_MAKE,	P_AUTH, P_HASH,		S_ANY,	X_(m_hash),	FD_NONE)	\
M(HASH_VERIFY,	P_AUTH, P_HASH,		S_ANY,	X_(m_hash),	FD_NONE)	\
M(HASHED,	P_HASH, P_AUTH,		S_ANY,	X_(m_hashed),	FD_NONE)	\
/* Sandboxes: auth asks, isolation does. */					\
M(SB_CONNECT,	P_AUTH, P_ISOLATION,	S_ANY,	X_(m_sb),	FD_NONE)	\
M(SB_MAKE,	P_AUTH, P_ISOLATION,	S_ANY,	X_(m_sb),	FD_NONE)	\
M(SB_PORT,	P_AUTH, P_ISOLATION,	S_ANY,	X_(m_sb_port),	FD_NONE)	\
M(SB_LOCATION,	P_AUTH, P_ISOLATION,	S_ANY,	X_(m_location), FD_NONE)	\
M(SB_FILE,	P_AUTH, P_ISOLATION,	S_ANY,	X_(m_location_file), FD_NONE)	\
M(SB_FILE_FD,	P_ISOLATION, P_AUTH,	S_ANY,	NONE_,		FD_FILE)	\
M(SB_SHOW,	P_AUTH, P_ISOLATION,	S_ANY,	X_(m_sb),	FD_NONE)	\
M(SB_LIST,	P_AUTH, P_ISOLATION,	S_ANY,	NONE_,		FD_NONE)	\
M(SB_READY,	P_AUTH, P_ISOLATION,	S_ANY,	X_(m_sb),	FD_NONE)	\
M(SB_LIMITS,	P_AUTH, P_ISOLATION,	S_ANY,	X_(m_sb),	FD_NONE)	\
M(SB_COMING,	P_AUTH, P_ISOLATION,	S_ANY,	X_(m_sb),	FD_NONE)	\
M(SB_STOP,	P_AUTH, P_ISOLATION,	S_ANY,	X_(m_sb),	FD_NONE)	\
M(SB_REMOVE,	P_AUTH, P_ISOLATION,	S_ANY,	X_(m_sb),	FD_NONE)	\
M(SB_FREEZE,	P_AUTH, P_ISOLATION,	S_ANY,	X_(m_sb),	FD_NONE)	\
M(SB_EXEC,	P_AUTH, P_ISOLATION,	S_ANY,	X_(m_exec),	FD_NONE)	\
M(SB_EXEC_FD,	P_AUTH, P_ISOLATION,	S_ANY,	X_(m_exec_fd),	FD_PIPE)	\
M(SB_RENEW,	P_AUTH, P_ISOLATION,	S_ANY,	NONE_,		FD_NONE)	\
M(SB_RELOAD,	P_AUTH, P_ISOLATION,	S_ANY,	NONE_,		FD_NONE)	\
M(SB_LEAVE,	P_AUTH, P_ISOLATION,	S_ANY,	NONE_,		FD_NONE)	\
M(SB_FD,	P_ISOLATION, P_AUTH,	S_ANY,	NONE_,		FD_SOCK)	\
M(SB_FAIL,	P_ISOLATION, P_AUTH,	S_ANY,	X_(m_fail),	FD_NONE)	\
M(SB_ROW,	P_ISOLATION, P_AUTH,	S_ANY,	X_(m_sandbox),	FD_NONE)	\
M(SB_PROCESSES,	P_ISOLATION, P_AUTH,	S_ANY,	X_(m_processes), FD_NONE)	\
M(SB_MEMORY,	P_ISOLATION, P_AUTH,	S_ANY,	X_(m_memory),	FD_NONE)	\
M(SB_STORAGE,	P_ISOLATION, P_AUTH,	S_ANY,	X_(m_storage),	FD_NONE)	\
M(SB_TEXT,	P_ISOLATION, P_AUTH,	S_ANY,	X_(m_ok),	FD_NONE)	\
M(SB_CHANGE,	P_ISOLATION, P_AUTH,	S_ANY,	X_(m_change),	FD_NONE)	\
M(SB_OK,	P_ISOLATION, P_AUTH,	S_ANY,	X_(m_ok),	FD_NONE)	\
M(SB_EXIT,	P_ISOLATION, P_AUTH,	S_ANY,	X_(m_exit),	FD_NONE)	\
M(SB_GONE,	P_ISOLATION, P_AUTH,	S_ANY,	X_(m_sb),	FD_NONE)	\
/* Keys and auth: isolation joins them; auth alone may have tokens signed. */	\
M(JOIN_PEER,	P_ISOLATION, P_AUTH | P_KEYS, S_ANY, NONE_,	FD_CHAN)	\
M(KEYSTORE,	P_ISOLATION, P_KEYS,	S_ANY,	X_(m_keystore),	FD_FILE)	\
M(JWT_SIGN,	P_AUTH, P_KEYS,		S_ANY,	X_(m_jwt_sign),	FD_NONE)	\
M(JWT_ASSERT,	P_AUTH, P_KEYS,		S_ANY,	X_(wire_assertion), FD_NONE)	\
M(JWT_ASSERTED,	P_KEYS, P_AUTH,		S_ANY,	X_(m_location_signed), FD_NONE)	\
M(JWT_SIGNED,	P_KEYS, P_AUTH,		S_ANY,	X_(m_jwt_signed), FD_NONE)	\
M(JWT_KEYS,	P_KEYS, P_AUTH,		S_ANY,	X_(m_jwt_keys),	FD_NONE)	\
M(JWT_ROTATE,	P_AUTH, P_KEYS,		S_ANY,	X_(m_jwt_rotate), FD_NONE)
/* clang-format on */

#define M_ENUM_(n, f, t, s, ...) M_##n,
enum msg_type {
	M_NONE,
	MSG_TABLE(M_ENUM_) M_MAX,
};
#undef M_ENUM_

/* A row of the table, for the checks, for logs, and for hostile tests. */
struct msg_row {
	const char *name;
	uint16_t from; /* enum proc bits */
	uint16_t to;
	uint8_t state;
	uint8_t fd;
	uint32_t min;
	uint32_t max;
};

extern const struct msg_row msg_table[M_MAX];

const char *msg_name(unsigned int type);
const char *proc_name(enum proc p);

#endif
