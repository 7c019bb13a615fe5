/* SPDX-License-Identifier: MIT */
/* What is known about mirrors, for people: nothing here decides which one is used. */
#include "fetchfs/client/transport_private.h"
#include "fetchfs/client/clock.h"

void transport_count_fault(struct transport *t, const struct transport_request *r)
{
	struct transport_mirror *m = &t->mirrors[r->used_mirror];

	m->all_faults++;
	if (m->bad_since == 0)
		m->bad_since = clock_now();
	memcpy(m->error, r->error, sizeof(m->error));
}

void transport_count_success(struct transport *t, const struct transport_request *r)
{
	struct transport_mirror *m = &t->mirrors[r->used_mirror];

	m->good++;
	m->bytes += r->size;
	m->busy += r->took;
	m->bad_since = 0;
}

void transport_mirror_info(struct transport *t, size_t mirror, struct transport_mirror_info *ret)
{
	const struct transport_mirror *m = &t->mirrors[mirror];
	int64_t now = clock_now();

	pthread_mutex_lock(&t->lock);
	*ret = (struct transport_mirror_info){ .url = m->url, .good = m->good, .faults = m->all_faults, .bytes = m->bytes, .busy = m->busy,
					       .faults_in_row = m->faults, .bad_for = m->bad_since ? MAX(now - m->bad_since, 1) : 0,
					       .retry_in = MAX(m->bad_until - now, 0) };
	memcpy(ret->error, m->error, sizeof(ret->error));
	pthread_mutex_unlock(&t->lock);
}

void transport_reset_mirrors(struct transport *t)
{
	pthread_mutex_lock(&t->lock);
	for (size_t i = 0; i < t->mirror_count; i++) {
		t->mirrors[i].faults = 0;
		t->mirrors[i].bad_until = t->mirrors[i].bad_since = 0;
	}
	transport_wake_delayed(t);
	pthread_mutex_unlock(&t->lock);
	curl_multi_wakeup(t->multi);
}
