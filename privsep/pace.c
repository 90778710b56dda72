/* A bounded rate: see pace.h. */
#include "pace.h"

/* What there is to spend at that time. */
static int64_t
credit(const struct pace *p, const struct pace_limit *l, int64_t now)
{
	int64_t full = (int64_t)l->burst * 1000;
	int64_t since = now - p->at;

	if (!p->used || since > full)
		return full;
	if (since < 0)
		since = 0;
	since = p->credit + since * l->rate;
	return since < full ? since : full;
}

bool
pace_take(struct pace *p, const struct pace_limit *l, int64_t now)
{
	p->credit = credit(p, l, now);
	p->at = now;
	p->used = true;
	if (p->credit < 1000)
		return false;
	p->credit -= 1000;
	return true;
}

bool
pace_rests(const struct pace *p, const struct pace_limit *l, int64_t now)
{
	return credit(p, l, now) == (int64_t)l->burst * 1000;
}
