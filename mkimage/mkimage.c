/* SPDX-License-Identifier: MIT */
/* mkimage's table of commands. */
#include "mkimage/verbs.h"

static const char intro[] = "Builds bootable disk images from a kernel, an initrd's recipe and a boot loader, and looks into them.\n"
			    "Needs no privileges, and the same inputs give the same bytes.";

int mkimage_main(int argc, char **argv)
{
	static const struct command commands[] = {
		{ .name = "build", .operands = "", .summary = "build an image", .options = build_options, .on_option = build_on_option, .run = build_run },
		{ .name = "inspect", .operands = "FILE", .summary = "tell what an image holds", .options = inspect_options,
		  .on_option = inspect_on_option, .run = inspect_run, .min_operands = 1, .max_operands = 1 },
		{ .name = "verify", .operands = "FILE", .summary = "check everything in an image that a machine could stumble over",
		  .options = verify_options, .on_option = verify_on_option, .run = verify_run, .min_operands = 1, .max_operands = 1 },
		{ .name = NULL },
	};

	return options_run_verbs("mkimage", intro, commands, argc, argv);
}
