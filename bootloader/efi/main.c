/* SPDX-License-Identifier: MIT */
/*
 * Spore's EFI loader: reads \spore\boot.conf from the volume it came from, shows a menu only when asked, starts the kernel. When something is
 * missing it says what, waits for a key or ten seconds, and returns to the firmware, which goes on to its next boot option.
 */
#include "bootloader/efi/console.h"
#include "bootloader/efi/menu.h"
#include "bootloader/efi/start.h"

#define CONF_PATH "/spore/boot.conf"
#define WAIT_SECONDS 10

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system);
/* The start-up code of gnu-efi 3.0.16 and later calls this name, earlier ones efi_main. */
EFI_STATUS _entry(EFI_HANDLE image, EFI_SYSTEM_TABLE *system);

/* Too large for the firmware's stack together. */
struct loader {
	char text[BOOT_CONF_MAX_SIZE + 1];
	struct boot_conf conf;
	struct start start;
	struct volume volume;
	bool left;	/* by the user, from the menu */
};

static const char built_in[] =
	"entry built-in\n"
	"linux /spore/" ARCH_FOLDER "/linux\n"
	"initrd /spore/" ARCH_FOLDER "/initrd\n"
	"options " ARCH_CONSOLES "loglevel=4\n";

/* Parses what is in l->text; size beyond the parser's limit is its affair. */
static bool parse(struct loader *l, size_t size)
{
	enum boot_conf_error error = boot_conf_parse(l->text, size, &l->conf);

	if (error == BOOT_CONF_OK)
		return true;
	if (l->conf.error_line > 0)
		console_print("Spore loader: \\spore\\boot.conf, line %u: %s.\n", l->conf.error_line, boot_conf_error_text(error));
	else
		console_print("Spore loader: \\spore\\boot.conf: %s.\n", boot_conf_error_text(error));
	return false;
}

static bool read_conf(struct loader *l)
{
	ucs2_t path[sizeof(CONF_PATH) + 1];
	struct file f;
	EFI_STATUS status;

	text_path(CONF_PATH, sizeof(CONF_PATH) - 1, path, sizeof(path) / sizeof(path[0]));
	status = file_open(&l->volume, path, &f);
	if (!EFI_ERROR(status) && f.size > BOOT_CONF_MAX_SIZE)
		status = EFI_BAD_BUFFER_SIZE;
	if (!EFI_ERROR(status))
		status = file_read(&f, l->text, (UINTN)f.size);
	file_close(&f);
	if (status == EFI_BAD_BUFFER_SIZE)
		console_print("Spore loader: \\spore\\boot.conf is larger than %u KiB.\n", BOOT_CONF_MAX_SIZE / 1024);
	else if (status == EFI_NOT_FOUND)
		console_print("Spore loader: \\spore\\boot.conf is missing on the volume that the loader came from.\n");
	else if (EFI_ERROR(status))
		console_print("Spore loader: \\spore\\boot.conf cannot be read: %s.\n", firmware_why(status));
	return !EFI_ERROR(status) && parse(l, (size_t)f.size);
}

static void use_built_in(struct loader *l)
{
	console_print("Trying the built-in entry: \\spore\\" ARCH_FOLDER "\\linux with \\spore\\" ARCH_FOLDER "\\initrd.\n");
	for (size_t i = 0; i < sizeof(built_in); i++)
		l->text[i] = built_in[i];
	parse(l, sizeof(built_in) - 1);
}

static void warn(const struct loader *l)
{
	if (l->conf.default_unknown)
		console_print("Spore loader: \\spore\\boot.conf: \"default\" names no entry; the first one is used.\n");
	if (l->conf.ignored > 0)
		console_print("Spore loader: \\spore\\boot.conf, line %u: unknown key, ignored%s.\n", l->conf.ignored_line,
			l->conf.ignored > 1 ? " (and others)" : "");
}

/* True where an entry is to be started; false: back to the firmware. */
static bool choose(struct loader *l, uint32_t *ret_entry, bool *ret_edited)
{
	bool key = console_key(0).key != KEY_NONE;

	*ret_entry = l->conf.default_entry;
	*ret_edited = false;
	if (!key && l->conf.timeout == 0)
		return true;
	return menu_show(l->text, &l->conf, key ? 0 : l->conf.timeout, !firmware_secure_boot(), ret_entry, l->start.options,
		START_OPTIONS_MAX, ret_edited) == MENU_START;
}

static EFI_STATUS start_entry(struct loader *l, uint32_t index, bool edited)
{
	const struct boot_conf_entry *e = &l->conf.entries[index];
	bool fits = true;

	text_path(l->text + e->linux_path.offset, e->linux_path.size, l->start.linux_path, START_PATH_MAX);
	l->start.initrd_path[0] = 0;
	if (e->initrd_path.size > 0)
		text_path(l->text + e->initrd_path.offset, e->initrd_path.size, l->start.initrd_path, START_PATH_MAX);
	if (!edited)
		text_to_ucs2(l->text + e->options.offset, e->options.size, l->start.options, START_OPTIONS_MAX, &fits);
	console_print("Spore loader: starting '%.*s'\n", (int)e->name.size, l->text + e->name.offset);
	/* The firmware restarts the machine where the kernel does not come up within this time. */
	firmware_watchdog(300);
	return start_kernel(&l->volume, &l->start);
}

static EFI_STATUS boot(struct loader *l)
{
	EFI_STATUS status = volume_open(&l->volume);
	uint32_t entry;
	bool edited;

	if (EFI_ERROR(status)) {
		console_print("Spore loader: the volume that the loader came from cannot be read: %s.\n"
			"Start it from a FAT volume (the image's EFI system partition).\n", firmware_why(status));
		return status;
	}
	if (!read_conf(l))
		use_built_in(l);
	warn(l);
	if (choose(l, &entry, &edited)) {
		status = start_entry(l, entry, edited);
	} else {
		console_print("Spore loader: left by the Esc key.\n");
		l->left = true;
		status = EFI_ABORTED;
	}
	volume_close(&l->volume);
	return status;
}

static void wait_for_reader(void)
{
	console_print("Back to the firmware in %u s, or at once with a key.\n", WAIT_SECONDS);
	while (console_key(0).key != KEY_NONE)
		;
	console_key(WAIT_SECONDS * 1000);
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system)
{
	struct loader *l;
	EFI_STATUS status;
	bool left = false;

	firmware = (struct firmware){ .image = image, .system = system, .boot = system->BootServices };
	l = firmware_allocate(sizeof(*l));
	if (l) {
		firmware.boot->SetMem(l, sizeof(*l), 0);
		status = boot(l);
		left = l->left;
		firmware_free(l);
	} else {
		console_print("Spore loader: out of memory. Give the machine more.\n");
		status = EFI_OUT_OF_RESOURCES;
	}
	if (!left)
		wait_for_reader();
	return status;
}

EFI_STATUS _entry(EFI_HANDLE image, EFI_SYSTEM_TABLE *system)
{
	return efi_main(image, system);
}
