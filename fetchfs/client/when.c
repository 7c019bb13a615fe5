/* SPDX-License-Identifier: MIT */
/* Reading ISO 8601 dates; see when.h. */
#include "fetchfs/client/when.h"

#define SECONDS_OF_DAY ((int64_t)24 * 60 * 60)

/* Exactly this many digits. */
static bool take_digits(const char **at, unsigned digits, unsigned max, unsigned *ret)
{
	unsigned value = 0;

	while (digits-- > 0) {
		if (**at < '0' || **at > '9')
			return false;
		value = 10 * value + (unsigned)(*(*at)++ - '0');
	}
	*ret = value;
	return value <= max;
}

static bool take(const char **at, char c)
{
	if (**at != c)
		return false;
	++*at;
	return true;
}

static bool is_leap(unsigned year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static bool take_day(const char **at, int64_t *ret_days)
{
	static const uint8_t lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	unsigned year, month, day;
	int64_t days = 0;

	if (!take_digits(at, 4, 9999, &year) || !take(at, '-') || !take_digits(at, 2, 12, &month) || !take(at, '-') || !take_digits(at, 2, 31, &day))
		return false;
	if (year < 1970 || month == 0 || day == 0 || day > lengths[month - 1] + (month == 2 && is_leap(year) ? 1u : 0u))
		return false;
	for (unsigned y = 1970; y < year; y++)
		days += is_leap(y) ? 366 : 365;
	for (unsigned m = 1; m < month; m++)
		days += lengths[m - 1] + (m == 2 && is_leap(year) ? 1 : 0);
	*ret_days = days + day - 1;
	return true;
}

/* HH:MM with or without :SS. */
static bool take_time(const char **at, int64_t *ret_seconds)
{
	unsigned hours, minutes, seconds = 0;

	if (!take_digits(at, 2, 23, &hours) || !take(at, ':') || !take_digits(at, 2, 59, &minutes))
		return false;
	if (take(at, ':') && !take_digits(at, 2, 59, &seconds))
		return false;
	*ret_seconds = (int64_t)hours * 3600 + minutes * 60 + seconds;
	return true;
}

static bool take_zone(const char **at, int64_t *ret_offset)
{
	unsigned hours, minutes;
	int sign = **at == '-' ? -1 : 1;

	*ret_offset = 0;
	if (**at == '\0' || take(at, 'Z'))
		return true;
	if (!take(at, '+') && !take(at, '-'))
		return false;
	if (!take_digits(at, 2, 23, &hours) || !take(at, ':') || !take_digits(at, 2, 59, &minutes))
		return false;
	*ret_offset = sign * ((int64_t)hours * 3600 + minutes * 60);
	return true;
}

errint_t when_parse(const char *text, int64_t *ret)
{
	int64_t days, seconds = SECONDS_OF_DAY - 1, offset = 0;

	if (!take_day(&text, &days))
		return -EINVAL;
	if (*text != '\0') {
		if (!take(&text, 'T') && !take(&text, ' '))
			return -EINVAL;
		if (!take_time(&text, &seconds) || !take_zone(&text, &offset))
			return -EINVAL;
	}
	if (*text != '\0')
		return -EINVAL;
	*ret = days * SECONDS_OF_DAY + seconds - offset;
	return *ret > 0 ? 0 : -EINVAL;
}
