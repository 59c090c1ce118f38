// SPDX-License-Identifier: GPL-2.0-or-later
/* The CPU interface that an instruction meets: the physical or the virtual one. */
#include "gicv5_internal.h"

u64 gicv5_icc_read(struct gicv5 *gic, unsigned int cpu, const struct gicv5_op *op, bool virt)
{
	return virt ? gicv5_virt_read(gic, cpu, op) : gicv5_phys_read(gic, cpu, op);
}

void gicv5_icc_write(struct gicv5 *gic, unsigned int cpu, const struct gicv5_op *op, bool virt,
		     u64 val)
{
	if (op->reg == REG_ICSR) {
		/* one register for host and guest: KVM swaps it */
		gic->cpu[cpu].icsr = val & ICSR_MASK;
		return;
	}
	if (virt)
		gicv5_virt_write(gic, cpu, op, val);
	else
		gicv5_phys_write(gic, cpu, op, val);
	gicv5_mark(gic, cpu);
}

u64 gicv5_insn(struct gicv5 *gic, unsigned int cpu, const struct gicv5_op *op, bool virt, u64 val)
{
	/* Everything takes effect at once, so there is nothing to wait for. */
	if (op->reg == GSB_SYS || op->reg == GSB_ACK)
		return 0;
	if (op->class == GICV5_EL2_ONLY) {
		gicv5_virt_vd(gic, cpu, op, val);
		return 0;
	}
	gicv5_mark(gic, cpu);
	return virt ? gicv5_virt_insn(gic, cpu, op, val) : gicv5_phys_insn(gic, cpu, op, val);
}
