/* SPDX-License-Identifier: MIT */
/*
 * Content on its way into the repository: pieces of files come in order, are read and digested by workers, known ones are dropped, new ones
 * become chunks or fill packs, and those are compressed and written by workers. What comes out depends on the order of the pieces only, never on
 * the number of workers. Memory is bounded by the window of pieces and of objects in flight. Must not know trees or catalogs.
 */
#ifndef SPORE_FETCHFS_PUBLISH_INGEST_H
#define SPORE_FETCHFS_PUBLISH_INGEST_H

#include "fetchfs/publish/pool.h"
#include "fetchfs/publish/profile.h"
#include "fetchfs/publish/repository.h"
#include "fetchfs/publish/tree.h"

struct ingest_counts {
	uint64_t pieces, bytes;			/* that came */
	uint64_t new_contents, new_bytes;	/* that were not known */
	uint64_t objects, stored_bytes;		/* that were written */
};

struct ingest_options {
	struct repository *repository;	/* NULL: nothing is written (a dry run) */
	const char *source;			/* for messages */
	struct arena *arena;		/* contents and blobs live there; used by one thread */
	unsigned jobs;
	int level;			/* of zstd */
	const struct profiles *profiles;	/* or NULL: contents of the files that one names get packs of their own, in its order */
	bool repack;			/* what profiles name goes into packs of theirs also where the repository holds it in others */
	struct progress *progress;	/* or NULL */
	struct trouble *trouble;
};

struct ingest;

/* A file that is being read: open until its last piece has been read, then compared with what it was. */
struct ingest_file {
	int fd;
	unsigned references;
	const struct tree_node *node;	/* for messages */
	struct stat before;
};

errint_t ingest_new(const struct ingest_options *o, struct ingest **ret);
void ingest_free(struct ingest *s);

/* What the repository has already; the same digest gives the same blob. */
struct blob *ingest_learn_blob(struct ingest *s, const struct digest *d, uint32_t stored_size, uint32_t size, uint32_t kind);
errint_t ingest_learn_content(struct ingest *s, const struct digest *d, struct blob *blob, uint32_t offset, uint32_t length);

/* The file's descriptor passes to the ingest. NULL when memory is out (the descriptor is closed then). */
struct ingest_file *ingest_file_new(int fd, const struct tree_node *node, const struct stat *before);
/* The caller has submitted all pieces of the file. */
errint_t ingest_file_end(struct ingest *s, struct ingest_file *f);

/* length bytes (at most CHUNK_SIZE) at offset; *slot is filled by the time ingest_finish returns. */
errint_t ingest_from_file(struct ingest *s, struct ingest_file *f, uint64_t offset, uint32_t length, const struct content **slot);
/* Bytes in memory (malloc'd; passes to the ingest, also on failure) that stand at offset in the file. */
errint_t ingest_from_memory(struct ingest *s, void *data, uint32_t length, const struct tree_node *node, uint64_t offset, const struct content **slot);

/* Everything in flight is done and written. After a failure: everything has stopped. */
errint_t ingest_finish(struct ingest *s);

/* Stores an object from memory at once, in the calling thread: catalogs. *ret_new tells whether it was written. */
errint_t ingest_object(struct ingest *s, const struct digest *d, const void *data, uint32_t size, uint32_t *ret_stored_size, bool *ret_new);

const struct ingest_counts *ingest_counts(const struct ingest *s);

#endif
