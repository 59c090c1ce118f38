/* SPDX-License-Identifier: GPL-2.0-or-later */
/* EXEC: a command of the host's own. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* argv as the frame has it: strings that end with NUL (the last NUL may be missing). */
struct command_output {
	uint32_t status; /* as wait() gives it */
	const char *text;
	size_t size;
};

/* Run a command to its end, or kill it.  0 or a negative errno; -EINVAL: no argv. */
int command_run(const uint8_t *argv, size_t size, uint32_t timeout_ms,
		struct command_output *output);
