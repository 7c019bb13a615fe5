/* SPDX-License-Identifier: MIT */
/*
 * Names of keys (cloud_keys.h).
 */
#include "contextualize/formats/cloud_keys.h"

/* Top-level keys of cloud-init's modules and of its base configuration, beside those that cloud_config.c handles. */
static const char *const cloud_keys_known[] = {
	"allow_public_ssh_keys", "ansible", "apk_repos", "apt", "apt_pipelining", "apt_reboot_if_required", "apt_update", "apt_upgrade",
	"authkey_hash", "autoinstall", "bootcmd", "byobu_by_default", "ca-certs", "ca_certs", "chef", "cloud_config_modules",
	"cloud_final_modules", "cloud_init_modules", "create_hostname_file", "datasource", "datasource_list", "debug", "device_aliases",
	"disable_ec2_metadata", "disable_root_opts", "disk_setup", "drivers", "fan", "fs_setup", "growpart", "grub-dpkg", "grub_dpkg",
	"keyboard", "landscape", "launch-index", "locale_configfile", "log_cfgs", "lxd", "manage_resolv_conf", "mcollective", "merge_how",
	"merge_type", "migrate", "mount_default_fields", "mounts", "network", "no_ssh_fingerprints", "ntp", "output", "package_reboot_if_required",
	"package_update", "package_upgrade", "packages", "phone_home", "power_state", "prefer_fqdn_over_hostname", "puppet", "random_seed",
	"reporting", "resize_rootfs", "resize_rootfs_tmp", "resolv_conf", "rh_subscription", "rsyslog", "runcmd", "salt_minion", "snap",
	"spacewalk", "ssh", "ssh_deletekeys", "ssh_fp_console_blacklist", "ssh_genkeytypes", "ssh_import_id", "ssh_key_console_blacklist",
	"ssh_keys", "ssh_publish_hostkeys", "ssh_quiet_keygen", "swap", "system_info", "ubuntu_advantage", "ubuntu_pro", "updates",
	"vendor_data", "version", "wireguard", "yum_repo_dir", "yum_repos", "zypper", NULL
};

bool cloud_key_is_known(const char *key)
{
	for (size_t i = 0; cloud_keys_known[i]; i++)
		if (strcmp(cloud_keys_known[i], key) == 0)
			return true;
	return false;
}

/* Levenshtein's distance, with a neighbour swap as one change; names longer than the table are far from everything. */
static unsigned cloud_key_distance(const char *a, const char *b)
{
	enum { ROOM = 40 };
	unsigned row[3][ROOM];
	size_t n = strlen(a), m = strlen(b);

	if (n >= ROOM || m >= ROOM)
		return ROOM;
	for (size_t j = 0; j <= m; j++)
		row[0][j] = (unsigned)j;
	for (size_t i = 1; i <= n; i++) {
		unsigned *now = row[i % 3], *before = row[(i - 1) % 3], *two = row[(i + 1) % 3];

		now[0] = (unsigned)i;
		for (size_t j = 1; j <= m; j++) {
			unsigned d = before[j - 1] + (a[i - 1] != b[j - 1]);

			d = MIN(d, MIN(before[j], now[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				d = MIN(d, two[j - 2] + 1);
			now[j] = d;
		}
	}
	return row[n % 3][m];
}

const char *cloud_key_nearest(const char *key, const char *const *names)
{
	unsigned best = strlen(key) > 5 ? 3 : 2;
	const char *nearest = NULL;

	for (; *names; names++) {
		unsigned d = cloud_key_distance(key, *names);

		if (d < best) {
			best = d;
			nearest = *names;
		}
	}
	return nearest;
}

const char *cloud_key_nearest_known(const char *key)
{
	return cloud_key_nearest(key, cloud_keys_known);
}
