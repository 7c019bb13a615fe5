/* SPDX-License-Identifier: MIT */
/* The counters as a list and as text; see stats.h. */
#include "fetchfs/client/stats.h"

#define LINE_SIZE 48

void stats_read(struct stats *s, struct stats_counter ret[STATS_COUNT])
{
	struct stats_counter *c = ret;

#define STATS_READ(counter, text) *c++ = (struct stats_counter){ .name = #counter, .help = text, .value = stats_get(s, counter) };
	STATS_COUNTERS(STATS_READ)
#undef STATS_READ
}

char *stats_to_json(struct stats *s)
{
	struct stats_counter counters[STATS_COUNT];
	size_t size = STATS_COUNT * LINE_SIZE + 4, at = 0;
	char *text = malloc(size);

	if (!text)
		return NULL;
	stats_read(s, counters);
	for (size_t i = 0; i < STATS_COUNT; i++)
		at += (size_t)snprintf(text + at, size - at, "%s\"%s\": %llu", i ? ", " : "{", counters[i].name, counters[i].value);
	snprintf(text + at, size - at, "}\n");
	return text;
}
