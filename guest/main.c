// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One binary: PID 1 of the initramfs, or with --stdio the agent as a program of a running system,
 * with --line the same on a terminal, or with --bench N the measure of what KVM alone costs, or with
 * --gcov the kernel's coverage.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent.h"
#include "line.h"

int main(int argc, char **argv)
{
	struct channel channel;

	if (getpid() == 1)
		return init_main();
	if (argc == 2 && !strcmp(argv[1], "--stdio")) {
		channel_init(&channel, STDIN_FILENO, STDOUT_FILENO, false);
		return agent_serve(&channel);
	}
	if (argc == 4 && !strcmp(argv[1], "--line"))
		return line_main(argv[2], argv[3]);
	if (argc == 2 && !strcmp(argv[1], "--version")) {
		printf("gicv5 agent, protocol %#x\n", WIRE_HASH);
		return 0;
	}
	if (argc == 3 && !strcmp(argv[1], "--bench"))
		return bench_main(argv[2]);
	if (argc == 2 && !strcmp(argv[1], "--gcov"))
		return gcov_main();
	fprintf(stderr,
		"usage: %s --stdio | --line SESSION PATIENCE | --version | --bench N | --gcov\n",
		argv[0]);
	return 2;
}
