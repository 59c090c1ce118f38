/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The architectural trace, trace=PATH: one line for each access to the GIC,
 * in the order in which the accesses took effect.
 *
 *   cpu=0 el=2 pc=0xffff800080a1b2c4 ctx=host if=ich op=write reg=ICH_VMCR_EL2 val=0xf8000001
 *
 * ctx  guest while HCR_EL2 is set up for a guest (IMO=1, TGE=0), else host
 * if   phys, virt (EL1 sees the virtual CPU interface), ich (EL2 only), irs,
 *      vd (GIC VD*, EL2 only)
 * op   read, write; trap (a fine-grained trap was delivered; val is ESR_EL2)
 */
#ifndef TRACE_H
#define TRACE_H

#include <stdio.h>

#include "types.h"

struct trace_event {
	u64 pc, val;
	unsigned int cpu, el;
	bool guest;
	const char *interface, *op, *reg;
};

extern FILE *trace_file; /* NULL: no trace */

bool trace_open(const char *path);
void trace_close(void);
void trace_write(const struct trace_event *ev);

static inline bool trace_on(void)
{
	return unlikely(trace_file != NULL);
}

#endif
