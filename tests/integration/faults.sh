#!/bin/sh
# SPDX-License-Identifier: MIT
# A server that does everything wrong: 10,000 faulted requests and not one wrong byte, no error to a reader, and the mount goes on without a new one.
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"
need_fuse
command -v getfattr >/dev/null || skip "getfattr (package attr) is not installed"

wanted=10000
mkdir "$T/www" "$T/tree"
fetchfs keygen "$T/key"
fetchfs init -n test -k "$T/key" "$T/www/repo"
# Many small objects: each of these revisions brings a pack of its own.
mkdir "$T/tree/many"
for i in $(seq 100); do
	head -c 5000 /dev/urandom >"$T/tree/many/$i"
	fetchfs publish -q -k "$T/key" "$T/www/repo" "$T/tree"
done
mktree -s "$T/tree/all" >"$T/mktree"
for i in 1 2 3 4; do
	head -c 2500000 /dev/urandom >"$T/tree/large$i"
done
fetchfs publish -q -k "$T/key" "$T/www/repo" "$T/tree"
# What a mount shows without a fault is the measure: without root, mktree leaves things out and owners differ.
mount_fetchfs "$T/mnt" -K "$T/key.pub" -c "$T/cache-good" "$T/www/repo"
treecmp "$T/tree" "$T/mnt" >"$T/differences" || [ "$(id -u)" -ne 0 ] || fail "$(cat "$T/differences")"
cp "$T/differences" "$T/differences-good"
fetchfs umount "$T/mnt"

serve_faultd server "$T/www" -s 7
# Sixteen mirrors, so that no time goes by between attempts.
mirrors=
for i in 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do
	mirrors="$mirrors,mirror=$faultd_url/m$i/repo"
done
faulted() { curl -sf --noproxy '*' "$faultd_url/.faultd/counts" | awk '$1 !~ /^(good|redirect|chunked|close|interim)$/ { n += $2 } END { print n }'; }

step "$wanted faulted requests"
faultd_rules 'fast:93:*/objects/*,redirect:1:*/objects/*,chunked:1:*/objects/*,close:1:*/objects/*,interim:1:*/objects/*,503:20:*/keyring,503:20:*/manifest'
round=0
while [ "$(faulted)" -lt "$wanted" ]; do
	round=$((round + 1))
	mount_fetchfs "$T/mnt" -K "$T/key.pub" -c "$T/cache-$round" -o "hard,parallel=30$mirrors" "$faultd_url/m1/repo"
	# All at once, so that many wait side by side.
	find "$T/mnt/many" "$T"/mnt/large* -type f -print0 | timeout 60 xargs -0 -n 4 -P 30 cat >"$T/all" || fail "round $round: a reader got an error, or hung"
	diff -r "$T/tree/many" "$T/mnt/many" || fail "round $round: a wrong byte"
	for i in 1 2 3 4; do
		cmp "$T/tree/large$i" "$T/mnt/large$i" || fail "round $round: a wrong byte"
	done
	if [ "$round" -eq 1 ]; then
		timeout 60 treecmp "$T/tree" "$T/mnt" >"$T/differences" || [ "$(id -u)" -ne 0 ] || fail "$(cat "$T/differences")"
		cmp "$T/differences" "$T/differences-good" || fail "the tree differs"
	fi
	[ "$(mount_stat "$T/mnt" wait_errors)" -eq 0 ] || fail "a reader got an error"
	fetchfs umount "$T/mnt"
	rm -rf "$T/cache-$round"
done
echo "  $(faulted) faulted requests in $round rounds"
curl -sf --noproxy '*' "$faultd_url/.faultd/counts" >"$T/counts"
for fault in truncate short long flip zero swap 403 404 500 503 retry-date 204 206 reset reset-middle loop portal portal-sized portal-redirect endless \
	endless-head small-length big-length gzip gzip-lie chunk-bad chunk-cut close-early garbage redirect chunked close interim; do
	[ "$(sed -n "s/^$fault //p" "$T/counts")" -gt 0 ] || fail "the fault $fault never happened"
done
