/* SPDX-License-Identifier: MIT */
/* The program fetchfs as a function, so that the guest's multi-call binary can hold it. */
#ifndef SPORE_FETCHFS_FETCHFS_H
#define SPORE_FETCHFS_FETCHFS_H

int fetchfs_main(int argc, char **argv);

#endif
