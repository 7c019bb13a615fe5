/* SPDX-License-Identifier: MIT */
/*
 * mktree [-s] DIRECTORY: a tree that holds everything a root filesystem may hold, and what breaks those who take shortcuts. -s: a small one (hundreds of entries
 * instead of 60,000). Without root what needs privilege is left out, and said. The same call gives the same tree, apart from inode numbers.
 */
#include "common/base.h"

#include <err.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/xattr.h>

static bool is_root, small;

static void set_time(int dir, const char *name, int64_t seconds, long nanoseconds)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = (time_t)seconds, .tv_nsec = nanoseconds } };

	if (utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		err(1, "utimensat %s", name);
}

static void own(int dir, const char *name, uint32_t uid, uint32_t gid)
{
	if (is_root && fchownat(dir, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
		err(1, "chown %s", name);
}

/* Text that compresses a little and differs from file to file. */
static void make_file(int dir, const char *name, size_t size, uint32_t seed, mode_t mode)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
	uint8_t buffer[65536];
	uint32_t x = seed * 2654435761u + 1;

	if (fd < 0)
		err(1, "make %s", name);
	while (size > 0) {
		size_t n = MIN(size, sizeof(buffer));
		for (size_t i = 0; i < n; i++) {
			x = x * 1664525 + 1013904223;
			buffer[i] = (uint8_t)(i % 3 ? x >> 24 : 'a' + seed % 26);
		}
		if (write(fd, buffer, n) != (ssize_t)n)
			err(1, "write %s", name);
		size -= n;
	}
	if (fchmod(fd, mode) < 0)
		err(1, "chmod %s", name);
	close(fd);
	set_time(dir, name, 1500000000 + seed, 123456789);
}

static int make_directory(int dir, const char *name)
{
	int fd;

	if (mkdirat(dir, name, 0755) < 0 || (fd = openat(dir, name, O_RDONLY | O_DIRECTORY)) < 0)
		err(1, "mkdir %s", name);
	return fd;
}

static void finish_directory(int dir, const char *name, int fd, int64_t seconds)
{
	close(fd);
	set_time(dir, name, seconds, 987654321);
}

static void make_types(int root)
{
	int d = make_directory(root, "types");
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int s = socket(AF_UNIX, SOCK_STREAM, 0);

	make_file(d, "plain", 1000, 1, 0644);
	make_file(d, "empty", 0, 2, 0600);
	make_file(d, "setuid", 100, 3, 04755);
	make_file(d, "setgid", 100, 4, 02755);
	make_file(d, "none", 100, 5, 0000);
	if (symlinkat("plain", d, "symlink") < 0 || symlinkat("/no/such/place", d, "dangling") < 0 || mkfifoat(d, "fifo", 0640) < 0)
		err(1, "links");
	char target[4001];
	memset(target, 't', 4000);
	target[4000] = '\0';
	if (symlinkat(target, d, "long-symlink") < 0)
		err(1, "long symlink");
	set_time(d, "symlink", -1, 1);
	set_time(d, "dangling", 1600000000, 5);
	set_time(d, "long-symlink", 1600000001, 5);
	set_time(d, "fifo", 1600000002, 5);
	/* A socket's address is short, so it is bound from within. */
	int here = open(".", O_RDONLY | O_DIRECTORY);
	strcpy(address.sun_path, "socket");
	if (s < 0 || here < 0 || fchdir(d) < 0 || bind(s, (struct sockaddr *)&address, sizeof(address)) < 0 || fchdir(here) < 0)
		err(1, "socket");
	close(here);
	close(s);
	set_time(d, "socket", 1600000003, 5);
	if (is_root) {
		if (mknodat(d, "character", S_IFCHR | 0666, makedev(1, 3)) < 0 || mknodat(d, "block", S_IFBLK | 0660, makedev(259, 1048575)) < 0)
			err(1, "mknod");
		set_time(d, "character", 1600000004, 5);
		set_time(d, "block", 1600000005, 5);
	}
	close(make_directory(d, "sticky"));
	if (fchmodat(d, "sticky", 01777, 0) < 0)
		err(1, "chmod sticky");
	set_time(d, "sticky", 1600000006, 5);
	close(make_directory(d, "closed"));
	set_time(d, "closed", 1600000007, 5);
	if (fchmodat(d, "closed", is_root ? 0000 : 0700, 0) < 0)
		err(1, "chmod closed");
	finish_directory(root, "types", d, 1234567890);
}

static void make_names(int root)
{
	int d = make_directory(root, "names");
	char longest[256], name[2] = "";

	memset(longest, 'n', 255);
	longest[255] = '\0';
	make_file(d, longest, 10, 10, 0644);
	make_file(d, "\xff\xfe not UTF-8 \x80", 11, 11, 0644);
	make_file(d, "new\nline\ttab", 12, 12, 0644);
	make_file(d, " ", 13, 13, 0644);
	make_file(d, "-rf", 14, 14, 0644);
	make_file(d, "\xc3\xa4\xe2\x82\xac\xf0\x9f\x8c\xb1", 15, 15, 0644);
	make_file(d, "...", 16, 16, 0644);
	make_file(d, "a\\b\"c'd$e`f", 17, 17, 0644);
	/* Each byte alone; the order of bytes above 127 shows whether they are compared as unsigned. */
	for (int c = 1; c < 256; c++) {
		if (c == '/' || c == '.' || c == ' ')
			continue;
		name[0] = (char)c;
		make_file(d, name, 3, (uint32_t)c, 0644);
	}
	/* A name and one that begins with it, and what sorts between them and their contents. */
	close(make_directory(d, "prefix"));
	set_time(d, "prefix", 1600000000, 0);
	make_file(d, "prefix-", 4, 20, 0644);
	make_file(d, "prefix.d", 4, 21, 0644);
	finish_directory(root, "names", d, 1234567891);
}

static void make_times(int root)
{
	static const struct {
		const char *name;
		int64_t seconds;
		long nanoseconds;
	} times[] = {
		{ "1901", -2147483648LL, 0 }, { "1969", -1, 999999999 }, { "epoch", 0, 0 }, { "2038", 2147483647, 1 },
		{ "2039", 2177452800LL, 999999999 }, { "2106", 4294967296LL, 500000000 }, { "2400", 13569465600LL, 42 },
	};
	int d = make_directory(root, "times");

	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		make_file(d, times[i].name, 5, (uint32_t)i, 0644);
		set_time(d, times[i].name, times[i].seconds, times[i].nanoseconds);
	}
	finish_directory(root, "times", d, -5);
}

static void make_owners(int root)
{
	static const uint32_t ids[] = { 0, 1, 65534, 65535, 65536, 2147483647, 2147483648u, 4294967293u, 4294967294u };
	int d = make_directory(root, "owners");

	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		char name[32];
		snprintf(name, sizeof(name), "uid-%u", ids[i]);
		make_file(d, name, 6, (uint32_t)i, 0644);
		own(d, name, ids[i], ids[ARRAY_SIZE(ids) - 1 - i]);
		set_time(d, name, 1600000000, 1);
	}
	finish_directory(root, "owners", d, 1234567892);
}

static void set_xattr(int dir, const char *name, const char *attribute, const void *value, size_t size)
{
	char path[300];

	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dir, name);
	if (lsetxattr(path, attribute, value, size, 0) < 0) {
		if (errno != EOPNOTSUPP && errno != EPERM && errno != ENOSPC)
			err(1, "setxattr %s %s", name, attribute);
		warn("left out: %s of %s", attribute, name);
	}
}

static size_t make_acl(uint8_t *p)
{
	static const struct {
		uint16_t tag, permissions;
		uint32_t id;
	} entries[] = {
		{ 0x01, 7, UINT32_MAX }, { 0x02, 5, 1000 }, { 0x02, 6, 70000 }, { 0x04, 5, UINT32_MAX },
		{ 0x08, 4, 50 }, { 0x10, 7, UINT32_MAX }, { 0x20, 0, UINT32_MAX },
	};

	le32_put(p, 2);
	for (size_t i = 0; i < ARRAY_SIZE(entries); i++) {
		le16_put(p + 4 + i * 8, entries[i].tag);
		le16_put(p + 6 + i * 8, entries[i].permissions);
		le32_put(p + 8 + i * 8, entries[i].id);
	}
	return 4 + ARRAY_SIZE(entries) * 8;
}

static void make_xattrs(int root)
{
	static const uint8_t capability[20] = { 1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 };
	int d = make_directory(root, "xattrs");
	uint8_t acl[256], large[3000];
	size_t size = make_acl(acl);

	memset(large, 0xa5, sizeof(large));
	make_file(d, "user", 7, 30, 0644);
	set_xattr(d, "user", "user.note", "a value\0with a zero", 19);
	set_xattr(d, "user", "user.empty", "", 0);
	set_xattr(d, "user", "user.alpha", "x", 1);
	make_file(d, "large", 7, 31, 0644);
	set_xattr(d, "large", "user.large", large, sizeof(large));
	make_file(d, "acl", 7, 32, 0644);
	set_xattr(d, "acl", "system.posix_acl_access", acl, size);
	close(make_directory(d, "default-acl"));
	set_xattr(d, "default-acl", "system.posix_acl_default", acl, size);
	set_xattr(d, "default-acl", "user.of-a-directory", "yes", 3);
	if (is_root) {
		make_file(d, "capability", 7, 33, 0755);
		set_xattr(d, "capability", "security.capability", capability, sizeof(capability));
		make_file(d, "trusted", 7, 34, 0755);
		set_xattr(d, "trusted", "trusted.note", "t", 1);
		if (symlinkat("user", d, "symlink") < 0 || mknodat(d, "device", S_IFCHR | 0600, makedev(1, 5)) < 0)
			err(1, "xattrs");
		set_xattr(d, "symlink", "trusted.of-a-symlink", "s", 1);
		set_xattr(d, "device", "trusted.of-a-device", "d", 1);
		set_time(d, "symlink", 1600000000, 7);
		set_time(d, "device", 1600000000, 8);
	}
	static const char *const names[] = { "user", "large", "acl", "default-acl", "capability", "trusted" };
	for (size_t i = 0; i < (is_root ? 6 : 4); i++)
		set_time(d, names[i], 1600000000, (long)i);
	finish_directory(root, "xattrs", d, 1234567893);
}

static void put(int fd, const char *text, off_t at)
{
	if (pwrite(fd, text, strlen(text), at) < 0)
		err(1, "pwrite");
}

static void make_sparse(int root)
{
	static const struct {
		const char *name;
		off_t size, data[4];
	} files[] = {
		{ "over-4G", (off_t)5 << 30, { 0, ((off_t)5 << 30) - 100, -1 } },
		{ "all-hole", 10 << 20, { -1 } },
		{ "hole-first", (3 << 20) + 77, { 3 << 20, -1 } },
		{ "hole-last", 4 << 20, { 0, -1 } },
		{ "holes-between", (off_t)1 << 24, { 65536, 3 << 20, 9 << 20, -1 } },
	};
	int d = make_directory(root, "sparse");

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		int fd = openat(d, files[i].name, O_WRONLY | O_CREAT | O_EXCL, 0644);
		if (fd < 0 || ftruncate(fd, files[i].size) < 0)
			err(1, "sparse %s", files[i].name);
		for (size_t n = 0; n < 4 && files[i].data[n] >= 0; n++)
			put(fd, "data between two holes", files[i].data[n]);
		if (fsync(fd) < 0)
			err(1, "fsync");
		close(fd);
		set_time(d, files[i].name, 1600000000, (long)i);
	}
	finish_directory(root, "sparse", d, 1234567894);
}

/* Around the limits of chunks and packs. */
static void make_sizes(int root)
{
	static const size_t sizes[] = { 1, 4095, 4096, 4097, (2 << 20) - 1, 2 << 20, (2 << 20) + 1, 4 << 20, 5000000 };
	int d = make_directory(root, "sizes");

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		char name[32];
		snprintf(name, sizeof(name), "%zu", sizes[i]);
		make_file(d, name, sizes[i], 40 + (uint32_t)i, 0644);
	}
	make_file(d, "the-same-as-5000000", 5000000, 48, 0644);
	finish_directory(root, "sizes", d, 1234567895);
}

/* Longer than PATH_MAX by long names, and deeper than there are descriptors by short ones. */
static void make_deep(int root)
{
	char name[231];
	int fds[32], d = make_directory(root, "deep"), levels = small ? 300 : 1100, fd;

	memset(name, 'd', 230);
	name[230] = '\0';
	fds[0] = d;
	for (int i = 1; i < 24; i++)
		fds[i] = make_directory(fds[i - 1], name);
	make_file(fds[23], "bottom", 100, 50, 0644);
	for (int i = 23; i > 0; i--)
		finish_directory(fds[i - 1], name, fds[i], 1300000000 + i);
	fd = openat(root, "deep", O_RDONLY | O_DIRECTORY);
	for (int i = 0; i < levels; i++) {
		int next = make_directory(fd, "x");
		close(fd);
		fd = next;
	}
	make_file(fd, "bottom", 100, 51, 0644);
	/* Times from the bottom to the top, by "..". */
	for (int i = 0; i < levels; i++) {
		int above = openat(fd, "..", O_RDONLY | O_DIRECTORY);
		close(fd);
		set_time(above, "x", 1310000000 + i, 5);
		fd = above;
	}
	close(fd);
	set_time(root, "deep", 1234567896, 1);
}

static void make_many(int root)
{
	int count = small ? 400 : 40000, d = make_directory(root, "many");

	for (int i = 0; i < count; i++) {
		char name[64];
		snprintf(name, sizeof(name), "entry-%d", i * 7919 % count);
		make_file(d, name, (size_t)(i % 5), (uint32_t)i, 0644);
	}
	finish_directory(root, "many", d, 1234567897);
}

/* Subtrees heavy enough to become catalogs, with hard links between them, out of them and within one. */
static void make_forest(int root)
{
	int d = make_directory(root, "forest"), trees = small ? 3 : 20, leaves = small ? 20 : 900;
	int within = make_directory(root, "links");

	make_file(root, "linked-everywhere", 500, 60, 0644);
	make_file(within, "a", 501, 61, 0644);
	if (linkat(within, "a", within, "b", 0) < 0)
		err(1, "link");
	for (int t = 0; t < trees; t++) {
		char tree[32], name[32];
		snprintf(tree, sizeof(tree), "tree-%d", t);
		int fd = make_directory(d, tree);
		for (int i = 0; i < leaves; i++) {
			snprintf(name, sizeof(name), "leaf-%d", i);
			make_file(fd, name, 20, (uint32_t)(t * leaves + i), 0644);
		}
		if (linkat(root, "linked-everywhere", fd, "linked", 0) < 0)
			err(1, "link");
		if (t > 0 && linkat(d, "tree-0/leaf-1", fd, "from-tree-0", 0) < 0)
			err(1, "link");
		if (symlinkat("../tree-0", fd, "neighbour") < 0)
			err(1, "symlink");
		set_time(fd, "neighbour", 1600000000, 1);
		if (linkat(fd, "neighbour", fd, "neighbour-again", 0) < 0)
			err(1, "link of a symlink");
		finish_directory(d, tree, fd, 1400000000 + t);
	}
	if (mkfifoat(within, "fifo", 0600) < 0 || linkat(within, "fifo", d, "fifo", 0) < 0)
		err(1, "link of a fifo");
	set_time(within, "fifo", 1600000000, 2);
	finish_directory(root, "links", within, 1234567898);
	finish_directory(root, "forest", d, 1234567899);
}

int main(int argc, char **argv)
{
	int option, root;

	while ((option = getopt(argc, argv, "s")) != -1) {
		if (option != 's')
			return 64;
		small = true;
	}
	if (optind + 1 != argc)
		errx(64, "usage: mktree [-s] DIRECTORY");
	is_root = geteuid() == 0;
	umask(022);
	if (!is_root)
		warnx("left out without root: devices, owners, capabilities, trusted attributes");
	if (mkdir(argv[optind], 0755) < 0 || (root = open(argv[optind], O_RDONLY | O_DIRECTORY)) < 0)
		err(1, "mkdir %s", argv[optind]);
	make_types(root);
	make_names(root);
	make_times(root);
	make_owners(root);
	make_xattrs(root);
	make_sparse(root);
	make_sizes(root);
	make_deep(root);
	make_many(root);
	make_forest(root);
	close(root);
	set_time(AT_FDCWD, argv[optind], 1111111111, 111);
	return 0;
}
