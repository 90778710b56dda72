/* Logging: see log.h. */
#include <sys/time.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "conf.h"
#include "log.h"

static struct {
	const char *proc;
	int fd;
	int format;
	int level;
	bool syslog;
	log_sink_fn sink;
} lg = { .proc = "ided", .fd = STDERR_FILENO, .level = LOG_INFO };

static const char *const level_names[] = { "emerg", "alert", "critical", "error",
	"warning", "notice", "info", "debug" };

/* A line in the making: what does not fit is cut, never overrun. */
struct line {
	char buf[LOG_LINE_MAX];
	size_t len;
};

static void
line_add(struct line *l, const char *s, size_t n)
{
	/* One byte is kept for the newline. */
	if (n > sizeof(l->buf) - 1 - l->len)
		n = sizeof(l->buf) - 1 - l->len;
	memcpy(l->buf + l->len, s, n);
	l->len += n;
}

/* Values end before this, so that what closes a line always fits. */
#define LINE_VALUES (LOG_LINE_MAX - 16)

static void
line_puts(struct line *l, const char *s)
{
	line_add(l, s, strlen(s));
}

/* The length of the valid UTF-8 sequence at s (RFC 3629), 0 if there is none. */
static size_t
utf8_len(const unsigned char *s)
{
	if (s[0] >= 0xc2 && s[0] <= 0xdf && (s[1] & 0xc0) == 0x80)
		/* U+0080..U+009F are control characters. */
		return s[0] == 0xc2 && s[1] < 0xa0 ? 0 : 2;
	if ((s[0] & 0xf0) == 0xe0 && (s[1] & 0xc0) == 0x80 && (s[2] & 0xc0) == 0x80) {
		if (s[0] == 0xe0 && s[1] < 0xa0)
			return 0;
		if (s[0] == 0xed && s[1] > 0x9f)
			return 0;
		/* Line and direction controls, U+2028..202E, U+2066..2069. */
		if (s[0] == 0xe2 &&
		    ((s[1] == 0x80 && s[2] >= 0xa8 && s[2] <= 0xae) ||
			(s[1] == 0x81 && s[2] >= 0xa6 && s[2] <= 0xa9)))
			return 0;
		return 3;
	}
	if (s[0] >= 0xf0 && s[0] <= 0xf4 && (s[1] & 0xc0) == 0x80 &&
	    (s[2] & 0xc0) == 0x80 && (s[3] & 0xc0) == 0x80) {
		if ((s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
			return 0;
		return 4;
	}
	return 0;
}

unsigned int
log_escape_char(const char *s, char quote, bool json, char esc[LOG_ESCAPE])
{
	static const char hex[] = "0123456789abcdef";
	const unsigned char *p = (const unsigned char *)s;
	size_t n;

	if (*p >= 0x80 && (n = utf8_len(p)) > 0) {
		memcpy(esc, s, n);
		esc[n] = '\0';
		return (unsigned int)n;
	}
	n = 0;
	if (quote != 0 && (*p == (unsigned char)quote || *p == '\\')) {
		esc[n++] = '\\';
		esc[n++] = *s;
	} else if (*p < 0x20 || *p >= 0x7f) {
		esc[n++] = '\\';
		esc[n++] = json ? 'u' : 'x';
		if (json) {
			esc[n++] = '0';
			esc[n++] = '0';
		}
		esc[n++] = hex[*p >> 4];
		esc[n++] = hex[*p & 0xf];
	} else {
		esc[n++] = *s;
	}
	esc[n] = '\0';
	return 1;
}

static void
line_escaped(struct line *l, const char *s, char quote, bool json)
{
	char esc[LOG_ESCAPE];

	while (*s != '\0') {
		/* Cut between characters, never within an escape. */
		if (l->len + sizeof(esc) > LINE_VALUES)
			return;
		s += log_escape_char(s, quote, json, esc);
		line_puts(l, esc);
	}
}

void
log_escape(char *dst, uint64_t dstlen, const char *src)
{
	struct line l = { .len = 0 };

	if (dstlen == 0)
		return;
	line_escaped(&l, src, 0, false);
	if (l.len >= dstlen)
		l.len = dstlen - 1;
	memcpy(dst, l.buf, l.len);
	dst[l.len] = '\0';
}

static void
line_write(struct line *l)
{
	ssize_t n;

	if (!lg.syslog)
		l->buf[l->len++] = '\n';
	do {
		n = write(lg.fd, l->buf, l->len);
	} while (n == -1 && errno == EINTR);
	/* A full disk must not stop the service; there is nobody to tell. */
}

static void
line_time(struct line *l)
{
	struct timeval tv;
	struct tm tm;
	char t[40];
	size_t n;

	gettimeofday(&tv, NULL);
	/* gmtime_r needs no time zone file, so it works in an empty root. */
	gmtime_r(&tv.tv_sec, &tm);
	n = strftime(t, sizeof(t), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(t + n, sizeof(t) - n, ".%03ldZ", (long)tv.tv_usec / 1000);
	line_puts(l, t);
}

/* The head of a line, up to where its values start. */
static void
line_head(struct line *l, const char *proc, int32_t pid, int level, const char *event)
{
	char num[64];

	l->len = 0;
	if (level < LOG_EMERG || level > LOG_DEBUG)
		level = LOG_DEBUG;
	if (lg.syslog) {
		snprintf(num, sizeof(num), "<%d>ided-%s[%d]: ", LOG_DAEMON | level, proc,
		    (int)pid);
		line_puts(l, num);
	}
	if (lg.format == LOG_FORMAT_JSON) {
		line_puts(l, "{\"time\":\"");
		line_time(l);
		snprintf(num, sizeof(num), "\",\"pid\":%d,\"level\":\"%s\",\"proc\":\"",
		    (int)pid, level_names[level]);
		line_puts(l, num);
		line_puts(l, proc);
		line_puts(l, "\",\"event\":\"");
		line_escaped(l, event, '"', true);
		line_puts(l, "\"");
		return;
	}
	if (!lg.syslog) {
		line_time(l);
		snprintf(num, sizeof(num), " ided-%s[%d] ", proc, (int)pid);
		line_puts(l, num);
	}
	line_puts(l, level_names[level]);
	line_puts(l, " ");
	line_puts(l, event);
}

static void
line_value(struct line *l, const struct log_value *v)
{
	bool json = lg.format == LOG_FORMAT_JSON;
	char num[32];

	if (l->len + strlen(v->key) + sizeof(num) > LINE_VALUES)
		return;
	line_puts(l, json ? ",\"" : " ");
	line_puts(l, v->key);
	line_puts(l, json ? "\":" : "=");
	if (v->kind == LOG_VALUE_INT) {
		snprintf(num, sizeof(num), "%lld", (long long)v->num);
		line_puts(l, num);
		return;
	}
	line_puts(l, "\"");
	line_escaped(l, v->str == NULL ? "" : v->str, '"', json);
	line_puts(l, "\"");
}

static void
line_end(struct line *l)
{
	if (lg.format == LOG_FORMAT_JSON)
		line_puts(l, "}");
	line_write(l);
}

void
log_init(const char *proc, int fd, int format, int level, bool use_syslog)
{
	lg.proc = proc;
	lg.fd = fd;
	lg.format = format;
	lg.level = level;
	lg.syslog = use_syslog;
}

void
log_set_sink(log_sink_fn sink)
{
	lg.sink = sink;
}

void
log_set_fd(int fd)
{
	if (lg.fd > STDERR_FILENO && lg.fd != fd)
		close(lg.fd);
	lg.fd = fd;
}

int
log_get_fd(void)
{
	return lg.fd;
}

int
log_get_level(void)
{
	return lg.level;
}

void
log_event_values(int level, const char *event, const struct log_value *values)
{
	const struct log_value *v;
	struct line l;
	int saved = errno;

	if (level > lg.level)
		return;
	if (lg.sink != NULL) {
		/* Values only, as text: the master puts the head before them. */
		int format = lg.format;

		l.len = 0;
		lg.format = LOG_FORMAT_TEXT;
		for (v = values; v->kind != LOG_VALUE_END; v++)
			line_value(&l, v);
		lg.format = format;
		l.buf[l.len] = '\0';
		lg.sink(level, event, l.buf + (l.len > 0));
		errno = saved;
		return;
	}
	line_head(&l, lg.proc, getpid(), level, event);
	for (v = values; v->kind != LOG_VALUE_END; v++)
		line_value(&l, v);
	line_end(&l);
	errno = saved;
}

/* Ours are words with dots; anything else would be somebody's forgery. */
static bool
event_ok(const char *event)
{
	static const char chars[] = "abcdefghijklmnopqrstuvwxyz0123456789._";

	return event[0] != '\0' && event[strspn(event, chars)] == '\0';
}

void
log_relay(const char *proc, int32_t pid, int level, const char *event, const char *source,
    const char *text)
{
	const struct log_value text_value = LOG_S("text", text);
	const struct log_value source_value = LOG_S("source", source);
	struct line l;

	if (level > lg.level)
		return;
	line_head(&l, proc, pid, level, event_ok(event) ? event : "invalid");
	if (source[0] != '\0')
		line_value(&l, &source_value);
	if (lg.format == LOG_FORMAT_JSON) {
		line_value(&l, &text_value);
	} else {
		line_puts(&l, " ");
		line_escaped(&l, text, 0, false);
	}
	line_end(&l);
}

static void vlog(int level, int err, const char *fmt, va_list ap)
    __attribute__((format(printf, 3, 0)));

static void
vlog(int level, int err, const char *fmt, va_list ap)
{
	char text[LOG_LINE_MAX / 2];
	int n;

	if (level > lg.level)
		return;
	n = vsnprintf(text, sizeof(text), fmt, ap);
	if (n < 0)
		return;
	if (err != 0 && (size_t)n < sizeof(text))
		snprintf(text + n, sizeof(text) - (size_t)n, ": %s", strerror(err));
	log_event(level, "message", LOG_S("text", text));
}

#define LOG_BODY(level, err)                                                             \
	int saved = errno;                                                               \
	va_list ap;                                                                      \
                                                                                         \
	va_start(ap, fmt);                                                               \
	vlog((level), (err), fmt, ap);                                                   \
	va_end(ap);                                                                      \
	errno = saved

void
fatal(const char *fmt, ...)
{
	LOG_BODY(LOG_CRIT, saved);
	exit(1);
}

void
fatalx(const char *fmt, ...)
{
	LOG_BODY(LOG_CRIT, 0);
	exit(1);
}

void
log_warn(const char *fmt, ...)
{
	LOG_BODY(LOG_WARNING, saved);
}

void
log_warnx(const char *fmt, ...)
{
	LOG_BODY(LOG_WARNING, 0);
}

void
log_info(const char *fmt, ...)
{
	LOG_BODY(LOG_INFO, 0);
}

void
log_debug(const char *fmt, ...)
{
	LOG_BODY(LOG_DEBUG, 0);
}
