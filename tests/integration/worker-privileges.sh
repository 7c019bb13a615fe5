#!/bin/sh
# SPDX-License-Identifier: MIT
# What a worker may and may not: its user, capabilities and system calls; and that what only root can read or write works all the same, also for its successors.
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"
need_fuse
command -v getfattr >/dev/null || skip "getfattr (package attr) is not installed"

mount_it() { mount_fetchfs "$T/mnt" -K "$T/key.pub" "$@"; }
status() { sed -n "s/^$1:[[:space:]]*//p" "/proc/$(worker_pid "$T/mnt")/status"; }
has_another() { now=$(worker_pid "$T/mnt") && [ -n "$now" ] && [ "$now" != "$1" ]; }
kill_worker() {
	old=$(worker_pid "$T/mnt")
	kill -9 "$old"
	wait_for 30 has_another "$old"
}

step "system calls that no worker makes"
for what in execve fork mount ptrace setuid tiocsti; do
	code=0
	(exec confined "$what") >"$T/confined" 2>&1 || code=$?
	[ "$code" = 159 ] || fail "$what: exit $code, not by SIGSYS: $(cat "$T/confined")"
done
for what in packet-socket unknown signal thread-signal signal-by-descriptor limits scheduler; do
	[ "$(confined "$what")" = refused ] || fail "$what is $(confined "$what")"
done
[ "$(confined own)" = allowed ] || fail "what a worker does to itself is refused: $(confined own)"
[ "$(confined thread)" = allowed ] || fail "threads are refused: $(confined thread)"

fetchfs keygen "$T/key" 2>/dev/null
mkdir -p "$T/www" "$T/tree"
fetchfs init -n confined -k "$T/key" "$T/www/repo" 2>/dev/null
head -c 3000000 /dev/urandom >"$T/tree/large"
for n in 1 2 3 4 5 6; do echo "file $n" >"$T/tree/file$n"; done
fetchfs publish -q -k "$T/key" "$T/www/repo" "$T/tree"
serve_faultd server "$T/www"

# is_confined UID: the worker is that user, without anything that makes it more.
is_confined() {
	uid=$(printf '%s\t%s\t%s\t%s' "$1" "$1" "$1" "$1")
	[ "$(status Uid)" = "$uid" ] || fail "Uid: $(status Uid)"
	for set in CapInh CapPrm CapEff CapBnd CapAmb; do
		[ "$(status "$set")" = 0000000000000000 ] || { [ "$set" = CapBnd ] && [ "$(id -u)" -ne 0 ]; } || fail "$set: $(status "$set")"
	done
	[ "$(status NoNewPrivs)" = 1 ] || fail "NoNewPrivs: $(status NoNewPrivs)"
	case $(fetchfs ctl -j "$T/mnt" info | jq -r .worker_sandbox) in
	*sanitizer*) ;;
	*) [ "$(status Seccomp)" = 2 ] || fail "Seccomp: $(status Seccomp)" ;;
	esac
	[ "$(fetchfs ctl -j "$T/mnt" info | jq .worker_uid)" = "$1" ] || fail "ctl info: another user"
}

if [ "$(id -u)" -ne 0 ]; then
	step "a user's mount: the same user, confined"
	mount_it -c "$T/cache" "$faultd_url/repo"
	is_confined "$(id -u)"
	expect_failure 64 'only root' fetchfs mount -o user=nobody -K "$T/key.pub" -c "$T/cache" "$faultd_url/repo" "$T/www"
	exit 0
fi

step "without files: what is open can be used, and nothing that is above it"
mkdir -p "$T/place/files"
for what in above=refused file=refused within=allowed; do
	got=$(cd "$T/place" && exec confined "${what%=*}") || fail "${what%=*}: exit $?"
	[ "$got" = "${what#*=}" ] || fail "${what%=*}: $got"
done
{ [ -e "$T/place/linked" ] && [ -e "$T/place/renamed" ]; } || fail "what was made within is not there"

step "as root, without another user: no capabilities"
mount_it -o user=0 -c "$T/cache" "$faultd_url/repo" 2>"$T/warning"
is_confined 0
command="setpriv --bounding-set=-all --inh-caps=-all ls /proc/$(worker_pid "$T/mnt")/root"
! $command >/dev/null 2>&1 || fail "another of root's processes without capabilities comes to files by the worker's /proc"
! grep -q 'no user' "$T/warning" || fail "a warning although root was asked for: $(cat "$T/warning")"
cmp "$T/tree/large" "$T/mnt/large" || fail "large differs"
fetchfs umount "$T/mnt"

if ! getent passwd fetchfs >/dev/null; then
	step "root without having been asked for: a warning"
	mount_it -c "$T/cache" "$faultd_url/repo" 2>"$T/warning"
	is_confined 0
	grep -q "no user 'fetchfs': the mount works as root" "$T/warning" || fail "no warning: $(cat "$T/warning")"
	fetchfs umount "$T/mnt"
fi
if command -v systemd-sysusers >/dev/null; then
	step "the user that is installed"
	make -s -n install PREFIX=/usr | grep -q 'sysusers.conf .*/usr/lib/sysusers.d/fetchfs.conf' || fail "the user's definition is not installed"
	mkdir -p "$T/root/usr/lib/sysusers.d" "$T/root/etc"
	cp fetchfs/sysusers.conf "$T/root/usr/lib/sysusers.d/fetchfs.conf"
	systemd-sysusers --root="$T/root" fetchfs.conf 2>"$T/sysusers" || fail "systemd-sysusers: $(cat "$T/sysusers")"
	grep -q '^fetchfs:.*nologin' "$T/root/etc/passwd" || fail "no such user: $(cat "$T/root/etc/passwd")"
fi

step "as a user of its own; a cache that root has made becomes its, and nothing else does"
user=64321
chmod 700 "$T"
echo secret >"$T/outside"
ln -s "$T/outside" "$T/cache/files/planted"
mkdir "$T/dir"
echo secret >"$T/dir/outside"
ln -s "$T/dir" "$T/cache/files/planted-directory"
printf 'a-token\n' >"$T/credentials"
chmod 600 "$T/credentials"
mkdir -m 700 "$T/written"
options="user=$user,credentials=$T/credentials,pin=$T/written/pin,record=$T/written/profile"
mount_it -o "$options" -c "$T/cache" "$faultd_url/repo"
is_confined "$user"
[ "$(status Groups)" = "" ] || fail "Groups: $(status Groups)"
cat "$T/mnt"/file* >/dev/null
cmp "$T/tree/large" "$T/mnt/large" || fail "large differs"
[ -z "$(find "$T/cache" ! -uid "$user" ! -path '*/control*')" ] || fail "of the cache not the user's: $(find "$T/cache" ! -uid "$user")"
[ "$(stat -c %u "$T/outside" "$T/dir/outside" "$T/dir" | sort -u)" = 0 ] || fail "a symbolic link was followed"
grep -q ' secret' "$T/server.log" || fail "the credentials were not sent"
{ grep -qx 'select: latest' "$T/written/pin" && grep -qx 'revision: 1' "$T/written/pin"; } || fail "the pinned choice was not written: $(cat "$T/written/pin")"
fetchfs ctl "$T/mnt" record stop >/dev/null
grep -q '^/large' "$T/written/profile" || fail "the recording lacks what was read: $(cat "$T/written/profile")"
[ "$(stat -c %u "$T/written/profile")" = 0 ] || fail "whose is the recording?"
expect_failure 73 'Permission denied' fetchfs ctl "$T/mnt" record start "$T/written/other"

step "another user's worker can be asked by root"
[ "$(fetchfs ctl -j "$T/mnt" info | jq -r .name)" = confined ] || fail "ctl"

step "a successor is as confined, and has the secrets although their file is gone"
rm "$T/credentials"
: >"$T/server.log"
kill_worker
is_confined "$user"
fetchfs ctl "$T/mnt" cache evict 1G >/dev/null
echo 3 >/proc/sys/vm/drop_caches
cmp "$T/tree/large" "$T/mnt/large" || fail "large differs"
grep -q ' secret' "$T/server.log" || fail "the credentials were not sent by the successor"
fetchfs umount "$T/mnt"
grep -qx clean "$T/cache/session" || fail "the cache is not marked clean"

step "a planted hard link to another's file does not change hands"
chown -hR 64322 "$T/cache"
ln "$T/outside" "$T/cache/files/hard"
mount_it -o "user=$user" -c "$T/cache" "$faultd_url/repo"
[ "$(stat -c %u "$T/outside")" = 0 ] || fail "a file of root's was given away"
fetchfs umount "$T/mnt"

step "what cannot be"
mkdir -m 700 "$T/lower"
expect_failure 77 'beneath.*Permission denied' fetchfs mount -o "user=$user,lower=$T/lower" -K "$T/key.pub" -c "$T/cache" "$faultd_url/repo" "$T/mnt"
expect_failure 66 "no user 'nobody-of-that-name'" fetchfs mount -o user=nobody-of-that-name -K "$T/key.pub" -c "$T/cache" "$faultd_url/repo" "$T/mnt"
expect_failure 64 'stays root' fetchfs mount -o root,user=1 -K "$T/key.pub" -c "$T/cache" "$faultd_url/repo" "$T/mnt"
