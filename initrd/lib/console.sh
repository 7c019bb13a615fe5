# SPDX-License-Identifier: MIT
# What the initrd says: stage lines with the time since the kernel's start on every console, the same in /run/spore/log, and failures with what to do.
# Knows consoles, the log and the clock; must not know what a stage does. Starts no process on the way of a good boot.
#
# shellcheck shell=sh

consoles=
log_file=
stage_result=
sysroot_log=

# clock: now_text is seconds since the kernel's start as "4.21", now_cs the same in hundredths.
clock() {
	now_text=0.00
	[ ! -r "$R/proc/uptime" ] || read -r now_text _ <"$R/proc/uptime"
	now_cs=${now_text%.*}${now_text#*.}
	while :; do
		case $now_cs in
		0?*) now_cs=${now_cs#0} ;;
		*) break ;;
		esac
	done
}

# seconds_of HUNDREDTHS: as "0.31", into seconds_text.
seconds_of() {
	seconds_text=$(($1 / 100)).$(($1 / 10 % 10))$(($1 % 10))
}

# find_consoles: all that the kernel writes to; the last of its list is /dev/console itself.
find_consoles() {
	consoles=$R/dev/console
	[ -r "$R/sys/class/tty/console/active" ] || return 0
	read -r active <"$R/sys/class/tty/console/active" || :
	found=
	for name in $active; do
		[ -c "$R/dev/$name" ] && found="$found $R/dev/$name"
	done
	[ -z "$found" ] || consoles=$found
}

# say TEXT: a line as it stands, on every console and in the log.
say() {
	if [ -z "$consoles" ]; then
		printf '%s\n' "$*"
	else
		for console in $consoles; do
			printf '%s\n' "$*" 2>/dev/null >"$console" || :
		done
	fi
	[ -z "$log_file" ] || printf '%s\n' "$*" >>"$log_file"
}

# log TEXT: "[  4.21] 14-fetchfs: TEXT"
log() {
	clock
	say "$(printf '[%6s] %s: %s' "$now_text" "$stage" "$*")"
}

warn() { log "Warning: $*"; }

# say_file FILE: a program's own words, line by line.
say_file() {
	[ -s "$1" ] || return 0
	while read -r line || [ -n "$line" ]; do
		say "         $line"
	done <"$1"
}

stage_begin() {
	stage=$1
	stage_result=
	clock
	stage_start=$now_cs
}

# report TEXT: what the stage has done, for its one line at the end.
report() { stage_result=$*; }

stage_end() {
	clock
	seconds_of $((now_cs - stage_start))
	[ -z "$stage_result" ] || log "$stage_result ($seconds_text s)"
}

# fail WHAT ADVICE, fail_in STAGE WHAT ADVICE: the end of this boot. Never returns.
fail() { fail_in "$stage" "$@"; }

fail_in() {
	trap - EXIT
	set +e
	say "Spore: failed in $1: $2"
	[ -z "${3:-}" ] || say "Spore: what to do: $3"
	save_failure
	case ${cfg_onfail:-} in
	reboot)
		say "Spore: restarting in 10 seconds (spore.onfail=reboot)"
		sleep 10
		reboot -f
		;;
	poweroff)
		say "Spore: switching off in 10 seconds (spore.onfail=poweroff)"
		sleep 10
		poweroff -f
		;;
	esac
	if [ "${cfg_shell:-no}" = yes ]; then
		offer_shell
		reboot -f
	fi
	say "Spore: halted. A shell here: start again with spore.shell=yes on the kernel command line."
	while :; do
		sleep 86400
	done
}

fail_unexpected() {
	fail "a command failed that was not expected to (see above)" "start again with spore.shell=yes and look at /run/spore/log; this is a fault of Spore, please report it"
}

# The log of a failed boot goes to scratch, if that is there, so that the next boot can show it.
save_failure() {
	[ -z "$sysroot_log" ] || cp "$log_file" "$sysroot_log" 2>/dev/null
}

offer_shell() {
	say "Spore: a shell for repair; 'exit' restarts the machine. The log is in /run/spore/log."
	# shellcheck disable=SC2094 # a terminal
	setsid cttyhack sh <"$R/dev/console" >"$R/dev/console" 2>&1
}
