/* SPDX-License-Identifier: MIT */
/* Waiting for the kernel: until it announces no more devices, until a process is gone. Must not know what either is about. */
#ifndef SPORE_INITRD_SETTLE_H
#define SPORE_INITRD_SETTLE_H

#include "common/base.h"
#include <sys/types.h>

/* Returns when nothing was announced for quiet_ms, or -ETIMEDOUT after timeout_ms. */
errint_t settle_wait(int quiet_ms, int timeout_ms);

/* Returns when the process has ended (at once where there is none), or -ETIMEDOUT. */
errint_t settle_wait_process(pid_t pid, int timeout_ms);

#endif
