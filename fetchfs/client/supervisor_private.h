/* SPDX-License-Identifier: MIT */
/*
 * What the supervisor's files share: supervisor.c (its life), supervisor_worker.c (starting workers and talking to them), supervisor_end.c (their ends),
 * supervisor_upgrade.c, supervisor_mount.c (the mount), supervisor_user.c.
 */
#ifndef SPORE_FETCHFS_CLIENT_SUPERVISOR_PRIVATE_H
#define SPORE_FETCHFS_CLIENT_SUPERVISOR_PRIVATE_H

#include "fetchfs/client/broker.h"
#include "fetchfs/client/control.h"
#include "fetchfs/client/supervisor.h"
#include "fetchfs/client/takeover.h"

#include <limits.h>

#define SUPERVISOR_STOP_NS (30 * NS_PER_SECOND)	/* for a worker that was told to stop, before it is killed */

struct fuse_session;

/* /dev/fuse and what the kernel has said first. */
struct supervisor_mount {
	struct fuse_session *session;	/* of libfuse, which mounts and unmounts; it serves nothing */
	int device;
	uint8_t init[CHANNEL_DATA_MAX];
	size_t init_size;
};

enum worker_state { WORKER_NONE, WORKER_STARTED, WORKER_PREPARED, WORKER_SERVING, WORKER_STOPPED };

struct supervisor_worker {
	enum worker_state state;
	pid_t pid;
	int channel, broker;		/* the supervisor's ends; -1 */
	uint64_t answered;		/* requests, when it began */
};

/* An upgrade that was asked for. */
struct supervisor_upgrade {
	int asker;			/* who waits for its end; -1: there is none under way */
	int program;
	struct supervisor_worker candidate;	/* until it is told to go */
	bool is_going;			/* then it is the worker */
	int64_t deadline;		/* clock_now: of the candidate until it is ready, then of the worker that it waits for; 0: none */
};

struct supervisor {
	struct settings *settings;
	struct daemon *daemon;
	const char *name;		/* argv[0] of workers */
	int program;			/* what they are started from: an open file, since it may be replaced */
	int settings_fd, journal_fd, state_fd, stats_fd, modes_fd;
	int cache_fd;			/* keeps the file system that the cache is on from being unmounted */
	int cache_tree;			/* what workers get */
	uid_t worker_uid;
	gid_t worker_gid;
	bool in_memory;
	struct broker broker;
	struct control_sockets sockets;
	struct supervisor_mount mount;
	struct supervisor_worker worker;
	struct supervisor_worker retiring;	/* has stopped, and brings the cache in order */
	struct supervisor_upgrade upgrade;
	uint32_t generation;		/* workers started so far */
	char program_path[PATH_MAX];	/* as it was started */
	bool is_mounted;		/* a worker has served */
	bool is_stopping;		/* the end was asked for */
	bool crashed;			/* the last worker's end was its own fault */
	unsigned failures;		/* workers in a row that answered nothing */
	uint64_t restarts;
	int64_t since;			/* seconds since 1970 */
	int64_t stopping_since;		/* clock_now */
	unsigned failed_starts;		/* in a row: no process, or no descriptor, was to be had */
	int64_t next_start;		/* clock_now: when the next worker is due; 0: none */
	int64_t first_failure;		/* of those in a row */
};

/* supervisor_user.c: who the workers are; the cache becomes theirs, and for root's workers a tree that they cannot leave. 0, or an exit code after a message. */
int supervisor_choose_user(struct supervisor *s);
int supervisor_give_cache(struct supervisor *s);
/* Of a mount that is served: that its workers are root without anybody having asked for it. */
void supervisor_warn_of_root(const struct supervisor *s);

/* supervisor_mount.c. 0, or an exit code after a message. */
int supervisor_mount(struct supervisor *s);
/* The connection has been ended by the kernel: unmounted, or aborted. */
bool supervisor_is_unmounted(const struct supervisor *s);
void supervisor_unmount(struct supervisor *s);
/* Whoever waits for an answer gets an error; the mount stays as a dead one. */
void supervisor_abort(struct supervisor *s);

/* supervisor_worker.c. -errno; of the first: where w->pid is set then, it was killed, and its end is still to be awaited. */
errint_t supervisor_start_worker(struct supervisor *s, int program, struct supervisor_worker *w);
errint_t supervisor_send_go(struct supervisor *s, struct supervisor_worker *w);
void supervisor_send_stop(struct supervisor_worker *w);
void supervisor_close_worker(struct supervisor_worker *w);

/* supervisor_end.c. Another worker of the program now; where that cannot be had, later. */
void supervisor_start_successor(struct supervisor *s);
/* A worker has ended as waitpid says. -1: the mount goes on; else its exit code. */
int supervisor_on_worker_end(struct supervisor *s, int status);
void supervisor_on_candidate_end(struct supervisor *s, int status);

/* supervisor_upgrade.c */
void supervisor_upgrade_init(struct supervisor *s);
/* Somebody has come to the supervisor's socket. */
void supervisor_upgrade_ask(struct supervisor *s);
/* The candidate has said something, or its time is over. */
void supervisor_upgrade_on_message(struct supervisor *s);
void supervisor_upgrade_on_time(struct supervisor *s);
/* The worker has stopped, or died: the candidate takes its place. False: there is none that could (yet). */
bool supervisor_upgrade_go(struct supervisor *s);
/* A worker serves that a candidate may be waiting for. */
void supervisor_upgrade_on_serving(struct supervisor *s);
/* Ends it. why: a sentence. */
void supervisor_upgrade_fail(struct supervisor *s, const char *why);
/* The candidate serves. */
void supervisor_upgrade_done(struct supervisor *s);

#endif
