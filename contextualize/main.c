/* SPDX-License-Identifier: MIT */
/*
 * The program on the host; in the guest contextualize is a part of the program spore.
 */
#include "contextualize/contextualize.h"

int main(int argc, char **argv)
{
	return contextualize_main(argc, argv);
}
