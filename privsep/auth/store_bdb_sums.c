/*
 * Berkeley DB behind store.h: every record, and every entry of every index, while nobody
 * changes them.
 *
 * To go from each record to what leads to it, and back, is to jump to and fro in files
 * that are larger than any cache.  So each file is read once, from its beginning to its
 * end: what must lead to a record is worked out of the record, what does lead there is
 * what the index has, and of both there are sums, which have to be the same.  What is
 * summed up is a hash with a key of this moment.
 */
#include <stdlib.h>
#include <string.h>

#include <bsd/stdlib.h>

#include "store_bdb.h"

#define LOOKUP_EACH 4 /* fewer than are on a page */

struct sum {
	uint64_t hashes;
	uint64_t n;
};
struct sums {
	uint64_t key;
	struct sum want[T_MAX]; /* of indexes, by the records that they are of */
	struct sum have[T_MAX];
	struct store_counts *seen;
};

static uint64_t
bytes(uint64_t h, const DBT *d)
{
	const uint8_t *p = d->data;
	u_int32_t i;

	h = (h ^ d->size) * 0x100000001b3u;
	for (i = 0; i < d->size; i++)
		h = (h ^ p[i]) * 0x100000001b3u;
	/* What was changed last is to change all of it. */
	h = (h ^ h >> 33) * 0xff51afd7ed558ccdu;
	h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53u;
	return h ^ h >> 33;
}

static void
add(const struct sums *s, struct sum *to, const DBT *key, const DBT *record)
{
	to->hashes += bytes(bytes(s->key, key), record);
	to->n++;
}

/* What must lead to the record. */
static int
want(struct store *st, enum table t, const DBT *k, const DBT *d, struct sums *s)
{
	DBT key;
	int i, r;

	for (i = 0; i < T_MAX; i++) {
		if (bdb_tables[i].of != (int)t)
			continue;
		if ((r = bdb_tables[i].key(st->db[i], k, d, &key)) == DB_DONOTINDEX)
			continue;
		if (r != 0)
			return r;
		add(s, &s->want[i], &key, k);
		free(key.data);
	}
	return 0;
}

/* One table or index, as it lies there; an entry of an index is the key of a record. */
static int
scan(struct store *st, enum table t, DB *db, struct sums *s)
{
	uint8_t kbuf[WIRE_EMAIL], buf[STORE_RECORD_MAX];
	bool index = bdb_tables[t].of != -1;
	DBT k, d;
	DBC *c;
	uint64_t n;
	int r;

	if ((r = db->cursor(db, NULL, &c, 0)) != 0)
		return r;
	for (n = 0; r == 0; n++) {
		bdb_buf(&k, kbuf, sizeof(kbuf));
		bdb_buf(&d, buf, sizeof(buf));
		if (!index && !bdb_has_form(t))
			d.flags |= DB_DBT_PARTIAL;
		if ((r = c->get(c, &k, &d, DB_NEXT)) != 0)
			break;
		if (index)
			add(s, &s->have[t], &k, &d);
		else if ((r = bdb_record_ok(t, &k, &d, s->seen)) == 0)
			r = want(st, t, &k, &d, s);
		/* Is it found, too, and not only there? */
		if (r == 0 && n % LOOKUP_EACH == 0) {
			bdb_dbt(&d, kbuf, k.size);
			r = db->exists(db, NULL, &d, 0);
			if (r == DB_NOTFOUND)
				r = BDB_BAD_RECORD;
		}
	}
	c->close(c);
	explicit_bzero(buf, sizeof(buf));
	return r == DB_NOTFOUND ? 0 : r == DB_BUFFER_SMALL ? BDB_BAD_RECORD : r;
}

/* By itself: to the engine, st->db[t] is a way to the records. */
static int
scan_index(struct store *st, enum table t, struct sums *s)
{
	const char *file = st->memory ? NULL : bdb_tables[t].file;
	const char *name = st->memory ? bdb_tables[t].file : NULL;
	DB *db;
	int r, c;

	if ((r = db_create(&db, st->env, 0)) != 0)
		return r;
	if ((r = db->open(db, NULL, file, name, DB_BTREE, DB_RDONLY, 0)) == 0)
		r = scan(st, t, db, s);
	c = db->close(db, DB_NOSYNC);
	return r != 0 ? r : c;
}

int
bdb_check_all(struct store *st, struct store_counts *seen)
{
	struct sums s;
	int r = 0, t;

	memset(&s, 0, sizeof(s));
	memset(seen, 0, sizeof(*seen));
	s.seen = seen;
	arc4random_buf(&s.key, sizeof(s.key));
	for (t = 0; r == 0 && t < T_MAX; t++)
		r = bdb_tables[t].of == -1 ? scan(st, (enum table)t, st->db[t], &s) :
					     scan_index(st, (enum table)t, &s);
	for (t = 0; r == 0 && t < T_MAX; t++)
		if (s.want[t].n != s.have[t].n || s.want[t].hashes != s.have[t].hashes)
			r = BDB_BAD_RECORD;
	return r;
}
