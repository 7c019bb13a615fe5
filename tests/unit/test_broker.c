/* SPDX-License-Identifier: MIT */
/* The supervisor's end of the broker, asked as a worker that was taken over may ask. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fetchfs/client/broker_private.h"
#include "common/io.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>

struct broker_test {
	char directory[64], file[96];
	struct settings settings;
	struct broker broker;
	int channels[2];
	int cache;
};

static void setup(struct broker_test *p)
{
	memset(p, 0, sizeof(*p));
	strcpy(p->directory, "/tmp/spore-broker-XXXXXX");
	assert_non_null(mkdtemp(p->directory));
	snprintf(p->file, sizeof(p->file), "%s/pin", p->directory);
	settings_init(&p->settings);
	p->settings.pin_file = p->file;
	assert_int_equal(broker_init(&p->broker, &p->settings), 0);
	p->cache = p->broker.cache = open(p->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(p->cache >= 0);
	assert_int_equal(channel_pair(p->channels), 0);
	/* Never waits for what does not come. */
	assert_int_equal(fcntl(p->channels[0], F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(fcntl(p->channels[1], F_SETFL, O_NONBLOCK), 0);
}

static void teardown(struct broker_test *p)
{
	(void)unlink(p->file);
	(void)rmdir(p->directory);
	broker_done(&p->broker);
	settings_done(&p->settings);
	close(p->cache);
	close(p->channels[0]);
	close(p->channels[1]);
}

/* What the supervisor answers; what broker_answer makes of it is in *ret. */
static int32_t ask(struct broker_test *p, uint32_t type, const char *path, int fd, errint_t *ret)
{
	struct broker_question q = { .mode = 0644 };
	struct channel_message m;
	int32_t result;

	strcpy(q.path, path);
	assert_int_equal(channel_send(p->channels[1], type, &q, sizeof(q), &fd, fd >= 0 ? 1 : 0), 0);
	*ret = broker_answer(&p->broker, p->channels[0]);
	assert_int_equal(channel_receive(p->channels[1], &m), 0);
	assert_int_equal(m.size, sizeof(result));
	memcpy(&result, m.data, sizeof(result));
	channel_message_done(&m);
	return result;
}

static int memory(const char *text, uint64_t size, int seals)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(fd >= 0);
	assert_int_equal(io_write_full(fd, text, strlen(text)), 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static void test_write(void **state)
{
	_cleanup_close_ int fd = memory("pinned", 6, BROKER_SEALS);
	_cleanup_free_ char *text = NULL;
	struct broker_test p;
	size_t size;
	errint_t r;

	(void)state;
	setup(&p);
	assert_int_equal(ask(&p, BROKER_WRITE, p.file, fd, &r), 0);
	assert_int_equal(r, 0);
	assert_int_equal(io_read_file(p.file, 100, &text, &size), 0);
	assert_string_equal(text, "pinned");
	assert_int_equal(ask(&p, BROKER_WRITE, "/etc/other", fd, &r), -EPERM);
	teardown(&p);
}

/* Reading them could last for ever, or never be the same. */
static void test_write_from_elsewhere(void **state)
{
	_cleanup_close_ int loose = memory("text", 4, F_SEAL_WRITE), zero = open("/dev/zero", O_RDONLY | O_CLOEXEC), file = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int large = memory("", BROKER_WRITE_MAX + 1, BROKER_SEALS);
	const int bad[] = { loose, zero, file };
	struct broker_test p;
	errint_t r;

	(void)state;
	setup(&p);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(ask(&p, BROKER_WRITE, p.file, bad[i], &r), -EBADMSG);
		assert_int_equal(r, -EBADMSG);
	}
	assert_int_equal(ask(&p, BROKER_WRITE, p.file, large, &r), -EFBIG);
	assert_int_equal(access(p.file, F_OK), -1);
	teardown(&p);
}

/* There is no device: what would be given to it fails there, all else before. */
static void test_backing(void **state)
{
	_cleanup_close_ int written = -1, read = -1, path = -1, elsewhere = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	struct broker_test p;
	errint_t r;

	(void)state;
	setup(&p);
	written = open(p.file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	read = open(p.file, O_RDONLY | O_CLOEXEC);
	path = open(p.file, O_PATH | O_CLOEXEC);
	assert_int_equal(ask(&p, BROKER_OPEN_BACKING, "", read, &r), -EBADF);
	assert_int_equal(ask(&p, BROKER_OPEN_BACKING, "", written, &r), -EPERM);
	assert_int_equal(ask(&p, BROKER_OPEN_BACKING, "", path, &r), -EPERM);
	assert_int_equal(ask(&p, BROKER_OPEN_BACKING, "", p.cache, &r), -EPERM);
	assert_int_equal(ask(&p, BROKER_OPEN_BACKING, "", elsewhere, &r), -EPERM);
	p.broker.backings = BROKER_BACKINGS_MAX;
	assert_int_equal(ask(&p, BROKER_OPEN_BACKING, "", read, &r), -EMFILE);
	teardown(&p);
}

/* What comes with a message that says nothing is not kept. */
static void test_empty_message(void **state)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .bytes = { 0 } };
	struct msghdr h = { .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes) };
	struct channel_message m;
	int pair[2], ends[2];
	char byte;

	(void)state;
	assert_int_equal(channel_pair(pair), 0);
	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	control.header = (struct cmsghdr){ .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int)) };
	memcpy(CMSG_DATA(&control.header), &ends[1], sizeof(int));
	assert_int_equal(sendmsg(pair[1], &h, 0), 0);
	close(ends[1]);
	assert_int_equal(channel_receive(pair[0], &m), -EBADMSG);
	/* Nobody holds the other end. */
	assert_int_equal(read(ends[0], &byte, 1), 0);
	close(pair[1]);
	assert_int_equal(channel_receive(pair[0], &m), -EPIPE);
	close(pair[0]);
	close(ends[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_write), cmocka_unit_test(test_write_from_elsewhere), cmocka_unit_test(test_backing),
					     cmocka_unit_test(test_empty_message) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
