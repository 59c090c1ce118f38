/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Marks in the platform's trace of GIC accesses (qemu_plugin/trace.h): what follows belongs to this
 * operation.  The instruction has no meaning to a CPU: elsewhere it is a NOP.
 */
#pragma once

#include <stdint.h>

/* The agent: this operation of a program comes now. */
#define MARK_OPERATION(program, operation) ((uint64_t)(program) << 16 | (operation))
/* The agent: the program is over. */
#define MARK_END 0

static inline void mark(uint64_t what)
{
	register uint64_t x0 __asm__("x0") = what;

	__asm__ volatile("hint #127" ::"r"(x0) : "memory");
}
