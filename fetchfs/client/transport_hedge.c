/* SPDX-License-Identifier: MIT */
/*
 * Hedged requests: an attempt that takes longer than is normal gets one rival, at another mirror or through another proxy where there is one, and over
 * a connection of its own in any case. The first good answer wins, the other attempt is cancelled. Rivals are bounded: one for an attempt, few at a time,
 * and as many as one for sixteen requests. Only where not a byte came for seconds they cost nothing and are not counted.
 */
#include "fetchfs/client/transport_private.h"
#include "fetchfs/client/clock.h"

#define CREDIT_COST 16
#define CREDIT_MAX 64
#define STANDS_STILL (2 * NS_PER_SECOND)
#define DRIP_AFTER NS_PER_SECOND
#define LOOK_AGAIN (250 * NS_PER_MS)

void transport_hedge_earn(struct transport *t)
{
	if (t->hedge_credit < CREDIT_MAX)
		t->hedge_credit++;
}

/* Data comes, but the rest would take longer than all of it anew. */
static bool drips(const struct transport *t, const struct transport_slot *s, int64_t now)
{
	int64_t since = now - s->first_byte, rest;

	if (since < DRIP_AFTER || s->expected <= s->size || s->size == 0)
		return false;
	rest = (int64_t)((double)since * (double)(s->expected - s->size) / (double)s->size);
	return rest > 4 * transport_mirror_estimate(t, s->expected) + DRIP_AFTER;
}

/* *ret_when: when it will be late, if nothing comes. */
static bool is_late(const struct transport *t, const struct transport_slot *s, int64_t now, bool *ret_still, int64_t *ret_when)
{
	int64_t patience = transport_mirror_patience(t, &s->route);
	int64_t last = s->last_byte ? s->last_byte : s->started;

	*ret_still = now - last >= MAX(patience, STANDS_STILL);
	*ret_when = last + patience;
	if (*ret_when <= now) {
		/* When credit has run out: then. */
		*ret_when = *ret_still ? now + LOOK_AGAIN : last + MAX(patience, STANDS_STILL);
		return true;
	}
	if (s->first_byte)
		*ret_when = MIN(*ret_when, now + LOOK_AGAIN);
	return s->first_byte && drips(t, s, now);
}

static struct transport_slot *free_slot(struct transport *t)
{
	for (unsigned i = t->parallel; i < t->slot_count; i++)
		if (!t->slots[i].request)
			return &t->slots[i];
	return NULL;
}

static void start_rival(struct transport *t, struct transport_slot *s, struct transport_slot *rival)
{
	struct transport_route route = transport_route(t, s->request, (int)s->route.mirror, s->route.proxy);

	route.new_connection = true;
	if (transport_curl_start(t, rival, s->request, &route) < 0)
		return;
	rival->is_hedge = true;
	rival->rival = s;
	s->rival = rival;
	s->was_raced = true;
	stats_add(t->stats, hedges, 1);
}

int64_t transport_hedge_late(struct transport *t)
{
	int64_t now = clock_now(), next = INT64_MAX;

	for (unsigned i = 0; i < t->parallel; i++) {
		struct transport_slot *s = &t->slots[i], *rival;
		bool still;
		int64_t when;
		if (!s->request || s->was_raced || !t->mirrors[s->route.mirror].is_http)
			continue;
		if (is_late(t, s, now, &still, &when) && (still || t->hedge_credit >= CREDIT_COST) && (rival = free_slot(t))) {
			if (!still)
				t->hedge_credit -= CREDIT_COST;
			start_rival(t, s, rival);
			continue;
		}
		next = MIN(next, when);
	}
	return next;
}
