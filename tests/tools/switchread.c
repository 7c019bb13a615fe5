/* SPDX-License-Identifier: MIT */
/*
 * A tree in two variants, and readers of a mount that changes from one to the other and back: whatever they read must be of one of the two as a whole, and what is
 * in both must always be there.
 *
 * usage: switchread make DIRECTORY VARIANT		(a or b)
 *        switchread read MOUNT PROCESSES SECONDS END	for so long, or until the file END is there; exit 0: all was right; it says how much was read
 */
#include "common/base.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#define DIRECTORIES 60
#define FILES 300		/* in each: enough for several catalogs */
#define WITH_CONTENT 20
#define SAME_TIME 1700000000
#define LARGE_SIZE 5000000
#define KEPT 8			/* files that a reader holds open */
#define PATH_SIZE 64

struct entry {
	char path[PATH_SIZE];
	size_t size;
	bool changes, only_a, only_b;
};

static struct entry *entries;
static size_t entry_count;
static uint64_t seed;

static uint64_t random_next(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* The byte at a place of a file in a variant; the first half of a large file is the same in both. */
static uint8_t content(const struct entry *e, unsigned variant, size_t at)
{
	uint64_t h = 14695981039346656037u;

	for (const char *p = e->path; *p; p++)
		h = (h ^ (uint8_t)*p) * 1099511628211u;
	if (e->changes && variant && (e->size != LARGE_SIZE || at >= LARGE_SIZE / 2))
		h += 0x9e3779b97f4a7c15u;
	h += at / 8 * 0x2545f4914f6cdd1du;
	h ^= h >> 29;
	h *= 0xbf58476d1ce4e5b9u;
	return (uint8_t)(h >> (8 * (at % 8)));
}

static struct entry *add_entry(size_t size, bool changes, const char *path)
{
	struct entry *e = &entries[entry_count++];

	snprintf(e->path, sizeof(e->path), "%s", path);
	e->size = size;
	e->changes = changes;
	return e;
}

static void list_entries(void)
{
	entries = calloc(DIRECTORIES * FILES + 16, sizeof(*entries));
	if (!entries)
		abort();
	for (unsigned d = 0; d < DIRECTORIES; d++)
		for (unsigned f = 0; f < FILES; f++) {
			size_t size = f < WITH_CONTENT ? 100 + (d * 977 + f * 3571) % 20000 : 0;
			char path[PATH_SIZE];
			struct entry *e;
			snprintf(path, sizeof(path), "d%02u/f%03u", d, f);
			e = add_entry(size, f < WITH_CONTENT && (d * 7 + f) % 5 == 0, path);
			e->only_a = f == 21;
			e->only_b = f == 22;
		}
	add_entry(LARGE_SIZE, true, "large");
	add_entry(LARGE_SIZE, false, "large-same");
	/* Linked into every directory, so that its inode is in a catalog above. */
	add_entry(3000, true, "shared");
	add_entry(3000, false, "shared-same");
}

static void die(const char *what, const char *path)
{
	fprintf(stderr, "switchread: %s %s: %s\n", what, path, strerror(errno));
	exit(1);
}

static void set_time(int directory, const char *path)
{
	struct timespec times[2] = { { .tv_sec = SAME_TIME }, { .tv_sec = SAME_TIME } };

	if (utimensat(directory, path, times, AT_SYMLINK_NOFOLLOW) < 0)
		die("time of", path);
}

static void make_file(int directory, const struct entry *e, unsigned variant)
{
	uint8_t *data = malloc(e->size + 1);
	int fd = openat(directory, e->path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	if (fd < 0 || !data)
		die("make", e->path);
	for (size_t i = 0; i < e->size; i++)
		data[i] = content(e, variant, i);
	if (write(fd, data, e->size) != (ssize_t)e->size || fchmod(fd, variant && e->path[5] == '5' ? 0600 : 0644) < 0)
		die("write", e->path);
	close(fd);
	free(data);
	set_time(directory, e->path);
}

static void make_tree(const char *where, unsigned variant)
{
	char name[PATH_SIZE];
	int directory;

	if (mkdir(where, 0755) < 0 || (directory = open(where, O_RDONLY | O_DIRECTORY)) < 0)
		die("make", where);
	for (unsigned d = 0; d < DIRECTORIES; d++) {
		snprintf(name, sizeof(name), "d%02u", d);
		if (mkdirat(directory, name, 0755) < 0)
			die("make", name);
	}
	for (size_t i = 0; i < entry_count; i++)
		if (variant ? !entries[i].only_a : !entries[i].only_b)
			make_file(directory, &entries[i], variant);
	for (unsigned d = 0; d < DIRECTORIES; d++) {
		for (unsigned i = 0; i < 2; i++) {
			snprintf(name, sizeof(name), "d%02u/shared%s", d, i ? "-same" : "");
			if (linkat(directory, i ? "shared-same" : "shared", directory, name, 0) < 0)
				die("link", name);
		}
		snprintf(name, sizeof(name), "d%02u/link", d);
		if (symlinkat(variant ? "target-b" : "target-a", directory, name) < 0)
			die("link", name);
		set_time(directory, name);
	}
	snprintf(name, sizeof(name), "only-%c", variant ? 'b' : 'a');
	if (mkdirat(directory, name, 0755) < 0)
		die("make", name);
	close(directory);
}

/* Held against both variants; which it may be: bit 0 a, bit 1 b. */
static unsigned compare(const struct entry *e, const uint8_t *data, size_t offset, size_t size, unsigned may_be)
{
	for (unsigned v = 0; v < 2; v++)
		for (size_t i = 0; may_be & 1u << v && i < size; i++)
			if (data[i] != content(e, v, offset + i))
				may_be &= ~(1u << v);
	return may_be;
}

struct reader {
	int mount;
	unsigned long long files, bytes;
	struct kept {
		const struct entry *e;
		int fd;
		unsigned is;
		struct stat st;
	} kept[KEPT];
	uint64_t *inos;		/* of what does not change, once seen */
};

static void wrong(const struct entry *e, const char *what)
{
	fprintf(stderr, "switchread: %s: %s (%s)\n", e->path, what, strerror(errno));
	exit(1);
}

static unsigned read_part(struct reader *r, const struct entry *e, int fd, size_t offset, size_t size, unsigned may_be)
{
	uint8_t buf[32768];
	ssize_t n;

	size = MIN(MIN(size, sizeof(buf)), e->size - offset);
	errno = 0;
	n = pread(fd, buf, size, (off_t)offset);
	if (n != (ssize_t)size)
		wrong(e, n < 0 ? "cannot be read" : "is too short");
	r->bytes += size;
	may_be = compare(e, buf, offset, size, may_be);
	if (!may_be)
		wrong(e, "is neither of the one nor of the other variant");
	return may_be;
}

static unsigned read_mapped(const struct entry *e, int fd, unsigned may_be)
{
	uint8_t *data = mmap(NULL, e->size, PROT_READ, MAP_SHARED, fd, 0);

	if (data == MAP_FAILED)
		wrong(e, "cannot be mapped");
	may_be = compare(e, data, 0, MIN(e->size, (size_t)65536), may_be);
	munmap(data, e->size);
	if (!may_be)
		wrong(e, "is neither of the one nor of the other variant when it is mapped");
	return may_be;
}

static void read_kept(struct reader *r, struct kept *k)
{
	struct stat st;

	if (fstat(k->fd, &st) < 0)
		wrong(k->e, "has no attributes while it is open");
	if (st.st_ino != k->st.st_ino || st.st_size != k->st.st_size)
		wrong(k->e, "has become another file while it is open");
	if (k->e->size)
		k->is = read_part(r, k->e, k->fd, random_next() % k->e->size, 4096, k->is);
}

static void check_ino(struct reader *r, const struct entry *e, uint64_t ino)
{
	uint64_t *seen = &r->inos[e - entries];

	if (e->changes || e->only_a || e->only_b)
		return;
	if (*seen && *seen != ino)
		wrong(e, "has got another inode number, though it did not change");
	*seen = ino;
}

static void read_file(struct reader *r, const struct entry *e)
{
	struct kept *k = &r->kept[random_next() % KEPT];
	unsigned may_be = e->changes ? 3 : 1;
	struct stat st;
	int fd;

	errno = 0;
	fd = openat(r->mount, e->path, O_RDONLY);
	if (fd < 0) {
		if (errno == ENOENT && (e->only_a || e->only_b))
			return;
		wrong(e, "cannot be opened");
	}
	if (fstat(fd, &st) < 0 || (size_t)st.st_size != e->size)
		wrong(e, "has a wrong size");
	check_ino(r, e, st.st_ino);
	for (unsigned i = 0; e->size && i < 3; i++)
		may_be = read_part(r, e, fd, i ? random_next() % e->size : 0, sizeof(uint8_t[32768]), may_be);
	if (e->size && random_next() % 4 == 0)
		may_be = read_mapped(e, fd, may_be);
	r->files++;
	if (k->e) {
		read_kept(r, k);
		close(k->fd);
	}
	*k = (struct kept){ .e = e, .fd = fd, .is = may_be, .st = st };
}

/* What is in both variants is there exactly once. */
static void read_listing(struct reader *r, unsigned d)
{
	struct entry *first = &entries[d * FILES];
	uint8_t seen[FILES] = { 0 };
	char name[PATH_SIZE];
	struct dirent *e;
	DIR *dir;
	int fd;

	snprintf(name, sizeof(name), "d%02u", d);
	errno = 0;
	fd = openat(r->mount, name, O_RDONLY | O_DIRECTORY);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		wrong(first, "the directory cannot be opened");
	while ((e = readdir(dir))) {
		unsigned f;
		if (sscanf(e->d_name, "f%u", &f) == 1 && f < FILES && seen[f]++)
			wrong(&first[f], "is listed twice");
	}
	if (errno)
		wrong(first, "the directory cannot be listed");
	closedir(dir);
	for (unsigned f = 0; f < FILES; f++)
		if (!seen[f] && !first[f].only_a && !first[f].only_b)
			wrong(&first[f], "is not listed");
}

static void read_link(struct reader *r, unsigned d)
{
	char name[PATH_SIZE], target[PATH_SIZE] = "";
	struct entry e = { .path = "link" };

	snprintf(name, sizeof(name), "d%02u/link", d);
	if (readlinkat(r->mount, name, target, sizeof(target) - 1) < 0 || (strcmp(target, "target-a") != 0 && strcmp(target, "target-b") != 0))
		wrong(&e, target);
}

static int run_reader(const char *mount, unsigned number, time_t until, const char *end)
{
	struct reader r = { .mount = open(mount, O_RDONLY | O_DIRECTORY), .inos = calloc(entry_count, sizeof(*r.inos)) };

	if (r.mount < 0 || !r.inos)
		die("open", mount);
	seed = 88172645463325252u + number * 7919;
	while (time(NULL) < until && access(end, F_OK) < 0) {
		unsigned die = (unsigned)(random_next() % 100);
		unsigned d = (unsigned)(random_next() % DIRECTORIES);
		if (die < 3)
			read_listing(&r, d);
		else if (die < 6)
			read_link(&r, d);
		else if (die < 8)
			read_file(&r, &entries[entry_count - 1 - random_next() % 4]);
		else if (die < 60)
			read_file(&r, &entries[d * FILES + random_next() % (WITH_CONTENT + 5)]);
		else
			read_file(&r, &entries[d * FILES + random_next() % FILES]);
		for (unsigned i = 0; i < KEPT; i++)
			if (r.kept[i].e && random_next() % 16 == 0)
				read_kept(&r, &r.kept[i]);
	}
	printf("%llu %llu\n", r.files, r.bytes);
	return fflush(stdout) != 0;
}

static int read_all(const char *mount, unsigned processes, unsigned seconds, const char *end)
{
	time_t until = time(NULL) + seconds;
	int bad = 0, status;

	for (unsigned i = 0; i < processes; i++) {
		pid_t pid = fork();
		if (pid == 0)
			_exit(run_reader(mount, i, until, end));
		if (pid < 0)
			die("fork", mount);
	}
	while (wait(&status) > 0)
		bad += !WIFEXITED(status) || WEXITSTATUS(status) != 0;
	return bad ? 1 : 0;
}

int main(int argc, char **argv)
{
	list_entries();
	if (argc == 4 && strcmp(argv[1], "make") == 0) {
		make_tree(argv[2], argv[3][0] == 'b');
		return 0;
	}
	if (argc == 6 && strcmp(argv[1], "read") == 0)
		return read_all(argv[2], (unsigned)atoi(argv[3]), (unsigned)atoi(argv[4]), argv[5]);
	fprintf(stderr, "usage: switchread make DIRECTORY VARIANT | read MOUNT PROCESSES SECONDS END\n");
	return 64;
}
