/* SPDX-License-Identifier: MIT */
/*
 * Reads FAT volumes that may be anything: every offset is checked against the volume, every chain against the number of clusters, and directories,
 * names and depths against the limits of fat.h.
 */
#include "mkimage/fat_dir.h"
#include "common/utf8.h"

#include <strings.h>

#define MAX_DIRECTORY (2 * MIB)		/* 65,536 entries, what FAT allows */

static errint_t refuse(const char **ret_why, const char *why)
{
	*ret_why = why;
	return -EBADMSG;
}

static errint_t read_geometry(const uint8_t *b, struct fat_geometry *g, const char **ret_why)
{
	uint32_t per_cluster = b[13];

	if (b[510] != 0x55 || b[511] != 0xaa)
		return refuse(ret_why, "the boot sector has no signature 55 AA");
	if (le16_get(b + 11) != FAT_SECTOR)
		return refuse(ret_why, "the boot sector names a sector size other than 512 bytes");
	if (per_cluster == 0 || (per_cluster & (per_cluster - 1)))
		return refuse(ret_why, "the boot sector's sectors per cluster are no power of two");
	g->cluster_size = per_cluster * FAT_SECTOR;
	g->reserved = le16_get(b + 14);
	g->fats = b[16];
	g->root_entries = le16_get(b + 17);
	g->sectors = le16_get(b + 19) ? le16_get(b + 19) : le32_get(b + 32);
	g->fat_sectors = le16_get(b + 22) ? le16_get(b + 22) : le32_get(b + 36);
	if (g->reserved == 0 || g->fats == 0 || g->fats > 2 || g->fat_sectors == 0)
		return refuse(ret_why, "the boot sector names no FAT, or more than two");
	uint64_t root = ((uint64_t)g->root_entries * FAT_ENTRY + FAT_SECTOR - 1) / FAT_SECTOR;
	uint64_t before = g->reserved + (uint64_t)g->fats * g->fat_sectors + root;
	if (g->sectors < before + per_cluster)
		return refuse(ret_why, "the boot sector leaves no room for data");
	uint64_t clusters = (g->sectors - before) / per_cluster;
	if (clusters > 0x0ffffff0)
		return refuse(ret_why, "the boot sector names more clusters than FAT32 can have");
	g->clusters = (uint32_t)clusters;
	g->type = clusters < 4085 ? FAT12 : clusters < 65525 ? FAT16 : FAT32;
	if (((uint64_t)g->clusters + 2) * g->type > (uint64_t)g->fat_sectors * FAT_SECTOR * 8)
		return refuse(ret_why, "the FAT is too short for the number of clusters");
	if ((g->type == FAT32) != (g->root_entries == 0))
		return refuse(ret_why, "the root directory's form does not fit the FAT type");
	g->root_cluster = g->type == FAT32 ? le32_get(b + 44) & 0x0fffffff : 0;
	if (g->type == FAT32 && (g->root_cluster < 2 || g->root_cluster >= g->clusters + 2))
		return refuse(ret_why, "the root directory's cluster lies outside the volume");
	return 0;
}

errint_t fat_open(const void *data, uint64_t size, struct fat *ret, const char **ret_why)
{
	const uint8_t *b = data;

	*ret = (struct fat){ .data = data, .size = size };
	if (size < FAT_SECTOR)
		return refuse(ret_why, "it is smaller than a boot sector");
	errint_t r = read_geometry(b, &ret->g, ret_why);
	if (r < 0)
		return r;
	if (ret->g.sectors > size / FAT_SECTOR)
		return refuse(ret_why, "the volume is larger than the partition, or the file is cut short");
	ret->fat_offset = (uint64_t)ret->g.reserved * FAT_SECTOR;
	ret->root_offset = ret->fat_offset + (uint64_t)ret->g.fats * ret->g.fat_sectors * FAT_SECTOR;
	ret->data_offset = ret->root_offset + align_up((uint64_t)ret->g.root_entries * FAT_ENTRY, FAT_SECTOR);
	const uint8_t *extended = b + (ret->g.type == FAT32 ? 64 : 36);
	if (extended[2] == 0x29) {
		ret->volume_id = le32_get(extended + 3);
		memcpy(ret->label, extended + 7, 11);
		for (size_t n = 11; n > 0 && (ret->label[n - 1] == ' ' || ret->label[n - 1] == '\0'); n--)
			ret->label[n - 1] = '\0';
	}
	return 0;
}

uint32_t fat_next(const struct fat *f, uint32_t copy, uint32_t cluster)
{
	const uint8_t *p = f->data + f->fat_offset + (uint64_t)copy * f->g.fat_sectors * FAT_SECTOR;
	uint32_t value, mark;

	switch (f->g.type) {
	case FAT32:
		value = le32_get(p + 4 * (uint64_t)cluster) & 0x0fffffff;
		mark = 0x0ffffff7;
		break;
	case FAT16:
		value = le16_get(p + 2 * (uint64_t)cluster);
		mark = 0xfff7;
		break;
	default:
		value = le16_get(p + cluster + cluster / 2);
		value = cluster & 1 ? value >> 4 : value & 0xfff;
		mark = 0xff7;
	}
	return value > mark ? FAT_END : value == mark ? FAT_BAD : value;
}

bool fat_is_data_cluster(const struct fat *f, uint32_t cluster)
{
	return cluster >= 2 && cluster < f->g.clusters + 2;
}

const uint8_t *fat_cluster(const struct fat *f, uint32_t cluster)
{
	return f->data + f->data_offset + (uint64_t)(cluster - 2) * f->g.cluster_size;
}

/* Follows a chain into memory: up to max bytes, and to its end where exact is false. */
static errint_t read_chain(const struct fat *f, uint32_t cluster, uint64_t max, bool whole, char **ret_data, size_t *ret_size)
{
	_cleanup_free_ char *data = NULL;
	uint64_t size = 0, room = 0;

	while (whole ? cluster != FAT_END : size < max) {
		if (!fat_is_data_cluster(f, cluster))
			return -EBADMSG;
		if (size >= max || size / f->g.cluster_size >= f->g.clusters)
			return -EBADMSG;
		if (size + f->g.cluster_size > room) {
			room = MAX(2 * room, (uint64_t)f->g.cluster_size);
			char *larger = realloc(data, room + 1);
			if (!larger)
				return -ENOMEM;
			data = larger;
		}
		memcpy(data + size, fat_cluster(f, cluster), f->g.cluster_size);
		size += f->g.cluster_size;
		cluster = fat_next(f, 0, cluster);
	}
	*ret_data = steal_ptr(data);
	*ret_size = size;
	return 0;
}

errint_t fat_read(const struct fat *f, const struct fat_node *n, size_t max, char **ret_data, size_t *ret_size)
{
	size_t size;

	if (n->directory)
		return -EISDIR;
	if (n->size > max)
		return -EFBIG;
	if (n->size > (uint64_t)f->g.clusters * f->g.cluster_size)
		return -EBADMSG;
	errint_t r = read_chain(f, n->first_cluster, n->size, false, ret_data, &size);
	if (r < 0)
		return r;
	if (!*ret_data && !(*ret_data = malloc(1)))
		return -ENOMEM;
	(*ret_data)[n->size] = '\0';
	*ret_size = n->size;
	return 0;
}

errint_t fat_read_directory(const struct fat *f, uint32_t first_cluster, char **ret_data, size_t *ret_size)
{
	if (first_cluster == 0 && f->g.type == FAT32)
		first_cluster = f->g.root_cluster;
	if (first_cluster)
		return read_chain(f, first_cluster, MAX_DIRECTORY, true, ret_data, ret_size);
	*ret_size = (size_t)f->g.root_entries * FAT_ENTRY;
	*ret_data = malloc(*ret_size + 1);
	if (!*ret_data)
		return -ENOMEM;
	memcpy(*ret_data, f->data + f->root_offset, *ret_size);
	return 0;
}

/* The parts of a long name, gathered from its entries, last part first. */
struct long_name {
	uint8_t units[2 * FAT_MAX_LONG_ENTRIES * FAT_UNITS_PER_ENTRY];
	unsigned int entries, next;	/* next: sequence number awaited; entries 0: none begun */
	uint8_t checksum;
};

/* false: the entry does not continue what was begun. */
static bool long_name_add(struct long_name *l, const uint8_t *e)
{
	unsigned int sequence = e[0] & 0x3f;
	bool begins = e[0] & 0x40;

	if (begins) {
		l->entries = l->next = sequence;
		l->checksum = e[13];
	}
	if (sequence == 0 || sequence > FAT_MAX_LONG_ENTRIES || l->entries == 0 || sequence != l->next || e[13] != l->checksum) {
		l->entries = 0;
		return false;
	}
	for (size_t u = 0; u < FAT_UNITS_PER_ENTRY; u++)
		memcpy(l->units + 2 * ((sequence - 1) * FAT_UNITS_PER_ENTRY + u), e + fat_unit_offsets[u], 2);
	l->next--;
	return true;
}

/* The name of the short entry e, from the long name where there is a right one. */
static void entry_name(const struct long_name *l, const uint8_t *e, struct fat_dir_entry *ret)
{
	size_t count = l->entries * FAT_UNITS_PER_ENTRY;

	if (l->entries && l->next == 0 && l->checksum == fat_short_checksum(e)) {
		utf8_from_utf16le(l->units, MIN(count, (size_t)FAT_LONG_UNITS), ret->name);
		if (!ret->name[0] || strchr(ret->name, '/'))
			ret->fault = "a long name is empty or holds '/'";
		return;
	}
	if (l->entries)
		ret->fault = "a long name does not belong to the short name behind it";
	if (!fat_name_from_short(e, e[12], ret->name))
		ret->fault = "a short name has characters that none may have";
}

size_t fat_dir_next(const char *data, size_t size, size_t at, struct fat_dir_entry *ret)
{
	struct long_name l = { .entries = 0 };

	ret->fault = NULL;
	for (; size - at >= FAT_ENTRY; at += FAT_ENTRY) {
		const uint8_t *e = (const uint8_t *)data + at;
		if (e[0] == 0)
			break;
		if (e[0] == 0xe5) {
			l.entries = 0;
			continue;
		}
		if ((e[11] & 0x3f) == FAT_ATTR_LONG) {
			if (!long_name_add(&l, e))
				ret->fault = "parts of a long name are missing or out of order";
			continue;
		}
		ret->attributes = e[11];
		ret->first_cluster = le16_get(e + 26) | (uint32_t)le16_get(e + 20) << 16;
		ret->size = le32_get(e + 28);
		ret->dots = memcmp(e, ".          ", 11) == 0 ? 1 : memcmp(e, "..         ", 11) == 0 ? 2 : 0;
		ret->name[0] = '\0';
		if (ret->dots == 0 && !(e[11] & FAT_ATTR_VOLUME))
			entry_name(&l, e, ret);
		return at + FAT_ENTRY;
	}
	return 0;
}

/* parent: its index, or SIZE_MAX for the root. */
static errint_t add_node(struct fat_listing *l, size_t parent, const struct fat_dir_entry *e)
{
	bool root = parent == SIZE_MAX;
	size_t parent_size = root ? 0 : strlen(l->nodes[parent].path), name_size = strlen(e->name);
	struct fat_node n = { .directory = e->attributes & FAT_ATTR_DIRECTORY, .first_cluster = e->first_cluster };

	if (l->count == FAT_MAX_NODES || parent_size + name_size + 2 > FAT_MAX_PATH)
		return -E2BIG;
	if ((l->count & (l->count - 1)) == 0) {
		struct fat_node *larger = realloc(l->nodes, MAX(2 * l->count, (size_t)1) * sizeof(*larger));
		if (!larger)
			return -ENOMEM;
		l->nodes = larger;
	}
	n.path = malloc(parent_size + name_size + 2);
	if (!n.path)
		return -ENOMEM;
	snprintf(n.path, parent_size + name_size + 2, "%s%s%s", root ? "" : l->nodes[parent].path, root ? "" : "/", e->name);
	n.size = n.directory ? 0 : e->size;
	l->nodes[l->count++] = n;
	return 0;
}

static unsigned int path_depth(const char *path)
{
	unsigned int depth = 1;

	for (; *path; path++)
		depth += *path == '/';
	return depth;
}

/* Tells of what a directory's own entries have wrong; index: its node, or SIZE_MAX for the root. */
static void judge_entry(struct fat_walk *w, const char *path, const struct fat_dir_entry *e, size_t number)
{
	if (!w->report)
		return;
	if (e->fault)
		fat_walk_report(w, "directory /%s: %s", path, e->fault);
	if (*path && number < 2 && e->dots != (int)number + 1)
		fat_walk_report(w, "directory /%s: entry %zu is not '%s'", path, number, number ? ".." : ".");
	if (e->dots && (!*path || number >= 2))
		fat_walk_report(w, "directory /%s: a '.' or '..' where none may be", path);
	if (e->attributes & FAT_ATTR_DIRECTORY && e->size)
		fat_walk_report(w, "directory /%s: the size of '%s' is not 0", path, e->name);
}

static errint_t walk_directory(struct fat_walk *w, size_t index)
{
	struct fat_listing *l = w->listing;
	bool root = index == SIZE_MAX;
	_cleanup_free_ char *data = NULL;
	size_t size, number = 0;

	if (!root && l->nodes[index].first_cluster == 0)
		return -EBADMSG;
	errint_t r = fat_read_directory(w->fat, root ? 0 : l->nodes[index].first_cluster, &data, &size);
	if (r < 0)
		return r;
	if (!root && path_depth(l->nodes[index].path) > FAT_MAX_DEPTH)
		return -E2BIG;
	_cleanup_free_ struct fat_dir_entry *e = malloc(sizeof(*e));
	_cleanup_free_ char *path = strdup(root ? "" : l->nodes[index].path);
	if (!e || !path)
		return -ENOMEM;
	for (size_t at = 0; (at = fat_dir_next(data, size, at, e)) != 0; number++) {
		judge_entry(w, path, e, number);
		if (e->dots || (e->attributes & FAT_ATTR_VOLUME) || !e->name[0])
			continue;
		r = add_node(l, index, e);
		if (r < 0)
			return r;
	}
	return 0;
}

errint_t fat_walk(struct fat_walk *w)
{
	errint_t r = walk_directory(w, SIZE_MAX);

	for (size_t i = 0; r == 0 && i < w->listing->count; i++) {
		if (!w->listing->nodes[i].directory)
			continue;
		r = walk_directory(w, i);
		if (r == -EBADMSG && w->report) {
			fat_walk_report(w, "directory /%s: its clusters cannot be followed", w->listing->nodes[i].path);
			r = 0;
		}
	}
	return r;
}

errint_t fat_list(const struct fat *f, struct fat_listing *ret)
{
	struct fat_walk w = { .fat = f, .listing = ret };

	*ret = (struct fat_listing){ .nodes = NULL };
	errint_t r = fat_walk(&w);
	if (r < 0)
		fat_listing_done(ret);
	return r;
}

void fat_listing_done(struct fat_listing *l)
{
	for (size_t i = 0; i < l->count; i++)
		free(l->nodes[i].path);
	free(steal_ptr(l->nodes));
	l->count = 0;
}

const struct fat_node *fat_find(const struct fat_listing *l, const char *path)
{
	for (size_t i = 0; i < l->count; i++)
		if (strcasecmp(l->nodes[i].path, path) == 0)
			return &l->nodes[i];
	return NULL;
}

uint64_t fat_free_bytes(const struct fat *f)
{
	uint64_t n = 0;

	for (uint32_t c = 2; c < f->g.clusters + 2; c++)
		n += fat_next(f, 0, c) == 0;
	return n * f->g.cluster_size;
}
