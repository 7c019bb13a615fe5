#!/bin/sh
# SPDX-License-Identifier: MIT
# Where a mount's messages go: standard error, the system's log, the journal with its fields, the kernel's log; and how many of them. In a mount namespace whose /run and /dev
# are the test's own, with sockets and files in the places of the real ones.
# shellcheck source=tests/functions.sh
if [ -z "${SPORE_LOG_TEST:-}" ] && [ "$(id -u)" -eq 0 ]; then
	unshare -m true 2>/dev/null || { echo "SKIP: no mount namespace can be made"; exit 77; }
	SPORE_LOG_TEST=1 exec unshare -m --propagation private "$0" "$@"
fi
. "$(dirname "$0")/../functions.sh"
need_root
need_fuse
command -v nc >/dev/null || skip "nc (package netcat-openbsd) is not installed"

mkdir "$T/dev" "$T/run" "$T/www"
for device in "null c 1 3" "zero c 1 5" "urandom c 1 9" "fuse c 10 229"; do
	# shellcheck disable=SC2086 # name, type and numbers
	mknod -m 666 "$T/dev/"$device || skip "devices cannot be made here"
done
ln -s /proc/self/fd "$T/dev/fd"
mkdir -p "$T/run/systemd/journal"
: >"$T/dev/kmsg"
fetchfs keygen "$T/key"
fetchfs init -n "nasty" -k "$T/key" "$T/www/repo"
mkdir "$T/tree"
echo hello >"$T/tree/file"
fetchfs publish -q -k "$T/key" "$T/www/repo" "$T/tree"
mount --bind "$T/run" /run
mount --bind "$T/dev" /dev

mount_it() { mount_fetchfs "$T/mnt" -K "$T/key.pub" -c "$T/cache" "$@" "$T/www/repo"; }
# Each request is a message of the level debug.
speak() { fetchfs ctl "$T/mnt" version >/dev/null; }
has() { grep -qa "$1" "$2"; }

step "the journal, with fields"
nc -lkuU /run/systemd/journal/socket >"$T/journal" &
end_with_test $!
wait_for 10 test -S /run/systemd/journal/socket
mount_it -o log=journal,loglevel=debug
speak
wait_for 10 has '^MESSAGE=control: version$' "$T/journal"
for field in PRIORITY=7 SYSLOG_FACILITY=3 SYSLOG_IDENTIFIER=fetchfs "FETCHFS_MOUNT=$T/mnt" FETCHFS_REPOSITORY=nasty; do
	has "^$field\$" "$T/journal" || fail "no $field: $(cat "$T/journal")"
done

step "the level, also while it runs"
fetchfs ctl "$T/mnt" log warning >/dev/null
: >"$T/journal"
speak
fetchfs ctl "$T/mnt" log debug >/dev/null
speak
wait_for 10 has '^MESSAGE=control: version$' "$T/journal"
[ "$(grep -ca '^MESSAGE=control: version$' "$T/journal")" = 1 ] || fail "said although it was not wanted: $(cat "$T/journal")"
fetchfs umount "$T/mnt"

step "the system's log, which is the default, and where the journal is not there"
nc -lkuU /dev/log >"$T/syslog" &
end_with_test $!
wait_for 10 test -S /dev/log
mount_it -o loglevel=debug
speak
wait_for 10 has 'fetchfs\[[0-9]*\]: control: version' "$T/syslog"
has '^<31>' "$T/syslog" || fail "facility and level: $(cat "$T/syslog")"
fetchfs umount "$T/mnt"
rm /run/systemd/journal/socket
: >"$T/syslog"
mount_it -o log=journal,loglevel=debug
speak
wait_for 10 has 'control: version' "$T/syslog"
fetchfs umount "$T/mnt"

step "the kernel's log, also of the root file system"
mount_it -o log=kmsg,loglevel=debug
speak
wait_for 10 has '^<7>fetchfs: control: version$' /dev/kmsg
fetchfs umount "$T/mnt"
: >/dev/kmsg
mount_it -o root,loglevel=debug
speak
wait_for 10 has '^<7>fetchfs: control: version$' /dev/kmsg
fetchfs umount "$T/mnt"

step "standard error, in the background too"
mount_it -o log=stderr,loglevel=debug 2>"$T/words"
speak
wait_for 10 has '^fetchfs: control: version$' "$T/words"
fetchfs umount "$T/mnt"

step "words that are not known"
expect_failure 64 'expected stderr, syslog, journal or kmsg' fetchfs mount -K "$T/key.pub" -o log=printer "$T/www/repo" "$T/mnt"
expect_failure 64 'expected error, warning' fetchfs mount -K "$T/key.pub" -o loglevel=9 "$T/www/repo" "$T/mnt"
