/* SPDX-License-Identifier: MIT */
/*
 * Puts right what libarchive writes of an ISO 9660 image: every time becomes one value (the root directory and the volume would have the present time), and
 * the volume's name keeps small letters and hyphens, as all programs that look for a seed expect. Host only.
 */
#ifndef SPORE_CONTEXTUALIZE_ISO_FINISH_H
#define SPORE_CONTEXTUALIZE_ISO_FINISH_H

#include "common/base.h"

/* fd: an image with Rock Ridge and maybe Joliet. volume: at most 32 characters. seconds since 1970, UTC. -EINVAL: not such an image. */
errint_t iso_finish(int fd, const char *volume, int64_t seconds);

#endif
