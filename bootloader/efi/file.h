/* SPDX-License-Identifier: MIT */
/*
 * Reading files of one FAT volume through the firmware, in pieces, with every size checked. Prints nothing.
 */
#ifndef SPORE_BOOTLOADER_FILE_H
#define SPORE_BOOTLOADER_FILE_H

#include "bootloader/efi/firmware.h"

struct volume {
	EFI_HANDLE device;
	EFI_FILE_HANDLE root;
	EFI_DEVICE_PATH *path;		/* the firmware's; NULL where it has none */
};

struct file {
	EFI_FILE_HANDLE handle;
	UINT64 size;
};

/* The volume that the loader was loaded from. */
EFI_STATUS volume_open(struct volume *ret);
void volume_close(struct volume *v);

/* path as text_path makes it. EFI_NOT_FOUND where it is a folder. */
EFI_STATUS file_open(const struct volume *v, const ucs2_t *path, struct file *ret);
void file_close(struct file *f);

/* Exactly size bytes from the start; EFI_END_OF_FILE where the file gives fewer. */
EFI_STATUS file_read(struct file *f, void *to, UINTN size);

/* The whole file, no larger than max (EFI_BAD_BUFFER_SIZE beyond, and for an empty one), into pages; see pages_free. */
struct pages {
	EFI_PHYSICAL_ADDRESS address;
	UINTN count;		/* pages of 4 KiB; 0: none */
	UINTN size;		/* bytes used */
};
EFI_STATUS file_load(struct file *f, UINTN max, struct pages *ret);
void pages_free(struct pages *p);

/* The device path of a file on the volume, for LoadImage; firmware_free it. NULL when memory is out or the volume has none. */
EFI_DEVICE_PATH *volume_file_path(const struct volume *v, const ucs2_t *path);

#endif
