/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Everything a loaded plugin owns. There is one machine per QEMU. */
#ifndef PLATFORM_H
#define PLATFORM_H

#include <pthread.h>

#include "gicv5.h"
#include "vcpu.h"
#include "wire.h"

struct platform {
	/*
	 * Guards gic and wire. QEMU's own lock is taken inside, by MMIO; never
	 * take this one where QEMU's may be held. qemu_plugin_set_pc() does
	 * not return: unlock first.
	 */
	pthread_mutex_t lock;
	struct gicv5 gic;
	struct wire wire;
	struct vcpu vcpu[GICV5_MAX_CPUS];
	bool idle; /* callbacks return at once, on whatever board */
};

extern struct platform platform;

static inline void platform_lock(void)
{
	pthread_mutex_lock(&platform.lock);
}

static inline void platform_unlock(void)
{
	pthread_mutex_unlock(&platform.lock);
}

/* sysreg.c: emulated registers and instructions */
void sysreg_cpuif(unsigned int cpu, void *ref);
void sysreg_ich(unsigned int cpu, void *ref);
void sysreg_vd(unsigned int cpu, void *ref);
void sysreg_unknown(unsigned int cpu, void *ref);
void sysreg_undef(unsigned int cpu, void *ref);
void sysreg_mark(unsigned int cpu, void *ref);

/* el2.c: exceptions to EL2 and the registers around them */
void el2_guest_irq(unsigned int cpu, void *ref);
void el2_eret(unsigned int cpu, void *ref);
void el2_write_hcr(unsigned int cpu, void *ref);
void el2_read_esr(unsigned int cpu, void *ref);
void el2_read_pfr2(unsigned int cpu, void *ref);
void el2_write_timer(unsigned int cpu, void *ref);
void el2_trap(unsigned int cpu, u32 word, u64 pc, const struct gicv5_op *op)
	__attribute__((noreturn));

/* irs_frame.c: loads and stores to the IRS */
void irs_frame_sync(unsigned int cpu, void *ref);

/* memory.c: the board's memory, for struct gicv5_board */
bool memory_read(void *ctx, u64 addr, void *buf, size_t len);
bool memory_write(void *ctx, u64 addr, const void *buf, size_t len);

/* filter.c: what to instrument */
void filter_translate(struct qemu_plugin_tb *tb, void *unused);

#endif
