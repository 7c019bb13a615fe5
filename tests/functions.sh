# SPDX-License-Identifier: MIT
# Shared by the shell tests. Sourced after cd to the top of the tree; gives each test a directory of its own and ends what it started.
#
# shellcheck shell=sh

set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
cd "$top"
export PATH="$top/build/host/bin:$top/build/tests/bin:$PATH:/usr/sbin:/sbin"
export SPORE_TOP="$top"
test_name=$(basename "$0" .sh)
T=$(mktemp -d "${TMPDIR:-/tmp}/spore-$test_name-XXXXXX")
test_pids=
test_mounts=

test_end() {
	code=$?
	trap - EXIT INT TERM
	for mount in $test_mounts; do
		umount -l "$mount" 2>/dev/null || fusermount3 -uz "$mount" 2>/dev/null || :
	done
	for pid in $test_pids; do
		kill "$pid" 2>/dev/null || :
	done
	chmod -R u+rwX "$T" 2>/dev/null || :
	if [ "$code" -eq 0 ] || [ "$code" -eq 77 ] || [ -z "${KEEP:-}" ]; then
		rm -rf "$T"
	else
		echo "kept: $T" >&2
	fi
	exit "$code"
}
trap test_end EXIT
trap 'exit 130' INT TERM

fail() {
	echo "FAIL: $*" >&2
	exit 1
}

# The reason goes to the output: nothing is skipped in silence.
skip() {
	echo "SKIP: $*"
	exit 77
}

step() { echo "- $*"; }

need_root() { [ "$(id -u)" -eq 0 ] || skip "needs root"; }
need_fuse() { [ -w /dev/fuse ] || skip "/dev/fuse cannot be opened"; }

# Ends the process with this id when the test ends.
end_with_test() { test_pids="$test_pids $1"; }
unmount_with_test() { test_mounts="$1 $test_mounts"; }

# expect_failure EXIT-CODE PATTERN COMMAND...: fails with that code and says the pattern (grep -E) on its output.
expect_failure() {
	want=$1 pattern=$2
	shift 2
	got=0
	"$@" >"$T/output" 2>&1 || got=$?
	[ "$got" = "$want" ] || fail "exit $got, not $want, of: $* : $(cat "$T/output")"
	grep -qE -- "$pattern" "$T/output" || fail "output of $* lacks '$pattern': $(cat "$T/output")"
}

# wait_for SECONDS COMMAND...: until the command is true; polls ten times a second.
wait_for() {
	deadline=$(($(date +%s) + $1))
	shift
	until "$@"; do
		[ "$(date +%s)" -lt "$deadline" ] || fail "waited in vain for: $*"
		sleep 0.1
	done
}
