# SPDX-License-Identifier: MIT
# Sourced by fetchfs.sh: from the lines "RUN RTT STATE WORKLOAD PEER MICROSECONDS BYTES REQUESTS PEAK-KB RESIDENT-KB" in $results to tables. Must not know how
# they came about.
#
# shellcheck shell=sh

# One table for each state and round trip: medians of seconds, with the ratio to ext4's; then what was fetched, and memory.
report() {
	echo "Medians of $runs, $RATE Mbit/s, Linux $(uname -r), $(nproc) processors; in brackets: times ext4's of the same run"
	sort -s -k3,3 -k2,2n -k4,4 -k5,5 -k6,6n "$results" | awk -v peers="$peers" -v workloads="$workloads" -v rtts="$rtts" -v states="$states" '
		function middle(list,   v, n) { n = split(list, v, " "); return v[int((n + 1) / 2)] }
		{
			key = $3 SUBSEP $2 SUBSEP $4 SUBSEP $5
			time[key] = time[key] " " $6; bytes[key] = $7; asked[key] = $8
			if ($9 > peak[$5]) peak[$5] = $9
			if ($10 > resident[$5]) resident[$5] = $10
		}
		END {
			ps = split(peers, p, " "); ws = split(workloads, w, " "); rs = split(rtts, r, " "); ss = split(states, s, " ")
			for (a = 1; a <= ss; a++) for (b = 1; b <= rs; b++) {
				seen = 0
				for (c = 1; c <= ps; c++) {
					line = sprintf("%-24s", p[c]); more = sprintf("%-24s", ""); some = 0; fetched = 0
					for (d = 1; d <= ws; d++) {
						key = s[a] SUBSEP r[b] SUBSEP w[d] SUBSEP p[c]; local = s[a] SUBSEP r[b] SUBSEP w[d] SUBSEP "ext4"
						if (!(key in time)) { line = line sprintf("%16s", "-"); more = more sprintf("%16s", ""); continue }
						some = 1; t = middle(time[key]) / 1e6
						ratio = local in time && p[c] != "ext4" ? sprintf("(%.2f)", t * 1e6 / middle(time[local])) : ""
						line = line sprintf("%8.3f %-7s", t, ratio)
						if (bytes[key] > 100000) fetched = 1
						more = more sprintf("%16s", sprintf("%.1fM/%d", bytes[key] / 1e6, asked[key]))
					}
					if (!some) continue
					if (!seen++) {
						printf "\n%s, %s ms, seconds\n%-24s", s[a], r[b], ""
						for (d = 1; d <= ws; d++) printf "%9s       ", w[d]
						print ""
					}
					print line
					if (fetched) print more "  MB/requests"
				}
			}
			print "\nclient memory, MB: peak, most after a workload"
			for (c = 1; c <= ps; c++) if (peak[p[c]] > 0) printf "%-24s %6.1f %6.1f\n", p[c], peak[p[c]] / 1e3, resident[p[c]] / 1e3
		}'
}

# write_output FILE: every single figure.
write_output() {
	case $1 in
	*.json)
		awk 'BEGIN { print "[" } { printf "%s{\"run\": %d, \"rtt_ms\": %s, \"state\": \"%s\", \"workload\": \"%s\", \"peer\": \"%s\", \"us\": %d, \"bytes\": %d, \"requests\": %d, \"peak_kb\": %d, \"resident_kb\": %d}", \
			(NR > 1) ? ",\n" : "", $1, $2, $3, $4, $5, $6, $7, $8, $9, $10 } END { print "\n]" }' "$results" >"$1"
		;;
	*) { echo run,rtt_ms,state,workload,peer,us,bytes,requests,peak_kb,resident_kb; tr ' ' , <"$results"; } >"$1" ;;
	esac
}
