/* SPDX-License-Identifier: MIT */
/*
 * What every firmware-facing file of the loader shares: the EFI tables, and names for what goes wrong. gnu-efi gives headers, start-up code and
 * relocation; its library is not linked. Must not hold anything that could be tested without a firmware.
 */
#ifndef SPORE_BOOTLOADER_FIRMWARE_H
#define SPORE_BOOTLOADER_FIRMWARE_H

#include <efi.h>

#include "bootloader/efi/text.h"

/* The architecture's name as in spore/<arch>/, and for people; the consoles of the built-in entry, with a blank behind. */
#if defined(__x86_64__)
#define ARCH_FOLDER "x86_64"
#define ARCH_TITLE "x86-64"
#define ARCH_CONSOLES "console=tty0 console=ttyS0,115200 "
#elif defined(__i386__)
#define ARCH_FOLDER "i686"
#define ARCH_TITLE "32-bit x86"
#define ARCH_CONSOLES "console=tty0 console=ttyS0,115200 "
#elif defined(__aarch64__)
#define ARCH_FOLDER "aarch64"
#define ARCH_TITLE "AArch64"
#define ARCH_CONSOLES ""	/* the device tree or the SPCR table names it */
#else
#error "this architecture has no name in bootloader/efi/firmware.h"
#endif

struct firmware {
	EFI_HANDLE image;		/* the loader itself */
	EFI_SYSTEM_TABLE *system;
	EFI_BOOT_SERVICES *boot;
};
extern struct firmware firmware;

/* Boot-time memory; NULL when it is out. Not cleared. */
void *firmware_allocate(UINTN size);
void firmware_free(void *p);

/* "not found", "access denied (Secure Boot)", …: why a firmware call failed. Never NULL. */
const char *firmware_why(EFI_STATUS status);

/* Secure Boot is enforced: on, and not in setup mode. */
bool firmware_secure_boot(void);

/* Stops the firmware's watchdog (0), or sets it to so many seconds. */
void firmware_watchdog(UINTN seconds);

#endif
