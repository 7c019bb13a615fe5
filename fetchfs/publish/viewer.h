/* SPDX-License-Identifier: MIT */
/* What the reading verbs (ls, cat, export, fsck, stat) share: their options, and opening what they read. For programs. */
#ifndef SPORE_FETCHFS_PUBLISH_VIEWER_H
#define SPORE_FETCHFS_PUBLISH_VIEWER_H

#include "common/options.h"
#include "fetchfs/publish/walk.h"

#include <jansson.h>

#define VIEWER_MAX_KEYS 16

struct viewer {
	const char *keys[VIEWER_MAX_KEYS];
	size_t key_count;
	const char *tag;
	bool json;
	struct trouble trouble;
	struct view view;
	bool is_open;
};

/* Ids of the shared options; a verb's own are letters. */
enum viewer_option { VIEWER_KEY = 'K', VIEWER_TAG = 't', VIEWER_JSON = 0x2000 };
#define VIEWER_KEY_OPTION { 'K', "key", "KEY.pub", "check the chain of signatures from this root key (may be given several times)", VIEWER_KEY }
#define VIEWER_TAG_OPTION { 't', "tag", "TAG", "read the revision with this tag, not the latest", VIEWER_TAG }
#define VIEWER_JSON_OPTION { 0, "json", NULL, "print JSON", VIEWER_JSON }

int viewer_on_option(struct viewer *v, int id, const char *value);
/* Keys, trust, manifest. Where nothing is published yet: trouble. */
errint_t viewer_open(struct viewer *v, const char *where, bool check_times);
/* Prints what is wrong, if anything; returns the exit code. */
int viewer_close(struct viewer *v, errint_t r);

/* A name for people: as it is into a pipe, with control characters as \ooo on a terminal. */
void viewer_print_name(const char *name, size_t length);
/* Adds "name", or where that is no UTF-8 its base64 as "name_base64". */
void viewer_json_name(json_t *object, const char *key, const char *name, size_t length);
const char *viewer_type_name(uint32_t mode);

#endif
