/* SPDX-License-Identifier: MIT */
/*
 * One file for mke2fs, e2fsck and resize2fs: calls the main function of the program whose name it was started by, with the
 * file system's type in it where e2fsprogs wants that (mkfs.ext4, fsck.ext4).
 * Knows the three names; must not know what the programs do.
 */
#include <stdio.h>
#include <string.h>

int mke2fs_main(int argc, char **argv);
int e2fsck_main(int argc, char **argv);
int resize2fs_main(int argc, char **argv);

static const struct tool {
	const char *name;
	int (*main)(int argc, char **argv);
} tools[] = {
	{ "mke2fs", mke2fs_main },
	{ "mkfs.ext4", mke2fs_main },
	{ "e2fsck", e2fsck_main },
	{ "fsck.ext4", e2fsck_main },
	{ "resize2fs", resize2fs_main },
};

static const struct tool *tool_find(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;

	for (size_t i = 0; i < sizeof(tools) / sizeof(tools[0]); i++)
		if (strcmp(tools[i].name, name) == 0)
			return &tools[i];
	return NULL;
}

int main(int argc, char **argv)
{
	const struct tool *tool = argc > 0 ? tool_find(argv[0]) : NULL;

	if (!tool && argc > 1) {
		/* e2fsprogs NAME ARGUMENT... */
		argc--;
		argv++;
		tool = tool_find(argv[0]);
	}
	if (!tool) {
		fprintf(stderr, "usage: e2fsprogs mke2fs|e2fsck|resize2fs ARGUMENT..., or call it by one of these names\n");
		return 64;
	}
	return tool->main(argc, argv);
}
