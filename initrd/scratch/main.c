/* SPDX-License-Identifier: MIT */
/* The program scratch on the host, for tests and for looking at disks; the guest has it in its one binary (initrd/spore.c). */
#include "initrd/scratch/scratch.h"

int main(int argc, char **argv)
{
	return scratch_main(argc, argv);
}
