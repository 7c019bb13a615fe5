# SPDX-License-Identifier: MIT
# Sourced by fetchfs.sh: what is done with a mounted tree. Each gets the mountpoint. Knows the tree's content; must not know who mounted it.
#
# shellcheck shell=sh

noise=usr/share/noise

workload_W1() { find "$1" -xdev -ls >/dev/null; }
workload_W2() { find "$1" -xdev -type f -print0 | xargs -0 cat >/dev/null; }
workload_W3() {
	chroot "$1" /usr/bin/python3 -c 'import json, ssl, sqlite3, asyncio, email' &&
		chroot "$1" /usr/bin/git --version >/dev/null &&
		chroot "$1" /usr/bin/perl -MPOSIX -MEncode -e 1
}
workload_W4seq() { cat "$1/$noise" >/dev/null; }
workload_W4rand() { randread "$1/$noise"; }
workload_W5() { find "$1" -xdev -type f -print0 | xargs -0 -P 8 -n 64 cat >/dev/null; }
