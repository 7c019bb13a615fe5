/* SPDX-License-Identifier: MIT */
/* Surveys the disks and chooses the place of scratch; see plan.h. */
#include "initrd/scratch/plan.h"
#include "common/io.h"
#include "initrd/scratch/probe.h"

#include <fcntl.h>

struct survey {
	struct plan *plan;
	const char *label;	/* of the file system that is looked for */
	const char *named;	/* "vdb1": a device that the policy names, or NULL */
	bool deep;		/* read for emptiness */
	/* Of the disk at hand: */
	size_t disk;
	struct disk *d;
	int fd;
	struct gpt *gpt;
	enum gpt_state state;
	bool boot_disk;
};

static const char *const verdict_names[] = {
	[PLACE_FOREIGN] = "foreign", [PLACE_FOUND] = "found", [PLACE_BEGUN] = "begun", [PLACE_DISK] = "empty-disk", [PLACE_GAP] = "gap",
	[PLACE_BLANK] = "blank",
};

const char *plan_verdict_name(enum verdict v)
{
	return verdict_names[v];
}

void plan_place_name(const struct plan *p, const struct place *place, char ret[DISK_NAME_SIZE])
{
	const char *disk = p->disks.list[place->disk].name;

	if (place->partition && place->verdict != PLACE_GAP && place->verdict != PLACE_DISK)
		disk_partition_name(disk, place->partition, ret);
	else
		snprintf(ret, DISK_NAME_SIZE, "%s", disk);
}

/* A new place of the disk at hand; NULL when memory is out (the survey then ends). */
static struct place *place_add(struct survey *s, enum verdict verdict, uint32_t partition, uint64_t offset, uint64_t bytes)
{
	struct place *places = realloc(s->plan->places, (s->plan->count + 1) * sizeof(*places));

	if (!places)
		return NULL;
	s->plan->places = places;
	struct place *p = &places[s->plan->count++];
	*p = (struct place){ .verdict = verdict, .disk = s->disk, .partition = partition, .offset = offset, .bytes = bytes,
			     .boot_disk = s->boot_disk };
	return p;
}

#define place_say(place, ...) snprintf((place)->reason, sizeof((place)->reason), __VA_ARGS__)

static errint_t place_error(struct place *p, errint_t error)
{
	p->verdict = PLACE_FOREIGN;
	place_say(p, "cannot be read: %s", strerror(-error));
	return 0;
}

/* Turns a place foreign unless all of it is zero. */
static errint_t place_needs_zero(struct survey *s, struct place *p, const struct probe_hole *hole)
{
	uint64_t at;

	if (!s->deep) {
		p->verdict = PLACE_FOREIGN;
		place_say(p, "not looked at");
		return 0;
	}
	errint_t r = probe_zero(s->fd, p->offset, p->bytes, hole, &at);
	if (r < 0)
		return place_error(p, r);
	if (at != UINT64_MAX) {
		p->verdict = PLACE_FOREIGN;
		place_say(p, "is not empty: data at byte %llu", (unsigned long long)at);
	}
	return 0;
}

/* A place must be writable and large enough. */
static bool place_fits(const struct survey *s, struct place *p)
{
	if (s->d->read_only)
		place_say(p, "is read-only");
	else if (p->bytes < SCRATCH_MIN)
		place_say(p, "has %llu MiB; scratch needs %llu MiB", (unsigned long long)(p->bytes / MIB), (unsigned long long)(SCRATCH_MIN / MIB));
	else
		return true;
	p->verdict = PLACE_FOREIGN;
	return false;
}

/* Ours by type and name. */
static bool is_scratch_partition(const struct gpt_partition *p)
{
	struct gpt_guid type;

	return gpt_guid_parse(GPT_TYPE_SCRATCH, &type) == 0 && memcmp(&p->type, &type, sizeof(type)) == 0 && strcmp(p->name, GPT_NAME_SCRATCH) == 0;
}

/* The table of a new scratch disk is written from the end: its entries without a header behind them are all that a power cut may have left. */
static bool find_torn_table(const struct survey *s, struct probe_hole *ret)
{
	uint64_t array = (uint64_t)GPT_ENTRIES * GPT_ENTRY_SIZE, tail = array + s->d->sector_size;
	struct gpt_guid type;

	if (s->d->bytes < tail || gpt_guid_parse(GPT_TYPE_SCRATCH, &type) < 0)
		return false;
	*ret = (struct probe_hole){ .first = s->d->bytes - tail, .end = s->d->bytes - s->d->sector_size };
	uint8_t found[sizeof(type)];
	return io_pread_full(s->fd, found, sizeof(found), ret->first) == (ssize_t)sizeof(found) && memcmp(found, &type, sizeof(type)) == 0;
}

/* Ours, and no file system of it was ever in use: nothing known lies there, or an ext4 that mke2fs made (or had not finished) and nobody mounted. */
static errint_t look_for_begun(struct survey *s, struct place *p)
{
	struct probe_ext4 ext4;
	const char *signature;
	errint_t r = probe_ext4(s->fd, p->offset, &ext4);

	if (r < 0 && r != -ENOENT)
		return place_error(p, r);
	if (r == 0 && (!ext4.never_mounted || (ext4.label[0] && ext4.checksum_good))) {
		place_say(p, "holds an ext4 file system labelled '%.16s'", ext4.label);
		return 0;
	}
	if (r == -ENOENT) {
		uint64_t at;
		r = probe_signature(s->fd, p->offset, p->bytes, &signature);
		if (r == 0 && !signature)
			r = probe_zero(s->fd, p->offset, MIN(p->bytes, 4 * KIB), NULL, &at);
		if (r < 0)
			return place_error(p, r);
		if (signature || at != UINT64_MAX) {
			place_say(p, "holds %s", signature ? signature : "something unknown");
			return 0;
		}
	}
	p->verdict = PLACE_BEGUN;
	place_say(p, "was begun and not finished");
	place_fits(s, p);
	return 0;
}

/* One partition, or the disk as a whole (number 0). gpt: its entry, or NULL. */
static errint_t look_at(struct survey *s, uint32_t number, uint64_t offset, uint64_t bytes, const struct gpt_partition *gpt)
{
	char name[DISK_NAME_SIZE];
	struct probe_ext4 ext4;
	const char *signature = NULL;
	struct place *p = place_add(s, PLACE_FOREIGN, number, offset, bytes);

	if (!p)
		return -ENOMEM;
	if (offset > s->d->bytes || bytes > s->d->bytes - offset) {
		place_say(p, "reaches beyond the end of the disk");
		return 0;
	}
	errint_t r = probe_ext4(s->fd, offset, &ext4);
	if (r < 0 && r != -ENOENT)
		return place_error(p, r);
	if (r == 0 && strcmp(ext4.label, s->label) == 0 && ext4.bytes <= bytes && (ext4.checksum_good || !ext4.never_mounted)) {
		p->verdict = PLACE_FOUND;
		place_say(p, "labelled %s", s->label);
		if (s->d->read_only) {
			p->verdict = PLACE_FOREIGN;
			place_say(p, "labelled %s, but read-only", s->label);
		}
		return 0;
	}
	if (gpt && is_scratch_partition(gpt))
		return look_for_begun(s, p);
	if (r == 0) {
		place_say(p, "holds an ext4 file system labelled '%.16s'", ext4.label);
		return 0;
	}
	if ((r = probe_signature(s->fd, offset, bytes, &signature)) < 0)
		return place_error(p, r);
	plan_place_name(s->plan, p, name);
	if (signature)
		place_say(p, "holds %s", signature);
	else if (!number || (s->named && strcmp(s->named, name) == 0)) {
		p->verdict = number ? PLACE_BLANK : PLACE_DISK;
		place_say(p, "wholly empty");
		if (!number && s->d->removable) {
			p->verdict = PLACE_FOREIGN;
			place_say(p, "can be taken out");
		} else if (place_fits(s, p)) {
			struct probe_hole torn;
			return place_needs_zero(s, p, !number && find_torn_table(s, &torn) ? &torn : NULL);
		}
	} else {
		place_say(p, "is a partition of something else");
	}
	return 0;
}

/* The last sectors, where the backup table will go: zero, or our own backup, whole or torn by a power cut. */
static errint_t tail_is_ours(struct survey *s, bool *ret)
{
	const struct gpt *g = s->gpt;
	uint64_t entries = (uint64_t)GPT_ENTRIES * GPT_ENTRY_SIZE, header = (s->d->bytes / g->sector_size - 1) * g->sector_size, at;
	int esp = gpt_find_name(g, GPT_NAME_ESP);
	uint8_t found[GPT_ENTRY_SIZE * 2];

	*ret = true;
	if (s->state == GPT_GOOD || s->state == GPT_BACKUP_ONLY || g->backup_lba * g->sector_size == header)
		return 0;
	errint_t r = probe_zero(s->fd, header - entries, s->d->bytes - (header - entries), NULL, &at);
	if (r < 0 || at == UINT64_MAX)
		return r;
	ssize_t n = io_pread_full(s->fd, found, sizeof(found), header - entries);
	if (n == (ssize_t)sizeof(found) && esp == 0 && memcmp(found + 16, &g->partitions[0].id, 16) == 0)
		return 0;
	n = io_pread_full(s->fd, found, sizeof(found), header);
	*ret = n == (ssize_t)sizeof(found) && memcmp(found, "EFI PART", 8) == 0 && memcmp(found + 56, &g->disk_id, 16) == 0;
	return n < 0 ? (errint_t)n : 0;
}

/* Room behind the image. The table is taken at the size that the disk has today. */
static errint_t look_at_gap(struct survey *s)
{
	_cleanup_free_ struct gpt *grown = malloc(sizeof(*grown));
	uint64_t first, last, size = s->gpt->sector_size;
	bool ours;

	if (!grown)
		return -ENOMEM;
	*grown = *s->gpt;
	gpt_resize(grown, s->d->bytes);
	struct place *p = place_add(s, PLACE_GAP, 0, 0, 0);
	if (!p)
		return -ENOMEM;
	p->warn = true;
	int unused = gpt_find_unused(grown);
	if (unused >= 0 && gpt_largest_gap(grown, SCRATCH_ALIGNMENT, &first, &last)) {
		p->offset = first * size;
		p->bytes = (last + 1 - first) * size;
	}
	place_say(p, "room behind the image");
	if (!place_fits(s, p))
		return 0;
	/* The backup table of the smaller image lies in the gap; it is ours. */
	struct probe_hole old = { .first = 0, .end = 0 };
	if (s->state == GPT_BACKUP_MISPLACED) {
		old.end = (s->gpt->backup_lba + 1) * size;
		old.first = old.end - size - (uint64_t)GPT_ENTRIES * GPT_ENTRY_SIZE;
	}
	errint_t r = place_needs_zero(s, p, old.end ? &old : NULL);
	if (r < 0 || p->verdict == PLACE_FOREIGN || !s->deep)
		return r;
	if ((r = tail_is_ours(s, &ours)) < 0)
		return place_error(p, r);
	if (!ours) {
		p->verdict = PLACE_FOREIGN;
		place_say(p, "ends with something that is not the image's");
	}
	return 0;
}

static errint_t look_at_gpt(struct survey *s)
{
	const struct gpt *g = s->gpt;
	bool scratch = false;
	uint64_t end = 0;

	for (uint32_t i = 0; i < GPT_ENTRIES; i++) {
		const struct gpt_partition *part = &g->partitions[i];
		if (gpt_guid_is_zero(&part->type))
			continue;
		uint64_t sectors = s->d->bytes / g->sector_size;
		if (part->first > part->last || part->last >= sectors) {
			end = UINT64_MAX;
			continue;
		}
		scratch |= is_scratch_partition(part);
		errint_t r = look_at(s, i + 1, part->first * g->sector_size, (part->last - part->first + 1) * g->sector_size, part);
		if (r < 0)
			return r;
	}
	if (!s->boot_disk || scratch)
		return 0;
	if (end == UINT64_MAX) {
		struct place *p = place_add(s, PLACE_FOREIGN, 0, 0, s->d->bytes);
		if (!p)
			return -ENOMEM;
		p->warn = true;
		place_say(p, "is smaller than the image that was written to it");
		return 0;
	}
	return look_at_gap(s);
}

static errint_t look_at_disk(struct survey *s)
{
	s->boot_disk = false;
	if (s->d->unfit) {
		struct place *p = place_add(s, PLACE_FOREIGN, 0, 0, s->d->bytes);
		if (p)
			place_say(p, "is %s", s->d->unfit);
		return p ? 0 : -ENOMEM;
	}
	_cleanup_close_ int fd = disk_open(s->d, O_RDONLY);
	errint_t r = fd < 0 ? fd : gpt_read(fd, s->d->bytes, s->d->sector_size, s->gpt, &s->state);
	if (r < 0) {
		struct place *p = place_add(s, PLACE_FOREIGN, 0, 0, s->d->bytes);
		return p ? place_error(p, r) : -ENOMEM;
	}
	s->fd = fd;
	if (s->state == GPT_CORRUPT) {
		struct place *p = place_add(s, PLACE_FOREIGN, 0, 0, s->d->bytes);
		if (!p)
			return -ENOMEM;
		p->warn = true;
		place_say(p, "has a corrupt partition table (GPT)");
		return 0;
	}
	if (s->state != GPT_NONE) {
		s->boot_disk = gpt_find_name(s->gpt, GPT_NAME_ESP) >= 0;
		return look_at_gpt(s);
	}
	for (size_t i = 0; i < s->d->partition_count; i++) {
		const struct disk_partition *p = &s->d->partitions[i];
		if ((r = look_at(s, p->number, p->first, p->bytes, NULL)) < 0)
			return r;
	}
	return s->d->partition_count ? 0 : look_at(s, 0, 0, s->d->bytes, NULL);
}

static errint_t survey(struct plan *p, const char *label, const char *named, bool deep)
{
	_cleanup_free_ struct gpt *gpt = malloc(sizeof(*gpt));
	struct survey s = { .plan = p, .label = label, .named = named, .deep = deep, .gpt = gpt };

	if (!gpt)
		return -ENOMEM;
	p->count = 0;
	for (s.disk = 0; s.disk < p->disks.count; s.disk++) {
		s.d = &p->disks.list[s.disk];
		errint_t r = look_at_disk(&s);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The first place with the verdict, one on the boot disk before others; on the disk or partition of that name only, where one is given. */
static int choose(const struct plan *p, enum verdict verdict, const char *named)
{
	int best = PLAN_NONE;

	for (size_t i = 0; i < p->count; i++) {
		const struct place *place = &p->places[i];
		char name[DISK_NAME_SIZE];
		plan_place_name(p, place, name);
		if (place->verdict != verdict || (named && strcmp(named, name) != 0 && strcmp(named, p->disks.list[place->disk].name) != 0))
			continue;
		if (best == PLAN_NONE || (place->boot_disk && !p->places[best].boot_disk))
			best = (int)i;
	}
	return best;
}

static int choose_best(const struct plan *p, const char *named, bool made_places)
{
	static const enum verdict order[] = { PLACE_FOUND, PLACE_BEGUN, PLACE_DISK, PLACE_GAP, PLACE_BLANK };

	for (size_t i = 0; i < ARRAY_SIZE(order) && (i == 0 || made_places); i++) {
		int found = choose(p, order[i], named);
		if (found >= 0)
			return found;
	}
	return PLAN_NONE;
}

static void explain_named(struct plan *p, const char *named)
{
	snprintf(p->why, sizeof(p->why), "there is no disk or partition '%.40s'", named);
	for (size_t i = 0; i < p->count; i++) {
		char name[DISK_NAME_SIZE];
		plan_place_name(p, &p->places[i], name);
		if (strcmp(name, named) == 0)
			snprintf(p->why, sizeof(p->why), "/dev/%s %s", name, p->places[i].reason);
		else if (strcmp(p->disks.list[p->places[i].disk].name, named) == 0)
			snprintf(p->why, sizeof(p->why), "/dev/%.39s: its part /dev/%s %s", named, name, p->places[i].reason);
	}
}

errint_t plan_make(struct plan *p, const char *policy, bool all)
{
	const char *label = SCRATCH_LABEL, *named = NULL;

	*p = (struct plan){ .chosen = PLAN_RAM };
	if (strncmp(policy, "LABEL=", 6) == 0 && policy[6] && strlen(policy + 6) <= PROBE_LABEL_SIZE)
		label = policy + 6;
	else if (strncmp(policy, "/dev/", 5) == 0 && policy[5])
		named = policy + 5;
	else if (strcmp(policy, "auto") != 0 && strcmp(policy, "ram") != 0)
		return -EINVAL;
	if (strcmp(policy, "ram") == 0 && !all)
		return 0;
	errint_t r = disks_read(&p->disks);
	if (r < 0 || (r = survey(p, label, named, all)) < 0)
		return r;
	p->chosen = choose_best(p, named, all && strncmp(policy, "LABEL=", 6) != 0);
	if (p->chosen == PLAN_NONE && !all && strncmp(policy, "LABEL=", 6) != 0) {
		if ((r = survey(p, label, named, true)) < 0)
			return r;
		p->chosen = choose_best(p, named, true);
	}
	if (strcmp(policy, "ram") == 0 || (p->chosen == PLAN_NONE && strcmp(policy, "auto") == 0)) {
		p->chosen = PLAN_RAM;
	} else if (p->chosen == PLAN_NONE && named) {
		explain_named(p, named);
	} else if (p->chosen == PLAN_NONE) {
		snprintf(p->why, sizeof(p->why), "no ext4 file system is labelled '%s'", label);
	}
	return 0;
}

void plan_done(struct plan *p)
{
	free(p->places);
	disks_done(&p->disks);
	*p = (struct plan){ 0 };
}
