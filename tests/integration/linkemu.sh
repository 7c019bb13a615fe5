#!/bin/sh
# SPDX-License-Identifier: MIT
# The link of the benches delays and paces what it carries as it was told. Only lower bounds are held: a busy machine may be slower, never faster.
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"
. tests/bench/network.sh
need_root
command -v nginx >/dev/null || skip "nginx is not installed"
trap network_end EXIT
RATE=100
need_network

mkdir "$T/www"
chmod 755 "$T"
head -c 10000000 /dev/urandom >"$T/www/data"
serve_after_link() {
	start_link "$1"
	[ -n "$server_pid" ] || serve_in_namespace "$T/www"
}
# ask FORMAT: what curl measured, in microseconds, of one connection that fetches the file.
ask() { in_client curl -sf -o "$T/got" -w "%{$1}" "$server_url/data" | tr -d .; }
at_least() { [ "$(echo "$2" | sed 's/^0*//')" -ge "$3" ] || fail "$1: $2 microseconds, less than $3"; }

step "a connection takes a round trip"
serve_after_link 40
at_least "connecting over 40 ms" "$(ask time_connect)" 40000
cmp "$T/got" "$T/www/data" || fail "the link changed what it carried"

step "10 MB at 100 Mbit/s take 0.8 s"
serve_after_link 0
at_least "10 MB" "$(ask time_total)" 800000
[ "$(received)" -ge 10000000 ] || fail "counted $(received) bytes"
[ "$(requests)" -eq 2 ] || fail "counted $(requests) requests"

step "bad arguments are refused"
expect_failure 64 'expected milliseconds' linkemu --rtt soon a b
expect_failure 77 'network namespace nowhere' linkemu nowhere nowhere
