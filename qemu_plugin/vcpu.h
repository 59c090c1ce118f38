/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A vCPU as the plugin sees it: its registers, and what EL2 is up to. */
#ifndef VCPU_H
#define VCPU_H

#include <pthread.h>

#include "gicv5.h"
#include "qemu_api.h"

enum vcpu_reg {
	VR_X0,
	VR_X30 = VR_X0 + 30,
	VR_PC,
	VR_CPSR,
	VR_HCR_EL2,
	VR_ID_AA64PFR2_EL1,
	VR_ID_AA64MMFR0_EL1,
	VR_ESR_EL1,
	VR_ESR_EL2,
	VR_FAR_EL1,
	VR_FAR_EL2,
	VR_ELR_EL1,
	VR_ELR_EL2,
	VR_SPSR_EL1,
	VR_SPSR_EL2,
	VR_VBAR_EL1,
	VR_VBAR_EL2,
	VR_SCTLR_EL1,
	VR_SCTLR_EL2,
	NR_VCPU_REGS,
};

struct vcpu_stats {
	u64 irs, traps, microexits, cdia, withdrawn, spurious, vcdia, hooks, unknown, undelivered,
		vd, kicks;
};

struct vcpu {
	pthread_t thread;
	bool present;
	GByteArray *buf; /* QEMU hands registers over in these */
	struct qemu_plugin_register *reg[NR_VCPU_REGS];

	/* A fine-grained trap that waits for the CPU to take an IRQ at trap_pc */
	bool trap_pending;
	u64 trap_pc, trap_esr;
	/* It has been delivered, and EL2 has yet to leave again */
	bool esr_valid;
	u64 esr;
	u64 eret_pc; /* of the ERET that last entered the guest; 0: none */

	struct vcpu_stats stats;
};

u64 vcpu_read(struct vcpu *v, enum vcpu_reg r);
void vcpu_write(struct vcpu *v, enum vcpu_reg r, u64 val, unsigned int size);
u64 vcpu_read_x(struct vcpu *v, unsigned int n); /* 31 is XZR */
void vcpu_write_x(struct vcpu *v, unsigned int n, u64 val);
bool vcpu_nmi(struct vcpu *v, unsigned int el); /* SCTLR_ELx.NMI */
unsigned int vcpu_el(struct vcpu *v);		/* 0 in AArch32 state as well: no GICv5 there */

void vcpu_init(unsigned int cpu, void *unused);
/* Refuses a CPU on which KVM's GICv5 cannot work. */
void vcpu_probe(struct vcpu *v);
/* Forget what a CPU was doing before the machine was reset. */
void vcpu_reset(struct vcpu *v);

/* ---- instrumented instructions ------------------------------------------- */
/*
 * What a callback must know of its instruction fits into the pointer QEMU
 * keeps for it, so there are no records to free when QEMU drops a translation.
 */
struct insn {
	u32 word;
	u16 page_off; /* of its address, within a 4 KB page */
	u8 op;	      /* index into gicv5_ops[] */
};

static inline void *insn_pack(u32 word, u64 vaddr, unsigned int op)
{
	return (void *)(uintptr_t)(word | (vaddr & 0xfff) << 32 | (u64)op << 48);
}

static inline struct insn insn_unpack(const void *p)
{
	u64 v = (uintptr_t)p;

	return (struct insn){ .word = (u32)v, .page_off = v >> 32 & 0xfff, .op = (u8)(v >> 48) };
}

static inline u16 insn_enc(u32 word) /* of MSR, MRS, SYS, SYSL */
{
	return (u16)((word >> 5 & 0x3fff) | (word >> 19 & 3) << 14);
}

static inline bool insn_is_read(u32 word)
{
	return word >> 21 & 1;
}

static inline unsigned int insn_rt(u32 word)
{
	return word & 31;
}

u64 vcpu_pc(struct vcpu *v, struct insn in);

#endif
