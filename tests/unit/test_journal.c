/* SPDX-License-Identifier: MIT */
/*
 * The journal of requests: what is read and not answered is there for the next worker, in order and whole; what is answered is not; what needs no reply never is. A
 * socket of messages stands for the kernel's device.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fetchfs/client/journal.h"

#include <sys/socket.h>

enum { LOOKUP = 1, FORGET = 2, READ = 15, INTERRUPT = 36, BATCH_FORGET = 42 };

struct request {
	uint32_t len, opcode;
	uint64_t unique;
	uint8_t rest[64];
};

static int device[2], memory;

static int set_up(void **state)
{
	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, device), 0);
	assert_int_equal(journal_make(&memory), 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	close(device[0]);
	close(device[1]);
	close(memory);
	return 0;
}

static void say(uint32_t opcode, uint64_t unique)
{
	struct request r = { .len = sizeof(r), .opcode = opcode, .unique = unique };

	memset(r.rest, (int)unique, sizeof(r.rest));
	assert_int_equal(write(device[1], &r, sizeof(r)), sizeof(r));
}

static void hear(struct journal *j, uint64_t unique)
{
	struct request r;

	assert_int_equal(journal_read(j, device[0], &r, sizeof(r)), sizeof(r));
	assert_int_equal(r.unique, unique);
}

struct seen {
	uint64_t again[64], given_up[64];
	unsigned again_count, given_up_count;
};

static void again(void *context, const void *request, size_t size)
{
	const struct request *r = request;
	struct seen *s = context;

	assert_int_equal(size, sizeof(*r));
	assert_int_equal(r->rest[63], (uint8_t)r->unique);
	s->again[s->again_count++] = r->unique;
}

static void give_up(void *context, uint64_t unique)
{
	struct seen *s = context;

	s->given_up[s->given_up_count++] = unique;
}

static struct journal *next_worker(bool crashed, struct seen *ret)
{
	struct journal *j;

	memset(ret, 0, sizeof(*ret));
	assert_int_equal(journal_open(memory, &j), 0);
	journal_replay(j, crashed, &(struct journal_visitor){ .again = again, .give_up = give_up, .context = ret });
	return j;
}

static void test_hand_over(void **state)
{
	struct seen s;
	struct journal *j = next_worker(false, &s);

	(void)state;
	assert_int_equal(s.again_count, 0);
	for (uint64_t unique = 2; unique <= 12; unique += 2) {
		say(unique == 6 ? FORGET : unique == 8 ? INTERRUPT : READ, unique);
		hear(j, unique);
	}
	journal_answered(j, 4);
	journal_answered(j, 999);
	assert_int_equal(journal_answered_count(memory), 1);
	/* Slots are used again, but the order is that of coming. */
	say(LOOKUP, 14);
	hear(j, 14);
	journal_close(j);
	j = next_worker(false, &s);
	assert_int_equal(s.again_count, 4);
	assert_true(s.again[0] == 2 && s.again[1] == 10 && s.again[2] == 12 && s.again[3] == 14);
	/* The next worker answers what it has not read itself. */
	journal_answered(j, 2);
	journal_answered(j, 14);
	say(READ, 16);
	hear(j, 16);
	journal_close(j);
	j = next_worker(false, &s);
	assert_true(s.again_count == 3 && s.again[0] == 10 && s.again[1] == 12 && s.again[2] == 16);
	journal_close(j);
}

/* A worker that has ended just when it had read something that gets no reply: its slot is as if it had not come. */
static void test_forgets(void **state)
{
	static const uint32_t opcodes[] = { FORGET, BATCH_FORGET, INTERRUPT };
	struct seen s;
	struct journal *j = next_worker(false, &s);
	struct request r;
	off_t at = 0;

	(void)state;
	say(READ, 2);
	hear(j, 2);
	journal_close(j);
	/* Where the request is. */
	do
		at = lseek(memory, at + 4096, SEEK_DATA);
	while (at > 0 && (pread(memory, &r, sizeof(r), at) != sizeof(r) || r.len != sizeof(r) || r.unique != 2));
	assert_true(at > 0);
	for (unsigned i = 0; i < ARRAY_SIZE(opcodes); i++) {
		r.opcode = opcodes[i];
		assert_int_equal(pwrite(memory, &r, sizeof(r), at), sizeof(r));
		j = next_worker(false, &s);
		assert_int_equal(s.again_count, 0);
		/* It is used again. */
		say(READ, 2);
		hear(j, 2);
		journal_close(j);
	}
	j = next_worker(false, &s);
	assert_int_equal(s.again_count, 1);
	journal_close(j);
}

static void test_errors(void **state)
{
	struct seen s;
	struct journal *j = next_worker(false, &s);
	char buf[64];

	(void)state;
	/* Nothing is there: that leaves nothing behind, however often. */
	for (unsigned i = 0; i < 100000; i++)
		assert_true(journal_read(j, device[0], buf, sizeof(buf)) < 0 && errno == EAGAIN);
	journal_close(j);
	j = next_worker(false, &s);
	assert_int_equal(s.again_count, 0);
	journal_close(j);
	assert_int_equal(ftruncate(memory, 4096), 0);
	assert_int_equal(journal_open(memory, &j), -EPROTONOSUPPORT);
}

/* Who kills workers is given up; whoever was there when they were killed from outside is not. */
static void test_crashes(void **state)
{
	struct seen s;
	struct journal *j = next_worker(false, &s);

	(void)state;
	say(READ, 2);
	hear(j, 2);
	for (unsigned i = 0; i < 20; i++) {
		journal_close(j);
		j = next_worker(false, &s);
		assert_true(s.again_count == 1 && s.given_up_count == 0);
	}
	for (unsigned i = 1; i < JOURNAL_TRIES; i++) {
		journal_close(j);
		j = next_worker(true, &s);
		assert_true(s.again_count == 1 && s.given_up_count == 0);
	}
	journal_close(j);
	j = next_worker(true, &s);
	assert_true(s.again_count == 0 && s.given_up_count == 1 && s.given_up[0] == 2);
	journal_close(j);
}

static void test_agreement(void **state)
{
	char head[16] = "head", body[64] = "flags", other[64] = "other flags";
	struct iovec reply[2] = { { head, sizeof(head) }, { body, sizeof(body) } };
	struct seen s;
	struct journal *j = next_worker(false, &s);
	bool same = false;

	(void)state;
	assert_true(journal_agree(j, reply, 2, &same));
	/* It died before it was sent: the next one sends it. */
	assert_true(journal_agree(j, reply, 2, &same));
	journal_agreed(j);
	journal_close(j);
	j = next_worker(false, &s);
	assert_false(journal_agree(j, reply, 2, &same));
	assert_true(same);
	reply[1].iov_base = other;
	assert_false(journal_agree(j, reply, 2, &same));
	assert_false(same);
	journal_close(j);
}

/* As many as there are slots, and again. */
static void test_full(void **state)
{
	struct seen s;
	struct journal *j = next_worker(false, &s);

	(void)state;
	for (unsigned round = 0; round < 2; round++) {
		for (uint64_t i = 1; i <= JOURNAL_CAPACITY; i++) {
			say(READ, 2 * i);
			hear(j, 2 * i);
		}
		for (uint64_t i = 1; i <= JOURNAL_CAPACITY; i++)
			journal_answered(j, 2 * i);
	}
	assert_int_equal(journal_answered_count(memory), 2 * JOURNAL_CAPACITY);
	journal_close(j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_hand_over, set_up, tear_down), cmocka_unit_test_setup_teardown(test_errors, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_forgets, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_crashes, set_up, tear_down), cmocka_unit_test_setup_teardown(test_agreement, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_full, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
