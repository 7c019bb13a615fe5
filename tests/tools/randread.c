/* SPDX-License-Identifier: MIT */
/*
 * Reads a file at random: blocks of 4 KiB at places that follow from a fixed seed, by several threads, each with its own descriptor. For
 * benches: every run reads the same places. Must not know what it reads.
 *
 * usage: randread FILE [READS-OF-EACH-THREAD [THREADS]]     (4096 reads, 8 threads)
 */
#include "common/message.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>

#define BLOCK 4096
#define MAX_THREADS 64

struct reader {
	pthread_t thread;
	const char *path;
	uint64_t blocks, reads, random;
	errint_t result;
};

static void *read_blocks(void *context)
{
	struct reader *r = context;
	_cleanup_close_ int fd = open(r->path, O_RDONLY | O_CLOEXEC);
	char block[BLOCK];

	if (fd < 0)
		r->result = -errno;
	for (uint64_t i = 0; i < r->reads && r->result == 0; i++) {
		/* Xorshift. */
		r->random ^= r->random << 13;
		r->random ^= r->random >> 7;
		r->random ^= r->random << 17;
		if (pread(fd, block, BLOCK, (off_t)(r->random % r->blocks * BLOCK)) != BLOCK)
			r->result = errno ? -errno : -EIO;
	}
	return NULL;
}

int main(int argc, char **argv)
{
	static struct reader readers[MAX_THREADS];
	uint64_t reads = 4096, threads = 8;
	struct stat s;
	int code = 0;

	message_init("randread");
	if (argc < 2 || argc > 4 || (argc > 2 && parse_number(argv[2], 1, UINT32_MAX, &reads) < 0) ||
	    (argc > 3 && parse_number(argv[3], 1, MAX_THREADS, &threads) < 0)) {
		message_error("usage: randread FILE [READS-OF-EACH-THREAD [THREADS, at most %d]]", MAX_THREADS);
		return EXIT_USAGE;
	}
	if (stat(argv[1], &s) < 0 || s.st_size < BLOCK) {
		message_error("%s: %s", argv[1], errno ? strerror(errno) : "shorter than a block");
		return EXIT_NO_INPUT;
	}
	for (uint64_t i = 0; i < threads; i++) {
		readers[i] = (struct reader){ .path = argv[1], .blocks = (uint64_t)s.st_size / BLOCK, .reads = reads,
					      .random = 0x9e3779b97f4a7c15u * (i + 1) };
		if (pthread_create(&readers[i].thread, NULL, read_blocks, &readers[i]) != 0) {
			message_error("cannot start a thread");
			return EXIT_SOFTWARE;
		}
	}
	for (uint64_t i = 0; i < threads; i++) {
		pthread_join(readers[i].thread, NULL);
		if (readers[i].result < 0 && code == 0) {
			message_error("%s: %s", argv[1], strerror(-readers[i].result));
			code = EXIT_DATA;
		}
	}
	return code;
}
