/* SPDX-License-Identifier: MIT */
/* See sandbox.h. */
#include "fetchfs/client/sandbox.h"

#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

/* Sanitizers look into the process with system calls that no program should have. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HAVE_FILTER false
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HAVE_FILTER false
#endif
#endif
#ifndef HAVE_FILTER
#define HAVE_FILTER true
#endif

static errint_t drop_capabilities(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { { 0, 0, 0 }, { 0, 0, 0 } };

	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	return syscall(SYS_capset, &head, none) < 0 ? -errno : 0;
}

static errint_t change_user(uid_t uid, gid_t gid)
{
	if (geteuid() != 0)
		return 0;
	/* In a user namespace that has no groups to give away this is refused. */
	if (setgroups(0, NULL) < 0 && errno != EPERM)
		return -errno;
	if (setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
		return -errno;
	/* As for who changes his user: others of the same user do not come to its files and root directory by /proc. */
	return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ? -errno : 0;
}

errint_t sandbox_enter(uid_t uid, gid_t gid)
{
	errint_t r;

	/* What programs with file capabilities could get: while there is the right to give it away. */
	for (int c = 0; prctl(PR_CAPBSET_READ, c, 0, 0, 0) >= 0 && prctl(PR_CAPBSET_DROP, c, 0, 0, 0) == 0;)
		c++;
	r = change_user(uid, gid);
	if (r == 0)
		r = drop_capabilities();
	if (r == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		r = -errno;
	if (r == 0 && HAVE_FILTER)
		r = sandbox_filter();
	return r;
}

const char *sandbox_name(void)
{
	if (!HAVE_FILTER)
		return "no capabilities (a sanitizer's build: no seccomp)";
	return sandbox_hides_files() ? "no capabilities, seccomp, no files" : "no capabilities, seccomp";
}
