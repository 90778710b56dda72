/*
 * The session's processes by kind: which take memory, which grow, and which one
 * goes when there is none left.  All of it is the user's own, and so is what
 * comes of a wrong answer.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../privsep/log.h"
#include "session.h"

#define PROCESSES_MAX 512
#define LOOKS         10
#define DEPTH_MAX     64
#define KILL_MS       3000  /* from TERM to KILL */
#define ENDING_MS     30000 /* and until it is given up */

struct process {
	pid_t pid;
	pid_t parent;
	uint64_t born; /* with the pid, its name for good */
	bool known;    /* kind and name are */
	bool seen;
	bool exiting;
	unsigned int looks;
	uint64_t past[LOOKS]; /* memory, oldest first */
	struct m_process say;
};

static struct process table[PROCESSES_MAX];
static unsigned int count;

/* What the command line says. */
static const struct {
	const char *mark;
	enum wire_kind kind;
	const char *name;
} marks[] = {
	{ "/server-main.js", PROCESS_SERVER, "VS Code server" },
	{ "--type=extensionHost", PROCESS_EXTENSION_HOST, "extension host" },
	{ "--type=ptyHost", PROCESS_TERMINAL_HOST, "terminal host" },
	{ "--type=fileWatcher", PROCESS_WATCHER, "file watcher" },
	{ "--type=watcherService", PROCESS_WATCHER, "file watcher" },
};

/* What a child is of a parent of that kind, unless it says itself. */
static const enum wire_kind child_kind[PROCESS_KINDS] = {
	[PROCESS_OTHER] = PROCESS_COMMAND,
	[PROCESS_SERVER] = PROCESS_OTHER,
	[PROCESS_EXTENSION_HOST] = PROCESS_LANGUAGE_SERVER,
	[PROCESS_LANGUAGE_SERVER] = PROCESS_LANGUAGE_SERVER,
	[PROCESS_TERMINAL_HOST] = PROCESS_TERMINAL,
	[PROCESS_TERMINAL] = PROCESS_TERMINAL,
	[PROCESS_WATCHER] = PROCESS_WATCHER,
	[PROCESS_COMMAND] = PROCESS_COMMAND,
};

static ssize_t
proc_read(pid_t pid, const char *name, char *buf, size_t len)
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		return -1;
	n = read(fd, buf, len - 1);
	close(fd);
	if (n >= 0)
		buf[n] = '\0';
	return n;
}

struct stat_line {
	pid_t parent;
	pid_t session;
	int terminal; /* 0: none */
	uint64_t born;
	bool exiting; /* on its way out, and may still hold all that it had */
};

#define FLAG_EXITING 0x4

/* proc(5): the name stands in brackets and may hold anything. */
static bool
read_stat(pid_t pid, struct stat_line *line)
{
	char text[1024], *p;
	unsigned int field;

	if (proc_read(pid, "stat", text, sizeof(text)) <= 0 ||
	    (p = strrchr(text, ')')) == NULL || p[1] != ' ')
		return false;
	p += 2; /* field 3 */
	if (*p == 'Z' || *p == 'X')
		return false; /* it has ended, and holds nothing */
	for (field = 3; field < 22 && p != NULL; field++) {
		if (field == 4)
			line->parent = (pid_t)strtol(p, NULL, 10);
		if (field == 6)
			line->session = (pid_t)strtol(p, NULL, 10);
		if (field == 7)
			line->terminal = (int)strtol(p, NULL, 10);
		if (field == 9)
			line->exiting = (strtoul(p, NULL, 10) & FLAG_EXITING) != 0;
		p = strchr(p, ' ');
		if (p != NULL)
			p++;
	}
	if (p == NULL)
		return false;
	line->born = strtoull(p, NULL, 10);
	return true;
}

/* What is the process's own: resident and not shared. */
static uint64_t
read_memory(pid_t pid)
{
	unsigned long long resident, shared;
	char text[128];

	if (proc_read(pid, "statm", text, sizeof(text)) <= 0 ||
	    sscanf(text, "%*u %llu %llu", &resident, &shared) != 2 || shared > resident)
		return 0;
	return (resident - shared) * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void
name_set(struct m_process *m, const char *s, size_t len)
{
	size_t i;

	memset(m->name, 0, sizeof(m->name));
	for (i = 0; i < len && i < sizeof(m->name) - 1; i++)
		m->name[i] = s[i] >= ' ' && s[i] <= '~' ? s[i] : '?';
}

/* "…/extensions/NAME/…": the extension that a program belongs to. */
static bool
name_extension(struct m_process *m, const char *line)
{
	static const char dir[] = "/extensions/";
	const char *p = strstr(line, dir);
	size_t len;

	if (p == NULL)
		return false;
	p += sizeof(dir) - 1;
	len = strcspn(p, "/ ");
	if (p[len] != '/' || len == 0)
		return false;
	name_set(m, p, len);
	return true;
}

static void
name_program(struct m_process *m, const char *line)
{
	size_t len = strcspn(line, " ");
	const char *slash = memrchr(line, '/', len);

	if (slash != NULL && (size_t)(slash - line) + 1 < len) {
		len -= (size_t)(slash - line) + 1;
		line = slash + 1;
	}
	name_set(m, len > 0 ? line : "?", len > 0 ? len : 1);
}

static struct process *
find(pid_t pid)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		if (table[i].pid == pid)
			return &table[i];
	return NULL;
}

static void
classify(struct process *p, unsigned int depth)
{
	struct process *parent;
	char line[2048];
	unsigned int i;
	ssize_t n, k;

	if (p->known)
		return;
	n = proc_read(p->pid, "cmdline", line, sizeof(line));
	if (n <= 0)
		return; /* it has only just begun, or ended */
	for (k = 0; k < n; k++)
		if (line[k] == '\0')
			line[k] = k + 1 < n ? ' ' : '\0';
	p->known = true;
	for (i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		if (strstr(line, marks[i].mark) != NULL) {
			p->say.kind = marks[i].kind;
			name_set(&p->say, marks[i].name, strlen(marks[i].name));
			return;
		}
	parent = depth < DEPTH_MAX ? find(p->parent) : NULL;
	if (parent != NULL)
		classify(parent, depth + 1);
	p->say.kind = parent == NULL ? PROCESS_COMMAND : child_kind[parent->say.kind];
	if (p->say.kind != PROCESS_LANGUAGE_SERVER || !name_extension(&p->say, line))
		name_program(&p->say, line);
}

static void
remember(struct process *p, uint64_t memory)
{
	if (p->looks == LOOKS)
		memmove(p->past, p->past + 1, (LOOKS - 1) * sizeof(p->past[0]));
	else
		p->looks++;
	p->past[p->looks - 1] = memory;
	p->say.memory = memory;
	p->say.grown = (int64_t)memory - (int64_t)p->past[0];
}

static void
look_at(pid_t pid)
{
	struct process *p;
	struct stat_line line = { 0 };

	if (pid == getpid() || !read_stat(pid, &line))
		return;
	p = find(pid);
	if (p == NULL && count < PROCESSES_MAX)
		p = &table[count++];
	if (p == NULL)
		return;
	if (p->pid != pid || p->born != line.born) {
		memset(p, 0, sizeof(*p));
		p->pid = pid;
		p->born = line.born;
		p->say.pid = (uint32_t)pid;
	}
	p->parent = line.parent;
	p->exiting = line.exiting;
	p->seen = true;
	remember(p, read_memory(pid));
}

static int
larger(const void *a, const void *b)
{
	const struct process *x = a, *y = b;

	return x->say.memory < y->say.memory ? 1 : -(x->say.memory > y->say.memory);
}

static void
look(void)
{
	struct dirent *de;
	unsigned int i, n = 0;
	DIR *d;

	for (i = 0; i < count; i++)
		table[i].seen = false;
	d = opendir("/proc");
	if (d == NULL)
		return;
	while ((de = readdir(d)) != NULL)
		if (isdigit((unsigned char)de->d_name[0]))
			look_at((pid_t)strtol(de->d_name, NULL, 10));
	closedir(d);
	for (i = 0; i < count; i++)
		if (table[i].seen)
			table[n++] = table[i];
	count = n;
	for (i = 0; i < count; i++)
		classify(&table[i], 0);
	qsort(table, count, sizeof(table[0]), larger);
}

void
watch_look(struct chan *c, struct msg *m)
{
	struct m_processes ps;
	unsigned int i;

	look();
	memset(&ps, 0, sizeof(ps));
	ps.total = count;
	for (i = 0; i < count && i < WIRE_PROCESSES; i++)
		ps.process[ps.count++] = table[i].say;
	chan_send(c, M_SESSION_PROCESSES, m->head.id, -1, &ps, sizeof(ps));
}

/* Whoever leads a terminal's session, as when the terminal is closed. */
void
watch_hang_up(void)
{
	struct stat_line line;
	struct dirent *de;
	pid_t pid;
	DIR *d;

	d = opendir("/proc");
	if (d == NULL)
		return;
	while ((de = readdir(d)) != NULL) {
		pid = (pid_t)strtol(de->d_name, NULL, 10);
		memset(&line, 0, sizeof(line));
		if (pid > 0 && read_stat(pid, &line) && line.terminal != 0 &&
		    line.session == pid)
			(void)kill(pid, SIGHUP);
	}
	closedir(d);
}

/* The same one still: a number may be another's by now. */
static bool
is_there(const struct process *p)
{
	struct stat_line line = { 0 };

	return read_stat(p->pid, &line) && line.born == p->born;
}

/* The one that was told to end; one at a time. */
static struct process ending;
static int64_t ending_since;
static struct event *kill_timer;

static void
on_kill(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	if (is_there(&ending))
		(void)kill(ending.pid, SIGKILL);
}

static void
end(const struct process *p)
{
	struct timeval tv = session_ms(KILL_MS);

	ending = *p;
	ending_since = session_now();
	log_warnx("memory runs out: ending %s, pid %d, of %llu bytes", p->say.name,
	    (int)p->pid, (unsigned long long)p->say.memory);
	(void)kill(p->pid, SIGTERM);
	if (kill_timer == NULL)
		kill_timer = evtimer_new(session.base, on_kill, NULL);
	if (kill_timer == NULL || event_add(kill_timer, &tv) == -1)
		(void)kill(p->pid, SIGKILL);
}

/*
 * A large one takes a while to give its memory back, whoever told it to go, we or
 * the kernel: no other is to go for it.
 */
static bool
still_ending(void)
{
	static int64_t since;
	unsigned int i;

	if (ending.pid != 0 && session_now() - ending_since < ENDING_MS &&
	    is_there(&ending))
		return true;
	for (i = 0; i < count && !table[i].exiting; i++)
		;
	if (i == count)
		since = 0;
	else if (since == 0)
		since = session_now();
	return i < count && session_now() - since < ENDING_MS;
}

/*
 * The largest goes, but not the server or the terminals' host: with them all
 * windows and terminals would go.  TERM first, so that it may save what it has.
 */
void
watch_relieve(struct chan *c, struct msg *m)
{
	struct m_process say;
	unsigned int i;

	look();
	memset(&say, 0, sizeof(say));
	for (i = still_ending() ? count : 0; i < count; i++)
		if (table[i].say.kind != PROCESS_SERVER &&
		    table[i].say.kind != PROCESS_TERMINAL_HOST)
			break;
	if (i < count) {
		say = table[i].say;
		end(&table[i]);
	}
	chan_send(c, M_SESSION_RELIEVED, m->head.id, -1, &say, sizeof(say));
}
