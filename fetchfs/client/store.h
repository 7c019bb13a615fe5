/* SPDX-License-Identifier: MIT */
/*
 * Objects on demand: fetched once however many wait for them, unpacked and verified by worker threads, handed to those who wait. Packs go into the cache as
 * they are. Knows objects and packs; must not know files, catalogs' meaning or FUSE.
 */
#ifndef SPORE_FETCHFS_CLIENT_STORE_H
#define SPORE_FETCHFS_CLIENT_STORE_H

#include "common/digest.h"
#include "fetchfs/client/cache.h"
#include "fetchfs/client/transport.h"

struct store;

struct store_config {
	struct transport *transport;
	struct cache *cache;
	struct stats *stats;
	struct memory *memory;	/* or NULL */
	unsigned workers;	/* 0: by the number of processors */
	unsigned timeout;	/* seconds that anybody waits; 0: without end */
};

struct store_object {
	struct digest digest;
	uint32_t stored_size, size;
	bool is_pack;
};

/* Somebody who waits. By the caller, who owns it until ready is called. */
struct store_waiter {
	/*
	 * Called once, in a thread of the store. r 0: the object's bytes, good until ready returns. -ETIMEDOUT: the time limit; -EINTR: the process is
	 * being killed; -ENOMEM; -ECANCELED: the store closes; -EBUSY: too much in the background already.
	 */
	void (*ready)(struct store_waiter *w, errint_t r, const void *data, size_t size);
	bool background;	/* nobody would notice: errors end the wait at once, and others go first */
	/*
	 * Whether what is wanted has come meanwhile, so that it is not fetched twice; NULL: it has not. Asked with the store's lock held, when the object is
	 * not under way: objects leave the table after their waiters were served and the cache has their packs, so the answer is certain. Must be quick.
	 */
	bool (*is_there)(const struct store_waiter *w, const struct store_object *o);
	int process;		/* thread that waits (as the kernel numbers them), 0: none. When it is being killed, the wait ends. */

	/* The store's own. */
	struct store_waiter *next;
	int64_t since;		/* zero at first; kept while it waits for one object after another: the time limit is for all of it */
	errint_t reason;
};

errint_t store_open(const struct store_config *config, struct store **ret);
/* After transport_stop, so that nothing comes in any more; before transport_free. Whoever waits is told -ECANCELED. */
void store_stop(struct store *s);
void store_free(struct store *s);

/*
 * Once it is 0, ready will be called, perhaps before this returns. -EALREADY: it is there, says is_there; ready is not called.
 */
errint_t store_fetch(struct store *s, const struct store_object *o, struct store_waiter *w);
/*
 * Whether somebody waits for an object that was not under way in the background already, and that is none of ours (as the caller says; it must not call the
 * store): then the background should hold back.
 */
bool store_is_demanded(struct store *s, bool (*is_ours)(void *context, const struct digest *d), void *context);
/* Somebody has asked for it, and it is not there yet. May be different a moment later. */
bool store_is_under_way(struct store *s, const struct digest *d);
/* A pack that will be wanted soon goes into the cache: in the background, and not where too much is under way. */
void store_prefetch(struct store *s, const struct store_object *o);
/* As store_fetch, but waits: a copy (free). limit: seconds, 0: as store_fetch. *ret_error (may be NULL) takes the transport's last words. */
errint_t store_fetch_now(struct store *s, const struct store_object *o, unsigned limit, void **ret, char ret_error[TRANSPORT_ERROR_SIZE]);

#endif
