/* SPDX-License-Identifier: MIT */
/*
 * See start.h. The kernel is read into memory here and handed to LoadImage together with the path it came from: what the firmware verifies and
 * measures (Secure Boot, TPM) is the very bytes that run, the file is read once, and a firmware whose own FAT reads fail on large pieces is avoided.
 */
#include "bootloader/efi/console.h"
#include "bootloader/efi/initrd.h"
#include "bootloader/efi/start.h"

#define KERNEL_MAX ((UINTN)256 * 1024 * 1024)

static void print_path(const ucs2_t *path)
{
	console_print("Spore loader: ");
	console_print_units(path, START_PATH_MAX);
}

static void explain_load(const ucs2_t *path, EFI_STATUS status)
{
	print_path(path);
	if (status == EFI_ACCESS_DENIED || status == EFI_SECURITY_VIOLATION)
		console_print(": Secure Boot refuses to run this kernel (%s).\n"
			"Sign it with a key that this firmware has enrolled, or turn Secure Boot off in the firmware's setup.\n",
			status == EFI_ACCESS_DENIED ? "its signature is missing or revoked" : "its signature is not trusted here");
	else if (status == EFI_OUT_OF_RESOURCES)
		console_print(": there is not enough memory to start the kernel. Give the machine more.\n");
	else
		console_print(": the firmware cannot load this kernel: %s.\nIt must be an EFI program (Linux with CONFIG_EFI_STUB) for " ARCH_TITLE ".\n",
			firmware_why(status));
}

static void explain_read(const ucs2_t *path, const char *what, EFI_STATUS status, UINT64 size)
{
	char text[TEXT_SIZE_MAX];

	print_path(path);
	if (status == EFI_NOT_FOUND)
		console_print(": the %s is missing on the volume that the loader came from.\n"
			"Check the path in \\spore\\boot.conf, or write the image again.\n", what);
	else if (status == EFI_OUT_OF_RESOURCES)
		console_print(": out of memory for the %s (%s). Give the machine more.\n", what, text_size(size, text));
	else if (status == EFI_BAD_BUFFER_SIZE)
		console_print(": the %s is %s.\n", what, size == 0 ? "empty" : "larger than the loader reads");
	else
		console_print(": the %s cannot be read: %s.\n", what, firmware_why(status));
}

/* Reads the kernel and gives it to the firmware. */
static EFI_STATUS load(const struct volume *v, const ucs2_t *path, EFI_HANDLE *ret_image)
{
	struct file f;
	struct pages pages = { 0 };
	EFI_DEVICE_PATH *device_path;
	EFI_STATUS status = file_open(v, path, &f);

	if (!EFI_ERROR(status))
		status = file_load(&f, KERNEL_MAX, &pages);
	if (EFI_ERROR(status)) {
		explain_read(path, "kernel", status, f.size);
		file_close(&f);
		return status;
	}
	file_close(&f);
	device_path = volume_file_path(v, path);
	*ret_image = NULL;
	status = firmware.boot->LoadImage(FALSE, firmware.image, device_path, (VOID *)(UINTN)pages.address, pages.size, ret_image);
	pages_free(&pages);
	firmware_free(device_path);
	if (EFI_ERROR(status)) {
		explain_load(path, status);
		/* On a security violation the image is there, but must not be started. */
		if (*ret_image)
			firmware.boot->UnloadImage(*ret_image);
	}
	return status;
}

static EFI_STATUS set_options(EFI_HANDLE image, ucs2_t *options)
{
	EFI_GUID guid = LOADED_IMAGE_PROTOCOL;
	EFI_LOADED_IMAGE *loaded = NULL;
	UINT32 units = 0;
	EFI_STATUS status = firmware.boot->HandleProtocol(image, &guid, (VOID **)&loaded);

	if (EFI_ERROR(status))
		return status;
	while (options[units])
		units++;
	loaded->LoadOptions = options;
	loaded->LoadOptionsSize = (units + 1) * (UINT32)sizeof(options[0]);
	return EFI_SUCCESS;
}

static EFI_STATUS run(EFI_HANDLE image, struct start *s)
{
	EFI_STATUS status = set_options(image, s->options);

	if (EFI_ERROR(status)) {
		console_print("Spore loader: the kernel's command line cannot be set: %s.\n", firmware_why(status));
		firmware.boot->UnloadImage(image);
		return status;
	}
	status = firmware.boot->StartImage(image, NULL, NULL);
	console_print("Spore loader: the kernel came back: %s. Its own messages, if any, are above.\n",
		EFI_ERROR(status) ? firmware_why(status) : "without an error");
	return EFI_ERROR(status) ? status : EFI_ABORTED;
}

static EFI_STATUS run_with_initrd(const struct volume *v, EFI_HANDLE image, struct start *s)
{
	struct file initrd;
	EFI_STATUS status;

	if (!s->initrd_path[0])
		return run(image, s);
	status = file_open(v, s->initrd_path, &initrd);
	if (!EFI_ERROR(status))
		status = initrd_offer(&initrd);
	if (EFI_ERROR(status)) {
		if (status == EFI_ALREADY_STARTED)
			console_print("Spore loader: another loader already offers an initrd to the kernel; start Spore from the firmware itself.\n");
		else
			explain_read(s->initrd_path, "initrd", status, initrd.size);
		firmware.boot->UnloadImage(image);
	} else {
		status = run(image, s);
		initrd_withdraw();
	}
	file_close(&initrd);
	return status;
}

EFI_STATUS start_kernel(const struct volume *v, struct start *s)
{
	EFI_HANDLE image = NULL;
	EFI_STATUS status = load(v, s->linux_path, &image);

	if (EFI_ERROR(status))
		return status;
	return run_with_initrd(v, image, s);
}
