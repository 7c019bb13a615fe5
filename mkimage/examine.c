/* SPDX-License-Identifier: MIT */
/* Takes images apart; see examine.h. The image may be anything: sizes are bounded before memory is taken. */
#include "mkimage/examine.h"

#include <stdarg.h>
#include <sys/stat.h>

#define MAX_KERNEL (512 * MIB)

static void find(struct examination *x, bool error, const char *format, ...) __attribute__((format(printf, 3, 4)));

static void find(struct examination *x, bool error, const char *format, ...)
{
	va_list args;
	char *text = NULL;

	x->errors += error;
	x->warnings += !error;
	if (x->finding_count == EXAMINE_MAX_FINDINGS)
		return;
	va_start(args, format);
	int n = vasprintf(&text, format, args);
	va_end(args);
	/* Names come from the image: nothing in them may steer a terminal. */
	for (int i = 0; i < n; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			text[i] = '?';
	if (n >= 0)
		x->findings[x->finding_count++] = (struct finding){ .error = error, .text = text };
}

static void judge_mbr(struct examination *x)
{
	const uint8_t *m = x->file.data;
	bool protective = false;

	if (x->file.size < 512 || m[510] != 0x55 || m[511] != 0xaa) {
		find(x, true, "partition table: sector 0 is no boot record (55 AA is missing)");
		return;
	}
	for (int i = 0; i < 4; i++)
		protective = protective || m[446 + 16 * i + 4] == 0xee;
	if (!protective)
		find(x, true, "partition table: the boot record has no protective entry (type EE)");
}

static void judge_table(struct examination *x)
{
	static const char *const texts[] = {
		[GPT_NONE] = "no GUID partition table",
		[GPT_BACKUP_MISPLACED] = "the backup is not at the end of the disk: the disk has grown",
		[GPT_PRIMARY_ONLY] = "the backup is missing, corrupt, or differs from the primary table",
		[GPT_BACKUP_ONLY] = "the primary table is corrupt; only the backup is good",
		[GPT_CORRUPT] = "both copies are corrupt",
	};

	if (x->gpt_state == GPT_BACKUP_MISPLACED)
		find(x, false, "partition table: %s", texts[x->gpt_state]);
	else if (x->gpt_state != GPT_GOOD)
		find(x, true, "partition table: %s", texts[x->gpt_state]);
	if (x->gpt_state == GPT_NONE || x->gpt_state == GPT_CORRUPT)
		return;
	switch (gpt_check(&x->gpt)) {
	case -ENOSPC: find(x, true, "partition table: the file is smaller than the disk that the table describes: it is cut short"); break;
	case -ERANGE: find(x, true, "partition table: a partition lies outside the usable sectors"); break;
	case -EEXIST: find(x, true, "partition table: partitions overlap"); break;
	}
}

static int find_esp(const struct gpt *g)
{
	struct gpt_guid type;

	if (gpt_guid_parse(GPT_TYPE_ESP, &type) < 0)
		return -1;
	for (int i = 0; i < GPT_ENTRIES; i++)
		if (memcmp(&g->partitions[i].type, &type, sizeof(type)) == 0)
			return i;
	return -1;
}

static void report_fat(void *context, const char *text)
{
	find(context, true, "ESP: %s", text);
}

static void look_at_esp(struct examination *x)
{
	const struct gpt_partition *p;
	const char *why;

	x->esp = x->gpt_state == GPT_NONE || x->gpt_state == GPT_CORRUPT ? -1 : find_esp(&x->gpt);
	if (x->esp < 0) {
		find(x, true, "there is no EFI system partition");
		return;
	}
	p = &x->gpt.partitions[x->esp];
	if (p->first > p->last || p->last >= x->file.size / x->gpt.sector_size) {
		find(x, true, "ESP: the partition lies outside the file");
		return;
	}
	uint64_t offset = p->first * x->gpt.sector_size, size = (p->last - p->first + 1) * x->gpt.sector_size;
	if (fat_open(x->file.data + offset, size, &x->fat, &why) < 0) {
		find(x, true, "ESP: no FAT volume: %s", why);
		return;
	}
	x->fat_good = true;
	int r = fat_check(&x->fat, report_fat, x);
	if (r < 0)
		find(x, true, "ESP: cannot be checked: %s", problem_reason(r));
	r = fat_list(&x->fat, &x->listing);
	x->listing_good = r == 0;
	if (r < 0)
		find(x, true, "ESP: cannot be listed: %s", r == -E2BIG ? "too many files, or a directory that holds itself" : "a directory's chain is broken");
}

/* The loaders: one for each architecture at most, one at least. */
static void look_at_loaders(struct examination *x)
{
	const struct arch *a;
	size_t found = 0;

	for (size_t i = 0; (a = arch_at(i)) != NULL; i++) {
		char path[64];
		_cleanup_free_ char *data = NULL;
		size_t size;
		struct pe_info info;
		const char *why;
		snprintf(path, sizeof(path), "EFI/BOOT/%s", a->loader);
		const struct fat_node *n = fat_find(&x->listing, path);
		if (!n)
			continue;
		found++;
		errint_t r = fat_read(&x->fat, n, MAX_KERNEL, &data, &size);
		if (r < 0)
			find(x, true, "/%s: cannot be read: %s", path, r == -EBADMSG ? "its clusters are broken" : problem_reason(r));
		else if (pe_inspect(data, size, &info, &why) < 0)
			find(x, true, "/%s: no PE file: %s", path, why);
		else if (info.machine != a->pe_machine)
			find(x, true, "/%s: is for another machine (%04x) than its name says (%04x)", path, info.machine, a->pe_machine);
		else if (info.subsystem != PE_SUBSYSTEM_EFI_APPLICATION)
			find(x, true, "/%s: is no EFI application (subsystem %u)", path, info.subsystem);
	}
	if (found == 0)
		find(x, true, "no boot loader in /EFI/BOOT");
}

static void look_at_kernel(struct examination *x, struct boot_file *b, const char *data, size_t size)
{
	const char *why;

	if (kernel_inspect(data, size, &b->kernel, &why) < 0)
		find(x, true, "%s: no bzImage: %s", b->path, why);
	else if (!b->kernel.efi_stub)
		find(x, true, "%s: the kernel has no EFI stub", b->path);
	else if (!arch_of_machine(b->kernel.machine))
		find(x, true, "%s: the kernel is for a machine that is not known (%04x)", b->path, b->kernel.machine);
	else
		b->readable = true;
}

static void look_at_initrd(struct examination *x, struct boot_file *b, const char *data, size_t size)
{
	char why[256];

	if (initrd_read(data, size, INITRD_MAX_UNPACKED, &b->initrd, why) < 0) {
		find(x, true, "%s: no initrd: %s", b->path, why);
		return;
	}
	b->readable = true;
	const struct initrd_item *init = initrd_find(&b->initrd, "init");
	if (!init)
		find(x, true, "%s: has no /init", b->path);
	else if (!S_ISLNK(init->mode) && (!S_ISREG(init->mode) || !(init->mode & 0100)))
		find(x, true, "%s: /init is no executable file", b->path);
}

static void look_at_file(struct examination *x, struct boot_conf_text path, bool is_kernel)
{
	struct boot_file *b = &x->files[x->file_count];
	_cleanup_free_ char *data = NULL;
	size_t size;

	if (path.size == 0)
		return;
	*b = (struct boot_file){ .is_kernel = is_kernel };
	memcpy(b->path, x->conf_text + path.offset, path.size);
	for (size_t i = 0; i < x->file_count; i++)
		if (strcmp(x->files[i].path, b->path) == 0)
			return;
	x->file_count++;
	const struct fat_node *n = fat_find(&x->listing, b->path + 1);
	if (!n || n->directory) {
		find(x, true, "%s: named by boot.conf and not on the ESP", b->path);
		return;
	}
	errint_t r = fat_read(&x->fat, n, MAX_KERNEL, &data, &size);
	if (r < 0) {
		find(x, true, "%s: cannot be read: %s", b->path, r == -EBADMSG ? "its clusters are broken" : problem_reason(r));
		return;
	}
	b->size = size;
	if (is_kernel)
		look_at_kernel(x, b, data, size);
	else
		look_at_initrd(x, b, data, size);
}

static void look_at_conf(struct examination *x)
{
	const struct fat_node *n = fat_find(&x->listing, "spore/boot.conf");

	if (!n || n->directory) {
		find(x, true, "/spore/boot.conf: is not there");
		return;
	}
	errint_t r = fat_read(&x->fat, n, BOOT_CONF_MAX_SIZE, &x->conf_text, &x->conf_size);
	if (r < 0) {
		find(x, true, "/spore/boot.conf: cannot be read: %s", r == -EFBIG ? "it is larger than 16 KiB" : "its clusters are broken");
		return;
	}
	enum boot_conf_error e = boot_conf_parse(x->conf_text, x->conf_size, &x->conf);
	if (e != BOOT_CONF_OK) {
		find(x, true, "/spore/boot.conf:%u: %s", x->conf.error_line, boot_conf_error_text(e));
		return;
	}
	x->conf_good = true;
	if (x->conf.default_unknown)
		find(x, true, "/spore/boot.conf: 'default' names an entry that does not exist");
	if (x->conf.ignored)
		find(x, false, "/spore/boot.conf:%u: the key is not known", x->conf.ignored_line);
	for (uint32_t i = 0; i < x->conf.count; i++) {
		look_at_file(x, x->conf.entries[i].linux_path, true);
		look_at_file(x, x->conf.entries[i].initrd_path, false);
	}
}

static errint_t open_image(const char *path, struct examination *x, struct problem *p)
{
	errint_t r = image_file_open(path, &x->file);

	if (r == -ENODATA)
		return problem_set(p, r, EXIT_DATA, "%s is empty", path);
	if (r < 0)
		return problem_set(p, r, EXIT_NO_INPUT, "cannot open the image %s: %s", path, problem_reason(r));
	r = gpt_read(x->file.fd, x->file.size, IMAGE_SECTOR, &x->gpt, &x->gpt_state);
	if (r < 0)
		return problem_set(p, r, EXIT_NO_INPUT, "cannot read the image %s: %s", path, problem_reason(r));
	return 0;
}

errint_t examine(const char *path, struct examination *x, struct problem *p)
{
	*x = (struct examination){ .esp = -1, .file = IMAGE_FILE_INIT };
	errint_t r = open_image(path, x, p);

	if (r < 0)
		return r;
	judge_mbr(x);
	judge_table(x);
	look_at_esp(x);
	if (!x->listing_good)
		return 0;
	look_at_loaders(x);
	look_at_conf(x);
	return 0;
}

void examination_done(struct examination *x)
{
	for (size_t i = 0; i < x->file_count; i++)
		initrd_content_done(&x->files[i].initrd);
	for (size_t i = 0; i < x->finding_count; i++)
		free(x->findings[i].text);
	free(x->conf_text);
	fat_listing_done(&x->listing);
	image_file_close(&x->file);
}
