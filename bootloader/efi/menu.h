/* SPDX-License-Identifier: MIT */
/*
 * The menu: lists the entries of boot.conf, counts down, lets the command line be edited. Starts nothing itself.
 */
#ifndef SPORE_BOOTLOADER_MENU_H
#define SPORE_BOOTLOADER_MENU_H

#include "bootloader/efi/text.h"
#include "common/boot_conf.h"

enum menu_result {
	MENU_START,	/* start *ret_entry; *ret_edited says whether options holds an edited command line */
	MENU_LEAVE,	/* back to the firmware */
};

/*
 * text is what conf was parsed from. timeout: seconds after which the default starts by itself (0: opened by a key; a menu that nobody
 * touches for two minutes starts the default too, so that noise on a serial line cannot hold a machine). may_edit: false under Secure Boot.
 */
enum menu_result menu_show(const char *text, const struct boot_conf *conf, uint32_t timeout, bool may_edit,
	uint32_t *ret_entry, ucs2_t *options, size_t options_capacity, bool *ret_edited);

#endif
