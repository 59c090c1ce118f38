/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The architectural trace, trace=PATH: a record for each access to the GIC, in
 * the order in which the accesses took effect, in a ring.
 *
 * The ring is a mapped file: what was recorded survives whatever ends QEMU.
 * The file describes itself, so that a reader needs no table of this plugin:
 *
 *   struct trace_header, little-endian
 *   text up to header_size, NUL-padded, a line for each of
 *	record FORMAT NAME...		the layout, FORMAT as Python's struct has it
 *	interface NUMBER NAME
 *	op NUMBER NAME
 *	sysreg ENCODING NAME		16 bits, hexadecimal
 *	irs OFFSET NAME			hexadecimal
 *   capacity records; the one with sequence n is in slot (n - 1) % capacity
 *
 * A record whose sequence is not the one that its slot should have was being
 * written when QEMU died.  What was overwritten is written - capacity.
 */
#ifndef TRACE_H
#define TRACE_H

#include "types.h"

#define TRACE_MAGIC	  "GICv5TRC"
#define TRACE_VERSION	  1
#define TRACE_HEADER_SIZE 16384
#define TRACE_RECORDS	  65536 /* by default */
#define TRACE_RECORDS_MAX (1u << 24)

/*
 * HINT #127 has no meaning on any CPU. The agent executes it at EL0 to say
 * which operation comes now: x0 = program << 16 | operation, 0 between
 * programs. The guest does at EL1: x0 = guest operation.
 */
#define TRACE_MARK_INSN 0xd5032fffu

enum trace_interface {
	TRACE_PHYS, /* the physical CPU interface */
	TRACE_VIRT, /* EL1 sees the virtual CPU interface */
	TRACE_ICH,  /* EL2 only */
	TRACE_IRS,
	TRACE_VD,    /* GIC VD*, EL2 only */
	TRACE_AGENT, /* no access: a mark */
};

enum trace_op {
	TRACE_READ,
	TRACE_WRITE,
	TRACE_TRAP,  /* a fine-grained trap was delivered: val is ESR_EL2 */
	TRACE_UNDEF, /* UNDEF: val is the instruction */
	TRACE_MARK,
};

struct trace_event {
	u64 pc, val;
	u16 reg; /* encoding of the register or instruction; offset in the IRS frame */
	u8 size; /* bytes */
	u8 interface, op, cpu, el;
	u8 guest; /* HCR_EL2 is set up for a guest (IMO=1, TGE=0) */
};

struct trace_record {
	u64 sequence; /* from 1; 0 while the rest is being written */
	u64 time;     /* ns of the build machine's CLOCK_MONOTONIC */
	struct trace_event event;
};

struct trace_header {
	char magic[8];
	u32 version, header_size, record_size, capacity;
	u64 written;	       /* the highest sequence */
	u64 started, realtime; /* ns: CLOCK_MONOTONIC and CLOCK_REALTIME at the start */
};

extern struct trace_header *trace_ring; /* NULL: no trace */

/* False, and errno says why, if there can be no such file. */
bool trace_open(const char *path, u32 capacity);
/* Callers serialize their calls. */
void trace_write(const struct trace_event *event);

static inline bool trace_on(void)
{
	return trace_ring != NULL;
}

#endif
