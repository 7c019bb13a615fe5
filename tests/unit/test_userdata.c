/* SPDX-License-Identifier: MIT */
/*
 * User data of every format taken apart: wrapping, MIME, settings blocks, cloud-config keys, and what is said of wrong ones.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "contextualize/formats/cloud_config.h"
#include "contextualize/formats/decode.h"
#include "contextualize/formats/userdata.h"

#include <zlib.h>

struct fixture {
	struct userdata u;
	struct cloud_config c;
	struct diag_list diag;
};

static struct fixture *f;

static int set_up(void **state)
{
	(void)state;
	f = calloc(1, sizeof *f);
	return f ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	userdata_done(&f->u);
	cloud_config_done(&f->c);
	diag_done(&f->diag);
	free(f);
	return 0;
}

static void split(const char *text, size_t size)
{
	assert_int_equal(userdata_split(&f->u, text, size, &f->diag), 0);
}

static void read_config(const char *text)
{
	split(text, strlen(text));
	assert_int_equal(f->u.count, 1);
	assert_int_equal(f->u.part[0].kind, PART_CLOUD_CONFIG);
	assert_int_equal(cloud_config_read(&f->c, f->u.part[0].data, f->u.part[0].size, &f->diag), 0);
}

/* Is there a message with this text, at this line (0: any)? */
static bool said(const char *text, unsigned line)
{
	for (size_t i = 0; i < f->diag.count; i++)
		if (strstr(f->diag.item[i].text, text) && (!line || f->diag.item[i].line == line))
			return true;
	return false;
}

static size_t gzip_of(const void *data, size_t size, uint8_t *out, size_t room)
{
	z_stream z = { .next_in = (uint8_t *)(uintptr_t)data, .avail_in = (unsigned)size, .next_out = out, .avail_out = (unsigned)room };

	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 16 + MAX_WBITS, 9, Z_DEFAULT_STRATEGY), Z_OK);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	return room - z.avail_out;
}

static void test_base64(void **state)
{
	static const struct { const char *in, *out; } good[] = {
		{ "", "" }, { "Zg==", "f" }, { "Zm8=", "fo" }, { "Zm9v", "foo" }, { "Zm9vYg", "foob" }, { " Zm9v\nYmFy\r\n", "foobar" },
	};
	static const char *const bad[] = { "Z", "Zg=", "Zg==Zg==", "Z===", "Zm9v!", "=" };
	char *out;
	size_t size;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_int_equal(decode_base64(good[i].in, strlen(good[i].in), &out, &size), 0);
		assert_string_equal(out, good[i].out);
		assert_int_equal(size, strlen(good[i].out));
		free(out);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(decode_base64(bad[i], strlen(bad[i]), &out, &size), -EBADMSG);
}

static void test_quoted_printable(void **state)
{
	static const char in[] = "a=3Db =\nc=\r\nd=zz=E4";
	char *out;
	size_t size;

	(void)state;
	assert_int_equal(decode_quoted_printable(in, strlen(in), &out, &size), 0);
	assert_string_equal(out, "a=b cd=zz\xe4");
	free(out);
}

static void test_gzip(void **state)
{
	static const char text[] = "#!/bin/sh\necho hi\n";
	uint8_t packed[200];
	size_t n = gzip_of(text, strlen(text), packed, sizeof packed);

	(void)state;
	split((char *)packed, n);
	assert_int_equal(f->u.count, 1);
	assert_int_equal(f->u.part[0].kind, PART_SCRIPT);
	assert_string_equal(f->u.part[0].data, text);
	/* cut off */
	split((char *)packed, n - 4);
	assert_int_equal(f->u.count, 1);
	assert_true(said("corrupt or cut off", 0));
}

static void test_gzip_bomb(void **state)
{
	size_t big = 64 << 20, n;
	char *zeros = calloc(1, big);
	uint8_t *packed = malloc(big / 100);

	(void)state;
	assert_non_null(zeros);
	assert_non_null(packed);
	n = gzip_of(zeros, big, packed, big / 100);
	split((char *)packed, n);
	assert_int_equal(f->u.count, 0);
	assert_true(said("more than 16 MiB", 0));
	free(zeros);
	free(packed);
}

static void test_whole_base64(void **state)
{
	static const char text[] = "I2Nsb3VkLWNvbmZpZwpob3N0bmFtZTogeAo=\n";

	(void)state;
	split(text, strlen(text));
	assert_int_equal(f->u.count, 1);
	assert_int_equal(f->u.part[0].kind, PART_CLOUD_CONFIG);
}

static void test_mime(void **state)
{
	static const char text[] =
		"MIME-Version: 1.0\r\n"
		"Content-Type: multipart/mixed;\r\n boundary=\"outer\"\r\n"
		"\r\n"
		"preamble\r\n"
		"--outer\r\n"
		"Content-Type: text/x-shellscript; charset=\"us-ascii\"\r\n"
		"Content-Disposition: attachment; filename=\"first.sh\"\r\n"
		"\r\n"
		"#!/bin/sh\n"
		"echo one\n"
		"\r\n--outer\r\n"
		"Content-Type: text/plain\r\n"
		"Content-Transfer-Encoding: base64\r\n"
		"\r\n"
		"I2Nsb3VkLWNvbmZpZwpob3N0bmFtZTogbWltZQo=\r\n"
		"--outer\r\n"
		"Content-Type: multipart/mixed; boundary=inner\r\n"
		"\r\n"
		"--inner\r\n"
		"Content-Type: text/cloud-boothook\r\n"
		"Content-Transfer-Encoding: quoted-printable\r\n"
		"\r\n"
		"#cloud-boothook\r\n"
		"echo =3D\r\n"
		"--inner--\r\n"
		"--outer\r\n"
		"Content-Type: text/jinja2\r\n"
		"\r\n"
		"## template: jinja\r\n"
		"--outer--\r\n"
		"epilogue\r\n";

	(void)state;
	split(text, strlen(text));
	assert_int_equal(f->u.count, 3);
	assert_int_equal(f->u.part[0].kind, PART_SCRIPT);
	assert_string_equal(f->u.part[0].data, "#!/bin/sh\necho one\n");
	assert_string_equal(f->u.part[0].name, "part 1 first.sh");
	assert_int_equal(f->u.part[1].kind, PART_CLOUD_CONFIG);
	assert_int_equal(f->u.part[2].kind, PART_BOOTHOOK);
	assert_non_null(strstr(f->u.part[2].data, "echo =\r\n") ? "" : strstr(f->u.part[2].data, "echo ="));
	assert_true(said("not supported yet", 0));
	assert_int_equal(f->diag.errors, 0);
}

static void test_mime_lines(void **state)
{
	static const char text[] =
		"Content-Type: multipart/mixed; boundary=b\n"	/* 1 */
		"\n"						/* 2 */
		"--b\n"						/* 3 */
		"Content-Type: text/cloud-config\n"		/* 4 */
		"\n"						/* 5 */
		"#cloud-config\n"				/* 6 */
		"hostnam: x\n"					/* 7 */
		"--b--\n";

	(void)state;
	split(text, strlen(text));
	assert_int_equal(f->u.count, 1);
	assert_int_equal(f->u.part[0].line_base, 5);
	f->diag.line_base = 5;
	assert_int_equal(cloud_config_read(&f->c, f->u.part[0].data, f->u.part[0].size, &f->diag), 0);
	assert_true(said("did you mean 'hostname'", 7));
}

static void test_settings(void **state)
{
	static const char text[] =
		"#!/bin/sh\n"
		"echo before\n"
		"  [ucernvm-begin] \r\n"
		"cvmfs_http_proxy=http://squid.example:3128|DIRECT\r\n"
		"cvmfs_tag = \"release-1\"\n"
		"resize_rootfs=on\n"
		"proxy_evil=$(reboot)\n"
		"tag=$(reboot)\n"
		"cvmfs_branch=x\n"
		"nonsense\n"
		"[ucernvm-end]\n"
		"echo after\n"
		"[ucernvm-begin]\n"
		"repository=http://a.example/r http://b.example/r";

	(void)state;
	split(text, strlen(text));
	assert_string_equal(settings_get(&f->u.settings, "proxy"), "http://squid.example:3128|DIRECT");
	assert_string_equal(settings_get(&f->u.settings, "tag"), "release-1");
	assert_string_equal(settings_get(&f->u.settings, "resize"), "yes");
	assert_string_equal(settings_get(&f->u.settings, "repository"), "http://a.example/r http://b.example/r");
	assert_int_equal(f->u.settings.count, 4);
	assert_true(said("holds a character", 7));
	assert_true(said("holds a character", 8));
	assert_true(said("cvmfs_branch is known but not supported", 9));
	assert_true(said("not KEY=VALUE", 10));
	assert_true(said("without [ucernvm-end]", 13));
	/* The script does not hold the block any more. */
	assert_int_equal(f->u.count, 1);
	assert_null(strstr(f->u.part[0].data, "ucernvm"));
	assert_null(strstr(f->u.part[0].data, "reboot"));
	assert_non_null(strstr(f->u.part[0].data, "echo after"));
}

static void test_kinds(void **state)
{
	static const struct { const char *text; enum part_kind kind; } kinds[] = {
		{ "", PART_EMPTY }, { " \r\n\n", PART_EMPTY }, { "#cloud-config\n", PART_CLOUD_CONFIG }, { "\xef\xbb\xbf\n#cloud-config\n", PART_CLOUD_CONFIG },
		{ "#!/bin/sh", PART_SCRIPT }, { "#cloud-boothook\n", PART_BOOTHOOK }, { "#cloud-config-archive\n", PART_UNSUPPORTED },
		{ "#include\nhttp://x/\n", PART_UNSUPPORTED }, { "{\"ignition\": {\"version\": \"3.0.0\"}}", PART_UNSUPPORTED },
		{ "## template: jinja\n#cloud-config\n", PART_UNSUPPORTED }, { "hello", PART_UNKNOWN }, { "Content-Type: multipart/mixed; boundary=x", PART_MIME },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		assert_int_equal(userdata_sniff(kinds[i].text, strlen(kinds[i].text), NULL), kinds[i].kind);
	split("users:\n- default\n", 17);
	assert_true(said("first line is not #cloud-config", 1));
	split("\x01\x02what", 6);
	assert_true(said("begins '%01%02what'", 1));
}

/* virt-install's password file has this form. */
static void test_chpasswd(void **state)
{
	(void)state;
	read_config("#cloud-config\nchpasswd:\n  list: |\n    root:p:w\n    # no\n    a:$6$salt$hash\n    b:RANDOM\n  expire: False\n"
		    "ssh_pwauth: yes\ndisable_root: false\n");
	assert_int_equal(f->c.chpasswds, 3);
	assert_string_equal(f->c.chpasswd[0].user, "root");
	assert_string_equal(f->c.chpasswd[0].value, "p:w");
	assert_false(f->c.chpasswd[0].hashed);
	assert_true(f->c.chpasswd[1].hashed);
	assert_true(f->c.chpasswd[2].random);
	assert_int_equal(f->c.expire_passwords, TRI_FALSE);
	assert_int_equal(f->c.ssh_pwauth, TRI_TRUE);
	assert_int_equal(f->c.disable_root, TRI_FALSE);
}

static void test_proxmox(void **state)
{
	(void)state;
	read_config("#cloud-config\nhostname: vm1\nmanage_etc_hosts: true\nfqdn: vm1.example.org\nuser: joe\npassword: $5$abc$def\n"
		    "ssh_authorized_keys:\n  - ssh-rsa AAAA joe\nchpasswd:\n  expire: False\nusers:\n  - default\npackage_upgrade: true\n");
	assert_string_equal(f->c.default_user, "joe");
	assert_true(f->c.default_user_listed);
	assert_true(f->c.users_given);
	assert_int_equal(f->c.users, 0);
	assert_string_equal(f->c.password, "$5$abc$def");
	assert_int_equal(f->c.ssh_keys.count, 1);
	assert_true(said("package_upgrade", 13));
	assert_int_equal(f->diag.errors, 0);
}

static void test_users(void **state)
{
	const struct cloud_user *u;

	(void)state;
	read_config("#cloud-config\nusers:\n- name: bob\n  groups: a, b,c\n  sudo: [\"ALL=(ALL) NOPASSWD:ALL\", \"x\"]\n  lock-passwd: no\n"
		    "  ssh-authorized-keys: ssh-ed25519 AAAA\n  uid: 1234\n  hashed_passwd: nohash\n  shel: /bin/zsh\n- name: root:0\n- {gecos: x}\n- 7eve\n");
	assert_int_equal(f->c.users, 1);
	u = &f->c.user[0];
	assert_int_equal(u->groups.count, 3);
	assert_string_equal(u->groups.item[2], "c");
	assert_string_equal(u->sudo.item[0], "ALL=(ALL) NOPASSWD:ALL");
	assert_string_equal(u->sudo.item[1], "");
	assert_int_equal(u->lock_password, TRI_FALSE);
	assert_int_equal(u->ssh_keys.count, 1);
	assert_int_equal(u->uid, 1234);
	assert_null(u->hashed_password);
	assert_true(said("plain_text_passwd", 9));
	assert_true(said("did you mean 'shell'", 10));
	assert_true(said("not a name", 11));
	assert_true(said("without a name", 12));
	assert_true(said("not a name", 13));
}

static void test_files(void **state)
{
	(void)state;
	read_config("#cloud-config\nwrite_files:\n- {path: /a, content: aGk=, encoding: b64, permissions: '0600', owner: 'x:y'}\n"
		    "- {path: /b, content: hi, permissions: 644}\n- {path: rel, content: x}\n- {path: /c, content: '!', encoding: b64}\n"
		    "- {path: /d, content: x, encoding: rot13}\n- {path: /e, content: !!binary aGk=, append: true}\n- {path: /f, content: [x]}\n");
	assert_int_equal(f->c.files, 3);
	assert_string_equal(f->c.file[0].content, "hi");
	assert_int_equal(f->c.file[0].mode, 0600);
	assert_int_equal(f->c.file[1].mode, 0644);
	assert_true(said("decimal number to cloud-init", 4));
	assert_true(said("not an absolute path", 5));
	assert_true(said("not what its encoding says", 6));
	assert_true(said("encoding:", 7));
	assert_string_equal(f->c.file[2].content, "hi");
	assert_true(f->c.file[2].append);
	assert_true(said("content: text was expected", 9));
}

static void test_commands(void **state)
{
	(void)state;
	read_config("#cloud-config\nruncmd:\n- echo 1\n- [echo, \"a b\", 3]\n- echo: x\nbootcmd: wrong\n");
	assert_int_equal(f->c.runcmds, 2);
	assert_string_equal(f->c.runcmd[0].line, "echo 1");
	assert_int_equal(f->c.runcmd[1].argv.count, 3);
	assert_string_equal(f->c.runcmd[1].argv.item[2], "3");
	assert_true(said("put it into quotes", 5));
	assert_true(said("a list of commands", 6));
}

static void test_bad_yaml(void **state)
{
	(void)state;
	read_config("#cloud-config\nhostname: a\n\tusers: x\n");
	assert_int_equal(f->diag.errors, 1);
	assert_int_equal(f->diag.item[0].line, 3);
	assert_int_equal(f->diag.item[0].column, 1);
	assert_null(f->c.hostname);
}

static void test_later_wins(void **state)
{
	static const char first[] = "#cloud-config\nhostname: a\nruncmd: [x, y]\n", second[] = "#cloud-config\nhostname: b\nruncmd: [z]\n";

	(void)state;
	assert_int_equal(cloud_config_read(&f->c, first, strlen(first), &f->diag), 0);
	assert_int_equal(cloud_config_read(&f->c, second, strlen(second), &f->diag), 0);
	assert_string_equal(f->c.hostname, "b");
	assert_int_equal(f->c.runcmds, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_base64), TEST(test_quoted_printable), TEST(test_gzip), TEST(test_gzip_bomb), TEST(test_whole_base64), TEST(test_mime),
		TEST(test_mime_lines), TEST(test_settings), TEST(test_kinds), TEST(test_chpasswd), TEST(test_proxmox), TEST(test_users),
		TEST(test_files), TEST(test_commands), TEST(test_bad_yaml), TEST(test_later_wins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
