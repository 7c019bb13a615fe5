/* SPDX-License-Identifier: MIT */
/* What is published; see source.h. */
#include "fetchfs/publish/source.h"
#include "fetchfs/publish/scan.h"

#include <fcntl.h>

errint_t source_read(const char *path, int repository, struct tree *tree, struct ingest *ingest, struct trouble *t)
{
	_cleanup_close_ int fd = -1;
	struct stat st;

	if (strcmp(path, "-") == 0) {
		if (isatty(STDIN_FILENO))
			return trouble_set(t, -EINVAL, EXIT_USAGE, "standard input is a terminal; pipe a tar into it");
		return tar_read(STDIN_FILENO, "standard input", tree, ingest, t);
	}
	if (stat(path, &st) < 0)
		return trouble_errno(t, -errno, "cannot open the source %s", path);
	if (S_ISDIR(st.st_mode))
		return scan_directory(path, repository, tree, ingest, t);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return trouble_errno(t, -errno, "cannot open the source %s", path);
	return tar_read(fd, path, tree, ingest, t);
}
