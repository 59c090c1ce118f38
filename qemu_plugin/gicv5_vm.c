// SPDX-License-Identifier: GPL-2.0-or-later
/* Which VPE is resident where, the doorbell of one that is not, and who hears of a change. */
#include "gicv5_internal.h"

/* ---- what becomes of a change -------------------------------------------------- */
static bool resident_somewhere(const struct gicv5 *gic, u32 vm, u32 vpe)
{
	for (unsigned int cpu = 0; cpu < gic->nr_cpus; cpu++)
		if (gicv5_resident(&gic->cpu[cpu], vm, vpe))
			return true;
	return false;
}

/* A doorbell rings once, when something that it was asked for is pending: a standing condition. */
static void doorbell(struct gicv5 *gic, u32 vm, u32 vpe)
{
	struct gicv5_vpe *p = &gic->vm[vm].vpe[vpe];
	u32 intid;

	if (!p->req || !p->dbv || resident_somewhere(gic, vm, vpe))
		return;
	if (gicv5_vist_hppi(gic, vm, vpe, GICV5_PRI_IDLE, &intid) > p->dbpm)
		return;
	p->req = false;
	gic->doorbells++;
	gicv5_lpi_pend(gic, p->lpi);
}

/* The interrupts of @vpe have changed: tell the CPU where it is resident, or its doorbell. */
static void vpe_changed(struct gicv5 *gic, u32 vm, u32 vpe)
{
	for (unsigned int cpu = 0; cpu < gic->nr_cpus; cpu++)
		if (gicv5_resident(&gic->cpu[cpu], vm, vpe))
			gicv5_mark(gic, cpu);
	if (vpe < GICV5_NR_VPES && gic->vm_mapped[vm])
		doorbell(gic, vm, vpe);
}

/* Any of its interrupts */
void gicv5_vm_changed(struct gicv5 *gic, u32 vm)
{
	for (u32 vpe = 0; vpe < GICV5_NR_VPES; vpe++)
		vpe_changed(gic, vm, vpe);
}

/* @operand: as of the GIC CD* instruction @command */
void gicv5_vm_command(struct gicv5 *gic, unsigned int cpu, u32 vm, enum gicv5_reg command,
		      u64 operand)
{
	u32 was, is;

	if (!gicv5_vist_command(gic, cpu, vm, command, operand, &was, &is))
		return;
	vpe_changed(gic, vm, is);
	if (was != is)
		vpe_changed(gic, vm, was);
}

/* ---- residency and doorbells --------------------------------------------------------- */
/* @dbr: a value of IRS_VPE_DBR */
void gicv5_vpe_write_dbr(struct gicv5 *gic, u32 vm, u32 vpe, u64 dbr)
{
	struct gicv5_vpe *p;

	if (!gicv5_vpe_valid(gic, vm, vpe))
		return;
	p = &gic->vm[vm].vpe[vpe];
	p->dbv = FIELD(dbr, 63, 63);
	p->req = FIELD(dbr, 62, 62);
	p->dbpm = (u8)FIELD(dbr, 36, 32);
	p->lpi = (u32)FIELD(dbr, 23, 0);
	doorbell(gic, vm, vpe);
}

u64 gicv5_vpe_read_dbr(const struct gicv5 *gic, u32 vm, u32 vpe)
{
	const struct gicv5_vpe *p;

	if (!gicv5_vpe_valid(gic, vm, vpe))
		return 0;
	p = &gic->vm[vm].vpe[vpe];
	return (u64)p->dbv << 63 | (u64)p->req << 62 | (u64)p->dbpm << 32 | p->lpi;
}

/*
 * ICH_CONTEXTR_EL2: V=1 makes a VPE resident, V=0 takes the one that is off
 * the CPU. Either cancels an older request for its doorbell; the latter may
 * make a new one.
 */
void gicv5_context_write(struct gicv5 *gic, unsigned int cpu, u64 val)
{
	struct gicv5_cpu *c = &gic->cpu[cpu];
	u32 vm = ICH_CONTEXTR_VM(val), vpe = ICH_CONTEXTR_VPE(val);
	u64 old = c->contextr;

	c->contextr = val & CONTEXTR_MASK;
	if (val & ICH_CONTEXTR_V) {
		if (!gicv5_vpe_valid(gic, vm, vpe) || gic->options.fault == GICV5_FAULT_CONTEXTR)
			c->contextr = (c->contextr & ~ICH_CONTEXTR_V) | ICH_CONTEXTR_F;
		else
			gic->vm[vm].vpe[vpe].req = false;
	}
	if (old & ICH_CONTEXTR_V) {
		struct gicv5_vpe *p;

		vm = ICH_CONTEXTR_VM(old);
		vpe = ICH_CONTEXTR_VPE(old);
		p = &gic->vm[vm].vpe[vpe];
		if (!(val & ICH_CONTEXTR_V)) {
			p->req = val & ICH_CONTEXTR_DB;
			p->dbpm = ICH_CONTEXTR_DBPM(val);
		}
		doorbell(gic, vm, vpe); /* IRS_VPE_DBR may have asked for it before */
	}
}
