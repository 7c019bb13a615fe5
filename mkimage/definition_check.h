/* SPDX-License-Identifier: MIT */
/*
 * What the values of an image definition may be: one function for each kind. Each returns what is wrong, as the end of a sentence, or NULL.
 */
#ifndef SPORE_MKIMAGE_DEFINITION_CHECK_H
#define SPORE_MKIMAGE_DEFINITION_CHECK_H

/* For all values: no control characters, since they end up in text files of lines. */
const char *check_text(const char *value);

const char *check_name(const char *value);
const char *check_urls(const char *value);
const char *check_cmdline(const char *value);
const char *check_consoles(const char *value);
const char *check_timeout(const char *value);
const char *check_yes_no(const char *value);
const char *check_datasource(const char *value);
const char *check_scratch(const char *value);
const char *check_size(const char *value);
const char *check_quota(const char *value);
const char *check_profiles(const char *value);
const char *check_compression(const char *value);
const char *check_fat(const char *value);

#endif
