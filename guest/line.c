// SPDX-License-Identifier: GPL-2.0-or-later
#include "line.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "agent.h"
#include "arq.h"
#include "clock.h"

/* Nothing came from the harness for so long, although it sends something every two seconds. */
#define SILENCE_MS 30000

/* How long the last packets may take to be acknowledged. */
#define FAREWELL_MS 5000

#define TICK_MS 20

static struct arq arq;

static void write_all(int fd, const uint8_t *data, size_t size)
{
	while (size) {
		ssize_t n = write(fd, data, size);

		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return; /* the reader's end says so, too */
		if (n > 0) {
			data += n;
			size -= (size_t)n;
		}
	}
}

static void to_agent(void *context, const uint8_t *data, size_t size)
{
	write_all(*(int *)context, data, size);
}

static void to_line(void *context, const uint8_t *data, size_t size)
{
	(void)context;
	write_all(STDOUT_FILENO, data, size);
}

/* Between the line and the agent's pipes, until one of them ends.  0: the agent was done. */
static int relay(int to, int from)
{
	bool open = true;
	uint64_t farewell = 0;

	for (;;) {
		struct pollfd fds[2] = {
			{ .fd = STDIN_FILENO, .events = POLLIN },
			{ .fd = open && arq_room(&arq) ? from : -1, .events = POLLIN },
		};
		uint8_t data[DEFLATE_CHUNK];
		uint64_t now;
		ssize_t n;

		poll(fds, 2, arq_idle(&arq) ? 500 : TICK_MS);
		now = now_ms();
		if (fds[0].revents) {
			n = read(STDIN_FILENO, data, sizeof(data));
			if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
				return 1; /* the terminal hung up */
			if (n > 0)
				arq_receive(&arq, data, (size_t)n, now, to_agent, &to);
		}
		if (fds[1].revents) {
			n = read(from, data, sizeof(data));
			if (n > 0) {
				arq_send(&arq, data, (size_t)n);
			} else if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
				open = false;
				farewell = now + FAREWELL_MS;
				arq_finish(&arq);
			}
		}
		arq_output(&arq, now, to_line, NULL);
		if (!open && (arq_idle(&arq) || now > farewell))
			return 0;
		if (arq.killed || arq.broken || now - arq.heard > SILENCE_MS)
			return 1;
	}
}

int line_main(const char *session, const char *patience)
{
	struct termios before, raw;
	int requests[2], answers[2], ended;
	pid_t pid;

	if (tcgetattr(STDIN_FILENO, &before)) {
		fprintf(stderr, "gicv5: --line needs a terminal: %s\n", strerror(errno));
		return 2;
	}
	/* Pipes: a kernel may be built without sockets. */
	if (pipe2(requests, O_CLOEXEC) || pipe2(answers, O_CLOEXEC)) {
		fprintf(stderr, "gicv5: no pipe: %s\n", strerror(errno));
		return 2;
	}
	pid = fork();
	if (pid == 0) {
		struct channel channel;

		close(requests[1]);
		close(answers[0]);
		channel_init(&channel, requests[0], answers[1], false);
		_exit(agent_serve(&channel));
	}
	close(requests[0]);
	close(answers[1]);
	if (pid < 0) {
		fprintf(stderr, "gicv5: no process: %s\n", strerror(errno));
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	raw = before;
	cfmakeraw(&raw);
	raw.c_cflag |= CREAD | CLOCAL;
	tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	arq_init(&arq, (uint8_t)atoi(session), (uint32_t)atoi(patience), now_ms());
	ended = relay(requests[1], answers[0]);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
	return ended;
}
