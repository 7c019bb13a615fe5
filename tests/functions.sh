# SPDX-License-Identifier: MIT
# Shared by the shell tests. Sourced after cd to the top of the tree; gives each test a directory of its own and ends what it started.
# SPORE_PROGRAMS: a directory of the tree with other builds of the programs (make check-sanitized).
#
# shellcheck shell=sh

set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
cd "$top"
export PATH="${SPORE_PROGRAMS:+$top/$SPORE_PROGRAMS:}$top/build/host/bin:$top/build/tests/bin:$PATH:/usr/sbin:/sbin"
export SPORE_TOP="$top"
test_name=$(basename "$0" .sh)
T=$(mktemp -d "${TMPDIR:-/tmp}/spore-$test_name-XXXXXX")
test_pids=
test_mounts=

test_end() {
	code=$?
	trap - EXIT INT TERM
	for mount in $test_mounts; do
		# This one waits for the client, which is writing into $T until then.
		! grep -qF " $mount " /proc/self/mountinfo || timeout 20 fetchfs umount "$mount" 2>/dev/null || :
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

# start_nginx_with [PREFIX...] <<END: nginx (by the command PREFIX) with these lines of its http block; ends with the test. Sets server_pid and server_log; false:
# it has ended, and $T/nginx/error.log says why. Its log of requests is as usual unless the lines name a format 'test'. stop_nginx.
# shellcheck disable=SC2120 # some give a prefix
start_nginx_with() {
	mkdir -p "$T/nginx"
	chmod 755 "$T"
	server_log=$T/nginx/access.log
	http_lines=$(cat)
	log_format=
	case $http_lines in *'log_format test'*) log_format='test' ;; esac
	cat >"$T/nginx/nginx.conf" <<-END
		worker_processes 1;
		$([ "$(id -u)" -ne 0 ] || echo "user root;")
		daemon off;
		pid $T/nginx/pid;
		error_log $T/nginx/error.log;
		events { worker_connections 512; }
		http {
			default_type application/octet-stream;
			sendfile on;
			tcp_nopush on;
			keepalive_requests 1000000;
			client_body_temp_path $T/nginx/body;
			proxy_temp_path $T/nginx/proxy;
			fastcgi_temp_path $T/nginx/fastcgi;
			uwsgi_temp_path $T/nginx/uwsgi;
			scgi_temp_path $T/nginx/scgi;
			$http_lines
			access_log $server_log $log_format;
		}
	END
	rm -f "$T/nginx/pid"
	"$@" nginx -c "$T/nginx/nginx.conf" -e "$T/nginx/error.log" 2>"$T/nginx/start.log" &
	server_pid=$!
	while kill -0 "$server_pid" 2>/dev/null; do
		if [ -s "$T/nginx/pid" ] && grep -q . "$T/nginx/pid"; then
			end_with_test "$server_pid"
			return 0
		fi
		sleep 0.05
	done
	return 1
}

stop_nginx() {
	kill "$server_pid"
	wait "$server_pid" 2>/dev/null || :
}

# on_free_port COMMAND...: until the command succeeds, with another server_port each time. Tests run side by side: each begins at a place of its own.
on_free_port() {
	command -v nginx >/dev/null || skip "nginx is not installed"
	server_port=$((20000 + $$ % 20000))
	until "$@"; do
		server_port=$((server_port + 7))
		[ "$server_port" -lt 40100 ] || fail "no port for nginx: $(cat "$T/nginx/error.log" "$T/nginx/start.log")"
	done
}

# serve_nginx DIRECTORY: a web server on 127.0.0.1; sets server_url and server_port. It sends each body with at most server_limit_rate bytes a second, where
# that is set. start_nginx: again, on the same port.
serve_nginx() {
	server_root=$(cd "$1" && pwd)
	on_free_port start_nginx
	# shellcheck disable=SC2034 # for the tests
	server_url=http://127.0.0.1:$server_port
}

start_nginx() {
	# shellcheck disable=SC2119 # no prefix
	start_nginx_with <<-END
		server { listen 127.0.0.1:$server_port; root $server_root; limit_rate ${server_limit_rate:-0}; }
	END
}

# mount_fetchfs MOUNTPOINT ARGUMENT...: fetchfs mount, undone when the test ends. mount_stat MOUNTPOINT COUNTER prints one of its counters.
mount_fetchfs() {
	mount_point=$1
	shift
	mkdir -p "$mount_point"
	fetchfs mount "$@" "$mount_point" || return $?
	unmount_with_test "$mount_point"
}
mount_stat() { getfattr --only-values -n user.fetchfs.stats "$1" 2>/dev/null | tr ',{}' '\n' | sed -n "s/^ *\"$2\": //p"; }
mount_pid() { getfattr --only-values -n user.fetchfs.pid "$1" 2>/dev/null; }
# The process under it that does the work: another one after each of its ends.
worker_pid() { getfattr --only-values -n user.fetchfs.worker_pid "$1" 2>/dev/null; }

# kill_mount MOUNTPOINT: ends both processes as a power cut would, and returns when they are gone: until then the cache is in use. The dead mount stays.
kill_mount() {
	killed="$(mount_pid "$1") $(worker_pid "$1")"
	kill -9 "${killed% *}"
	for pid in $killed; do
		wait_for 10 process_is_gone "$pid"
	done
}
process_is_gone() { ! kill -0 "$1" 2>/dev/null; }

# serve_faultd NAME DIRECTORY ARGUMENT...: a server that does wrong what it is told (tests/tools/faultd.c); sets faultd_url, and logs to $T/NAME.log.
# faultd_rules RULES and faultd_count FAULT speak to the one at faultd_url.
serve_faultd() {
	faultd_name=$1 faultd_directory=$2
	shift 2
	rm -f "$T/$faultd_name.port"
	faultd -P "$T/$faultd_name.port" -l "$T/$faultd_name.log" "$@" "$faultd_directory" &
	faultd_pid=$!
	end_with_test "$faultd_pid"
	wait_for 10 test -s "$T/$faultd_name.port"
	faultd_url=http://127.0.0.1:$(cat "$T/$faultd_name.port")
}
faultd_rules() { curl -sfg --noproxy '*' -o "$T/faultd-answer" "$faultd_url/.faultd/rules/$1" || fail "faultd does not take the rules $1"; }
faultd_count() { curl -sf --noproxy '*' "$faultd_url/.faultd/counts" | sed -n "s/^$1 //p"; }
