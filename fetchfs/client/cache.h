/* SPDX-License-Identifier: MIT */
/*
 * The cache on disk: whole contents as plain files, large files while they are being filled, catalogs, and the signed texts last seen. Shared by any number
 * of mounts and programs. Knows digests and sizes; must not know where contents come from, nor repositories beyond their names.
 *
 *	lock			flock: shared by everybody who uses the cache
 *	session			"in use" or "clean"
 *	files/ab/b2-ab...	a pack or a chunk, key: its digest; or a file of several extents, key: the digest of their list
 *	files/ab/b2-ab....part	a large file with some of its extents, .map: which (a byte each), .list: digest and length of each
 *	suspect/ab/...		what was in files/ when its last user ended without having marked it clean: verified before its first use
 *	catalogs/b2-...		catalogs, uncompressed; read into memory and verified when they are entered
 *	repositories/NAME/	manifest and keyring last accepted; pins (pins.h), and pinned/ (cache_keep.c)
 *
 * Everything appears under its name whole (temporary file and rename); nothing is synced, save at the end of the last user.
 */
#ifndef SPORE_FETCHFS_CLIENT_CACHE_H
#define SPORE_FETCHFS_CLIENT_CACHE_H

#include "common/digest.h"
#include "fetchfs/client/memory.h"
#include "fetchfs/client/stats.h"

struct cache;

struct cache_config {
	const char *path;		/* made where it is missing; NULL: in memory, and gone at the end */
	bool has_directory;		/* it is open already (also with path NULL): directory, which stays the caller's */
	int directory;
	const char *lower;		/* directories of caches that are only read, separated by colons; NULL: none */
	uint64_t quota;			/* bytes; 0: half of the file system, or a quarter of the memory */
	unsigned quota_percent;		/* instead of quota: of the file system's size, or of the memory; 0: not given */
	uint64_t free;			/* bytes of the file system that are left free; 0: not given */
	unsigned free_percent;		/* instead: of its size; neither: 5 %, at most 1 GiB */
	bool no_free;			/* the file system may be filled to the end */
	struct stats *stats;
	struct memory *memory;		/* or NULL */
};

/*
 * The memory of a cache in memory: its limit as the configuration says it; a tmpfs that ends with its last descriptor, or else a directory *ret_path, which
 * cache_ram_remove (NULL: nothing to do) removes and frees.
 */
uint64_t cache_ram_quota(const struct cache_config *config);
errint_t cache_ram_make(uint64_t quota, char **ret_path, int *ret_fd);
void cache_ram_remove(char *path);

/* Errors of making and locking the directory. */
errint_t cache_open(const struct cache_config *config, struct cache **ret);
/* The last user marks the cache clean, after a sync. */
void cache_close(struct cache *c);
uint64_t cache_quota(const struct cache *c);
/* Bytes in the cache, about, without looking; and free for its owner on the disk (0 where that cannot be told). */
uint64_t cache_usage(const struct cache *c);
uint64_t cache_free_space(const struct cache *c);

/* What is there, found by listing all of it. Pinned: kept by cache_keep. */
struct cache_survey {
	uint64_t files, bytes;			/* all */
	uint64_t catalogs, catalog_bytes;	/* of them */
	uint64_t parts, part_bytes;		/* large files that are not whole */
	uint64_t suspects, suspect_bytes;	/* not yet verified after an unclean end */
	uint64_t kept, kept_bytes;		/* never evicted */
};
void cache_take_survey(struct cache *c, struct cache_survey *ret);
/* Frees at least so many bytes where that can be done without touching what is kept or in use. Returns how many were freed. */
uint64_t cache_evict(struct cache *c, uint64_t bytes);

/* A whole content, open for reading. -ENOENT where it is not there or was found damaged (then it is removed). */
errint_t cache_find(struct cache *c, const struct digest *key, uint64_t size, int *ret_fd);
/* Here or in a lower cache. Whether it is in order, cache_find tells. */
bool cache_has(struct cache *c, const struct digest *key);
/* Also true for what is still to be verified after an unclean end. */
bool cache_may_have(struct cache *c, const struct digest *key);
/*
 * Puts a content that the caller has verified. With ret_fd it is opened too. Makes room where the quota or the disk wants it; -ENOSPC and others
 * where that does not help: the caller goes on without the cache.
 */
errint_t cache_put(struct cache *c, const struct digest *key, const void *data, size_t size, int *ret_fd);
/* Whether a stretch of a file has this digest. False also where it cannot be read. */
bool cache_range_is(int fd, uint64_t at, uint64_t size, const struct digest *d);
/* The last content that was to be put was not taken. */
bool cache_is_refusing(const struct cache *c);
/* Contents in use are not evicted. Calls nest. */
void cache_pin(struct cache *c, const struct digest *key);
void cache_unpin(struct cache *c, const struct digest *key);

/*
 * A catalog that was verified, as a copy of its own, which nothing that happens to the cache's files can change: in memory, or beyond what the budget has for
 * catalogs in a file that nobody else can open.
 */
struct cache_catalog {
	const void *data;
	size_t size;
	struct memory *charged;	/* NULL: it is in a file that has no name, and in memory as the kernel sees fit */
};
/* -ENOENT: it is not there, or was found damaged (then it is removed); -ENOMEM. */
errint_t cache_get_catalog(struct cache *c, const struct digest *d, size_t size, struct cache_catalog *ret);
/* ret (may be NULL): a copy in memory, as cache_get_catalog's; -ENOMEM. Whether the disk takes it too is no error. */
errint_t cache_put_catalog(struct cache *c, const struct digest *d, const void *data, size_t size, struct cache_catalog *ret);
void cache_free_catalog(struct cache_catalog *catalog);
bool cache_has_catalog(struct cache *c, const struct digest *d);

/* The signed texts of a repository by the repository's name (which the caller has checked). max: as io_read_file. */
errint_t cache_read_text(struct cache *c, const char *repository, const char *name, size_t max, char **ret, size_t *ret_size);
errint_t cache_write_text(struct cache *c, const char *repository, const char *name, const void *data, size_t size);

/* Held (until *ret is closed) while a repository's texts are read, changed and written by several programs. */
errint_t cache_lock_texts(struct cache *c, const char *repository, int *ret);

/*
 * Keeping contents beyond their use: never evicted, by no user of the cache, also after a restart. *ret: the folder that lists what the mounts of a snapshot
 * (root: its root catalog) keep, to be closed. For the first who opens it it is empty: what is in it no more is let go by cache_keep_only.
 */
errint_t cache_keep_open(struct cache *c, const char *repository, const struct digest *root, int *ret);
/* -ENOENT: it is not in the cache; -EPERM, -EMLINK and others: the file system has no hard links, or no more. */
errint_t cache_keep(struct cache *c, int folder, const struct digest *key, bool is_catalog);
void cache_keep_not(int folder, const struct digest *key, bool is_catalog);
/* Of this repository no other snapshot's contents (root NULL: none at all) are kept any more, save of those that are mounted. */
void cache_keep_only(struct cache *c, const char *repository, const struct digest *root);

/* A large file in parts: extents are numbered by the caller. */
struct cache_part {
	struct digest key;
	int fd;			/* read and write; sparse, of the file's full size */
	int map_fd;		/* -1: the map cannot be kept */
	bool whole;		/* found under its final name: fd is for reading */
	bool doubtful;		/* of a lower cache: its extents have to be verified; cache_part_finish when they are */
};
/*
 * Opens or begins it. ret_claimed: one byte for each extent, non-zero where an earlier run claims to have stored it (to be
 * verified before use).
 */
errint_t cache_part_open(struct cache *c, const struct digest *key, uint64_t size, uint32_t extents, struct cache_part *ret,
			 uint8_t *ret_claimed);
/* As ret_claimed above, of a file that is perhaps begun; changes nothing. */
void cache_part_peek(struct cache *c, const struct digest *key, uint32_t extents, uint8_t *ret_claimed);
/* Stores one verified extent. Errors as cache_put. */
errint_t cache_part_write(struct cache *c, struct cache_part *p, uint32_t extent, const void *data, size_t size, uint64_t offset);
/*
 * The list that is the key of a file of several extents, a record for each: digest and length. It is kept beside the file, so that this can be verified without
 * its catalog.
 */
#define CACHE_LIST_RECORD (DIGEST_SIZE + 8)
void cache_list_record(const struct digest *digest, uint64_t length, uint8_t ret[CACHE_LIST_RECORD]);
void cache_put_list(struct cache *c, const struct digest *key, const void *list, size_t size);
/* All extents are there: it gets its final name. */
errint_t cache_part_finish(struct cache *c, struct cache_part *p);
/* It has been found damaged: whoever opens it next begins anew, those who have it open keep it. Counted. */
void cache_part_drop(struct cache *c, const struct cache_part *p);
void cache_part_close(struct cache_part *p);

#endif
