// SPDX-License-Identifier: GPL-2.0-or-later
/* Finding and opening the byte stream to the harness. */
#include "channel.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "clock.h"

#define PORT_NAME	"gicv5"
#define PORT_CLASS	"/sys/class/virtio-ports"
#define OPTION		"gicv5.channel="
#define OPEN_TIMEOUT_MS 10000

void channel_init(struct channel *channel, int in, int out, bool wait_for_peer)
{
	*channel = (struct channel){ .in = in, .out = out, .wait_for_peer = wait_for_peer };
}

/* Read a small file as a string without its last newline.  False if it cannot be read. */
static bool read_text(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, text, size - 1);
	close(fd);
	if (n < 0)
		return false;
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return true;
}

/* The path that the kernel command line asks for. */
static bool requested_path(char *path, size_t size)
{
	char line[4096];
	char *word, *rest = line;

	if (!read_text("/proc/cmdline", line, sizeof(line)))
		return false;
	while ((word = strsep(&rest, " "))) {
		if (strncmp(word, OPTION, strlen(OPTION)))
			continue;
		snprintf(path, size, "%s", word + strlen(OPTION));
		return true;
	}
	return false;
}

/* The path of the virtio port with our name, once the host has told the kernel its name. */
static bool find_port(char *path, size_t size)
{
	DIR *class = opendir(PORT_CLASS);
	struct dirent *entry;
	bool found = false;

	if (!class)
		return false;
	while (!found && (entry = readdir(class))) {
		char file[sizeof(PORT_CLASS) + sizeof(entry->d_name) + 8], name[64];

		snprintf(file, sizeof(file), PORT_CLASS "/%s/name", entry->d_name);
		if (!read_text(file, name, sizeof(name)) || strcmp(name, PORT_NAME))
			continue;
		snprintf(path, size, "/dev/%s", entry->d_name);
		found = true;
	}
	closedir(class);
	return found;
}

static int open_raw(const char *path)
{
	int fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	struct termios mode;

	if (fd >= 0 && !tcgetattr(fd, &mode)) {
		cfmakeraw(&mode);
		mode.c_cflag |= CREAD | CLOCAL;
		mode.c_cc[VMIN] = 1;
		mode.c_cc[VTIME] = 0;
		tcsetattr(fd, TCSANOW, &mode);
	}
	return fd;
}

int channel_open(struct channel *channel)
{
	uint64_t give_up = now_ms() + OPEN_TIMEOUT_MS;
	char path[300];
	bool requested = requested_path(path, sizeof(path));
	int error = ENODEV;

	do {
		if (requested || find_port(path, sizeof(path))) {
			int fd = open_raw(path);

			if (fd >= 0) {
				channel_init(channel, fd, fd, true);
				return 0;
			}
			error = errno;
		}
		sleep_ms(1);
	} while (now_ms() < give_up);
	return -error;
}
