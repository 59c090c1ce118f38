// SPDX-License-Identifier: GPL-2.0-or-later
#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"

#define OUTPUT_LIMIT (900 << 10)
#define ARGS_MAX     256
#define POLL_MS	     20 /* a command's own child may keep the pipe open after its end */

static void child(char **argv, int out)
{
	sigset_t none;

	setpgid(0, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	dup2(open("/dev/null", O_RDONLY), STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	execvp(argv[0], argv);
	dprintf(STDERR_FILENO, "gicv5: cannot execute %s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

/* Read what there is; what is beyond the limit is lost.  False at the end of the stream. */
static bool drain(int fd, char *text, size_t *used)
{
	char rest[4096];

	for (;;) {
		size_t room = OUTPUT_LIMIT - *used;
		ssize_t n = read(fd, room ? text + *used : rest, room ? room : sizeof(rest));

		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		if (n == 0)
			return false;
		if (room)
			*used += (size_t)n;
	}
}

static int supervise(pid_t pid, int fd, uint32_t timeout_ms, char *text, size_t *used)
{
	uint64_t end = now_ms() + timeout_ms;
	bool open = true;
	int status = 0;

	while (waitpid(pid, &status, WNOHANG) != pid) {
		struct pollfd pollfd = { .fd = open ? fd : -1, .events = POLLIN };

		if (now_ms() >= end) {
			kill(-pid, SIGKILL);
			waitpid(pid, &status, 0);
			break;
		}
		/* After the end of the output only the exit is left to come. */
		poll(&pollfd, 1, open ? POLL_MS : 1);
		if (pollfd.revents)
			open = drain(fd, text, used);
	}
	drain(fd, text, used);
	return status;
}

int command_run(const uint8_t *packed, size_t size, uint32_t timeout_ms,
		struct command_output *output)
{
	static char text[OUTPUT_LIMIT];
	char *words = malloc(size + 1), *argv[ARGS_MAX + 1];
	size_t argc = 0, used = 0;
	int pipes[2], error = 0;
	pid_t pid;

	if (!words)
		return -ENOMEM;
	memcpy(words, packed, size);
	words[size] = '\0';
	for (size_t at = 0; at < size && argc < ARGS_MAX; at += strlen(words + at) + 1)
		argv[argc++] = words + at;
	argv[argc] = NULL;
	if (!argc || !*argv[0]) {
		error = -EINVAL;
		goto out;
	}
	if (pipe2(pipes, O_CLOEXEC)) {
		error = -errno;
		goto out;
	}
	fcntl(pipes[0], F_SETFL, O_NONBLOCK);
	pid = fork();
	if (pid == 0)
		child(argv, pipes[1]);
	if (pid < 0)
		error = -errno;
	close(pipes[1]);
	if (pid > 0) {
		setpgid(pid, pid);
		output->status = (uint32_t)supervise(pid, pipes[0], timeout_ms, text, &used);
		output->text = text;
		output->size = used;
	}
	close(pipes[0]);
out:
	free(words);
	return error;
}
