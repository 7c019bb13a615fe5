/* SPDX-License-Identifier: MIT */
/*
 * The two signed texts of a repository: the manifest (which catalog is the root of which revision) and the keyring (which keys may sign manifests).
 * Specified in docs/format-manifest.md and docs/format-keyring.md. Parses verified text; must not know where it came from.
 */
#ifndef SPORE_FETCHFS_FORMAT_MANIFEST_H
#define SPORE_FETCHFS_FORMAT_MANIFEST_H

#include "common/digest.h"
#include "common/signify.h"

/*
 * Both are lines of "key: value" in UTF-8 with LF, in signify's embedded format. The first line names format and version. Unknown keys are ignored; what a
 * reader must not ignore comes with a new version number. At most MANIFEST_MAX_SIZE bytes.
 *
 *	spore-manifest: 1
 *	name: debian
 *	revision: 7
 *	time: 1763725200		seconds since 1970, UTC
 *	expires: 1766317200
 *	keyring: 3			serial of the keyring at the time of signing
 *	root: b2-<hex> STORED SIZE	root catalog: digest, compressed size, uncompressed size
 *	inodes: 14211			total, for statfs
 *	bytes: 301989888		sum of file sizes, for statfs
 *	tag: NAME REVISION TIME b2-<hex> STORED SIZE	any number, sorted by name
 *	profile: NAME b2-<hex> STORED SIZE b2-<hex> STORED SIZE	its list and its recording (docs/format-profile.md); any number, sorted by name
 *
 *	spore-keyring: 1
 *	name: debian
 *	serial: 3
 *	time: 1763725200
 *	expires: 1795261200
 *	key: <base64 of the public key, as in the second line of its .pub file>	one or more
 */
#define MANIFEST_FILE "manifest"
#define KEYRING_FILE "keyring"
#define MANIFEST_MAX_SIZE ((size_t)(1 * MIB))
#define MANIFEST_NAME_MAX 63		/* letters, digits, '.', '_' and '-', not starting with '.' or '-' */
#define MANIFEST_MAX_TAGS 4096
#define MANIFEST_MAX_PROFILES 64
#define KEYRING_MAX_KEYS 64

struct manifest_root {
	struct digest digest;
	uint32_t stored_size, size;
};

struct manifest_tag {
	char name[MANIFEST_NAME_MAX + 1];
	uint64_t revision;
	int64_t time;
	struct manifest_root root;
};

/* What a client fetches ahead (of this revision), and the paths that it was made from. */
struct manifest_profile {
	char name[MANIFEST_NAME_MAX + 1];
	struct manifest_root list, recording;
};

struct manifest {
	char name[MANIFEST_NAME_MAX + 1];
	uint64_t revision;
	int64_t time, expires;
	uint64_t keyring_serial;
	struct manifest_root root;
	uint64_t inodes, bytes;
	struct manifest_tag *tags;	/* owned: manifest_done */
	size_t tag_count;
	struct manifest_profile *profiles;	/* owned */
	size_t profile_count;
};

struct keyring {
	char name[MANIFEST_NAME_MAX + 1];
	uint64_t serial;
	int64_t time, expires;
	struct signify_public keys[KEYRING_MAX_KEYS];
	size_t key_count;
};

bool manifest_name_valid(const char *name);

/* The message inside the signature. -EBADMSG; -EPROTONOSUPPORT (newer version). *ret_line (may be NULL): the line that is wrong, from 1. */
errint_t manifest_parse(const char *text, size_t size, struct manifest *ret, unsigned *ret_line);
errint_t manifest_format(const struct manifest *m, char **ret_text, size_t *ret_size);
void manifest_done(struct manifest *m);
const struct manifest_tag *manifest_find_tag(const struct manifest *m, const char *name);
const struct manifest_profile *manifest_find_profile(const struct manifest *m, const char *name);

errint_t keyring_parse(const char *text, size_t size, struct keyring *ret, unsigned *ret_line);
errint_t keyring_format(const struct keyring *k, char **ret_text, size_t *ret_size);

/*
 * The chain of trust over fetched files: the keyring verifies against a root key, the manifest against the keyring; names agree;
 * neither is expired at the time now (seconds since 1970; 0: do not check times). Errors of signify_verify_embedded and of the parsers, and:
 */
#define TRUST_E_EXPIRED (-EKEYEXPIRED)
#define TRUST_E_NAME (-EREMCHG)		/* manifest and keyring are of different repositories */
errint_t trust_open_keyring(const struct signify_public *roots, size_t root_count, const char *data, size_t size, int64_t now,
			    struct keyring *ret);
errint_t trust_open_manifest(const struct keyring *k, const char *data, size_t size, int64_t now, struct manifest *ret);

#endif
