/* Small things that several parts of auth need: see auth.h. */
#include <netinet/in.h>

#include <string.h>
#include <time.h>

#include <bsd/string.h>

#include "auth.h"
#include "../clock.h"

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

const char *
account_name(uint32_t uid, char name[WIRE_NAME])
{
	struct store_account a;

	name[0] = '\0';
	if (store_account_by_uid(auth.store, uid, &a) == STORE_OK)
		strlcpy(name, a.name, WIRE_NAME);
	explicit_bzero(&a, sizeof(a));
	return name;
}

void
fold(char *s)
{
	for (; *s != '\0'; s++)
		if (*s >= 'A' && *s <= 'Z')
			*s = (char)(*s - 'A' + 'a');
}
