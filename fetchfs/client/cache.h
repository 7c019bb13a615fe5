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
 *	catalogs/b2-...		catalogs, uncompressed; verified whenever they are opened
 *	repositories/NAME/	manifest and keyring last accepted
 *
 * Everything appears under its name whole (temporary file and rename); nothing is synced, save at the end of the last user.
 */
#ifndef SPORE_FETCHFS_CLIENT_CACHE_H
#define SPORE_FETCHFS_CLIENT_CACHE_H

#include "common/digest.h"
#include "fetchfs/client/stats.h"

struct cache;

struct cache_config {
	const char *path;		/* made where it is missing; NULL: in memory, and gone at the end */
	const char *lower;		/* directories of caches that are only read, separated by colons; NULL: none */
	uint64_t quota;			/* bytes; 0: half of the file system, or a quarter of the memory */
	unsigned quota_percent;		/* instead of quota: of the file system's size, or of the memory; 0: not given */
	uint64_t free;			/* bytes of the file system that are left free; 0: not given */
	unsigned free_percent;		/* instead: of its size; neither: 5 %, at most 1 GiB */
	bool no_free;			/* the file system may be filled to the end */
	struct stats *stats;
};

/* Errors of making and locking the directory. */
errint_t cache_open(const struct cache_config *config, struct cache **ret);
/* The last user marks the cache clean, after a sync. */
void cache_close(struct cache *c);
uint64_t cache_quota(const struct cache *c);

/* A whole content, open for reading. -ENOENT where it is not there or was found damaged (then it is removed). */
errint_t cache_find(struct cache *c, const struct digest *key, uint64_t size, int *ret_fd);
bool cache_has(struct cache *c, const struct digest *key);
/*
 * Puts a content that the caller has verified. With ret_fd it is opened too. Makes room where the quota or the disk wants it; -ENOSPC and others
 * where that does not help: the caller goes on without the cache.
 */
errint_t cache_put(struct cache *c, const struct digest *key, const void *data, size_t size, int *ret_fd);
/* Contents in use are not evicted. Calls nest. */
void cache_pin(struct cache *c, const struct digest *key);
void cache_unpin(struct cache *c, const struct digest *key);

/*
 * A catalog, mapped (cache_unmap) and verified. -ENOENT as above. cache_put_catalog falls back to memory where the disk does not take it, so that it
 * fails with -ENOMEM only.
 */
errint_t cache_map_catalog(struct cache *c, const struct digest *d, size_t size, const void **ret);
errint_t cache_put_catalog(struct cache *c, const struct digest *d, const void *data, size_t size, const void **ret);
void cache_unmap(const void *data, size_t size);

/* The signed texts of a repository by the repository's name (which the caller has checked). max: as io_read_file. */
errint_t cache_read_text(struct cache *c, const char *repository, const char *name, size_t max, char **ret, size_t *ret_size);
errint_t cache_write_text(struct cache *c, const char *repository, const char *name, const void *data, size_t size);

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
