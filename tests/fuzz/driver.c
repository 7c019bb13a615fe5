/* SPDX-License-Identifier: MIT */
/*
 * Runs a fuzz target without a fuzzing engine: every file of its corpus, then a fixed number of mutations of them from a fixed seed,
 * so that each run does the same. Built with ASan and UBSan, which make a fault visible. With libFuzzer the same targets are driven
 * by 'make fuzz'.
 *
 * usage: TARGET CORPUS-DIRECTORY [MUTATIONS]
 */
#include "common/io.h"

#include <dirent.h>
#include <time.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_INPUT_SIZE ((size_t)(4 * MIB))
#define MAX_FILES 4096
#define DEFAULT_MUTATIONS 20000
#define MAX_SECONDS 20	/* ends a run on a slow machine; what was left out is said */

struct input {
	char *data;
	size_t size;
};

static struct input inputs[MAX_FILES];
static size_t input_count;
static uint64_t seed = 0x9e3779b97f4a7c15;

static uint64_t random_next(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* In the order of the names, so that the mutations are the same everywhere. */
static void load_corpus(const char *path)
{
	struct dirent **names;
	int n = scandir(path, &names, NULL, alphasort);

	for (int i = 0; i < n; i++) {
		_cleanup_free_ char *file = io_format("%s/%s", path, names[i]->d_name);
		struct input *in = &inputs[input_count];
		if (names[i]->d_name[0] != '.' && input_count < MAX_FILES && io_read_file(file, MAX_INPUT_SIZE, &in->data, &in->size) == 0)
			input_count++;
		free(names[i]);
	}
	if (n >= 0)
		free(names);
	inputs[input_count++] = (struct input){ strdup(""), 0 };
}

static void mutate_once(uint8_t *data, size_t *size, size_t room)
{
	size_t at = *size ? random_next() % *size : 0;

	switch (random_next() % 6) {
	case 0:
		if (*size)
			data[at] ^= (uint8_t)(1u << (random_next() % 8));
		break;
	case 1:
		if (*size)
			data[at] = (uint8_t)random_next();
		break;
	case 2:
		*size = at;
		break;
	case 3:	/* a length or count at one of its extremes */
		if (*size >= 4)
			le32_put(data + random_next() % (*size - 3), (uint32_t)(random_next() % 3) - 1);
		break;
	case 4:	/* a piece again somewhere else */
		if (*size > 8) {
			size_t n = random_next() % (*size / 2), to = random_next() % (*size - n), from = random_next() % (*size - n);
			memmove(data + to, data + from, n);
		}
		break;
	default:
		if (*size < room) {
			memmove(data + at + 1, data + at, *size - at);
			data[at] = (uint8_t)random_next();
			(*size)++;
		}
	}
}

static void run_mutation(void)
{
	const struct input *in = &inputs[random_next() % input_count];
	size_t room = in->size + 64, size = in->size;
	/* Exactly as large as the input, so that a read beyond it is seen. */
	uint8_t *data = malloc(room);

	if (!data)
		abort();
	memcpy(data, in->data, size);
	for (uint64_t n = 1 + random_next() % 4; n > 0; n--)
		mutate_once(data, &size, room);
	uint8_t *exact = malloc(size ? size : 1);
	if (!exact)
		abort();
	memcpy(exact, data, size);
	LLVMFuzzerTestOneInput(exact, size);
	free(exact);
	free(data);
}

int main(int argc, char **argv)
{
	size_t mutations = argc > 2 ? strtoul(argv[2], NULL, 10) : DEFAULT_MUTATIONS, done = 0;
	time_t end = time(NULL) + MAX_SECONDS;

	if (argc < 2) {
		fprintf(stderr, "usage: %s CORPUS-DIRECTORY [MUTATIONS]\n", argv[0]);
		return 64;
	}
	load_corpus(argv[1]);
	for (size_t i = 0; i < input_count; i++)
		LLVMFuzzerTestOneInput((const uint8_t *)inputs[i].data, inputs[i].size);
	while (done < mutations && (done % 64 || time(NULL) < end)) {
		run_mutation();
		done++;
	}
	printf("%zu inputs of the corpus and %zu of %zu mutations\n", input_count, done, mutations);
	for (size_t i = 0; i < input_count; i++)
		free(inputs[i].data);
	return 0;
}
