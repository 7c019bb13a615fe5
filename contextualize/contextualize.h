/* SPDX-License-Identifier: MIT */
/*
 * The program contextualize: in the guest it finds user data and applies them, on the host it makes seeds and checks user data.
 */
#ifndef SPORE_CONTEXTUALIZE_H
#define SPORE_CONTEXTUALIZE_H

/* Its value is the exit code. */
int contextualize_main(int argc, char **argv);

/* check.c and seed.c, on the host only: the verbs' options and bodies. */
struct command;
extern const struct command contextualize_check_command, contextualize_seed_command;

/* check.c: reads user data, prints what is wrong with it as "NAME:LINE:COLUMN: …". EXIT_DATA where there are errors, else 0. */
int contextualize_check_data(const char *name, const char *data, unsigned long size);

#endif
