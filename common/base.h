/* SPDX-License-Identifier: MIT */
/*
 * What every file of Spore may use: the error type, cleanup attributes, byte order, checked sizes.
 * Knows nothing of files, networks or formats.
 */
#ifndef SPORE_COMMON_BASE_H
#define SPORE_COMMON_BASE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* 0, or a negative errno: what library functions return. */
typedef int errint_t;

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

#define KIB ((uint64_t)1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

/* Cleanup attributes: the variable is released when it goes out of scope. */
static inline void base_free_ptr(void *p) { free(*(void **)p); }
static inline void base_close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}
static inline void base_fclose_ptr(FILE **f)
{
	if (*f)
		fclose(*f);
}
#define _cleanup_(f) __attribute__((cleanup(f)))
#define _cleanup_free_ _cleanup_(base_free_ptr)
#define _cleanup_close_ _cleanup_(base_close_fd)
#define _cleanup_fclose_ _cleanup_(base_fclose_ptr)

/* Hands a cleaned-up pointer or descriptor on: the variable no longer owns it. */
#define steal_ptr(p) ({ __typeof__(p) stolen_ = (p); (p) = NULL; stolen_; })
static inline int steal_fd(int *fd)
{
	int taken = *fd;
	*fd = -1;
	return taken;
}

/* Little-endian at any alignment: on-disk structures are converted only with these. */
static inline uint16_t le16_get(const void *p)
{
	const uint8_t *b = p;
	return (uint16_t)(b[0] | b[1] << 8);
}
static inline uint32_t le32_get(const void *p)
{
	const uint8_t *b = p;
	return b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}
static inline uint64_t le64_get(const void *p)
{
	const uint8_t *b = p;
	return le32_get(b) | (uint64_t)le32_get(b + 4) << 32;
}
static inline void le16_put(void *p, uint16_t v)
{
	uint8_t *b = p;
	b[0] = (uint8_t)v;
	b[1] = (uint8_t)(v >> 8);
}
static inline void le32_put(void *p, uint32_t v)
{
	uint8_t *b = p;
	for (int i = 0; i < 4; i++)
		b[i] = (uint8_t)(v >> (8 * i));
}
static inline void le64_put(void *p, uint64_t v)
{
	le32_put(p, (uint32_t)v);
	le32_put((uint8_t *)p + 4, (uint32_t)(v >> 32));
}

static inline uint64_t align_up(uint64_t value, uint64_t alignment)
{
	return (value + alignment - 1) / alignment * alignment;
}

#endif
