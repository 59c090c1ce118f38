/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "channel.h"

/* Serve the harness until QUIT or the end of the channel; returns an exit status. */
int agent_serve(struct channel *channel);

void probe(struct wire_hello *hello);

/* PID 1 of an initramfs: prepare the machine, let a child serve, power off. */
int init_main(void);

/* Programs without protocol and process, as fast as they go. */
int bench_main(const char *count);

/* The coverage counters of the kernel, to stdout. */
int gcov_main(void);
