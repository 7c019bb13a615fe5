# SPDX-License-Identifier: MIT
# libyaml: #cloud-config and network-config version 2.
# shellcheck shell=sh disable=SC2034,SC2046,SC2086,SC2154 # variables and lists shared with build-one.sh
PACKAGE=source:libyaml
NEEDS=headers

build() {
	compile_library libyaml.a -Iinclude -DYAML_VERSION_MAJOR=0 -DYAML_VERSION_MINOR=2 -DYAML_VERSION_PATCH=5 \
		-DYAML_VERSION_STRING='"0.2.5"' \
		src/api.c src/dumper.c src/emitter.c src/loader.c src/parser.c src/reader.c src/scanner.c src/writer.c
	install_headers include yaml.h
}
