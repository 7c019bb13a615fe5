/* SPDX-License-Identifier: MIT */
/*
 * What must run inside the OS: bootcmd and boothooks early on every boot, user scripts and runcmd once for an instance, ssh host keys where there are none. They
 * become files on scratch and units in /run/systemd/system, so that nothing of them stays in the root file system.
 */
#include "contextualize/apply/apply.h"

#include "common/io.h"

#define UNIT_DIR "/run/systemd/system"

/*
 * Runs the scripts of its directory, in the order of their names, those that have no marker yet. The marker comes after the run, whatever its exit code:
 * a script that was cut off by a crash or a power cut runs again, one that failed does not.
 */
static const char final_driver[] =
	"#!/bin/sh\n"
	"# Runs the user's scripts of this instance, each once.\n"
	"cd \"${0%/*}\" || exit 1\n"
	"INSTANCE_ID=$(cat instance-id)\n"
	"export INSTANCE_ID\n"
	"failed=0\n"
	"for script in scripts/*; do\n"
	"\tname=${script#scripts/}\n"
	"\t[ -f \"$script\" ] && [ ! -e \"done/$name\" ] || continue\n"
	"\techo \"spore: running $name\"\n"
	"\tstatus=0\n"
	"\t(cd / && exec \"$OLDPWD/$script\") || status=$?\n"
	"\t[ $status -eq 0 ] || { failed=1; echo \"spore: $name failed with exit code $status\"; }\n"
	"\techo \"$status\" >\"done/$name\"\n"
	"\tsync \"done/$name\" 2>/dev/null || :\n"
	"done\n"
	"[ ! -f final-message ] || [ -e done/final-message ] || { cat final-message; : >done/final-message; }\n"
	"exit $failed\n";

static const char boot_driver[] =
	"#!/bin/sh\n"
	"# Runs bootcmd and boothooks, on every boot.\n"
	"cd \"${0%/*}\" || exit 1\n"
	"INSTANCE_ID=$(cat instance-id)\n"
	"export INSTANCE_ID\n"
	"failed=0\n"
	"for script in boot/*; do\n"
	"\t[ -f \"$script\" ] || continue\n"
	"\t(cd / && exec \"$OLDPWD/$script\") || { failed=1; echo \"spore: ${script#boot/} failed with exit code $?\"; }\n"
	"done\n"
	"exit $failed\n";

static const char final_unit[] =
	"[Unit]\n"
	"Description=User scripts and runcmd of the cloud's user data\n"
	"After=network-online.target time-sync.target remote-fs.target systemd-user-sessions.service\n"
	"Wants=network-online.target\n"
	"RequiresMountsFor=%s\n"
	"\n"
	"[Service]\n"
	"Type=oneshot\n"
	"RemainAfterExit=yes\n"
	"ExecStart=/bin/sh %s/final\n"
	"TimeoutStartSec=infinity\n"
	"KillMode=process\n"
	"TasksMax=infinity\n"
	"StandardOutput=journal+console\n";

static const char boot_unit[] =
	"[Unit]\n"
	"Description=Boot commands of the cloud's user data\n"
	"DefaultDependencies=no\n"
	"After=local-fs.target systemd-remount-fs.service systemd-tmpfiles-setup.service\n"
	"Before=sysinit.target network-pre.target shutdown.target\n"
	"Conflicts=shutdown.target\n"
	"RequiresMountsFor=%s\n"
	"\n"
	"[Service]\n"
	"Type=oneshot\n"
	"RemainAfterExit=yes\n"
	"ExecStart=/bin/sh %s/boot-commands\n"
	"TimeoutStartSec=infinity\n"
	"StandardOutput=journal+console\n";

static const char keygen_unit[] =
	"[Unit]\n"
	"Description=Make the ssh host keys of this machine\n"
	"Before=ssh.service sshd.service ssh.socket sshd.socket\n"
	"ConditionPathExists=!/etc/ssh/ssh_host_ed25519_key\n"
	"\n"
	"[Service]\n"
	"Type=oneshot\n"
	"RemainAfterExit=yes\n"
	"ExecStart=/usr/bin/ssh-keygen -A\n";

/* ---- scripts ---- */

/* By its marker (see final_driver): it has run in this instance. */
static bool has_run(const struct apply *a, const char *script)
{
	_cleanup_free_ char *mark = io_format("%s/done/%s", a->instance_dir, script);

	return mark && access(mark, F_OK) == 0;
}

static errint_t write_state(struct apply *a, const char *name, mode_t mode, const void *data, size_t size)
{
	_cleanup_free_ char *path = io_format("%s/%s", a->instance_dir, name), *dir = path ? strdup(path) : NULL;
	errint_t r;

	if (!dir)
		return -ENOMEM;
	*strrchr(dir, '/') = '\0';
	r = io_mkdir_p(dir, 0700);
	if (r == 0)
		r = io_write_file(path, mode, data, size);
	return apply_failed(a, r, "cannot write", path);
}

static void write_quoted(FILE *f, const char *word)
{
	putc('\'', f);
	for (; *word; word++) {
		if (*word == '\'')
			fputs("'\\''", f);
		else
			putc(*word, f);
	}
	putc('\'', f);
}

/* Lines as they are; argument vectors quoted, so that the shell changes nothing in them. */
static errint_t write_commands(struct apply *a, const char *name, const struct cloud_command *commands, size_t count)
{
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return -ENOMEM;
	fputs("#!/bin/sh\n", f);
	for (size_t i = 0; i < count; i++) {
		const struct cloud_command *c = &commands[i];

		if (c->line)
			fputs(c->line, f);
		for (size_t j = 0; !c->line && j < c->argv.count; j++) {
			if (j)
				putc(' ', f);
			write_quoted(f, c->argv.item[j]);
		}
		putc('\n', f);
	}
	return fclose(f) == 0 ? write_state(a, name, 0700, text, size) : -ENOMEM;
}

/* A boothook is what stands below its first line; that line alone says nothing to the kernel. */
static errint_t write_boothook(struct apply *a, const struct part *p, unsigned number)
{
	const char *body = strchr(p->data, '\n');
	size_t skip = body ? (size_t)(body - p->data) + 1 : p->size;
	bool has_interpreter = p->size - skip >= 2 && memcmp(p->data + skip, "#!", 2) == 0;
	_cleanup_free_ char *name = io_format("boot/%02u-boothook", number), *text = malloc(p->size + 16);
	int head;

	if (!name || !text)
		return -ENOMEM;
	head = sprintf(text, "%s", has_interpreter ? "" : "#!/bin/sh\n");
	memcpy(text + head, p->data + skip, p->size - skip);
	return write_state(a, name, 0700, text, (size_t)head + p->size - skip);
}

static errint_t write_parts(struct apply *a, unsigned *ret_boot)
{
	unsigned scripts = 0;
	errint_t r = 0;

	for (size_t i = 0; i < a->userdata->count && r == 0; i++) {
		const struct part *p = &a->userdata->part[i];
		_cleanup_free_ char *name = NULL;

		if (p->kind == PART_BOOTHOOK) {
			r = write_boothook(a, p, ++*ret_boot);
		} else if (p->kind == PART_SCRIPT) {
			name = io_format("scripts/part-%03u", ++scripts);
			r = name ? write_state(a, name, 0700, p->data, p->size) : -ENOMEM;
			a->scripts_to_run += name && !has_run(a, strchr(name, '/') + 1);
		}
	}
	a->scripts = scripts;
	return r;
}

/* ---- units ---- */

static errint_t write_unit(struct apply *a, const char *name, const char *text, const char *wanted_by)
{
	_cleanup_free_ char *path = io_format(UNIT_DIR "/%s", name), *dir = io_format(UNIT_DIR "/%s.wants", wanted_by);
	_cleanup_free_ char *link = dir ? io_format("%s/%s", dir, name) : NULL, *target = io_format("../%s", name);
	_cleanup_free_ char *full = path ? ctx_path(path) : NULL, *full_dir = dir ? ctx_path(dir) : NULL, *full_link = link ? ctx_path(link) : NULL;
	errint_t r;

	if (!text || !target || !full || !full_dir || !full_link)
		return -ENOMEM;
	r = io_mkdir_p(full_dir, 0755);
	if (r == 0)
		r = io_write_file(full, 0644, text, strlen(text));
	if (r == 0 && symlink(target, full_link) < 0 && errno != EEXIST)
		r = -errno;
	return apply_failed(a, r, "cannot write the unit", full);
}

/* The two %s of the templates are the state directory. */
static char *unit_text(const struct apply *a, const char *template)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	for (const char *p = template; *p; p++) {
		if (p[0] == '%' && p[1] == 's') {
			fputs(a->instance_dir_in_os, f);
			p++;
		} else {
			putc(*p, f);
		}
	}
	return fclose(f) == 0 ? text : NULL;
}

static errint_t boot_unit_for(struct apply *a, unsigned boothooks)
{
	_cleanup_free_ char *text = NULL;
	errint_t r = 0;

	if (a->config.bootcmds)
		r = write_commands(a, "boot/99-bootcmd", a->config.bootcmd, a->config.bootcmds);
	if (r < 0 || (!a->config.bootcmds && !boothooks))
		return r;
	r = write_state(a, "boot-commands", 0700, boot_driver, sizeof boot_driver - 1);
	text = unit_text(a, boot_unit);
	return r < 0 ? r : write_unit(a, "spore-bootcmd.service", text, "sysinit.target");
}

static errint_t final_unit_for(struct apply *a)
{
	_cleanup_free_ char *text = NULL, *done = io_format("%s/done", a->instance_dir), *message = NULL;
	errint_t r = 0;

	if (!done)
		return -ENOMEM;
	if (a->config.runcmds) {
		/* "runcmd" sorts behind "part-…": as with cloud-init, scripts run first. */
		r = write_commands(a, "scripts/runcmd", a->config.runcmd, a->config.runcmds);
		a->scripts_to_run += !has_run(a, "runcmd");
		a->scripts++;
	}
	if (r == 0 && a->config.final_message) {
		message = io_format("%s\n", a->config.final_message);
		r = message ? write_state(a, "final-message", 0600, message, strlen(message)) : -ENOMEM;
	}
	/* Once all has run, later boots need neither the unit nor the network that it waits for. */
	if (r < 0 || (!a->scripts_to_run && (!a->config.final_message || has_run(a, "final-message"))))
		return r;
	r = apply_failed(a, io_mkdir_p(done, 0700), "cannot make", done);
	if (r == 0)
		r = write_state(a, "final", 0700, final_driver, sizeof final_driver - 1);
	text = unit_text(a, final_unit);
	return r < 0 ? r : write_unit(a, "spore-final.service", text, "multi-user.target");
}

static errint_t keygen_unit_for(struct apply *a)
{
	if (!root_exists(&a->root, "/usr/bin/ssh-keygen") || !root_exists(&a->root, "/etc/ssh/sshd_config") ||
	    root_exists(&a->root, "/etc/ssh/ssh_host_ed25519_key"))
		return 0;
	return write_unit(a, "spore-ssh-keygen.service", keygen_unit, "multi-user.target");
}

errint_t apply_units(struct apply *a)
{
	unsigned boothooks = 0;
	errint_t r;

	if (!a->have_systemd) {
		bool any = a->config.runcmds || a->config.bootcmds;

		for (size_t i = 0; i < a->userdata->count; i++)
			any |= a->userdata->part[i].kind == PART_SCRIPT || a->userdata->part[i].kind == PART_BOOTHOOK;
		if (any)
			diag_add(a->diag, DIAG_WARNING, 0, 0, "the root file system has no systemd: scripts, runcmd and bootcmd are skipped");
		return 0;
	}
	r = write_parts(a, &boothooks);
	if (r == 0)
		r = boot_unit_for(a, boothooks);
	if (r == 0)
		r = final_unit_for(a);
	return r < 0 ? r : keygen_unit_for(a);
}
