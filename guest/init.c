// SPDX-License-Identifier: GPL-2.0-or-later
/* PID 1 of the initramfs. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent.h"

#define MODULES		"/modules"
#define COMPRESSED_FILE 4 /* MODULE_INIT_COMPRESSED_FILE */

static void mount_at(const char *type, const char *target)
{
	mkdir(target, 0755);
	if (mount(type, target, type, 0, NULL) && errno != EBUSY)
		fprintf(stderr, "gicv5: cannot mount %s on %s: %s\n", type, target,
			strerror(errno));
}

/* Without /dev/console in the initramfs the kernel starts us with no descriptors at all. */
static void open_console(void)
{
	int fd;

	while ((fd = open("/dev/console", O_RDWR)) >= 0 || (fd = open("/dev/null", O_RDWR)) >= 0) {
		if (fd <= STDERR_FILENO)
			continue;
		close(fd);
		break;
	}
}

static int is_module(const struct dirent *entry)
{
	return strstr(entry->d_name, ".ko") != NULL;
}

static bool has_suffix(const char *name, const char *suffix)
{
	size_t n = strlen(name), m = strlen(suffix);

	return n >= m && !strcmp(name + n - m, suffix);
}

static void load_module(const char *name)
{
	bool compressed = has_suffix(name, ".xz") || has_suffix(name, ".zst") ||
			  has_suffix(name, ".gz");
	char path[sizeof(MODULES) + 256];
	int fd;

	snprintf(path, sizeof(path), MODULES "/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || syscall(SYS_finit_module, fd, "", compressed ? COMPRESSED_FILE : 0))
		fprintf(stderr, "gicv5: cannot load %s: %s\n", path, strerror(errno));
	if (fd >= 0)
		close(fd);
}

static void load_modules(void)
{
	struct dirent **entries;
	int count = scandir(MODULES, &entries, is_module, alphasort);

	for (int i = 0; i < count; i++) {
		load_module(entries[i]->d_name);
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
}

static int serve(void)
{
	struct channel channel;
	int error = channel_open(&channel);

	if (error) {
		fprintf(stderr, "gicv5: no channel to the harness: %s\n", strerror(-error));
		return 1;
	}
	return agent_serve(&channel);
}

/* Reap whatever ends until the agent does. */
static void await_agent(pid_t agent)
{
	int status;
	pid_t pid;

	do
		pid = wait(&status);
	while (pid != agent && (pid > 0 || errno == EINTR));

	if (pid != agent)
		fprintf(stderr, "gicv5: agent died: no process: %s\n", strerror(errno));
	else if (WIFSIGNALED(status))
		fprintf(stderr, "gicv5: agent died: signal %d\n", WTERMSIG(status));
	else if (WEXITSTATUS(status))
		fprintf(stderr, "gicv5: agent died: status %d\n", WEXITSTATUS(status));
}

int init_main(void)
{
	pid_t agent;

	mount_at("devtmpfs", "/dev");
	open_console();
	mount_at("proc", "/proc");
	mount_at("sysfs", "/sys");
	mount_at("tmpfs", "/tmp");
	setenv("PATH", "/bin:/sbin:/usr/bin:/usr/sbin:/", 1);
	load_modules();

	agent = fork();
	if (agent == 0)
		_exit(serve());
	await_agent(agent);
	sync();
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}
