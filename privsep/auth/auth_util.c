/* Small things that several parts of auth need: see auth.h. */
#include <arpa/inet.h>

#include <stdio.h>
#include <string.h>
#include <time.h>

#include <bsd/string.h>

#include "auth.h"

#define LOG_BURST 50 /* lines */
#define LOG_RATE  10 /* per second afterwards */

static int64_t
clock_ms(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t
auth_ms(void)
{
	return clock_ms(CLOCK_BOOTTIME);
}

/*
 * The wall clock as it was when this process started, driven by the clock since
 * boot: whoever sets the machine's clock back prolongs no session.
 */
int64_t
auth_now_ms(void)
{
	static int64_t offset;

	if (offset == 0)
		offset = clock_ms(CLOCK_REALTIME) - auth_ms();
	return auth_ms() + offset;
}

int64_t
auth_now(void)
{
	return auth_now_ms() / 1000;
}

bool
log_allowed(void)
{
	static int64_t credit = LOG_BURST * 1000, at;
	static uint64_t suppressed;
	int64_t now = auth_ms();

	credit += (now - at) * LOG_RATE;
	at = now;
	if (credit > LOG_BURST * 1000)
		credit = LOG_BURST * 1000;
	if (credit < 1000) {
		suppressed++;
		return false;
	}
	credit -= 1000;
	if (suppressed > 0 && credit >= 2000) {
		credit -= 1000;
		log_event(LOG_WARNING, "log.suppressed", LOG_N("lines", suppressed));
		suppressed = 0;
	}
	return true;
}

const char *
addr_text(const struct wire_addr *a, char buf[INET6_ADDRSTRLEN])
{
	struct in6_addr in6;

	if (a->unix_peer != 0) {
		strlcpy(buf, "unix", INET6_ADDRSTRLEN);
		return buf;
	}
	memcpy(&in6, a->ip, sizeof(in6));
	if (IN6_IS_ADDR_V4MAPPED(&in6))
		inet_ntop(AF_INET, a->ip + 12, buf, INET6_ADDRSTRLEN);
	else
		inet_ntop(AF_INET6, &in6, buf, INET6_ADDRSTRLEN);
	return buf;
}

void
addr_prefix(const struct wire_addr *a, uint8_t prefix[16])
{
	struct in6_addr in6;

	memset(prefix, 0, 16);
	if (a->unix_peer != 0)
		return;
	memcpy(&in6, a->ip, sizeof(in6));
	memcpy(prefix, a->ip, IN6_IS_ADDR_V4MAPPED(&in6) ? 16 : 8);
}

permits
account_permits(const struct store_account *a)
{
	return roles_permit(auth.conf.role, auth.conf.nroles, a->roles);
}

void
fold(char *s)
{
	for (; *s != '\0'; s++)
		if (*s >= 'A' && *s <= 'Z')
			*s = (char)(*s - 'A' + 'a');
}
