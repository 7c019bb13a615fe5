#!/bin/sh
# SPDX-License-Identifier: MIT
# The kernel's configuration check: passes on a .config that holds the list, names each option that is lacking or
# different, refuses lists it cannot read; and the kernel that was built holds what is required and asked for.
# Needs: nothing; the last part is skipped if no kernel was built.

# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"

check=kernel-config/check-config.sh
cat >"$T/list" <<'LIST'
# A remark.
CONFIG_FUSE_FS=y
CONFIG_PANIC_TIMEOUT=10
CONFIG_NLS_DEFAULT="utf8"
# CONFIG_MODULES is not set
CONFIG_ATA_PIIX=y if CONFIG_X86
LIST
printf '%s\n' CONFIG_X86=y CONFIG_FUSE_FS=y CONFIG_PANIC_TIMEOUT=10 'CONFIG_NLS_DEFAULT="utf8"' \
	'# CONFIG_MODULES is not set' CONFIG_ATA_PIIX=y >"$T/config"

step "a .config that holds the list passes, also where options that are off are not named"
"$check" "$T/config" "$T/list" || fail "refused a good .config"
grep -v MODULES "$T/config" >"$T/unnamed"
"$check" "$T/unnamed" "$T/list" || fail "refused a .config without a line for an option that is off"

step "each lacking or different option is named"
grep -v FUSE "$T/config" >"$T/without"
expect_failure 1 'CONFIG_FUSE_FS is n, wanted y' "$check" "$T/without" "$T/list"
sed 's/=10/=0/; s/"utf8"/"ascii"/' "$T/config" >"$T/different"
expect_failure 1 'CONFIG_PANIC_TIMEOUT is 0, wanted 10' "$check" "$T/different" "$T/list"
expect_failure 1 'CONFIG_NLS_DEFAULT is "ascii", wanted "utf8"' "$check" "$T/different" "$T/list"
expect_failure 1 '^check-config.sh: 2 of 5 options' "$check" "$T/different" "$T/list"
sed 's/^# CONFIG_MODULES.*/CONFIG_MODULES=y/' "$T/config" >"$T/modules"
expect_failure 1 'CONFIG_MODULES is y, wanted n' "$check" "$T/modules" "$T/list"
sed 's/FUSE_FS=y/FUSE_FS=m/' "$T/config" >"$T/module"
expect_failure 1 'CONFIG_FUSE_FS is m, wanted y' "$check" "$T/module" "$T/list"

step "a condition counts only where its option is on"
grep -v PIIX "$T/config" >"$T/x86"
expect_failure 1 'CONFIG_ATA_PIIX is n, wanted y' "$check" "$T/x86" "$T/list"
grep -v X86= "$T/x86" >"$T/other"
"$check" "$T/other" "$T/list" || fail "asked for an x86 option on another architecture"

step "of two fragments the later decides, on standard input too"
printf '%s\n' CONFIG_MODULES=y '# CONFIG_MODULES is not set' | "$check" "$T/config" - || fail "the last line did not decide"

step "an unreadable, empty or garbled list is no success"
expect_failure 2 'cannot read the list' "$check" "$T/config" "$T/none"
expect_failure 2 'cannot read the kernel configuration' "$check" "$T/none" "$T/list"
: >"$T/empty"
expect_failure 2 'names no option' "$check" "$T/config" "$T/empty"
echo FUSE_FS=y >"$T/garbled"
expect_failure 2 'cannot make sense of: FUSE_FS=y' "$check" "$T/config" "$T/garbled"
expect_failure 1 'is n, wanted y' "$check" "$T/empty" "$T/list"
expect_failure 2 usage "$check"

step "an unknown architecture is refused before anything is fetched"
expect_failure 1 "'sparc' is not known; known: x86_64" kernel-config/build-kernel.sh sparc "$T/out"

arch=${ARCH:-x86_64}
built=build/$arch/linux.config
[ -f "$built" ] || skip "no kernel was built yet (make kernel): the rest passed"

step "the kernel built for $arch holds what is required, and every option of its fragments"
"$check" "$built" || fail "$built lacks what kernel-config/required.list asks for"
cat kernel-config/base.config "kernel-config/$arch.config" | "$check" "$built" - || fail "options of the fragments are not in $built"
sed '/^CONFIG_FUSE_PASSTHROUGH=/d' "$built" >"$T/dropped"
expect_failure 1 'CONFIG_FUSE_PASSTHROUGH is n, wanted y' "$check" "$T/dropped"
