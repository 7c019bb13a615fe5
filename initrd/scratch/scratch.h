/* SPDX-License-Identifier: MIT */
/* The program scratch as a function, so that the guest's multi-call binary can hold it. */
#ifndef SPORE_INITRD_SCRATCH_H
#define SPORE_INITRD_SCRATCH_H

int scratch_main(int argc, char **argv);

#endif
