#!/bin/sh
# SPDX-License-Identifier: MIT
# What stands in the way of a boot is said on the console: what failed, why, and what to do. Without firmware, since the loader is not in question.
# shellcheck source=tests/boot/functions.sh
. "$(dirname "$0")/functions.sh"

need_qemu
serve_system
make_image "$T/spore.img"

# failing NAME SECONDS STAGE EREGEX RUN-QEMU-ARGUMENT...
failing() {
	name=$1
	cat >"$T/$name.script" <<END
allow Spore: failed
match $2 ^.*Spore: failed in $3.*
END
	# The message may stand before the line that names the stage: look at all of the console.
	expression=$4
	shift 4
	boot_console "$T/$name.script" --firmware direct --append 'console=ttyS0,115200 loglevel=4 spore.mount_timeout=15' "$@"
	grep -qE -- "$expression" "$T/$name.log" || fail "$name: the console lacks '$expression': $(tail -n 20 "$T/$name.log")"
	step "$name: $(grep -E -- "$expression" "$T/$name.log" | head -n 1)"
}

failing no-nic 60 '02-network' '[Nn]o network (interface|card|device)' --image "$T/spore.img" --net none

fetchfs keygen "$T/other"
mkimage build -a "$ARCH" --set "repository=http://10.0.2.2:$port/" --set "key=$T/other.pub" -o "$T/wrong-key.img" >"$T/mkimage.log" 2>&1 ||
	fail "mkimage: $(cat "$T/mkimage.log")"
failing wrong-key 90 '14-fetchfs' 'key' --image "$T/wrong-key.img"

mkimage build -a "$ARCH" --set "repository=http://10.0.2.2:$port/not-here" --set "key=$key" -o "$T/wrong-url.img" >"$T/mkimage.log" 2>&1 ||
	fail "mkimage: $(cat "$T/mkimage.log")"
failing wrong-url 150 '14-fetchfs' 'not-here' --image "$T/wrong-url.img"

step "no room for scratch: RAM, with a warning"
cat >"$T/small-disk.script" <<'END'
match 90 [Ww]arning.*(RAM|memory)
expect 120 Spore: starting
END
boot_console "$T/small-disk.script" --firmware direct --image "$T/spore.img" --disk-size image --memory 2048

kill "$server_pid"
failing no-server 150 '14-fetchfs' "10\.0\.2\.2:$port" --image "$T/spore.img"
