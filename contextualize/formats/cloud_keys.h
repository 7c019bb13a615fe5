/* SPDX-License-Identifier: MIT */
/*
 * The names of cloud-init's keys: which of them exist though Spore does not support them, and which known one a misspelt key is near to.
 */
#ifndef SPORE_CONTEXTUALIZE_CLOUD_KEYS_H
#define SPORE_CONTEXTUALIZE_CLOUD_KEYS_H

#include "common/base.h"

/* A top-level key of cloud-init that Spore knows but does not act on. */
bool cloud_key_is_known(const char *key);
/* The nearest of names (NULL-terminated) within two changes of a letter (one for short names); NULL: none. */
const char *cloud_key_nearest(const char *key, const char *const *names);
/* The nearest of those that cloud_key_is_known knows. */
const char *cloud_key_nearest_known(const char *key);

#endif
