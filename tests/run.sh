#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs tiers of tests, each test with its output in a log, and prints every tier's count and one plain closing line.
# A test passes with exit 0 and is skipped with 77, when its last line of output says why.
#
# usage: run.sh [-j JOBS] [-n NAME-PATTERN] TIER...     tiers: static unit fuzz integration boot
#        run.sh --one TIER FILE                         one test, as the others are run
set -u
cd "$(dirname "$0")/.." || exit 1
logs=build/tests/log
pattern='*' jobs=1
passed=0 failed=0 skipped=0 failures=

name_of() { basename "$(basename "$1" .sh)" .test; }

tests_of() {
	case $1 in
	static) set -- tests/static/*.sh ;;
	unit) set -- build/sanitize/tests/unit/* ;;
	fuzz) set -- build/sanitize/tests/fuzz/* ;;
	integration) set -- tests/integration/*.sh ;;
	boot) set -- tests/boot/*.test.sh ;;
	*) echo "run.sh: unknown tier '$1'" >&2; exit 64 ;;
	esac
	for t in "$@"; do
		# shellcheck disable=SC2254 # a pattern is wanted
		case $(name_of "$t") in
		$pattern) [ -f "$t" ] && [ -x "$t" ] && printf '%s\n' "$t" ;;
		esac
	done
}

# Prints what has become of a test in one piece, since others may be printing too, and leaves it beside the log.
run_one() {
	tier=$1 test=$2
	name=$(name_of "$test")
	log=$logs/$tier/$name.log
	start=$(date +%s)
	case $tier in
	fuzz) timeout 120 "$test" "tests/fuzz/corpus/$name" >"$log" 2>&1 </dev/null ;;
	boot) timeout 1200 "$test" >"$log" 2>&1 </dev/null ;;
	*) timeout 600 "$test" >"$log" 2>&1 </dev/null ;;
	esac
	code=$?
	seconds=$(($(date +%s) - start))
	case $code in
	0) result=ok text="  ok    $tier/$name ($seconds s)" ;;
	77) result=skip text="  skip  $tier/$name: $(tail -n 1 "$log")" ;;
	*)
		result=fail text="  FAIL  $tier/$name (exit $code, $seconds s); the end of $log:
$(tail -n 60 "$log" | sed 's/^/    | /')"
		;;
	esac
	echo "$result" >"$logs/$tier/$name.result"
	printf '%s\n' "$text"
}

# A test that left no result (its runner was killed) has failed.
count_tier() {
	tier_passed=0 tier_failed=0 tier_skipped=0
	for test in $tests; do
		name=$(name_of "$test")
		case $(cat "$logs/$1/$name.result" 2>/dev/null) in
		ok) tier_passed=$((tier_passed + 1)) ;;
		skip) tier_skipped=$((tier_skipped + 1)) ;;
		*) tier_failed=$((tier_failed + 1)) failures="$failures $1/$name" ;;
		esac
	done
	passed=$((passed + tier_passed)) failed=$((failed + tier_failed)) skipped=$((skipped + tier_skipped))
}

run_tier() {
	echo "$1:"
	tier_start=$(date +%s)
	tests=$(tests_of "$1") || exit
	mkdir -p "$logs/$1"
	for test in $tests; do
		rm -f "$logs/$1/$(name_of "$test").result"
	done
	[ -z "$tests" ] || printf '%s\n' "$tests" | xargs -P "$jobs" -n 1 "tests/${0##*/}" --one "$1"
	count_tier "$1"
	echo "$1: $tier_passed ok, $tier_failed failed, $tier_skipped skipped, $(($(date +%s) - tier_start)) s"
}

while :; do
	case ${1:-} in
	--one) run_one "$2" "$3"; exit ;;
	-j) jobs=$2 ;;
	-n) pattern=$2 ;;
	*) break ;;
	esac
	shift 2
done
for tier in "$@"; do
	run_tier "$tier"
done
[ -z "$failures" ] || echo "failed:$failures"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
