/* SPDX-License-Identifier: MIT */
/*
 * Writes initrd archives. libarchive makes the cpio stream; the compression is done here, because libarchive's xz has a CRC64 where the kernel's
 * decoder wants CRC32, and because both compressors do better when they know the size beforehand.
 */
#include "mkimage/initrd.h"

#include <archive.h>
#include <archive_entry.h>
#include <lzma.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <zstd.h>

#define ZSTD_LEVEL 22

struct buffer {
	char *data;
	size_t size, room;
};

static la_ssize_t buffer_write(struct archive *a, void *context, const void *data, size_t size)
{
	struct buffer *b = context;

	if (b->room - b->size < size) {
		size_t room = MAX(2 * b->room, b->size + size + 65536);
		char *larger = realloc(b->data, room);
		if (!larger) {
			archive_set_error(a, ENOMEM, "out of memory");
			return -1;
		}
		b->data = larger;
		b->room = room;
	}
	memcpy(b->data + b->size, data, size);
	b->size += size;
	return (la_ssize_t)size;
}

static void fill_entry(struct archive_entry *e, const struct recipe_entry *r, int64_t time, int64_t inode)
{
	static const unsigned int types[] = { [RECIPE_DIR] = AE_IFDIR, [RECIPE_FILE] = AE_IFREG, [RECIPE_LINK] = AE_IFLNK, [RECIPE_CHAR] = AE_IFCHR,
					      [RECIPE_BLOCK] = AE_IFBLK };

	archive_entry_clear(e);
	archive_entry_set_pathname(e, r->path);
	archive_entry_set_filetype(e, types[r->kind]);
	archive_entry_set_perm(e, r->mode);
	archive_entry_set_mtime(e, time, 0);
	archive_entry_set_ino64(e, inode);
	archive_entry_set_nlink(e, r->kind == RECIPE_DIR ? 2 : 1);
	archive_entry_set_uid(e, 0);
	archive_entry_set_gid(e, 0);
	archive_entry_set_size(e, (int64_t)r->size);
	if (r->kind == RECIPE_LINK)
		archive_entry_set_symlink(e, r->target);
	if (r->kind == RECIPE_CHAR || r->kind == RECIPE_BLOCK)
		archive_entry_set_rdev(e, makedev(r->major, r->minor));
}

static bool write_entries(struct archive *a, struct archive_entry *e, const struct recipe *r, int64_t time)
{
	for (size_t i = 0; i < r->count; i++) {
		const struct recipe_entry *x = &r->entries[i];
		fill_entry(e, x, time, (int64_t)i + 1);
		if (archive_write_header(a, e) != ARCHIVE_OK)
			return false;
		if (x->kind == RECIPE_FILE && x->size && archive_write_data(a, x->data, x->size) != (la_ssize_t)x->size)
			return false;
	}
	return archive_write_close(a) == ARCHIVE_OK;
}

static errint_t write_cpio(const struct recipe *r, int64_t time, struct buffer *ret)
{
	struct archive *a = archive_write_new();
	struct archive_entry *e = archive_entry_new();
	errint_t error = -ENOMEM;

	if (a && e && archive_write_set_format_cpio_newc(a) == ARCHIVE_OK && archive_write_set_bytes_per_block(a, 65536) == ARCHIVE_OK &&
	    archive_write_set_bytes_in_last_block(a, 1) == ARCHIVE_OK && archive_write_open(a, ret, NULL, buffer_write, NULL) == ARCHIVE_OK)
		error = write_entries(a, e, r, time) ? 0 : -EIO;
	if (error == -EIO && archive_errno(a) == ENOMEM)
		error = -ENOMEM;
	archive_entry_free(e);
	archive_write_free(a);
	return error;
}

/*
 * One block, CRC32, the dictionary no larger than the data. No filter for machine code: it saves about 3.5 %, and a kernel without CONFIG_XZ_DEC_X86 or
 * its like would not boot.
 */
static errint_t compress_xz(const struct buffer *in, struct buffer *out)
{
	lzma_options_lzma lzma;
	lzma_filter filters[] = { { .id = LZMA_FILTER_LZMA2, .options = &lzma }, { .id = LZMA_VLI_UNKNOWN } };

	if (lzma_lzma_preset(&lzma, 9 | LZMA_PRESET_EXTREME))
		return -ENOMEM;
	lzma.dict_size = (uint32_t)MIN(MAX(align_up(in->size, 4096), (uint64_t)LZMA_DICT_SIZE_MIN), 64 * MIB);
	out->room = lzma_stream_buffer_bound(in->size);
	out->data = out->room ? malloc(out->room) : NULL;
	if (!out->data)
		return -ENOMEM;
	lzma_ret r = lzma_stream_buffer_encode(filters, LZMA_CHECK_CRC32, NULL, (const uint8_t *)in->data, in->size, (uint8_t *)out->data, &out->size, out->room);
	return r == LZMA_OK ? 0 : r == LZMA_MEM_ERROR ? -ENOMEM : -EIO;
}

static errint_t compress_zstd(const struct buffer *in, struct buffer *out)
{
	ZSTD_CCtx *c = ZSTD_createCCtx();

	out->room = ZSTD_compressBound(in->size);
	out->data = malloc(out->room);
	if (!c || !out->data) {
		ZSTD_freeCCtx(c);
		return -ENOMEM;
	}
	ZSTD_CCtx_setParameter(c, ZSTD_c_compressionLevel, ZSTD_LEVEL);
	/* What the kernel's decoder takes at most is a window of 128 MiB; 8 MiB spares memory at boot. */
	ZSTD_CCtx_setParameter(c, ZSTD_c_windowLog, 23);
	size_t n = ZSTD_compress2(c, out->data, out->room, in->data, in->size);
	ZSTD_freeCCtx(c);
	if (ZSTD_isError(n))
		return -EIO;
	out->size = n;
	return 0;
}

errint_t initrd_compression_parse(const char *text, enum initrd_compression *ret)
{
	static const char *const names[] = { [INITRD_XZ] = "xz", [INITRD_ZSTD] = "zstd", [INITRD_NONE] = "none" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcmp(names[i], text) != 0)
			continue;
		*ret = (enum initrd_compression)i;
		return 0;
	}
	return -EINVAL;
}

errint_t initrd_write(const struct recipe *r, const struct initrd_options *o, char **ret_data, size_t *ret_size, size_t *ret_unpacked)
{
	struct buffer cpio = { .data = NULL }, packed = { .data = NULL };
	errint_t error = write_cpio(r, o->time, &cpio);

	*ret_unpacked = cpio.size;
	if (error == 0 && o->compression == INITRD_NONE) {
		packed = cpio;
		cpio.data = NULL;
	} else if (error == 0) {
		error = o->compression == INITRD_XZ ? compress_xz(&cpio, &packed) : compress_zstd(&cpio, &packed);
	}
	free(cpio.data);
	if (error < 0) {
		free(packed.data);
		return error;
	}
	*ret_data = packed.data;
	*ret_size = packed.size;
	return 0;
}
