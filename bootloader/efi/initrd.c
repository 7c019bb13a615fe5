/* SPDX-License-Identifier: MIT */
/* See initrd.h. */
#include "bootloader/efi/console.h"
#include "bootloader/efi/initrd.h"

/* Not in the headers of every gnu-efi. */
#define LOAD_FILE2_GUID { 0x4006c0c1, 0xfcb3, 0x403e, { 0x99, 0x6d, 0x4a, 0x6c, 0x87, 0x24, 0xe0, 0x6d } }
#define LINUX_INITRD_GUID { 0x5568e427, 0x68fc, 0x4f3d, { 0xac, 0x74, 0xca, 0x55, 0x52, 0x31, 0xcc, 0x68 } }

struct load_file2 {
	EFI_STATUS (EFIAPI *load)(struct load_file2 *self, EFI_DEVICE_PATH *path, BOOLEAN boot_policy, UINTN *size, VOID *buffer);
	struct file *file;	/* ours, behind what the specification says */
};

static struct {
	VENDOR_DEVICE_PATH vendor;
	EFI_DEVICE_PATH end;
} __attribute__((packed)) initrd_path = {
	.vendor = {
		.Header = { .Type = MEDIA_DEVICE_PATH, .SubType = MEDIA_VENDOR_DP, .Length = { sizeof(VENDOR_DEVICE_PATH), 0 } },
		.Guid = LINUX_INITRD_GUID,
	},
	.end = { .Type = 0x7f, .SubType = 0xff, .Length = { sizeof(EFI_DEVICE_PATH), 0 } },
};

static EFI_STATUS EFIAPI load_initrd(struct load_file2 *self, EFI_DEVICE_PATH *path, BOOLEAN boot_policy, UINTN *size, VOID *buffer)
{
	EFI_STATUS status;

	(void)path;
	if (!self || !size || !self->file)
		return EFI_INVALID_PARAMETER;
	if (boot_policy)
		return EFI_UNSUPPORTED;
	if (!buffer || *size < self->file->size) {
		*size = (UINTN)self->file->size;
		return EFI_BUFFER_TOO_SMALL;
	}
	status = file_read(self->file, buffer, (UINTN)self->file->size);
	if (EFI_ERROR(status)) {
		console_print("Spore loader: reading the initrd failed: %s\n", firmware_why(status));
		return status;
	}
	*size = (UINTN)self->file->size;
	return EFI_SUCCESS;
}

static struct load_file2 protocol = { .load = load_initrd };
static EFI_HANDLE handle;

EFI_STATUS initrd_offer(struct file *f)
{
	EFI_GUID path_guid = DEVICE_PATH_PROTOCOL, load_guid = LOAD_FILE2_GUID;
	EFI_DEVICE_PATH *rest = &initrd_path.vendor.Header;
	EFI_HANDLE other = NULL;
	EFI_STATUS status;

	if (f->size == 0 || f->size > 0xffffffffu)
		return EFI_BAD_BUFFER_SIZE;
	if (!EFI_ERROR(firmware.boot->LocateDevicePath(&load_guid, &rest, &other)))
		return EFI_ALREADY_STARTED;
	protocol.file = f;
	handle = NULL;
	status = firmware.boot->InstallProtocolInterface(&handle, &path_guid, EFI_NATIVE_INTERFACE, &initrd_path);
	if (EFI_ERROR(status))
		return status;
	status = firmware.boot->InstallProtocolInterface(&handle, &load_guid, EFI_NATIVE_INTERFACE, &protocol);
	if (EFI_ERROR(status))
		initrd_withdraw();
	return status;
}

void initrd_withdraw(void)
{
	EFI_GUID path_guid = DEVICE_PATH_PROTOCOL, load_guid = LOAD_FILE2_GUID;

	if (handle) {
		firmware.boot->UninstallProtocolInterface(handle, &load_guid, &protocol);
		firmware.boot->UninstallProtocolInterface(handle, &path_guid, &initrd_path);
	}
	handle = NULL;
	protocol.file = NULL;
}
