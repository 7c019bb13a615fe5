/* SPDX-License-Identifier: MIT */
/*
 * treecmp [-u] [-H] [-S] A B: are two trees exactly the same? Compares names, types, modes, owners, times to the nanosecond, device numbers, sizes,
 * extended attributes, link counts, which names are links to one inode, symbolic links' targets and contents. Prints each difference; exits 1 where
 * there is one. -u: not what an unprivileged copy cannot have (owners, devices, trusted and security attributes, set-ID bits). -H: maps of holes, too.
 * -S: B has no sockets (a tar).
 */
#include "common/base.h"

#include <dirent.h>
#include <err.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#define MAX_PRINTED 50

static bool unprivileged, holes, no_sockets;
static unsigned long differences, compared;
static char path[1 << 20];	/* for messages */

__attribute__((format(printf, 1, 2))) static void differ(const char *format, ...)
{
	va_list args;

	if (++differences > MAX_PRINTED)
		return;
	for (const char *p = path; *p; p++)
		printf((unsigned char)*p < ' ' || (unsigned char)*p > 126 ? "\\x%02x" : "%c", (unsigned char)*p);
	printf(": ");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

/* Links: which inode of B belongs to one of A. */

static struct pair {
	uint64_t a_dev, a_ino, b_dev, b_ino;
} *pairs;
static size_t pair_count, pair_room;

static void compare_links(const struct stat *a, const struct stat *b)
{
	size_t at = (a->st_ino * 0x9e3779b97f4a7c15u) >> 20;

	if (pair_count * 2 >= pair_room) {
		struct pair *old = pairs;
		size_t old_room = pair_room;
		pair_room = pair_room ? pair_room * 2 : 4096;
		pairs = calloc(pair_room, sizeof(*pairs));
		if (!pairs)
			err(2, "memory");
		for (size_t i = 0; i < old_room; i++) {
			if (!old[i].a_ino)
				continue;
			size_t n = ((old[i].a_ino * 0x9e3779b97f4a7c15u) >> 20) % pair_room;
			while (pairs[n].a_ino)
				n = (n + 1) % pair_room;
			pairs[n] = old[i];
		}
		free(old);
	}
	for (at %= pair_room; pairs[at].a_ino; at = (at + 1) % pair_room) {
		if (pairs[at].a_ino != a->st_ino || pairs[at].a_dev != a->st_dev)
			continue;
		if (pairs[at].b_ino != b->st_ino || pairs[at].b_dev != b->st_dev)
			differ("is a hard link to another inode in A, but not in B");
		return;
	}
	pairs[at] = (struct pair){ a->st_dev, a->st_ino, b->st_dev, b->st_ino };
	pair_count++;
}

static int open_at(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0)
		differ("cannot open: %s", strerror(errno));
	return fd;
}

static ssize_t read_piece(int fd, char *buffer, size_t size, off_t at)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = pread(fd, buffer + done, size - done, at + (off_t)done);
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

/* Where both have a hole there is nothing to read; the answer does not depend on it. */
static off_t skip_holes(int a, int b, off_t at, off_t size)
{
	off_t x = lseek(a, at, SEEK_DATA), y = lseek(b, at, SEEK_DATA);

	if (x < 0)
		x = errno == ENXIO ? size : at;
	if (y < 0)
		y = errno == ENXIO ? size : at;
	return MIN(x, y);
}

static void compare_content(int a, int b, off_t size)
{
	static char x[1 << 18], y[1 << 18];

	for (off_t at = 0; at < size;) {
		at = skip_holes(a, b, at, size);
		if (at >= size)
			return;
		ssize_t n = read_piece(a, x, sizeof(x), at), m = read_piece(b, y, sizeof(y), at);
		if (n < 0 || m < 0) {
			differ("cannot read at %lld: %s", (long long)at, strerror(errno));
			return;
		}
		if (n != m || memcmp(x, y, (size_t)n) != 0) {
			differ("contents differ from byte %lld on", (long long)at);
			return;
		}
		if (n == 0)
			return;
		at += n;
	}
}

static void compare_holes(int a, int b, off_t size)
{
	for (off_t at = 0; at < size;) {
		off_t data_a = lseek(a, at, SEEK_DATA), data_b = lseek(b, at, SEEK_DATA);
		if (data_a != data_b) {
			differ("data begins at %lld in A, at %lld in B", (long long)data_a, (long long)data_b);
			return;
		}
		if (data_a < 0)
			return;
		off_t hole_a = lseek(a, data_a, SEEK_HOLE), hole_b = lseek(b, data_a, SEEK_HOLE);
		/* A file system's block may be longer than the data in it. */
		if (hole_a / 4096 != hole_b / 4096 && (hole_a + 4095) / 4096 != (hole_b + 4095) / 4096) {
			differ("a hole begins at %lld in A, at %lld in B", (long long)hole_a, (long long)hole_b);
			return;
		}
		at = MAX(hole_a, hole_b);
	}
}

/* Extended attributes, through /proc so that those of links and devices can be had. */

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_left_out(const char *name)
{
	if (strncmp(name, "user.fetchfs.", 13) == 0 || strcmp(name, "security.selinux") == 0)
		return true;
	return unprivileged && (strncmp(name, "trusted.", 8) == 0 || strncmp(name, "security.", 9) == 0);
}

static size_t list_names(const char *file, char *buffer, size_t size, char **names, size_t room)
{
	ssize_t n = llistxattr(file, buffer, size);
	size_t count = 0;

	if (n < 0 && errno != EOPNOTSUPP)
		differ("cannot list attributes: %s", strerror(errno));
	for (ssize_t at = 0; at < n && count < room; at += (ssize_t)strlen(buffer + at) + 1)
		if (!is_left_out(buffer + at))
			names[count++] = buffer + at;
	qsort(names, count, sizeof(*names), compare_names);
	return count;
}

static void compare_xattrs(int a, int b, const char *name)
{
	static char list_a[65536], list_b[65536], value_a[65536], value_b[65536];
	static char *names_a[1024], *names_b[1024];
	char file_a[300], file_b[300];

	snprintf(file_a, sizeof(file_a), "/proc/self/fd/%d/%s", a, name);
	snprintf(file_b, sizeof(file_b), "/proc/self/fd/%d/%s", b, name);
	size_t n = list_names(file_a, list_a, sizeof(list_a), names_a, 1024), m = list_names(file_b, list_b, sizeof(list_b), names_b, 1024);
	for (size_t i = 0, j = 0; i < n || j < m;) {
		int order = i == n ? 1 : j == m ? -1 : strcmp(names_a[i], names_b[j]);
		if (order != 0) {
			differ("attribute %s is in %s only", order < 0 ? names_a[i] : names_b[j], order < 0 ? "A" : "B");
			i += order < 0;
			j += order > 0;
			continue;
		}
		ssize_t x = lgetxattr(file_a, names_a[i], value_a, sizeof(value_a)), y = lgetxattr(file_b, names_b[j], value_b, sizeof(value_b));
		if (x != y || (x > 0 && memcmp(value_a, value_b, (size_t)x) != 0))
			differ("attribute %s differs (%zd and %zd bytes)", names_a[i], x, y);
		i++;
		j++;
	}
}

static void compare_directories(int a, int b);

static void compare_stat(const struct stat *a, const struct stat *b)
{
	bool is_directory = S_ISDIR(a->st_mode);
	mode_t mask = unprivileged && !is_directory ? 01777 : 07777;

	if ((a->st_mode & mask) != (b->st_mode & mask))
		differ("mode %o in A, %o in B", a->st_mode, b->st_mode);
	if (!unprivileged && (a->st_uid != b->st_uid || a->st_gid != b->st_gid))
		differ("owner %u:%u in A, %u:%u in B", a->st_uid, a->st_gid, b->st_uid, b->st_gid);
	if (a->st_mtim.tv_sec != b->st_mtim.tv_sec || a->st_mtim.tv_nsec != b->st_mtim.tv_nsec)
		differ("time %lld.%09ld in A, %lld.%09ld in B", (long long)a->st_mtim.tv_sec, a->st_mtim.tv_nsec, (long long)b->st_mtim.tv_sec,
		       b->st_mtim.tv_nsec);
	if (!is_directory && a->st_size != b->st_size)
		differ("size %lld in A, %lld in B", (long long)a->st_size, (long long)b->st_size);
	if (a->st_rdev != b->st_rdev)
		differ("device %u,%u in A, %u,%u in B", major(a->st_rdev), minor(a->st_rdev), major(b->st_rdev), minor(b->st_rdev));
	/* Some file systems do not count a directory's links. */
	if (a->st_nlink != b->st_nlink && (!is_directory || (a->st_nlink > 1 && b->st_nlink > 1)))
		differ("%lu links in A, %lu in B", (unsigned long)a->st_nlink, (unsigned long)b->st_nlink);
}

static void compare_targets(int a, int b, const char *name)
{
	static char x[1 << 16], y[1 << 16];
	ssize_t n = readlinkat(a, name, x, sizeof(x)), m = readlinkat(b, name, y, sizeof(y));

	if (n < 0 || n != m || memcmp(x, y, (size_t)n) != 0)
		differ("targets differ");
}

static void compare_entry(int a, int b, const char *name)
{
	struct stat x, y;
	int fd_a, fd_b;

	compared++;
	if (fstatat(a, name, &x, AT_SYMLINK_NOFOLLOW) < 0 || fstatat(b, name, &y, AT_SYMLINK_NOFOLLOW) < 0) {
		differ("cannot look: %s", strerror(errno));
		return;
	}
	if ((x.st_mode ^ y.st_mode) & S_IFMT) {
		differ("type %o in A, %o in B", x.st_mode & S_IFMT, y.st_mode & S_IFMT);
		return;
	}
	compare_stat(&x, &y);
	compare_xattrs(a, b, name);
	if (S_ISLNK(x.st_mode))
		compare_targets(a, b, name);
	if (!S_ISDIR(x.st_mode) && x.st_nlink > 1)
		compare_links(&x, &y);
	if (!S_ISREG(x.st_mode) && !S_ISDIR(x.st_mode))
		return;
	if (unprivileged && !(x.st_mode & S_IRUSR))
		return;
	fd_a = open_at(a, name);
	fd_b = open_at(b, name);
	if (fd_a >= 0 && fd_b >= 0) {
		if (S_ISDIR(x.st_mode)) {
			compare_directories(fd_a, fd_b);
		} else {
			compare_content(fd_a, fd_b, x.st_size);
			if (holes)
				compare_holes(fd_a, fd_b, x.st_size);
		}
	}
	if (fd_a >= 0)
		close(fd_a);
	if (fd_b >= 0)
		close(fd_b);
}

struct names {
	char **list;
	size_t count, room;
};

static void read_names(int fd, struct names *n, bool is_a)
{
	DIR *d = fdopendir(dup(fd));
	struct dirent *e;

	if (!d)
		err(2, "%s", path);
	while ((e = readdir(d))) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		struct stat st;
		if (is_a && (no_sockets || unprivileged) && fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    ((no_sockets && S_ISSOCK(st.st_mode)) || (unprivileged && (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)))))
			continue;
		if (n->count == n->room) {
			n->room = n->room ? 2 * n->room : 64;
			n->list = realloc(n->list, n->room * sizeof(*n->list));
		}
		if (!n->list || !(n->list[n->count++] = strdup(e->d_name)))
			err(2, "memory");
	}
	closedir(d);
	qsort(n->list, n->count, sizeof(*n->list), compare_names);
}

static void compare_directories(int a, int b)
{
	struct names x = { 0 }, y = { 0 };
	size_t length = strlen(path);

	read_names(a, &x, true);
	read_names(b, &y, false);
	for (size_t i = 0, j = 0; i < x.count || j < y.count;) {
		int order = i == x.count ? 1 : j == y.count ? -1 : strcmp(x.list[i], y.list[j]);
		snprintf(path + length, sizeof(path) - length, "/%s", order > 0 ? y.list[j] : x.list[i]);
		if (order == 0)
			compare_entry(a, b, x.list[i]);
		else
			differ("is in %s only", order < 0 ? "A" : "B");
		i += order <= 0;
		j += order >= 0;
	}
	path[length] = '\0';
	for (size_t i = 0; i < x.count; i++)
		free(x.list[i]);
	for (size_t i = 0; i < y.count; i++)
		free(y.list[i]);
	free(x.list);
	free(y.list);
}

int main(int argc, char **argv)
{
	struct rlimit limit;
	int option, a, b;

	while ((option = getopt(argc, argv, "uHS")) != -1) {
		switch (option) {
		case 'u':
			unprivileged = true;
			break;
		case 'H':
			holes = true;
			break;
		case 'S':
			no_sockets = true;
			break;
		default:
			return 64;
		}
	}
	if (optind + 2 != argc)
		errx(64, "usage: treecmp [-u] [-H] [-S] A B");
	/* Every level of a deep tree keeps descriptors open. */
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	a = open(argv[optind], O_RDONLY | O_DIRECTORY);
	b = open(argv[optind + 1], O_RDONLY | O_DIRECTORY);
	if (a < 0 || b < 0)
		err(2, "cannot open %s", argv[a < 0 ? optind : optind + 1]);
	strcpy(path, ".");
	compare_entry(a, b, ".");
	if (differences)
		printf("%lu differences in %lu entries\n", differences, compared);
	else
		printf("the same: %lu entries\n", compared);
	return differences ? 1 : 0;
}
