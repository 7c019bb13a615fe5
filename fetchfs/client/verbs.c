/* SPDX-License-Identifier: MIT */
/* record, update and scrub, as fetchfs ctl asks for them; see verbs.h. docs/man/fetchfs.1 says what they print. */
#include "fetchfs/client/verbs.h"
#include "common/message.h"
#include "fetchfs/client/follow.h"
#include "fetchfs/client/record.h"

static int start_recording(struct record *r, const char *path, struct ctl_reply *reply)
{
	errint_t e = *path == '/' ? record_start(r, path) : -EINVAL;

	switch (e) {
	case 0:
		ctl_text(reply->root, "recording", path);
		return 0;
	case -EINVAL:
		return ctl_fail(reply, EXIT_USAGE, "record start: expected an absolute path, not '%.300s'", path);
	case -EBUSY:
		return ctl_fail(reply, EXIT_USAGE, "it is recording already; 'record stop' ends that");
	default:
		return ctl_fail(reply, EXIT_CANNOT_CREATE, "cannot record to %.300s: %s", path, strerror(-e));
	}
}

static int stop_recording(struct record *r, struct ctl_reply *reply)
{
	errint_t e = record_stop(r);

	if (e == -ENOENT)
		return ctl_fail(reply, EXIT_USAGE, "it is not recording; 'record start FILE' begins");
	if (e < 0)
		return ctl_fail(reply, EXIT_CANNOT_CREATE, "recording has ended, but its file cannot be written: %s", strerror(-e));
	ctl_text(reply->root, "recording", "");
	return 0;
}

static int record(void *context, const struct ctl_request *request, struct ctl_reply *reply)
{
	const char *what = request->arguments[0];

	if (strcmp(what, "start") == 0 && request->count == 2)
		return start_recording(context, request->arguments[1], reply);
	if (strcmp(what, "stop") == 0 && request->count == 1)
		return stop_recording(context, reply);
	return ctl_fail(reply, EXIT_USAGE, "record: expected 'start FILE' or 'stop'");
}

const struct ctl_verb record_verbs[] = {
	{ "record", "start FILE|stop", "notes what is read, in order, in a file for publish --profile", 1, 2, record },
	{ .name = NULL }
};

/* The question itself may wait for a server, so it is only begun here. */
static int update(void *context, const struct ctl_request *request, struct ctl_reply *reply)
{
	struct follow *f = context;
	struct follow_state s;
	bool ask = request->count == 0;

	if (!ask && strcmp(request->arguments[0], "status") != 0)
		return ctl_fail(reply, EXIT_USAGE, "update: expected nothing, or 'status'");
	if (ask && follow_update_now(f, 0) == -EINVAL)
		return ctl_fail(reply, EXIT_USAGE, "a revision or date is mounted, or it is pinned without a file: there is nothing to update");
	follow_get_state(f, &s);
	ctl_flag(reply->root, "asking", ask);
	ctl_flag(reply->root, "follows", s.follows);
	ctl_number(reply->root, "revision", s.revision);
	ctl_number(reply->root, "next_revision", s.next_revision);
	ctl_number(reply->root, "checked_time", (uint64_t)s.checked);
	ctl_number(reply->root, "next_check_time", (uint64_t)s.next_check);
	ctl_number(reply->root, "expires_time", (uint64_t)s.expires);
	ctl_text(reply->root, "last_error", s.error);
	return 0;
}

const struct ctl_verb follow_verbs[] = {
	{ "update", "[status]", "asks for a newer snapshot now; with status, tells what is known of one", 0, 1, update },
	{ .name = NULL }
};

static int start_scrub(struct scrub_control *c, const char *rate, struct ctl_reply *reply)
{
	errint_t r;

	if (parse_size(rate, &c->config.rate) < 0 || c->config.rate == 0)
		return ctl_fail(reply, EXIT_USAGE, "scrub start: expected the bytes of a second, as 10M, not '%.100s'", rate);
	scrub_stop(c->scrub);
	c->scrub = NULL;
	r = scrub_start(&c->config, &c->scrub);
	return r < 0 ? ctl_fail(reply, EXIT_SOFTWARE, "cannot start: %s", strerror(-r)) : 0;
}

static int scrub(void *context, const struct ctl_request *request, struct ctl_reply *reply)
{
	struct scrub_control *c = context;
	struct scrub_status s = { .running = false };
	const char *what = request->count > 0 ? request->arguments[0] : "";
	int code = 0;

	if (strcmp(what, "start") == 0 && request->count == 2) {
		code = start_scrub(c, request->arguments[1], reply);
	} else if (strcmp(what, "stop") == 0 && request->count == 1) {
		scrub_stop(c->scrub);
		c->scrub = NULL;
	} else if (request->count > 0) {
		code = ctl_fail(reply, EXIT_USAGE, "scrub: expected nothing, 'start RATE' or 'stop'");
	}
	if (code)
		return code;
	if (c->scrub)
		scrub_status(c->scrub, &s);
	ctl_number(reply->root, "rate_bytes", c->scrub ? c->config.rate : 0);
	ctl_flag(reply->root, "at_work", s.running);
	ctl_number(reply->root, "rounds", s.rounds);
	ctl_number(reply->root, "round_percent", s.percent);
	ctl_number(reply->root, "round_files", s.files);
	ctl_number(reply->root, "round_bytes", s.bytes);
	ctl_number(reply->root, "damaged_files", s.bad);
	ctl_number(reply->root, "unknown_files", s.unknown);
	return 0;
}

const struct ctl_verb scrub_verbs[] = {
	{ "scrub", "[start RATE|stop]", "reads the cache again at a rate and drops what is damaged; or tells how that stands", 0, 2, scrub },
	{ .name = NULL }
};
