/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A program: checking it, executing it, and executing it in another process. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire.h"

struct program {
	uint32_t deadline_ms, count;
	struct wire_record records[MAX_RECORDS];
};

/*
 * What a program's process and its supervisor share.  It could be any memory: a program's process
 * has all of it, but file descriptors, signals and a death of its own.
 *
 * Only the supervisor can tell a blocked WFI from a completed one: it watches ``waiting`` in the
 * mailbox of the vCPU that runs, and interrupts that vCPU when the guest has not left the same WFI
 * for ``wait_ms``.  In a parallel section each branch has a watch of its own.
 */
#define NO_RECORD UINT32_MAX

struct branch_progress {
	uint32_t record;   /* the operation under way, or NO_RECORD */
	uint32_t done;	   /* this branch has ended */
	uint32_t tid, cpu; /* of its thread; 0 outside of parallel sections */
	struct {
		uint32_t armed; /* 0, or the number of this watch */
		uint32_t vm, vcpu, wait_ms;
		uint64_t verdict; /* the ``waiting`` that was found to be blocked, or 0 */
	} watch;
	struct {
		uint32_t vm, vcpu, first, count; /* guest operations under way, for the survivor */
	} run;
};

struct progress {
	struct program program;
	uint32_t sequence; /* of the frame that brought it */
	uint32_t done;	   /* executed, and its VMs are gone */
	uint32_t width;	   /* branches under way: 1, the first, outside of parallel sections */
	struct branch_progress branches[MAX_BRANCHES];
	struct wire_result results[MAX_RECORDS];
};

extern volatile struct progress progress;

/* Read a RUN payload.  False: ``reason`` says what is wrong with it. */
bool program_parse(struct program *program, const uint8_t *payload, size_t size, char *reason,
		   size_t reason_size);

/* Execute every operation of progress.program in this process. */
void program_execute(void);

/* Execute the operation at a record; the record after it. */
uint32_t execute_one(uint32_t index, unsigned int branch);

/* Execute a parallel section in threads; the record after it. */
uint32_t parallel_execute(uint32_t index);

/* A process is stuck in the kernel: its threads keep their stacks. */
void parallel_abandon(void);

/* Index of a register in the wire's table, or -1; its guest_flags as a side effect. */
int register_lookup(uint32_t encoding, unsigned int *read_flags, unsigned int *write_flags);

/*
 * Execute progress.program in another process, until it ends or the deadline passes; all results
 * are in progress.results then.  0 or a negative errno if there is no process.
 */
int program_supervise(uint32_t *ending, uint32_t *signal);

/* End that process, which the next program starts anew: it keeps files open. */
void program_dismiss(void);

/* Copy what the guest did of a branch's run under way to the results. */
void run_harvest(unsigned int branch);
