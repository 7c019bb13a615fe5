/* SPDX-License-Identifier: MIT */
/*
 * What a request proves itself with: user and password in a URL, a file with a token or a password, a file with further headers, a private key. Knows
 * their forms and who may read them; must not know what they are sent to. Nothing of it may get into a message: errors name the file and the line.
 */
#ifndef SPORE_FETCHFS_CLIENT_TRANSPORT_SECRET_H
#define SPORE_FETCHFS_CLIENT_TRANSPORT_SECRET_H

#include "common/base.h"

#define SECRET_FILE_MAX (64 * KIB)
#define SECRET_ERROR_SIZE 256
#define SECRET_MAX_HEADERS 32

/* Header lines without an end of line, "Name: value". */
struct secret_headers {
	char *lines[SECRET_MAX_HEADERS];
	size_t count;
};

/*
 * Splits "scheme://user:password@host/path" into what may be shown, and the user and password as they stand there (NULL where there is none). Both are the
 * caller's (free). -ENOMEM.
 */
errint_t secret_split_url(const char *url, char **ret_url, char **ret_user);
/*
 * Overwrites user and password in every URL and proxy of a text, and rather too much than too little, in place: for arguments, which everybody can see in
 * the list of processes.
 */
void secret_hide(char *text);

/*
 * A whole file, with a zero byte behind it. private: refuses (-EPERM) what somebody else than its owner can read or write, or what is neither ours nor root's.
 * ret_error: what was wrong and what to do.
 */
errint_t secret_read_file(const char *path, bool private, char **ret, size_t *ret_size, char ret_error[SECRET_ERROR_SIZE]);

/*
 * One line: a token, or USER:PASSWORD. *ret is the header line "Authorization: ...". -EINVAL: neither; ret_error says what it must be.
 */
errint_t secret_parse_credentials(const char *text, size_t size, char **ret, char ret_error[SECRET_ERROR_SIZE]);
/* The same from a URL's user and password, where %40 stands for @. */
errint_t secret_from_url(const char *user, char **ret);
/* "%41" becomes "A", in place; a zero byte or half a sequence stays as it is. */
void secret_unescape(char *text);
/* Lines "Name: value"; empty ones and those that begin with # are left out. Headers that curl must decide about are refused. -EINVAL. */
errint_t secret_parse_headers(const char *text, size_t size, struct secret_headers *ret, char ret_error[SECRET_ERROR_SIZE]);
void secret_headers_done(struct secret_headers *h);
/* Overwrites, then frees. NULL is allowed. */
void secret_free(char *text);

#endif
