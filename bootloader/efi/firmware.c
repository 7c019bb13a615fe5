/* SPDX-License-Identifier: MIT */
/* See firmware.h. */
#include "bootloader/efi/firmware.h"

struct firmware firmware;

void *firmware_allocate(UINTN size)
{
	VOID *p = NULL;

	if (EFI_ERROR(firmware.boot->AllocatePool(EfiLoaderData, size, &p)))
		return NULL;
	return p;
}

void firmware_free(void *p)
{
	if (p)
		firmware.boot->FreePool(p);
}

const char *firmware_why(EFI_STATUS status)
{
	static const struct {
		EFI_STATUS status;
		const char *text;
	} names[] = {
		{ EFI_LOAD_ERROR, "it could not be loaded: the file is damaged or no EFI program" },
		{ EFI_INVALID_PARAMETER, "the firmware finds a parameter invalid" },
		{ EFI_UNSUPPORTED, "it is not supported here: made for another kind of machine, or damaged" },
		{ EFI_BAD_BUFFER_SIZE, "its size is wrong" },
		{ EFI_BUFFER_TOO_SMALL, "a buffer is too small" },
		{ EFI_NOT_READY, "the device is not ready" },
		{ EFI_DEVICE_ERROR, "the device reports an error" },
		{ EFI_OUT_OF_RESOURCES, "out of memory" },
		{ EFI_VOLUME_CORRUPTED, "the file system is corrupt" },
		{ EFI_NO_MEDIA, "there is no medium in the device" },
		{ EFI_MEDIA_CHANGED, "the medium was changed" },
		{ EFI_NOT_FOUND, "it is not there" },
		{ EFI_ACCESS_DENIED, "access denied" },
		{ EFI_TIMEOUT, "time-out" },
		{ EFI_ALREADY_STARTED, "it was started already" },
		{ EFI_ABORTED, "aborted" },
		{ EFI_SECURITY_VIOLATION, "security violation" },
		{ EFI_END_OF_FILE, "the file ends too early" },
		{ EFI_COMPROMISED_DATA, "its data were altered" },
	};

	for (UINTN i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].status == status)
			return names[i].text;
	return "the firmware gives no known reason";
}

static UINT8 variable_byte(const char *name, UINT8 missing)
{
	EFI_GUID global = EFI_GLOBAL_VARIABLE;
	ucs2_t wide[32];
	UINT8 value = missing;
	UINTN size = sizeof(value);

	text_to_ucs2(name, text_length(name), wide, 32, NULL);
	if (EFI_ERROR(firmware.system->RuntimeServices->GetVariable((CHAR16 *)wide, &global, NULL, &size, &value)) || size != 1)
		return missing;
	return value;
}

bool firmware_secure_boot(void)
{
	return variable_byte("SecureBoot", 0) == 1 && variable_byte("SetupMode", 0) == 0;
}

void firmware_watchdog(UINTN seconds)
{
	/* Code: any above 0xffff is a program's own. */
	firmware.boot->SetWatchdogTimer(seconds, 0x10000, 0, NULL);
}
