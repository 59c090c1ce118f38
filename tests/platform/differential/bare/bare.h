/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the bare-metal interpreter and the build machine share: the memory map, and the bytes of
 * programs and results.  machine.py has the same layout; COMM_MAGIC changes with it.
 */
#pragma once

#define IMAGE_BASE   0x40200000 /* above the device tree that QEMU leaves at 0x40000000 */
#define COMM_BASE    0x41000000
#define PROGRAM_BASE 0x42000000
#define RESULT_BASE  0x44000000
#define IST_BASE     0x46000000
#define IST_SIZE     0x10000 /* 2^14 entries of 4 bytes: the smaller of x-5's two limits */

#define COMM_MAGIC 0x6469666635763032 /* "diff5v02" */
#define COMM_VIRT  24		      /* offset of virt */
#define MAX_CPUS   4
#define STACK_SIZE 0x1000

/* Offsets in struct cpu for the assembler */
#define CPU_FAULT 0
#define CPU_PANIC 8
#define CPU_IRQS  32

#define FAULT_TAKEN_BIT 63

#ifndef __ASSEMBLER__
#include <stddef.h>
#include <stdint.h>

enum code {
	OP_READ,      /* reg */
	OP_WRITE,     /* reg, value; the result is the register read back if that is possible */
	OP_WINDOW,    /* IRQs on for a moment: value is their number (and, from bit
			 32, that of IRQs without an interrupt), extra the first INTID */
	OP_IRS_READ,  /* off, reg: 4 or 8 bytes */
	OP_IRS_WRITE, /* off, reg: 4 or 8 bytes, value */
	OP_LINE,      /* level of SPI 1, the PL011's interrupt */
	OP_RESET_CPU, /* internal: part of the reset between programs */
	OP_SNAPSHOT,  /* internal: all that can be read of a CPU interface */
};

enum status { RESULT_DONE, RESULT_EXCEPTION /* value: ESR_EL1 */ };

struct op {
	uint8_t code, cpu;
	uint16_t reg; /* index into WIRE_REGISTERS, or a size */
	uint32_t off;
	uint64_t value;
};

struct result {
	uint64_t value;
	uint32_t extra, status;
};

#define SNAPSHOT_CPU 64 /* words for each CPU */
#define SNAPSHOT_IRS 64 /* words for the IRS */

struct comm {
	/* from the build machine, before the start */
	uint64_t magic, irs_base, nr_cpus;
	uint64_t virt; /* at EL2: give EL1 the virtual interface, so there is no IRS */
	/* a batch: the build machine counts request up, the interpreter makes done equal to it */
	uint64_t request, nr_programs, done;
	uint64_t current;  /* 1 + index of the running program */
	uint64_t ready;	   /* COMM_MAGIC once the interpreter waits for batches */
	uint64_t panic[4]; /* 1 + CPU, vector, ESR, ELR of an unforeseen exception */
	/* the state after a reset: at the first one, and at the last one that was different */
	uint64_t first[MAX_CPUS * SNAPSHOT_CPU + SNAPSHOT_IRS];
	uint64_t last[MAX_CPUS * SNAPSHOT_CPU + SNAPSHOT_IRS];
};

_Static_assert(offsetof(struct comm, virt) == COMM_VIRT, "start.S");
#endif
