/* SPDX-License-Identifier: MIT */
/*
 * What a worker's successor has to know, in a memfd that the supervisor holds: one text that is replaced as a whole, or gets longer. Whenever the writer is killed, the reader
 * finds the text before the change or after it. One writer at a time. Must not know what the text says.
 */
#ifndef SPORE_FETCHFS_CLIENT_STATE_H
#define SPORE_FETCHFS_CLIENT_STATE_H

#include "common/base.h"

#define STATE_MAX ((size_t)(512 * MIB))

errint_t state_make(int *ret_fd);
/* is_pending: stays with the text until state_settle; something is still to be done because of the change. */
errint_t state_replace(int fd, const void *text, size_t size, bool is_pending);
errint_t state_append(int fd, const void *text, size_t size);
errint_t state_settle(int fd);
/* *ret is to be freed; size 0: nothing was written yet. -EPROTONOSUPPORT; -EBADMSG. */
errint_t state_read(int fd, void **ret, size_t *ret_size, bool *ret_is_pending);
/* Another number after each change. */
uint64_t state_changes(int fd);

#endif
