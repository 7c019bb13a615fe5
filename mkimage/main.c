/* SPDX-License-Identifier: MIT */
/* The program mkimage; see mkimage.c. */
#include "mkimage/verbs.h"

int main(int argc, char **argv)
{
	return mkimage_main(argc, argv);
}
