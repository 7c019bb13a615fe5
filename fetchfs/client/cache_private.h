/* SPDX-License-Identifier: MIT */
/*
 * What the cache's files share: cache.c (the directory), cache_files.c (contents, texts), cache_catalog.c, cache_part.c, cache_room.c (accounts and the thread
 * that keeps them), cache_accounts.c, cache_evict.c.
 */
#ifndef SPORE_FETCHFS_CLIENT_CACHE_PRIVATE_H
#define SPORE_FETCHFS_CLIENT_CACHE_PRIVATE_H

#include "fetchfs/client/cache.h"

#include <pthread.h>
#include <sys/stat.h>

#define CACHE_FILES "files"
#define CACHE_SUSPECT "suspect"
#define CACHE_CATALOGS "catalogs"
#define CACHE_REPOSITORIES "repositories"
#define CACHE_NAME_SIZE 96	/* "files/ab/b2-<64>.part" */
#define CACHE_PART ".part"
#define CACHE_MAP ".map"
#define CACHE_LIST ".list"
#define CACHE_TEXT_NAME_MAX 384	/* "repositories/<NAME>/<FILE>" */
#define CACHE_BLOCK 4096	/* what a file takes at least, for the accounts */
#define CACHE_PIN_BUCKETS 1024

#define CACHE_MAX_LOWER 8
#define CACHE_LOWER_KNOWN 65536	/* contents that it is remembered of whether they were in order */
#define CACHE_SHARDS 256	/* files/00 to files/ff, and suspect/ as well */

/* For the accounts: folders by number. */
enum { CACHE_ROOM_FILES, CACHE_ROOM_SUSPECT = CACHE_SHARDS, CACHE_ROOM_CATALOGS = 2 * CACHE_SHARDS, CACHE_ROOM_FOLDERS };

struct cache_pinned;

/* How much there may be, and how much there is: bytes, about. */
struct cache_room {
	uint64_t quota, free;		/* the limits; free: of the file system, 0: does not matter */
	atomic_llong usage;		/* the sum of the folders */
	atomic_llong folders[CACHE_ROOM_FOLDERS];	/* as last listed, and what was put in and taken out since */
	atomic_ushort writing[CACHE_ROOM_FOLDERS];	/* counted in, but perhaps not to be seen yet */
	atomic_uint writes;		/* since a folder was last listed */
	atomic_uint waiting;		/* for room, behind the keeper */
	atomic_bool wanted;		/* the keeper has been called */
	_Atomic int64_t no_evict_before;	/* the last eviction did not help */
	pthread_mutex_t lock;		/* of the condition */
	pthread_cond_t changed;
	pthread_t keeper;
	bool has_keeper;
	atomic_bool is_counted;		/* every folder has been listed, or was when the last session ended */
};

/* Where eviction stands; by evict_lock. */
struct cache_sweep {
	unsigned hand, left;		/* next shard; shards left for this cutoff */
	int64_t cutoff;			/* what was used last at this time or before goes: ns since 1970 */
	unsigned listed;		/* next folder that the accounts look at again */
};

struct cache {
	int fd, lock_fd, finish_fd;
	bool has_suspects;
	struct stats *stats;
	struct memory *memory;
	bool on_disk;
	struct cache_room room;
	char *ram_path;			/* to be removed at the end */
	int lower[CACHE_MAX_LOWER];
	unsigned lower_count;
	atomic_ullong *lower_verified, *lower_bad;
	uint32_t session;		/* of temporary names: another one whenever a cache is opened */
	atomic_bool refusing;		/* the last write failed */
	atomic_uint serial;
	atomic_bool stop;		/* background work need not go on */
	pthread_mutex_t evict_lock;
	struct cache_sweep sweep;
	pthread_mutex_t finish_lock;	/* with flock on finish_fd: parts get their final names one by one */
	pthread_mutex_t session_lock;	/* who marks the cache as in use */
	atomic_bool is_in_use;		/* it is marked, on the disk */
	pthread_mutex_t pin_lock;
	struct cache_pinned *pins[CACHE_PIN_BUCKETS];
};

/* A name beside it that nobody else uses, nor a killed program has left. */
void cache_temporary(struct cache *c, const char *name, char *ret, size_t size);
/* "files/ab/b2-ab...suffix" for a folder. */
void cache_name(const char *folder, const struct digest *key, const char *suffix, char ret[CACHE_NAME_SIZE]);
bool cache_is_pinned(struct cache *c, const struct digest *key);
/* openat (mode 0600) of a file whose reading does not note the access time. */
int cache_open_file(struct cache *c, const char *name, int flags);
/* Eviction goes by the access time, which is noted here since the file system may not do it. s: as it was found. */
void cache_touch(int fd, const struct stat *s);
/* For reading, of this size; a file of another size is removed and counted as bad (-ENOENT). */
errint_t cache_open_whole(struct cache *c, const char *name, uint64_t size, int *ret_fd);
/* As cache_put, under a name of the cache. folder: in the accounts. */
errint_t cache_write_file(struct cache *c, unsigned folder, const char *name, const void *data, size_t size, int *ret_fd);
/* A file under its final name, written beside it and renamed; synced: on the disk before it gets the name. */
errint_t cache_replace(struct cache *c, const char *name, const void *data, size_t size, bool synced);


/* Directories separated by colons. */
errint_t cache_lower_open(struct cache *c, const char *paths);
void cache_lower_close(struct cache *c);
/* A content that the caller has still to verify, unless cache_lower_is_verified; then he says which. */
errint_t cache_lower_find(struct cache *c, const struct digest *key, uint64_t size, int *ret_fd);
bool cache_lower_is_verified(struct cache *c, const struct digest *key);
void cache_lower_verified(struct cache *c, const struct digest *key);
void cache_lower_bad(struct cache *c, const struct digest *key);
/* As far as that can be told without a look at the bytes. */
bool cache_lower_has(struct cache *c, const struct digest *key);
/* A file by its name in the cache. */
errint_t cache_lower_find_name(struct cache *c, const char *name, uint64_t size, int *ret_fd);

/* Before the first content is written: on the disk before it, it says that not all files may be whole from now on. */
errint_t cache_mark_in_use(struct cache *c);

errint_t cache_room_start(struct cache *c, const struct cache_config *config);
void cache_room_stop(struct cache *c);
/* The folder's number in the accounts. */
unsigned cache_room_folder(const char *folder, const struct digest *key);
/* Counts size bytes in; evicts where they are too many. -ENOSPC: all that is there is in use. After 0, cache_settle says what became of it. */
errint_t cache_reserve(struct cache *c, unsigned folder, uint64_t size);
void cache_settle(struct cache *c, unsigned folder, uint64_t size, bool is_written);
/* From the last session, for the first user of a clean cache; to the next one, by the last user; that there are two at a time. */
void cache_accounts_load(struct cache *c);
void cache_accounts_save(struct cache *c);
void cache_accounts_shared(struct cache *c);
/* Counts out what went. */
void cache_release(struct cache *c, unsigned folder, uint64_t size);
/* The disk is full: makes room for size bytes and then some. -ENOSPC where nothing could be freed. */
errint_t cache_make_room(struct cache *c, uint64_t size);

/* What is there beyond where eviction stops. */
uint64_t cache_excess(struct cache *c);

/* evict_lock held, all three. Frees at least so many bytes if there are; returns how many. */
uint64_t cache_evict_locked(struct cache *c, uint64_t bytes);
/* Catalogs that are not in use, oldest first, until they take at most so much. */
void cache_evict_catalogs(struct cache *c, uint64_t bytes);
/* Lists a folder and sets its account right. */
void cache_recount(struct cache *c, unsigned folder);
/* Whether an error means that there is no room. */
bool cache_is_full(errint_t r);

#endif
