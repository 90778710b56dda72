/* When somebody was last active: see heart.h. */
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "../privsep/log.h"
#include "heart.h"
#include "master.h"

#define FILE_EVERY 60000 /* ms between two writes, whatever happens meanwhile */
#define LOOK_EVERY 5     /* s between two looks whether it is time to leave */

static struct {
	int fd;
	int64_t last_ms;    /* since the epoch */
	int64_t active_ms;  /* monotonic: of the last beat, or of the start */
	int64_t written_ms; /* monotonic; 0: never */
	struct event *look;
} heart = { .fd = -1 };

/* Who watches the file looks at the time of its last change. */
static void
file_write(void)
{
	int64_t now = master_now_ms();
	char text[24];
	int n;

	if (heart.fd == -1 || heart.last_ms == 0 ||
	    (heart.written_ms != 0 && now - heart.written_ms < FILE_EVERY))
		return;
	n = snprintf(text, sizeof(text), "%lld\n", (long long)heart.last_ms);
	if (pwrite(heart.fd, text, (size_t)n, 0) != n) {
		log_warn("heartbeat file");
		close(heart.fd);
		heart.fd = -1;
		return;
	}
	heart.written_ms = now;
}

void
heart_beat(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	heart.last_ms = (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
	heart.active_ms = master_now_ms();
	file_write();
}

int64_t
heart_last(int64_t *ago)
{
	*ago = master_now_ms() - heart.active_ms;
	return heart.last_ms;
}

void
heart_file(int fd)
{
	if (heart.fd != -1)
		close(heart.fd);
	heart.fd = fd;
	heart.written_ms = 0;
	file_write();
}

/* Nobody was active for so long: a server of its own is of no use. */
static void
on_look(evutil_socket_t fd, short what, void *arg)
{
	int64_t idle = master_now_ms() - heart.active_ms;

	(void)fd;
	(void)what;
	(void)arg;
	if (master.conf.idle_exit == 0 || idle < 1000LL * master.conf.idle_exit)
		return;
	log_event(LOG_NOTICE, "ided.idle", LOG_N("seconds", idle / 1000));
	master_stop();
}

void
heart_init(void)
{
	static const struct timeval every = { LOOK_EVERY, 0 };

	heart.active_ms = master_now_ms();
	heart.look = event_new(master.base, -1, EV_PERSIST, on_look, NULL);
	if (heart.look == NULL || event_add(heart.look, &every) == -1)
		fatalx("heart: out of memory");
}
