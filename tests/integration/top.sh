#!/bin/sh
# SPDX-License-Identifier: MIT
# fetchfs top: on a terminal, with the terminal as it was on every exit; as lines; mounts that come, go, stand still and die.
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"
need_fuse
command -v getfattr >/dev/null || skip "getfattr (package attr) is not installed"
command -v script >/dev/null || skip "script (package bsdutils) is not installed"
command -v console >/dev/null || skip "build/tests/bin/console is not built"

is_gone() { ! kill -0 "$1" 2>/dev/null; }
# on_terminal SCRIPT-LINES COMMAND (with exec: no shell of script(1) stands in between and gets signals too): the command on a pseudo-terminal of 100 x 30 under the console driver, then what it leaves of the terminal.
on_terminal() {
	printf '%s\n' "$1" >"$T/script"
	cat >"$T/session" <<-END
		stty cols 100 rows 30
		stty -g >$T/before
		$2
		echo "status=\$?"
		stty -g >$T/after
		echo "end of session"
	END
	console -t 30 -o "$T/screen" "$T/script" -- script -qec "exec sh $T/session" /dev/null >"$T/output" 2>&1 || fail "$2: $(cat "$T/output")"
	cmp -s "$T/before" "$T/after" || fail "the terminal's settings are not as they were after: $2"
	# The last word about each: the usual screen, and a cursor.
	grep -ao "$(printf '\033')\[?[0-9]*[hl]" "$T/screen.raw" | tail -n 2 | tr -d '\033\n' | grep -qxF '[?25h[?1049l' || fail "the screen is not as it was after: $2"
}

fetchfs keygen "$T/key"
mkdir "$T/www"
fetchfs init -n nasty -k "$T/key" "$T/www/repo"
mkdir "$T/tree"
for n in 1 2 3; do
	head -c 3000000 /dev/urandom >"$T/tree/file$n"
done
fetchfs publish -q -k "$T/key" "$T/www/repo" "$T/tree"
serve_nginx "$T/www"
# shellcheck disable=SC2154 # set by serve_nginx
mount_it() { mount_fetchfs "$1" -K "$T/key.pub" -c "$T/cache" "$server_url/repo"; }
mount_it "$T/mnt"

step "on a terminal; q leaves"
on_terminal "expect 10 $T/mnt  nasty revision 1
run cat '$T/mnt/file1' >/dev/null
match 10 network +[0-9.]+ MiB/s
expect 10 cache
expect 10 mirror   good
expect 10 $server_url/repo
send q
expect 10 status=0
expect 10 end of session
wait-exit 10" "fetchfs top $T/mnt"

step "^C, and signals"
on_terminal "expect 10 revision 1
send \\x03
expect 10 status=130
wait-exit 10" "trap : INT; fetchfs top $T/mnt"
on_terminal "expect 10 revision 1
run kill \$(cat '$T/pid')
expect 10 status=143
wait-exit 10" "sh -c 'echo \$\$ >$T/pid; exec fetchfs top $T/mnt'"

step "stopped and continued"
on_terminal "expect 10 revision 1
send \\x1a
expect 10 shell again
expect 10 revision 1
send q
expect 10 done
wait-exit 10" "bash -ic 'fetchfs top $T/mnt; echo shell again; stty -g | cmp - $T/before && fg >/dev/null; echo done' 2>/dev/null"

step "a small terminal: three lines of 20 characters"
on_terminal "match 10 ^fetchfs top: q leave$
absent network
send q
expect 10 status=0
wait-exit 10" "stty cols 20 rows 3; fetchfs top $T/mnt; s=\$?; stty cols 100 rows 30; (exit \$s)"

step "a mount that ends is told, and one that stands still holds nothing up"
mount_it "$T/second"
client=$(worker_pid "$T/second")
on_terminal "expect 10 $T/second  nasty
run kill -STOP $client
expect 10 does not answer
run kill -CONT $client
expect 10 $T/second  nasty
run fetchfs umount '$T/second'
expect 10 cannot reach
send q
expect 10 status=0
wait-exit 10" "fetchfs top $T/second"

step "without names: all mounts, those that come later too"
on_terminal "expect 10 $T/mnt  nasty
run fetchfs mount -K '$T/key.pub' -c '$T/cache' '$server_url/repo' '$T/second'
expect 10 $T/second  nasty
run fetchfs umount '$T/second'
send q
expect 10 status=0
wait-exit 10" "fetchfs top"

step "as lines"
fetchfs top -n 2 "$T/mnt" >"$T/lines" &
pid=$!
end_with_test $pid
cat "$T/mnt/file2" >/dev/null
wait $pid || fail "top -n 2"
[ "$(wc -l <"$T/lines")" = 3 ] || fail "not three lines: $(cat "$T/lines")"
head -n 1 "$T/lines" | grep -q '^time .* mount$' || fail "heading"
tail -n 1 "$T/lines" | grep -qE "^[0-9:]{8} .* $T/mnt\$" || fail "line: $(cat "$T/lines")"
fetchfs top "$T/mnt" | head -n 2 | tail -n 1 | grep -q "$T/mnt" || fail "into a pipe"
grep -q "$(printf '\033')" "$T/lines" && fail "escape sequences in lines"

step "wrong questions"
expect_failure 66 'not on a fetchfs mount' fetchfs top "$T/www"
expect_failure 64 'from 1 on' fetchfs top -n 0
expect_failure 64 'from 1 on' fetchfs top -i soon
