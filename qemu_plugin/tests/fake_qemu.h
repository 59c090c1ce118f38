/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A QEMU that does just enough for the plugin to run on: vCPUs are threads,
 * their registers and the board's GICv2 are in memory, and instructions are
 * executed one at a time by whoever wrote the test. It follows QEMU in what
 * matters to locking: the GICv2 is behind a lock of QEMU's, and some callbacks
 * come with that lock held. Breaking a rule of the interface ends the test:
 *
 * - the plugin's lock is taken before QEMU's, never after;
 * - a callback returns, or leaves by set_pc, without the plugin's lock;
 * - registers belong to their vCPU's own thread.
 */
#ifndef FAKE_QEMU_H
#define FAKE_QEMU_H

#include "qemu_api.h"
#include "types.h"

void fake_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

/* Install the plugin as QEMU would. */
void fake_start(unsigned int nr_cpus, int argc, char **argv);
void fake_exit(void);

/* ---- on a vCPU's thread ----------------------------------------------------- */
void fake_vcpu_begin(unsigned int cpu);
void fake_vcpu_end(void);
u64 fake_reg(const char *name);
void fake_set_reg(const char *name, u64 val);
/*
 * Execute @word at @vaddr, which becomes the pc, with the callbacks that the
 * plugin wants. True if a callback set the pc (the "pc" register says where to);
 * otherwise the instruction is QEMU's, hence the caller's, to execute.
 */
bool fake_execute(u64 vaddr, u32 word);
/* Memory for tables; a store of eight bytes */
#define FAKE_RAM_BASE 0x40000000ull
#define FAKE_RAM_SIZE 0x10000u
void fake_poke(u64 addr, u64 val);
/* QEMU's lock, for devices */
void fake_bql_lock(void);
void fake_bql_unlock(void);
unsigned int fake_current_cpu(void);

/* ---- GICv2 (fake_gicv2.c); the first two want QEMU's lock held ---------------- */
u32 fake_gicv2_read(unsigned int cpu, u64 addr);
void fake_gicv2_write(unsigned int cpu, u64 addr, u32 val);
void fake_gicv2_ppi(unsigned int cpu, unsigned int ppi, bool level);
void fake_gicv2_spi(unsigned int spi, bool level);
bool fake_gicv2_irq(unsigned int cpu);
bool fake_gicv2_virq(unsigned int cpu);

#endif
