/*
 * Admission: who is let in, decided before a process is spent.  Per source
 * (IPv4 address, IPv6 /64): connections, penalties; over all: random early drop
 * of connections that nobody has logged in on (as sshd_config(5) MaxStartups
 * and PerSourcePenalties).
 *
 * At most 65,536 sources are tracked; those without connections and penalties
 * make room first, and when there are none the table is permissive.
 */
#ifndef MASTER_ADMISSION_H
#define MASTER_ADMISSION_H

#include <stdbool.h>
#include <stdint.h>

#include "../privsep/wire.h"

enum penalty {
	PENALTY_CRASH,       /* its worker crashed, or broke a rule */
	PENALTY_LOGIN,       /* a login failed */
	PENALTY_GRACE,       /* it was too slow */
	PENALTY_BAD_REQUEST, /* it does not speak HTTP */
	PENALTY_MAX
};

enum admit {
	ADMIT_OK,
	ADMIT_EVICT, /* admitted, but the oldest without a user goes for it */
	ADMIT_PENALTY,
	ADMIT_PER_SOURCE,
	ADMIT_EARLY_DROP,
	ADMIT_NO_PROXY, /* where only proxies may come */
};

struct admission_conf {
	uint32_t per_source;
	uint32_t begin, rate, full;
};

struct source;

/* What counts as one source. */
void admission_key(const struct wire_addr *addr, uint8_t key[16]);
void admission_init(uint32_t (*random_below)(uint32_t));
/* Whom to tell that a source is refused from now on: the key is its address, of
 * IPv6 the /64, and seconds is how long if nothing is added. */
typedef void (*penalty_fn)(const uint8_t key[16], enum penalty, uint32_t seconds);
void admission_tell(penalty_fn);
void admission_configure(const struct admission_conf *c);

/*
 * May addr have one more connection?  unauthenticated is the number of
 * connections without a user.  On ADMIT_OK and ADMIT_EVICT *src is its entry (NULL
 * when it is not tracked) and counts the connection until admission_release().
 */
enum admit admission_check(const struct wire_addr *addr, int64_t now_ms,
    uint32_t unauthenticated, struct source **src);
void admission_release(struct source *src, bool was_bound);
void admission_bound(struct source *src);
void admission_penalise(struct source *src, enum penalty p, int64_t now_ms);
/* The same for one whose connection may have ended meanwhile. */
void admission_penalise_addr(
    const struct wire_addr *addr, enum penalty p, int64_t now_ms);
uint32_t admission_penalised(int64_t now_ms);
const char *admit_name(enum admit a);
const char *penalty_name(enum penalty p);

#endif
