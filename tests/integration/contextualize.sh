#!/bin/sh
# SPDX-License-Identifier: MIT
# contextualize end to end on the host: seeds, check, the data sources on fake trees and a metadata server, and user data applied to a fake root.
. "$(dirname "$0")/../functions.sh"

KEY='ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBtestkey someone@example'
UUID=11223344-5566-7788-99aa-bbccddeeff00

user_data() {
	cat <<END
#cloud-config
hostname: demo
fqdn: demo.example.org
timezone: Europe/Zurich
ssh_pwauth: false
users:
  - default
  - name: alice
    gecos: Alice Example
    groups: [sudo, users]
    sudo: "ALL=(ALL) NOPASSWD:ALL"
    lock_passwd: false
    plain_text_passwd: secret
    ssh_authorized_keys: ["$KEY"]
write_files:
  - {path: /opt/x/y.sh, owner: 'alice:alice', permissions: '0755', encoding: b64, content: IyEvYmluL3NoCg==}
  - {path: /run/hello, content: hello}
  - {path: /escape/spore-escape, content: inside}
runcmd:
  - echo "ran \$INSTANCE_ID" >>"\$RESULT"
  - [sh, -c, 'echo "it''s \$0" >>"\$RESULT"', "a  b"]
bootcmd:
  - echo boot >>"\$RESULT"
END
}

# Exit code 1, and not a word.
expect_nothing() {
	got=0
	"$@" >"$T/output" 2>&1 || got=$?
	[ "$got" = 1 ] || fail "exit $got, not 1, of: $*: $(cat "$T/output")"
	[ ! -s "$T/output" ] || fail "$* says: $(cat "$T/output")"
}

# A machine to be detected: new_machine DIR
new_machine() {
	mkdir -p "$1/sys/class/dmi/id" "$1/sys/class/block" "$1/sys/class/net/eth0" "$1/dev" "$1/proc" "$1/run"
	echo 52:54:00:12:34:56 >"$1/sys/class/net/eth0/address"
	echo $UUID >"$1/sys/class/dmi/id/product_uuid"
	: >"$1/proc/cmdline"
}

# add_volume MACHINE NAME IMAGE: a block device holding an image, and what mounting it would show.
add_volume() {
	mkdir -p "$1/sys/class/block/$2" "$1/dev/$2.mounted"
	cp "$3" "$1/dev/$2"
	bsdtar -xf "$3" -C "$1/dev/$2.mounted"
	chmod -R u+rwX "$1/dev/$2.mounted"
}

new_root() {
	mkdir -p "$1/etc/sudoers.d" "$1/etc/ssh" "$1/etc/skel" "$1/usr/share/zoneinfo/Europe" "$1/usr/lib/systemd" "$1/usr/bin" "$1/bin" "$1/root" "$1/home"
	printf 'root:x:0:0:root:/root:/bin/bash\n' >"$1/etc/passwd"
	printf 'root:*:19000:0:99999:7:::\n' >"$1/etc/shadow"
	chmod 0640 "$1/etc/shadow"
	printf 'root:x:0:\nsudo:x:27:\nusers:x:100:\n' >"$1/etc/group"
	printf 'root:*::\nsudo:*::\nusers:*::\n' >"$1/etc/gshadow"
	printf 'PRETTY_NAME="Debian"\nID=debian\n' >"$1/etc/os-release"
	printf 'Include /etc/ssh/sshd_config.d/*.conf\n' >"$1/etc/ssh/sshd_config"
	echo 0123456789abcdef0123456789abcdef >"$1/etc/machine-id"
	echo skeleton >"$1/etc/skel/.profile"
	echo old >"$1/etc/ssh/ssh_host_rsa_key"
	ln -s /etc "$1/escape"
	touch "$1/usr/share/zoneinfo/Europe/Zurich" "$1/usr/lib/systemd/systemd" "$1/usr/bin/ssh-keygen" "$1/bin/bash"
}

context_is() {
	[ "$(cat "$SPORE_ROOT/run/spore/context/$1")" = "$2" ] || fail "$1 is $(cat "$SPORE_ROOT/run/spore/context/$1"), not $2"
}

user_data >"$T/user-data"
unset SPORE_METADATA_URL http_proxy HTTP_PROXY

step "seed: volume ids, content, the same bytes at another time, place and umask"
contextualize seed -u "$T/user-data" -o "$T/nocloud.iso"
contextualize seed -t configdrive -u "$T/user-data" -o "$T/drive.iso"
[ "$(blkid -p -s TYPE -o value "$T/nocloud.iso")" = iso9660 ] || fail "not an ISO image"
[ "$(blkid -p -s LABEL -o value "$T/nocloud.iso")" = cidata ] || fail "the label is not cidata"
[ "$(blkid -p -s LABEL -o value "$T/drive.iso")" = config-2 ] || fail "the label is not config-2"
bsdtar -xOf "$T/nocloud.iso" user-data | cmp - "$T/user-data" || fail "user-data differ"
bsdtar -xOf "$T/nocloud.iso" meta-data | grep -q '^instance-id: ' || fail "no instance-id"
bsdtar -xOf "$T/drive.iso" openstack/latest/user_data | cmp - "$T/user-data" || fail "user_data differ"
bsdtar -xOf "$T/drive.iso" openstack/latest/meta_data.json | grep -q '"uuid"' || fail "no uuid"
sleep 1.1
for kind in nocloud drive; do
	type=nocloud
	[ $kind = nocloud ] || type=configdrive
	(umask 077 && cd / && TZ=Asia/Tokyo contextualize seed -t $type -u "$T/user-data" -o "$T/$kind-2.iso")
	cmp "$T/$kind.iso" "$T/$kind-2.iso" || fail "$kind: not the same bytes"
done
SOURCE_DATE_EPOCH=1700000000 contextualize seed -u "$T/user-data" -o "$T/dated.iso"
cmp -s "$T/nocloud.iso" "$T/dated.iso" && fail "SOURCE_DATE_EPOCH has no effect"

step "check: what is said of good and of bad user data"
contextualize check "$T/user-data" >"$T/said"
for line in 'host name demo' 'user alice: 1 keys, 2 groups, sudo, with a password' 'file /opt/x/y.sh, 10 bytes' '2 commands on the first boot'; do
	grep -qF "$line" "$T/said" || fail "check does not say: $line"
done
contextualize check --json "$T/user-data" | python3 -c 'import json,sys; d = json.load(sys.stdin); assert d["errors"] == 0 and d["parts"][0]["kind"] == "cloud-config"'
printf '#cloud-config\nhostname: a\n\tusers: x\n' >"$T/bad"
expect_failure 65 'bad:3:1: error: .*not YAML' contextualize check "$T/bad"
expect_failure 65 'bad:3:1' contextualize seed -u "$T/bad" -o "$T/bad.iso"
[ ! -e "$T/bad.iso" ] || fail "a seed was written for bad user data"
contextualize seed --no-check -u "$T/bad" -o "$T/bad.iso"
printf '#cloud-config\nhostnam: a\npackages: [x]\nusers: {a: b}\n' >"$T/bad"
expect_failure 65 "bad:2:1: warning: unknown key 'hostnam'.*did you mean 'hostname'" contextualize check "$T/bad"
expect_failure 65 "bad:3:1: warning: key 'packages' is not supported" contextualize check "$T/bad"
expect_failure 65 'bad:4:8: error: users: a list was expected' contextualize check "$T/bad"
printf 'what is this\n' >"$T/bad"
expect_failure 65 "of no known format: begins 'what is this%0a'" contextualize check "$T/bad"
printf '{"ignition": {"version": "3.0.0"}}' >"$T/bad"
contextualize check "$T/bad" 2>&1 | grep -q Ignition || fail "Ignition is not named"
head -c 20000000 /dev/zero | gzip >"$T/bomb"
expect_failure 65 'more than 16 MiB' contextualize check "$T/bomb"
expect_failure 66 'cannot read' contextualize check "$T/none"
expect_failure 73 'cannot write' contextualize seed -u "$T/user-data" -o "$T/no/where.iso"
expect_failure 64 'not known' contextualize seed -t other -u "$T/user-data" -o "$T/x.iso"

step "find --local: NoCloud by its label, with a network configuration"
export SPORE_ROOT="$T/m1"
new_machine "$SPORE_ROOT"
expect_nothing contextualize find --local
context_is source none
cat >"$T/network" <<'END'
version: 2
ethernets:
  lan:
    match: {macaddress: "52:54:00:12:34:56"}
    addresses: [192.0.2.10/24, "2001:db8::5/64"]
    gateway4: 192.0.2.1
    mtu: 1400
    nameservers: {addresses: [192.0.2.53], search: [example.org]}
END
contextualize seed -u "$T/user-data" -n "$T/network" -o "$T/net.iso"
add_volume "$SPORE_ROOT" sr0 "$T/net.iso"
contextualize find --local
context_is source nocloud
context_is network-config.format v2
cmp "$SPORE_ROOT/run/spore/context/user-data" "$T/user-data" || fail "user data differ"
[ "$(stat -c %a "$SPORE_ROOT/run/spore/context")" = 700 ] || fail "the context is open to others"
[ "$(stat -c %a "$SPORE_ROOT/run/spore/context/user-data")" = 600 ] || fail "user data are open to others"

step "network: ip is called, networkd's file is written"
mkdir -p "$T/bin"
printf '#!/bin/sh\necho "$@" >>"%s/ip.log"\n' "$T" >"$T/bin/ip"
chmod +x "$T/bin/ip"
PATH="$T/bin:$PATH" contextualize network
cat >"$T/ip.want" <<'END'
link set dev eth0 mtu 1400
link set dev eth0 up
-4 addr replace 192.0.2.10/24 dev eth0
-6 addr replace 2001:db8::5/64 dev eth0
-4 route replace default via 192.0.2.1 dev eth0
END
diff -u "$T/ip.want" "$T/ip.log" || fail "ip was called otherwise"
grep -q '^Address=192.0.2.10/24$' "$SPORE_ROOT/run/systemd/network/10-spore-eth0.network" || fail "networkd's file lacks the address"
grep -q '^nameserver 192.0.2.53$' "$SPORE_ROOT/run/spore/net/resolv.conf" || fail "resolv.conf lacks the server"
[ ! -s "$SPORE_ROOT/run/spore/net/dhcp-interfaces" ] || fail "DHCP was not asked for"
# A card that the configuration does not know: DHCP.
echo 52:54:00:00:00:99 >"$SPORE_ROOT/sys/class/net/eth0/address"
expect_failure 1 'fits no interface' contextualize network

step "find --local: config drive, FAT label, command line, credentials, restriction"
export SPORE_ROOT="$T/m2"
new_machine "$SPORE_ROOT"
add_volume "$SPORE_ROOT" vdb "$T/drive.iso"
contextualize find --local
context_is source configdrive
echo 'quiet spore.datasource=nocloud' >"$SPORE_ROOT/proc/cmdline"
expect_nothing contextualize find --local
if command -v mkfs.vfat >/dev/null; then
	for kind in 12:64 16:4 32:1; do
		bits=${kind%:*}
		rm -rf "$SPORE_ROOT/dev/vdb" "$SPORE_ROOT/dev/vdb.mounted"
		truncate -s 64M "$SPORE_ROOT/dev/vdb"
		mkfs.vfat -F "$bits" -s "${kind#*:}" -n CIDATA "$SPORE_ROOT/dev/vdb" >/dev/null 2>&1 || fail "mkfs.vfat -F $bits"
		mkdir "$SPORE_ROOT/dev/vdb.mounted"
		echo "instance-id: fat$bits" >"$SPORE_ROOT/dev/vdb.mounted/meta-data"
		contextualize find --local
		context_is instance-id "fat$bits"
	done
fi
mkdir "$T/seed"
: >"$T/seed/meta-data"
cp "$T/user-data" "$T/seed/user-data"
export SPORE_ROOT="$T/m3"
new_machine "$SPORE_ROOT"
mkdir -p "$SPORE_ROOT/seed"
cp "$T/seed/"* "$SPORE_ROOT/seed"
echo 'root=x "ds=nocloud;s=file:///seed/;h=other;i=by-hand"' >"$SPORE_ROOT/proc/cmdline"
contextualize find --local
context_is instance-id by-hand
grep -q '"hostname": "other"' "$SPORE_ROOT/run/spore/context/meta-data.json" || fail "h= has no effect"
: >"$SPORE_ROOT/proc/cmdline"
entry="$SPORE_ROOT/sys/firmware/dmi/entries/11-0"
mkdir -p "$entry"
{ printf '\013\005\000\013\002some string\000io.systemd.credential.binary:spore.user-data='; base64 -w0 "$T/user-data"; printf '\000\000'; } >"$entry/raw"
contextualize find --local
context_is source credentials
grep -qE "^machine-$UUID-[0-9a-f]{8}\$" "$SPORE_ROOT/run/spore/context/instance-id" || fail "no id of the machine and the content"
cmp "$SPORE_ROOT/run/spore/context/user-data" "$T/user-data" || fail "user data of the credential differ"

step "find --network: a machine that names no cloud costs nothing; EC2 v2 and v1, OpenStack, NoCloud by URL"
mkdir -p "$T/md/openstack/2018-08-27" "$T/md/openstack/2099-01-01" "$T/md/2009-04-04/meta-data/public-keys/0" "$T/md/seed"
echo '{"uuid": "os-1", "hostname": "os-host", "public_keys": {"k": "ssh-rsa AAAA os"}}' >"$T/md/openstack/2018-08-27/meta_data.json"
printf i-0123 >"$T/md/2009-04-04/meta-data/instance-id"
echo ec2-host >"$T/md/2009-04-04/meta-data/local-hostname"
printf '0=key' >"$T/md/2009-04-04/meta-data/public-keys/.index"
echo 'ssh-rsa AAAA ec2' >"$T/md/2009-04-04/meta-data/public-keys/0/openssh-key"
cp "$T/user-data" "$T/md/2009-04-04/user-data"
printf 'instance-id: url-1\n' >"$T/md/seed/meta-data"
printf '#!/bin/sh\n[ucernvm-begin]\ncvmfs_http_proxy=http://squid:3128\n[ucernvm-end]\n' >"$T/md/seed/user-data"
start_imds() {
	rm -f "$T/port" "$T/log"
	imds -P "$T/port" -l "$T/log" "$@" "$T/md" &
	imds_pid=$!
	end_with_test $imds_pid
	wait_for 5 test -s "$T/port"
	url=http://127.0.0.1:$(cat "$T/port")
}
start_imds -f 2
export SPORE_ROOT="$T/m4"
new_machine "$SPORE_ROOT"
echo 'spore.datasource=auto' >"$SPORE_ROOT/proc/cmdline"
if [ "$(uname -m)" = x86_64 ]; then
	(export SPORE_METADATA_URL="$url"; expect_nothing contextualize find --network)
	[ ! -s "$T/log" ] || fail "the network was asked without a reason"
	expect_nothing contextualize find --possible
fi
echo 'OpenStack Nova' >"$SPORE_ROOT/sys/class/dmi/id/product_name"
echo "spore.metadata_url=$url" >"$SPORE_ROOT/proc/cmdline"
contextualize find --possible || fail "OpenStack is not seen as possible"
contextualize find --network
context_is source openstack
context_is instance-id os-1
[ ! -e "$SPORE_ROOT/run/spore/context/user-data" ] || fail "user data out of nothing"
grep -q '^GET /openstack 503$' "$T/log" || fail "a service that is not ready was not waited for"
grep -q '^GET /openstack/2018-08-27/user_data 404$' "$T/log" || fail "user_data was not asked for"
rm "$SPORE_ROOT/sys/class/dmi/id/product_name"
echo ec2abcde-0000 >"$SPORE_ROOT/sys/class/dmi/id/product_uuid"
contextualize find --network
context_is source ec2
context_is instance-id i-0123
grep -q 'ssh-rsa AAAA ec2' "$SPORE_ROOT/run/spore/context/meta-data.json" || fail "no public key"
grep -q '^PUT /latest/api/token 200$' "$T/log" || fail "no token was fetched"
kill $imds_pid
start_imds -1
echo "spore.metadata_url=$url" >"$SPORE_ROOT/proc/cmdline"
contextualize find --network
context_is instance-id i-0123
echo "ds=nocloud;s=$url/seed/" >"$SPORE_ROOT/sys/class/dmi/id/product_serial"
contextualize find --network
context_is instance-id url-1
context_is settings 'proxy=http://squid:3128'
expect_nothing contextualize find --local
kill $imds_pid
expect_failure 2 'cannot be read' contextualize find --network --deadline 1

step "apply: a new root"
export SPORE_ROOT="$T/m1"
R="$T/root"
state="$SPORE_ROOT/run/spore/scratch/context"
new_root "$R"
contextualize apply --root "$R" --state "$state"
[ "$(cat "$R/etc/hostname")" = demo ] || fail "host name"
grep -q '^127.0.1.1	demo.example.org demo$' "$R/etc/hosts" || fail "/etc/hosts"
grep -q '^alice:x:100[01]:100[01]:Alice Example:/home/alice:/bin/bash$' "$R/etc/passwd" || fail "alice: $(cat "$R/etc/passwd")"
grep -q '^debian:x:100[01]:' "$R/etc/passwd" || fail "no default user"
grep -qE '^sudo:x:27:(debian,)?alice' "$R/etc/group" || fail "alice is not in sudo"
grep -q '^sudo:\*::.*alice' "$R/etc/gshadow" || fail "gshadow"
[ "$(stat -c %a "$R/etc/shadow")" = 640 ] || fail "the mode of shadow changed"
hash=$(awk -F: '$1 == "alice" { print $2 }' "$R/etc/shadow")
salt=${hash#\$6\$} salt=${salt%%\$*}
[ "$(openssl passwd -6 -salt "$salt" secret)" = "$hash" ] || fail "the password's hash"
grep -q '^debian:!' "$R/etc/shadow" || fail "the default user is not locked"
[ "$(cat "$R/home/alice/.ssh/authorized_keys")" = "$KEY" ] || fail "authorized_keys"
[ "$(stat -c %a "$R/home/alice/.ssh") $(stat -c %a "$R/home/alice/.ssh/authorized_keys")" = '700 600' ] || fail "modes of .ssh"
[ -f "$R/home/alice/.profile" ] || fail "no skeleton"
[ "$(stat -c %a "$R/etc/sudoers.d/90-spore-users")" = 440 ] || fail "mode of the sudo rules"
grep -q '^PasswordAuthentication no$' "$R/etc/ssh/sshd_config.d/10-spore.conf" || fail "ssh_pwauth"
[ "$(readlink "$R/etc/localtime")" = /usr/share/zoneinfo/Europe/Zurich ] || fail "time zone"
[ ! -s "$R/etc/machine-id" ] || fail "the machine-id of the image is still there"
[ ! -e "$R/etc/ssh/ssh_host_rsa_key" ] || fail "the image's host key is still there"
[ "$(cat "$SPORE_ROOT/run/hello")" = hello ] || fail "a file below /run is not where the OS sees it"
[ "$(stat -c %a "$R/opt/x/y.sh")" = 755 ] || fail "mode of a file"
# The link leads to the tree's own /etc, never to the host's.
[ "$(cat "$R/etc/spore-escape")" = inside ] || fail "a file behind an absolute link"
[ ! -e /etc/spore-escape ] || fail "a link led out of the tree"
if [ "$(id -u)" = 0 ]; then
	[ "$(stat -c %u "$R/home/alice/.ssh")" = "$(awk -F: '$1 == "alice" { print $3 }' "$R/etc/passwd")" ] || fail "owner of .ssh"
	[ "$(stat -c %u "$R/opt/x/y.sh")" != 0 ] || fail "owner of a file"
fi
for unit in spore-final spore-bootcmd spore-ssh-keygen; do
	[ -f "$SPORE_ROOT/run/systemd/system/$unit.service" ] || fail "no $unit.service"
done
grep -q '^ExecStart=/bin/sh /run/spore/scratch/context/' "$SPORE_ROOT/run/systemd/system/spore-final.service" || fail "the unit has the wrong path"
if command -v systemd-analyze >/dev/null; then
	! systemd-analyze verify "$SPORE_ROOT"/run/systemd/system/spore-*.service 2>&1 | grep -E 'Unknown|Failed to parse|Invalid' || fail "a unit is not right"
fi

step "the scripts: run once; arguments arrive as they were written"
instance=$(ls -d "$state"/instances/*)
export RESULT="$T/result"
for _ in 1 2; do
	sh "$instance/boot-commands"
	sh "$instance/final"
	contextualize apply --root "$R" --state "$state" >/dev/null 2>&1
done
printf 'boot\nran %s\n%s\nboot\n' "$(cat "$instance/instance-id")" "it's a  b" | diff -u - "$RESULT" || fail "the commands ran otherwise"

step "apply: the same instance again leaves everything; another instance does not"
rm "$R/etc/hostname"
contextualize apply --root "$R" --state "$state"
[ ! -e "$R/etc/hostname" ] || fail "the same instance was applied twice"
# The CD was taken out: what was kept goes on, for the same machine only.
rm -rf "$SPORE_ROOT/run/spore/context" "$SPORE_ROOT/run/systemd"
contextualize apply --root "$R" --state "$state"
[ -f "$SPORE_ROOT/run/systemd/system/spore-bootcmd.service" ] || fail "kept user data were not used"
# All scripts have run: the boot has nothing to wait for the network for. One that was cut off has not.
[ ! -e "$SPORE_ROOT/run/systemd/system/spore-final.service" ] || fail "a unit for scripts that have all run"
rm "$instance/done/runcmd"
contextualize apply --root "$R" --state "$state"
[ -f "$SPORE_ROOT/run/systemd/system/spore-final.service" ] || fail "no unit for a script that has not run"
echo new >"$R/etc/ssh/ssh_host_rsa_key"
echo 99999999-5566-7788-99aa-bbccddeeff00 >"$SPORE_ROOT/sys/class/dmi/id/product_uuid"
contextualize apply --root "$R" --state "$state" 2>&1 | grep -q 'of another machine' || fail "a copied disk was not noticed"
[ ! -e "$R/etc/ssh/ssh_host_rsa_key" ] || fail "a copied disk kept its host key"

step "apply: user data that are of no use are said to be, and the rest is applied"
export SPORE_ROOT="$T/m5"
R="$T/root2"
new_machine "$SPORE_ROOT"
new_root "$R"
rm "$R/usr/lib/systemd/systemd"
mkdir -p "$SPORE_ROOT/run/spore/context"
(
	cd "$SPORE_ROOT/run/spore/context" || exit 1
	echo test >source
	echo i-5 >instance-id
	printf '#cloud-config\nhostname: [a]\ntimezone: Mars/Base\nuser: joe\npassword: x\nruncmd: [ls]\n' >user-data
)
contextualize apply --root "$R" --state "$T/state5" >"$T/said" 2>&1
for text in 'user-data:2:11: hostname: text was expected' 'timezone: Mars/Base is not in' 'no systemd'; do
	grep -qF "$text" "$T/said" || fail "apply does not say: $text; it says: $(cat "$T/said")"
done
# shellcheck disable=SC2016 # dollars of a hash
grep -q '^joe:\$6\$[^:]*:0:' "$R/etc/shadow" || fail "the password of the default user is not set, or does not expire"
expect_failure 73 'cannot' contextualize apply --root "$T/nowhere" --state "$T/state5"

step "apply: a root with cloud-init is given a seed"
touch "$R/usr/bin/cloud-init"
contextualize apply --root "$R" --state "$T/state6" 2>&1 | grep -q 'handed on' || fail "not handed on"
cmp "$SPORE_ROOT/run/spore/context/user-data" "$R/var/lib/cloud/seed/nocloud/user-data" || fail "the seed differs"
