/* SPDX-License-Identifier: MIT */
/*
 * What goes onto the ESP: gathers kernel, initrd, loader and keys as a definition names them, checks each, and fills a tree (docs/format-image.md,
 * "Files"). Knows what the files mean; must not know how volumes are laid out.
 */
#ifndef SPORE_MKIMAGE_CONTENT_H
#define SPORE_MKIMAGE_CONTENT_H

#include "mkimage/arch.h"
#include "mkimage/definition.h"
#include "mkimage/executable.h"
#include "mkimage/payload.h"

struct content_request {
	const struct definition *definition;
	const struct arch *arch;
	const char *build_dir;
	int64_t time;
};

/* Sizes in bytes, for the summary. */
struct content_sizes {
	uint64_t kernel, initrd, initrd_unpacked, loader;
	size_t keys;
	char kernel_version[128];
};

errint_t content_gather(const struct content_request *q, struct payload *t, struct content_sizes *ret, struct problem *p);

#endif
