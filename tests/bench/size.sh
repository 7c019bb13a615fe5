#!/bin/sh
# SPDX-License-Identifier: MIT
# The image's size and that of its parts.
cd "$(dirname "$0")/../.." || exit 1
build/host/bin/mkimage inspect "${1:-build/images/spore-x86_64.img}"
