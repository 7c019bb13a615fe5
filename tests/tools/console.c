/* SPDX-License-Identifier: MIT */
/*
 * Drives a program that talks on a serial console (QEMU above all) by a script: waits for texts, sends lines, fails with the console's last
 * lines when something else happens. Knows bytes and time; must not know what boots. Waits on events only, never by sleeping.
 *
 * One instruction a line, '#' comments. SECONDS may be a fraction and are multiplied by --scale.
 *   expect SECONDS TEXT         goes on behind the next TEXT that is not yet passed
 *   match SECONDS EREGEX        the same for an extended regular expression; '^' and '$' are the ends of complete lines
 *   capture SECONDS NAME EREGEX as match; keeps the first group (or the whole match) as NAME
 *   absent TEXT                 fails where TEXT was seen since the last mark
 *   mark                        forgets what came before, for absent
 *   send TEXT                   \n \r \t \e \\ and \xHH are understood; no newline is added
 *   run COMMAND                 a shell command of the host, with the captured names in its environment; must succeed
 *   wait-exit SECONDS [STATUS]  the program ends by itself, with STATUS (0)
 *   stamp NAME                  keeps the seconds since the start as NAME
 *   note TEXT                   prints the time and TEXT
 *   fatal TEXT, allow TEXT      a line holding TEXT ends a wait at once, or no longer does
 * Beside LOGFILE (lines with the time at which they began) come LOGFILE.raw (all bytes) and LOGFILE.vars (NAME=VALUE).
 */
#include "common/base.h"
#include "common/io.h"
#include "common/message.h"
#include "common/options.h"
#include "tests/console/program.h"
#include "tests/console/script.h"

#include <ctype.h>
#include <stdarg.h>

#define SCRIPT_MAX (256 * KIB)
#define FATAL_MAX 32
#define LAST_LINES 40

static struct console {
	const char *log_path, *script_path;
	double total, scale;
	const char *fatal[FATAL_MAX];
	unsigned int fatals;
	struct screen screen;
	struct program program;
	FILE *log, *raw, *vars;
} c = { .total = 600, .scale = 1 };

static double elapsed(void) { return (double)(screen_now_ns() - c.screen.start_ns) / 1e9; }

__attribute__((format(printf, 2, 3)))
static int failed(const struct instruction *i, const char *format, ...)
{
	char reason[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(reason, sizeof(reason), format, arguments);
	va_end(arguments);
	message_error("%s:%u: %s %s: %s (%.1f s after the start)", c.script_path, i->line, script_word(i->word), i->text ? i->text : "", reason,
		elapsed());
	fprintf(stderr, "--- the console's last lines ---\n");
	screen_print_tail(&c.screen, LAST_LINES, stderr);
	fprintf(stderr, "--- all of it: %s ---\n", c.log_path);
	return 1;
}

static int64_t deadline_of(const struct instruction *i)
{
	int64_t total = c.screen.start_ns + (int64_t)(c.total * c.scale * 1e9);

	return i->seconds > 0 ? MIN(total, screen_now_ns() + (int64_t)(i->seconds * c.scale * 1e9)) : total;
}

/* What must end a wait whatever is waited for, with a message; 0 where nothing has. Fatal texts count on complete lines behind the cursor. */
static int trouble(const struct instruction *i)
{
	size_t end = c.screen.line_open ? c.screen.line : c.screen.used;

	for (unsigned int n = 0; n < c.fatals; n++)
		if (screen_find(&c.screen, c.screen.cursor, end, c.fatal[n]))
			return failed(i, "the console says '%s'", c.fatal[n]);
	if (c.program.interrupted)
		return failed(i, "stopped by signal %d", c.program.interrupted);
	return 0;
}

static void keep(const char *name, const char *value, size_t size)
{
	_cleanup_free_ char *copy = strndup(value, size);

	for (char *p = copy; p && *p; p++)
		if (iscntrl((unsigned char)*p))
			*p = ' ';
	if (copy)
		setenv(name, copy, 1);
	fprintf(c.vars, "%s=%s\n", name, copy ? copy : "");
	fflush(c.vars);
}

/* Looks behind the cursor; moves it behind what was found. from: where a plain search can begin, since it failed before there. */
static bool found(const struct instruction *i, size_t from)
{
	struct screen *s = &c.screen;
	regmatch_t groups[2];
	bool line_begins = s->cursor == 0 || s->text[s->cursor - 1] == '\n';

	if (!i->has_regex) {
		const char *at = screen_find(s, from, s->used, i->text);

		if (at)
			s->cursor = (size_t)(at - s->text) + strlen(i->text);
		return at != NULL;
	}
	groups[0] = (regmatch_t){ .rm_so = 0, .rm_eo = (regoff_t)(s->used - s->cursor) };
	if (regexec(&i->regex, s->text + s->cursor, 2, groups, REG_STARTEND | REG_NOTEOL | (line_begins ? 0 : REG_NOTBOL)))
		return false;
	if (i->word == CAPTURE) {
		const regmatch_t *g = i->regex.re_nsub > 0 && groups[1].rm_so >= 0 ? &groups[1] : &groups[0];

		keep(i->variable, s->text + s->cursor + g->rm_so, (size_t)(g->rm_eo - g->rm_so));
	}
	s->cursor += (size_t)groups[0].rm_eo;
	return true;
}

static int wait_text(const struct instruction *i)
{
	int64_t deadline = deadline_of(i);
	size_t size = strlen(i->text), searched = 0;

	for (;;) {
		unsigned int forgotten = c.screen.forgotten;
		int code;

		if (found(i, MAX(c.screen.cursor, searched)))
			return 0;
		code = trouble(i);
		if (code)
			return code;
		if (c.program.exited)
			return failed(i, "the program ended with status %d before this was seen", program_status(&c.program));
		searched = c.screen.used > size ? c.screen.used - size : 0;
		if (!program_pump(&c.program, deadline))
			return failed(i, "not seen in time");
		if (c.screen.forgotten != forgotten)
			searched = 0;
	}
}

static int wait_exit(const struct instruction *i)
{
	int64_t deadline = deadline_of(i);
	int want = i->text ? atoi(i->text) : 0, got;

	while (!c.program.exited) {
		int code = trouble(i);

		if (code)
			return code;
		if (!program_pump(&c.program, deadline))
			return failed(i, "the program still runs");
	}
	got = program_status(&c.program);
	return got == want ? 0 : failed(i, "the program ended with status %d, not %d", got, want);
}

static int check_absent(const struct instruction *i)
{
	if (c.screen.mark_lost)
		return failed(i, "too much was printed since the mark to tell");
	return screen_find(&c.screen, c.screen.mark, c.screen.used, i->text) ? failed(i, "was seen") : 0;
}

static int send_text(const struct instruction *i)
{
	errint_t r = program_send(&c.program, i->text, i->text_size);

	return r ? failed(i, r == -EPIPE ? "the program has ended" : "the program does not read its input") : 0;
}

static int run_command(const struct instruction *i)
{
	int status = program_run_beside(&c.program, i->text, deadline_of(i));

	if (status == -ETIMEDOUT)
		return failed(i, "the command did not end in time");
	if (status < 0)
		return failed(i, "cannot start it: %s", strerror(-status));
	return status == 0 ? 0 : failed(i, "the command failed (wait status 0x%x)", (unsigned int)status);
}

static int add_fatal(const struct instruction *i)
{
	if (c.fatals == FATAL_MAX)
		return failed(i, "more than %d fatal texts", FATAL_MAX);
	c.fatal[c.fatals++] = i->text;
	return 0;
}

static int allow(const struct instruction *i)
{
	unsigned int kept = 0;

	for (unsigned int n = 0; n < c.fatals; n++)
		if (strcmp(c.fatal[n], i->text) != 0)
			c.fatal[kept++] = c.fatal[n];
	c.fatals = kept;
	return 0;
}

static int execute(const struct instruction *i)
{
	char seconds[32];

	switch (i->word) {
	case EXPECT:
	case MATCH:
	case CAPTURE:
		return wait_text(i);
	case ABSENT:
		return check_absent(i);
	case MARK:
		c.screen.mark = c.screen.used;
		c.screen.mark_lost = false;
		return 0;
	case SEND:
		return send_text(i);
	case RUN:
		return run_command(i);
	case WAIT_EXIT:
		return wait_exit(i);
	case STAMP:
		keep(i->variable, seconds, (size_t)snprintf(seconds, sizeof(seconds), "%.3f", elapsed()));
		return 0;
	case NOTE:
		printf("- [%5.1f s] %s\n", elapsed(), i->text);
		fflush(stdout);
		return 0;
	case FATAL:
		return add_fatal(i);
	case ALLOW:
		return allow(i);
	case WORDS:
		break;
	}
	return 1;
}

static FILE *open_log(const char *suffix)
{
	bool none = strcmp(c.log_path, "/dev/null") == 0;
	_cleanup_free_ char *path = io_format("%s%s", c.log_path, none ? "" : suffix);
	FILE *f = path ? fopen(path, "we") : NULL;

	if (!f)
		message_error("cannot write %s%s: %s", c.log_path, suffix, strerror(errno));
	return f;
}

static int open_logs(void)
{
	c.log = open_log("");
	c.raw = c.log ? open_log(".raw") : NULL;
	c.vars = c.raw ? open_log(".vars") : NULL;
	if (!c.vars)
		return EXIT_CANNOT_CREATE;
	if (screen_init(&c.screen, c.log, c.raw)) {
		message_error("out of memory");
		return EXIT_SOFTWARE;
	}
	return 0;
}

static void close_logs(void)
{
	FILE *all[] = { c.log, c.raw, c.vars };

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		if (all[i])
			fclose(all[i]);
	screen_done(&c.screen);
}

static int read_script(struct script *s)
{
	const char *wrong;
	unsigned int line;
	size_t size;
	char *text;
	errint_t r = io_read_file(c.script_path, SCRIPT_MAX, &text, &size);

	if (r) {
		message_error("cannot read the script %s: %s", c.script_path, strerror(-r));
		return EXIT_NO_INPUT;
	}
	if (script_parse(s, text, &line, &wrong)) {
		message_error("%s:%u: %s", c.script_path, line, wrong);
		return EXIT_DATA;
	}
	return 0;
}

static int drive(const struct script *s, char **argv)
{
	errint_t r = program_start(&c.program, &c.screen, argv);
	int code = 0;

	if (r) {
		message_error("cannot start %s: %s", argv[0], strerror(-r));
		return EXIT_SOFTWARE;
	}
	for (size_t i = 0; i < s->count && code == 0; i++)
		code = execute(&s->instructions[i]);
	program_end(&c.program);
	screen_finish(&c.screen);
	return code;
}

static int run(void *context, int operands, char **operand)
{
	struct script s = { 0 };
	int code;

	(void)context;
	(void)operands;
	c.script_path = operand[0];
	if (!c.log_path)
		c.log_path = "/dev/null";
	code = read_script(&s);
	if (code == 0)
		code = open_logs();
	if (code == 0)
		code = drive(&s, operand + 1);
	close_logs();
	script_done(&s);
	return code;
}

static int on_option(void *context, int id, const char *value)
{
	double number = value ? strtod(value, NULL) : 0;

	(void)context;
	switch (id) {
	case 'o':
		c.log_path = value;
		return 0;
	case 't':
	case 's':
		if (!(number > 0)) {
			message_error("a number above 0 is expected, not '%s'", value);
			return EXIT_USAGE;
		}
		*(id == 't' ? &c.total : &c.scale) = number;
		return 0;
	case 'F':
		if (c.fatals < FATAL_MAX)
			c.fatal[c.fatals++] = value;
		return 0;
	default:
		c.screen.echo = true;
		return 0;
	}
}

int main(int argc, char **argv)
{
	static const struct option_spec options[] = {
		{ 'o', "output", "FILE", "write what the program says, with times, to FILE (and FILE.raw, FILE.vars)", 0 },
		{ 't', "total", "SECONDS", "end after so long in all (600)", 0 },
		{ 's', "scale", "FACTOR", "multiply every time limit (slow machines)", 0 },
		{ 'F', "fatal", "TEXT", "a line holding TEXT ends a wait at once (besides a kernel panic and 'Spore: failed')", 0 },
		{ 'v', "verbose", NULL, "print what the program says", 0 },
		{ 0 },
	};
	static const struct command command = {
		.operands = "SCRIPT -- COMMAND...", .summary = "drives a program on a serial console by a script",
		.options = options, .on_option = on_option, .min_operands = 2, .max_operands = -1, .run = run,
	};
	const char *scale = getenv("CONSOLE_SCALE");

	c.fatal[c.fatals++] = "Kernel panic - not syncing";
	c.fatal[c.fatals++] = "Spore: failed";
	if (scale && strtod(scale, NULL) > 0)
		c.scale = strtod(scale, NULL);
	return options_run("console", &command, argc, argv);
}
