/* SPDX-License-Identifier: MIT */
/*
 * What a verb answers: a JSON object that is filled value by value, and what `fetchfs ctl` prints for people, made from the same object. Knows the forms of
 * docs/format-ctl.md; must not know verbs. Where memory is out, values are missing rather than wrong.
 */
#ifndef SPORE_FETCHFS_CLIENT_CTL_REPLY_H
#define SPORE_FETCHFS_CLIENT_CTL_REPLY_H

#include "common/base.h"

#include <jansson.h>

#define CTL_ERROR_SIZE 512

struct ctl_reply {
	json_t *root;		/* the object */
	char *text;		/* or a text (free), which goes out instead */
	int code;		/* or an exit code (common/message.h) */
	char error[CTL_ERROR_SIZE];
};

errint_t ctl_reply_init(struct ctl_reply *r);
void ctl_reply_done(struct ctl_reply *r);

/* Values of an object. A key's ending gives the unit: _bytes, _seconds, _time, _percent. Texts may be any bytes. */
void ctl_text(json_t *object, const char *key, const char *value);
void ctl_number(json_t *object, const char *key, uint64_t value);
void ctl_flag(json_t *object, const char *key, bool value);
/* A list in an object, and an object in a list. Both belong to what they are in. */
json_t *ctl_list(json_t *object, const char *key);
json_t *ctl_item(json_t *list);

/* The verb failed: its exit code and one sentence without a full stop. Returns code. */
int ctl_fail(struct ctl_reply *r, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* For people: a value a line, a table a list. Bounded by what is in the object. */
void ctl_print(const json_t *object, FILE *out);

#endif
