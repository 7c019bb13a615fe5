/* SPDX-License-Identifier: MIT */
/* See cache_trouble.h. */
#include "fetchfs/client/cache_trouble.h"
#include "common/message.h"

bool cache_can_be_memory(const char *path, errint_t r)
{
	/* What a full, read-only or broken disk says, in contrast to a wrong name or a missing right. */
	if (r != -EROFS && r != -ENOSPC && r != -EDQUOT && r != -EIO)
		return false;
	message_warning("cannot use the cache directory %s: %s; the cache is kept in memory and will be lost at the end", path, strerror(-r));
	return true;
}

int cache_refuse(const char *path, const char *lower, errint_t r)
{
	if (!path)
		message_error("cannot keep the cache in memory: %s; a tmpfs of its own needs root, /dev/shm must be a tmpfs else", strerror(-r));
	else if (lower)
		message_error("cannot use the cache directory %s or one of those beneath (%s): %s", path, lower, strerror(-r));
	else
		message_error("cannot use the cache directory %s: %s; give another one with -c DIRECTORY", path, strerror(-r));
	return r == -EACCES || r == -EPERM ? EXIT_NO_PERMISSION : EXIT_CANNOT_CREATE;
}
