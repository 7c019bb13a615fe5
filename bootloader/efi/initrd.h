/* SPDX-License-Identifier: MIT */
/*
 * Hands the initrd to the kernel's EFI stub: a LoadFile2 protocol on the vendor media device path that Linux looks for
 * (drivers/firmware/efi/libstub, LINUX_EFI_INITRD_MEDIA_GUID; Linux 5.8 and later). The kernel says where it wants the bytes, and they are read
 * straight to there. Knows nothing of the kernel's image.
 */
#ifndef SPORE_BOOTLOADER_INITRD_H
#define SPORE_BOOTLOADER_INITRD_H

#include "bootloader/efi/file.h"

/* One at a time. f must stay open until initrd_withdraw. EFI_ALREADY_STARTED where another loader offers one. */
EFI_STATUS initrd_offer(struct file *f);
void initrd_withdraw(void);

#endif
