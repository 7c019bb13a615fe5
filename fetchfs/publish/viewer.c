/* SPDX-License-Identifier: MIT */
/* What the reading verbs share; see viewer.h. */
#include "fetchfs/publish/viewer.h"
#include "common/io.h"
#include "fetchfs/publish/keys.h"

#include <jansson.h>
#include <sodium.h>
#include <sys/stat.h>

int viewer_on_option(struct viewer *v, int id, const char *value)
{
	switch (id) {
	case VIEWER_KEY:
		if (v->key_count == VIEWER_MAX_KEYS) {
			message_error("too many keys (at most %d)", VIEWER_MAX_KEYS);
			return EXIT_USAGE;
		}
		v->keys[v->key_count++] = value;
		break;
	case VIEWER_TAG:
		v->tag = value;
		break;
	case VIEWER_JSON:
		v->json = true;
		break;
	}
	return 0;
}

errint_t viewer_open(struct viewer *v, const char *where, bool check_times)
{
	struct signify_public keys[VIEWER_MAX_KEYS];
	struct view_options o = { .where = where, .keys = keys, .key_count = v->key_count, .tag = v->tag,
		.check_times = check_times && v->key_count > 0 };
	errint_t r;

	for (size_t i = 0; i < v->key_count; i++) {
		r = keys_read_public_file(v->keys[i], &keys[i], &v->trouble);
		if (r < 0)
			return r;
	}
	r = view_open(&v->view, &o, &v->trouble);
	if (r == -ENODATA) {
		view_close(&v->view);
		return trouble_set(&v->trouble, r, EXIT_NO_INPUT, "nothing is published in %s yet", where);
	}
	v->is_open = r == 0;
	return r;
}

int viewer_close(struct viewer *v, errint_t r)
{
	int code = 0;

	if (r == 0 && (fflush(stdout) != 0 || ferror(stdout))) {
		message_error("cannot write the output: %s", strerror(errno));
		code = EXIT_CANNOT_CREATE;
	}
	if (r < 0)
		code = trouble_report(&v->trouble, r);
	if (v->is_open)
		view_close(&v->view);
	v->is_open = false;
	return code;
}

void viewer_print_name(const char *name, size_t length)
{
	static int terminal = -1;

	if (terminal < 0)
		terminal = isatty(STDOUT_FILENO);
	if (!terminal) {
		fwrite(name, 1, length, stdout);
		return;
	}
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)name[i];
		if (c < ' ' || c == 0x7f || c == '\\')
			printf("\\%03o", c);
		else
			putchar(c);
	}
}

void viewer_json_name(json_t *object, const char *key, const char *name, size_t length)
{
	json_t *text = json_stringn(name, length);
	_cleanup_free_ char *other = NULL, *encoded = NULL;
	size_t room = sodium_base64_ENCODED_LEN(length, sodium_base64_VARIANT_ORIGINAL);

	if (text) {
		json_object_set_new(object, key, text);
		return;
	}
	other = io_format("%s_base64", key);
	encoded = malloc(room);
	if (!other || !encoded)
		return;
	sodium_bin2base64(encoded, room, (const unsigned char *)name, length, sodium_base64_VARIANT_ORIGINAL);
	json_object_set_new(object, other, json_string(encoded));
}

const char *viewer_type_name(uint32_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return "file";
	case S_IFDIR:
		return "directory";
	case S_IFLNK:
		return "symlink";
	case S_IFCHR:
		return "character";
	case S_IFBLK:
		return "block";
	case S_IFIFO:
		return "fifo";
	case S_IFSOCK:
		return "socket";
	default:
		return "unknown";
	}
}
