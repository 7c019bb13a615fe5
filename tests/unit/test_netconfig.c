/* SPDX-License-Identifier: MIT */
/*
 * Network configurations of all formats: what is read, matched and rendered.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "contextualize/apply/network.h"

static struct netconfig *n;
static struct diag_list diag;

static int set_up(void **state)
{
	(void)state;
	n = calloc(1, sizeof *n);
	return n ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	netconfig_done(n);
	free(n);
	diag_done(&diag);
	return 0;
}

static void read_text(const char *text, enum network_format f)
{
	assert_int_equal(network_format_guess(text, strlen(text)), f);
	assert_int_equal(netconfig_read(n, f, text, strlen(text), &diag), 0);
}

static void assert_networkd(const char *name, const char *mac, const char *expected)
{
	struct net_interfaces i = { .count = 1 };
	char *text;

	strcpy(i.item[0].name, name);
	strcpy(i.item[0].mac, mac);
	assert_int_equal(network_match(n, &i, &diag), 1);
	text = network_render_networkd(n, i.item[0].link, &i.item[0]);
	assert_string_equal(text, expected);
	free(text);
}

static void test_addresses(void **state)
{
	static const struct { const char *text, *mask; int prefix; } cases[] = {
		{ "192.0.2.1/24", NULL, 24 }, { "192.0.2.1", "255.255.240.0", 20 }, { "192.0.2.1", "24", 24 }, { "192.0.2.1", NULL, 32 },
		{ "0.0.0.0", "0.0.0.0", 0 }, { "2001:db8::1/64", NULL, 64 }, { "::", "::", 0 }, { "::1", "ffff:ffff:ffff:ffff::", 64 },
		{ "192.0.2.1", "255.0.255.0", -1 }, { "192.0.2.1/33", NULL, -1 }, { "192.0.2", NULL, -1 }, { "192.0.2.1/-1", NULL, -1 },
		{ "192.0.2.1; reboot", NULL, -1 }, { "2001:db8::1/129", NULL, -1 }, { "", NULL, -1 }, { "::1", "ffff::ffff", -1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct net_address a;

		assert_int_equal(net_address_parse(cases[i].text, cases[i].mask, &a), cases[i].prefix >= 0);
		if (cases[i].prefix >= 0)
			assert_int_equal(a.prefix, cases[i].prefix);
	}
}

static void test_v2(void **state)
{
	(void)state;
	read_text("network:\n  version: 2\n  ethernets:\n    any:\n      match: {macaddress: '52:54:00:AA:bb:01'}\n      set-name: lan0\n      dhcp6: true\n"
		  "      addresses: [192.0.2.7/24]\n      gateway4: 192.0.2.1\n      mtu: 9000\n      nameservers: {addresses: [192.0.2.53], search: [a.example]}\n"
		  "      routes:\n      - {to: 198.51.100.0/24, via: 192.0.2.9, metric: 5, on-link: true}\n      - {to: nowhere, via: 192.0.2.9}\n"
		  "  bonds: {bond0: {}}\n", NETWORK_V2);
	assert_int_equal(diag.errors, 1);
	assert_int_equal(diag.warnings, 1);
	assert_networkd("eth3", "52:54:00:aa:bb:01",
			"[Match]\nPermanentMACAddress=52:54:00:aa:bb:01\n\n[Link]\nMTUBytes=9000\n\n[Network]\nDHCP=ipv6\nKeepConfiguration=yes\nAddress=192.0.2.7/24\n"
			"DNS=192.0.2.53\nDomains=a.example\n\n[Route]\nDestination=0.0.0.0/0\nGateway=192.0.2.1\n\n[Route]\nDestination=198.51.100.0/24\n"
			"Gateway=192.0.2.9\nMetric=5\nGatewayOnLink=yes\n");
}

/* As Proxmox writes it. */
static void test_v1(void **state)
{
	char *resolv;

	(void)state;
	read_text("version: 1\nconfig:\n    - type: physical\n      name: eth0\n      mac_address: 'bc:24:11:00:00:01'\n      subnets:\n      - type: static\n"
		  "        address: '192.0.2.8'\n        netmask: '255.255.255.0'\n        gateway: '192.0.2.1'\n      - type: dhcp6\n"
		  "    - type: nameserver\n      address:\n      - '192.0.2.53'\n      search:\n      - 'example.org'\n", NETWORK_V1);
	assert_int_equal(diag.errors, 0);
	assert_networkd("ens18", "bc:24:11:00:00:01",
			"[Match]\nPermanentMACAddress=bc:24:11:00:00:01\n\n[Network]\nDHCP=ipv6\nKeepConfiguration=yes\nAddress=192.0.2.8/24\nDNS=192.0.2.53\n"
			"Domains=example.org\n\n[Route]\nDestination=0.0.0.0/0\nGateway=192.0.2.1\n");
	resolv = network_render_resolv(n);
	assert_string_equal(resolv, "search example.org\nnameserver 192.0.2.53\n");
	free(resolv);
}

static void test_network_data(void **state)
{
	(void)state;
	read_text("{\"links\":[{\"id\":\"tap1\",\"type\":\"ovs\",\"ethernet_mac_address\":\"fa:16:3e:00:00:01\",\"mtu\":1450},"
		  "{\"id\":\"b0\",\"type\":\"bond\"}],\"networks\":[{\"link\":\"tap1\",\"type\":\"ipv4\",\"ip_address\":\"10.0.0.5\","
		  "\"netmask\":\"255.255.255.0\",\"routes\":[{\"network\":\"0.0.0.0\",\"netmask\":\"0.0.0.0\",\"gateway\":\"10.0.0.1\"}]},"
		  "{\"link\":\"tap1\",\"type\":\"ipv6_dhcpv6-stateful\"}],\"services\":[{\"type\":\"dns\",\"address\":\"10.0.0.2\"}]}", NETWORK_DATA);
	assert_int_equal(diag.errors, 0);
	assert_networkd("eth0", "fa:16:3e:00:00:01",
			"[Match]\nPermanentMACAddress=fa:16:3e:00:00:01\n\n[Link]\nMTUBytes=1450\n\n[Network]\nDHCP=ipv6\nKeepConfiguration=yes\nAddress=10.0.0.5/24\n"
			"DNS=10.0.0.2\n\n[Route]\nDestination=0.0.0.0/0\nGateway=10.0.0.1\n");
}

static void test_eni(void **state)
{
	(void)state;
	read_text("auto lo\niface lo inet loopback\n        dns_nameservers 192.0.2.53\nauto eth0\niface eth0 inet static\n        address 192.0.2.8\n"
		  "        netmask 255.255.255.0\n        gateway 192.0.2.1\nauto eth1\niface eth1 inet dhcp\n", NETWORK_ENI);
	assert_int_equal(diag.errors, 0);
	assert_int_equal(n->links, 2);
	assert_true(n->link[1].dhcp4);
	assert_networkd("eth0", "", "[Match]\nName=eth0\n\n[Network]\nDHCP=no\nKeepConfiguration=yes\nAddress=192.0.2.8/24\nDNS=192.0.2.53\n\n"
				    "[Route]\nDestination=0.0.0.0/0\nGateway=192.0.2.1\n");
}

static void test_match(void **state)
{
	struct net_interfaces i = { .count = 2, .item = { { .name = "ens3" }, { .name = "wlan0" } } };

	(void)state;
	read_text("version: 2\nethernets:\n  e: {match: {name: 'en*'}, dhcp4: true}\n  missing: {dhcp4: true}\n  'bad;name': {dhcp4: true}\n", NETWORK_V2);
	assert_int_equal(network_match(n, &i, &diag), 1);
	assert_non_null(i.item[0].link);
	assert_null(i.item[1].link);
	assert_true(diag.warnings >= 1);
	assert_int_equal(network_format_guess("nothing", 7), NETWORK_NONE);
	assert_int_equal(netconfig_read(n, NETWORK_V2, "a: [", 4, &diag), -EBADMSG);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_addresses), TEST(test_v2), TEST(test_v1), TEST(test_network_data), TEST(test_eni), TEST(test_match),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
