#!/bin/sh
# SPDX-License-Identifier: MIT
# User data from OpenStack's metadata service at 169.254.169.254, which QEMU's user network forwards to a server of this test.
# shellcheck source=tests/boot/functions.sh
. "$(dirname "$0")/functions.sh"

need_qemu
serve_system
make_image "$T/spore.img" --set "repository=http://169.254.169.2:$port/"

folder=$T/metadata/openstack/latest
mkdir -p "$folder"
write_user_data "$folder/user_data"
printf '{"uuid": "5a6e7c1d-0000-4000-8000-000000000002", "hostname": "from-metadata.example", "name": "from-metadata"}\n' >"$folder/meta_data.json"
serve_metadata "$T/metadata"

script=$T/boot.script
script_login "$script"
script_check_user_data "$script"
script_check_source "$script" openstack
script_check_root "$script"
script_poweroff "$script"
boot_console "$script" --image "$T/spore.img" --net "metadata:$metadata_port" --smbios 'type=1,product=OpenStack Nova'
