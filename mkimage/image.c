/* SPDX-License-Identifier: MIT */
/* The image as a whole; see image.h. */
#include "mkimage/image.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* Identifiers follow from the content, so that the same content has the same ones and other content has others. */
static void derive(const struct digest *content, const char *purpose, uint8_t ret[DIGEST_SIZE])
{
	struct digest_state s;
	struct digest d;

	digest_begin(&s);
	digest_add(&s, purpose, strlen(purpose) + 1);
	digest_add(&s, content->bytes, sizeof(content->bytes));
	digest_end(&s, &d);
	memcpy(ret, d.bytes, DIGEST_SIZE);
}

static void content_digest(const struct payload *t, const struct image_options *o, struct digest *ret)
{
	struct digest_state s;
	struct digest files;
	uint8_t numbers[24];

	payload_digest(t, &files);
	le64_put(numbers, (uint64_t)o->time);
	le64_put(numbers + 8, (uint64_t)o->fat);
	le64_put(numbers + 16, o->free_bytes);
	digest_begin(&s);
	digest_add(&s, files.bytes, sizeof(files.bytes));
	digest_add(&s, numbers, sizeof(numbers));
	digest_end(&s, ret);
}

/* Both ends of the table become extents. */
static errint_t add_table(struct disk *d, const struct gpt *g)
{
	size_t head = gpt_head_size(g), tail = gpt_tail_size(g);
	uint8_t *first = calloc(1, head), *last = calloc(1, tail);
	errint_t r = first && last ? gpt_encode(g, first, last) : -ENOMEM;

	if (r == 0)
		r = disk_add(d, 0, first, head, first);
	else
		free(first);
	if (r < 0) {
		free(last);
		return r;
	}
	return disk_add(d, d->size - tail, last, tail, last);
}

static errint_t make_table(struct disk *d, const struct image_layout *l)
{
	_cleanup_free_ struct gpt *g = malloc(sizeof(*g));
	struct gpt_partition *esp;

	if (!g)
		return -ENOMEM;
	gpt_init(g, d->size, IMAGE_SECTOR, &l->disk_id);
	esp = &g->partitions[0];
	errint_t r = gpt_guid_parse(GPT_TYPE_ESP, &esp->type);
	if (r < 0)
		return r;
	esp->id = l->esp_id;
	esp->first = l->esp_offset / IMAGE_SECTOR;
	esp->last = esp->first + l->esp_size / IMAGE_SECTOR - 1;
	snprintf(esp->name, sizeof(esp->name), "%s", GPT_NAME_ESP);
	return add_table(d, g);
}

errint_t image_assemble(const struct payload *t, const struct image_options *o, struct disk *ret, struct image_layout *ret_layout, const char **ret_bad)
{
	struct image_layout *l = ret_layout;
	struct digest content;
	uint8_t id[DIGEST_SIZE];
	errint_t r;

	*l = (struct image_layout){ .esp_offset = (uint64_t)IMAGE_ESP_FIRST * IMAGE_SECTOR };
	*ret_bad = NULL;
	content_digest(t, o, &content);
	derive(&content, "spore image disk", id);
	gpt_guid_from_bytes(id, &l->disk_id);
	derive(&content, "spore image esp", id);
	gpt_guid_from_bytes(id, &l->esp_id);
	derive(&content, "spore image volume", id);
	const struct fat_options options = { .type = o->fat, .free_bytes = o->free_bytes, .volume_id = le32_get(id), .label = IMAGE_LABEL,
					     .time = o->time, .hidden_sectors = IMAGE_ESP_FIRST };
	r = fat_create(t, &options, ret, l->esp_offset, &l->fat, ret_bad);
	if (r < 0)
		return r;
	l->esp_size = align_up(l->fat.sectors * FAT_SECTOR, IMAGE_ESP_ALIGNMENT);
	/* Behind the ESP comes the backup of the table, and nothing else. */
	ret->size = align_up(l->esp_offset + l->esp_size + (uint64_t)GPT_ENTRIES * GPT_ENTRY_SIZE + IMAGE_SECTOR, IMAGE_ALIGNMENT);
	r = make_table(ret, l);
	return r < 0 ? r : disk_sort(ret);
}

errint_t image_file_open(const char *path, struct image_file *ret)
{
	struct stat st;

	*ret = (struct image_file)IMAGE_FILE_INIT;
	ret->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (ret->fd < 0)
		return -errno;
	if (fstat(ret->fd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	/* Also the size of a block device. */
	off_t end = lseek(ret->fd, 0, SEEK_END);
	if (end < 0)
		return -errno;
	if (end == 0)
		return -ENODATA;
	ret->size = (uint64_t)end;
	void *data = mmap(NULL, ret->size, PROT_READ, MAP_PRIVATE, ret->fd, 0);
	if (data == MAP_FAILED)
		return -errno;
	ret->data = data;
	return 0;
}

void image_file_close(struct image_file *f)
{
	if (f->data)
		munmap(f->data, f->size);
	if (f->fd >= 0)
		close(steal_fd(&f->fd));
	f->data = NULL;
}
