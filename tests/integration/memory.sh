#!/bin/sh
# SPDX-License-Identifier: MIT
# The client's memory under its smallest bound, with 64 readers at a time: what is read is right, and no more memory is taken than the bound and the margin
# that docs/fetchfs-client.md states; with a cache on a disk, with one that takes nothing, with verification of each read, and with catalogs beyond their share.
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"
need_fuse
case ${SPORE_PROGRAMS:-} in *sanitize* | *thread*) skip "a sanitizer's own memory is not the client's" ;; esac
command -v getfattr >/dev/null || skip "getfattr (package attr) is not installed"
command -v jq >/dev/null || skip "jq is not installed"

bound=24 margin=8	# MiB

# shellcheck disable=SC2154 # set by serve_nginx
mount_it() { mount_fetchfs "$T/mnt" -K "$T/key.pub" -o "memory=${bound}M" "$@" "$server_url/repo"; }
peak_kib() { sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$(worker_pid "$T/mnt")/status"; }
stat_of() { fetchfs ctl --json "$T/mnt" stats | jq -r ".$1"; }
# read_all WHAT: each file by one of 64 readers, in an order that has nothing to do with the packs'.
read_all() {
	(cd "$T/mnt" && xargs -0 -P 64 -n 8 sha256sum) <"$T/order" >"$T/sums" || fail "$1: cannot be read"
	LC_ALL=C sort "$T/sums" >"$T/sums.sorted"
	cmp -s "$T/wanted" "$T/sums.sorted" || fail "$1: contents differ: $(diff "$T/wanted" "$T/sums.sorted" | head -n 5)"
	peak=$(peak_kib)
	echo "  $1: at most $((peak / 1024)) MiB, now $(($(stat_of memory_resident_bytes) / 1048576)); of the budget $(($(stat_of memory_used_bytes) / 1024)) KiB"
	[ "$peak" -le $(((bound + margin) * 1024)) ] || fail "$1: took $peak KiB of memory, more than $bound and $margin MiB"
	[ "$(stat_of memory_bound_bytes)" = $((bound * 1048576)) ] || fail "bound: $(stat_of memory_bound_bytes)"
}

fetchfs keygen "$T/key"
mkdir "$T/www"
fetchfs init -n memory -k "$T/key" "$T/www/repo"
mkdir -p "$T/tree/many"
# So that nothing can be made smaller: 150 MB, some 90 objects.
for n in 1 2 3 4 5 6; do head -c 13000000 /dev/urandom >"$T/tree/large$n"; done
seq 240 | while read -r n; do head -c 300000 /dev/urandom >"$T/tree/many/file$n"; done
# Catalogs of their own, larger than their share together.
for n in 1 2 3 4; do
	mkdir -p "$T/tree/names/$n"
	(cd "$T/tree/names/$n" && seq -f "a name that makes the catalog larger, %.0f" 6000 | tr '\n' '\0' | xargs -0 touch)
	echo "content $n" >"$T/tree/names/$n/content"
done
fetchfs publish -q -k "$T/key" "$T/www/repo" "$T/tree"
(cd "$T/tree" && find . -type f -size +0 -print0 | shuf -z --random-source=/dev/zero >"$T/order" && xargs -0 sha256sum <"$T/order" | LC_ALL=C sort >"$T/wanted")
serve_nginx "$T/www"

step "a bound that is too small is refused"
expect_failure 64 'option memory: expected a size of at least 24[^0-9]' fetchfs mount -K "$T/key.pub" -o memory=8M "$server_url/repo" "$T"
expect_failure 64 'option memory: expected' fetchfs mount -K "$T/key.pub" -o memory=lots "$server_url/repo" "$T"

step "with a cache"
mount_it -c "$T/cache"
read_all "cold"
fetchfs umount "$T/mnt"
mount_it -c "$T/cache"
read_all "warm"
fetchfs umount "$T/mnt"

step "catalogs beyond their share are right too"
mount_it -c "$T/cache"
[ "$(find "$T/mnt" | wc -l)" = "$(find "$T/tree" | wc -l)" ] || fail "names are missing"
(cd "$T/mnt" && find . -print0) | tr '\0' '\n' | LC_ALL=C sort >"$T/names"
(cd "$T/tree" && find . -print0) | tr '\0' '\n' | LC_ALL=C sort | cmp - "$T/names" || fail "names differ"
[ "$(cat "$T/cache"/catalogs/* | wc -c)" -gt 1500000 ] || fail "the catalogs are too small for this test"
grep -q 'catalogs/aside.*(deleted)' "/proc/$(worker_pid "$T/mnt")/maps" || fail "no catalog was put aside"
[ "$(find "$T/cache/catalogs" -name 'aside*' | wc -l)" = 0 ] || fail "a catalog put aside has a name"
fetchfs umount "$T/mnt"

step "verified before each read"
mount_it -c "$T/cache" -o verify=always
read_all "verify=always"
fetchfs umount "$T/mnt"

step "a cache that cannot take anything"
mount_it -c "$T/cache-2" -o free=99%
read_all "no room"
fetchfs umount "$T/mnt"

step "a server that answers slowly, or not: all that wait have their answers in the end"
serve_faultd slow "$T/www/repo"
mount_fetchfs "$T/mnt" -K "$T/key.pub" -o "memory=${bound}M,stall_timeout=2" -c "$T/cache-3" "$faultd_url"
faultd_rules 'reset-middle:15:*/objects/*,drip:4:*/objects/*,hang:4:*/objects/*'
read_all "faults"
fetchfs umount "$T/mnt"
