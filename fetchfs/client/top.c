/* SPDX-License-Identifier: MIT */
/* fetchfs top: asks mounts again and again, and shows what they do. */
#include "fetchfs/client/client.h"
#include "common/message.h"
#include "fetchfs/client/clock.h"
#include "fetchfs/client/ctl_client.h"
#include "fetchfs/client/mounts.h"
#include "fetchfs/client/top_screen.h"
#include "fetchfs/client/top_view.h"

#include <signal.h>

#define MOUNTS_MAX 64
#define PATIENCE (2 * NS_PER_SECOND)
#define MAX_INTERVAL 3600

struct top_mount {
	struct ctl_place place;
	json_t *before, *now;
	int64_t before_at, now_at;
	char error[CTL_ERROR_SIZE];
};

static struct top {
	struct top_mount *mounts;	/* room for MOUNTS_MAX */
	size_t count;
	bool all;		/* none was named: what comes and goes is shown too */
	bool lines;
	uint64_t rounds;	/* 0: without end */
	uint64_t interval;	/* seconds */
} top = { .interval = 1 };

static const struct option_spec options[] = {
	{ 'n', "count", "N", "print N times what each mount did, a line a mount, and end", 0 },
	{ 'i', "interval", "SECONDS", "look every so often (1)", 0 },
	{ 0 }
};

static int on_option(void *context, int id, const char *value)
{
	struct top *t = context;

	if (parse_number(value, 1, id == 'n' ? 1000000000 : MAX_INTERVAL, id == 'n' ? &t->rounds : &t->interval) < 0) {
		message_error("%s: expected a number from 1 on, not '%s'", id == 'n' ? "--count" : "--interval", value);
		return EXIT_USAGE;
	}
	t->lines = t->lines || id == 'n';
	return 0;
}

static void forget(struct top_mount *m)
{
	ctl_place_done(&m->place);
	json_decref(m->before);
	json_decref(m->now);
	*m = (struct top_mount){ .now_at = 0 };
}

/* Takes over place; a mount that is there already (bind mounts have the same socket) is not added again. */
static void add_mount(struct top *t, struct ctl_place *place)
{
	size_t i = 0;

	while (i < t->count && strcmp(t->mounts[i].place.socket, place->socket) != 0)
		i++;
	if (i < t->count || t->count == MOUNTS_MAX) {
		ctl_place_done(place);
		return;
	}
	t->mounts[t->count] = (struct top_mount){ .place = *place };
	t->count++;
}

static int add_named(struct top *t, int count, char **names)
{
	for (int i = 0; i < count; i++) {
		char error[CTL_ERROR_SIZE];
		struct ctl_place place;
		int code = ctl_find(names[i], &place, error);
		if (code) {
			message_error("%s", error);
			return code;
		}
		add_mount(t, &place);
	}
	return 0;
}

static bool is_known(const struct top *t, const char *mountpoint)
{
	for (size_t i = 0; i < t->count; i++)
		if (strcmp(t->mounts[i].place.mountpoint, mountpoint) == 0)
			return true;
	return false;
}

/* Whoever has no control socket, or does not let us look, is not shown. */
static void add_found(struct top *t)
{
	char error[CTL_ERROR_SIZE];
	struct ctl_place place;
	struct mounts m;

	if (mounts_list(&m) < 0)
		return;
	for (size_t i = 0; i < m.count; i++)
		if (!is_known(t, m.paths[i]) && ctl_find(m.paths[i], &place, error) == 0)
			add_mount(t, &place);
	mounts_done(&m);
}

static void ask(struct top_mount *m)
{
	struct ctl_answer a;

	json_decref(m->before);
	m->before = m->now;
	m->before_at = m->now_at;
	m->now = NULL;
	if (ctl_ask_at(&m->place, PATIENCE, "status", 0, NULL, &a, m->error) != 0)
		return;
	m->now = json_incref(a.object);
	m->now_at = clock_now();
	ctl_answer_done(&a);
}

static void look(struct top *t)
{
	if (t->all)
		add_found(t);
	for (size_t i = 0; i < t->count;) {
		ask(&t->mounts[i]);
		if (t->mounts[i].now || !t->all) {
			i++;
			continue;
		}
		/* Gone: the next ones move up. It comes back if it still is there. */
		forget(&t->mounts[i]);
		t->count--;
		memmove(&t->mounts[i], &t->mounts[i + 1], (t->count - i) * sizeof(t->mounts[0]));
	}
}

static struct top_view view_of(const struct top_mount *m)
{
	return (struct top_view){ .mountpoint = m->place.mountpoint, .before = m->before, .now = m->now, .elapsed = m->now_at - m->before_at,
				  .error = m->error };
}

static void format_clock(char ret[16])
{
	time_t now = time(NULL);
	struct tm parts;

	if (!localtime_r(&now, &parts) || !strftime(ret, 16, "%H:%M:%S", &parts))
		strcpy(ret, "-");
}

static void show(const struct top *t)
{
	unsigned columns, rows;
	char *text = NULL, now[16];
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return;
	screen_size(&columns, &rows);
	format_clock(now);
	fprintf(f, "%.*s\n", (int)columns, "fetchfs top: q leaves");
	for (size_t i = 0; i < t->count; i++) {
		struct top_view v = view_of(&t->mounts[i]);
		fputc('\n', f);
		top_view_block(&v, columns, f);
	}
	if (t->count == 0)
		fprintf(f, "\n%.*s\n", (int)columns, "no fetchfs mount that you may ask");
	if (fclose(f) == 0)
		screen_show(text);
	free(text);
}

static int end_code(void)
{
	return screen_signal() ? 128 + screen_signal() : 0;
}

static int run_on_screen(struct top *t)
{
	int64_t next = clock_now();
	char key;

	screen_open();
	for (;;) {
		if (clock_now() >= next) {
			look(t);
			next = MAX(next + (int64_t)t->interval * NS_PER_SECOND, clock_now());
		}
		show(t);
		switch (screen_wait(next, &key)) {
		case SCREEN_KEY:
			if (key != 'q' && key != 'Q')
				break;
			screen_close();
			return 0;
		case SCREEN_END:
			screen_close();
			return end_code();
		default:
			break;
		}
	}
}

static int print_lines(const struct top *t)
{
	char now[16];

	format_clock(now);
	for (size_t i = 0; i < t->count; i++) {
		struct top_view v = view_of(&t->mounts[i]);
		top_view_line(&v, now, stdout);
	}
	if (fflush(stdout) == 0)
		return 0;
	message_error("cannot write: %s", strerror(errno));
	return EXIT_CANNOT_CREATE;
}

static int run_in_lines(struct top *t)
{
	int64_t next = clock_now();
	int code = 0;
	char key;

	look(t);
	top_view_heading(stdout);
	for (uint64_t round = 0; code == 0 && (t->rounds == 0 || round < t->rounds); round++) {
		next += (int64_t)t->interval * NS_PER_SECOND;
		if (screen_wait(next, &key) == SCREEN_END)
			return end_code();
		look(t);
		code = print_lines(t);
	}
	return code;
}

static int top_run(void *context, int operands, char **operand)
{
	struct top *t = context;
	int code;

	t->mounts = calloc(MOUNTS_MAX, sizeof(*t->mounts));
	if (!t->mounts) {
		message_error("out of memory");
		return EXIT_SOFTWARE;
	}
	code = add_named(t, operands, operand);
	t->all = operands == 0;
	if (code == 0 && t->all) {
		add_found(t);
		if (t->count == 0) {
			message_error("there is no fetchfs mount that you may ask");
			code = EXIT_NO_INPUT;
		}
	}
	if (code == 0) {
		screen_catch_signals();
		code = t->lines || !isatty(STDOUT_FILENO) ? run_in_lines(t) : run_on_screen(t);
	}
	while (t->count > 0)
		forget(&t->mounts[--t->count]);
	free(t->mounts);
	return code;
}

const struct command client_top_command = {
	.name = "top",
	.operands = "[MOUNTPOINT]...",
	.summary = "show what mounts do, second by second; 'q' leaves",
	.options = options,
	.on_option = on_option,
	.max_operands = MOUNTS_MAX,
	.run = top_run,
	.context = &top,
};
