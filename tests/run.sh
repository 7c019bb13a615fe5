#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs tiers of tests, each test with its output in a log, and prints every tier's count and one plain closing line.
# A test passes with exit 0 and is skipped with 77, when its last line of output says why.
#
# usage: run.sh [-n NAME-PATTERN] TIER...     tiers: static unit fuzz integration boot
set -u
cd "$(dirname "$0")/.." || exit 1
logs=build/tests/log
pattern='*'
if [ "${1:-}" = -n ]; then
	pattern=$2
	shift 2
fi
passed=0 failed=0 skipped=0 failures=

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
		[ -f "$t" ] && [ -x "$t" ] && printf '%s\n' "$t"
	done
}

run_one() {
	tier=$1 test=$2
	name=$(basename "$(basename "$test" .sh)" .test)
	log=$logs/$tier/$name.log
	mkdir -p "$logs/$tier"
	start=$(date +%s)
	case $tier in
	fuzz) timeout 120 "$test" "tests/fuzz/corpus/$name" >"$log" 2>&1 </dev/null ;;
	boot) timeout 1200 "$test" >"$log" 2>&1 </dev/null ;;
	*) timeout 600 "$test" >"$log" 2>&1 </dev/null ;;
	esac
	code=$?
	seconds=$(($(date +%s) - start))
	case $code in
	0) tier_passed=$((tier_passed + 1)); echo "  ok    $tier/$name ($seconds s)" ;;
	77) tier_skipped=$((tier_skipped + 1)); echo "  skip  $tier/$name: $(tail -n 1 "$log")" ;;
	*)
		tier_failed=$((tier_failed + 1)) failures="$failures $tier/$name"
		echo "  FAIL  $tier/$name (exit $code, $seconds s); the end of $log:"
		tail -n 60 "$log" | sed 's/^/    | /'
		;;
	esac
}

for tier in "$@"; do
	tier_passed=0 tier_failed=0 tier_skipped=0
	echo "$tier:"
	tier_start=$(date +%s)
	for test in $(tests_of "$tier"); do
		# shellcheck disable=SC2254 # a pattern is wanted
		case $(basename "$(basename "$test" .sh)" .test) in
		$pattern) run_one "$tier" "$test" ;;
		esac
	done
	echo "$tier: $tier_passed ok, $tier_failed failed, $tier_skipped skipped, $(($(date +%s) - tier_start)) s"
	passed=$((passed + tier_passed)) failed=$((failed + tier_failed)) skipped=$((skipped + tier_skipped))
done
[ -z "$failures" ] || echo "failed:$failures"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
