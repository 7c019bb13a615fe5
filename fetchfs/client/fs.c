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
	f->can_pass = f->passthrough && f->modes && conn->capable_ext & FUSE_CAP_PASSTHROUGH;
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

errint_t fs_new(const struct fs_config *config, struct fs **ret)
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
	f->pid = config->pid;
	f->modes = config->modes;
	f->generation = config->generation;
	f->device = -1;
	pthread_mutex_init(&f->tell_lock, NULL);
	pthread_mutex_init(&f->handle_lock, NULL);
	if (fuse_opt_add_arg(&args, "fetchfs") < 0)
		r = -ENOMEM;
	if (r == 0) {
		f->session = fuse_session_new(&args, &operations, sizeof(operations), f);
		r = f->session ? 0 : -ENOMEM;
	}
	fuse_opt_free_args(&args);
	if (r < 0) {
		pthread_mutex_destroy(&f->tell_lock);
		pthread_mutex_destroy(&f->handle_lock);
		free(f);
		return r;
	}
	*ret = f;
	return 0;
}

static void process(void *context, const void *request, size_t size)
{
	struct fs *f = context;
	/* libfuse only reads it. */
	struct fuse_buf buf = { .mem = (void *)(uintptr_t)request, .size = size };

	fs_set_unique_now(((const struct fuse_in_header *)request)->unique);
	fuse_session_process_buf(f->session, &buf);
}

static void give_up(void *context, uint64_t unique)
{
	struct fs *f = context;
	struct fuse_out_header h = { .len = sizeof(h), .error = -EIO, .unique = unique };

	(void)!write(f->device, &h, sizeof(h));
	journal_answered(f->journal, unique);
}

errint_t fs_take_over(struct fs *f, struct journal *journal, int device, const void *init_request, size_t size, bool crashed)
{
	const struct journal_visitor v = { .again = process, .give_up = give_up, .context = f };
	const struct fuse_in_header *h = init_request;
	errint_t r;

	if (size < sizeof(*h))
		return -EBADMSG;
	f->journal = journal;
	f->device = device;
	f->init_unique = h->unique;
	r = fs_use_journal(f);
	if (r < 0)
		return r;
	process(f, init_request, size);
	if (f->disagrees)
		return -EPROTO;
	journal_replay(f->journal, crashed, &v);
	return 0;
}

static void wake(int signal)
{
	(void)signal;
}

errint_t fs_run(struct fs *f)
{
	struct fuse_loop_config *config = fuse_loop_cfg_create();
	struct sigaction action = { .sa_handler = wake };
	int result;

	if (!config)
		return -ENOMEM;
	sigaction(WAKE_SIGNAL, &action, NULL);
	/* None of them ever waits for the network: a few are enough, and they stay. */
	fuse_loop_cfg_set_max_threads(config, MAX_THREADS);
	fuse_loop_cfg_set_idle_threads(config, MAX_THREADS);
	fuse_loop_cfg_set_clone_fd(config, 0);
	f->loop = pthread_self();
	atomic_store(&f->is_running, true);
	result = fuse_session_loop_mt(f->session, config);
	atomic_store(&f->has_ended, true);
	fs_end_telling(f);
	fuse_loop_cfg_destroy(config);
	return result < 0 ? result : 0;
}

/* Requests have to be answered until the kernel has been told the last thing, or that would wait for ever. */
void fs_stop(struct fs *f)
{
	struct timespec pause = { .tv_nsec = WAKE_NS };

	fs_end_telling(f);
	fuse_session_exit(f->session);
	/* The loop may be about to sleep just now: again, until it has gone. */
	while (atomic_load(&f->is_running) && !atomic_load(&f->has_ended)) {
		pthread_kill(f->loop, WAKE_SIGNAL);
		nanosleep(&pause, NULL);
	}
}

void fs_free(struct fs *f)
{
	fuse_session_destroy(f->session);
	pthread_mutex_destroy(&f->tell_lock);
	pthread_mutex_destroy(&f->handle_lock);
	free(f->handles);
	free(f);
}

bool fs_can_pass(const struct fs *f)
{
	return f->can_pass;
}
