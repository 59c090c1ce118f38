/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a counting guest (guest.c) and its VMM (vm.c) share: one box per vCPU. */
#pragma once

#define GUEST_BASE 0x40000000
#define CODE_SIZE  0x10000
#define BOX_SIZE   0x2000
#define BOX_BASE   (GUEST_BASE + CODE_SIZE)
#define MMIO_END   0x10000000 /* a write here: the guest is done */
#define MMIO_FAULT 0x10000100 /* ... or took an exception that it should not have */
#define STACK_TOP  BOX_SIZE   /* the stack grows down towards the counters */

#ifndef __ASSEMBLER__
#include <stdint.h>

enum { TIMER_V, TIMER_P, NR_TIMERS };

struct box {
	/* From the VMM. It numbers its edges: the number is here before the edge is raised. */
	uint64_t rounds, seed, max_delta;
	uint64_t sent;
	uint64_t stop; /* no edge will follow the one that comes with this */

	/* From the guest. */
	uint64_t progress;	   /* moves whenever the guest gets on */
	uint64_t armed[NR_TIMERS]; /* waiting for this timer's interrupt */
	uint64_t cval[NR_TIMERS];
	uint64_t due[NR_TIMERS];   /* interrupts that must come, so far */
	uint64_t fired[NR_TIMERS]; /* ... and those that came */
	uint64_t cancelled;	   /* timers that expired unseen: no interrupt */
	uint64_t finished;	   /* all rounds; only the last edge is still to come */
	uint64_t handled;	   /* edges */
	uint64_t seen;		   /* ``sent`` as the last handler read it */
	uint64_t spurious, unexpected, early, extra;
	uint64_t late;		   /* ticks from a timer's time to its handler, worst */
	uint64_t vector, esr, elr; /* of a fault */
};
_Static_assert(sizeof(struct box) < 512, "leave room for the stack");
#endif
