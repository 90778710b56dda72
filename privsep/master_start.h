/*
 * What ided hands to the master that it becomes: the only call from bin/ into
 * master/, made when root has been given up for good.
 */
#ifndef PRIVSEP_MASTER_START_H
#define PRIVSEP_MASTER_START_H

#include "confsend.h"

struct master_start {
	struct conf_for_master conf;
	int listen[CONF_LISTEN_MAX];
	int isolation; /* channel's end */
	int log;
	int notify; /* service manager's socket, or -1 */
	int parent; /* waits for our start, or -1 */
	const char *version;
};

/* Serve; returns the exit code. */
int master_main(struct master_start *start);

#endif
