/* SPDX-License-Identifier: MIT */
/*
 * Proxies in CernVM-FS's notation: "http://a:3128|http://b:3128;http://c:3128;DIRECT". Groups in order of preference with ; between, the members of a group
 * with | between: one of them, by chance, is used. Knows the notation and which proxy works; must not know what is fetched through it.
 */
#ifndef SPORE_FETCHFS_CLIENT_TRANSPORT_PROXY_H
#define SPORE_FETCHFS_CLIENT_TRANSPORT_PROXY_H

#include "common/base.h"

#define PROXY_MAX 64
#define PROXY_TEXT_MAX 8192

struct proxy {
	char *url;		/* without user and password; "" is DIRECT */
	char *name, *password;	/* or NULL. Secrets. */
	unsigned group;
	unsigned faults;	/* in a row */
	int64_t bad_until;
	uint64_t good, failures;	/* since the beginning */
	uint64_t bytes;			/* of good bodies that came through it */
};

/* In order of use. count 0: none were given. */
struct proxy_list {
	struct proxy proxies[PROXY_MAX];
	size_t count;
};

/* -EINVAL: ret_error says what is wrong with which part, without secrets; -ENOMEM. */
errint_t proxy_list_parse(const char *text, struct proxy_list *ret, char ret_error[160]);
void proxy_list_done(struct proxy_list *l);
/* Within each group the order is left to chance. */
void proxy_list_shuffle(struct proxy_list *l, uint64_t seed);

/* The first one that is well; else the one that may be tried soonest. avoid: not this one where there is a choice; -1: none. -1: there is no list. */
int proxy_choose(struct proxy_list *l, int avoid, int64_t now);
/* certain: it was the proxy itself, as a connection that it refused; else it takes several in a row. */
void proxy_failed(struct proxy_list *l, int proxy, bool certain, int64_t now);
/* True: it had been bad. */
bool proxy_worked(struct proxy_list *l, int proxy);

#endif
