/* SPDX-License-Identifier: MIT */
/*
 * The accounts from one session to the next, so that the folders need not be listed at the start: the last user writes them in the end, the first one reads
 * them and removes the file. They are good only where one program had the cache for itself, and knows all folders, from its beginning to its end.
 *
 *	accounts	"SPOREacc", then the bytes in each folder (cache_room_folder) as little-endian numbers of 8 bytes
 *	shared		empty; somebody came in while another one used the cache
 */
#include "common/io.h"
#include "fetchfs/client/cache_private.h"

#include <fcntl.h>

#define ACCOUNTS_FILE "accounts"
#define SHARED_FILE "shared"
#define MAGIC "SPOREacc"
#define MAGIC_SIZE 8
#define ACCOUNTS_SIZE (MAGIC_SIZE + 8 * CACHE_ROOM_FOLDERS)
#define FOLDER_MAX (1LL << 52)	/* more is no account */

void cache_accounts_shared(struct cache *c)
{
	int fd = openat(c->fd, SHARED_FILE, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	/* Where there is no room even for that, the accounts are off until the folders are listed again. */
	if (fd >= 0)
		close(fd);
}

void cache_accounts_load(struct cache *c)
{
	_cleanup_free_ char *text = NULL;
	uint64_t bytes[CACHE_ROOM_FOLDERS];
	size_t size;
	bool is_good = io_read_file_at(c->fd, ACCOUNTS_FILE, ACCOUNTS_SIZE, &text, &size) == 0 && size == ACCOUNTS_SIZE && memcmp(text, MAGIC, MAGIC_SIZE) == 0;

	(void)unlinkat(c->fd, ACCOUNTS_FILE, 0);
	(void)unlinkat(c->fd, SHARED_FILE, 0);
	for (unsigned i = 0; is_good && i < CACHE_ROOM_FOLDERS; i++) {
		bytes[i] = le64_get(text + MAGIC_SIZE + 8 * i);
		is_good = bytes[i] <= FOLDER_MAX;
	}
	for (unsigned i = 0; is_good && i < CACHE_ROOM_FOLDERS; i++) {
		atomic_store(&c->room.folders[i], (long long)bytes[i]);
		atomic_fetch_add(&c->room.usage, (long long)bytes[i]);
	}
	atomic_store(&c->room.is_counted, is_good);
}

void cache_accounts_save(struct cache *c)
{
	uint8_t text[ACCOUNTS_SIZE] = MAGIC;

	if (!atomic_load(&c->room.is_counted) || faccessat(c->fd, SHARED_FILE, F_OK, 0) == 0)
		return;
	for (unsigned i = 0; i < CACHE_ROOM_FOLDERS; i++)
		le64_put(text + MAGIC_SIZE + 8 * i, (uint64_t)MAX(atomic_load(&c->room.folders[i]), 0));
	(void)cache_replace(c, ACCOUNTS_FILE, text, sizeof(text), false);
}
