#!/bin/sh
# SPDX-License-Identifier: MIT
# A mount that follows: new snapshots appear without a new mount. What changed is seen at once, what did not keeps inode number and page cache, open files keep
# their content; 64 readers see nothing wrong while snapshots come and go.
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"
need_fuse
command -v getfattr >/dev/null || skip "getfattr (package attr) is not installed"

m=$T/mnt
options=
[ "$(id -u)" -eq 0 ] || options=-u
revision() { getfattr --only-values -n user.fetchfs.revision "$m" 2>/dev/null; }
counter() { mount_stat "$m" "$1"; }
shows() { [ "$(revision)" = "$1" ]; }
follows_to() { wait_for 40 shows "$1"; }
is_gone() { ! kill -0 "$1" 2>/dev/null; }
ino() { stat -c %i "$m/$1"; }
compare() {
	# shellcheck disable=SC2086 # none or one option
	treecmp $options "$1" "$m" >"$T/differences" || fail "$2: $(cat "$T/differences")"
}
# What the mount says goes to a log.
mount_it() {
	mkdir -p "$m"
	fetchfs mount -f -K "$T/key.pub" -c "$T/cache" -o ttl=1 "$@" "$server_url/repo" "$m" 2>>"$T/log" &
	client=$!
	end_with_test "$client"
	unmount_with_test "$m"
	wait_for 20 mountpoint -q "$m"
}
publish() { fetchfs publish -q -k "$T/key" "$T/www/repo" "$T/tree"; }

fetchfs keygen "$T/key"
mkdir -p "$T/www" "$T/tree/dir/sub" "$T/tree/gone/deep" "$T/tree/other"
fetchfs init -n test -k "$T/key" "$T/www/repo"
cd "$T/tree"
echo one >changed
echo same >same
echo mode >mode
echo deep >gone/deep/file
echo file >becomes-directory
mkdir becomes-file
ln -s to-one link
echo linked >dir/linked
ln dir/linked other/linked
head -c 100000 /dev/urandom >dir/kept
head -c 6000000 /dev/urandom >large
cp large "$T/large.old"
seq 1000 | sed 's/^/n/' | (cd dir/sub && xargs touch)
find . -exec touch -h -d @1700000000 {} +
cd "$top"
publish
serve_nginx "$T/www"
mount_it
compare "$T/tree" "the first snapshot"
[ ! -e "$m/new" ] || fail "new is there already"
cat "$m/dir/kept" "$m/large" "$m/same" "$m/changed" "$m/mode" >/dev/null
for name in changed same mode dir dir/kept dir/linked dir/sub link large becomes-file becomes-directory; do
	ino "$name" >"$T/ino.$(echo "$name" | tr / _)"
done
kept() { [ "$(ino "$1")" = "$(cat "$T/ino.$(echo "$1" | tr / _)")" ] || fail "$1 has got another inode number"; }
renumbered() { [ "$(ino "$1")" != "$(cat "$T/ino.$(echo "$1" | tr / _)")" ] || fail "$1 has its old inode number"; }
exec 5<"$m/changed" 6<"$m/large" 7<"$m/gone/deep/file"
(cd "$m/gone/deep" && exec sleep 1000) &
sitter=$!
end_with_test "$sitter"

step "a new snapshot: every kind of change is seen"
cd "$T/tree"
echo two >changed
echo new >new
chmod 600 mode
rm -r gone becomes-directory becomes-file link dir/linked
mkdir becomes-directory
echo file >becomes-directory/file
echo now >becomes-file
ln -s to-two link
echo apart >dir/linked
printf x | dd of=large bs=1 seek=3000000 conv=notrunc status=none
rm dir/sub/n500
touch dir/sub/n0 dir/sub/n5000
find . -exec touch -h -d @1700000000 {} +
cd "$top"
reads=$(counter reads)
publish
follows_to 2
compare "$T/tree" "the second snapshot"
[ "$(cat "$m/new")" = new ] || fail "new is not there"
[ ! -e "$m/gone" ] || fail "gone is still there"
[ "$(readlink "$m/link")" = to-two ] || fail "the link leads to $(readlink "$m/link")"
[ "$(stat -c %a "$m/mode")" = 600 ] || fail "the mode is still $(stat -c %a "$m/mode")"
grep -q 'now at revision 2 of test, before at 1' "$T/log" || fail "it says nothing: $(cat "$T/log")"

step "what did not change keeps its inode number and page cache, and only that"
for name in same mode dir dir/kept dir/sub; do
	kept "$name"
done
for name in changed link large becomes-file becomes-directory dir/linked; do
	renumbered "$name"
done
# The comparison has read the changed files: now nothing is left to be read.
reads=$(counter reads)
cat "$m/dir/kept" "$m/same" "$m/mode" >/dev/null
[ "$(counter reads)" = "$reads" ] || fail "unchanged files were read again: $(counter reads), before $reads"

step "open files keep the old content, a removed directory is empty"
[ "$(cat <&5)" = one ] || fail "the open file has changed"
cmp "$T/large.old" /dev/fd/6 || fail "the large open file has changed"
[ "$(cat <&7)" = deep ] || fail "the removed open file has changed"
[ "$(stat -L -c %s /dev/fd/5)" = 4 ] || fail "the open file has another size"
[ -z "$(ls "/proc/$sitter/cwd/")" ] || fail "a removed directory has entries"
[ ! -e "/proc/$sitter/cwd/file" ] || fail "a removed directory has a file"
exec 5<&- 6<&- 7<&-
kill "$sitter"

step "the kernel is told no more than that"
invalidations=$(counter invalidations)
touch -d @1700000001 "$T/tree/same"
publish
follows_to 3
# The barrier of the directory, and the attributes of the file.
[ "$(($(counter invalidations) - invalidations))" -le 2 ] || fail "$(($(counter invalidations) - invalidations)) invalidations for one time stamp"
[ "$(stat -c %Y "$m/same")" = 1700000001 ] || fail "the time is still $(stat -c %Y "$m/same")"
reads=$(counter reads)
cat "$m/same" >/dev/null
[ "$(counter reads)" = "$reads" ] || fail "a file with a new time only was read again"

step "a listing that is under way goes on where it was"
exec 8<"$m/dir/sub"
perl -e '
	opendir(my $d, $ARGV[0]) or die;
	my @n; push @n, scalar readdir($d) for 1 .. 400;
	open(my $go, ">", $ARGV[1]) or die; close($go);
	while (!-e $ARGV[2]) { select(undef, undef, undef, 0.05) }
	while (defined(my $e = readdir($d))) { push @n, $e }
	print "$_\n" for @n' "$m/dir/sub" "$T/begun" "$T/go" >"$T/listed" &
lister=$!
wait_for 10 test -e "$T/begun"
for n in 1 10 100 1000 2 20 200; do
	rm "$T/tree/dir/sub/n$n"
done
touch "$T/tree/dir/sub/n3x"
publish
follows_to 4
touch "$T/go"
wait "$lister"
exec 8<&-
find "$T/tree/dir/sub" -type f ! -name n3x -printf '%f\n' >"$T/wanted"
sort "$T/listed" | uniq -d | grep . && fail "listed twice"
while read -r name; do
	grep -qx "$name" "$T/listed" || fail "$name was not listed"
done <"$T/wanted"

step "the same content again: a new revision, and nothing to tell"
invalidations=$(counter invalidations)
fetchfs publish -q -k "$T/key" -t stable "$T/www/repo" "$T/tree"
follows_to 5
[ "$(counter invalidations)" = "$invalidations" ] || fail "the kernel was told something"

step "while the server is away nothing happens; a tag is followed too"
stop_nginx
checks=$(counter snapshot_checks)
asked() { [ "$(counter snapshot_checks)" -gt $((checks + 1)) ]; }
wait_for 10 asked
compare "$T/tree" "without a server"
start_nginx
fetchfs umount "$m"
mount_it -t stable
echo three >"$T/tree/changed"
publish
checks=$(counter snapshot_checks)
wait_for 10 asked
shows 5 || fail "it follows what the tag does not name"
fetchfs publish -q -k "$T/key" -t stable "$T/www/repo" "$T/tree" || fail "cannot tag"
follows_to 7
[ "$(cat "$m/changed")" = three ] || fail "it shows $(cat "$m/changed")"
fetchfs umount "$m"

step "pinned: nothing changes"
mount_it -o pin
echo four >"$T/tree/changed"
publish
sleep 2
shows 7 || fail "a pinned mount follows"
[ "$(counter snapshot_checks)" = 0 ] || fail "a pinned mount asks"
fetchfs umount "$m"
rm -rf "$T/cache"

step "64 readers while snapshots change"
switchread make "$T/a" a
switchread make "$T/b" b
rm -rf "$T/www/repo"
fetchfs init -n two -k "$T/key" "$T/www/repo"
last=8
for n in $(seq 2 2 $last); do
	fetchfs publish -q -k "$T/key" "$T/www/repo" "$T/a"
	fetchfs publish -q -k "$T/key" "$T/www/repo" "$T/b"
done
show() { cp "$T/www/repo/history/$1" "$T/www/next" && mv "$T/www/next" "$T/www/repo/manifest"; }
show 1
: >"$T/log"
mount_it
switchread read "$m" 64 60 "$T/end" >"$T/read" 2>"$T/wrong" &
reader=$!
for n in $(seq 2 6); do
	show "$n"
	wait_for 30 shows "$n"
	kill -0 "$reader" || break
done
touch "$T/end"
wait "$reader" || fail "readers: $(head -n 5 "$T/wrong")"
awk '{ files += $1; bytes += $2 } END { print "  read", files, "files,", bytes, "bytes in", NR, "processes" }' "$T/read"
echo "  $(counter snapshot_changes) changes, $(counter invalidations) invalidations, $(counter catalogs) catalogs"
[ "$(counter snapshot_changes)" -eq 5 ] || fail "$(counter snapshot_changes) changes: $(cat "$T/log")"
show $((last - 1))
follows_to $((last - 1))
compare "$T/a" "after the changes"
show $last
follows_to $last
compare "$T/b" "after the last change"
# What had not been looked at before either.
find "$m" -type f -links +1 -printf '%i\n' | sort | uniq -c | awk '$1 != 61 { exit 1 }' || fail "hard links have come apart"

step "an end while the kernel is being told, with readers"
show $((last - 1))
switchread read "$m" 16 5 "$T/never" >/dev/null 2>&1 &
reader=$!
sleep 0.7
kill "$client"
wait_for 20 is_gone "$client"
mountpoint -q "$m" && fail "it is still mounted"
wait "$reader" || :
grep -qx clean "$T/cache/session" || fail "the cache is not marked clean"
