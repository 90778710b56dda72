/* The archive of a backup: see archive.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bsd/string.h>

#include "archive.h"

/* POSIX's ustar. */
struct head {
	char name[ARCHIVE_NAME];
	char mode[8];
	char uid[8];
	char gid[8];
	char size[12];
	char mtime[12];
	char sum[8];
	char type;
	char link[100];
	char magic[6];
	char version[2];
	char user[32];
	char group[32];
	char major[8];
	char minor[8];
	char prefix[155];
	char pad[12];
};
_Static_assert(sizeof(struct head) == ARCHIVE_BLOCK, "a block");

#define OCTAL_MAX 077777777777ULL /* of 12 bytes */

static unsigned int
sum_of(const struct head *h)
{
	struct head blank = *h;
	const uint8_t *p = (const uint8_t *)&blank;
	unsigned int sum = 0;
	size_t i;

	memset(blank.sum, ' ', sizeof(blank.sum));
	for (i = 0; i < sizeof(blank); i++)
		sum += p[i];
	return sum;
}

bool
archive_head(uint8_t block[ARCHIVE_BLOCK], const char *name, uint64_t size, int64_t time)
{
	struct head h;

	memset(&h, 0, sizeof(h));
	if (strlcpy(h.name, name, sizeof(h.name)) >= sizeof(h.name) || size > OCTAL_MAX ||
	    time < 0 || (uint64_t)time > OCTAL_MAX)
		return false;
	memcpy(h.mode, "0000600", 8);
	memcpy(h.uid, "0000000", 8);
	memcpy(h.gid, "0000000", 8);
	snprintf(h.size, sizeof(h.size), "%011llo", (unsigned long long)size);
	snprintf(h.mtime, sizeof(h.mtime), "%011llo", (unsigned long long)time);
	h.type = '0';
	memcpy(h.magic, "ustar", 6);
	memcpy(h.version, "00", 2);
	snprintf(h.sum, sizeof(h.sum), "%06o", sum_of(&h));
	h.sum[7] = ' ';
	memcpy(block, &h, sizeof(h));
	return true;
}

bool
archive_parse(const uint8_t block[ARCHIVE_BLOCK], char name[ARCHIVE_NAME], uint64_t *size)
{
	uint8_t again[ARCHIVE_BLOCK];
	struct head h;
	int64_t time;

	memcpy(&h, block, sizeof(h));
	if (memchr(h.name, '\0', sizeof(h.name)) == NULL ||
	    strspn(h.size, "01234567") != sizeof(h.size) - 1 ||
	    strspn(h.mtime, "01234567") != sizeof(h.mtime) - 1)
		return false;
	*size = strtoull(h.size, NULL, 8);
	time = (int64_t)strtoull(h.mtime, NULL, 8);
	memcpy(name, h.name, sizeof(h.name));
	return archive_head(again, name, *size, time) &&
	    memcmp(again, block, sizeof(again)) == 0;
}

size_t
archive_padding(uint64_t size)
{
	return (size_t)(-size % ARCHIVE_BLOCK);
}

bool
archive_name_ok(const char *name)
{
	static const char *const folders[] = { "keys/", "store/audit/", "store/" };
	size_t i, n;

	for (i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		n = strlen(folders[i]);
		if (strncmp(name, folders[i], n) != 0)
			continue;
		name += n;
		return name[0] != '\0' && name[0] != '.' && strlen(name) < 56 &&
		    strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789.-_") ==
		    strlen(name);
	}
	return false;
}
