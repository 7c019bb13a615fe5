/* SPDX-License-Identifier: MIT */
/* The program fetchfs. Everything is in fetchfs_main, which the guest's multi-call binary calls too. */
#include "fetchfs/fetchfs.h"

int main(int argc, char **argv)
{
	return fetchfs_main(argc, argv);
}
