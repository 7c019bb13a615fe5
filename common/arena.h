/* SPDX-License-Identifier: MIT */
/*
 * Memory that is released all at once: for trees and lists that live and die together. Has a cap, so that hostile input
 * ends in -E2BIG at its maker rather than in an exhausted machine. Knows nothing of what is kept in it.
 */
#ifndef SPORE_COMMON_ARENA_H
#define SPORE_COMMON_ARENA_H

#include "common/base.h"

struct arena_block;

struct arena {
	struct arena_block *first;
	size_t total;	/* bytes handed out */
	size_t max;	/* 0: ARENA_DEFAULT_MAX */
};

#define ARENA_DEFAULT_MAX ((size_t)64 << 20)

/* Zeroed memory, aligned for any object; NULL when memory is out or the cap is reached. */
void *arena_alloc(struct arena *a, size_t size);
/* A copy of size bytes with a NUL behind them. */
char *arena_copy(struct arena *a, const void *data, size_t size);
char *arena_string(struct arena *a, const char *text);
char *arena_format(struct arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Makes room for one more element in an array that holds count of them (doubles at powers of two from 4 on); NULL as above. */
void *arena_grow(struct arena *a, void *array, size_t count, size_t element);
void arena_done(struct arena *a);

#endif
