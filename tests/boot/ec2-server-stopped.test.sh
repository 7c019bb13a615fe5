#!/bin/sh
# SPDX-License-Identifier: MIT
# User data from EC2's metadata service, version 2 (a token is required). After login the repository's server is stopped: what is cached goes on
# working, and the machine shuts down cleanly.
# shellcheck source=tests/boot/functions.sh
. "$(dirname "$0")/functions.sh"

need_qemu
serve_system
make_image "$T/spore.img" --set "repository=http://169.254.169.2:$port/"

folder=$T/metadata/2009-04-04
mkdir -p "$T/metadata"
ln -s 2009-04-04 "$T/metadata/latest"
mkdir -p "$folder/meta-data"
write_user_data "$folder/user-data"
printf 'i-0123456789abcdef0' >"$folder/meta-data/instance-id"
printf 'from-metadata' >"$folder/meta-data/local-hostname"
serve_metadata "$T/metadata"

script=$T/boot.script
script_login "$script"
script_check_user_data "$script"
script_check_source "$script" ec2
# What is used now is what can be used without the server.
script_command "$script" 'python3 -c "import json; print(json.dumps([6 * 7]))"; ls -l /etc >/dev/null' 60 '^\[42\]$'
printf 'run kill %s\nnote the server is stopped\nmark\n' "$server_pid" >>"$script"
script_command "$script" 'python3 -c "import json; print(json.dumps([2 * 21]))"; ls -l /etc >/dev/null; echo "status=$?"' 60 '^\[42\]$' '^status=0$'
printf 'absent Input/output error\n' >>"$script"
script_poweroff "$script"
boot_console "$script" --image "$T/spore.img" --keep "$T/disk.img" --net "metadata:$metadata_port" \
	--qemu-arg -uuid --qemu-arg ec2e1916-9099-4caf-8d21-012345abcdef
check_scratch "$T/disk.img"
grep -q '^PUT /latest/api/token 200' "$T/metadata.log" || fail "no token was asked for: $(cat "$T/metadata.log")"
