#!/bin/sh
# SPDX-License-Identifier: MIT
# 'make demo': from nothing to a login. Builds Spore, publishes a Debian system on a loopback web server, makes the image and boots it in
# QEMU on this terminal. Steps that do not need each other run side by side; what was built before is not built again.
set -eu
cd "$(dirname "$0")/.."
. deps/lib.sh

work=build/demo
port=${DEMO_PORT:-8180}
jobs_running=
started=$(date +%s)
mkdir -p $work/log

elapsed() { echo $(($(date +%s) - started)); }

# A step's compilers end with it.
stop_tree() {
	# shellcheck disable=SC2013 # numbers, on one line
	for child in $(cat "/proc/$1/task/$1/children" 2>/dev/null); do
		(stop_tree "$child")
	done
	kill "$1" 2>/dev/null || :
}

cleanup() {
	trap - EXIT INT HUP TERM
	for pid in $jobs_running ${web_pid:-}; do
		stop_tree "$pid"
	done
}
trap cleanup EXIT
trap 'exit 130' INT HUP TERM

# start NAME COMMAND...: in the background, output to a log of its own
start() {
	name=$1
	shift
	("$@" >"$work/log/$name" 2>&1 && echo 0 >"$work/log/$name.exit" || echo 1 >"$work/log/$name.exit") &
	jobs_running="$jobs_running $!"
	rm -f "$work/log/$name.exit"
	waiting="$waiting $name"
}

show_progress() {
	[ -t 2 ] || return 0
	line=$(tail -c 300 "$work/log/$1" 2>/dev/null | tr '\r' '\n' | tail -n 1 | cut -c1-60)
	printf '\r\033[K  %4s s  %s: %s' "$(elapsed)" "$waiting" "$line" >&2
}

# wait_all: until every started step is done; the first that fails ends the demo with the end of its log
wait_all() {
	while [ -n "$waiting" ]; do
		still=
		for name in $waiting; do
			code=$(cat "$work/log/$name.exit" 2>/dev/null || :)
			case $code in
			'') still="$still $name" ;;
			0) [ -t 2 ] && printf '\r\033[K' >&2; printf '  %4s s  %s done\n' "$(elapsed)" "$name" >&2 ;;
			*) printf '\n' >&2; tail -n 30 "$work/log/$name" >&2; die "'$name' failed; its whole output is in $work/log/$name" ;;
			esac
		done
		waiting=$still
		# shellcheck disable=SC2086 # names without spaces
		[ -z "$waiting" ] || { set -- $waiting; show_progress "$1"; sleep 0.5; }
	done
}

publish_tree() {
	bin=build/host/bin
	tree=$(tail -n 1 "$work/log/tree")
	[ -e $work/key.sec ] || $bin/fetchfs keygen $work/key
	[ -e $work/repository/manifest ] || $bin/fetchfs init -n debian -k $work/key $work/repository
	$bin/fetchfs publish -k $work/key --profile images/debian-boot.profile --profile python=images/debian-python.profile \
		$work/repository "$tree"
}

write_user_data() {
	[ -e $work/ssh-key ] || ssh-keygen -q -t ed25519 -N '' -C spore-demo -f $work/ssh-key
	cat >$work/user-data <<END
#cloud-config
hostname: spore-demo
users:
  - name: spore
    shell: /bin/bash
    sudo: ALL=(ALL) NOPASSWD:ALL
    lock_passwd: false
    plain_text_passwd: spore
    ssh_authorized_keys:
      - $(cat $work/ssh-key.pub)
END
	printf 'instance-id: demo-1\n' >$work/meta-data
	build/host/bin/contextualize seed -t nocloud -u $work/user-data -m $work/meta-data -o $work/seed.iso
}

# nginx as a server of static files, on the loopback address only; QEMU's user network shows it to the guest as 10.0.2.2. It is one process of
# this user: a worker that root's nginx starts as somebody else could not read a checkout in root's home.
start_web_server() {
	mkdir -p $work/nginx
	cat >$work/nginx/nginx.conf <<END
daemon off;
master_process off;
pid $PWD/$work/nginx/pid;
error_log $PWD/$work/nginx/error.log;
events {}
http {
	access_log $PWD/$work/nginx/access.log;
	client_body_temp_path $PWD/$work/nginx/body;
	proxy_temp_path $PWD/$work/nginx/proxy;
	fastcgi_temp_path $PWD/$work/nginx/fastcgi;
	uwsgi_temp_path $PWD/$work/nginx/uwsgi;
	scgi_temp_path $PWD/$work/nginx/scgi;
	server { listen 127.0.0.1:$port; root $PWD/$work/repository; }
}
END
	nginx=$(command -v nginx || echo /usr/sbin/nginx)
	"$nginx" -c "$PWD/$work/nginx/nginx.conf" -e "$PWD/$work/nginx/error.log" &
	web_pid=$!
	tries=0
	until curl -sfo /dev/null "http://127.0.0.1:$port/manifest"; do
		kill -0 $web_pid 2>/dev/null || die "nginx did not start: $(tail -n 3 $work/nginx/error.log); is port $port taken? choose another: DEMO_PORT=8181 make demo"
		tries=$((tries + 1))
		[ $tries -lt 100 ] || die "nginx does not serve $work/repository on 127.0.0.1:$port: $(tail -n 1 $work/nginx/error.log)"
		sleep 0.1
	done
}

echo "Spore demo: building side by side (kernel, static libraries, Debian tree); the first time takes as long as a kernel build." >&2
waiting=
start tree tests/lib/debian-tree.sh x86_64
start programs make -s programs
start guest make -s guest bootloader
start kernel make -s kernel
wait_all
waiting=
start publish publish_tree
wait_all
start_web_server
write_user_data
make -s image REPOSITORY="http://10.0.2.2:$port/" KEY=$work/key.pub
cat >&2 <<END

Everything is built after $(elapsed) s. The machine starts now: log in as 'spore' with the password 'spore'.
Leave QEMU with Ctrl-A X; 'sudo poweroff' in the machine does it properly. A second 'make demo' boots with a warm cache.

END
tests/boot/run-qemu.sh --image build/images/spore-x86_64.img --seed $work/seed.iso --disk $work/scratch.img --firmware uefi
