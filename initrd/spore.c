/* SPDX-License-Identifier: MIT */
/*
 * The guest's one program: fetchfs, contextualize and scratch under the name it was started by ("@fetchfs" is fetchfs; systemd leaves processes alone
 * whose first argument begins with '@'), or by its first argument: spore NAME ARGUMENT...
 * Knows the names; must not know what they do.
 */
#include "common/base.h"
#include "contextualize/contextualize.h"
#include "fetchfs/fetchfs.h"
#include "initrd/scratch/scratch.h"

static const struct part {
	const char *name;
	int (*main)(int argc, char **argv);
} parts[] = {
	{ "fetchfs", fetchfs_main },
	{ "mount.fetchfs", fetchfs_main },
	{ "contextualize", contextualize_main },
	{ "scratch", scratch_main },
};

static const struct part *part_find(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;

	if (*name == '@')
		name++;
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		if (strcmp(parts[i].name, name) == 0)
			return &parts[i];
	return NULL;
}

int main(int argc, char **argv)
{
	const struct part *part = argc > 0 ? part_find(argv[0]) : NULL;

	if (!part && argc > 1) {
		argc--;
		argv++;
		part = part_find(argv[0]);
	}
	if (!part) {
		fprintf(stderr, "usage: spore fetchfs|contextualize|scratch ARGUMENT..., or call it by one of these names\n");
		return 64;
	}
	return part->main(argc, argv);
}
