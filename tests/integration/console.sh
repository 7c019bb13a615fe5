#!/bin/sh
# SPDX-License-Identifier: MIT
# The console driver of the boot tests, against small shell programs: what matches, what fails, and that nothing it started stays behind.
# shellcheck disable=SC2016 # the programs under test stand in single quotes
. "$(dirname "$0")/../functions.sh"
command -v console >/dev/null || skip "build/tests/bin/console is not built"

# under SCRIPT-LINES PROGRAM: runs the program (sh) under the script.
under() {
	printf '%s\n' "$1" >"$T/s"
	console -o "$T/log" "$T/s" -- sh -c "$2" >"$T/output" 2>&1
}
passes() { under "$1" "$2" || fail "should pass: $1 -- $2: $(cat "$T/output")"; }
# fails PATTERN SCRIPT-LINES PROGRAM: exit 1 and the pattern in what it says.
fails() {
	code=0
	under "$2" "$3" || code=$?
	[ "$code" -eq 1 ] || fail "exit $code, not 1: $2 -- $3: $(cat "$T/output")"
	grep -qE -- "$1" "$T/output" || fail "no '$1' in: $(cat "$T/output")"
}
# refused PATTERN SCRIPT-LINES: a wrong script is refused before anything is started.
refused() {
	code=0
	under "$2" "touch '$T/started'" || code=$?
	[ "$code" -eq 65 ] || fail "exit $code, not 65: $2: $(cat "$T/output")"
	grep -qE -- "$1" "$T/output" || fail "no '$1' in: $(cat "$T/output")"
	[ ! -e "$T/started" ] || fail "started in spite of a wrong script: $2"
}

step "texts, in order, across escape sequences and carriage returns"
passes 'expect 5 one two
expect 5 three' 'printf "\033[1;32mone\033[0m \033]0;title\007two\r\n"; echo three'
fails 'not seen in time' 'expect 0.3 three
expect 0.3 one' 'echo one; echo three; sleep 5'
passes 'expect 5 apart
match 5 ^left$
match 5 ^right$' 'echo apart; printf "\033[2;5Hleft\033[9;9Hright\n"'

step "a text that comes in pieces"
passes 'expect 5 in pieces' 'printf "in pi"; sleep 0.2; printf "eces"; sleep 0.2'

step "expressions match complete lines only at their ends"
passes 'match 5 ^count=[0-9]+$
capture 5 NUM ^n=([0-9]+)$
run test "$NUM" = 4711' 'printf "count=1"; sleep 0.1; echo 2; echo n=4711'
grep -qx 'NUM=4711' "$T/log.vars" || fail "captured: $(cat "$T/log.vars")"
fails 'not seen' 'match 0.3 ^n=1$' 'printf n=1; sleep 5'

step "sending, and what the program answers"
passes 'send abc\x41\n
expect 5 <abcA>
send \\n\n
expect 5 <\n>
send quit\n
wait-exit 5 7' 'while read -r l; do printf "<%s>\n" "$l"; [ "$l" != quit ] || exit 7; done'
fails 'status 3, not 0' 'wait-exit 5' 'exit 3'
fails 'still runs' 'wait-exit 0.3' 'sleep 9'
fails 'ended with status 0 before' 'expect 5 never' 'echo other'

step "absent counts from the last mark"
fails 'was seen' 'expect 5 end
absent bad' 'echo bad; echo end; sleep 5'
passes 'expect 5 bad
mark
expect 5 end
absent bad' 'echo bad; sleep 0.2; echo end'

step "fatal lines end a wait at once"
fails "the console says 'Kernel panic - not syncing'" 'expect 60 login:' 'echo "Kernel panic - not syncing: x"; sleep 60'
fails "the console says 'Spore: failed'" 'expect 60 login:' 'echo "Spore: failed in 14-fetchfs"; sleep 60'
fails "the console says 'mine'" 'fatal mine
expect 60 login:' 'echo mine; sleep 60'
passes 'allow Spore: failed
match 5 ^Spore: failed in .*$' 'echo "Spore: failed in 14-fetchfs"; sleep 60'

step "the last lines and the log are there after a failure"
fails '^line 60$' 'expect 0.2 nothing' 'seq -f "line %g" 60; sleep 9'
grep -qx 'line 10' "$T/output" && fail "more than 40 lines printed"
grep -qE '^\[ +[0-9.]+\] line 1$' "$T/log" || fail "log: $(cat "$T/log")"
[ "$(head -n 1 "$T/log.raw")" = 'line 1' ] || fail "raw log: $(head -n 1 "$T/log.raw")"

step "host commands"
fails 'the command failed' 'run exit 3' 'sleep 9'
passes 'run touch '"'$T/made'"'
wait-exit 5' 'while [ ! -e "'"$T"'/made" ]; do sleep 0.1; done'

step "wrong scripts"
refused ':2: no such instruction' '# comment
wait 5'
refused 'seconds' 'expect soon login:'
refused 'a text expected' 'send'
refused 'capital letters' 'stamp now'
refused 'unknown escape' 'send \q'
refused 'regular expression' 'match 5 (('

step "time in all, and the scale of all limits"
echo 'expect 60 never' >"$T/s"
expect_failure 1 'not seen in time' console -t 0.3 "$T/s" -- sleep 60
echo 'expect 0.1 late' >"$T/s"
console -s 50 "$T/s" -- sh -c 'sleep 0.5; echo late' || fail "the scale is not applied"

step "much output, longer than what is kept"
passes 'expect 30 the end
wait-exit 30' 'head -c 20000000 /dev/zero | tr "\0" "x" | fold -w 99; echo the end'

step "nothing stays behind"
fails 'not seen' 'expect 0.3 never' "trap '' TERM; echo \$\$ >'$T/pid'; (exec sleep 333.25) & echo \$! >'$T/child'; wait; wait"
cat "$T/pid" "$T/child" >"$T/pids"
while read -r pid; do
	! kill -0 "$pid" 2>/dev/null || [ "$(sed 's/.*) //' "/proc/$pid/stat" | cut -c1)" = Z ] || fail "process $pid still runs"
done <"$T/pids"
