/* SPDX-License-Identifier: MIT */
/*
 * The disk helper of the initrd as a program: prepare, grow, plan, probe, settle, wait. Says what it does and why; the work is done by the files beside it.
 * Results for the stages go to standard output, messages to standard error.
 */
#include "initrd/scratch/scratch.h"
#include "common/message.h"
#include "common/options.h"
#include "initrd/scratch/mount.h"
#include "initrd/scratch/probe.h"
#include "initrd/scratch/settle.h"

#include <fcntl.h>
#include <jansson.h>
#include <sys/stat.h>

struct arguments {
	const char *policy, *mount;
	uint64_t limit;
	uint64_t quiet_ms, timeout_ms;
	bool json, no_mount;
};
static struct arguments arguments = { .policy = "auto", .quiet_ms = 100, .timeout_ms = 5000 };

enum { ID_POLICY = 256, ID_SIZE, ID_MOUNT, ID_NO_MOUNT, ID_JSON, ID_QUIET, ID_TIMEOUT };

static int on_option(void *context, int id, const char *value)
{
	struct arguments *a = context;
	errint_t r = 0;

	switch (id) {
	case ID_POLICY:
		a->policy = value;
		break;
	case ID_SIZE:
		r = parse_size(value, &a->limit);
		break;
	case ID_MOUNT:
		a->mount = value;
		break;
	case ID_NO_MOUNT:
		a->no_mount = true;
		break;
	case ID_JSON:
		a->json = true;
		break;
	case ID_QUIET:
		r = parse_number(value, 1, 60000, &a->quiet_ms);
		break;
	case ID_TIMEOUT:
		r = parse_number(value, 1, 600000, &a->timeout_ms);
		break;
	}
	if (r == 0)
		return 0;
	message_error("'%s' is no number within bounds", value);
	return EXIT_USAGE;
}

static const struct option_spec option_policy = { 0, "policy", "POLICY", "auto, ram, /dev/NAME or LABEL=NAME (default: auto)", ID_POLICY };
static const struct option_spec option_size = { 0, "size", "SIZE", "take no more than this (20G; default: all there is)", ID_SIZE };

static int fail_with(const struct make_problem *problem, errint_t error)
{
	if (error == -EUCLEAN)
		message_error("%s", problem->text);
	else
		message_error("%s: %s", problem->text, strerror(-error));
	return EXIT_CANNOT_CREATE;
}

static int plan_failed(errint_t error)
{
	if (error == -EINVAL)
		message_error("'%s' is no scratch policy; known: auto, ram, /dev/NAME, LABEL=NAME", arguments.policy);
	else
		message_error("looking at the disks: %s", strerror(-error));
	return error == -EINVAL ? EXIT_CONFIG : EXIT_SOFTWARE;
}

/* Disks that one would have expected to serve, and why they do not. */
static void warn_places(const struct plan *p)
{
	for (size_t i = 0; i < p->count; i++) {
		char name[DISK_NAME_SIZE];
		plan_place_name(p, &p->places[i], name);
		if (p->places[i].verdict == PLACE_FOREIGN && p->disks.list[p->places[i].disk].unfit == NULL)
			message_note("/dev/%s %s", name, p->places[i].reason);
	}
}

static int use_ram(const struct plan *p)
{
	struct make_problem problem;
	uint64_t bytes = 0;
	char size[16];

	if (strcmp(arguments.policy, "ram") != 0) {
		warn_places(p);
		message_warning("no disk has room for scratch: RUNNING FROM RAM. Everything that is written is lost when the machine is switched off. "
				"Give the machine an empty disk, or enlarge the one with the image, by at least %llu MiB",
				(unsigned long long)(SCRATCH_MIN / MIB));
	}
	errint_t r = arguments.no_mount ? 0 : mount_ram(arguments.mount, &bytes, &problem);
	if (r < 0)
		return fail_with(&problem, r);
	printf("ram RAM at most %s\n", format_size(bytes, size));
	return 0;
}

/* What is full now will fail later, somewhere else: better said here. */
#define SCRATCH_LOW (32 * MIB)
static void warn_full(const char *path)
{
	uint64_t bytes;
	char size[16];

	if (mount_free(arguments.mount, &bytes) == 0 && bytes < SCRATCH_LOW)
		message_warning("scratch on %s is full (%s left): delete files in the running system, set a smaller cache_quota, or enlarge the disk",
				path, format_size(bytes, size));
}

static int use_place(struct plan *p, struct place *place)
{
	struct make_problem problem = { .text = "" };
	enum verdict was = place->verdict;
	struct disk *d = &p->disks.list[place->disk];
	char name[DISK_NAME_SIZE], size[16];
	errint_t r = was == PLACE_FOUND ? make_ready(p, place, &problem) : make_scratch(p, place, arguments.limit, &problem);

	if (r < 0)
		return fail_with(&problem, r);
	plan_place_name(p, place, name);
	if (!arguments.no_mount) {
		_cleanup_free_ char *path = disk_path(name);
		r = path ? mount_scratch(path, arguments.mount, &problem) : -ENOMEM;
		if (r < 0)
			return fail_with(&problem, r);
		warn_full(path);
	}
	format_size(place->bytes, size);
	printf("%s /dev/%s %s", was == PLACE_FOUND ? "found" : "made", name, size);
	if (was == PLACE_GAP)
		printf(" (made behind the image)\n");
	else if (was == PLACE_FOUND)
		printf(" (found)\n");
	else
		printf(" (made on %s %s)\n", was == PLACE_DISK ? "the empty disk" : "", was == PLACE_DISK ? d->name : name);
	return 0;
}

static int run_prepare(void *context, int operands, char **operand)
{
	struct plan p;

	(void)context, (void)operands, (void)operand;
	if (!arguments.mount && !arguments.no_mount) {
		message_error("say where to mount scratch: --mount=DIR");
		return EXIT_USAGE;
	}
	errint_t r = plan_make(&p, arguments.policy, false);
	if (r < 0) {
		plan_done(&p);
		return plan_failed(r);
	}
	int code = EXIT_DATA;
	if (p.chosen == PLAN_RAM)
		code = use_ram(&p);
	else if (p.chosen == PLAN_NONE)
		message_error("scratch policy '%s': %s", arguments.policy, p.why);
	else
		code = use_place(&p, &p.places[p.chosen]);
	plan_done(&p);
	return code;
}

/* The place of a device that is known to be scratch; NULL with a message where there is none. */
static struct place *find_place(struct plan *p, const char *device)
{
	const char *name = strncmp(device, "/dev/", 5) == 0 ? device + 5 : device;

	for (size_t i = 0; i < p->count; i++) {
		char place[DISK_NAME_SIZE];
		plan_place_name(p, &p->places[i], place);
		if (strcmp(place, name) == 0 && p->places[i].verdict == PLACE_FOUND)
			return &p->places[i];
	}
	message_error("%s holds no scratch file system", device);
	return NULL;
}

static int run_grow(void *context, int operands, char **operand)
{
	struct make_problem problem = { .text = "" };
	struct plan p;
	bool partition = false, system = false;
	uint64_t bytes = 0;
	char size[16];

	(void)context, (void)operands;
	errint_t r = plan_make(&p, "auto", false);
	if (r < 0) {
		plan_done(&p);
		return plan_failed(r);
	}
	struct place *place = find_place(&p, operand[0]);
	int code = place ? 0 : EXIT_DATA;
	if (place) {
		r = place->partition ? make_larger(&p, place, arguments.limit, &partition, &problem) : 0;
		bytes = place->bytes;
		if (r == 0 && operands > 1)
			r = mount_grow(operand[1], place->bytes, &bytes, &system, &problem);
		if (r < 0)
			code = fail_with(&problem, r);
		else if (partition || system)
			printf("scratch grown to %s\n", format_size(bytes, size));
	}
	plan_done(&p);
	return code;
}

static json_t *place_json(const struct plan *p, size_t i)
{
	const struct place *place = &p->places[i];
	char name[DISK_NAME_SIZE];

	plan_place_name(p, place, name);
	return json_pack("{s:s, s:s, s:i, s:s, s:I, s:I, s:b, s:s}", "name", name, "disk", p->disks.list[place->disk].name, "partition",
			 (int)place->partition, "verdict", plan_verdict_name(place->verdict), "offset", (json_int_t)place->offset, "bytes",
			 (json_int_t)place->bytes, "chosen", p->chosen == (int)i, "reason", place->reason);
}

static void print_plan_json(const struct plan *p)
{
	json_t *list = json_array();

	for (size_t i = 0; i < p->count; i++)
		json_array_append_new(list, place_json(p, i));
	json_t *all = json_pack("{s:s, s:o}", "choice", p->chosen == PLAN_RAM ? "ram" : p->chosen == PLAN_NONE ? "none" : "place", "places", list);
	if (all)
		json_dumpf(all, stdout, JSON_INDENT(1));
	putchar('\n');
	json_decref(all);
}

static int run_plan(void *context, int operands, char **operand)
{
	struct plan p;

	(void)context, (void)operands, (void)operand;
	errint_t r = plan_make(&p, arguments.policy, true);
	if (r < 0) {
		plan_done(&p);
		return plan_failed(r);
	}
	if (arguments.json) {
		print_plan_json(&p);
	} else {
		for (size_t i = 0; i < p.count; i++) {
			char name[DISK_NAME_SIZE], size[16];
			plan_place_name(&p, &p.places[i], name);
			printf("%c %-10s %-10s %10s  %s\n", p.chosen == (int)i ? '*' : ' ', name, plan_verdict_name(p.places[i].verdict),
			       format_size(p.places[i].bytes, size), p.places[i].reason);
		}
		if (p.chosen == PLAN_RAM)
			printf("* RAM\n");
		else if (p.chosen == PLAN_NONE)
			printf("nothing: %s\n", p.why);
	}
	plan_done(&p);
	return 0;
}

static int run_probe(void *context, int operands, char **operand)
{
	struct probe_ext4 ext4;
	const char *signature;
	struct stat st;
	uint64_t at;

	(void)context, (void)operands;
	_cleanup_close_ int fd = open(operand[0], O_RDONLY | O_CLOEXEC);
	off_t end = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
	errint_t r = end < 0 || fstat(fd, &st) < 0 ? -errno : 0;
	if (r == 0)
		r = probe_signature(fd, 0, (uint64_t)end, &signature);
	if (r == 0)
		r = probe_zero(fd, 0, (uint64_t)end, NULL, &at);
	if (r < 0) {
		message_error("reading '%s': %s", operand[0], strerror(-r));
		return EXIT_NO_INPUT;
	}
	if (probe_ext4(fd, 0, &ext4) == 0)
		printf("ext4 label='%s' %s\n", ext4.label, ext4.clean ? "clean" : "not clean");
	else if (signature)
		printf("%s\n", signature);
	else if (at != UINT64_MAX)
		printf("data at byte %llu\n", (unsigned long long)at);
	else
		printf("empty\n");
	return 0;
}

static int run_settle(void *context, int operands, char **operand)
{
	(void)context, (void)operands, (void)operand;
	errint_t r = settle_wait((int)arguments.quiet_ms, (int)arguments.timeout_ms);

	if (r == 0)
		return 0;
	message_error("waiting for devices: %s", strerror(-r));
	return EXIT_UNAVAILABLE;
}

static int run_wait(void *context, int operands, char **operand)
{
	(void)context;
	for (int i = 0; i < operands; i++) {
		uint64_t pid;
		if (parse_number(operand[i], 1, INT32_MAX, &pid) < 0) {
			message_error("'%s' is no process", operand[i]);
			return EXIT_USAGE;
		}
		errint_t r = settle_wait_process((pid_t)pid, (int)arguments.timeout_ms);
		if (r < 0) {
			message_error("waiting for process %s to end: %s", operand[i], strerror(-r));
			return EXIT_UNAVAILABLE;
		}
	}
	return 0;
}

int scratch_main(int argc, char **argv)
{
	const struct option_spec prepare_options[] = {
		option_policy, option_size, { 0, "mount", "DIR", "mount it here", ID_MOUNT },
		{ 0, "no-mount", NULL, "make what is to be made and stop there", ID_NO_MOUNT }, { 0 } };
	const struct option_spec grow_options[] = { option_size, { 0 } };
	const struct option_spec plan_options[] = { option_policy, { 0, "json", NULL, "print JSON", ID_JSON }, { 0 } };
	const struct option_spec settle_options[] = {
		{ 0, "quiet-ms", "MS", "nothing new for so long (default: 100)", ID_QUIET },
		{ 0, "timeout-ms", "MS", "wait no longer than this (default: 5000)", ID_TIMEOUT }, { 0 } };
	const struct command commands[] = {
		{ .name = "prepare", .summary = "Find scratch or make it, and mount it.", .options = prepare_options, .on_option = on_option,
		  .run = run_prepare, .context = &arguments },
		{ .name = "grow", .operands = "DEVICE [DIR]", .summary = "Let scratch take up what its disk has grown by.", .options = grow_options,
		  .on_option = on_option, .min_operands = 1, .max_operands = 2, .run = run_grow, .context = &arguments },
		{ .name = "plan", .summary = "Look at every disk and say what prepare would do. Writes nothing.", .options = plan_options,
		  .on_option = on_option, .run = run_plan, .context = &arguments },
		{ .name = "probe", .operands = "FILE", .summary = "Say what lies on a disk or in an image of one.", .min_operands = 1,
		  .max_operands = 1, .run = run_probe, .context = &arguments },
		{ .name = "settle", .summary = "Wait until the kernel announces no more devices.", .options = settle_options,
		  .on_option = on_option, .run = run_settle, .context = &arguments },
		{ .name = "wait", .operands = "PID...", .summary = "Wait until processes have ended.", .options = settle_options + 1,
		  .on_option = on_option, .min_operands = 1, .max_operands = -1, .run = run_wait, .context = &arguments },
		{ .name = NULL },
	};
	message_init("scratch");
	return options_run_verbs("scratch", "Finds or makes the partition that Spore writes to. A disk that carries anything is never written to.",
				 commands, argc, argv);
}
