/* The superblock of an ext4 file system, as it stands in its file. */
#include <endian.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "storage.h"

#define AT    1024
#define MAGIC 0xef53

/* struct ext4_super_block, the fields that we look at. */
enum {
	INODES = 0x00,
	BLOCKS_LO = 0x04,
	FREE_LO = 0x0c,
	INODES_FREE = 0x10,
	LOG_BLOCK = 0x18,
	MAGIC_AT = 0x38,
	STATE = 0x3a,
	INCOMPAT = 0x60,
	BLOCKS_HI = 0x150,
	FREE_HI = 0x158,
	OVERHEAD = 0x248,
};

#define STATE_VALID      0x1
#define STATE_ERROR      0x2
#define INCOMPAT_RECOVER 0x4

static uint16_t
get16(const uint8_t *b, unsigned int at)
{
	uint16_t v;

	memcpy(&v, b + at, sizeof(v));
	return le16toh(v);
}

static uint32_t
get32(const uint8_t *b, unsigned int at)
{
	uint32_t v;

	memcpy(&v, b + at, sizeof(v));
	return le32toh(v);
}

int
super_read(int image, struct super *super)
{
	uint8_t b[1024];
	uint64_t overhead;
	uint16_t state;

	if (pread(image, b, sizeof(b), AT) != (ssize_t)sizeof(b) ||
	    get16(b, MAGIC_AT) != MAGIC || get32(b, LOG_BLOCK) > 6) {
		errno = EUCLEAN;
		return -1;
	}
	state = get16(b, STATE);
	overhead = get32(b, OVERHEAD);
	super->block_size = 1024U << get32(b, LOG_BLOCK);
	super->blocks = get32(b, BLOCKS_LO) | (uint64_t)get32(b, BLOCKS_HI) << 32;
	super->blocks -= overhead < super->blocks ? overhead : super->blocks;
	super->free = get32(b, FREE_LO) | (uint64_t)get32(b, FREE_HI) << 32;
	super->inodes = get32(b, INODES);
	super->inodes_free = get32(b, INODES_FREE);
	super->check = (state & STATE_ERROR) != 0 || (state & STATE_VALID) == 0 ||
	    (get32(b, INCOMPAT) & INCOMPAT_RECOVER) != 0;
	return 0;
}
