/* SPDX-License-Identifier: MIT */
/* Headers of PE files and kernels; see executable.h. Offsets: PE format specification, and Linux's Documentation/arch/x86/boot.rst. */
#include "mkimage/executable.h"

static errint_t refuse(const char **ret_why, const char *why)
{
	*ret_why = why;
	return -EBADMSG;
}

errint_t pe_inspect(const void *data, size_t size, struct pe_info *ret, const char **ret_why)
{
	const uint8_t *b = data;

	if (size < 64 || b[0] != 'M' || b[1] != 'Z')
		return refuse(ret_why, "it does not begin with 'MZ'");
	size_t at = le32_get(b + 0x3c);
	/* Signature, file header, and the optional header up to the subsystem. */
	if (at > size || size - at < 24 + 70)
		return refuse(ret_why, "its PE header lies outside the file");
	const uint8_t *pe = b + at;
	if (memcmp(pe, "PE\0\0", 4) != 0)
		return refuse(ret_why, "it has no PE header");
	uint16_t sections = le16_get(pe + 6), optional = le16_get(pe + 20), magic = le16_get(pe + 24);
	if (optional < 70 || (magic != 0x10b && magic != 0x20b))
		return refuse(ret_why, "its optional PE header is of no known kind");
	if ((size_t)optional + 24 > size - at || sections > (size - at - 24 - optional) / 40)
		return refuse(ret_why, "its section table lies outside the file");
	for (size_t i = 0; i < sections; i++) {
		const uint8_t *s = pe + 24 + optional + 40 * i;
		uint64_t end = (uint64_t)le32_get(s + 16) + le32_get(s + 20);
		if (le32_get(s + 20) && end > size)
			return refuse(ret_why, "a section lies outside the file: it is cut short");
	}
	ret->machine = le16_get(pe + 4);
	ret->is_64bit = magic == 0x20b;
	ret->subsystem = le16_get(pe + 24 + 68);
	return 0;
}

static void read_version(const uint8_t *b, size_t size, char ret[128])
{
	size_t at = le16_get(b + 0x20e), n = 0;

	ret[0] = '\0';
	if (at == 0)
		return;
	for (at += 0x200; at < size && n < 127 && b[at] >= ' ' && b[at] < 0x7f; at++)
		ret[n++] = (char)b[at];
	ret[n] = '\0';
}

errint_t kernel_inspect(const void *data, size_t size, struct kernel_info *ret, const char **ret_why)
{
	const uint8_t *b = data;
	struct pe_info pe;
	const char *why;

	*ret = (struct kernel_info){ .protocol = 0 };
	if (size < 0x264)
		return refuse(ret_why, "it is too short for a bzImage");
	if (le16_get(b + 0x1fe) != 0xaa55 || memcmp(b + 0x202, "HdrS", 4) != 0)
		return refuse(ret_why, "it has no boot header ('HdrS')");
	ret->protocol = le16_get(b + 0x206);
	if (ret->protocol < 0x0206 || !(b[0x211] & 1))
		return refuse(ret_why, "its boot protocol is too old (before 2.06), or it is a zImage");
	uint64_t setup = ((uint64_t)(b[0x1f1] ? b[0x1f1] : 4) + 1) * 512, body = (uint64_t)le32_get(b + 0x1f4) * 16;
	if (setup + body > size + 16)
		return refuse(ret_why, "it is shorter than its header says: cut short");
	read_version(b, size, ret->version);
	ret->efi_stub = pe_inspect(data, size, &pe, &why) == 0;
	ret->machine = ret->efi_stub ? pe.machine : 0;
	return 0;
}
