/*
 * Where homes are, and what makes them end where the configuration says.
 *
 * storage.c		which of the three it is; homes found, made, moved
 * storage_box.c	what isolation does for sandboxes that run
 * storage_usage.c	how much is used
 * storage_quota.c	project quotas
 * storage_volume.c	a file system of its own in a file, for each home
 * storage_limit.c	how large that is, and how much of it can be used
 * storage_loop.c	block devices of such files
 * storage_ready.c	volumes of users who are expected
 * storage_super.c	what such a file says of itself while nobody uses it
 * storage_tool.c	the programs that make and mend file systems
 *
 * A home is what it is once it has been made: a volume stays one whatever the
 * configuration says later; a folder becomes a volume when it says so.
 *
 * A volume is attached by the process that makes a sandbox, or by a job shortly
 * before, and mounted for that sandbox only.  Nothing of it is in the host's tree of
 * mounts, and its block device goes with its last mount: whoever is killed, nothing
 * stays.
 */
#ifndef ISOLATION_STORAGE_H
#define ISOLATION_STORAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../conf.h"
#include "../wire.h"

struct setup;
struct box;
struct patience;

struct storage_use {
	uint64_t bytes;
	uint64_t files;
	uint64_t files_max; /* 0: as the configuration says */
};

/* Folders of ours in data, and what is found in them. */
struct storage_dirs {
	int homes;   /* data/home */
	int volumes; /* data/volume */
};

/* storage.c */
enum wire_storage storage_mode(void);
/* What this machine has for what the configuration wants; 0, or -1 and why. */
int storage_choose(const struct storage_dirs *dirs, const struct conf_isolation *conf,
    enum wire_storage *mode, char *why, size_t len);
void storage_set_mode(enum wire_storage mode);
/* What the user's home is, or would become. */
enum wire_storage storage_of(const struct storage_dirs *dirs, uint32_t uid);
int setup_home(struct setup *s);

/* storage_quota.c */
bool quota_enforced(int dir);
int quota_mark(int dir, uint32_t uid); /* a folder, for all that is made in it */
/* And all that it holds. */
int quota_mark_tree(int dir, uint32_t uid, const struct patience *patience);
bool quota_marked(int dir, uint32_t uid);
int quota_limit(int dir, uint32_t uid, uint64_t bytes, uint64_t files);
int quota_use(int dir, uint32_t uid, struct storage_use *use);

/* storage_loop.c: a descriptor of the device, or -1 with errno. */
int loop_attach(int image, int *number);
int loop_find(int image, int *number); /* the one that *number says first, if any */
void loop_see_all(bool begin);         /* around many of those */
int loop_grown(int loop);
bool loop_usable(char *why, size_t len);

/* storage_super.c */
struct super {
	uint64_t blocks; /* that can hold data */
	uint64_t free;
	uint64_t inodes;
	uint64_t inodes_free;
	uint32_t block_size;
	bool check; /* was not left as it should be */
};
int super_read(int image, struct super *super);

/* storage_tool.c: 0; 1, if it could not be run to its end; -1; and what it said */
enum tool {
	TOOL_MAKE,
	TOOL_CHECK,
	TOOL_GROW,
};
const char *tool_missing(void); /* NULL: all are there */
int tool_make(int image, uint64_t inodes, unsigned int journal_mb, uint32_t uid,
    char *said, size_t len);
int tool_check(int image, const struct patience *patience, char *said, size_t len);
/* To the size of its file. */
int tool_grow(int image, const struct patience *patience, char *said, size_t len);

/* storage_volume.c */
#define VOLUME_BLOCK 4096
/* Inodes that a file system has for itself; the root is the home. */
#define VOLUME_INODES 9

struct volume {
	int image; /* the file */
	int mount; /* not attached to any tree */
	int loop;  /* number of its device; before it is known, a guess or -1 */
};

bool volume_exists(int volumes, uint32_t uid);
/* Grown if need be, attached, mounted and limited; v->loop is a guess of its device,
 * or -1.  0, or -1 and the fault. */
int volume_open(int volumes, const char *user, uint32_t uid,
    const struct conf_limits *limits, const struct patience *patience, struct volume *v,
    struct m_fail *f);
/* Attached and mounted, if that is all that there is to do; 0 or -1. */
int volume_stand(int volumes, const char *user, uint32_t uid,
    const struct conf_limits *limits, struct volume *v);
/* A new one, under a name that volume_keep() makes the final one. */
int volume_make(int volumes, const char *user, uint32_t uid,
    const struct conf_limits *limits, const struct storage_use *room, struct volume *v,
    struct m_fail *f);
int volume_keep(int volumes, uint32_t uid);
/* That of a sandbox that runs already. */
int volume_find(int volumes, uint32_t uid, struct volume *v);
void volume_close(struct volume *v);
int volume_use(int home, struct storage_use *use);
int volume_use_closed(int volumes, uint32_t uid, struct storage_use *use);
void volume_drop(int volumes, uint32_t uid); /* one that was not kept */
/* Out of the way, for storage_sweep(); EBUSY while it is attached. */
int volume_remove(int volumes, uint32_t uid);

/* storage_limit.c */
#define VOLUME_HELD ((uint64_t)16 << 20) /* what ext4 withholds by itself, at most */

/* 0; 1: it is smaller than it should be, and why; -1: it does not hold, and why. */
int volume_limit(int home, int image, int loop, const struct conf_limits *limits,
    char *why, size_t len);
/* Is it so already? */
bool volume_limited(int home, int loop, const struct conf_limits *limits);
/* Of the file, to hold that much, and to hold so much more. */
uint64_t volume_size(uint64_t bytes, uint64_t inodes, unsigned int journal_mb);
uint64_t volume_size_grown(uint64_t size, uint64_t missing);

/* storage_box.c: in isolation.  Of a box: */
struct box_storage {
	enum wire_storage by;
	int home; /* the folder of a mounted volume, or -1 */
	int loop;
	bool told; /* that it is too much, or nearly */
};

struct storage_dirs storage_dirs(void);
void storage_start(const struct conf_isolation *conf);
void storage_found(struct box *b, enum wire_storage by, int home, int loop);
void storage_adopt(struct box *b);
void storage_limits(struct box *b);
/* In a job, which is told of when it is done.  False: it is done already. */
bool storage_unmount(int *home, bool trim,
    void (*done)(void *owner, int error, const void *answer), void *owner);
/* The volume goes, in its own time; then fn is called.  False: there is none. */
bool storage_release(struct box *b, void (*fn)(struct box *));
int storage_remove(const char *user, uint32_t uid, struct m_fail *f);
void storage_sweep(void);

/* storage_ready.c: in isolation */
void ready_begin(const char *user, uint32_t uid, const struct conf_limits *limits);
int ready_loop(uint32_t uid); /* number of its device, or -1 */
int ready_home(uint32_t uid); /* its root, or -1 */
void ready_taken(uint32_t uid);
/* It goes, in its own time; then gone is called.  False: there is none. */
bool ready_release(uint32_t uid, void (*gone)(void *), void *arg);
void ready_release_all(void);

/* storage_usage.c */
void usage_start(void);
void usage_row(const struct box *b, uint32_t uid, struct m_sandbox *row);
void usage_check(struct box *b); /* is it too much, or nearly? */
/* Where it has to be counted and what is known is old, fn is called once it is
 * counted, or after a short time.  False: there is nothing to wait for. */
bool usage_wait(const char *user, uint32_t uid, void (*fn)(void *), void *arg);

#endif
