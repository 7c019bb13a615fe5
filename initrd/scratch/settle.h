/* SPDX-License-Identifier: MIT */
/* Waiting until the kernel announces no more devices. Knows uevents; must not know what they are about. */
#ifndef SPORE_INITRD_SETTLE_H
#define SPORE_INITRD_SETTLE_H

#include "common/base.h"

/* Returns when nothing was announced for quiet_ms, or -ETIMEDOUT after timeout_ms. */
errint_t settle_wait(int quiet_ms, int timeout_ms);

#endif
