#!/bin/sh
# SPDX-License-Identifier: MIT
# Another program in the place of the one that runs: under load, with reads in flight, with one that does not work; and who may ask for it.
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"
need_fuse
command -v getfattr >/dev/null || skip "getfattr (package attr) is not installed"

mount_it() { mount_fetchfs "$T/mnt" -K "$T/key.pub" -c "$T/cache" "$@"; }
info() { fetchfs ctl -j "$T/mnt" info | jq -r ".$1"; }
program_of() { readlink "/proc/$1/exe"; }

fetchfs keygen "$T/key" 2>/dev/null
mkdir -p "$T/www" "$T/tree" "$T/bin"
cp "$(command -v fetchfs)" "$T/bin/new"
fetchfs init -n busy -k "$T/key" "$T/www/repo" 2>/dev/null
for i in 1 2 3 4 5 6 7 8; do
	mkdir "$T/tree/d$i"
	head -c $((i * 200000)) /dev/urandom >"$T/tree/d$i/middle"
	head -c 3000 /dev/urandom >"$T/tree/d$i/small"
done
head -c 9000000 /dev/urandom >"$T/tree/large"
fetchfs publish -q -k "$T/key" "$T/www/repo" "$T/tree"
(cd "$T/tree" && find . -type f -print0 | sort -z | xargs -0 sha256sum) >"$T/sums"
serve_faultd server "$T/www"
reader() {
	while [ ! -e "$T/enough" ]; do
		(cd "$T/mnt" && sha256sum --quiet -c "$T/sums" && find . -ls >/dev/null) || return 1
		[ ! -w /proc/sys/vm/drop_caches ] || echo 3 >/proc/sys/vm/drop_caches
	done
}

step "under load: nothing is seen of it"
mount_it "$faultd_url/repo"
supervisor=$(mount_pid "$T/mnt")
readers=
for n in 1 2 3; do
	reader >"$T/reader$n.log" 2>&1 &
	readers="$readers $!"
done
for n in 1 2 3 4 5 6 7 8; do
	old=$(worker_pid "$T/mnt")
	new=$(fetchfs ctl -j "$T/mnt" upgrade "$T/bin/new" | jq .worker_pid)
	[ "$new" != "$old" ] || fail "the worker has stayed"
	[ "$(worker_pid "$T/mnt")" = "$new" ] || fail "the worker is $(worker_pid "$T/mnt"), not $new"
done
: >"$T/enough"
for pid in $readers; do
	wait "$pid" || fail "a reader failed: $(cat "$T"/reader*.log)"
done
[ "$(program_of "$new")" = "$T/bin/new" ] || fail "the worker runs $(program_of "$new")"
[ "$(mount_pid "$T/mnt")" = "$supervisor" ] || fail "another supervisor"
[ "$(info worker_restarts)" = 0 ] || fail "upgrades are counted as restarts"

step "a worker that is killed afterwards is followed by one of the new program"
rm "$T/bin/new"
kill -9 "$new"
cmp "$T/tree/large" "$T/mnt/large" || fail "large differs"
case $(program_of "$(worker_pid "$T/mnt")") in
"$T/bin/new"*) ;;
*) fail "it runs $(program_of "$(worker_pid "$T/mnt")")" ;;
esac

step "without a name: the program that is installed"
fetchfs ctl "$T/mnt" upgrade >/dev/null
[ "$(program_of "$(worker_pid "$T/mnt")")" = "$(readlink -f "$(command -v fetchfs)")" ] || fail "it runs $(program_of "$(worker_pid "$T/mnt")")"

step "reads in flight arrive"
fetchfs umount "$T/mnt"
rm -rf "$T/cache"
mount_it "$faultd_url/repo"
faultd_rules 'hang:100:*/objects/*'
sha256sum "$T/mnt/large" >"$T/late" 2>&1 &
late=$!
has_asked() { [ "$(faultd_count hang)" -gt 0 ]; }
wait_for 20 has_asked
fetchfs ctl "$T/mnt" upgrade >/dev/null
kill -0 "$late" || fail "a read did not wait: $(cat "$T/late")"
faultd_rules ''
fetchfs ctl "$T/mnt" mirrors reset >/dev/null
wait "$late" || fail "a read in flight failed: $(cat "$T/late")"
[ "$(cut -d ' ' -f 1 "$T/late")" = "$(sha256sum <"$T/tree/large" | cut -d ' ' -f 1)" ] || fail "it brought the wrong thing"

step "a program that does not work leaves the old one as it was"
old=$(worker_pid "$T/mnt")
printf '#!/bin/sh\nexit 0\n' >"$T/bin/script"
head -c 5000 /dev/urandom >"$T/bin/garbage"
cp /bin/false "$T/bin/false"
cp "$(command -v fetchfs)" "$T/bin/not-executable"
chmod 755 "$T/bin/script" "$T/bin/garbage"
chmod 644 "$T/bin/not-executable"
for bad in script garbage not-executable; do
	expect_failure 69 'cannot be executed|exit code' fetchfs ctl "$T/mnt" upgrade "$T/bin/$bad"
done
expect_failure 69 'before it was ready' fetchfs ctl "$T/mnt" upgrade "$T/bin/false"
expect_failure 66 'cannot open' fetchfs ctl "$T/mnt" upgrade "$T/bin/nothing"
[ "$(worker_pid "$T/mnt")" = "$old" ] || fail "the worker has changed"
cmp "$T/tree/large" "$T/mnt/large" || fail "large differs"
fetchfs ctl "$T/mnt" upgrade >/dev/null || fail "no upgrade after those that failed"

step "a program that ends when the old one has already been told to stop: the mount goes on with another worker of the old one"
supervisor=$(mount_pid "$T/mnt")
for bad in candidate-now candidate; do
	old=$(worker_pid "$T/mnt")
	cp "$(command -v candidate)" "$T/bin/$bad"
	expect_failure 69 'ended' fetchfs ctl "$T/mnt" upgrade "$T/bin/$bad"
	cmp "$T/tree/large" "$T/mnt/large" || fail "$bad: large differs"
	[ "$(mount_pid "$T/mnt")" = "$supervisor" ] || fail "$bad: another supervisor"
	[ "$(worker_pid "$T/mnt")" != "$old" ] || fail "$bad: the old worker has not stopped, so this tests nothing"
done

step "a worker that does not stop for an upgrade is killed, and the mount goes on"
old=$(worker_pid "$T/mnt")
cp "$(command -v candidate)" "$T/bin/candidate-stopping"
expect_failure 69 'ended when it was to take over' fetchfs ctl "$T/mnt" upgrade "$T/bin/candidate-stopping"
cmp "$T/tree/large" "$T/mnt/large" || fail "large differs"
! kill -0 "$old" 2>/dev/null || fail "the worker that did not stop is still there"
fetchfs ctl "$T/mnt" upgrade >/dev/null || fail "no upgrade after that"

step "another user may not"
if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
	chmod 755 "$T" "$T/cache"
	expect_failure 77 'root and who mounted' setpriv --reuid 65534 --regid 65534 --clear-groups "$(command -v fetchfs)" ctl "$T/mnt" upgrade
fi

step "the mount ends in order"
socket=$(getfattr --only-values -n user.fetchfs.socket "$T/mnt" 2>/dev/null)
[ -e "${socket%.sock}.supervisor" ] || fail "no socket of the supervisor's"
fetchfs umount "$T/mnt"
[ ! -e "${socket%.sock}.supervisor" ] || fail "the supervisor's socket is still there"
grep -qx clean "$T/cache/session" || fail "the cache is not marked clean"
