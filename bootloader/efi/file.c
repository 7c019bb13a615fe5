/* SPDX-License-Identifier: MIT */
/* See file.h. */
#include "bootloader/efi/file.h"

/* Some firmware fails on one read of many megabytes. */
#define READ_PIECE ((UINTN)1024 * 1024)
/* EFI_FILE_INFO with a name of 255 units. */
#define INFO_MAX 1024
#define DEVICE_PATH_MAX 4096

EFI_STATUS volume_open(struct volume *ret)
{
	EFI_GUID image_guid = LOADED_IMAGE_PROTOCOL, volume_guid = SIMPLE_FILE_SYSTEM_PROTOCOL, path_guid = DEVICE_PATH_PROTOCOL;
	EFI_LOADED_IMAGE *image = NULL;
	EFI_FILE_IO_INTERFACE *interface = NULL;
	EFI_STATUS status;

	*ret = (struct volume){ 0 };
	status = firmware.boot->HandleProtocol(firmware.image, &image_guid, (VOID **)&image);
	if (EFI_ERROR(status))
		return status;
	if (!image->DeviceHandle)
		return EFI_NOT_FOUND;
	status = firmware.boot->HandleProtocol(image->DeviceHandle, &volume_guid, (VOID **)&interface);
	if (EFI_ERROR(status))
		return status;
	if (EFI_ERROR(firmware.boot->HandleProtocol(image->DeviceHandle, &path_guid, (VOID **)&ret->path)))
		ret->path = NULL;
	ret->device = image->DeviceHandle;
	return interface->OpenVolume(interface, &ret->root);
}

void volume_close(struct volume *v)
{
	if (v->root)
		v->root->Close(v->root);
	v->root = NULL;
}

EFI_STATUS file_open(const struct volume *v, const ucs2_t *path, struct file *ret)
{
	EFI_GUID info_guid = EFI_FILE_INFO_ID;
	UINT64 storage[INFO_MAX / sizeof(UINT64)];
	const EFI_FILE_INFO *info = (const EFI_FILE_INFO *)storage;
	UINTN size = sizeof(storage);
	EFI_STATUS status;

	*ret = (struct file){ 0 };
	status = v->root->Open(v->root, &ret->handle, (CHAR16 *)path, EFI_FILE_MODE_READ, 0);
	if (EFI_ERROR(status)) {
		ret->handle = NULL;
		return status;
	}
	status = ret->handle->GetInfo(ret->handle, &info_guid, &size, storage);
	if (!EFI_ERROR(status) && (info->Attribute & EFI_FILE_DIRECTORY))
		status = EFI_NOT_FOUND;
	if (EFI_ERROR(status)) {
		file_close(ret);
		return status;
	}
	ret->size = info->FileSize;
	return EFI_SUCCESS;
}

void file_close(struct file *f)
{
	if (f->handle)
		f->handle->Close(f->handle);
	f->handle = NULL;
}

EFI_STATUS file_read(struct file *f, void *to, UINTN size)
{
	UINT8 *at = to;
	EFI_STATUS status = f->handle->SetPosition(f->handle, 0);

	while (!EFI_ERROR(status) && size > 0) {
		UINTN piece = size < READ_PIECE ? size : READ_PIECE;

		status = f->handle->Read(f->handle, &piece, at);
		if (!EFI_ERROR(status) && piece == 0)
			status = EFI_END_OF_FILE;
		if (EFI_ERROR(status))
			break;
		if (piece > size)
			return EFI_DEVICE_ERROR;
		at += piece;
		size -= piece;
	}
	return status;
}

EFI_STATUS file_load(struct file *f, UINTN max, struct pages *ret)
{
	EFI_STATUS status;

	*ret = (struct pages){ 0 };
	if (f->size == 0 || f->size > max)
		return EFI_BAD_BUFFER_SIZE;
	ret->size = (UINTN)f->size;
	ret->count = (ret->size + EFI_PAGE_SIZE - 1) / EFI_PAGE_SIZE;
	status = firmware.boot->AllocatePages(AllocateAnyPages, EfiLoaderData, ret->count, &ret->address);
	if (EFI_ERROR(status)) {
		ret->count = 0;
		return EFI_OUT_OF_RESOURCES;
	}
	status = file_read(f, (void *)(UINTN)ret->address, ret->size);
	if (EFI_ERROR(status))
		pages_free(ret);
	return status;
}

void pages_free(struct pages *p)
{
	if (p->count > 0)
		firmware.boot->FreePages(p->address, p->count);
	p->count = 0;
}

/* Bytes before the end node; 0 where the path has no end within bounds. */
static UINTN path_length(const EFI_DEVICE_PATH *path)
{
	const UINT8 *b = (const UINT8 *)path;
	UINTN at = 0;

	while (at < DEVICE_PATH_MAX) {
		UINTN length = (UINTN)b[at + 2] | (UINTN)b[at + 3] << 8;

		if (b[at] == 0x7f && b[at + 1] == 0xff)
			return at;
		if (length < 4)
			return 0;
		at += length;
	}
	return 0;
}

EFI_DEVICE_PATH *volume_file_path(const struct volume *v, const ucs2_t *path)
{
	static const UINT8 end[4] = { 0x7f, 0xff, 4, 0 };
	UINTN before, units = 0, node;
	UINT8 *b;

	if (!v->path)
		return NULL;
	before = path_length(v->path);
	while (path[units])
		units++;
	node = 4 + (units + 1) * sizeof(path[0]);
	b = before > 0 && node <= 0xffff ? firmware_allocate(before + node + sizeof(end)) : NULL;
	if (!b)
		return NULL;
	firmware.boot->CopyMem(b, v->path, before);
	b[before] = MEDIA_DEVICE_PATH;
	b[before + 1] = MEDIA_FILEPATH_DP;
	b[before + 2] = (UINT8)node;
	b[before + 3] = (UINT8)(node >> 8);
	firmware.boot->CopyMem(b + before + 4, (VOID *)path, (units + 1) * sizeof(path[0]));
	firmware.boot->CopyMem(b + before + node, (VOID *)end, sizeof(end));
	return (EFI_DEVICE_PATH *)b;
}
