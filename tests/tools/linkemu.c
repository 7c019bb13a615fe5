/* SPDX-License-Identifier: MIT */
/*
 * A link between two network namespaces, with the delay and the rate of a longer one: a TUN device in each, and a queue for each direction between
 * them. Packets carry vnet headers, so that the kernel hands over segments of up to 64 KiB, which keeps the cost low. Knows packets by their
 * size only; must not know what is in them, nor configure addresses.
 *
 * A packet leaves when the line is free and takes size / rate to leave; it arrives half a round trip later. What would have to wait for the line longer than
 * the queue allows is dropped, as a router does it.
 */
#include "common/io.h"
#include "common/message.h"
#include "common/options.h"

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/timerfd.h>
#include <time.h>

#define NS_PER_MS 1000000LL
#define NS_PER_SECOND 1000000000LL
#define PACKET_MAX (65536 + 256)
#define FRAME_OVERHEAD 38	/* of each frame on Ethernet: header, check sequence, preamble, gap */
#define HEADERS 40		/* of each segment: IPv4 and TCP, without options */
#define MAX_HELD 65536		/* packets in a direction */
#define BURST 64		/* packets taken from one side before the other has its turn */

struct packet {
	int64_t due;
	size_t size;
	uint8_t *data;
};

/* One way. A ring of what is under way, in the order of arrival. */
struct way {
	int from, to;
	int64_t line_free;
	struct packet *ring;
	unsigned first, count;
	unsigned long long packets, bytes, dropped;
};

struct link {
	uint64_t rtt_us, rate_mbit, queue_kib;
	const char *device;
	struct way ways[2];
};

static struct link the_link = { .rtt_us = 0, .rate_mbit = 1000, .queue_kib = 4096, .device = "spore-link" };
static volatile sig_atomic_t ended;

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * NS_PER_SECOND + t.tv_nsec;
}

static void on_signal(int number)
{
	(void)number;
	ended = 1;
}

/* The device lives in the namespace; its descriptor works from anywhere. */
static int open_device(const char *device)
{
	struct ifreq r = { .ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR };
	int header = sizeof(struct virtio_net_hdr);
	_cleanup_close_ int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", device);
	if (ioctl(fd, TUNSETIFF, &r) < 0 || ioctl(fd, TUNSETVNETHDRSZ, &header) < 0 ||
	    ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN) < 0)
		return -errno;
	return steal_fd(&fd);
}

static int open_device_in(const char *name, const char *device)
{
	_cleanup_free_ char *path = io_format("/run/netns/%s", name);
	_cleanup_close_ int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int there = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	int fd;

	if (home < 0 || there < 0 || setns(there, CLONE_NEWNET) < 0)
		return -errno;
	fd = open_device(device);
	return setns(home, CLONE_NEWNET) < 0 ? -errno : fd;
}

/* Bytes on the wire: a packet of several segments is as many frames, each with its headers. */
static uint64_t wire_size(const uint8_t *data, size_t size)
{
	struct virtio_net_hdr h;
	uint64_t payload = size - sizeof(h), segments = 1;

	memcpy(&h, data, sizeof(h));
	if (h.gso_type != VIRTIO_NET_HDR_GSO_NONE && h.gso_size > 0)
		segments = (payload + h.gso_size - 1) / h.gso_size;
	return payload + (segments - 1) * HEADERS + segments * FRAME_OVERHEAD;
}

/* -EAGAIN: nothing is there. */
static errint_t take_packet(const struct link *l, struct way *w, uint8_t buffer[PACKET_MAX])
{
	ssize_t n = read(w->from, buffer, PACKET_MAX);
	int64_t now = now_ns(), start, sending;
	struct packet *p;

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	if ((size_t)n < sizeof(struct virtio_net_hdr))
		return 0;
	start = MAX(w->line_free, now);
	sending = (int64_t)(wire_size(buffer, (size_t)n) * 8000 / l->rate_mbit);
	if ((start - now) * (int64_t)l->rate_mbit / 8000 > (int64_t)(l->queue_kib * 1024) || w->count == MAX_HELD) {
		w->dropped++;
		return 0;
	}
	p = &w->ring[(w->first + w->count) % MAX_HELD];
	p->data = malloc((size_t)n);
	if (!p->data)
		return -ENOMEM;
	memcpy(p->data, buffer, (size_t)n);
	p->size = (size_t)n;
	w->line_free = start + sending;
	p->due = w->line_free + (int64_t)l->rtt_us * 500;
	w->count++;
	return 0;
}

static void deliver_due(struct way *w)
{
	int64_t now = now_ns();

	while (w->count > 0 && w->ring[w->first].due <= now) {
		struct packet *p = &w->ring[w->first];
		/* A device that is down, or full, drops: so do cables. */
		if (write(w->to, p->data, p->size) < 0)
			w->dropped++;
		w->packets++;
		w->bytes += p->size;
		free(p->data);
		w->first = (w->first + 1) % MAX_HELD;
		w->count--;
	}
}

static void set_timer(int timer, const struct link *l)
{
	struct itimerspec t = { .it_value.tv_sec = 0 };
	int64_t due = INT64_MAX;

	for (unsigned i = 0; i < 2; i++)
		if (l->ways[i].count > 0)
			due = MIN(due, l->ways[i].ring[l->ways[i].first].due);
	if (due != INT64_MAX) {
		t.it_value.tv_sec = due / NS_PER_SECOND;
		t.it_value.tv_nsec = due % NS_PER_SECOND;
	}
	timerfd_settime(timer, TFD_TIMER_ABSTIME, &t, NULL);
}

static errint_t carry(struct link *l)
{
	static uint8_t buffer[PACKET_MAX];
	_cleanup_close_ int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	struct pollfd polled[3] = { { .fd = l->ways[0].from, .events = POLLIN }, { .fd = l->ways[1].from, .events = POLLIN },
				    { .fd = timer, .events = POLLIN } };

	if (timer < 0)
		return -errno;
	while (!ended) {
		uint64_t ticks;
		set_timer(timer, l);
		if (poll(polled, ARRAY_SIZE(polled), -1) < 0 && errno != EINTR)
			return -errno;
		if (polled[2].revents && read(timer, &ticks, sizeof(ticks)) < 0 && errno != EAGAIN)
			return -errno;
		for (unsigned i = 0; i < 2; i++) {
			errint_t r = 0;
			for (unsigned n = 0; n < BURST && r == 0; n++)
				r = take_packet(l, &l->ways[i], buffer);
			/* EIO: the device is not up (yet). */
			if (r < 0 && r != -EAGAIN && r != -EIO)
				return r;
			deliver_due(&l->ways[i]);
		}
	}
	return 0;
}

static int run(void *context, int operands, char **operand)
{
	struct link *l = context;
	struct sigaction action = { .sa_handler = on_signal };
	errint_t r;

	(void)operands;
	for (int i = 0; i < 2; i++) {
		int fd = open_device_in(operand[i], l->device);
		if (fd < 0) {
			message_error("cannot make the device %s in the network namespace %s: %s", l->device, operand[i], strerror(-fd));
			return EXIT_NO_PERMISSION;
		}
		l->ways[i].from = l->ways[1 - i].to = fd;
		l->ways[i].ring = calloc(MAX_HELD, sizeof(struct packet));
		if (!l->ways[i].ring)
			return EXIT_SOFTWARE;
	}
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	puts("ready");
	fflush(stdout);
	r = carry(l);
	if (r < 0)
		message_error("the link ends: %s", strerror(-r));
	for (int i = 0; i < 2; i++)
		printf("from %s: %llu packets, %llu bytes, %llu dropped\n", operand[i], l->ways[i].packets, l->ways[i].bytes, l->ways[i].dropped);
	return r < 0 ? EXIT_SOFTWARE : 0;
}

enum { ID_RTT = 256, ID_RATE, ID_QUEUE, ID_DEVICE };

static const struct option_spec options[] = {
	{ 0, "rtt", "MILLISECONDS", "round trip (default: 0; fractions as 0.5)", ID_RTT },
	{ 0, "rate", "MBIT", "megabits a second, each way (default: 1000)", ID_RATE },
	{ 0, "queue", "KIB", "what may wait for the line before packets are dropped (default: 4096)", ID_QUEUE },
	{ 0, "device", "NAME", "of the devices (default: spore-link)", ID_DEVICE },
	{ 0 }
};

static int on_option(void *context, int id, const char *value)
{
	struct link *l = context;
	char *end;
	double ms;

	switch (id) {
	case ID_RTT:
		ms = strtod(value, &end);
		if (end == value || *end || !(ms >= 0 && ms <= 10000)) {
			message_error("--rtt: expected milliseconds from 0 to 10000, not '%s'", value);
			return EXIT_USAGE;
		}
		l->rtt_us = (uint64_t)(ms * 1000);
		return 0;
	case ID_DEVICE:
		l->device = value;
		return 0;
	}
	if (parse_number(value, 1, 100000, id == ID_RATE ? &l->rate_mbit : &l->queue_kib) < 0) {
		message_error("--%s: expected a number from 1 to 100000, not '%s'", id == ID_RATE ? "rate" : "queue", value);
		return EXIT_USAGE;
	}
	return 0;
}

int main(int argc, char **argv)
{
	const struct command command = {
		.operands = "NAMESPACE NAMESPACE",
		.summary = "join two network namespaces by a link of a given delay and rate; says 'ready' when the devices are there, ends at SIGTERM",
		.options = options,
		.on_option = on_option,
		.min_operands = 2,
		.max_operands = 2,
		.run = run,
		.context = &the_link,
	};

	return options_run("linkemu", &command, argc, argv);
}
