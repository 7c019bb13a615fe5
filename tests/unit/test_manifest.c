/* SPDX-License-Identifier: MIT */
/* Manifests and keyrings: texts, their limits, and the chain of trust. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/io.h"
#include "fetchfs/format/manifest.h"

#define HASH "b2-000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static const char good[] =
	"spore-manifest: 1\n"
	"name: debian\n"
	"revision: 7\n"
	"time: 1763725200\n"
	"expires: 1795261200\n"
	"keyring: 3\n"
	"root: " HASH " 441757 1295656\n"
	"inodes: 10079\n"
	"bytes: 211131076\n"
	"tag: stable 5 1763000000 " HASH " 400000 1200000\n"
	"tag: testing 7 1763725200 " HASH " 441757 1295656\n"
	"profile: boot " HASH " 3511 12448 " HASH " 6120 24201\n";

static errint_t parse(const char *text, struct manifest *m, unsigned *line)
{
	return manifest_parse(text, strlen(text), m, line);
}

/* The same text with the first occurrence of one part replaced. */
static char *with(const char *text, const char *part, const char *other)
{
	const char *at = strstr(text, part);

	assert_non_null(at);
	return io_format("%.*s%s%s", (int)(at - text), text, other, at + strlen(part));
}

static void test_parse(void **state)
{
	struct manifest m;
	_cleanup_free_ char *text = NULL;
	size_t size;

	(void)state;
	assert_int_equal(parse(good, &m, NULL), 0);
	assert_string_equal(m.name, "debian");
	assert_int_equal(m.revision, 7);
	assert_int_equal(m.time, 1763725200);
	assert_int_equal(m.expires, 1795261200);
	assert_int_equal(m.keyring_serial, 3);
	assert_int_equal(m.root.stored_size, 441757);
	assert_int_equal(m.root.size, 1295656);
	assert_int_equal(m.root.digest.bytes[31], 31);
	assert_int_equal(m.inodes, 10079);
	assert_int_equal(m.bytes, 211131076);
	assert_int_equal(m.tag_count, 2);
	assert_int_equal(manifest_find_tag(&m, "stable")->revision, 5);
	assert_null(manifest_find_tag(&m, "stabl"));
	assert_int_equal(m.profile_count, 1);
	assert_int_equal(manifest_find_profile(&m, "boot")->list.size, 12448);
	assert_int_equal(manifest_find_profile(&m, "boot")->recording.stored_size, 6120);
	assert_null(manifest_find_profile(&m, "stable"));
	assert_int_equal(manifest_format(&m, &text, &size), 0);
	assert_int_equal(size, strlen(good));
	assert_string_equal(text, good);
	manifest_done(&m);
}

static void test_document(void **state)
{
	_cleanup_free_ char *document = NULL, *keyring = NULL;
	size_t size;

	(void)state;
	assert_int_equal(io_read_file("docs/format-manifest.md", 1 << 20, &document, &size), 0);
	assert_non_null(strstr(document, good));
	assert_int_equal(io_read_file("docs/format-keyring.md", 1 << 20, &keyring, &size), 0);
	char *start = strstr(keyring, "spore-keyring: 1\n"), *end = start ? strstr(start, "```") : NULL;
	struct keyring k;
	assert_non_null(end);
	assert_int_equal(keyring_parse(start, (size_t)(end - start), &k, NULL), 0);
	assert_int_equal(k.key_count, 2);
}

static void test_unknown_keys(void **state)
{
	_cleanup_free_ char *text = with(good, "inodes: ", "color: green\ncolor: red\ninodes: ");
	struct manifest m;

	(void)state;
	assert_int_equal(parse(text, &m, NULL), 0);
	manifest_done(&m);
}

static void test_refused(void **state)
{
	static const struct {
		const char *part, *other;
		errint_t error;
		unsigned line;
	} cases[] = {
		{ "spore-manifest: 1", "spore-manifest: 2", -EPROTONOSUPPORT, 1 },
		{ "spore-manifest: 1", "spore-manifest: 0", -EBADMSG, 1 },
		{ "spore-manifest: 1\n", "", -EBADMSG, 1 },
		{ "name: debian", "name: ../debian", -EBADMSG, 2 },
		{ "name: debian", "name: .debian", -EBADMSG, 2 },
		{ "name: debian", "name: ", -EBADMSG, 2 },
		{ "name: debian", "name: a123456789012345678901234567890123456789012345678901234567890123", -EBADMSG, 2 },
		{ "revision: 7", "revision: 0", -EBADMSG, 12 },
		{ "revision: 7", "revision: 07", -EBADMSG, 3 },
		{ "revision: 7", "revision: -7", -EBADMSG, 3 },
		{ "revision: 7", "revision: 7 ", -EBADMSG, 3 },
		{ "revision: 7", "revision:7", -EBADMSG, 3 },
		{ "revision: 7", "revision: 18446744073709551616", -EBADMSG, 3 },
		{ "revision: 7\n", "", -EBADMSG, 11 },
		{ "revision: 7\n", "revision: 7\nrevision: 7\n", -EBADMSG, 4 },
		{ "time: 1763725200", "time: 99999999999999999", -EBADMSG, 4 },
		{ "b2-00", "b3-00", -EBADMSG, 7 },
		{ "b2-00", "b2-0", -EBADMSG, 7 },
		{ "b2-00", "b2-0A", -EBADMSG, 7 },
		{ " 441757 1295656", " 441757", -EBADMSG, 7 },
		{ " 441757 1295656", " 441757 1295656 3", -EBADMSG, 7 },
		{ " 441757 1295656", " 441757 99999999999", -EBADMSG, 7 },
		{ "tag: stable 5", "tag: zebra 5", -EBADMSG, 11 },
		{ "tag: stable 5", "tag: testing 5", -EBADMSG, 11 },
		{ "tag: stable 5", "tag: stable 0", -EBADMSG, 10 },
		{ "profile: boot ", "profile: .boot ", -EBADMSG, 12 },
		{ "profile: boot ", "profile: ", -EBADMSG, 12 },
		{ " 3511 12448 ", " 3511 ", -EBADMSG, 12 },
		{ " 6120 24201\n", "\n", -EBADMSG, 12 },
		{ " 6120 24201\n", " 6120 24201 1\n", -EBADMSG, 12 },
		{ " 6120 24201\n", " 6120 24201\nprofile: boot " HASH " 1 1 " HASH " 1 1\n", -EBADMSG, 13 },
		{ "bytes: 211131076\n", "bytes: 211131076\r\n", -EBADMSG, 9 },
		{ "bytes: 211131076\n", "bytes: 211131076\n\n", -EBADMSG, 10 },
		{ "441757 1295656\ninodes", "441757 1295656\tinodes", -EBADMSG, 7 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *text = with(good, cases[i].part, cases[i].other);
		struct manifest m;
		unsigned line = 0;
		assert_int_equal(parse(text, &m, &line), cases[i].error);
		assert_int_equal(line, cases[i].line);
	}
}

static void test_cut_short(void **state)
{
	struct manifest m;

	(void)state;
	for (size_t n = 0; n + 1 < sizeof(good); n++) {
		_cleanup_free_ char *copy = malloc(n + 1);
		memcpy(copy, good, n);
		/* Whole up to a tag: that is a manifest, too. */
		if (manifest_parse(copy, n, &m, NULL) == 0) {
			assert_int_equal(copy[n - 1], '\n');
			manifest_done(&m);
		}
	}
}

static void test_too_many_tags(void **state)
{
	_cleanup_free_ char *text = malloc(2 << 20);
	struct manifest m;
	size_t used = (size_t)(strstr(good, "tag: ") - good);

	(void)state;
	memcpy(text, good, used);
	for (int i = 0; i < MANIFEST_MAX_TAGS; i++)
		used += (size_t)sprintf(text + used, "tag: t%05d 1 1 " HASH " 1 1\n", i);
	assert_int_equal(manifest_parse(text, used, &m, NULL), 0);
	assert_int_equal(m.tag_count, MANIFEST_MAX_TAGS);
	manifest_done(&m);
	used += (size_t)sprintf(text + used, "tag: u 1 1 " HASH " 1 1\n");
	assert_int_equal(manifest_parse(text, used, &m, NULL), -EBADMSG);
}

struct chain {
	struct signify_public root, release, stranger;
	struct signify_secret root_secret, release_secret, stranger_secret;
	char *keyring, *manifest;
	size_t keyring_size, manifest_size;
};

static void make_keyring(struct chain *c, const char *name)
{
	struct keyring k = { .serial = 1, .time = 1000, .expires = 2000, .key_count = 1, .keys = { c->release } };
	_cleanup_free_ char *text = NULL;
	size_t size;

	strcpy(k.name, name);
	assert_int_equal(keyring_format(&k, &text, &size), 0);
	assert_int_equal(signify_sign_embedded(&c->root_secret, "x", text, size, &c->keyring, &c->keyring_size), 0);
}

static void make_chain(struct chain *c)
{
	_cleanup_free_ char *text = with(good, "time: 1763725200\nexpires: 1795261200", "time: 1000\nexpires: 1500");

	assert_int_equal(signify_generate(&c->root, &c->root_secret), 0);
	assert_int_equal(signify_generate(&c->release, &c->release_secret), 0);
	assert_int_equal(signify_generate(&c->stranger, &c->stranger_secret), 0);
	make_keyring(c, "debian");
	assert_int_equal(signify_sign_embedded(&c->release_secret, "x", text, strlen(text), &c->manifest, &c->manifest_size), 0);
}

static void free_chain(struct chain *c)
{
	free(c->keyring);
	free(c->manifest);
}

static void test_trust(void **state)
{
	struct signify_public roots[2];
	struct chain c;
	struct keyring k;
	struct manifest m;

	(void)state;
	make_chain(&c);
	roots[0] = c.stranger;
	roots[1] = c.root;
	assert_int_equal(trust_open_keyring(roots, 2, c.keyring, c.keyring_size, 1200, &k), 0);
	assert_int_equal(trust_open_keyring(roots, 2, c.keyring, c.keyring_size, 2001, &k), TRUST_E_EXPIRED);
	assert_int_equal(trust_open_keyring(roots, 1, c.keyring, c.keyring_size, 1200, &k), SIGNIFY_E_OTHER_KEY);
	assert_int_equal(trust_open_keyring(roots, 2, c.keyring, c.keyring_size, 0, &k), 0);
	assert_int_equal(trust_open_manifest(&k, c.manifest, c.manifest_size, 1200, &m), 0);
	manifest_done(&m);
	assert_int_equal(trust_open_manifest(&k, c.manifest, c.manifest_size, 1501, &m), TRUST_E_EXPIRED);
	assert_int_equal(trust_open_manifest(&k, c.manifest, c.manifest_size, 0, &m), 0);
	manifest_done(&m);
	/* A keyring's text in the manifest's place, and the other way round. */
	assert_int_equal(trust_open_manifest(&k, c.keyring, c.keyring_size, 0, &m), SIGNIFY_E_OTHER_KEY);
	assert_int_equal(trust_open_keyring(&c.release, 1, c.manifest, c.manifest_size, 0, &k), -EBADMSG);
	free_chain(&c);
}

static void test_trust_altered(void **state)
{
	struct chain c;
	struct keyring k;
	struct manifest m;

	(void)state;
	make_chain(&c);
	assert_int_equal(trust_open_keyring(&c.root, 1, c.keyring, c.keyring_size, 0, &k), 0);
	for (size_t i = 0; i < c.manifest_size; i++) {
		char before = c.manifest[i];
		c.manifest[i] ^= 4;
		errint_t r = trust_open_manifest(&k, c.manifest, c.manifest_size, 0, &m);
		/* Only what stands in the untrusted comment may change. */
		if (r == 0) {
			assert_true(i < (size_t)(strchr(c.manifest, '\n') - c.manifest));
			manifest_done(&m);
		}
		c.manifest[i] = before;
	}
	for (size_t n = 0; n < c.manifest_size; n++)
		assert_true(trust_open_manifest(&k, c.manifest, n, 0, &m) < 0);
	free_chain(&c);
}

static void test_other_name(void **state)
{
	struct chain c;
	struct keyring k;
	struct manifest m;

	(void)state;
	make_chain(&c);
	free(c.keyring);
	make_keyring(&c, "fedora");
	assert_int_equal(trust_open_keyring(&c.root, 1, c.keyring, c.keyring_size, 0, &k), 0);
	assert_int_equal(trust_open_manifest(&k, c.manifest, c.manifest_size, 0, &m), TRUST_E_NAME);
	free_chain(&c);
}

static void test_keyring_refused(void **state)
{
	struct chain c;
	struct keyring k;
	char key[SIGNIFY_PUBLIC_TEXT_SIZE];

	(void)state;
	make_chain(&c);
	signify_public_to_text(&c.release, key);
	_cleanup_free_ char *text = io_format("spore-keyring: 1\nname: x\nserial: 1\ntime: 1\nexpires: 2\nkey: %s\n", key);
	assert_int_equal(keyring_parse(text, strlen(text), &k, NULL), 0);
	static const char *const changes[][2] = {
		{ "spore-keyring: 1", "spore-manifest: 1" }, { "key: ", "cay: " }, { "key: R", "key: S" }, { "serial: 1\n", "" },
		{ "time: 1", "time: 1\ntime: 1" }, { "name: x", "name: x y" },
	};
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		_cleanup_free_ char *other = with(text, changes[i][0], changes[i][1]);
		assert_int_equal(keyring_parse(other, strlen(other), &k, NULL), -EBADMSG);
	}
	_cleanup_free_ char *newer = with(text, "spore-keyring: 1", "spore-keyring: 2");
	assert_int_equal(keyring_parse(newer, strlen(newer), &k, NULL), -EPROTONOSUPPORT);
	free_chain(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse), cmocka_unit_test(test_document), cmocka_unit_test(test_unknown_keys), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_cut_short), cmocka_unit_test(test_too_many_tags), cmocka_unit_test(test_trust),
		cmocka_unit_test(test_trust_altered), cmocka_unit_test(test_other_name), cmocka_unit_test(test_keyring_refused),
	};

	return sodium_init() < 0 || cmocka_run_group_tests(tests, NULL, NULL);
}
