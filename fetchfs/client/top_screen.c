/* SPDX-License-Identifier: MIT */
/* See top_screen.h. */
#include "fetchfs/client/top_screen.h"
#include "common/io.h"
#include "fetchfs/client/clock.h"

#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>

#define ENTER "\033[?1049h\033[?25l"
#define LEAVE "\033[?25h\033[?1049l"
#define HOME "\033[H"
#define CLEAR_LINE "\033[K"
#define CLEAR_BELOW "\033[J"
#define DEFAULT_COLUMNS 80
#define DEFAULT_ROWS 24

static const int ending[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };

static struct termios before;
static bool is_open, has_keys;
static volatile sig_atomic_t ended_by, resized, stopped;
static sigset_t while_waiting;

static void on_signal(int number)
{
	if (number == SIGWINCH)
		resized = 1;
	else if (number == SIGTSTP)
		stopped = 1;
	else
		ended_by = number;
}

/* Signals come in screen_wait alone. */
static void catch_signal(int number)
{
	struct sigaction a = { .sa_handler = on_signal };
	sigset_t one;

	sigemptyset(&a.sa_mask);
	sigaction(number, &a, NULL);
	sigemptyset(&one);
	sigaddset(&one, number);
	sigprocmask(SIG_BLOCK, &one, NULL);
}

void screen_catch_signals(void)
{
	sigprocmask(SIG_BLOCK, NULL, &while_waiting);
	for (size_t i = 0; i < ARRAY_SIZE(ending); i++)
		catch_signal(ending[i]);
}

static void enter(void)
{
	struct termios keys;

	has_keys = tcgetattr(STDIN_FILENO, &before) == 0;
	if (has_keys) {
		keys = before;
		keys.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		keys.c_cc[VMIN] = 1;
		keys.c_cc[VTIME] = 0;
		(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &keys);
	}
	(void)io_write_full(STDOUT_FILENO, ENTER, sizeof(ENTER) - 1);
	is_open = true;
}

void screen_close(void)
{
	if (!is_open)
		return;
	is_open = false;
	(void)io_write_full(STDOUT_FILENO, LEAVE, sizeof(LEAVE) - 1);
	if (has_keys)
		(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
}

void screen_open(void)
{
	catch_signal(SIGWINCH);
	catch_signal(SIGTSTP);
	atexit(screen_close);
	enter();
}

void screen_size(unsigned *ret_columns, unsigned *ret_rows)
{
	struct winsize w = { .ws_col = 0 };
	bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0 && w.ws_row > 0;

	*ret_columns = known ? w.ws_col : DEFAULT_COLUMNS;
	*ret_rows = known ? w.ws_row : DEFAULT_ROWS;
}

/* Each line replaces the one that was there, so that nothing flickers. */
void screen_show(const char *text)
{
	unsigned columns, rows;
	_cleanup_free_ char *all = NULL;
	size_t size;
	FILE *f = open_memstream(&all, &size);

	if (!f)
		return;
	screen_size(&columns, &rows);
	fputs(HOME, f);
	for (unsigned row = 0; *text && row < rows; row++) {
		size_t n = strcspn(text, "\n");
		fprintf(f, "%s%.*s" CLEAR_LINE, row ? "\r\n" : "", (int)n, text);
		text += n + (text[n] == '\n');
	}
	fputs(CLEAR_BELOW, f);
	if (fclose(f) == 0)
		(void)io_write_full(STDOUT_FILENO, all, size);
}

/* ^Z: the shell gets the terminal as it was, until we are continued. */
static void stop(void)
{
	sigset_t one;

	stopped = 0;
	screen_close();
	signal(SIGTSTP, SIG_DFL);
	raise(SIGTSTP);
	sigemptyset(&one);
	sigaddset(&one, SIGTSTP);
	sigprocmask(SIG_UNBLOCK, &one, NULL);
	/* Here it goes on. */
	catch_signal(SIGTSTP);
	enter();
}

enum screen_event screen_wait(int64_t then, char *ret_key)
{
	for (;;) {
		int64_t left = MAX(then - clock_now(), 0);
		struct timespec t = { .tv_sec = (time_t)(left / NS_PER_SECOND), .tv_nsec = (long)(left % NS_PER_SECOND) };
		struct pollfd keys = { .fd = is_open && has_keys ? STDIN_FILENO : -1, .events = POLLIN };
		int n = ppoll(&keys, 1, &t, &while_waiting);
		if (ended_by)
			return SCREEN_END;
		if (stopped && is_open) {
			stop();
			return SCREEN_REDRAW;
		}
		if (resized) {
			resized = 0;
			return SCREEN_REDRAW;
		}
		if (n > 0)
			/* A terminal that has gone has no more keys. */
			return read(STDIN_FILENO, ret_key, 1) == 1 ? SCREEN_KEY : SCREEN_END;
		if (n == 0)
			return SCREEN_TIME;
	}
}

int screen_signal(void)
{
	return ended_by;
}
