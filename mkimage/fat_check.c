/* SPDX-License-Identifier: MIT */
/* Judges a FAT volume: everything that a firmware or an operating system could stumble over. Reads only. */
#include "mkimage/fat_dir.h"

#include <stdarg.h>
#include <strings.h>

#define MAX_FINDINGS 100

void fat_walk_report(struct fat_walk *w, const char *format, ...)
{
	char text[FAT_MAX_PATH + 256];
	va_list args;

	if (w->findings++ >= MAX_FINDINGS)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	w->report(w->context, text);
}

static void check_copies(struct fat_walk *w)
{
	const struct fat *f = w->fat;
	uint64_t size = (uint64_t)f->g.fat_sectors * FAT_SECTOR;

	if (f->g.fats == 2 && memcmp(f->data + f->fat_offset, f->data + f->fat_offset + size, size) != 0)
		fat_walk_report(w, "the two copies of the FAT differ");
	if (f->data[f->fat_offset] != f->data[21])
		fat_walk_report(w, "the FAT's media byte differs from the boot sector's");
	if (f->g.type == FAT16 && (fat_next(f, 0, 1) & 0xc000) != 0xc000)
		fat_walk_report(w, "the volume is marked as not cleanly unmounted");
}

static void check_fat32(struct fat_walk *w)
{
	const struct fat *f = w->fat;
	uint32_t info = le16_get(f->data + 48), backup = le16_get(f->data + 50);

	if (f->g.type != FAT32)
		return;
	if (backup && backup < f->g.reserved && memcmp(f->data, f->data + (uint64_t)backup * FAT_SECTOR, FAT_SECTOR) != 0)
		fat_walk_report(w, "the boot sector differs from its backup");
	if (info == 0 || info >= f->g.reserved)
		return;
	const uint8_t *s = f->data + (uint64_t)info * FAT_SECTOR;
	uint32_t said = le32_get(s + 488);
	if (memcmp(s, "RRaA", 4) != 0 || memcmp(s + 484, "rrAa", 4) != 0)
		fat_walk_report(w, "the sector of free space (FSInfo) has no signature");
	else if (said != UINT32_MAX && (uint64_t)said * f->g.cluster_size != fat_free_bytes(f))
		fat_walk_report(w, "FSInfo tells another number of free clusters than the FAT");
}

/* Marks the clusters of one chain as used; tells what is wrong with it. name: "/spore/boot.conf". */
static void check_chain(struct fat_walk *w, uint8_t *used, const struct fat_node *n)
{
	const struct fat *f = w->fat;
	uint32_t cluster = n->first_cluster;
	uint64_t count = 0, wanted = ((uint64_t)n->size + f->g.cluster_size - 1) / f->g.cluster_size;

	if (cluster == 0 && !n->directory) {
		if (n->size)
			fat_walk_report(w, "/%s: has a size and no clusters", n->path);
		return;
	}
	for (; cluster != FAT_END; count++) {
		if (!fat_is_data_cluster(f, cluster)) {
			fat_walk_report(w, "/%s: its chain leads to cluster %u, which is %s", n->path, cluster,
					cluster == FAT_BAD ? "marked bad" : cluster == 0 ? "free" : "outside the volume");
			return;
		}
		if (used[cluster]) {
			fat_walk_report(w, "/%s: cluster %u belongs to another chain, too", n->path, cluster);
			return;
		}
		used[cluster] = 1;
		cluster = fat_next(f, 0, cluster);
	}
	if (!n->directory && count != wanted)
		fat_walk_report(w, "/%s: %llu clusters, but its size asks for %llu", n->path, (unsigned long long)count, (unsigned long long)wanted);
}

static void check_lost(struct fat_walk *w, const uint8_t *used)
{
	const struct fat *f = w->fat;
	uint32_t lost = 0;

	for (uint32_t c = 2; c < f->g.clusters + 2; c++) {
		uint32_t next = fat_next(f, 0, c);
		lost += !used[c] && next != 0 && next != FAT_BAD;
	}
	if (lost)
		fat_walk_report(w, "%u clusters are in use and belong to no file", lost);
}

static int compare_names(const void *a, const void *b)
{
	return strcasecmp(*(char *const *)a, *(char *const *)b);
}

static errint_t check_duplicates(struct fat_walk *w)
{
	const struct fat_listing *l = w->listing;
	_cleanup_free_ char **names = malloc((l->count + 1) * sizeof(*names));

	if (!names)
		return -ENOMEM;
	for (size_t i = 0; i < l->count; i++)
		names[i] = l->nodes[i].path;
	qsort(names, l->count, sizeof(*names), compare_names);
	for (size_t i = 1; i < l->count; i++)
		if (strcasecmp(names[i - 1], names[i]) == 0)
			fat_walk_report(w, "/%s: is there twice", names[i]);
	return 0;
}

int fat_check(const struct fat *f, fat_report_fn *report, void *context)
{
	_cleanup_(fat_listing_done) struct fat_listing l = { .nodes = NULL };
	struct fat_walk w = { .fat = f, .listing = &l, .report = report, .context = context };
	_cleanup_free_ uint8_t *used = calloc(1, (size_t)f->g.clusters + 2);

	if (!used)
		return -ENOMEM;
	check_copies(&w);
	check_fat32(&w);
	errint_t r = fat_walk(&w);
	if (r == -EBADMSG)
		fat_walk_report(&w, "the root directory's clusters cannot be followed");
	else if (r == -E2BIG)
		fat_walk_report(&w, "more than %d files, or deeper than %d directories: a directory may hold itself", FAT_MAX_NODES, FAT_MAX_DEPTH);
	else if (r < 0)
		return r;
	const struct fat_node root = { .path = (char *)"", .directory = true, .first_cluster = f->g.root_cluster };
	if (f->g.type == FAT32)
		check_chain(&w, used, &root);
	for (size_t i = 0; i < l.count; i++)
		check_chain(&w, used, &l.nodes[i]);
	/* What was not listed would count as lost. */
	if (r == 0)
		check_lost(&w, used);
	r = check_duplicates(&w);
	return r < 0 ? r : w.findings;
}
