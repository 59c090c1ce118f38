/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * GICv2 as two wires.
 *
 * A plugin cannot raise a CPU's interrupt line, but it can program the board's
 * GICv2, whose registers are all memory-mapped. Nobody acknowledges anything
 * there: GICC keeps the CPU's IRQ up for as long as a line is both pending and
 * enabled, so its enable bits are kept equal to "GICv5 would signal this now".
 * GICH drives the virtual IRQ, by one list register that holds a dummy.
 */
#ifndef WIRE_H
#define WIRE_H

#include "gicv5.h"
#include "qemu_api.h"

struct wire_cpu {
	bool ready;		     /* GICC and GICH of this CPU are set up */
	u32 ppi;		     /* what GICD_ISENABLER0 holds */
	u32 spi[GICV5_NR_SPIS / 32]; /* SPIs that this CPU listens to */
	bool doorbell;		     /* the SGI is pending */
	bool virq;		     /* the list register is occupied */
	bool excused;		     /* by another CPU, if it takes an interrupt and finds none */
};

struct wire {
	GByteArray *buf;
	bool dist_ready;
	u32 spi[GICV5_NR_SPIS / 32]; /* what GICD_ISENABLER1.. hold */
	struct wire_cpu cpu[GICV5_MAX_CPUS];
};

extern const struct gicv5_board wire_board;

/* Refuses the machine if its GICv2 is not what is needed. */
void wire_probe(void);
/* On the CPU's own thread; cheap once it has been done. */
void wire_init_cpu(unsigned int cpu);
/*
 * Nobody tells a plugin of a reset, but it turns the GICv2 off, which nothing
 * else does. True until wire_reset().
 */
bool wire_machine_was_reset(void);
void wire_reset(void);
/* Make the wires agree with the GICv5, on the thread of CPU @me. */
void wire_sync(unsigned int me);
/*
 * CPU @me acknowledges. True if another CPU has, since it last did, taken away
 * what it may have been about to take: then finding nothing is no fault.
 */
bool wire_take_excuse(unsigned int me);

#endif
