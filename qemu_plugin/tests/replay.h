/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state machine driven by arrays of accesses: for the executable
 * specification (tests/platform/spec, through ctypes), and for the fuzzer.
 * The structures are a binary interface to spec/native.py.
 */
#ifndef REPLAY_H
#define REPLAY_H

#include "gicv5.h"

enum replay_kind {
	REPLAY_READ,	  /* MRS or SYSL of encoding .where, from EL .el */
	REPLAY_WRITE,	  /* MSR or SYS */
	REPLAY_IRS_READ,  /* .size bytes at offset .where */
	REPLAY_IRS_WRITE, /* likewise */
	REPLAY_LINES,	  /* PPI lines of a CPU become .val; nobody is told */
	REPLAY_SPI_LINE,  /* the wire of SPI .where becomes .val */
	REPLAY_GUEST,	  /* HCR_EL2: .val is "IMO and not TGE" */
	REPLAY_SIGNALS,	  /* result: bit 0 physical IRQ, bit 1 virtual IRQ */
	REPLAY_RESET,
	REPLAY_NMI,	  /* SCTLR_ELx.NMI of a CPU becomes .val */
	REPLAY_MEM_READ,  /* .size bytes at offset .where of the memory */
	REPLAY_MEM_WRITE, /* software writes there */
	REPLAY_KINDS,
};

enum replay_status { REPLAY_OK, REPLAY_UNDEF, REPLAY_TRAP, REPLAY_UNKNOWN };

struct replay_access {
	u8 kind, cpu, el, size;
	u32 where;
	u64 val;
};

struct replay_result {
	u64 val;
	u32 status;
	u32 broken; /* 0, or the number of the invariant that does not hold */
};

#define REPLAY_MEM_BASE 0x40000000ull
#define REPLAY_MEM_SIZE 0x60000u

struct replay {
	u64 lines[GICV5_MAX_CPUS];
	bool spi_line[GICV5_NR_SPIS], spi_latch[GICV5_NR_SPIS], spi_level[GICV5_NR_SPIS];
	u8 spi_target[GICV5_NR_SPIS];
	/* what the wires would show: recomputed for dirty CPUs only */
	struct gicv5_signals shown[GICV5_MAX_CPUS];
	bool shown_virq[GICV5_MAX_CPUS];
	u64 shown_listen[GICV5_MAX_CPUS];
	u8 mem[REPLAY_MEM_SIZE];
	struct gicv5 gic; /* last, as gicv5_init() knows best what of it needs clearing */
};

void replay_init(struct replay *r, unsigned int nr_cpus);
/* An access with .cpu beyond the CPUs is taken modulo their number. */
struct replay_result replay_step(struct replay *r, const struct replay_access *a);
/* Slow: every SPI and LPI. The number of the broken invariant, or 0. */
u32 replay_audit(const struct replay *r);
const char *replay_invariant(u32 number);

/* A machine for those who look at the result of each access before the next. */
struct replay *replay_open(unsigned int nr_cpus);
void replay_one(struct replay *r, const struct replay_access *a, struct replay_result *out);
void replay_close(struct replay *r);

/* From reset, all of @a. Returns the accesses done: fewer than @n if an invariant broke. */
size_t replay_run(unsigned int nr_cpus, const struct replay_access *a, struct replay_result *out,
		  size_t n);

#endif
