/* SPDX-License-Identifier: MIT */
/*
 * Lays a tree out as a new FAT volume; see fat.h. Directories first, then the files, each in one piece and in the order of the tree.
 */
#include "mkimage/fat.h"
#include "mkimage/fat_name.h"

#include <strings.h>
#include <time.h>

#define ROOT_ENTRIES 512u		/* what Microsoft's paper names as the value that everything reads */
#define FAT32_RESERVED 32u
#define MAX_CLUSTER 4096u
/* Readers disagree about the exact limits between the types: stay 16 clusters away from them, as the paper advises. */
#define MAX_CLUSTERS_12 (4084u - 16)
#define MIN_CLUSTERS_16 (4085u + 16)
#define MAX_CLUSTERS_16 (65524u - 16)
#define MIN_CLUSTERS_32 (65525u + 16)
#define MAX_CLUSTERS_32 0x0fffffe0u

struct node {
	const char *name;		/* in the tree's path; not NUL-terminated */
	size_t name_size;
	const struct payload_file *file;	/* NULL: a directory */
	size_t parent;			/* index; 0 is the root, and its own parent */
	struct fat_name on_disk;
	uint32_t first_cluster, entries;	/* entries: of a directory */
};

struct layout {
	struct node *nodes;
	size_t count, room;
	const struct fat_options *options;
	struct fat_geometry g;
	uint32_t next_cluster;
	uint8_t *meta;			/* boot sector to root directory */
	uint64_t meta_size;
};

static void layout_done(struct layout *l)
{
	free(l->nodes);
	free(l->meta);
}

static size_t find_child(const struct layout *l, size_t parent, const char *name, size_t size)
{
	for (size_t i = 1; i < l->count; i++)
		if (l->nodes[i].parent == parent && l->nodes[i].name_size == size && strncasecmp(l->nodes[i].name, name, size) == 0)
			return i;
	return 0;
}

static bool short_name_taken(const struct layout *l, size_t parent, const uint8_t short_name[11])
{
	for (size_t i = 1; i < l->count; i++)
		if (l->nodes[i].parent == parent && memcmp(l->nodes[i].on_disk.short_name, short_name, 11) == 0)
			return true;
	return false;
}

static errint_t add_node(struct layout *l, size_t parent, const char *name, size_t size, const struct payload_file *file)
{
	struct node n = { .name = name, .name_size = size, .parent = parent, .file = file };
	errint_t r;

	for (unsigned int attempt = 0;; attempt++) {
		r = fat_name_make(name, size, attempt, &n.on_disk);
		if (r < 0 && r != -EAGAIN)
			return r;
		if (r == 0 && !short_name_taken(l, parent, n.on_disk.short_name))
			break;
	}
	if (l->count == l->room) {
		size_t room = l->room ? 2 * l->room : 64;
		struct node *larger = realloc(l->nodes, room * sizeof(*larger));
		if (!larger)
			return -ENOMEM;
		l->nodes = larger;
		l->room = room;
	}
	l->nodes[parent].entries += (uint32_t)fat_name_entries(&n.on_disk);
	/* "." and "..". */
	n.entries = file ? 0 : 2;
	l->nodes[l->count++] = n;
	return 0;
}

/* One file with the directories above it. */
static errint_t add_path(struct layout *l, const struct payload_file *file)
{
	size_t parent = 0;

	for (const char *p = file->path;;) {
		size_t size = strcspn(p, "/");
		bool last = p[size] == '\0';
		size_t found = find_child(l, parent, p, size);
		if (found && (last || l->nodes[found].file))
			return -EINVAL;
		if (!found) {
			errint_t r = add_node(l, parent, p, size, last ? file : NULL);
			if (r < 0)
				return r;
			found = l->count - 1;
		}
		if (last)
			return 0;
		parent = found;
		p += size + 1;
	}
}

static errint_t add_tree(struct layout *l, const struct payload *t, const char **ret_bad)
{
	l->nodes = calloc(64, sizeof(*l->nodes));
	if (!l->nodes)
		return -ENOMEM;
	l->room = 64;
	/* The root, whose first entry is the volume's label. */
	l->nodes[0] = (struct node){ .name = "", .entries = 1 };
	l->count = 1;
	for (size_t i = 0; i < t->count; i++) {
		*ret_bad = t->files[i].path;
		if (t->files[i].size > FAT_MAX_FILE_SIZE)
			return -EFBIG;
		errint_t r = add_path(l, &t->files[i]);
		if (r < 0)
			return r;
	}
	*ret_bad = NULL;
	return 0;
}

static uint64_t node_bytes(const struct node *n)
{
	return n->file ? n->file->size : (uint64_t)n->entries * FAT_ENTRY;
}

static uint64_t clusters_for(uint64_t bytes, uint32_t cluster_size)
{
	return (bytes + cluster_size - 1) / cluster_size;
}

/* Data clusters wanted with this cluster size; the root directory takes some on FAT32 only. */
static uint64_t clusters_wanted(const struct layout *l, uint32_t cluster_size, bool with_root)
{
	uint64_t n = clusters_for(l->options->free_bytes, cluster_size);

	for (size_t i = with_root ? 0 : 1; i < l->count; i++)
		n += clusters_for(node_bytes(&l->nodes[i]), cluster_size);
	return n;
}

/* The largest cluster size with which the volume still has min clusters; the smallest where none has (the volume is then padded). */
static uint32_t largest_cluster(const struct layout *l, uint64_t min, bool with_root)
{
	uint32_t size = MAX_CLUSTER;

	while (size > FAT_SECTOR && clusters_wanted(l, size, with_root) < min)
		size /= 2;
	return size;
}

static errint_t choose_form(struct layout *l)
{
	struct fat_geometry *g = &l->g;
	uint64_t n, min, max;

	g->type = l->options->type;
	if (g->type == FAT_AUTO) {
		uint64_t small = clusters_wanted(l, FAT_SECTOR, false), large = clusters_wanted(l, MAX_CLUSTER, false);
		g->type = small <= MAX_CLUSTERS_12 ? FAT12 : large <= MAX_CLUSTERS_16 ? FAT16 : FAT32;
	}
	if (g->type == FAT12) {
		min = 1;
		max = MAX_CLUSTERS_12;
		for (g->cluster_size = FAT_SECTOR; g->cluster_size < 8 * MAX_CLUSTER; g->cluster_size *= 2)
			if (clusters_wanted(l, g->cluster_size, false) <= max)
				break;
	} else {
		min = g->type == FAT16 ? MIN_CLUSTERS_16 : MIN_CLUSTERS_32;
		max = g->type == FAT16 ? MAX_CLUSTERS_16 : MAX_CLUSTERS_32;
		g->cluster_size = largest_cluster(l, min, g->type == FAT32);
	}
	n = clusters_wanted(l, g->cluster_size, g->type == FAT32);
	if (n > max)
		return -ENOSPC;
	g->clusters = (uint32_t)MAX(n, min);
	return 0;
}

static errint_t choose_geometry(struct layout *l)
{
	struct fat_geometry *g = &l->g;
	errint_t r = choose_form(l);

	if (r < 0)
		return r;
	g->fats = 2;
	g->root_entries = g->type == FAT32 ? 0 : (uint32_t)align_up(MAX(l->nodes[0].entries, ROOT_ENTRIES), FAT_SECTOR / FAT_ENTRY);
	if (g->root_entries > UINT16_MAX)
		return -ENOSPC;
	g->fat_sectors = (uint32_t)(((uint64_t)(g->clusters + 2) * g->type + 8 * FAT_SECTOR - 1) / (8 * FAT_SECTOR));
	uint32_t before = 2 * g->fat_sectors + g->root_entries * FAT_ENTRY / FAT_SECTOR;
	uint32_t per_cluster = g->cluster_size / FAT_SECTOR;
	/* Reserved sectors such that the data begin at a multiple of the cluster size. */
	g->reserved = g->type == FAT32 ? FAT32_RESERVED : 1;
	g->reserved += (per_cluster - (g->reserved + before) % per_cluster) % per_cluster;
	g->sectors = (uint64_t)g->reserved + before + (uint64_t)g->clusters * per_cluster;
	return g->sectors > UINT32_MAX ? -ENOSPC : 0;
}

static void fat_put(struct layout *l, uint32_t cluster, uint32_t value)
{
	uint8_t *fat = l->meta + (uint64_t)l->g.reserved * FAT_SECTOR;

	if (l->g.type == FAT32) {
		le32_put(fat + 4 * (uint64_t)cluster, value & 0x0fffffff);
	} else if (l->g.type == FAT16) {
		le16_put(fat + 2 * (uint64_t)cluster, (uint16_t)value);
	} else {
		uint8_t *p = fat + cluster + cluster / 2;
		uint16_t old = le16_get(p), v = value & 0xfff;
		le16_put(p, (uint16_t)(cluster & 1 ? (old & 0x000f) | v << 4 : (old & 0xf000) | v));
	}
}

/* One piece of clusters; an empty file has none. */
static void allocate(struct layout *l, struct node *n)
{
	uint32_t count = (uint32_t)clusters_for(node_bytes(n), l->g.cluster_size);

	n->first_cluster = count ? l->next_cluster : 0;
	for (uint32_t i = 0; i < count; i++, l->next_cluster++)
		fat_put(l, l->next_cluster, i + 1 < count ? l->next_cluster + 1 : FAT_END);
}

static void allocate_all(struct layout *l)
{
	l->next_cluster = 2;
	fat_put(l, 0, 0x0ffffff8);
	fat_put(l, 1, FAT_END);
	if (l->g.type == FAT32) {
		allocate(l, &l->nodes[0]);
		l->g.root_cluster = l->nodes[0].first_cluster;
	}
	for (size_t i = 1; i < l->count; i++)
		if (!l->nodes[i].file)
			allocate(l, &l->nodes[i]);
	for (size_t i = 1; i < l->count; i++)
		if (l->nodes[i].file)
			allocate(l, &l->nodes[i]);
}

/* "SPORE" padded with spaces to size. */
static void put_padded(uint8_t *to, const char *text, size_t size)
{
	size_t n = strnlen(text, size);

	memset(to, ' ', size);
	memcpy(to, text, n);
}

static void write_boot_sector(struct layout *l, uint8_t *b)
{
	static const uint8_t jump[] = { 0xeb, 0x58, 0x90 }, stop[] = { 0xfa, 0xf4, 0xeb, 0xfd };	/* cli; hlt; jmp */
	const struct fat_geometry *g = &l->g;
	uint8_t *extended = b + (g->type == FAT32 ? 64 : 36);

	memcpy(b, jump, sizeof(jump));
	put_padded(b + 3, "SPORE", 8);
	le16_put(b + 11, FAT_SECTOR);
	b[13] = (uint8_t)(g->cluster_size / FAT_SECTOR);
	le16_put(b + 14, (uint16_t)g->reserved);
	b[16] = (uint8_t)g->fats;
	le16_put(b + 17, (uint16_t)g->root_entries);
	if (g->sectors < 0x10000 && g->type != FAT32)
		le16_put(b + 19, (uint16_t)g->sectors);
	else
		le32_put(b + 32, (uint32_t)g->sectors);
	b[21] = 0xf8;
	le16_put(b + 24, 63);
	le16_put(b + 26, 255);
	le32_put(b + 28, l->options->hidden_sectors);
	if (g->type == FAT32) {
		le32_put(b + 36, g->fat_sectors);
		le32_put(b + 44, g->root_cluster);
		le16_put(b + 48, 1);
		le16_put(b + 50, 6);
	} else {
		le16_put(b + 22, (uint16_t)g->fat_sectors);
	}
	extended[0] = 0x80;
	extended[2] = 0x29;
	le32_put(extended + 3, l->options->volume_id);
	put_padded(extended + 7, l->options->label, 11);
	put_padded(extended + 18, g->type == FAT32 ? "FAT32" : g->type == FAT16 ? "FAT16" : "FAT12", 8);
	memcpy(b + 90, stop, sizeof(stop));
	b[510] = 0x55;
	b[511] = 0xaa;
}

static void write_fs_info(struct layout *l, uint8_t *b)
{
	memcpy(b, "RRaA", 4);
	memcpy(b + 484, "rrAa", 4);
	le32_put(b + 488, l->g.clusters + 2 - l->next_cluster);
	le32_put(b + 492, l->next_cluster);
	b[510] = 0x55;
	b[511] = 0xaa;
}

/* FAT's date in the high half, its time (2 seconds a step) in the low one; UTC. */
static uint32_t fat_time(int64_t seconds)
{
	time_t t = (time_t)MIN(MAX(seconds, (int64_t)315532800), (int64_t)4354819198);
	struct tm tm;

	gmtime_r(&t, &tm);
	return (uint32_t)((tm.tm_year - 80) << 25 | (tm.tm_mon + 1) << 21 | tm.tm_mday << 16 | tm.tm_hour << 11 | tm.tm_min << 5 | tm.tm_sec / 2);
}

static void write_entry(const struct layout *l, uint8_t *e, const uint8_t short_name[11], uint8_t attributes, uint32_t cluster, uint32_t size)
{
	uint32_t t = fat_time(l->options->time);

	memcpy(e, short_name, 11);
	e[11] = attributes;
	le32_put(e + 14, t);
	le16_put(e + 18, (uint16_t)(t >> 16));
	le16_put(e + 20, (uint16_t)(cluster >> 16));
	le32_put(e + 22, t);
	le16_put(e + 26, (uint16_t)cluster);
	le32_put(e + 28, size);
}

/* All entries of directory number index. */
static void write_directory(const struct layout *l, size_t index, uint8_t *p)
{
	const struct node *d = &l->nodes[index];
	uint8_t name[11];

	if (index == 0) {
		put_padded(name, l->options->label, 11);
		write_entry(l, p, name, FAT_ATTR_VOLUME, 0, 0);
		p += FAT_ENTRY;
	} else {
		put_padded(name, ".", 11);
		write_entry(l, p, name, FAT_ATTR_DIRECTORY, d->first_cluster, 0);
		put_padded(name, "..", 11);
		/* The root is cluster 0 here, on FAT32 too. */
		write_entry(l, p + FAT_ENTRY, name, FAT_ATTR_DIRECTORY, d->parent ? l->nodes[d->parent].first_cluster : 0, 0);
		p += 2 * FAT_ENTRY;
	}
	for (size_t i = 1; i < l->count; i++) {
		const struct node *n = &l->nodes[i];
		if (n->parent != index)
			continue;
		p += fat_name_write_long(&n->on_disk, p);
		write_entry(l, p, n->on_disk.short_name, n->file ? FAT_ATTR_ARCHIVE : FAT_ATTR_DIRECTORY, n->first_cluster,
			    n->file ? (uint32_t)n->file->size : 0);
		p += FAT_ENTRY;
	}
}

static uint64_t cluster_offset(const struct layout *l, uint32_t cluster)
{
	return l->meta_size + (uint64_t)(cluster - 2) * l->g.cluster_size;
}

/* The clusters of a directory. */
static errint_t emit_directory(struct layout *l, size_t index, struct disk *d, uint64_t offset)
{
	struct node *n = &l->nodes[index];
	uint64_t size = align_up(node_bytes(n), l->g.cluster_size);
	uint8_t *data = calloc(1, size);

	if (!data)
		return -ENOMEM;
	write_directory(l, index, data);
	return disk_add(d, offset + cluster_offset(l, n->first_cluster), data, size, data);
}

static void write_meta(struct layout *l)
{
	uint64_t fat_bytes = (uint64_t)l->g.fat_sectors * FAT_SECTOR;
	uint8_t *fat = l->meta + (uint64_t)l->g.reserved * FAT_SECTOR;

	write_boot_sector(l, l->meta);
	if (l->g.type == FAT32) {
		write_fs_info(l, l->meta + FAT_SECTOR);
		memcpy(l->meta + 6 * FAT_SECTOR, l->meta, FAT_SECTOR);
		memcpy(l->meta + 7 * FAT_SECTOR, l->meta + FAT_SECTOR, FAT_SECTOR);
	} else {
		write_directory(l, 0, fat + 2 * fat_bytes);
	}
	memcpy(fat + fat_bytes, fat, fat_bytes);
}

static errint_t emit(struct layout *l, struct disk *d, uint64_t offset)
{
	errint_t r = 0;

	write_meta(l);
	void *meta = steal_ptr(l->meta);
	r = disk_add(d, offset, meta, l->meta_size, meta);
	for (size_t i = l->g.type == FAT32 ? 0 : 1; r == 0 && i < l->count; i++) {
		const struct node *n = &l->nodes[i];
		if (!n->file)
			r = emit_directory(l, i, d, offset);
		else if (n->file->size)
			r = disk_add(d, offset + cluster_offset(l, n->first_cluster), n->file->data, n->file->size, NULL);
	}
	return r;
}

errint_t fat_create(const struct payload *t, const struct fat_options *o, struct disk *d, uint64_t offset, struct fat_geometry *ret, const char **ret_bad)
{
	_cleanup_(layout_done) struct layout l = { .options = o };
	errint_t r = add_tree(&l, t, ret_bad);

	if (r == 0)
		r = choose_geometry(&l);
	if (r < 0)
		return r;
	l.meta_size = ((uint64_t)l.g.reserved + 2 * (uint64_t)l.g.fat_sectors) * FAT_SECTOR + (uint64_t)l.g.root_entries * FAT_ENTRY;
	l.meta = calloc(1, l.meta_size);
	if (!l.meta)
		return -ENOMEM;
	allocate_all(&l);
	*ret = l.g;
	return emit(&l, d, offset);
}
