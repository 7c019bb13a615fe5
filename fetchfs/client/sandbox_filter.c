/* SPDX-License-Identifier: MIT */
/*
 * The system calls that a worker makes, with glibc and with musl, as a seccomp filter (seccomp(2); the program is classic BPF). What only an attacker would call ends
 * the process (SIGSYS); all else that is not listed is refused with EPERM, or with ENOSYS where C libraries then take an older call.
 */
#include "fetchfs/client/sandbox.h"

#include <asm/sockios.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#define OWN_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OWN_ARCH AUDIT_ARCH_AARCH64
#elif defined(__i386__)
#define OWN_ARCH AUDIT_ARCH_I386
#else
#error "no list of system calls for this architecture"
#endif

#define X32_BIT 0x40000000u
#ifndef SECCOMP_RET_KILL_PROCESS
#define SECCOMP_RET_KILL_PROCESS 0x80000000u
#endif
#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif

#define REFUSE (SECCOMP_RET_ERRNO | EPERM)
#define UNKNOWN (SECCOMP_RET_ERRNO | ENOSYS)

/* Without arguments that matter. */
static const unsigned allowed[] = {
	/* files */
	SYS_read, SYS_write, SYS_readv, SYS_writev, SYS_pread64, SYS_pwrite64, SYS_preadv, SYS_pwritev, SYS_openat, SYS_close, SYS_fstat, SYS_statx,
	SYS_lseek, SYS_flock, SYS_fsync, SYS_fdatasync, SYS_syncfs, SYS_ftruncate, SYS_fallocate, SYS_getdents64, SYS_mkdirat,
	SYS_unlinkat, SYS_renameat2, SYS_linkat, SYS_fchmod, SYS_fchmodat, SYS_utimensat, SYS_faccessat, SYS_readlinkat, SYS_getcwd, SYS_chdir,
	SYS_statfs, SYS_fstatfs, SYS_umask, SYS_dup, SYS_dup3, SYS_pipe2, SYS_splice, SYS_tee, SYS_vmsplice, SYS_sendfile, SYS_copy_file_range,
	SYS_memfd_create, SYS_truncate, SYS_fgetxattr,
	/* memory */
	SYS_munmap, SYS_mremap, SYS_mprotect, SYS_madvise, SYS_brk, SYS_mlock, SYS_mlock2, SYS_munlock, SYS_membarrier, SYS_msync, SYS_mincore,
	/* signals, threads, time */
	SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_rt_sigtimedwait, SYS_rt_sigpending, SYS_sigaltstack, SYS_futex,
	SYS_set_robust_list, SYS_get_robust_list, SYS_set_tid_address, SYS_exit, SYS_exit_group, SYS_restart_syscall, SYS_sched_yield,
	SYS_sched_getaffinity, SYS_sched_getparam, SYS_sched_getscheduler, SYS_getcpu, SYS_ioprio_get, SYS_clock_gettime, SYS_clock_getres,
	SYS_clock_nanosleep, SYS_nanosleep, SYS_gettimeofday, SYS_times,
	/* sockets and waiting */
	SYS_connect, SYS_bind, SYS_sendto, SYS_recvfrom, SYS_sendmsg, SYS_recvmsg, SYS_sendmmsg, SYS_recvmmsg, SYS_shutdown, SYS_getsockname, SYS_getpeername,
	SYS_setsockopt, SYS_getsockopt, SYS_accept4, SYS_socketpair, SYS_ppoll, SYS_pselect6, SYS_epoll_create1, SYS_epoll_ctl, SYS_epoll_pwait, SYS_eventfd2,
	/* about itself and the machine */
	SYS_getpid, SYS_getppid, SYS_gettid, SYS_getuid, SYS_geteuid, SYS_getgid, SYS_getegid, SYS_getresuid, SYS_getresgid, SYS_getgroups, SYS_getrusage,
	SYS_sysinfo, SYS_uname, SYS_getrandom,
#ifdef SYS_mmap
	SYS_mmap,
#endif
#ifdef SYS_mmap2	/* 32-bit architectures, from here */
	SYS_mmap2, SYS__llseek, SYS_fstat64, SYS_stat64, SYS_lstat64, SYS_fstatat64, SYS_ftruncate64, SYS_truncate64, SYS_statfs64, SYS_fstatfs64,
	SYS_fadvise64_64, SYS_sendfile64, SYS_ugetrlimit, SYS__newselect, SYS_sigreturn, SYS_getuid32, SYS_geteuid32, SYS_getgid32, SYS_getegid32,
	SYS_getresuid32, SYS_getresgid32, SYS_getgroups32,
#endif
#ifdef SYS_socketcall	/* its arguments are in memory, out of a filter's reach */
	SYS_socketcall,
#endif
#ifdef SYS_clock_gettime64
	SYS_clock_gettime64, SYS_clock_getres_time64, SYS_clock_nanosleep_time64, SYS_futex_time64, SYS_ppoll_time64, SYS_pselect6_time64,
	SYS_rt_sigtimedwait_time64, SYS_recvmmsg_time64, SYS_utimensat_time64,
#endif
#ifdef SYS_newfstatat
	SYS_newfstatat,
#endif
#ifdef SYS_fadvise64
	SYS_fadvise64,
#endif
#ifdef SYS_sync_file_range
	SYS_sync_file_range,
#endif
#ifdef SYS_renameat
	SYS_renameat,
#endif
#ifdef SYS_open		/* architectures that have the older calls, from here */
	SYS_open, SYS_stat, SYS_lstat, SYS_access, SYS_mkdir, SYS_rmdir, SYS_unlink, SYS_rename, SYS_link, SYS_chmod, SYS_readlink, SYS_dup2, SYS_pipe,
	SYS_poll, SYS_select, SYS_epoll_create, SYS_epoll_wait, SYS_eventfd, SYS_time, SYS_getpgrp,
#endif
#ifdef SYS_accept
	SYS_accept,
#endif
#ifdef SYS_getrlimit
	SYS_getrlimit,
#endif
#ifdef SYS_faccessat2
	SYS_faccessat2,
#endif
#ifdef SYS_close_range
	SYS_close_range,
#endif
#ifdef SYS_rseq
	SYS_rseq,
#endif
#ifdef SYS_epoll_pwait2
	SYS_epoll_pwait2,
#endif
#ifdef SYS_preadv2
	SYS_preadv2, SYS_pwritev2,
#endif
};

/* Nobody here has a use for them. */
static const unsigned deadly[] = {
	SYS_execve, SYS_execveat, SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev, SYS_kexec_load, SYS_init_module, SYS_finit_module, SYS_delete_module,
	SYS_mount, SYS_umount2, SYS_pivot_root, SYS_chroot, SYS_setns, SYS_unshare, SYS_bpf, SYS_perf_event_open, SYS_add_key, SYS_request_key, SYS_keyctl,
	SYS_setuid, SYS_setgid, SYS_setresuid, SYS_setresgid, SYS_setgroups, SYS_capset, SYS_reboot, SYS_swapon, SYS_swapoff, SYS_mknodat, SYS_userfaultfd,
	SYS_open_by_handle_at, SYS_acct, SYS_settimeofday, SYS_clock_settime, SYS_sethostname, SYS_personality, SYS_quotactl,
#ifdef SYS_io_uring_setup
	SYS_io_uring_setup,
#endif
#ifdef SYS_pidfd_getfd
	SYS_pidfd_getfd,
#endif
#ifdef SYS_fork
	SYS_fork, SYS_vfork,
#endif
};

static const unsigned families[] = { AF_UNIX, AF_INET, AF_INET6, AF_NETLINK };
static const unsigned prctls[] = { PR_SET_NAME, PR_GET_NAME, PR_SET_PDEATHSIG, PR_SET_VMA };
/* Keys on behalf of whoever sits at the terminal; signals for another process, as F_SETOWN. */
static const unsigned bad_ioctls[] = { TIOCSTI, 0x541c /* TIOCLINUX */, FIOSETOWN, SIOCSPGRP };
/* With these, a descriptor sends any signal to any process of the same user. */
static const unsigned bad_fcntls[] = { F_SETOWN, F_SETSIG, F_SETOWN_EX };
/* musl's thread functions name a thread alone, of whichever process: at least no more than these (33 cancels a thread; fs.c wakes by SIGUSR1). */
static const unsigned thread_signals[] = { SIGABRT, SIGUSR1, 33 };
static const unsigned itself[] = { 0 };

#define PROGRAM_MAX 768
struct program {
	struct sock_filter code[PROGRAM_MAX];
	unsigned short count;
};

#define ARGUMENT(n) ((uint32_t)(offsetof(struct seccomp_data, args) + (n) * sizeof(uint64_t)))	/* its lower half; all three are little-endian */

static void add(struct program *p, uint16_t code, uint32_t k, uint8_t if_true, uint8_t if_false)
{
	if (p->count < PROGRAM_MAX)
		p->code[p->count] = (struct sock_filter){ .code = code, .k = k, .jt = if_true, .jf = if_false };
	p->count++;
}

static void load(struct program *p, uint32_t offset)
{
	add(p, BPF_LD | BPF_W | BPF_ABS, offset, 0, 0);
}

static void answer(struct program *p, uint32_t action)
{
	add(p, BPF_RET | BPF_K, action, 0, 0);
}

/* Where what is loaded is value: that answer. */
static void answer_if(struct program *p, uint32_t value, uint32_t action)
{
	add(p, BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1);
	answer(p, action);
}

/* A system call whose argument is compared with a list; else: another answer. The rest of the program has the call's number loaded again. */
static void by_argument(struct program *p, unsigned call, unsigned argument, const unsigned *values, size_t count, uint32_t action, uint32_t otherwise)
{
	add(p, BPF_JMP | BPF_JEQ | BPF_K, call, 0, (uint8_t)(2 * count + 2));
	load(p, ARGUMENT(argument));
	for (size_t i = 0; i < count; i++)
		answer_if(p, values[i], action);
	answer(p, otherwise);
}

static void allow_threads(struct program *p)
{
	add(p, BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 4);
	load(p, ARGUMENT(0));
	add(p, BPF_JMP | BPF_JSET | BPF_K, CLONE_THREAD, 0, 1);
	answer(p, SECCOMP_RET_ALLOW);
	answer(p, SECCOMP_RET_KILL_PROCESS);
}

/* Of what can be done to processes and threads: to its own. */
static void allow_own(struct program *p)
{
	const unsigned own[] = { (unsigned)getpid() };

	by_argument(p, SYS_tgkill, 0, own, ARRAY_SIZE(own), SECCOMP_RET_ALLOW, REFUSE);
	by_argument(p, SYS_tkill, 1, thread_signals, ARRAY_SIZE(thread_signals), SECCOMP_RET_ALLOW, REFUSE);
	by_argument(p, SYS_sched_setscheduler, 0, itself, ARRAY_SIZE(itself), SECCOMP_RET_ALLOW, REFUSE);
	by_argument(p, SYS_ioprio_set, 1, itself, ARRAY_SIZE(itself), SECCOMP_RET_ALLOW, REFUSE);
#ifdef SYS_prlimit64	/* C libraries ask for limits by it */
	by_argument(p, SYS_prlimit64, 0, itself, ARRAY_SIZE(itself), SECCOMP_RET_ALLOW, REFUSE);
#endif
	by_argument(p, SYS_fcntl, 1, bad_fcntls, ARRAY_SIZE(bad_fcntls), REFUSE, SECCOMP_RET_ALLOW);
#ifdef SYS_fcntl64
	by_argument(p, SYS_fcntl64, 1, bad_fcntls, ARRAY_SIZE(bad_fcntls), REFUSE, SECCOMP_RET_ALLOW);
#endif
}

static void write_program(struct program *p)
{
	load(p, offsetof(struct seccomp_data, arch));
	add(p, BPF_JMP | BPF_JEQ | BPF_K, OWN_ARCH, 1, 0);
	answer(p, SECCOMP_RET_KILL_PROCESS);
	load(p, offsetof(struct seccomp_data, nr));
#ifdef __x86_64__
	add(p, BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1);
	answer(p, SECCOMP_RET_KILL_PROCESS);
#endif
	for (size_t i = 0; i < ARRAY_SIZE(allowed); i++)
		answer_if(p, allowed[i], SECCOMP_RET_ALLOW);
	allow_threads(p);
	allow_own(p);
	by_argument(p, SYS_ioctl, 1, bad_ioctls, ARRAY_SIZE(bad_ioctls), SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_ALLOW);
	by_argument(p, SYS_prctl, 0, prctls, ARRAY_SIZE(prctls), SECCOMP_RET_ALLOW, REFUSE);
	by_argument(p, SYS_socket, 0, families, ARRAY_SIZE(families), SECCOMP_RET_ALLOW, REFUSE);
#ifdef SYS_clone3	/* its flags are in memory */
	answer_if(p, SYS_clone3, UNKNOWN);
#endif
	for (size_t i = 0; i < ARRAY_SIZE(deadly); i++)
		answer_if(p, deadly[i], SECCOMP_RET_KILL_PROCESS);
	answer(p, REFUSE);
}

errint_t sandbox_filter(void)
{
	static struct program p;
	struct sock_fprog program = { .filter = p.code };

	p.count = 0;
	write_program(&p);
	if (p.count > PROGRAM_MAX)
		return -E2BIG;
	program.len = p.count;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0 ? -errno : 0;
}
