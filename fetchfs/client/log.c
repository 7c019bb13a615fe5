/* SPDX-License-Identifier: MIT */
/* Notes and warnings of a running mount; see log.h. */
#include "fetchfs/client/log.h"
#include "common/message.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>

#define TEXT_SIZE 1024
#define RECORD_SIZE 4096
#define FIELDS_MAX 8
#define JOURNAL_SOCKET "/run/systemd/journal/socket"
#define FACILITY_DAEMON 3

static const char *const targets[] = { [LOG_TO_STDERR] = "stderr", [LOG_TO_SYSLOG] = "syslog", [LOG_TO_JOURNAL] = "journal", [LOG_TO_KMSG] = "kmsg" };
static const char *const levels[] = { [LOG_ERR] = "error", [LOG_WARNING] = "warning", [LOG_NOTICE] = "notice", [LOG_INFO] = "info",
				      [LOG_DEBUG] = "debug" };

/* Set when what it needs is open: other threads may be talking already. */
static atomic_int target = LOG_TO_STDERR;
static atomic_int threshold = LOG_INFO;
static int kernel_fd = -1, journal_fd = -1;
static struct field {
	const char *name;
	char *value;
} fields[FIELDS_MAX];

errint_t log_parse_target(const char *text, enum log_target *ret)
{
	for (size_t i = LOG_TO_STDERR; i < ARRAY_SIZE(targets); i++) {
		if (strcmp(text, targets[i]) == 0) {
			*ret = (enum log_target)i;
			return 0;
		}
	}
	return -EINVAL;
}

errint_t log_parse_level(const char *text, int *ret)
{
	uint64_t number;

	for (int i = LOG_ERR; i <= LOG_DEBUG; i++) {
		if (strcmp(text, levels[i]) == 0) {
			*ret = i;
			return 0;
		}
	}
	if (parse_number(text, LOG_ERR, LOG_DEBUG, &number) < 0)
		return -EINVAL;
	*ret = (int)number;
	return 0;
}

const char *log_level_name(int level)
{
	return levels[level];
}

void log_set_level(int level)
{
	atomic_store(&threshold, level);
}

int log_level(void)
{
	return atomic_load(&threshold);
}

void log_set_field(const char *name, const char *value)
{
	for (size_t i = 0; i < FIELDS_MAX; i++) {
		if (fields[i].name && strcmp(fields[i].name, name) != 0)
			continue;
		free(fields[i].value);
		fields[i] = (struct field){ .name = name, .value = strdup(value) };
		return;
	}
}

static bool open_kernel(void)
{
	if (kernel_fd < 0)
		kernel_fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	return kernel_fd >= 0;
}

void log_prepare(enum log_target wanted, bool is_root)
{
	if (wanted == LOG_TO_KMSG || (is_root && (wanted == LOG_TO_DEFAULT || wanted == LOG_TO_JOURNAL)))
		(void)open_kernel();
}

bool log_open(enum log_target wanted, bool is_root)
{
	if (wanted == LOG_TO_DEFAULT)
		wanted = is_root ? LOG_TO_KMSG : LOG_TO_SYSLOG;
	if (wanted == LOG_TO_JOURNAL) {
		journal_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (journal_fd < 0)
			wanted = is_root ? LOG_TO_KMSG : LOG_TO_SYSLOG;
		else if (is_root)
			(void)open_kernel();
	}
	if (wanted == LOG_TO_KMSG && !open_kernel())
		wanted = LOG_TO_STDERR;
	if (wanted == LOG_TO_SYSLOG)
		openlog("fetchfs", LOG_PID, LOG_DAEMON);
	atomic_store(&target, wanted);
	return wanted != LOG_TO_STDERR;
}

/* Bytes of a record under way; room 0 once something did not fit. */
struct record {
	char *at;
	size_t room;
};

static void add_bytes(struct record *r, const void *data, size_t size)
{
	if (size >= r->room) {
		r->room = 0;
		return;
	}
	memcpy(r->at, data, size);
	r->at += size;
	r->room -= size;
}

static void add_field(struct record *r, const char *name, const char *value)
{
	size_t size = strlen(value);
	uint8_t length[8];

	add_bytes(r, name, strlen(name));
	if (strchr(value, '\n')) {
		le64_put(length, size);
		add_bytes(r, "\n", 1);
		add_bytes(r, length, sizeof(length));
	} else {
		add_bytes(r, "=", 1);
	}
	add_bytes(r, value, size);
	add_bytes(r, "\n", 1);
}

size_t log_journal_record(int level, const char *text, char *ret, size_t room)
{
	struct record r = { .at = ret, .room = room };
	char number[16];

	snprintf(number, sizeof(number), "%d", level);
	add_field(&r, "PRIORITY", number);
	snprintf(number, sizeof(number), "%d", FACILITY_DAEMON);
	add_field(&r, "SYSLOG_FACILITY", number);
	add_field(&r, "SYSLOG_IDENTIFIER", "fetchfs");
	for (size_t i = 0; i < FIELDS_MAX && fields[i].name; i++)
		if (fields[i].value)
			add_field(&r, fields[i].name, fields[i].value);
	add_field(&r, "MESSAGE", text);
	return r.room > 0 ? (size_t)(r.at - ret) : 0;
}

/* Never waits: the journal may stand still because of us. */
static bool log_to_journal(int level, const char *text)
{
	static const struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = JOURNAL_SOCKET };
	char record[RECORD_SIZE];
	size_t size = log_journal_record(level, text, record, sizeof(record));

	return size > 0 && sendto(journal_fd, record, size, MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)&address, sizeof(address)) >= 0;
}

/* "<4>" and the like in front: the kernel's log levels are those of syslog. */
static void log_to_kernel(int level, const char *text)
{
	char line[TEXT_SIZE + 32];
	int n = snprintf(line, sizeof(line), "<%d>fetchfs: %s\n", level, text);

	if (write(kernel_fd, line, (size_t)n) < 0) {
		/* There is nobody left to tell. */
	}
}

static void log_text(int level, const char *text)
{
	int to = atomic_load(&target);

	if (to == LOG_TO_JOURNAL && log_to_journal(level, text))
		return;
	/* Where the journal is not there yet, or any more: the kernel's log, or the system's. */
	if (to == LOG_TO_KMSG || (to == LOG_TO_JOURNAL && kernel_fd >= 0))
		log_to_kernel(level, text);
	else if (to == LOG_TO_SYSLOG || to == LOG_TO_JOURNAL)
		syslog(LOG_DAEMON | level, "%s", text);
	else if (level <= LOG_WARNING)
		message_warning("%s", text);
	else
		message_note("%s", text);
}

static void __attribute__((format(printf, 2, 0))) log_format(int level, const char *format, va_list args)
{
	char text[TEXT_SIZE];

	if (level > log_level())
		return;
	vsnprintf(text, sizeof(text), format, args);
	log_text(level, text);
}

void log_debug(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_format(LOG_DEBUG, format, args);
	va_end(args);
}

void log_note(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_format(LOG_INFO, format, args);
	va_end(args);
}

void log_warning(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_format(LOG_WARNING, format, args);
	va_end(args);
}
