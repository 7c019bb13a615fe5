#!/bin/sh
# SPDX-License-Identifier: MIT
# Fuzzes parsers with libFuzzer, each from its corpus and from what earlier runs have found (build/fuzz/corpus). An input that crashes, hangs or leaks is left in
# build/fuzz/found: mend the fault and move the input to tests/fuzz/corpus/NAME.
#
# usage: fuzz.sh [-j JOBS] [-k] SECONDS NAME...     -k: keep in tests/fuzz/corpus what reaches new code
#        fuzz.sh --one SECONDS NAME
set -u
cd "$(dirname "$0")/.." || exit 1
found=build/fuzz/found corpus=build/fuzz/corpus log=build/fuzz/log

# What is asked for at once counts as used. For initrds it is not: libarchive asks for as much as a name is said to be long, up to 4 GiB, and touches none of it.
malloc_limit() { case $1 in initrd) echo 16384 ;; *) echo 1024 ;; esac; }

run_one() {
	mkdir -p "$found" "$corpus/$2" "$log"
	"build/fuzz/tests/fuzz/$2" -max_total_time="$1" -timeout=20 -rss_limit_mb=2048 -malloc_limit_mb="$(malloc_limit "$2")" -print_final_stats=1 \
		-artifact_prefix="$found/$2-" "$corpus/$2" "tests/fuzz/corpus/$2" >"$log/$2.log" 2>&1 || {
		echo "  FAIL  $2: $(grep -m 1 -E '^SUMMARY|ERROR:' "$log/$2.log"); see $log/$2.log and $found"
		return 1
	}
	awk -v name="$2" -v seconds="$1" '/number_of_executed_units/ { n = $2 } / cov: / { for (i = 1; i < NF; i++) if ($i == "cov:") c = $(i + 1) }
		END { printf "  ok    %s: %d inputs in %d s, %d edges\n", name, n, seconds, c }' "$log/$2.log"
}

# Small ones only, and one for each edge: the corpus is in the source tree.
keep_new() {
	find "$corpus/$1" -type f -size -9 >"$log/$1.small"
	mkdir -p "$corpus/$1.small"
	xargs -r cp -t "$corpus/$1.small" <"$log/$1.small"
	"build/fuzz/tests/fuzz/$1" -merge=1 -use_counters=0 -malloc_limit_mb="$(malloc_limit "$1")" -artifact_prefix="$found/$1-" "tests/fuzz/corpus/$1" "$corpus/$1.small" \
		>>"$log/$1.log" 2>&1
	rm -rf "$corpus/$1.small"
}

jobs=1 keep=
while :; do
	case ${1:-} in
	--one) run_one "$2" "$3"; exit ;;
	-j) jobs=$2; shift ;;
	-k) keep=yes ;;
	*) break ;;
	esac
	shift
done
seconds=$1
shift
status=0
printf '%s\n' "$@" | xargs -P "$jobs" -I NAME tests/fuzz.sh --one "$seconds" NAME || status=1
[ -z "$keep" ] || for name in "$@"; do
	keep_new "$name"
done
exit $status
