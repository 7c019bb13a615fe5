/* SPDX-License-Identifier: MIT */
/* mkimage build: from a definition to an image file, which appears under its name only when it is complete. */
#include "mkimage/content.h"
#include "mkimage/image.h"
#include "mkimage/verbs.h"
#include "common/io.h"

#include <jansson.h>
#include <signal.h>

/* 2020-01-01 00:00:00 UTC: stands in all timestamps where SOURCE_DATE_EPOCH says nothing else, so that images can be made again. */
#define FIXED_DATE 1577836800
#define MAX_SETTINGS 64

enum { ID_SET = 1000, ID_BUILD_DIR, ID_DRY_RUN, ID_JSON };

struct build {
	const char *arch, *definition, *output, *format, *build_dir;
	const char *settings[MAX_SETTINGS];
	size_t setting_count;
	bool dry_run, json;
};

static struct build build = { .format = "raw", .build_dir = "build" };

const struct option_spec build_options[] = {
	{ 'a', "arch", "ARCH", "architecture of the image (x86_64)", 0 },
	{ 'd', "definition", "FILE", "image definition (default: images/default.conf)", 0 },
	{ 0, "set", "KEY=VALUE", "set a key of the definition; may be given several times", ID_SET },
	{ 'o', "output", "FILE", "image to write (default: BUILD-DIR/images/NAME-ARCH.img)", 0 },
	{ 'f', "format", "FORMAT", "raw (default)", 0 },
	{ 0, "build-dir", "DIR", "where kernel, loader and guest programs are (default: build)", ID_BUILD_DIR },
	{ 0, "dry-run", NULL, "check and measure everything, write nothing", ID_DRY_RUN },
	{ 0, "json", NULL, "print the summary as JSON", ID_JSON },
	{ 'q', "quiet", NULL, "print nothing but errors", 0 },
	{ 0 }
};

int build_on_option(void *context, int id, const char *value)
{
	(void)context;
	switch (id) {
	case 'a': build.arch = value; break;
	case 'd': build.definition = value; break;
	case 'o': build.output = value; break;
	case 'f': build.format = value; break;
	case 'q': message_set_quiet(true); break;
	case ID_BUILD_DIR: build.build_dir = value; break;
	case ID_DRY_RUN: build.dry_run = true; break;
	case ID_JSON: build.json = true; break;
	case ID_SET:
		if (build.setting_count == MAX_SETTINGS) {
			message_error("more than %d times --set", MAX_SETTINGS);
			return EXIT_USAGE;
		}
		build.settings[build.setting_count++] = value;
		break;
	}
	return 0;
}

/* All that one build holds. */
struct job {
	const struct arch *arch;
	const struct image_format *format;
	struct definition definition;
	struct payload payload;
	struct disk disk;
	struct image_layout layout;
	struct content_sizes sizes;
	char *output;
	int64_t time;
	struct problem problem;
};

static void job_done(struct job *j)
{
	disk_done(&j->disk);
	payload_done(&j->payload);
	definition_done(&j->definition);
	free(j->output);
}

static errint_t choose_time(struct job *j)
{
	j->time = FIXED_DATE;
	if (!getenv("SOURCE_DATE_EPOCH"))
		return 0;
	if (source_date(&j->time) < 0 || j->time > UINT32_MAX)
		return problem_set(&j->problem, -EINVAL, EXIT_USAGE, "SOURCE_DATE_EPOCH=%.64s is no number of seconds from 0 to 4294967295",
				   getenv("SOURCE_DATE_EPOCH"));
	return 0;
}

static errint_t choose_tables(struct job *j)
{
	char known[256];

	arch_list(known, sizeof(known));
	if (!build.arch)
		return problem_set(&j->problem, -EINVAL, EXIT_USAGE, "no architecture: give one with -a; known: %s", known);
	j->arch = arch_find(build.arch);
	if (!j->arch)
		return problem_set(&j->problem, -EINVAL, EXIT_USAGE, "the architecture '%.64s' is not known; known: %s", build.arch, known);
	j->format = format_find(build.format);
	format_list(known, sizeof(known));
	if (!j->format)
		return problem_set(&j->problem, -EINVAL, EXIT_USAGE, "the format '%.64s' is not known; known: %s", build.format, known);
	return 0;
}

static errint_t read_definition(struct job *j)
{
	struct definition *d = &j->definition;
	errint_t r = definition_read(d, build.definition ? build.definition : "images/default.conf", &j->problem);

	for (size_t i = 0; r == 0 && i < build.setting_count; i++)
		r = definition_set(d, build.settings[i], &j->problem);
	return r < 0 ? r : definition_finish(d, &j->problem);
}

static errint_t choose_output(struct job *j)
{
	j->output = build.output ? strdup(build.output)
				 : io_format("%s/images/%s-%s%s", build.build_dir, j->definition.values[DEF_NAME], j->arch->name, j->format->suffix);
	return j->output ? 0 : problem_set(&j->problem, -ENOMEM, EXIT_SOFTWARE, "out of memory");
}

static errint_t assemble(struct job *j)
{
	struct image_options o = { .time = j->time };
	const char *bad;

	if (strcmp(j->definition.values[DEF_FAT], "auto") != 0)
		o.fat = (enum fat_type)atoi(j->definition.values[DEF_FAT]);
	errint_t r = parse_size(j->definition.values[DEF_ESP_FREE], &o.free_bytes);
	if (r == 0)
		r = image_assemble(&j->payload, &o, &j->disk, &j->layout, &bad);
	if (r == -EFBIG)
		return problem_set(&j->problem, r, EXIT_DATA, "/%s is too large for FAT: a file has less than 4 GiB", bad);
	if (r == -EINVAL && bad)
		return problem_set(&j->problem, r, EXIT_CONFIG, "/%s is no name that FAT can hold", bad);
	if (r == -ENOSPC)
		return problem_set(&j->problem, r, EXIT_DATA, "the files do not fit on FAT%s: set 'fat = auto', or a smaller esp_free",
				   o.fat ? j->definition.values[DEF_FAT] : "32");
	return r < 0 ? problem_set(&j->problem, r, EXIT_SOFTWARE, "cannot lay the image out: %s", problem_reason(r)) : 0;
}

static errint_t make_directory(struct job *j)
{
	char *slash = strrchr(j->output, '/');

	/* The default place is made; a directory that was asked for must be there. */
	if (build.output || !slash)
		return 0;
	*slash = '\0';
	errint_t r = io_mkdir_p(j->output, 0777);
	if (r < 0)
		problem_set(&j->problem, r, EXIT_CANNOT_CREATE, "cannot make the directory %s: %s", j->output, problem_reason(r));
	*slash = '/';
	return r;
}

static errint_t write_output(struct job *j)
{
	_cleanup_(io_atomic_done) struct io_atomic a = IO_ATOMIC_INIT;
	errint_t r = make_directory(j);

	if (r < 0)
		return r;
	/* A write beyond a limit of file sizes shall be an error that can be told, not the end. */
	signal(SIGXFSZ, SIG_IGN);
	r = io_atomic_begin(&a, j->output, 0666);
	if (r == 0)
		r = j->format->write(&j->disk, a.fd);
	if (r == 0)
		r = io_atomic_commit(&a);
	if (r < 0)
		return problem_set(&j->problem, r, EXIT_CANNOT_CREATE, "cannot write the image %s: %s; what was there before is unchanged", j->output,
				   problem_reason(r));
	return 0;
}

static int print_json(const struct job *j)
{
	char disk_id[37];

	gpt_guid_format(&j->layout.disk_id, disk_id);
	json_t *o = json_pack("{s:s, s:s, s:s, s:I, s:s, s:b, s:s, s:{s:I, s:I, s:I, s:I}, s:{s:I, s:I, s:s, s:I}}",
			      "output", j->output, "format", j->format->name, "architecture", j->arch->name, "size", (json_int_t)j->disk.size,
			      "disk_id", disk_id, "dry_run", build.dry_run, "kernel_version", j->sizes.kernel_version,
			      "parts", "kernel", (json_int_t)j->sizes.kernel, "initrd", (json_int_t)j->sizes.initrd,
			      "initrd_unpacked", (json_int_t)j->sizes.initrd_unpacked, "loader", (json_int_t)j->sizes.loader,
			      "esp", "offset", (json_int_t)j->layout.esp_offset, "size", (json_int_t)j->layout.esp_size,
			      "type", j->layout.fat.type == FAT32 ? "FAT32" : j->layout.fat.type == FAT16 ? "FAT16" : "FAT12",
			      "cluster_size", (json_int_t)j->layout.fat.cluster_size);
	if (!o || json_dumpf(o, stdout, JSON_INDENT(2)) < 0 || putchar('\n') == EOF) {
		json_decref(o);
		return EXIT_SOFTWARE;
	}
	json_decref(o);
	return 0;
}

static int print_summary(const struct job *j)
{
	char total[16], kernel[16], initrd[16], unpacked[16], loader[16];

	if (build.json)
		return print_json(j);
	message_note("%s%s: %s (kernel %s, initrd %s, unpacked %s, loader %s)", build.dry_run ? "would write " : "", j->output,
		     format_size(j->disk.size, total), format_size(j->sizes.kernel, kernel), format_size(j->sizes.initrd, initrd),
		     format_size(j->sizes.initrd_unpacked, unpacked), format_size(j->sizes.loader, loader));
	return 0;
}

int build_run(void *context, int operands, char **operand)
{
	_cleanup_(job_done) struct job j = { .time = 0 };
	struct progress progress;
	errint_t r;

	(void)context, (void)operands, (void)operand;
	r = choose_time(&j);
	if (r == 0)
		r = choose_tables(&j);
	if (r == 0)
		r = read_definition(&j);
	if (r == 0)
		r = choose_output(&j);
	if (r == 0) {
		const struct content_request q = { .definition = &j.definition, .arch = j.arch, .build_dir = build.build_dir, .time = j.time };
		progress_begin(&progress, "building", true);
		progress_update(&progress, 0, 0, "compressing the initrd");
		r = content_gather(&q, &j.payload, &j.sizes, &j.problem);
		progress_end(&progress);
	}
	if (r == 0)
		r = assemble(&j);
	if (r == 0 && !build.dry_run)
		r = write_output(&j);
	if (r < 0) {
		message_error("%s", j.problem.exit_code ? j.problem.text : problem_reason(r));
		return j.problem.exit_code ? j.problem.exit_code : EXIT_SOFTWARE;
	}
	return print_summary(&j);
}
