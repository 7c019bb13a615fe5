/* SPDX-License-Identifier: MIT */
/* What went wrong, in words; see trouble.h. */
#include "fetchfs/publish/trouble.h"

#include <stdarg.h>

static int code_of(errint_t error)
{
	switch (error) {
	case -ENOENT:
	case -ENOTDIR:
		return EXIT_NO_INPUT;
	case -EACCES:
	case -EPERM:
		return EXIT_NO_PERMISSION;
	case -ENOSPC:
	case -EDQUOT:
	case -EROFS:
		return EXIT_CANNOT_CREATE;
	case -EBADMSG:
		return EXIT_DATA;
	default:
		return EXIT_SOFTWARE;
	}
}

errint_t trouble_set(struct trouble *t, errint_t error, int exit_code, const char *format, ...)
{
	va_list args;

	if (t->exit_code)
		return error;
	t->exit_code = exit_code ? exit_code : code_of(error);
	va_start(args, format);
	vsnprintf(t->text, sizeof(t->text), format, args);
	va_end(args);
	return error;
}

errint_t trouble_errno(struct trouble *t, errint_t error, const char *format, ...)
{
	va_list args;
	size_t used;

	if (t->exit_code)
		return error;
	t->exit_code = code_of(error);
	va_start(args, format);
	vsnprintf(t->text, sizeof(t->text), format, args);
	va_end(args);
	used = strlen(t->text);
	snprintf(t->text + used, sizeof(t->text) - used, ": %s", strerror(-error));
	return error;
}

int trouble_report(const struct trouble *t, errint_t error)
{
	if (t->exit_code) {
		message_error("%s", t->text);
		return t->exit_code;
	}
	message_error("%s", strerror(-error));
	return code_of(error);
}
