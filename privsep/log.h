/*
 * Logging of every process: one line per event, as text or JSON.
 *
 * A process that holds the log's descriptor writes it itself; a worker hands
 * its lines to the master (log_set_sink), which adds the role and bounds the
 * rate.  Whatever a value holds, a line stays one line: control bytes and
 * anything that is not printable ASCII or valid UTF-8 are written as \xNN.
 * Secrets are never given to these functions.
 */
#ifndef PRIVSEP_LOG_H
#define PRIVSEP_LOG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdnoreturn.h>
#include <syslog.h>

#define LOG_LINE_MAX 2048 /* of one line, prefix included */

enum log_value_kind {
	LOG_VALUE_END,
	LOG_VALUE_STR,
	LOG_VALUE_INT,
};

struct log_value {
	enum log_value_kind kind;
	const char *key;
	const char *str;
	int64_t num;
};

/* clang-format off */
#define LOG_S(k, v) { LOG_VALUE_STR, (k), (v), 0 }
#define LOG_N(k, v) { LOG_VALUE_INT, (k), NULL, (int64_t)(v) }
/* clang-format on */

/*
 * log_event(LOG_INFO, "login.failed", LOG_S("user", name), LOG_N("uid", u));
 * Event names are noun.verb; the request id is the value "rid".
 */
#define log_event(level, event, ...)                                                     \
	log_event_values((level), (event),                                               \
	    (const struct log_value[]){ __VA_ARGS__, { LOG_VALUE_END, NULL, NULL, 0 } })

typedef void (*log_sink_fn)(int level, const char *event, const char *text);

/* proc is the role in each line; fd is where lines go; format is enum
 * conf_log_format; level the least urgent that is written. */
void log_init(const char *proc, int fd, int format, int level, bool syslog);
void log_set_sink(log_sink_fn sink);
void log_set_fd(int fd);
int log_get_fd(void);
int log_get_level(void);

void log_event_values(int level, const char *event, const struct log_value *values);
/* A line on behalf of another process, which is not believed in anything: the
 * master for a worker.  An event that is none is shown as "invalid".  source is whom
 * it serves; "" for nobody. */
void log_relay(const char *proc, int32_t pid, int level, const char *event,
    const char *source, const char *text);

/* With errno (fatal, log_warn) and without (…x); errno is left as it was. */
noreturn void fatal(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
noreturn void fatalx(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warnx(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * One character of a value: its escaped form in esc, and how many bytes of p it
 * takes.  quote is the character that must not stand alone ('"', or 0 in running
 * text); json selects its escapes.
 */
#define LOG_ESCAPE 8
unsigned int log_escape_char(const char *p, char quote, bool json, char esc[LOG_ESCAPE]);

/* Copy src to dst with everything unprintable escaped; always terminated. */
void log_escape(char *dst, uint64_t dstlen, const char *src);

#endif
