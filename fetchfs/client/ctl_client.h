/* SPDX-License-Identifier: MIT */
/* Asking a mount: finds its control socket and does one exchange (docs/format-ctl.md). Knows the protocol; must not know verbs. */
#ifndef SPORE_FETCHFS_CLIENT_CTL_CLIENT_H
#define SPORE_FETCHFS_CLIENT_CTL_CLIENT_H

#include "fetchfs/client/ctl_protocol.h"
#include "fetchfs/client/ctl_reply.h"

struct ctl_answer {
	json_t *object;		/* of kinds json and error */
	char *text;
};
void ctl_answer_done(struct ctl_answer *a);

/* Where a mount is asked. */
struct ctl_place {
	char *mountpoint, *socket, *pid;
};
/* place: as below. 0, or an exit code with one sentence in error. */
int ctl_find(const char *place, struct ctl_place *ret, char error[CTL_ERROR_SIZE]);
void ctl_place_done(struct ctl_place *p);
/* At most so many ns. Goes to the socket alone, so that a mount that stands still cannot hold up who asks. */
int ctl_ask_at(const struct ctl_place *p, int64_t patience, const char *verb, size_t count, char *const *arguments, struct ctl_answer *ret,
	       char error[CTL_ERROR_SIZE]);

/*
 * place: a mount point or a path below it, also on an overlay over the mount. 0, or an exit code with one sentence in error. What the mount says is wrong is
 * such a sentence too.
 */
int ctl_ask(const char *place, const char *verb, size_t count, char *const *arguments, struct ctl_answer *ret, char error[CTL_ERROR_SIZE]);

#endif
