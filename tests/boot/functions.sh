# SPDX-License-Identifier: MIT
# Shared by the boot tests: a served repository, an image that boots from it, seeds, and the script that logs in and looks around.
# Sourced by tests/boot/*.test.sh; brings tests/functions.sh.
#
# Environment: SPORE_TEST_KERNEL (another kernel than the built one), SPORE_TEST_REPO and SPORE_TEST_KEY (a repository that is published already),
# CONSOLE_SCALE (multiplies all time limits: slow machines), SPORE_BOOT_LOGS (a folder for the consoles of all boots), QEMU_ACCEL (tcg, kvm), KEEP.
#
# shellcheck shell=sh
# shellcheck disable=SC2034 # some variables are for the tests
# shellcheck disable=SC2016 # commands for the guest's shell stand in single quotes

# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"

ARCH=${ARCH:-x86_64}
build=build/$ARCH

# The guest's user in every seed, its password, and the host name.
guest_user=tester
guest_password=Spore-login-7
guest_host=spore-guest

need_qemu() {
	command -v "qemu-system-$ARCH" >/dev/null || skip "qemu-system-$ARCH is not installed"
	for tool in qemu-img sfdisk mcopy; do
		command -v "$tool" >/dev/null || skip "$tool is not installed"
	done
}

# boot_console SCRIPT RUN-QEMU-ARGUMENT...: the machine under the script; the log is $T/NAME.log.
boot_console() {
	script=$1
	shift
	boot_code=0
	console -t "${BOOT_SECONDS:-600}" -o "${script%.script}.log" "$script" -- tests/boot/run-qemu.sh --arch "$ARCH" "$@" || boot_code=$?
	# For whoever looks at a boot later: the consoles of all boots.
	if [ -n "${SPORE_BOOT_LOGS:-}" ]; then
		cp "${script%.script}.log" "$SPORE_BOOT_LOGS/$test_name-$(basename "${script%.script}").log"
	fi
	[ "$boot_code" -eq 0 ] || fail "the boot did not go as $(basename "$script") says"
}

# captured SCRIPT NAME: what a script's "capture" or "stamp" kept.
captured() { sed -n "s/^$2=//p" "${1%.script}.log.vars" | tail -n 1; }

# fat_image FILE KIB FOLDER: a FAT volume without a partition table, with the folder's content.
fat_image() {
	rm -f "$1"
	truncate -s "$2K" "$1"
	mformat -i "$1" -v SPORETEST -T $(($2 * 2)) -h 16 -s 63 ::
	for entry in "$3"/*; do
		[ ! -e "$entry" ] || mcopy -s -n -i "$1" "$entry" ::/
	done
}

# ---- a repository with a real system, served on the loopback ----

# Sets $repository (folder), $key (public key's file) and $port. Uses those of the environment, where the caller has published one:
# SPORE_TEST_REPO (folder) and SPORE_TEST_KEY (NAME.pub). Otherwise publishes a Debian tree, once for all tests of a checkout.
serve_system() {
	repository=${SPORE_TEST_REPO:-}
	key=${SPORE_TEST_KEY:-}
	if [ -z "$repository" ]; then
		repository=$top/build/tests/system/repo key=$top/build/tests/system/key.pub
		mkdir -p build/tests/system
		(
			flock 9
			tar=$(tests/lib/debian-tree.sh "$ARCH") || exit 1
			[ -z "$(find build/tests/system/ready -newer "$tar" -newer images/debian-boot.profile 2>/dev/null)" ] || exit 0
			rm -rf build/tests/system/repo build/tests/system/key.* build/tests/system/ready
			fetchfs keygen build/tests/system/key &&
				fetchfs init -n system -k build/tests/system/key build/tests/system/repo &&
				fetchfs publish -k build/tests/system/key --profile images/debian-boot.profile --profile python=images/debian-python.profile \
					build/tests/system/repo "$tar" &&
				: >build/tests/system/ready
		) 9>build/tests/system/lock || fail "the system that the tests boot could not be published"
	fi
	[ -r "$key" ] || fail "no public key at '$key'; set SPORE_TEST_KEY with SPORE_TEST_REPO"
	serve_nginx "$repository"
	port=$server_port
}

# serve_metadata FOLDER: OpenStack's and EC2's metadata services (token required) from files. Sets $metadata_port; logs to $T/metadata.log.
serve_metadata() {
	imds -p 0 -P "$T/metadata.port" -l "$T/metadata.log" "$1" 2>"$T/metadata.errors" &
	metadata_pid=$!
	end_with_test "$metadata_pid"
	tries=0
	until [ -s "$T/metadata.port" ]; do
		kill -0 "$metadata_pid" 2>/dev/null || fail "the metadata server has ended: $(cat "$T/metadata.errors")"
		tries=$((tries + 1))
		[ "$tries" -lt 100 ] || fail "the metadata server does not start"
		sleep 0.1
	done
	metadata_port=$(cat "$T/metadata.port")
}

# make_image FILE [MKIMAGE-ARGUMENT...]: an image that boots from the served repository.
make_image() {
	file=$1
	shift
	kernel=${SPORE_TEST_KERNEL:-$build/linux}
	for part in "$kernel" "$build/guest/spore" "$build/BOOTX64.EFI"; do
		[ -e "$part" ] || skip "$part is not built ('make image' builds it)"
	done
	mkimage build -a "$ARCH" --set "repository=http://10.0.2.2:$port/" --set "key=$key" --set "kernel=$kernel" "$@" -o "$file" >"$T/mkimage.log" 2>&1 ||
		fail "mkimage: $(cat "$T/mkimage.log")"
}

# ---- user data ----

# The user data of every login test: a user with a password and a key, a file, a command that counts its runs.
write_user_data() {
	cat >"$1" <<END
#cloud-config
hostname: $guest_host
users:
  - name: $guest_user
    gecos: A tester
    groups: [sudo]
    shell: /bin/bash
    sudo: ALL=(ALL) NOPASSWD:ALL
    lock_passwd: false
    ssh_authorized_keys:
      - ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHRoaXMgaXMgbm90IGEgcmVhbCBrZXkgYnV0IGxvbmcgIQ== tester@host
chpasswd:
  expire: false
  users:
    - name: $guest_user
      password: $guest_password
      type: text
write_files:
  - path: /etc/spore-test
    content: |
      written by user data
    owner: root:root
    permissions: '0640'
runcmd:
  - echo run >>/var/lib/spore-runcmd
  - [sh, -c, 'echo "second \$0" >>/var/lib/spore-runcmd-list', word]
END
}

# write_meta_data FILE [INSTANCE-ID]: NoCloud's.
write_meta_data() { printf 'instance-id: %s\nlocal-hostname: meta-data-name\n' "${2:-i-spore-0001}" >"$1"; }

# ---- what happens on the console ----

# The prompt of the guest's shell, on a line of its own; set in two pieces, so that the command's echo cannot be taken for it.
prompt=spore-prompt

# script_login FILE: from power-on to a shell of the user. Creates the script; the other script_ functions append to it.
script_login() {
	cat >"$1" <<END
expect 120 Spore loader: starting
stamp LOADER
expect 180 Spore: starting
stamp INITRD
note the initrd hands over
expect 300 $guest_host login:
stamp LOGIN
note login prompt
END
	script_user "$1"
}

# The lines that log in at a login prompt. The shell is made quiet: no line editing, no echo, nothing of the user's start-up files.
script_user() {
	cat >>"$1" <<END
send $guest_user\n
expect 60 Password:
send $guest_password\n
match 120 tester@[a-z-]+:~\\$
send stty -echo; exec env PS1='spore-''prompt>\\\\n' bash --norc --noediting\n
expect 60 $prompt>
note logged in
END
}

# script_command FILE COMMAND SECONDS [EREGEX]...: runs it and waits for each expression in its output, in order, then for the prompt.
script_command() {
	out=$1 seconds=$3
	printf 'send %s\\n\n' "$(printf '%s' "$2" | sed 's/\\/\\\\/g')" >>"$out"
	shift 3
	for expression in "$@"; do
		printf 'match %s %s\n' "$seconds" "$expression" >>"$out"
	done
	printf 'expect %s %s>\n' "$seconds" "$prompt" >>"$out"
}

# What user data asked for.
script_check_user_data() {
	script_command "$1" 'echo "host=$(hostname) user=$(id -un) sudo=$(sudo -n id -un)"' 60 "^host=$guest_host user=$guest_user sudo=root$"
	script_command "$1" 'echo "key=$(grep -c tester@host ~/.ssh/authorized_keys) mode=$(stat -c %a ~/.ssh/authorized_keys)"' 30 '^key=1 mode=600$'
	script_command "$1" 'echo "file=$(sudo cat /etc/spore-test) $(stat -c %a:%U /etc/spore-test)"' 30 '^file=written by user data 640:root$'
	script_wait_final "$1"
	script_command "$1" 'echo "runs=$(wc -l </var/lib/spore-runcmd) list=$(cat /var/lib/spore-runcmd-list)"' 30 '^runs=1 list=second word$'
}

# runcmd runs late in the boot: wait until systemd has nothing left to start.
script_wait_final() {
	script_command "$1" 'systemctl is-system-running --wait >/dev/null; echo "boot=done"' 240 '^boot=done$'
}

# The root is what it should be: an overlay over fetchfs.
script_check_root() {
	script_command "$1" 'echo "root=$(findmnt -no FSTYPE /) lower=$(findmnt -no FSTYPE /run/spore/ro)"' 30 '^root=overlay lower=fuse'
}

# script_check_source FILE EREGEX: which data source was found.
script_check_source() { script_command "$1" 'echo "datasource=$(sudo cat /run/spore/context/source)"' 30 "^datasource=$2"; }

# script_stats FILE NAME: keeps bytes fetched so far as NAME, from the client's statistics.
script_stats() {
	cat >>"$1" <<'END'
send sudo python3 -c 'import os, json; s = json.loads(os.getxattr("/run/spore/ro", "user.fetchfs.stats")); print("bytes=%d" % s["bytes_fetched"])'\n
END
	printf 'capture 60 %s ^bytes=([0-9]+)$\nexpect 30 %s>\n' "$2" "$prompt" >>"$1"
}

script_poweroff() {
	cat >>"$1" <<'END'
stamp OFF
send sudo systemctl poweroff\n
expect 120 reboot: Power down
wait-exit 30
note powered off
END
}

# ---- after the boot, on the host ----

# check_scratch FILE: the scratch partition (or whole disk) of a raw disk has nothing that e2fsck would mend.
check_scratch() {
	sfdisk -J "$1" >"$T/table.json"
	python3 - "$T/table.json" >"$T/place" <<'END' || fail "$1 has no partition named spore-scratch"
import json, sys
for p in json.load(open(sys.argv[1]))["partitiontable"]["partitions"]:
    if p.get("name") == "spore-scratch":
        print(p["start"], p["size"])
        sys.exit(0)
sys.exit(1)
END
	read -r first count <"$T/place"
	dd if="$1" of="$T/scratch.ext4" bs=1M iflag=skip_bytes,count_bytes skip=$((first * 512)) count=$((count * 512)) conv=sparse status=none
	e2fsck -fn "$T/scratch.ext4" >"$T/e2fsck.log" 2>&1 || fail "e2fsck finds faults on scratch: $(cat "$T/e2fsck.log")"
	rm -f "$T/scratch.ext4"
}
