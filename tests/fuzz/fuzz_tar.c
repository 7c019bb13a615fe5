/* SPDX-License-Identifier: MIT */
/* Tars as a source: names, links, maps of holes and attributes of whatever the archive library takes, up to the catalogs that come of it. */
#include "fetchfs/publish/build.h"
#include "fetchfs/publish/source.h"
#include "common/io.h"

#include <fcntl.h>
#include <sys/mman.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void publish(int fd)
{
	struct tree tree;
	struct arena stored = { .max = SIZE_MAX };
	struct trouble trouble = { 0 };
	struct ingest_options o = { .source = "", .arena = &stored, .jobs = 0, .level = 1, .trouble = &trouble };
	struct build_options b = { .tree = &tree, .trouble = &trouble };
	struct build_result result;
	struct ingest *ingest;

	if (ingest_new(&o, &ingest) < 0)
		return;
	tree_init(&tree);
	b.ingest = ingest;
	if (tar_read(fd, "tar", &tree, ingest, &trouble) == 0 && ingest_finish(ingest) == 0)
		build_catalogs(&b, &result);
	ingest_free(ingest);
	tree_done(&tree);
	arena_done(&stored);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd;

	/* Sizes in a header may be anything: what an archive claims in holes is not to cost time. */
	if (size > 64 * 1024 || (fd = memfd_create("tar", MFD_CLOEXEC)) < 0)
		return 0;
	if (io_write_full(fd, data, size) == 0 && lseek(fd, 0, SEEK_SET) == 0)
		publish(fd);
	close(fd);
	return 0;
}
