/* Those to whom one connects, and that do not answer: see upstream.h and circuit.h. */
#include "location.h"
#include "relay.h"
#include "upstream.h"
#include "../privsep/circuit.h"
#include "../privsep/log.h"

#define PORT_CIRCUITS 16

/* Of the ports that were asked last. */
static struct port_circuit {
	uint16_t port;
	struct circuit c;
} port_circuits[PORT_CIRCUITS];

static struct circuit *
circuit_of(const struct upstream_to *to)
{
	static unsigned int next;
	struct port_circuit *p;

	if (to->kind == UPSTREAM_LOCATION)
		return (location_circuit(to->location));
	if (to->kind != UPSTREAM_PORT && to->kind != UPSTREAM_SHARE)
		return (NULL);
	for (size_t i = 0; i < PORT_CIRCUITS; i++)
		if (port_circuits[i].port == to->port)
			return (&port_circuits[i].c);
	p = &port_circuits[next++ % PORT_CIRCUITS];
	*p = (struct port_circuit){ .port = to->port };
	return (&p->c);
}

unsigned int
upstream_try(const struct upstream_to *to)
{
	struct circuit *c = circuit_of(to);

	return (c != NULL ? circuit_try(c, relay_now()) : 0);
}

void
upstream_heard(const struct upstream_to *to, enum upstream_heard what)
{
	struct circuit *c = circuit_of(to);

	if (c == NULL)
		return;
	if (what == UPSTREAM_UNHEARD) {
		circuit_gone(c);
		return;
	}
	if (circuit_result(c, what == UPSTREAM_ANSWERS, relay_now()))
		log_event(circuit_is_open(c) ? LOG_WARNING : LOG_NOTICE,
		    circuit_is_open(c) ? "circuit.open" : "circuit.closed",
		    LOG_S("location",
			to->location != NULL ? to->location->conf->prefix : ""),
		    LOG_N("port", to->port));
}
