/* SPDX-License-Identifier: MIT */
/*
 * A worker that says it is ready to take a mount over and ends with exit code 9 instead, for tests: when it is told to go; with "-now" at the end of its program's name at
 * once; with "-stopping" it stops the worker that is there before (SIGSTOP), so that this one cannot make way.
 */
#include "common/message.h"
#include "fetchfs/client/channel.h"
#include "fetchfs/client/takeover.h"

#include <signal.h>

static bool is_called(const char *end)
{
	char path[512];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path)), size = (ssize_t)strlen(end);

	return n > size && memcmp(path + n - size, end, (size_t)size) == 0;
}

static void stop_others(void)
{
	char path[64];
	FILE *f;
	int pid;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)getppid(), (int)getppid());
	f = fopen(path, "re");
	while (f && fscanf(f, "%d", &pid) == 1)
		if (pid != getpid())
			kill(pid, SIGSTOP);
	if (f)
		fclose(f);
}

int main(int argc, char **argv)
{
	struct channel_message m;
	uint64_t channel;

	if (argc < 2 || strncmp(argv[1], TAKEOVER_ARGUMENT, strlen(TAKEOVER_ARGUMENT)) != 0 ||
	    parse_number(argv[1] + strlen(TAKEOVER_ARGUMENT), 3, INT32_MAX, &channel) < 0)
		return EXIT_USAGE;
	if (channel_receive((int)channel, &m) < 0)
		return EXIT_SOFTWARE;
	if (is_called("-stopping"))
		stop_others();
	if (channel_send((int)channel, TAKEOVER_PREPARED, NULL, 0, NULL, 0) < 0)
		return EXIT_SOFTWARE;
	if (!is_called("-now"))
		(void)channel_receive((int)channel, &m);
	return 9;
}
