# SPDX-License-Identifier: MIT
# Sourced by fetchfs.sh and by the link's own test, after functions.sh: two network namespaces joined by linkemu, and nginx in the one of the server. RATE: megabits a
# second. Knows addresses and counters; must not know what is served, nor to whom.
#
# shellcheck shell=sh

client_ns=spore-bench-c-$$
server_ns=spore-bench-s-$$
server_address=10.99.77.2
server_url=http://$server_address
link_pid=
server_pid=

in_client() { nsenter --net="/run/netns/$client_ns" "$@"; }

need_network() {
	[ -c /dev/net/tun ] || skip "there is no /dev/net/tun"
	ip netns add "$client_ns" 2>"$T/netns.log" || skip "network namespaces cannot be made: $(cat "$T/netns.log")"
	ip netns add "$server_ns"
}

remove_network() {
	[ -z "$server_pid" ] || kill "$server_pid" 2>/dev/null || :
	[ -z "$link_pid" ] || kill "$link_pid" 2>/dev/null || :
	ip netns del "$client_ns" 2>/dev/null || :
	ip netns del "$server_ns" 2>/dev/null || :
}

give_back() { return "$1"; }
# For the trap at the end.
network_end() {
	code=$?
	trap - EXIT
	remove_network
	if give_back "$code"; then test_end; else test_end; fi
}

# start_link MILLISECONDS: a link of that round trip; an earlier one goes.
start_link() {
	if [ -n "$link_pid" ]; then
		kill "$link_pid"
		wait "$link_pid" || :
	fi
	: >"$T/link.log"
	linkemu --rtt "$1" --rate "$RATE" "$client_ns" "$server_ns" >"$T/link.log" 2>&1 &
	link_pid=$!
	wait_for 5 grep -q ready "$T/link.log"
	for side in "$client_ns 10.99.77.1" "$server_ns $server_address"; do
		# shellcheck disable=SC2086 # two words
		set -- $side
		ip -n "$1" addr add "$2/30" dev spore-link
		ip -n "$1" link set spore-link up
		ip -n "$1" link set lo up
	done
}

# serve_in_namespace DIRECTORY
serve_in_namespace() {
	start_nginx_with nsenter --net="/run/netns/$server_ns" <<-END || fail "nginx: $(cat "$T/nginx/error.log" "$T/nginx/start.log")"
		server { listen $server_address:80; root $1; autoindex on; }
	END
}

# What the client has received so far, in bytes, and asked for.
received() { in_client sed -n 's/^ *spore-link: *\([0-9]*\) .*/\1/p' /proc/net/dev; }
requests() { wc -l <"$T/nginx/access.log"; }

# Says what the link does: the round trip of a connection's first packets, and the rate of a large file's second half.
describe_link() {
	in_client curl -s -w '%{time_connect} %{time_total} %{size_download}\n' -o /dev/null "$server_url/noise" -o /dev/null "$server_url/noise" |
		awk -v rtt="$1" 'NR == 1 { connect = $1 } NR == 2 { printf "link: %s ms asked for; connects in %.1f ms; 128 MB over an open connection at %.0f Mbit/s\n",
			rtt, connect * 1000, $3 * 8 / $2 / 1e6 }' >&2
}
