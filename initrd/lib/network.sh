# SPDX-License-Identifier: MIT
# Network interfaces and leases: which there are, DHCP on all of them at once, waiting for the first. Knows udhcpc and /run/spore/net;
# must not know what the network is for.
#
# shellcheck shell=sh disable=SC2154,SC2034

net_dir=$R/run/spore/net
network_state=none	# none, starting, up, down
network_problem=
dhcp_pids=
dhcp_waiting=0

# network_cards: names of the interfaces with a device behind them, into cards. Any name will do.
network_cards() {
	cards=
	for card in "$R"/sys/class/net/*; do
		[ -e "$card/device" ] || continue
		read -r card_type <"$card/type" || continue
		[ "$card_type" = 1 ] || continue
		cards="$cards ${card##*/}"
	done
	cards=${cards# }
}

# dhcp_start CARD...: one client for each, side by side; they tell of their fate through a FIFO.
dhcp_start() {
	[ -p "$net_dir/events" ] || mkfifo "$net_dir/events"
	exec 7<>"$net_dir/events"
	for card in "$@"; do
		ip link set dev "$card" up 2>/dev/null || {
			warn "$card cannot be switched on"
			continue
		}
		network_keep "$card"
		# -n: end without a lease, -q: end with one. One request a second; the network daemon of the OS takes the lease over.
		udhcpc -f -n -q -i "$card" -t "$cfg_network_timeout" -T 1 -A 1 -O staticroutes -O mtu -O ntpsrv \
			-s "$LIB/udhcpc.script" 7>&- >>"$net_dir/udhcpc.log" 2>&1 &
		dhcp_pids="$dhcp_pids $!"
		dhcp_waiting=$((dhcp_waiting + 1))
	done
	network_state=starting
}

# network_wait: until the first lease, or a global IPv6 address, or the time is over. 0: there is a network.
network_wait() {
	[ "$network_state" = starting ] || {
		[ "$network_state" = up ]
		return
	}
	clock
	network_deadline=$((now_cs + cfg_network_timeout * 100))
	network_state=down
	network_problem="no DHCP server answered on $cards within $cfg_network_timeout s"
	while [ "$dhcp_waiting" -gt 0 ] && [ "$now_cs" -lt "$network_deadline" ]; do
		event='' card=''
		# shellcheck disable=SC3045 # busybox has it
		read -r -t 1 event card <&7 || :
		case $event in
		bound)
			network_state=up
			network_bound "$card"
			break
			;;
		failed) dhcp_waiting=$((dhcp_waiting - 1)) ;;
		'') network_has_ipv6 && network_state=up && log "IPv6 address on $ipv6_card, no DHCP" && break ;;
		esac
		clock
	done
	[ "$network_state" = down ] && network_has_ipv6 && network_state=up
	[ "$network_state" = up ]
}

network_bound() {
	lease=
	[ ! -r "$net_dir/$1.lease" ] || read -r lease <"$net_dir/$1.lease" || :
	log "$1 has $lease"
}

# network_has_ipv6: an address of global scope ("00") on anything but the loopback.
network_has_ipv6() {
	[ -r "$R/proc/net/if_inet6" ] || return 1
	while read -r _ _ _ ipv6_scope _ ipv6_card; do
		[ "$ipv6_scope" = 00 ] && [ "$ipv6_card" != lo ] && return 0
	done <"$R/proc/net/if_inet6"
	return 1
}

# network_keep CARD: tells systemd-networkd to go on with the lease: the same client identifier and order of routes, nothing taken down.
network_keep() {
	read -r mac <"$R/sys/class/net/$1/address" || return 0
	read -r index <"$R/sys/class/net/$1/ifindex" || index=0
	mkdir -p "$R/run/systemd/network"
	cat >"$R/run/systemd/network/10-spore-$1.network" <<END
# Written by the initrd: the root file system comes over this link.
[Match]
MACAddress=$mac

[Network]
DHCP=yes
KeepConfiguration=yes

[DHCPv4]
ClientIdentifier=mac
RouteMetric=$((1024 + index))

END
}

# network_finish: at the end, clients that are still waiting must not stay behind.
network_finish() {
	for pid in $dhcp_pids; do
		kill "$pid" 2>/dev/null || :
	done
	exec 7>&-
}
