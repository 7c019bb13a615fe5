/* SPDX-License-Identifier: MIT */
/*
 * Hedged requests: an attempt that takes longer than is normal gets one rival, at another mirror or through another proxy where there is one, and over
 * a connection of its own in any case. The first good answer wins, the other attempt is cancelled. Where both stand still the older one gives way to
 * a new one, after longer and longer times. Rivals are bounded: one at a time for a request, half as many as there are downloads, and one for sixteen
 * requests where an attempt is only late. One that stands still or drips takes next to nothing from the link, so that its rival costs
 * nothing and is not counted.
 */
#include "fetchfs/client/transport_private.h"
#include "fetchfs/client/clock.h"

#define CREDIT_MAX (4 * HEDGE_COST)
#define STANDS_STILL (2 * NS_PER_SECOND)
#define DRIP_AFTER NS_PER_SECOND
#define REPLACE_STEPS 2u	/* doublings */
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

static int64_t last_sign(const struct transport_slot *s)
{
	return s->last_byte ? s->last_byte : s->started;
}

/* How long an attempt may stand still before it is replaced. */
static int64_t stand_still(const struct transport *t, const struct transport_slot *s)
{
	const struct transport_request *r = s->request;
	int64_t patience = transport_mirror_patience(t, &s->route);

	/* Somebody new has come, who shall not wait behind what is dead already. */
	if (r->renew)
		return patience;
	return MAX(patience, STANDS_STILL) << MIN(r->replaced, REPLACE_STEPS);
}

/* *ret_still: it does not get on at all, or hardly. *ret_when: when it will be late, if nothing comes. */
static bool is_late(const struct transport *t, const struct transport_slot *s, int64_t now, bool *ret_still, int64_t *ret_when)
{
	int64_t patience = transport_mirror_patience(t, &s->route), last = last_sign(s);
	int64_t not_before = s->request->renew ? 0 : s->next_race;

	*ret_still = now - last >= stand_still(t, s);
	*ret_when = MAX(last + patience, not_before);
	if (*ret_when <= now) {
		/* When credit has run out: then. */
		*ret_when = *ret_still ? now + LOOK_AGAIN : last + stand_still(t, s);
		return true;
	}
	if (!s->first_byte)
		return false;
	*ret_when = MIN(*ret_when, now + LOOK_AGAIN);
	*ret_still = not_before <= now && drips(t, s, now);
	return *ret_still;
}

/* Those that only rivals may use first. */
static struct transport_slot *free_slot(struct transport *t)
{
	for (unsigned i = t->slot_count; i-- > 0;)
		if (!t->slots[i].request)
			return &t->slots[i];
	return NULL;
}

/* What there is beside the request's own memory while both are under way: bytes that have not come are no memory yet. */
static uint64_t memory_need(const struct transport_slot *s)
{
	return transport_memory_need(s->request) ? s->size : 0;
}

static void start_rival(struct transport *t, struct transport_slot *s, struct transport_slot *rival, int64_t now)
{
	struct transport_request *r = s->request;
	struct transport_route route = transport_route(t, r, (int)s->route.mirror, s->route.proxy);

	s->next_race = now + (MAX(transport_mirror_patience(t, &s->route), STANDS_STILL) << MIN(r->replaced, REPLACE_STEPS));
	r->renew = false;
	route.new_connection = true;
	if (transport_curl_start(t, rival, r, &route) < 0)
		return;
	if (memory_take(t->memory, MEMORY_TRANSFERS, memory_need(s), 100))
		rival->reserved = memory_need(s);
	rival->is_hedge = true;
	rival->rival = s;
	s->rival = rival;
	stats_add(t->stats, hedges, 1);
}

/* Both stand still: the older one goes. Returns the other one, which is alone then, or NULL with the time to look again. */
static struct transport_slot *give_up_older(struct transport *t, struct transport_slot *s, int64_t now, int64_t *ret_when)
{
	struct transport_slot *rival = s->rival;
	struct transport_request *r = s->request;
	struct transport_route route = s->route;

	*ret_when = MAX(last_sign(s), last_sign(rival)) + MAX(stand_still(t, s), stand_still(t, rival));
	if (*ret_when > now)
		return NULL;
	snprintf(r->error, sizeof(r->error), "%.160s/%.80s: nothing came for %lld ms", t->mirrors[route.mirror].url, r->path,
		 (long long)((now - last_sign(s)) / NS_PER_MS));
	transport_curl_cancel(t, s);
	rival->rival = NULL;
	rival->next_race = 0;
	transport_note_fault(t, &route, false, 0, r->error);
	r->replaced++;
	return rival;
}

int64_t transport_hedge_late(struct transport *t)
{
	int64_t now = clock_now(), next = INT64_MAX;

	for (unsigned i = 0; i < t->slot_count; i++) {
		struct transport_slot *s = &t->slots[i], *rival;
		bool still;
		int64_t when;
		if (!s->request || !t->mirrors[s->route.mirror].is_http || (s->rival && s->rival->started < s->started))
			continue;
		if (s->rival && !(s = give_up_older(t, s, now, &when))) {
			next = MIN(next, when);
			continue;
		}
		if (is_late(t, s, now, &still, &when) && (still || t->hedge_credit >= HEDGE_COST) && (rival = free_slot(t)) &&
		    memory_fits(t->memory, MEMORY_TRANSFERS, memory_need(s), 100)) {
			if (!still)
				t->hedge_credit -= HEDGE_COST;
			start_rival(t, s, rival, now);
			continue;
		}
		next = MIN(next, when);
	}
	return next;
}
