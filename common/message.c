/* SPDX-License-Identifier: MIT */
/* Messages, progress, and numbers as people write them; see message.h. */
#include "common/message.h"

#include <stdarg.h>
#include <time.h>

static const char *program_name = "spore";
static bool quiet;

void message_init(const char *program)
{
	program_name = program;
}

void message_set_quiet(bool value)
{
	quiet = value;
}

/* One write per message, so that lines of several threads do not mix. */
static void __attribute__((format(printf, 2, 0))) print_message(const char *kind, const char *format, va_list args)
{
	char text[4096];
	int n = snprintf(text, sizeof(text), "%s: %s", program_name, kind);

	if (n >= 0 && (size_t)n < sizeof(text))
		vsnprintf(text + n, sizeof(text) - (size_t)n, format, args);
	fprintf(stderr, "%s\n", text);
}

void message_error(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_message("", format, args);
	va_end(args);
}

void message_warning(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_message("warning: ", format, args);
	va_end(args);
}

void message_note(const char *format, ...)
{
	va_list args;

	if (quiet)
		return;
	va_start(args, format);
	print_message("", format, args);
	va_end(args);
}

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void progress_begin(struct progress *p, const char *what, bool bytes)
{
	*p = (struct progress){ .what = what, .bytes = bytes, .active = !quiet && isatty(STDERR_FILENO) };
	p->start_ns = p->next_ns = now_ns();
}

static void progress_amount(const struct progress *p, uint64_t n, char ret[32])
{
	if (p->bytes)
		format_size(n, ret);
	else
		snprintf(ret, 32, "%llu", (unsigned long long)n);
}

void progress_update(struct progress *p, uint64_t done, uint64_t total, const char *detail)
{
	char a[32], b[32];
	int64_t now;

	if (!p->active || (now = now_ns()) < p->next_ns)
		return;
	p->next_ns = now + 100000000;
	progress_amount(p, done, a);
	progress_amount(p, total, b);
	if (total)
		fprintf(stderr, "\r\033[K%s %s of %s (%u %%) %.60s", p->what, a, b,
			(unsigned)((double)done * 100 / (double)total), detail ? detail : "");
	else
		fprintf(stderr, "\r\033[K%s %s %.60s", p->what, a, detail ? detail : "");
}

void progress_end(struct progress *p)
{
	if (p->active)
		fprintf(stderr, "\r\033[K");
	p->active = false;
}

char *format_size(uint64_t bytes, char ret[16])
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double value = (double)bytes;
	size_t unit = 0;

	while (value >= 1024 && unit + 1 < ARRAY_SIZE(units)) {
		value /= 1024;
		unit++;
	}
	snprintf(ret, 16, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
	return ret;
}

errint_t parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret)
{
	char *end;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	unsigned long long value = strtoull(text, &end, 10);
	if (*end != '\0')
		return -EINVAL;
	if (errno == ERANGE || value < min || value > max)
		return -ERANGE;
	*ret = value;
	return 0;
}

errint_t parse_size(const char *text, uint64_t *ret)
{
	static const char units[] = "KMGTPE";
	char *end;
	double factor = 1;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	double value = strtod(text, &end);
	if (*end) {
		const char *unit = strchr(units, *end >= 'a' ? *end - 'a' + 'A' : *end);
		if (!unit)
			return -EINVAL;
		for (const char *u = units; u <= unit; u++)
			factor *= 1024;
		end++;
		if (strcmp(end, "iB") == 0)
			end += 2;
	}
	if (*end != '\0')
		return -EINVAL;
	if (!(value * factor < 18446744073709551615.0))
		return -ERANGE;
	*ret = (uint64_t)(value * factor);
	return 0;
}

errint_t source_date(int64_t *ret)
{
	const char *text = getenv("SOURCE_DATE_EPOCH");
	uint64_t value;
	errint_t r;

	if (!text) {
		*ret = (int64_t)time(NULL);
		return 0;
	}
	r = parse_number(text, 0, INT64_MAX, &value);
	if (r < 0)
		return -EINVAL;
	*ret = (int64_t)value;
	return 0;
}
