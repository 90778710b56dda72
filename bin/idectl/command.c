/* What commands send: see command.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bsd/string.h>

#include "command.h"

static void
send_none(const struct command *c, const struct given *g)
{
	(void)g;
	ctl_send(c->type, -1, NULL, 0);
}

static void
name_set(char name[WIRE_NAME], const char *s)
{
	/* No user has a name that does not fit. */
	if (strlcpy(name, s, WIRE_NAME) >= WIRE_NAME)
		die("no user %s", s);
}

static void
send_name(const struct command *c, const struct given *g)
{
	struct m_name m;

	memset(&m, 0, sizeof(m));
	if (g->argc > 0)
		name_set(m.name, g->argv[0]);
	ctl_send(c->type, -1, &m, sizeof(m));
}

static void
user_set(char user[WIRE_NAME], const struct given *g)
{
	if (g->argc > 0)
		name_set(user, g->argv[0]);
}

static void
send_ref(const struct command *c, const struct given *g)
{
	struct m_account_ref m;

	memset(&m, 0, sizeof(m));
	user_set(m.user, g);
	ctl_send(c->type, -1, &m, sizeof(m));
}

static void
send_list(const struct command *c, const struct given *g)
{
	static const char *const states[] = { "", "active", "disabled", "pending" };
	struct m_list m;

	memset(&m, 0, sizeof(m));
	user_set(m.user, g);
	m.limit = WIRE_ROWS;
	strlcpy(m.cursor, g->cursor, sizeof(m.cursor));
	if (strlcpy(m.find, g->find, sizeof(m.find)) >= sizeof(m.find) ||
	    strlcpy(m.role, g->role, sizeof(m.role)) >= sizeof(m.role))
		die("there is nothing of that name");
	while (strcmp(g->state, states[m.state]) != 0)
		if (++m.state == sizeof(states) / sizeof(states[0]))
			die("a state is active, disabled or pending");
	ctl_send(c->type, -1, &m, sizeof(m));
}

/* "a,b" as messages have it. */
static void
spaces(char *list)
{
	for (; *list != '\0'; list++)
		if (*list == ',')
			*list = ' ';
}

static void
roles_set(char roles[WIRE_ROLES], const char *list)
{
	if (strlcpy(roles, list, WIRE_ROLES) >= WIRE_ROLES)
		die("these are too many roles");
	spaces(roles);
}

static void
send_edit(const struct command *c, const struct given *g)
{
	bool passwd = strcmp(c->verb, "set") != 0 && !g->link;
	struct m_account_edit m;

	memset(&m, 0, sizeof(m));
	if (strlcpy(m.name, g->argv[0], sizeof(m.name)) >= sizeof(m.name))
		die("a name has at most %zu bytes", sizeof(m.name) - 1);
	strlcpy(m.user, m.name, sizeof(m.user));
	if (g->email != NULL &&
	    strlcpy(m.email, g->email, sizeof(m.email)) >= sizeof(m.email))
		die("an e-mail address has at most %zu bytes", sizeof(m.email) - 1);
	if (g->display != NULL &&
	    strlcpy(m.display, g->display, sizeof(m.display)) >= sizeof(m.display))
		die("a name to show has at most %zu bytes", sizeof(m.display) - 1);
	if (g->metadata != NULL)
		metadata_set(m.metadata, g->metadata);
	roles_set(m.roles, g->role);
	m.set = (g->email != NULL ? EDIT_EMAIL : 0u) |
	    (g->display != NULL ? EDIT_DISPLAY : 0u) |
	    (g->metadata != NULL ? EDIT_METADATA : 0u) |
	    (g->role[0] != '\0' ? EDIT_ROLES : 0u) | (g->change ? EDIT_MUST_CHANGE : 0u) |
	    (passwd ? EDIT_PASSWORD : 0u);
	m.must_change = g->change;
	m.lookalike = g->lookalike;
	if (passwd)
		password_read(m.password, sizeof(m.password));
	else if (!g->link && m.set == 0)
		command_usage(c);
	ctl_send(c->type, -1, &m, sizeof(m));
	explicit_bzero(&m, sizeof(m));
}

static void
send_roles(const struct command *c, const struct given *g)
{
	struct m_account_edit m;

	memset(&m, 0, sizeof(m));
	user_set(m.user, g);
	roles_set(m.roles, g->argv[1]);
	m.set = EDIT_ROLES;
	ctl_send(c->type, -1, &m, sizeof(m));
}

static void
send_limits(const struct command *c, const struct given *g)
{
	struct m_account_limits m;
	int i;

	memset(&m, 0, sizeof(m));
	user_set(m.user, g);
	for (i = 1; i < g->argc; i++)
		limit_set(&m, g->argv[i]);
	ctl_send(c->type, -1, &m, sizeof(m));
}

static void
send_delete(const struct command *c, const struct given *g)
{
	struct m_account_delete m;

	memset(&m, 0, sizeof(m));
	user_set(m.user, g);
	m.workspace = strchr(g->flags, 'r') != NULL ? WORKSPACE_REMOVE : WORKSPACE_KEEP;
	ctl_send(c->type, -1, &m, sizeof(m));
}

static void
send_token(const struct command *c, const struct given *g)
{
	struct m_user_token m;

	memset(&m, 0, sizeof(m));
	user_set(m.user, g);
	if (strlcpy(m.name, g->argv[1], sizeof(m.name)) >= sizeof(m.name))
		die("a token's name has at most %zu bytes", sizeof(m.name) - 1);
	if (strlcpy(m.scopes, g->argv[2], sizeof(m.scopes)) >= sizeof(m.scopes))
		die("these are too many permissions");
	spaces(m.scopes);
	if (g->email != NULL)
		m.lifetime = period_value(g->email);
	ctl_send(c->type, -1, &m, sizeof(m));
}

static void
send_session(const struct command *c, const struct given *g)
{
	struct m_session_ref m;

	memset(&m, 0, sizeof(m));
	if (strlcpy(m.session, g->argv[0], sizeof(m.session)) >= sizeof(m.session))
		die("no token %s", g->argv[0]);
	ctl_send(c->type, -1, &m, sizeof(m));
}

static void
send_rotate(const struct command *c, const struct given *g)
{
	const struct m_jwt_rotate m = { strchr(g->flags, 'f') != NULL, 0 };

	ctl_send(c->type, -1, &m, sizeof(m));
}

static void
send_share(const struct command *c, const struct given *g)
{
	struct m_share_add m;

	memset(&m, 0, sizeof(m));
	user_set(m.user, g);
	m.port = port_value(g->argv[1]);
	m.with = strchr(g->flags, 'p') != NULL ? SHARE_WITH_PUBLIC : SHARE_WITH_USERS;
	if (g->email != NULL)
		m.lifetime = period_value(g->email);
	ctl_send(c->type, -1, &m, sizeof(m));
}

static void
send_unshare(const struct command *c, const struct given *g)
{
	struct m_share_ref m;

	if (g->all == (g->argc == 2))
		command_usage(c);
	memset(&m, 0, sizeof(m));
	user_set(m.user, g);
	if (!g->all)
		m.port = port_value(g->argv[1]);
	ctl_send(c->type, -1, &m, sizeof(m));
}

/* 16 hexadecimal digits are a session, unless -u says otherwise. */
static void
send_revoke(const struct command *c, const struct given *g)
{
	struct m_session_ref id;
	struct m_account_ref name;

	if (g->all == (g->argc == 1) || (g->all && g->user))
		command_usage(c);
	memset(&id, 0, sizeof(id));
	memset(&name, 0, sizeof(name));
	if (!g->all && !g->user && strlen(g->argv[0]) == sizeof(id.session) - 1 &&
	    strspn(g->argv[0], "0123456789abcdef") == sizeof(id.session) - 1) {
		strlcpy(id.session, g->argv[0], sizeof(id.session));
		ctl_send(M_SESSION_KILL, -1, &id, sizeof(id));
		return;
	}
	if (!g->all)
		name_set(name.user, g->argv[0]);
	ctl_send(M_SESSIONS_KILL, -1, &name, sizeof(name));
}

const struct command commands[] = {
	{ "user", "add", "[-cLl] [-e email] [-m json] [-n name] [-r role,...] NAME",
	    "make a user; -c: the password must be changed, -l: a link sets it, -L: it "
	    "may look like another",
	    "+cLle:m:n:r:", 1, 1, M_USER_ADD, SHAPE_TEXT, send_edit },
	{ "user", "list", "[-f text] [-r role] [-s state]",
	    "all users, or those found; active, disabled or pending", "+f:r:s:", 0, 0,
	    M_USERS, SHAPE_LIST, send_list },
	{ "user", "show", "NAME", "one user", "+", 1, 1, M_USER_GET, SHAPE_ONE,
	    send_ref },
	{ "user", "set", "[-L] [-e email] [-m json] [-n name] NAME",
	    "change what a user is called, and what is kept of one; -L as above",
	    "+Le:m:n:", 1, 1, M_USER_PUT, SHAPE_TEXT, send_edit },
	{ "user", "role", "NAME role[,role...]", "give roles, in the place of all others",
	    "+", 2, 2, M_USER_PUT, SHAPE_TEXT, send_roles },
	{ "user", "passwd", "[-c] NAME",
	    "change a password and end all sessions; -c: it must be changed", "+c", 1, 1,
	    M_USER_PUT, SHAPE_TEXT, send_edit },
	{ "user", "reset", "NAME", "void the password; a link, good once, sets another",
	    "+", 1, 1, M_USER_RESET, SHAPE_ONE, send_ref },
	{ "user", "limits", "NAME limit=value ...",
	    "memory, storage, files, cpu, processes, sessions; none takes one back", "+",
	    2, 7, M_USER_LIMITS, SHAPE_TEXT, send_limits },
	{ "user", "approve", "NAME", "let one in who has registered", "+", 1, 1,
	    M_USER_APPROVE, SHAPE_TEXT, send_ref },
	{ "user", "disable", "NAME", "end all sessions and refuse new ones", "+", 1, 1,
	    M_USER_DISABLE, SHAPE_TEXT, send_ref },
	{ "user", "enable", "NAME", "take that back", "+", 1, 1, M_USER_ENABLE,
	    SHAPE_TEXT, send_ref },
	{ "user", "delete", "[-r] NAME", "for good; with -r, the home too", "+r", 1, 1,
	    M_USER_DELETE, SHAPE_TEXT, send_delete },
	{ "role", "list", "", "roles and what they permit", "+", 0, 0, M_ROLES,
	    SHAPE_LIST, send_list },
	{ "session", "list", "[USER]", "sessions of all users, or of one", "+", 0, 1,
	    M_SESSIONS, SHAPE_LIST, send_list },
	{ "session", "revoke", "[-u] SESSION | USER | -a",
	    "end one session, all of a user, or all there are", "+ua", 0, 1,
	    M_SESSION_KILL, SHAPE_TEXT, send_revoke },
	{ "token", "list", "[USER]", "API tokens of all users, or of one", "+", 0, 1,
	    M_USER_TOKENS, SHAPE_LIST, send_list },
	{ "token", "create", "[-e time] USER NAME permission[,permission...]",
	    "make one, which is shown once; -e: good for 12h, 30d and so on", "+e:", 3, 3,
	    M_CTL_TOKEN_ADD, SHAPE_ONE, send_token },
	{ "token", "revoke", "TOKEN", "end one, by its id", "+", 1, 1, M_USER_TOKEN_END,
	    SHAPE_TEXT, send_session },
	{ "token", "rotate", "[-f]",
	    "another key signs tokens; -f: what was signed before is void", "+f", 0, 0,
	    M_CTL_ROTATE, SHAPE_TEXT, send_rotate },
	{ "port", "list", "[USER]", "shared ports of all users, or of one", "+", 0, 1,
	    M_SHARE_LIST, SHAPE_LIST, send_list },
	{ "port", "share", "[-p] [-e time] USER PORT",
	    "share a port with all users; -p: with everybody, -e: for 8h and so on",
	    "+pe:", 2, 2, M_SHARE_ADD, SHAPE_ONE, send_share },
	{ "port", "unshare", "USER PORT | -a USER", "share it no more; -a: none of them",
	    "+a", 1, 2, M_SHARE_END, SHAPE_TEXT, send_unshare },
	{ "ratelimit", "list", "", "who has been refused, or comes near it", "+", 0, 0,
	    M_RATELIMITS, SHAPE_LIST, send_list },
	{ "sandbox", "list", "", "sandboxes that run", "+", 0, 0, M_CTL_SANDBOX_LIST,
	    SHAPE_LIST, send_none },
	{ "sandbox", "show", "USER", "a user's sandbox", "+", 1, 1, M_CTL_SANDBOX_SHOW,
	    SHAPE_ONE, send_name },
	{ "sandbox", "stop", "USER", "stop it, and all that runs in it", "+", 1, 1,
	    M_CTL_SANDBOX_STOP, SHAPE_TEXT, send_name },
	{ "sandbox", "exec", "USER -- command [argument ...]", "run a command inside",
	    "+", 2, 256, M_CTL_EXEC, SHAPE_TEXT, NULL },
	{ "open", NULL, "[-gnrw] [-u USER] FILE ...",
	    "open files of a sandbox in the browser window that is open on it",
	    "+gnrwu:", 1, 250, M_CTL_EXEC, SHAPE_TEXT, NULL },
	{ "ext", "install", "[-u USER] NAME | FILE.vsix ...", "install extensions",
	    "+u:", 1, 64, M_CTL_EXEC, SHAPE_TEXT, NULL },
	{ "ext", "uninstall", "[-u USER] NAME ...", "take them away", "+u:", 1, 64,
	    M_CTL_EXEC, SHAPE_TEXT, NULL },
	{ "ext", "list", "[-u USER]", "extensions of a user", "+u:", 0, 0, M_CTL_EXEC,
	    SHAPE_TEXT, NULL },
	{ "audit", "query", "[-r] [-n count] [-c cursor] [filter ...]",
	    "records, the newest first", NULL, 0, 0, M_CTL_AUDIT_QUERY, SHAPE_TEXT,
	    NULL },
	{ "audit", "tail", "[-f] [-n count] [filter ...]",
	    "the last ones, and what comes", NULL, 0, 0, M_CTL_AUDIT_QUERY, SHAPE_TEXT,
	    NULL },
	{ "audit", "export", "[-F json | csv] [filter ...]",
	    "all of them, the oldest first", NULL, 0, 0, M_CTL_AUDIT_QUERY, SHAPE_TEXT,
	    NULL },
	{ "audit", "verify", "[-d data] [-k key] [FILE ...]",
	    "is anything changed, cut or missing?", NULL, 0, 0, M_CTL_AUDIT_WHERE,
	    SHAPE_TEXT, NULL },
	{ "import", "code-server", "[-e] [CONFIG.YAML]",
	    "an ided.conf out of code-server's, to standard output", "+e", 0, 1, M_NONE,
	    SHAPE_TEXT, NULL },
	{ "backup", NULL, "FILE | FOLDER", "accounts, audit trail and keys, while in use",
	    NULL, 0, 0, M_CTL_BACKUP, SHAPE_TEXT, NULL },
	{ "restore", NULL, "[-n] [-d data] FILE",
	    "what backup wrote, where there is nothing; -n: is it whole?", NULL, 0, 0,
	    M_NONE, SHAPE_TEXT, NULL },
	{ "status", NULL, "", "what ided is doing", "+", 0, 0, M_CTL_STATUS, SHAPE_ONE,
	    send_none },
	{ "reload", NULL, "", "take a new configuration and certificate", "+", 0, 0,
	    M_CTL_RELOAD, SHAPE_TEXT, send_none },
	{ "upgrade", NULL, "[-b ided] [-- option of ided ...]",
	    "start another ided in its place", "+b:", 0, 66, M_CTL_HANDOVER, SHAPE_TEXT,
	    NULL },
	{ "stop", NULL, "", "stop ided; sandboxes go on", "+", 0, 0, M_CTL_STOP,
	    SHAPE_TEXT, send_none },
};

const size_t ncommands = sizeof(commands) / sizeof(commands[0]);
