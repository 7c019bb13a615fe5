/* SPDX-License-Identifier: MIT */
/* See top_view.h. */
#include "fetchfs/client/top_view.h"
#include "common/message.h"
#include "fetchfs/client/clock.h"
#include "fetchfs/client/ctl_reply.h"

#define BAR 24
#define LINE_SIZE 512

static uint64_t value(const json_t *o, const char *key)
{
	json_int_t n = json_integer_value(json_object_get(o, key));

	return n > 0 ? (uint64_t)n : 0;
}

/* What was added between the two replies. */
static uint64_t added(const json_t *before, const json_t *now, const char *key)
{
	uint64_t a = value(before, key), b = value(now, key);

	return before && b > a ? b - a : 0;
}

static double rate(const struct top_view *v, const json_t *before, const json_t *now, const char *key)
{
	return v->elapsed > 0 ? (double)added(before, now, key) * (double)NS_PER_SECOND / (double)v->elapsed : 0;
}

static double per_second(const struct top_view *v, const char *key)
{
	return rate(v, v->before, v->now, key);
}

/* "12 %" of the opens since the last look, "-" where there were none. */
static void hit_rate(const struct top_view *v, char ret[8])
{
	uint64_t hits = added(v->before, v->now, "cache_hits"), all = hits + added(v->before, v->now, "cache_misses");

	if (all == 0)
		strcpy(ret, "-");
	else
		snprintf(ret, 8, "%u %%", (unsigned)((double)hits * 100 / (double)all));
}

static unsigned fill(const struct top_view *v)
{
	uint64_t quota = value(v->now, "cache_quota_bytes");

	return quota ? (unsigned)MIN((double)value(v->now, "cache_usage_bytes") * 100 / (double)quota, 999.0) : 0;
}

static const char *text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "-";
}

/* Cut to the width; what could drive a terminal is '?'. UTF-8's continuation bytes take no column. */
static void put_line(const char *line, unsigned width, FILE *out)
{
	unsigned columns = 0;

	for (; *line; line++) {
		bool continues = ((unsigned char)*line & 0xc0) == 0x80;
		if (!continues && columns++ == width)
			break;
		fputc((unsigned char)*line < 0x20 || *line == 0x7f ? '?' : *line, out);
	}
	fputc('\n', out);
}

static void put_cache(const struct top_view *v, unsigned width, FILE *out)
{
	char line[LINE_SIZE], usage[16], quota[16], pinned[16], bar[BAR + 1];
	unsigned percent = fill(v), full = MIN(percent, 100u) * BAR / 100;

	memset(bar, '.', BAR);
	memset(bar, '#', full);
	bar[BAR] = '\0';
	snprintf(line, sizeof(line), "  cache    %s of %s [%s] %u %%   pinned %s%s", format_size(value(v->now, "cache_usage_bytes"), usage),
		 format_size(value(v->now, "cache_quota_bytes"), quota), bar, percent, format_size(value(v->now, "pinned_bytes"), pinned),
		 value(v->now, "pins_incomplete") ? ", incomplete" : "");
	put_line(line, width, out);
}

static void put_mirrors(const struct top_view *v, unsigned width, FILE *out)
{
	json_t *list = json_object_get(v->now, "mirrors"), *m;
	size_t i;

	json_array_foreach(list, i, m) {
		const json_t *before = json_array_get(json_object_get(v->before, "mirrors"), i);
		char line[LINE_SIZE], speed[16];
		snprintf(line, sizeof(line), "  mirror   %-6.6s %10s/s  faults %llu  %.300s", text(m, "state"),
			 format_size((uint64_t)rate(v, before, m, "fetched_bytes"), speed), (unsigned long long)value(m, "faults"), text(m, "url"));
		put_line(line, width, out);
	}
}

void top_view_block(const struct top_view *v, unsigned width, FILE *out)
{
	char line[LINE_SIZE], size[16], hits[8];

	if (!v->now) {
		snprintf(line, sizeof(line), "%.200s  %.300s", v->mountpoint, v->error ? v->error : "");
		put_line(line, width, out);
		return;
	}
	snprintf(line, sizeof(line), "%.300s  %.100s revision %llu", v->mountpoint, text(v->now, "name"), (unsigned long long)value(v->now, "revision"));
	put_line(line, width, out);
	snprintf(line, sizeof(line), "  network  %10s/s  %.0f requests/s  %.0f faults/s  %.0f waits/s", format_size((uint64_t)per_second(v, "bytes_fetched"), size),
		 per_second(v, "requests"), per_second(v, "faults"), per_second(v, "waits"));
	put_line(line, width, out);
	hit_rate(v, hits);
	snprintf(line, sizeof(line), "  files    %10s/s  %.0f reads/s  %.0f opens/s  %.0f lookups/s  hits %s", format_size((uint64_t)per_second(v, "read_bytes"), size),
		 per_second(v, "reads"), per_second(v, "opens"), per_second(v, "lookups"), hits);
	put_line(line, width, out);
	put_cache(v, width, out);
	put_mirrors(v, width, out);
}

void top_view_heading(FILE *out)
{
	fprintf(out, "%-8s %12s %8s %8s %8s %12s %8s %6s %6s  %s\n", "time", "fetched/s", "req/s", "faults/s", "waits/s", "read/s", "opens/s", "hits", "cache",
		"mount");
}

void top_view_line(const struct top_view *v, const char *time, FILE *out)
{
	char line[LINE_SIZE], fetched[16], was_read[16], hits[8];

	if (!v->now) {
		snprintf(line, sizeof(line), "%-8s %.200s: %.250s", time, v->mountpoint, v->error ? v->error : "");
		put_line(line, LINE_SIZE, out);
		return;
	}
	hit_rate(v, hits);
	snprintf(line, sizeof(line), "%-8s %12s %8.0f %8.0f %8.0f %12s %8.0f %6s %4u %%  %.300s", time,
		 format_size((uint64_t)per_second(v, "bytes_fetched"), fetched), per_second(v, "requests"), per_second(v, "faults"), per_second(v, "waits"),
		 format_size((uint64_t)per_second(v, "read_bytes"), was_read), per_second(v, "opens"), hits, fill(v), v->mountpoint);
	put_line(line, LINE_SIZE, out);
}
