/* SPDX-License-Identifier: MIT */
/*
 * An existing image, taken apart: partition table, ESP, boot configuration, kernels and initrds. Gathers facts and findings; inspect prints the
 * facts, verify the findings.
 */
#ifndef SPORE_MKIMAGE_EXAMINE_H
#define SPORE_MKIMAGE_EXAMINE_H

#include "mkimage/arch.h"
#include "mkimage/executable.h"
#include "mkimage/image.h"
#include "mkimage/initrd.h"
#include "mkimage/problem.h"
#include "common/boot_conf.h"

#define EXAMINE_MAX_FINDINGS 200

/* What is wrong: errors keep a machine from booting or lose data, warnings do not. */
struct finding {
	bool error;
	char *text;
};

/* A kernel or an initrd that an entry names; each path once. */
struct boot_file {
	char path[BOOT_CONF_MAX_PATH + 1];	/* with its leading '/' */
	bool is_kernel;
	bool readable;			/* the rest is filled */
	uint64_t size;
	struct kernel_info kernel;
	struct initrd_content initrd;
};

struct examination {
	struct image_file file;
	struct gpt gpt;
	enum gpt_state gpt_state;
	int esp;			/* index of its partition, -1: none */
	bool fat_good, listing_good, conf_good;
	struct fat fat;
	struct fat_listing listing;
	char *conf_text;
	size_t conf_size;
	struct boot_conf conf;
	struct boot_file files[2 * BOOT_CONF_MAX_ENTRIES];
	size_t file_count;
	struct finding findings[EXAMINE_MAX_FINDINGS];
	size_t finding_count, errors, warnings;
};

/* Opens and looks at everything. Fails only where the file cannot be read (*p says why); what is wrong in it is a finding. */
errint_t examine(const char *path, struct examination *ret, struct problem *p);
void examination_done(struct examination *x);

#endif
