/* SPDX-License-Identifier: MIT */
/* The counters as text; see stats.h. */
#include "fetchfs/client/stats.h"

#define LINE_SIZE 48

char *stats_to_json(struct stats *s)
{
	static const char *const names[] = {
#define STATS_NAME(name) #name,
		STATS_COUNTERS(STATS_NAME)
#undef STATS_NAME
	};
	unsigned long long values[] = {
#define STATS_VALUE(name) stats_get(s, name),
		STATS_COUNTERS(STATS_VALUE)
#undef STATS_VALUE
	};
	size_t size = ARRAY_SIZE(names) * LINE_SIZE + 4, at = 0;
	char *text = malloc(size);

	if (!text)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		at += (size_t)snprintf(text + at, size - at, "%s\"%s\": %llu", i ? ", " : "{", names[i], values[i]);
	snprintf(text + at, size - at, "}\n");
	return text;
}
