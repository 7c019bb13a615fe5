/* SPDX-License-Identifier: MIT */
/*
 * What goes into an initrd: a list of directories, files, links and device nodes, read from a recipe (docs/format-recipe.md) and added to by the
 * program. Knows names, modes and sources; must not know how archives look.
 */
#ifndef SPORE_MKIMAGE_RECIPE_H
#define SPORE_MKIMAGE_RECIPE_H

#include "mkimage/problem.h"

#define RECIPE_MAX_SIZE (256 * 1024)
#define RECIPE_MAX_ENTRIES 4096
#define RECIPE_MAX_FILE (256 * MIB)

enum recipe_kind { RECIPE_DIR, RECIPE_FILE, RECIPE_LINK, RECIPE_CHAR, RECIPE_BLOCK };

struct recipe_entry {
	enum recipe_kind kind;
	char *path;		/* "etc/spore/image.conf": no leading '/' */
	uint32_t mode;		/* permissions only */
	char *target;		/* of a link */
	char *data;		/* of a file */
	size_t size;
	uint32_t major, minor;	/* of a device node */
	unsigned int line;	/* in the recipe; 0: added by the program */
};

struct recipe {
	struct recipe_entry *entries;
	size_t count;
};

/* Values for the placeholders in SOURCE. */
struct recipe_places {
	const char *guest;	/* @GUEST@ */
	const char *initrd;	/* @INITRD@ */
	const char *arch;	/* @ARCH@ */
};

/* Reads the recipe and the files that it names. */
errint_t recipe_read(struct recipe *r, const char *path, const struct recipe_places *places, struct problem *p);
/* A file with the given content (copied). */
errint_t recipe_add_file(struct recipe *r, const char *path, uint32_t mode, const void *data, size_t size, struct problem *p);
/* Sorts by path, adds the directories that are missing above entries (mode 0755), and refuses what is there twice. */
errint_t recipe_finish(struct recipe *r, const char *name, struct problem *p);
void recipe_done(struct recipe *r);

#endif
