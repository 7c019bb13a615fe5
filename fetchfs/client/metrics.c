/* SPDX-License-Identifier: MIT */
/*
 * The figures of a mount in Prometheus' text format 0.0.4: the counters of stats.h under its help texts, the cache, the mirrors, the process. A name is written once
 * with HELP and TYPE, then its samples.
 */
#include "fetchfs/client/control.h"
#include "fetchfs/client/clock.h"

#include <sys/resource.h>

#ifndef SPORE_VERSION
#define SPORE_VERSION "unknown"
#endif

static void begin(FILE *f, const char *name, const char *type, const char *help)
{
	fprintf(f, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void number(FILE *f, const char *name, const char *type, const char *help, uint64_t value)
{
	begin(f, name, type, help);
	fprintf(f, "%s %llu\n", name, (unsigned long long)value);
}

static void seconds(FILE *f, const char *name, const char *type, const char *help, double value)
{
	begin(f, name, type, help);
	fprintf(f, "%s %.3f\n", name, value);
}

/* A label's value: UTF-8, with backslash, quote and line feed escaped. What is not printable ASCII is '?': URLs and names have none of it. */
static void label(FILE *f, const char *name, const char *value)
{
	fprintf(f, "%s=\"", name);
	for (; *value; value++) {
		if (*value == '\\' || *value == '"')
			fputc('\\', f);
		fputc(*value < 0x20 || *value > 0x7e ? '?' : *value, f);
	}
	fputc('"', f);
}

static void counters(FILE *f, struct stats *s)
{
	struct stats_counter all[STATS_COUNT];
	char name[96], help[192];

	stats_read(s, all);
	for (size_t i = 0; i < STATS_COUNT; i++) {
		snprintf(name, sizeof(name), "fetchfs_%s_total", all[i].name);
		snprintf(help, sizeof(help), "%c%s.", all[i].help[0] - 'a' + 'A', all[i].help + 1);
		number(f, name, "counter", help, all[i].value);
	}
}

static void about(FILE *f, const struct control *c)
{
	char digest[DIGEST_TEXT_SIZE];
	struct digest root;
	uint64_t revision;

	snapshot_identity(c->snapshot, &root, &revision);
	begin(f, "fetchfs_info", "gauge", "What is mounted; always 1.");
	digest_to_text(&root, digest);
	fputs("fetchfs_info{", f);
	label(f, "name", c->snapshot->name);
	fputc(',', f);
	label(f, "mountpoint", c->mountpoint);
	fputc(',', f);
	label(f, "hash", digest);
	fputc(',', f);
	label(f, "version", SPORE_VERSION);
	fputs("} 1\n", f);
	number(f, "fetchfs_revision", "gauge", "The revision that is mounted.", revision);
	number(f, "fetchfs_mount_time_seconds", "gauge", "When the mount began, in seconds since 1970.", (uint64_t)c->since);
}

static void cache(FILE *f, struct cache *c)
{
	number(f, "fetchfs_cache_usage_bytes", "gauge", "What the cache holds, about.", cache_usage(c));
	number(f, "fetchfs_cache_quota_bytes", "gauge", "What the cache may hold.", cache_quota(c));
	number(f, "fetchfs_cache_disk_free_bytes", "gauge", "Free space of the file system that the cache is on.", cache_free_space(c));
}

static void pins(FILE *f, struct pins *p)
{
	uint64_t bytes, incomplete;

	pins_sum(p, &bytes, &incomplete);
	number(f, "fetchfs_pinned_bytes", "gauge", "Bytes of pinned files that are kept.", bytes);
	number(f, "fetchfs_pins_incomplete", "gauge", "Pinned paths of which something is not, or not yet, kept.", incomplete);
}

/* The columns of the mirrors' table, each a metric. */
static const struct mirror_metric {
	const char *name, *type, *help;
} mirror_metrics[] = {
	{ "fetchfs_mirror_up", "gauge", "1 unless the last request to this mirror failed." },
	{ "fetchfs_mirror_requests_total", "counter", "Requests that this mirror answered well." },
	{ "fetchfs_mirror_faults_total", "counter", "Requests to this mirror that failed or brought the wrong thing." },
	{ "fetchfs_mirror_fetched_bytes_total", "counter", "Bytes of good bodies from this mirror." },
	{ "fetchfs_mirror_transfer_seconds_total", "counter", "Time that good transfers from this mirror took, added up." },
};

static void mirror_value(FILE *f, size_t metric, const struct transport_mirror_info *m)
{
	const uint64_t values[] = { m->bad_for == 0, m->good, m->faults, m->bytes };

	if (metric < ARRAY_SIZE(values))
		fprintf(f, "%llu\n", (unsigned long long)values[metric]);
	else
		fprintf(f, "%.3f\n", (double)m->busy / (double)NS_PER_SECOND);
}

/* Two mirrors may differ only in their credentials, which are not shown: their numbers tell them apart. */
static void mirrors(FILE *f, struct transport *t)
{
	for (size_t metric = 0; metric < ARRAY_SIZE(mirror_metrics); metric++) {
		const struct mirror_metric *m = &mirror_metrics[metric];
		begin(f, m->name, m->type, m->help);
		for (size_t i = 0; i < transport_mirrors(t); i++) {
			struct transport_mirror_info mirror;
			_cleanup_free_ char *url = NULL;
			transport_mirror_info(t, i, &mirror);
			url = control_public_url(mirror.url);
			fprintf(f, "%s{mirror=\"%zu\",", m->name, i);
			label(f, "url", url ? url : "");
			fputs("} ", f);
			mirror_value(f, metric, &mirror);
		}
	}
}

static void memory(FILE *f, struct memory *m)
{
	number(f, "fetchfs_memory_used_bytes", "gauge", "Memory that transfers, objects, catalogs and reads take of the bound.", memory_used(m));
	number(f, "fetchfs_memory_bound_bytes", "gauge", "What the mount's program may take (option memory=).", m->bound);
}

static void process(FILE *f)
{
	struct rusage u;

	if (getrusage(RUSAGE_SELF, &u) == 0)
		seconds(f, "process_cpu_seconds_total", "counter", "Processor time of the mount's program.",
			(double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6);
	number(f, "process_resident_memory_bytes", "gauge", "Resident memory of the mount's program.", memory_resident());
}

char *control_metrics(void *context)
{
	const struct control *c = context;
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	about(f, c);
	counters(f, c->stats);
	cache(f, c->cache);
	pins(f, c->pins);
	mirrors(f, c->transport);
	memory(f, c->memory);
	process(f);
	if (fclose(f) != 0) {
		free(text);
		return NULL;
	}
	return text;
}
