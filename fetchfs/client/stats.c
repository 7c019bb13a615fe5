/* SPDX-License-Identifier: MIT */
/* The counters as a list and as text; see stats.h. */
#include "fetchfs/client/stats.h"

#include <sys/mman.h>

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

/* Which counters there are, and where. */
struct shared {
	char names[4096];
	struct stats stats;
};

static const char all_names[] =
#define STATS_NAME(counter, text) #counter " "
	STATS_COUNTERS(STATS_NAME)
#undef STATS_NAME
	;
_Static_assert(sizeof(all_names) < sizeof(((struct shared *)0)->names), "names of counters");

errint_t stats_make(int *ret_fd)
{
	_cleanup_close_ int fd = memfd_create("fetchfs-counters", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, sizeof(struct shared)) < 0)
		return -errno;
	*ret_fd = steal_fd(&fd);
	return 0;
}

errint_t stats_map(int fd, struct stats **ret)
{
	struct shared *s;

	if (ftruncate(fd, sizeof(struct shared)) < 0)
		return -errno;
	s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (s == MAP_FAILED)
		return -errno;
	if (strncmp(s->names, all_names, sizeof(s->names)) != 0) {
		memset(s, 0, sizeof(*s));
		memcpy(s->names, all_names, sizeof(all_names));
	}
	*ret = &s->stats;
	return 0;
}
