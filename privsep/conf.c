/*
 * The configuration: entry points, files, and lines of error.
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bsd/string.h>

#include "conf_parse.h"

static const struct conf_where nowhere = { NULL, 0 };

const char *
conf_where_text(struct conf_where at, char *buf, size_t size)
{
	if (at.line == CONF_LINE_ENV)
		snprintf(buf, size, "environment %s", at.name);
	else if (at.line == CONF_LINE_DEFINE)
		snprintf(buf, size, "-D %s", at.name);
	else
		snprintf(buf, size, "%s:%u", at.name, at.line);
	return buf;
}

/*
 * What was read, in quotes, fit for a line of error whatever it is: cut to what
 * helps, and with every byte visible.
 */
const char *
conf_quote(const char *s, size_t len, char *buf, size_t size)
{
	const size_t most = 40;
	size_t i;
	char one[8];

	strlcpy(buf, "\"", size);
	for (i = 0; i < len && i < most; i++) {
		if (s[i] >= 0x20 && s[i] < 0x7f)
			snprintf(one, sizeof(one), "%c", s[i]);
		else
			snprintf(one, sizeof(one), "\\x%02x", (unsigned char)s[i]);
		strlcat(buf, one, size);
	}
	strlcat(buf, i < len ? "...\"" : "\"", size);
	return buf;
}

/* A line whose very bytes are wrong has its error: what follows is noise. */
static bool
is_noise(const struct conf_parser *p, struct conf_where at)
{
	const struct conf_lexer *lx = p->lx;

	return lx != NULL && lx->bad != 0 && at.name == lx->name &&
	    (lx->env || at.line == lx->bad);
}

void
conf_error(struct conf_parser *p, struct conf_where at, const char *fmt, ...)
{
	char line[2 * CONF_PATH_MAX];
	size_t len, i;
	va_list ap;

	if (p->stop || is_noise(p, at))
		return;
	conf_where_text(at, line, sizeof(line) / 2);
	strlcat(line, ": ", sizeof(line));
	len = strlen(line);
	if (++p->nerror > CONF_ERROR_MAX) {
		p->stop = true;
		snprintf(line + len, sizeof(line) - len,
		    "expected at most %d "
		    "errors, got more; the others are not shown",
		    CONF_ERROR_MAX);
	} else {
		va_start(ap, fmt);
		vsnprintf(line + len, sizeof(line) - len, fmt, ap);
		va_end(ap);
	}
	/* One error is one line, whatever the file is called. */
	for (i = 0; line[i] != '\0'; i++) {
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	}
	p->error(p->arg, line);
}

/* Keep a name for as long as the parser: errors point to it. */
static const char *
keep_name(struct conf_parser *p, const char *name)
{
	char *copy;

	if (p->nname == CONF_FILES_MAX || (copy = strdup(name)) == NULL)
		return NULL;
	p->name[p->nname++] = copy;
	return copy;
}

/* Read to the end; NULL with *why set when that cannot be. */
static unsigned char *
read_all(int fd, size_t most, size_t *len, const char **why)
{
	unsigned char *buf, *bigger;
	size_t size = 16384, have = 0;
	ssize_t n;

	*why = "no memory";
	if ((buf = malloc(size)) == NULL)
		return NULL;
	for (;;) {
		n = read(fd, buf + have, size - have);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1) {
			*why = strerror(errno);
			break;
		}
		if (n == 0) {
			*len = have;
			return buf;
		}
		have += (size_t)n;
		if (have > most) {
			*why = "more than 1M of configuration in all";
			break;
		}
		if (have < size)
			continue;
		if ((bigger = realloc(buf, size * 2)) == NULL)
			break;
		buf = bigger;
		size *= 2;
	}
	free(buf);
	return NULL;
}

/*
 * Open what may be read as configuration: a regular file that not everyone may
 * write to, for whoever writes it decides what root does.
 */
static int
open_file(struct conf_parser *p, const char *path, struct stat *st, const char **why)
{
	uint32_t i;
	int fd;

	/* Not to wait for the writer of a pipe. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd == -1 || fstat(fd, st) == -1) {
		*why = strerror(errno);
		if (fd != -1)
			close(fd);
		return -1;
	}
	*why = NULL;
	if (!S_ISREG(st->st_mode))
		*why = "no regular file";
	else if (st->st_mode & S_IWOTH)
		*why = "a file that everyone may write to (chmod o-w)";
	for (i = 0; i < p->depth; i++) {
		if (p->open[i].dev == st->st_dev && p->open[i].ino == st->st_ino)
			*why = "a file that includes itself";
	}
	if (p->depth == CONF_DEPTH_MAX)
		*why = "an include inside of too many (8) files";
	if (*why == NULL)
		return fd;
	close(fd);
	return -1;
}

/* Parse one text, in a block or at the top. */
static void
parse_text(struct conf_parser *p, enum conf_block block, void *base, const char *name,
    const unsigned char *buf, size_t len)
{
	struct conf_lexer lx, *outer = p->lx;
	uint32_t unclosed = p->unclosed;

	memset(&lx, 0, sizeof(lx));
	lx.name = name;
	lx.buf = buf;
	lx.len = len;
	lx.line = 1;
	if (len >= 3 && memcmp(buf, "\xef\xbb\xbf", 3) == 0)
		lx.pos = lx.start = 3; /* a byte order mark */
	p->lx = &lx;
	p->unclosed = 0;
	conf_next(p);
	conf_body(p, block, base, nowhere);
	if (p->end.name == NULL || outer == NULL)
		p->end = (struct conf_where){ name, p->tok.line };
	p->unclosed = unclosed;
	p->lx = outer;
}

static void
parse_file(struct conf_parser *p, enum conf_block block, void *base, const char *path,
    struct conf_where at)
{
	const char *why = "too many files", *name = keep_name(p, path);
	char quoted[192];
	unsigned char *buf = NULL;
	struct stat st;
	size_t len = 0;
	int fd = -1;

	if (name != NULL)
		fd = open_file(p, path, &st, &why);
	if (fd != -1) {
		buf = read_all(fd, (size_t)(CONF_TOTAL_MAX - p->total), &len, &why);
		close(fd);
	}
	if (buf == NULL) {
		p->partial = true;
		if (at.name == NULL)
			at = (struct conf_where){ path, 1 };
		conf_error(p, at, "expected a file to read, got %s: %s",
		    conf_quote(path, strlen(path), quoted, sizeof(quoted)), why);
		return;
	}
	p->total += len;
	p->open[p->depth].dev = st.st_dev;
	p->open[p->depth].ino = st.st_ino;
	p->depth++;
	parse_text(p, block, base, name, buf, len);
	p->depth--;
	free(buf);
}

/* A relative path is relative to the file that it stands in. */
void
conf_include(struct conf_parser *p, enum conf_block block, void *base, const char *file,
    struct conf_where at)
{
	char path[CONF_PATH_MAX];
	const char *slash = strrchr(at.name, '/');
	struct conf_token saved = p->tok;
	int dir = 0;

	if (!p->files) {
		p->partial = true;
		conf_error(p, at,
		    "expected no include in a text that is no "
		    "file, got one");
		return;
	}
	if (file[0] != '/' && slash != NULL)
		dir = (int)(slash - at.name) + 1;
	if ((size_t)snprintf(path, sizeof(path), "%.*s%s", dir, at.name, file) >=
	    sizeof(path)) {
		p->partial = true;
		conf_error(p, at,
		    "expected a path of at most %zu bytes after "
		    "\"include\", got a longer one",
		    sizeof(path) - 1);
		return;
	}
	parse_file(p, block, base, path, at);
	p->tok = saved;
}

/* The macros of the command line, before any file. */
static void
defines(struct conf_parser *p, const struct conf_define *def, unsigned int n)
{
	struct conf_where at = { NULL, CONF_LINE_DEFINE };
	struct conf_macro *m;
	size_t len;
	unsigned int i;

	for (i = 0; i < n; i++) {
		at.name = def[i].name != NULL ? def[i].name : "";
		len = def[i].value != NULL ? strlen(def[i].value) : 0;
		if (!conf_macro_name(at.name, strlen(at.name)))
			conf_error(p, at,
			    "expected the name of a macro, of "
			    "letters, digits and \"_\", got another");
		else if (conf_row_find(B_TOP, at.name) != NULL)
			conf_error(p, at,
			    "expected the name of a macro, "
			    "got a keyword");
		else if (def[i].value == NULL || len >= sizeof(m->value) ||
		    !conf_utf8(def[i].value, len))
			conf_error(p, at,
			    "expected a value of at most %zu "
			    "bytes of text, got another",
			    sizeof(m->value) - 1);
		else if (conf_macro_find(p, at.name, strlen(at.name)) != NULL)
			conf_error(p, at,
			    "expected the macro once, "
			    "got it again");
		else if ((m = conf_macro_add(p, at.name)) == NULL)
			conf_error(p, at,
			    "expected at most %d macros, "
			    "got one more",
			    CONF_MACRO_MAX);
		else {
			m->at = at;
			m->define = true;
			strlcpy(m->value, def[i].value, sizeof(m->value));
		}
	}
}

/* One that no file knows is a slip of the pen, and would be silent. */
static void
unused_defines(struct conf_parser *p)
{
	const char *found = NULL;
	size_t best = SIZE_MAX;
	uint32_t i, j;

	for (i = 0; !p->partial && i < p->nmacro; i++) {
		if (!p->macro[i].define || p->macro[i].known)
			continue;
		for (j = 0; j < p->nmacro; j++) {
			if (j != i &&
			    conf_near(p->macro[i].name, p->macro[j].name, &best))
				found = p->macro[j].name;
		}
		conf_error(p, p->macro[i].at,
		    "expected a macro of the "
		    "configuration, got one that it does not have%s%s%s",
		    found != NULL ? "; did you mean \"" : "", found != NULL ? found : "",
		    found != NULL ? "\"?" : "");
		found = NULL;
		best = SIZE_MAX;
	}
}

static struct conf_parser *
start(struct conf *conf, conf_error_fn error, void *arg, const char *name)
{
	struct conf_parser *p;
	char line[CONF_PATH_MAX];

	conf_defaults(conf);
	if ((p = calloc(1, sizeof(*p))) == NULL) {
		snprintf(line, sizeof(line),
		    "%.512s:1: expected memory, got "
		    "none",
		    name);
		error(arg, line);
		return NULL;
	}
	p->conf = conf;
	p->error = error;
	p->arg = arg;
	return p;
}

static int
finish(struct conf_parser *p, char *const envp[])
{
	int nerror;
	uint32_t i;

	unused_defines(p);
	if (envp != NULL)
		conf_environment(p, envp);
	conf_verify(p);
	conf_ineffect(p);
	nerror = p->nerror;
	for (i = 0; i < p->nname; i++)
		free(p->name[i]);
	free(p);
	return nerror;
}

int
conf_parse(struct conf *conf, const char *file, const struct conf_define *def,
    unsigned int ndef, char *const envp[], conf_error_fn error, void *arg)
{
	struct conf_parser *p = start(conf, error, arg, file);

	if (p == NULL)
		return 1;
	p->files = true;
	defines(p, def, ndef);
	parse_file(p, B_TOP, conf, file, nowhere);
	return finish(p, envp);
}

int
conf_parse_buf(struct conf *conf, const char *name, const char *buf, uint64_t len,
    const struct conf_define *def, unsigned int ndef, char *const envp[],
    conf_error_fn error, void *arg)
{
	struct conf_parser *p = start(conf, error, arg, name);

	if (p == NULL)
		return 1;
	defines(p, def, ndef);
	if (len > CONF_TOTAL_MAX)
		conf_error(p, (struct conf_where){ name, 1 },
		    "expected at most 1M of configuration, got more");
	else
		parse_text(p, B_TOP, conf, name, (const unsigned char *)buf, (size_t)len);
	return finish(p, envp);
}
