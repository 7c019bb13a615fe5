# SPDX-License-Identifier: MIT
# Settings: KEY=VALUE from the image, the kernel command line and user data, into cfg_KEY variables. Values are data: nothing here evaluates them.
# Knows the keys and who may set them; must not know what they do. docs/man/spore-initrd.7 describes each.
#
# shellcheck shell=sh
# shellcheck disable=SC2034 # the stages use what is set here

cfg_repository='' cfg_tag='' cfg_revision='' cfg_date='' cfg_update=no cfg_proxy='' cfg_cache_quota='' cfg_scratch=auto cfg_scratch_size='' cfg_shell=no cfg_datasource=auto
cfg_init='' cfg_onfail=halt cfg_ntp='' cfg_network_timeout=30 cfg_mount_timeout=60 cfg_resize=yes
cfg_build_date='' cfg_profile='' cfg_record=no
cfg_cafile='' cfg_cert='' cfg_certkey='' cfg_credentials='' cfg_headers=''
settings_unknown=

# setting_assign KEY VALUE: 1 for a key that is not known.
setting_assign() {
	case $1 in
	repository) cfg_repository=$2 ;;
	tag) cfg_tag=$2 ;;
	revision) setting_number "$2" && cfg_revision=$2 ;;
	date) setting_date "$2" && cfg_date=$2 ;;
	update) setting_yes_no "$2" && cfg_update=$yes_no ;;
	proxy) setting_option "$2" && cfg_proxy=$2 ;;
	cafile) setting_path "$2" && cfg_cafile=$2 ;;
	cert) setting_path "$2" && cfg_cert=$2 ;;
	certkey) setting_path "$2" && cfg_certkey=$2 ;;
	credentials) setting_path "$2" && cfg_credentials=$2 ;;
	headers) setting_path "$2" && cfg_headers=$2 ;;
	cache_quota) cfg_cache_quota=$2 ;;
	profile) setting_names "$2" && cfg_profile=$2 ;;
	record) setting_yes_no "$2" && cfg_record=$yes_no ;;
	scratch) cfg_scratch=$2 ;;
	scratch_size) cfg_scratch_size=$2 ;;
	shell) setting_yes_no "$2" && cfg_shell=$yes_no ;;
	datasource) cfg_datasource=$2 ;;
	init) cfg_init=$2 ;;
	onfail) cfg_onfail=$2 ;;
	ntp) cfg_ntp=$2 ;;
	resize) setting_yes_no "$2" && cfg_resize=$yes_no ;;
	network_timeout) setting_seconds "$2" && cfg_network_timeout=$2 ;;
	mount_timeout) setting_seconds "$2" && cfg_mount_timeout=$2 ;;
	build_date) setting_number "$2" && cfg_build_date=$2 ;;
	*) return 1 ;;
	esac
}

setting_yes_no() {
	case $1 in
	yes | on | true | 1) yes_no=yes ;;
	no | off | false | 0) yes_no=no ;;
	*) return 1 ;;
	esac
}

# A comma would begin another mount option.
setting_option() {
	case $1 in
	*,*) return 1 ;;
	esac
}

# A file of the initrd below /etc/spore or /etc/ssl, which the root file system's daemon sees too; or nothing.
setting_path() {
	case $1 in
	*,* | */../* | */..) return 1 ;;
	'' | /etc/spore/?* | /etc/ssl/?*) ;;
	*) return 1 ;;
	esac
}

# Names of profiles, separated by colons: they go into a list of mount options.
setting_names() {
	case $1 in
	*[!A-Za-z0-9._:-]*) return 1 ;;
	esac
}

setting_number() {
	case $1 in
	'' | *[!0-9]* | ?????????????*) return 1 ;;
	esac
}

# What fetchfs reads further; here only that it stays one mount option.
setting_date() {
	case $1 in
	'' | *[!0-9TZ:+-]*) return 1 ;;
	esac
}

setting_seconds() {
	case $1 in
	'' | *[!0-9]* | ?????*) return 1 ;;
	esac
}

# settings_file FILE: lines KEY=VALUE; blanks around and a CR at the end do not count, '#' begins a comment line.
settings_file() {
	[ -r "$1" ] || return 0
	cr=$(printf '\r')
	while read -r line || [ -n "$line" ]; do
		line=${line%"$cr"}
		case $line in
		'' | '#'*) continue ;;
		*=*) ;;
		*)
			settings_unknown="$settings_unknown $line"
			continue
			;;
		esac
		setting_pair "${line%%=*}" "${line#*=}"
	done <"$1"
}

# setting_pair KEY VALUE: with the blanks at the edges and one pair of double quotes taken off.
setting_pair() {
	key=${1%"${1##*[! ]}"}
	value=${2#"${2%%[! ]*}"}
	case $value in
	'"'*'"') value=${value#'"'} value=${value%'"'} ;;
	esac
	setting_assign "$key" "$value" || settings_unknown="$settings_unknown $key=$value"
}

# settings_command_line FILE: words spore.KEY=VALUE; double quotes hold blanks together as the kernel has it.
settings_command_line() {
	[ -r "$1" ] || return 0
	read -r line <"$1" || [ -n "$line" ] || return 0
	set -f
	# shellcheck disable=SC2086 # split into words on purpose, globbing is off
	set -- $line
	set +f
	whole=
	for word in "$@"; do
		whole=${whole:+$whole }$word
		quotes_even "$whole" || continue
		settings_word "$whole"
		whole=
	done
	[ -z "$whole" ] || settings_word "$whole"
}

quotes_even() {
	rest=$1
	while :; do
		case $rest in
		*'"'*'"'*) rest=${rest#*'"'} rest=${rest#*'"'} ;;
		*'"'*) return 1 ;;
		*) return 0 ;;
		esac
	done
}

settings_word() {
	word=$1
	case $word in
	'"'*'"') word=${word#'"'} word=${word%'"'} ;;
	esac
	case $word in
	spore.*=*)
		word=${word#spore.}
		setting_pair "${word%%=*}" "${word#*=}"
		;;
	esac
}

# settings_context FILE: what user data may steer, found and checked by contextualize.
settings_context() {
	[ -r "$1" ] || return 0
	while read -r line || [ -n "$line" ]; do
		case $line in
		repository=* | tag=* | proxy=* | cafile=* | cert=* | certkey=* | credentials=* | headers=* | cache_quota=* | profile=* | resize=*) setting_pair "${line%%=*}" "${line#*=}" ;;
		'') ;;
		*) settings_unknown="$settings_unknown ${line%%=*}" ;;
		esac
	done <"$1"
}
