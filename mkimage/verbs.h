/* SPDX-License-Identifier: MIT */
/* The programs' verbs: each in a file, with its command line. */
#ifndef SPORE_MKIMAGE_VERBS_H
#define SPORE_MKIMAGE_VERBS_H

#include "common/options.h"

int mkimage_main(int argc, char **argv);

extern const struct option_spec build_options[], inspect_options[], verify_options[];
int build_on_option(void *context, int id, const char *value);
int build_run(void *context, int operands, char **operand);
int inspect_on_option(void *context, int id, const char *value);
int inspect_run(void *context, int operands, char **operand);
int verify_on_option(void *context, int id, const char *value);
int verify_run(void *context, int operands, char **operand);

#endif
