/* SPDX-License-Identifier: MIT */
/*
 * The program fetchfs: its verbs. Each verb is one struct command of publish/ (host only) or client/; nothing is done here.
 * A verb of the client is added to client/client.h and to the table.
 */
#include "fetchfs/fetchfs.h"
#include "common/options.h"
#if __has_include("fetchfs/client/client.h")
#include "fetchfs/client/client.h"
#include "fetchfs/client/worker.h"
#define HAVE_CLIENT 1
#else
#define HAVE_CLIENT 0
#endif
#ifndef SPORE_GUEST
#include "fetchfs/publish/publish.h"
#endif

#include <sodium.h>

static const char intro[] =
	"Publishes a root filesystem as static, signed files that any web server can serve, and mounts it from there: "
	"files are fetched once, as they are needed, verified, and kept in a cache.";

static const struct command *const verbs[] = {
#ifndef SPORE_GUEST
	&keygen_command, &init_command, &publish_command, &ls_command, &cat_command, &export_command, &fsck_command, &stat_command,
#endif
#if HAVE_CLIENT
	&client_mount_command, &client_umount_command, &client_ctl_command, &client_top_command,
#ifndef SPORE_GUEST
	&client_preload_command,
#endif
#endif
};

int fetchfs_main(int argc, char **argv)
{
	struct command table[ARRAY_SIZE(verbs) + 1];

	if (sodium_init() < 0) {
		fprintf(stderr, "fetchfs: cannot prepare the cryptographic library\n");
		return 70;
	}
#if HAVE_CLIENT
	if (worker_is_wanted(argc, argv))
		return worker_main(argc, argv);
	/* As mount.fetchfs SPEC DIRECTORY [-o OPTIONS], the way mount(8) calls it. */
	if (client_is_mount_helper(argc, argv))
		return client_mount_helper(argc, argv);
#endif
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		table[i] = *verbs[i];
	table[ARRAY_SIZE(verbs)] = (struct command){ .name = NULL };
	return options_run_verbs("fetchfs", intro, table, argc, argv);
}
