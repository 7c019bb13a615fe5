#!/bin/sh
# SPDX-License-Identifier: MIT
# fetchfs beside its peers: a Debian tree mounted over an emulated link, in turn by each peer, and used in some ways (workloads.sh). Cold: the client has
# nothing. Warm: its disk cache is full, the mount is fresh and nothing is in memory. Hot: the same again at once. Prints medians with their
# ratios to ext4 of the same run.
#
# Each peer's disk is a file system of its own on a loop device. A fresh mount is what empties its page cache, and that of the file beneath is dropped too, so
# other programs of the machine keep theirs.
#
# usage: fetchfs.sh     by the environment:
#   RUNS       repetitions (3)
#   PEERS      of peers/*.sh, as NAME or NAME-VARIANT ("ext4 squashfs-1m fetchfs fetchfs-profile"; also squashfs-64k, casync, rclone,
#              fetchfs-guest, fetchfs-OPTION+OPTION)
#   RTT        round trips, milliseconds ("0 10 50")
#   WORKLOADS  ("W1 W2 W3 W4seq W4rand W5")
#   STATES     ("cold warm hot"); warm and hot are measured at the first round trip alone
#   RATE       megabits a second (1000)
#   DISKS      a directory for the disks of clients and for ext4's (the temporary directory); in memory where the machine's disk is not quiet
#   OUTPUT     a file for all single figures, as JSON where it ends so, else CSV
. "$(dirname "$0")/../functions.sh"
. deps/lib.sh
. tests/bench/network.sh
. tests/bench/workloads.sh
. tests/bench/report.sh
runs=${RUNS:-3} peers=${PEERS:-ext4 squashfs-1m fetchfs fetchfs-profile} rtts=${RTT:-0 10 50} states=${STATES:-cold warm hot}
workloads=${WORKLOADS:-W1 W2 W3 W4seq W4rand W5}
RATE=${RATE:-1000}
disks=$T loops=
need_root
need_fuse
results=$T/results
: >"$results"

# peer_do VERB [ARGUMENT]: of the peer named in $peer.
peer_do() {
	verb=$1
	shift
	variant=${peer#"${peer%%-*}"}
	variant=${variant#-}
	"${peer%%-*}_$verb" "$@"
}

# attach FILE [-r]: sets loop. Those that are attached at the end are detached then.
attach() {
	loop=$(losetup -f --show ${2:+"$2"} "$1")
	loops="$loops $loop "
}
detach() {
	losetup -d "$1"
	loops=$(echo "$loops" | sed "s| $1 ||")
}

drop_pages() {
	sync "$1"
	dd of="$1" oflag=nocache conv=notrunc count=0 status=none
}

# What a peer keeps on disk: an ext4 file system made anew, and mounted around each mount of the peer.
new_cache() {
	truncate -s 3G "$disks/$1.disk"
	mke2fs -q -F -t ext4 -N 100000 -E lazy_itable_init=0,nodiscard "$disks/$1.disk"
}
mount_cache() {
	[ -e "$disks/$1.disk" ] || new_cache "$1"
	mkdir -p "$T/$1.cache"
	attach "$disks/$1.disk"
	cache_loop=$loop
	mount -t ext4 "$loop" "$T/$1.cache"
}
unmount_cache() {
	umount "$T/$1.cache"
	detach "$cache_loop"
	drop_pages "$disks/$1.disk"
}

# The tree, and what each peer makes of it, kept from bench to bench.
prepare() {
	tar=$(tests/lib/debian-tree.sh "$(uname -m)" bench)
	served=$(cache_dir)/bench/$(basename "$tar" .tar)
	tree=$served/tree
	mkdir -p "$served"
	if [ ! -e "$served/tree-is-whole" ]; then
		mkdir -p "$tree"
		tar -xpf "$tar" --numeric-owner -C "$tree"
		: >"$served/tree-is-whole"
	fi
	ln -sfn tree/usr/share/noise "$served/noise"
	able=
	for peer in $peers; do
		# shellcheck disable=SC1090 # one of several
		. "tests/bench/peers/${peer%%-*}.sh"
		eval "needs=\$${peer%%-*}_needs"
		for program in $needs; do
			command -v "$program" >/dev/null || {
				echo "$peer is left out: there is no $program (deps/install-packages.sh bench)" >&2
				continue 2
			}
		done
		peer_do publish "$served" || fail "$peer: cannot publish"
		able="$able $peer"
	done
	peers=$able
}

# "peak resident" kilobytes of the peer's processes.
memory() {
	for pid in $(peer_do pids); do cat "/proc/$pid/status"; done | awk '/^VmHWM/ { p += $2 } /^VmRSS/ { r += $2 } END { print p + 0, r + 0 }'
}

# measure STATE WORKLOAD: in the mount that is there. Cold, what came since before the mount counts as fetched, but not the time.
measure() {
	[ "$1" = cold ] || bytes=$(received) asked=$(requests)
	begin=$(date +%s%N)
	"workload_$2" "$T/mnt" >"$T/workload.log" 2>&1 || fail "$peer: $2 failed: $(tail -n 3 "$T/workload.log")"
	end=$(date +%s%N)
	echo "$run $rtt $1 $2 $peer $(((end - begin) / 1000)) $(($(received) - bytes)) $(($(requests) - asked)) $(memory)" >>"$results"
}

mounted() {
	bytes=$(received) asked=$(requests)
	peer_do mount "$T/mnt" || fail "$peer: cannot mount: $(cat "$T"/*.log)"
	# Programs want devices, which not every peer has.
	mount --bind /dev "$T/mnt/dev"
	"$@"
	umount "$T/mnt/dev"
	peer_do unmount "$T/mnt"
}

cold() {
	for workload in $workloads; do
		for peer in $peers; do
			peer_do forget
			mounted measure cold "$workload"
		done
	done
}

warm_then_hot() {
	[ "$keeps" = no ] || case $states in *warm*) measure warm "$1" ;; esac
	case $states in
	*hot*)
		[ "$keeps" = yes ] || "workload_$1" "$T/mnt" >/dev/null 2>&1
		measure hot "$1"
		;;
	esac
}

# Each peer's cache is filled once; then each workload has a mount of its own.
warm_and_hot() {
	for peer in $peers; do
		eval "keeps=\$${peer%%-*}_keeps"
		[ "$keeps" = yes ] || continue
		peer_do forget
		mounted workload_W2 "$T/mnt" 2>/dev/null
	done
	for workload in $workloads; do
		for peer in $peers; do
			eval "keeps=\$${peer%%-*}_keeps"
			mounted warm_then_hot "$workload"
		done
	done
}

# Whatever was mounted goes, then the loop devices (of this run's files alone), then the rest.
bench_end() {
	code=$?
	# A client in the midst of it: without its server, whoever reads from it would hang. Where nothing is mounted there is none.
	if mountpoint -q "$T/mnt"; then
		for pid in $(peer_do pids); do kill -9 "$pid" 2>/dev/null || :; done
	fi
	for mount in "$T/mnt/dev" "$T/mnt" "$T/squashfs.nbd" "$T"/*.cache; do umount -l "$mount" 2>/dev/null || :; done
	for loop in $loops; do losetup -d "$loop" || :; done
	[ "$disks" = "$T" ] || rm -rf "$disks"
	if give_back "$code"; then network_end; else network_end; fi
}
trap bench_end EXIT

need_network
[ -z "${DISKS:-}" ] || disks=$(mktemp -d "$DISKS/spore-bench-XXXXXX")
prepare
serve_in_namespace "$served"
mkdir "$T/mnt"
first_rtt=${rtts%% *}
run=0
while [ "$run" -lt "$runs" ]; do
	run=$((run + 1))
	for rtt in $rtts; do
		echo "run $run of $runs, $rtt ms" >&2
		start_link "$rtt"
		[ "$run" -gt 1 ] || describe_link "$rtt"
		case $states in *cold*) cold ;; esac
		[ "$rtt" = "$first_rtt" ] || continue
		case $states in *warm* | *hot*) warm_and_hot ;; esac
	done
done
report
[ -z "${OUTPUT:-}" ] || write_output "$OUTPUT"
