/* SPDX-License-Identifier: MIT */
/* Notes and warnings of a running mount; see log.h. */
#include "fetchfs/client/log.h"
#include "common/message.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <syslog.h>

#define TEXT_SIZE 1024

/* Set by one thread while others may log already. */
static atomic_bool use_syslog;
static atomic_int kernel_fd = -1;

bool log_in_background(bool to_kernel)
{
	if (to_kernel) {
		kernel_fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
		return kernel_fd >= 0;
	}
	openlog("fetchfs", LOG_PID, LOG_DAEMON);
	use_syslog = true;
	return true;
}

/* "<4>" and the like in front: the kernel's log levels are those of syslog. */
static void log_text(int level, const char *text)
{
	char line[TEXT_SIZE + 32];

	if (kernel_fd >= 0) {
		int n = snprintf(line, sizeof(line), "<%d>fetchfs: %s\n", level, text);
		if (write(kernel_fd, line, (size_t)n) < 0) {
			/* There is nobody left to tell. */
		}
	} else if (use_syslog) {
		syslog(level, "%s", text);
	} else if (level == LOG_WARNING) {
		message_warning("%s", text);
	} else {
		message_note("%s", text);
	}
}

void log_note(const char *format, ...)
{
	char text[TEXT_SIZE];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	log_text(LOG_INFO, text);
}

void log_warning(const char *format, ...)
{
	char text[TEXT_SIZE];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	log_text(LOG_WARNING, text);
}
