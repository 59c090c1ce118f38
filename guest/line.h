/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The agent on a terminal that it shares with kernel messages: a board's console. */
#pragma once

/*
 * Serve the harness on the terminal that is our stdin and stdout.  ``session`` tells our packets
 * from those of an earlier run, ``patience`` (ms) is how long the line may take to carry a window.
 */
int line_main(const char *session, const char *patience);
