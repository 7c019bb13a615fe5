/* SPDX-License-Identifier: MIT */
/*
 * The functions that a compiler calls on its own account, also in freestanding code. Only for the firmware: tests on the build machine
 * use the real ones. Must not call anything.
 */
#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int value, size_t size);
int memcmp(const void *a, const void *b, size_t size);

void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
	return memmove(to, from, size);
}

void *memmove(void *to, const void *from, size_t size)
{
	unsigned char *t = to;
	const unsigned char *f = from;

	if (t < f) {
		for (size_t i = 0; i < size; i++)
			t[i] = f[i];
	} else {
		while (size-- > 0)
			t[size] = f[size];
	}
	return to;
}

void *memset(void *to, int value, size_t size)
{
	unsigned char *t = to;

	for (size_t i = 0; i < size; i++)
		t[i] = (unsigned char)value;
	return to;
}

int memcmp(const void *a, const void *b, size_t size)
{
	const unsigned char *x = a, *y = b;

	for (size_t i = 0; i < size; i++)
		if (x[i] != y[i])
			return x[i] < y[i] ? -1 : 1;
	return 0;
}
