/*
 * The audit trail's store and file, as auth uses them, for audit.mjs to time:
 *
 *	audit_load write DIR CLIENTS SECONDS
 *		so many clients wait for a record each; every turn records all of them
 *		and syncs the store and the file, which answers them
 *	audit_load fill DIR RECORDS USERS
 *	audit_load query DIR USERS
 *		how long does it take to open, and to find the last 50 records of a user?
 */
#include <sys/stat.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bsd/stdlib.h>
#include <bsd/string.h>

#include "../../privsep/auth/audit_file.h"
#include "../../privsep/auth/audit_store.h"
#include "../../privsep/log.h"
#include "took.h"

#define QUERIES 1000

static char err[1400];

static struct audit_store *
open_trail(const char *dir)
{
	struct audit_store *st;

	(void)mkdir(dir, 0700);
	if ((st = audit_store_open(dir, dir, err, sizeof(err))) == NULL)
		fatalx("%s", err);
	return st;
}

/* As audit.c makes one of a login. */
static void
append(struct audit_store *st, uint32_t user)
{
	static const char *const events[] = { "login.ok", "login.failed", "logout",
		"session.revoked", "sandbox.gone", "user.password" };
	static char line[AUDIT_LINE_MAX];
	uint8_t buf[AUDIT_RECORD_MAX];
	struct m_audit r;
	size_t len, n;

	memset(&r, 0, sizeof(r));
	r.seq = audit_store_head(st, r.prev) + 1;
	r.time = 1700000000000 + (int64_t)r.seq;
	strlcpy(r.event, events[user % 6], sizeof(r.event));
	strlcpy(r.outcome, "ok", sizeof(r.outcome));
	snprintf(r.user, sizeof(r.user), "user%u", user);
	strlcpy(r.actor, r.user, sizeof(r.actor));
	snprintf(r.source, sizeof(r.source), "10.%u.%u.%u", user >> 16 & 255,
	    user >> 8 & 255, user & 255);
	strlcpy(r.agent, "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Firefox/128.0",
	    sizeof(r.agent));
	strlcpy(r.session, "0123456789abcdef", sizeof(r.session));
	strlcpy(r.rid, "0123456789abcdef", sizeof(r.rid));
	len = audit_line(&r, line);
	if ((n = audit_encode(&r, buf)) == 0 || !audit_store_room(st))
		fatalx("no room");
	audit_store_append(st, &r, buf, n);
	if (audit_file_is_open()) {
		if (!audit_file_room())
			fatalx("no room");
		audit_file_add(line, len);
	}
}

static void
sync_all(struct audit_store *st)
{
	if (audit_store_sync(st) == -1 || audit_file_sync() == -1)
		fatal("sync");
	audit_store_tick(st);
}

static void
run_write(const char *dir, unsigned int clients, unsigned int seconds)
{
	struct audit_store *st = open_trail(dir);
	double start, end, turn, worst = 0;
	char path[512];
	const char *why;
	uint64_t n = 0;
	unsigned int i;

	snprintf(path, sizeof(path), "%s/../audit.log", dir);
	(void)unlink(path);
	if (audit_file_take(open(path, O_RDWR | O_CREAT, 0600), st, &why) == FILE_ODD)
		fatalx("%s", why);
	start = end = now();
	while (end - start < seconds * 1e3) {
		turn = end;
		for (i = 0; i < clients; i++)
			append(st, arc4random_uniform(100000));
		sync_all(st);
		n += clients;
		end = now();
		if (end - turn > worst)
			worst = end - turn;
	}
	printf("{\"clients\":%u,\"perSecond\":%.0f,\"turnMs\":%.2f,\"worstMs\":%.1f}\n",
	    clients, (double)n / (end - start) * 1e3, (end - start) * clients / (double)n,
	    worst);
	audit_file_close();
	audit_store_close(st);
}

static void
run_fill(const char *dir, uint64_t records, uint32_t users)
{
	struct audit_store *st = open_trail(dir);
	double start = now();
	uint8_t hash[WIRE_HASH256];

	while (audit_store_head(st, hash) < records) {
		append(st, arc4random_uniform(users));
		if (audit_store_pending(st) > AUDIT_BATCH_MAX / 2)
			sync_all(st);
	}
	sync_all(st);
	printf("{\"records\":%llu,\"perSecond\":%.0f}\n", (unsigned long long)records,
	    (double)records / (now() - start) * 1e3);
	audit_store_close(st);
}

static void
run_query(const char *dir, uint32_t users)
{
	static double took[QUERIES];
	uint8_t hash[WIRE_HASH256];
	struct audit_store *st;
	struct audit_scan sc;
	enum audit_scan_result r;
	struct m_audit row;
	char user[32];
	double opened, start = now();
	unsigned int i, rows, total = 0;

	st = open_trail(dir);
	opened = now() - start;
	for (i = 0; i < QUERIES; i++) {
		snprintf(user, sizeof(user), "user%u", arc4random_uniform(users));
		memset(&sc, 0, sizeof(sc));
		sc.newest_first = sc.keyed = true;
		sc.key = audit_key(AUDIT_KEY_WHO, user);
		sc.at = audit_store_head(st, hash);
		sc.from = INT64_MIN;
		sc.to = INT64_MAX;
		audit_scan_begin(&sc);
		start = now();
		rows = 0;
		while (rows < 50 && (r = audit_scan_next(st, &sc, &row)) != SCAN_END)
			rows += r == SCAN_RECORD && strcmp(row.user, user) == 0;
		took[i] = now() - start;
		audit_scan_end(&sc);
		total += rows;
	}
	qsort(took, QUERIES, sizeof(took[0]), by_value);
	printf(
	    "{\"records\":%llu,\"openMs\":%.0f,\"rows\":%.1f,\"p50\":%.2f,\"p99\":%.2f,"
	    "\"worst\":%.2f}\n",
	    (unsigned long long)audit_store_head(st, hash), opened,
	    total / (double)QUERIES, took[QUERIES / 2], took[QUERIES * 99 / 100],
	    took[QUERIES - 1]);
	audit_store_close(st);
}

int
main(int argc, char *argv[])
{
	log_init("audit_load", STDERR_FILENO, 0, LOG_WARNING, false);
	if (argc == 5 && strcmp(argv[1], "write") == 0)
		run_write(
		    argv[2], (unsigned int)atoi(argv[3]), (unsigned int)atoi(argv[4]));
	else if (argc == 5 && strcmp(argv[1], "fill") == 0)
		run_fill(argv[2], strtoull(argv[3], NULL, 10), (uint32_t)atoi(argv[4]));
	else if (argc == 4 && strcmp(argv[1], "query") == 0)
		run_query(argv[2], (uint32_t)atoi(argv[3]));
	else
		fatalx("usage: audit_load write | fill | query DIR ...");
	return 0;
}
