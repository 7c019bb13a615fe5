/* SPDX-License-Identifier: MIT */
/* The FUSE session: what is agreed with the kernel, the loop, the end. See fs.h. */
#include "fetchfs/client/fs_private.h"
#include "common/io.h"
#include "fetchfs/client/thread.h"

#define MAX_THREADS 8
#define WAKE_SIGNAL SIGUSR1
#define WAKE_NS 50000000

int fs_errno(errint_t r)
{
	switch (r) {
	case -ENOENT:
	case -ENOTDIR:
	case -ENODATA:
	case -EINTR:
	case -ENOMEM:
	case -EMFILE:
	case -ENFILE:
	case -ESTALE:
	case -EINVAL:
	case -ENXIO:
	case -ERANGE:
		return -r;
	default:
		return EIO;
	}
}

static void want(struct fuse_conn_info *conn, unsigned capability, bool yes)
{
#if FS_HAVE_PASSTHROUGH
	if (yes)
		fuse_set_feature_flag(conn, capability);
	else
		fuse_unset_feature_flag(conn, capability);
#else
	if (yes)
		conn->want |= conn->capable & capability;
	else
		conn->want &= ~capability;
#endif
}

static void init(void *context, struct fuse_conn_info *conn)
{
	struct fs *f = context;

	want(conn, FUSE_CAP_CACHE_SYMLINKS, true);
	want(conn, FUSE_CAP_PARALLEL_DIROPS, true);
	want(conn, FUSE_CAP_READDIRPLUS, true);
	want(conn, FUSE_CAP_READDIRPLUS_AUTO, true);
	want(conn, FUSE_CAP_NO_OPENDIR_SUPPORT, true);
	want(conn, FUSE_CAP_ASYNC_READ, true);
	want(conn, FUSE_CAP_POSIX_ACL, true);
	want(conn, FUSE_CAP_AUTO_INVAL_DATA, false);
	want(conn, FUSE_CAP_SPLICE_WRITE, f->splice);
	want(conn, FUSE_CAP_SPLICE_MOVE, f->splice);
	want(conn, FUSE_CAP_SPLICE_READ, false);
	conn->max_readahead = 1024 * 1024;
	conn->max_background = 64;
	conn->congestion_threshold = 48;
#if FS_HAVE_PASSTHROUGH
	f->can_pass = f->passthrough && conn->capable_ext & FUSE_CAP_PASSTHROUGH;
	if (f->can_pass) {
		want(conn, FUSE_CAP_PASSTHROUGH, true);
		/* The kernel's limit is two layers: an overlay must still find room over this mount. */
		conn->max_backing_stack_depth = FUSE_BACKING_STACKED_UNDER;
	}
#endif
	f->no_opendir = conn->capable & FUSE_CAP_NO_OPENDIR_SUPPORT;
	f->no_open = !f->can_pass && !f->opens && conn->capable & FUSE_CAP_NO_OPEN_SUPPORT;
	if (f->no_open)
		files_keep_ready(f->files);
	if (f->mounted)
		f->mounted(f->context);
}

static const struct fuse_lowlevel_ops operations = {
	.init = init,
	.lookup = fs_lookup,
	.forget = fs_forget,
	.forget_multi = fs_forget_multi,
	.getattr = fs_getattr,
	.readlink = fs_readlink,
	.readdir = fs_readdir,
	.readdirplus = fs_readdirplus,
	.opendir = fs_open_directory,
	.statfs = fs_statfs,
	.getxattr = fs_getxattr,
	.listxattr = fs_listxattr,
	.open = fs_open_file,
	.read = fs_read,
	.release = fs_release,
	.lseek = fs_lseek,
};

errint_t fs_open(const struct fs_config *config, const char *mountpoint, struct fs **ret)
{
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	struct fs *f = calloc(1, sizeof(*f));
	errint_t r = 0;

	if (!f)
		return -ENOMEM;
	f->snapshot = config->snapshot;
	f->files = config->files;
	f->cache = config->cache;
	f->transport = config->transport;
	f->stats = config->stats;
	f->record = config->record;
	f->passthrough = config->passthrough;
	f->opens = config->opens;
	f->splice = config->splice;
	f->socket = config->socket;
	f->mounted = config->mounted;
	f->context = config->context;
	pthread_mutex_init(&f->tell_lock, NULL);
	if (fuse_opt_add_arg(&args, "fetchfs") < 0 || fuse_opt_add_arg(&args, "-o") < 0 || fuse_opt_add_arg(&args, config->options) < 0)
		r = -ENOMEM;
	if (r == 0) {
		f->session = fuse_session_new(&args, &operations, sizeof(operations), f);
		r = f->session ? 0 : -EINVAL;
	}
	fuse_opt_free_args(&args);
	if (r == 0 && fuse_session_mount(f->session, mountpoint) != 0)
		r = -EPERM;
	if (r < 0) {
		if (f->session)
			fuse_session_destroy(f->session);
		pthread_mutex_destroy(&f->tell_lock);
		free(f);
		return r;
	}
	f->is_mounted = true;
	*ret = f;
	return 0;
}

/*
 * Signals that ask for the end are taken by a thread of their own and not by libfuse: requests have to be answered until the kernel has been told the last
 * thing, or that would wait for ever.
 */
struct ender {
	struct fs *fs;
	sigset_t signals;
	pthread_t loop, thread;
	atomic_bool ended;
};

static void *wait_for_end(void *context)
{
	struct ender *e = context;
	struct timespec pause = { .tv_nsec = WAKE_NS };
	int signal;

	do
		signal = sigwaitinfo(&e->signals, NULL);
	while (signal < 0);
	if (atomic_load(&e->ended))
		return NULL;
	fs_end_telling(e->fs);
	fuse_session_exit(e->fs->session);
	/* The loop may be about to sleep just now: again, until it has gone. */
	while (!atomic_load(&e->ended)) {
		pthread_kill(e->loop, WAKE_SIGNAL);
		nanosleep(&pause, NULL);
	}
	return NULL;
}

static void wake(int signal)
{
	(void)signal;
}

static errint_t start_ender(struct ender *e, struct fs *f)
{
	struct sigaction action = { .sa_handler = wake };

	e->fs = f;
	e->loop = pthread_self();
	sigemptyset(&e->signals);
	sigaddset(&e->signals, SIGTERM);
	sigaddset(&e->signals, SIGINT);
	sigaddset(&e->signals, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &e->signals, NULL);
	sigaction(WAKE_SIGNAL, &action, NULL);
	return thread_start(&e->thread, wait_for_end, e);
}

static void stop_ender(struct ender *e)
{
	atomic_store(&e->ended, true);
	pthread_kill(e->thread, SIGTERM);
	pthread_join(e->thread, NULL);
}

errint_t fs_run(struct fs *f, bool handle_signals)
{
	struct fuse_loop_config *config = fuse_loop_cfg_create();
	struct ender ender = { .fs = NULL };
	int result;

	if (!config)
		return -ENOMEM;
	/* None of them ever waits for the network: a few are enough, and they stay. */
	fuse_loop_cfg_set_max_threads(config, MAX_THREADS);
	fuse_loop_cfg_set_idle_threads(config, MAX_THREADS);
	fuse_loop_cfg_set_clone_fd(config, 0);
	if (handle_signals && start_ender(&ender, f) < 0) {
		fuse_loop_cfg_destroy(config);
		return -ENOMEM;
	}
	result = fuse_session_loop_mt(f->session, config);
	fs_end_telling(f);
	if (handle_signals)
		stop_ender(&ender);
	fuse_loop_cfg_destroy(config);
	return result < 0 ? result : 0;
}

void fs_unmount(struct fs *f)
{
	if (f->is_mounted)
		fuse_session_unmount(f->session);
	f->is_mounted = false;
}

void fs_free(struct fs *f)
{
	fuse_session_destroy(f->session);
	pthread_mutex_destroy(&f->tell_lock);
	free(f);
}

bool fs_can_pass(const struct fs *f)
{
	return f->can_pass;
}
