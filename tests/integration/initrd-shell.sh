#!/bin/sh
# SPDX-License-Identifier: MIT
# The initrd's shell functions under busybox ash, on a tree of our own: settings (hostile ones too), consoles and failures, cards, leases.
# shellcheck disable=SC2016 # scripts for the other shell
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"

busybox=$top/build/${ARCH:-x86_64}/guest/busybox
[ -x "$busybox" ] || busybox=$(command -v busybox) || skip "no busybox"
"$busybox" ash -c : || skip "$busybox has no ash"

R=$T/root
mkdir -p "$R/proc" "$R/sys/class/net" "$R/dev" "$R/run/spore/net" "$R/etc/spore" "$T/bin"
ln -s "$top/initrd/lib" "$T/lib"
echo '4.21 3.00' >"$R/proc/uptime"

# ash SCRIPT: with the functions loaded, as /init does
ash() {
	printf '%s\n' 'set -eu' 'stage=test' 'LIB=$TESTLIB R=$SPORE_ROOT' \
		'for f in console settings network machine; do . "$LIB/$f.sh"; done' "$1" >"$T/script"
	SPORE_ROOT=$R TESTLIB=$T/lib PATH="$T/bin:$PATH" "$busybox" ash "$T/script"
}

# says EXPECTED SCRIPT
says() {
	got=$(ash "$2" 2>&1) || fail "exit $? of: $2: $got"
	[ "$got" = "$1" ] || fail "said '$got', not '$1': $2"
}

# conf LINE...: image.conf
conf() { printf '%s\n' "$@" >"$R/etc/spore/image.conf"; }
cmdline() { printf '%s\n' "$1" >"$R/proc/cmdline"; }
read_settings='settings_file "$R/etc/spore/image.conf"; settings_command_line "$R/proc/cmdline";'

step "settings of the image"
conf '# a comment' '' 'repository = http://one/ http://two/' 'scratch_size=20G' 'shell=on' 'unknown=thing' 'no assignment here' 'mount_timeout=abc'
cmdline 'console=ttyS0'
says 'http://one/ http://two/|20G|yes|60' "$read_settings"'echo "$cfg_repository|$cfg_scratch_size|$cfg_shell|$cfg_mount_timeout"'
says ' unknown=thing no assignment here mount_timeout=abc' "$read_settings"'echo "$settings_unknown"'
printf 'tag=\t x \r\nrepository="http://quoted/ http://more/"\r\nproxy=last line without an end' >"$R/etc/spore/image.conf"
says 'http://quoted/ http://more/|last line without an end' "$read_settings"'echo "$cfg_repository|$cfg_proxy"'

step "the command line stands over the image"
conf 'repository=http://image/' 'scratch=auto'
cmdline 'quiet spore.repository=http://a/ spore.scratch=/dev/vdb spore.shell=yes foo.bar=1 spore.nonsense=2'
says 'http://a/|/dev/vdb|yes| nonsense=2' "$read_settings"'echo "$cfg_repository|$cfg_scratch|$cfg_shell|$settings_unknown"'
cmdline 'spore.repository="http://a/ http://b/" x="y z" "spore.tag=a b" spore.proxy="open'
says 'http://a/ http://b/|a b|"open' "$read_settings"'echo "$cfg_repository|$cfg_tag|$cfg_proxy"'

step "files for the servers, and proxies, stay one mount option each"
conf 'cafile=/etc/spore/access/ca.pem' 'cert=/root/cert.pem' 'certkey=/etc/spore/../../root/key' 'headers=/etc/spore/access/h,allow_other' 'proxy=http://a,opens'
cmdline 'spore.credentials=/etc/spore/access/credentials'
says '/etc/spore/access/ca.pem||||/etc/spore/access/credentials|' "$read_settings"'echo "$cfg_cafile|$cfg_cert|$cfg_certkey|$cfg_headers|$cfg_credentials|$cfg_proxy"'
cmdline 'spore.cafile='
says '' "$read_settings"'echo "$cfg_cafile"'

step "nothing in a setting is evaluated"
touch "$T/bin/marker"
for hostile in 'spore.tag=$(touch${IFS}'"$T"'/evil)' 'spore.tag=`touch '"$T"'/evil`' 'spore.tag=;touch${IFS}'"$T"'/evil;' \
	'spore.tag=*' 'spore.$(touch${IFS}'"$T"'/evil)=x' 'spore.PATH=/nowhere' 'spore.cfg_tag=x' 'spore.tag=\nx' "spore.tag='a'"; do
	cmdline "$hostile"
	conf "${hostile#spore.}"
	ash "$read_settings"'ls / >/dev/null; printf "%s" "$cfg_tag"' >"$T/said" || fail "cannot read: $hostile"
	[ ! -e "$T/evil" ] || fail "was evaluated: $hostile"
done
cmdline 'spore.tag=*'
says '*' "$read_settings"'echo "$cfg_tag"'

step "user data steers only what it may"
printf 'proxy=http://p:3128\nshell=yes\ninit=/bin/sh\ntag=v1; reboot\nrepository=$(reboot)\n' >"$R/settings"
says 'http://p:3128|no||v1; reboot|$(reboot)| shell init' \
	'settings_context "$R/settings"; echo "$cfg_proxy|$cfg_shell|$cfg_init|$cfg_tag|$cfg_repository|$settings_unknown"'

printf 'profile=boot:gcc\n' >"$R/settings"
says 'boot:gcc|no' 'settings_context "$R/settings"; echo "$cfg_profile|$cfg_record"'
printf 'profile=boot,root\nrecord=yes\n' >"$R/settings"
says '|no| profile=boot,root record' 'settings_context "$R/settings"; echo "$cfg_profile|$cfg_record|$settings_unknown"'

step "the clock, lines and the log"
says '421|4.21' 'clock; echo "$now_cs|$now_text"'
for pair in '0.05 5' '0.00 0' '10.09 1009' '123.40 12340'; do
	echo "${pair% *} 1.0" >"$R/proc/uptime"
	says "${pair#* }" 'clock; echo $now_cs'
done
echo '4.21 3.00' >"$R/proc/uptime"
says '[  4.21] 14-test: mounted (1.31 s)' 'stage_begin 14-test; stage_start=290; report mounted; stage_end'
says '' 'stage_begin 14-test; stage_end'
ash 'log_file=$R/run/spore/log; log "100% of \n it"; warn "careful"' >/dev/null
printf '[  4.21] test: 100%% of \\n it\n[  4.21] test: Warning: careful\n' | cmp - "$R/run/spore/log" || fail "log: $(cat "$R/run/spore/log")"

step "a failure says what, where and what to do, and stays"
says 'Spore: failed in 14-x: no server
Spore: what to do: start it
Spore: halted. A shell here: start again with spore.shell=yes on the kernel command line.' \
	'sleep() { exit 0; }; stage=14-x; fail "no server" "start it"'
says 'Spore: failed in test: x
Spore: restarting in 10 seconds (spore.onfail=reboot)' 'sleep() { :; }; reboot() { exit 0; }; cfg_onfail=reboot; fail x'
got=$(ash 'sleep() { exit 0; }; trap fail_unexpected EXIT; false' 2>&1) || :
case $got in
*'Spore: failed in test: a command failed'*) ;;
*) fail "a command that fails unexpectedly ends without a word: $got" ;;
esac

step "cards by any name, and only cards"
card() {
	mkdir -p "$R/sys/class/net/$1"
	echo "$2" >"$R/sys/class/net/$1/type"
	echo "52:54:00:00:00:0$3" >"$R/sys/class/net/$1/address"
	echo "$3" >"$R/sys/class/net/$1/ifindex"
}
says '' 'network_cards; echo "$cards"'
card lo 772 1
card ens3 1 2
card wan0 1 3
card sit0 776 4
card br0 1 5
card ib0 32 6
mkdir "$R/sys/class/net/ens3/device" "$R/sys/class/net/wan0/device" "$R/sys/class/net/ib0/device"
says 'ens3 wan0' 'network_cards; echo "$cards"'
ash 'network_keep ens3'
grep -qx 'MACAddress=52:54:00:00:00:02' "$R/run/systemd/network/10-spore-ens3.network" || fail "no network file for ens3"
grep -qx 'KeepConfiguration=yes' "$R/run/systemd/network/10-spore-ens3.network" || fail "networkd would take the address away"
grep -qx 'RouteMetric=1026' "$R/run/systemd/network/10-spore-ens3.network" || fail "networkd would order the routes in another way"

step "waiting for a lease: the first one, all failed, none at all, IPv6 alone"
wait_for_lease='mkfifo "$net_dir/events"; exec 7<>"$net_dir/events"; network_state=starting cards="ens3 wan0" dhcp_waiting=2;'
rm -f "$R/run/spore/net/events"
echo '10.0.2.15/24 from 10.0.2.2' >"$R/run/spore/net/wan0.lease"
says '[  4.21] test: wan0 has 10.0.2.15/24 from 10.0.2.2
up' "$wait_for_lease"'(echo failed ens3; echo bound wan0) >&7; network_wait; echo $network_state'
rm -f "$R/run/spore/net/events"
says 'no DHCP server answered on ens3 wan0 within 30 s' "$wait_for_lease"'(echo failed ens3; echo failed wan0) >&7; network_wait || echo "$network_problem"'
rm -f "$R/run/spore/net/events"
says 'no DHCP server answered on ens3 wan0 within 0 s' "$wait_for_lease"'cfg_network_timeout=0; network_wait || echo "$network_problem"'
rm -f "$R/run/spore/net/events"
printf '00000000000000000000000000000001 01 80 10 80       lo\nfe800000000000005054 02 40 20 80     ens3\n20010db8000000000000000000000001 02 40 00 80     ens3\n' >"$R/proc/net.if"
mkdir -p "$R/proc/net" && mv "$R/proc/net.if" "$R/proc/net/if_inet6"
says '[  4.21] test: IPv6 address on ens3, no DHCP
up' "$wait_for_lease"'network_wait; echo $network_state'
rm "$R/proc/net/if_inet6"

step "a lease is applied; what the server says is data"
# lease ENVIRONMENT...: the script as udhcpc runs it, but for ip, which is an applet of this busybox: a function stands over that
lease() {
	: >"$T/ip.log"
	rm -f "$R/run/spore/net/resolv.conf" "$R/run/spore/net/events"
	env -i SPORE_ROOT="$R" LOG="$T/ip.log" interface=ens3 ip=192.0.2.7 mask=26 serverid=192.0.2.1 "$@" \
		"$busybox" ash -c 'ip() { echo "$*" >>"$LOG"; }; set -- bound; . initrd/udhcpc.script' || fail "the script fails with: $*"
}
lease router=192.0.2.1 'dns=192.0.2.53 2001:db8::53' domain=example.org mtu=1400
printf '%s\n' 'link set dev ens3 mtu 1400' 'addr replace 192.0.2.7/26 dev ens3' \
	'route replace default via 192.0.2.1 dev ens3 metric 1026 onlink' | cmp - "$T/ip.log" || fail "ip: $(cat "$T/ip.log")"
printf 'search example.org\nnameserver 192.0.2.53\nnameserver 2001:db8::53\n' | cmp - "$R/run/spore/net/resolv.conf" || fail "resolv.conf"
lease router=192.0.2.1 staticroutes='198.51.100.0/24 192.0.2.9 203.0.113.1/32 0.0.0.0'
! grep -q default "$T/ip.log" || fail "the router option counts though static routes are given"
grep -qx 'route replace 203.0.113.1/32 dev ens3 metric 1026' "$T/ip.log" || fail "a route on the link: $(cat "$T/ip.log")"
lease 'dns=$(reboot) 1.2.3.4;reboot 192.0.2.53' 'domain=a b; touch x' mtu='9 9' 'router=* $(touch x)'
[ "$(cat "$R/run/spore/net/resolv.conf")" = 'nameserver 192.0.2.53' ] || fail "resolv.conf: $(cat "$R/run/spore/net/resolv.conf")"
! grep -q mtu "$T/ip.log" || fail "an MTU that is no number was used"

step "the name of the system is read as data"
printf 'NAME=x\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n' >"$R/os-release"
says 'Debian GNU/Linux 12 (bookworm)' 'os_name "$R/os-release"; echo "$os_text"'
printf 'PRETTY_NAME=$(reboot)' >"$R/os-release"
says '$(reboot)' 'os_name "$R/os-release"; echo "$os_text"'
says 'Linux' 'os_name "$R/no-such-file"; echo "$os_text"'

step "every file that the recipe names is there, and every stage is in the recipe"
awk '$1 == "file" && $4 ~ /^@INITRD@/ { sub("@INITRD@", "initrd", $4); print $4 }' initrd/recipe >"$T/named"
while read -r file; do
	[ -f "$file" ] || fail "the recipe names $file, which is not there"
done <"$T/named"
for file in initrd/stages/* initrd/lib/* initrd/init initrd/shutdown initrd/udhcpc.script; do
	grep -qx "$file" "$T/named" || fail "$file is not in the recipe"
done
