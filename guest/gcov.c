// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a kernel with CONFIG_GCOV_KERNEL counted since it booted: a line for each object file, its
 * name in the build tree and the bytes of its .gcda in hexadecimal.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "agent.h"

#define DEBUGFS "/sys/kernel/debug"
#define GCOV	DEBUGFS "/gcov"

static int print_file(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
	const char *suffix = strrchr(path, '.');
	uint8_t bytes[4096];
	ssize_t n;
	int fd;

	(void)stat;
	(void)ftw;
	if (type != FTW_F || !suffix || strcmp(suffix, ".gcda"))
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	printf("%s ", path + strlen(GCOV));
	while ((n = read(fd, bytes, sizeof(bytes))) > 0)
		for (ssize_t i = 0; i < n; i++)
			printf("%02x", bytes[i]);
	printf("\n");
	close(fd);
	return n ? errno : 0;
}

int gcov_main(void)
{
	int error;

	if (mount("debugfs", DEBUGFS, "debugfs", 0, NULL) && errno != EBUSY) {
		fprintf(stderr, "cannot mount debugfs: %s\n", strerror(errno));
		return 1;
	}
	error = nftw(GCOV, print_file, 8, FTW_PHYS);
	if (error) {
		fprintf(stderr, "cannot read %s: %s\n", GCOV, strerror(error < 0 ? errno : error));
		return 1;
	}
	return 0;
}
