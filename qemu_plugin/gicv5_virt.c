// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The virtual CPU interface: what EL1 sees of it (ICC_* accesses with
 * HCR_EL2.IMO set) and what EL2 sees of it (ICH_*).
 *
 * There are no virtual SPIs and LPIs: that needs IRS virtualization. A VM
 * without a resident VPE may use its PPIs all the same.
 */
#include "gicv5_internal.h"

#define HFGRTR_MASK (GENMASK(20, 16) | GENMASK(7, 4) | GENMASK(2, 0))
#define HFGRTR_RES1 BIT(3)
#define HFGWTR_MASK (GENMASK(20, 17) | GENMASK(6, 5) | BIT(2) | BIT(0))
#define HFGITR_MASK GENMASK(10, 0)
#define VMCR_MASK   (GENMASK(31, 27) | BIT(0))
/* F, bit 62, is a result */
#define CONTEXTR_MASK (BIT(63) | GENMASK(61, 55) | GENMASK(47, 32) | GENMASK(15, 0))

/* A directly injected PPI takes its pending state from the physical PPI. */
static void virt_pend(const struct gicv5_cpu *c, u64 pend[2])
{
	u64 phys[2];

	gicv5_phys_pend(c, phys);
	for (unsigned int i = 0; i < 2; i++)
		pend[i] = (c->vppi.pend[i] & ~c->dvir[i]) | (phys[i] & c->dvir[i]);
}

/* Highest priority virtual interrupt if it is of sufficient priority, else idle */
static unsigned int virt_hppi(const struct gicv5_cpu *c, u32 *intid)
{
	unsigned int prio;
	u64 pend[2];

	if (!(c->vctlr & ICH_VCTLR_EN) || !(c->vmcr & ICH_VMCR_EN))
		return GICV5_PRI_IDLE;
	virt_pend(c, pend);
	prio = gicv5_ppi_hppi(&c->vppi, pend, intid);
	if (prio > ICH_VMCR_VPMR(c->vmcr) || prio >= gicv5_running(c->vapr))
		return GICV5_PRI_IDLE;
	return prio;
}

static u64 virt_hppir(const struct gicv5_cpu *c)
{
	u32 intid;

	return virt_hppi(c, &intid) < GICV5_PRI_IDLE ? GICV5_INTID_VALID | intid : 0;
}

bool gicv5_virq(const struct gicv5 *gic, unsigned int cpu)
{
	const struct gicv5_cpu *c = &gic->cpu[cpu];
	u32 intid;

	return c->el1_virtual && virt_hppi(c, &intid) < GICV5_PRI_IDLE;
}

/* Only direct injection makes the lines matter to a guest. */
static void virt_sample(struct gicv5 *gic, unsigned int cpu)
{
	if (gic->cpu[cpu].dvir[0])
		gicv5_sample_lines(gic, cpu);
}

u64 gicv5_virt_read(struct gicv5 *gic, unsigned int cpu, const struct gicv5_op *op)
{
	struct gicv5_cpu *c = &gic->cpu[cpu];
	u64 pend[2];

	switch (op->reg) {
	case REG_APR:
		return c->vapr;
	case REG_CR0:
		return (c->vmcr & ICH_VMCR_EN) | ICC_CR0_LINKED;
	case REG_PCR:
		return ICH_VMCR_VPMR(c->vmcr);
	case REG_HPPIR:
		virt_sample(gic, cpu);
		return virt_hppir(c);
	case REG_PPI_CPENDR:
	case REG_PPI_SPENDR:
		virt_sample(gic, cpu);
		/* fall through */
	case REG_PPI_ENABLER:
	case REG_PPI_CACTIVER:
	case REG_PPI_SACTIVER:
	case REG_PPI_PRIORITYR:
		virt_pend(c, pend);
		return gicv5_ppi_read(&c->vppi, op, pend);
	}
	return gicv5_shared_read(gic, cpu, op);
}

/* Set or clear pending bits; those of Level PPIs are read-only to EL1. */
static void virt_write_pend(struct gicv5_cpu *c, unsigned int n, u64 val, bool set)
{
	u64 edge = val & ~gicv5_hmr(n), virt = edge & ~c->dvir[n], phys = edge & c->dvir[n];

	if (set) {
		c->vppi.pend[n] |= virt;
		c->ppi.pend[n] |= phys;
	} else {
		c->vppi.pend[n] &= ~virt;
		c->ppi.pend[n] &= ~phys;
	}
}

void gicv5_virt_write(struct gicv5 *gic, unsigned int cpu, const struct gicv5_op *op, u64 val)
{
	struct gicv5_cpu *c = &gic->cpu[cpu];

	switch (op->reg) {
	case REG_APR:
		c->vapr = (u32)val;
		break;
	case REG_CR0:
		c->vmcr = (c->vmcr & ~ICH_VMCR_EN) | (val & ICC_CR0_EN);
		break;
	case REG_PCR:
		c->vmcr = (c->vmcr & ~GENMASK(31, 27)) | (val & 0x1f) << 27;
		break;
	case REG_PPI_CPENDR:
	case REG_PPI_SPENDR:
		virt_write_pend(c, op->n, val, op->reg == REG_PPI_SPENDR);
		break;
	default:
		gicv5_ppi_write(&c->vppi, op, val);
	}
}

static u64 virt_acknowledge(struct gicv5 *gic, unsigned int cpu)
{
	struct gicv5_cpu *c = &gic->cpu[cpu];
	unsigned int prio, n;
	u32 intid = 0;

	virt_sample(gic, cpu);
	prio = virt_hppi(c, &intid);
	if (prio == GICV5_PRI_IDLE)
		return 0;
	n = GICV5_ID(intid);
	c->vapr |= 1u << prio;
	c->vppi.active[n / 64] |= BIT(n % 64);
	virt_write_pend(c, n / 64, BIT(n % 64), false);
	return GICV5_INTID_VALID | intid;
}

u64 gicv5_virt_insn(struct gicv5 *gic, unsigned int cpu, const struct gicv5_op *op, u64 val)
{
	struct gicv5_cpu *c = &gic->cpu[cpu];

	switch (op->reg) {
	case GICR_CDIA:
		return virt_acknowledge(gic, cpu);
	case GIC_CDEOI:
		c->vapr &= c->vapr - 1;
		break;
	case GIC_CDDI:
		if (GICV5_TYPE(val) == GICV5_TYPE_PPI)
			gicv5_ppi_deactivate(&c->vppi, GICV5_ID(val));
		break;
	}
	/* The commands for SPIs and LPIs are NOPs while no VPE is resident. */
	return 0;
}

/* The plain registers: address and writable bits */
static u64 *ich_plain(struct gicv5_cpu *c, const struct gicv5_op *op, u64 *mask)
{
	*mask = ~(u64)0;
	switch (op->reg) {
	case REG_ICH_DVIR:
		return &c->dvir[op->n];
	case REG_ICH_ENABLER:
		return &c->vppi.enable[op->n];
	case REG_ICH_PENDR:
		return &c->vppi.pend[op->n];
	case REG_ICH_ACTIVER:
		return &c->vppi.active[op->n];
	case REG_ICH_PRIORITYR:
		*mask = PRIORITYR_MASK;
		return &c->vppi.prio[op->n];
	case REG_ICH_HFGRTR:
		*mask = HFGRTR_MASK;
		return &c->hfgrtr;
	case REG_ICH_HFGWTR:
		*mask = HFGWTR_MASK;
		return &c->hfgwtr;
	case REG_ICH_HFGITR:
		*mask = HFGITR_MASK;
		return &c->hfgitr;
	case REG_ICH_VCTLR: /* V3 is RES0 without a legacy interface */
		*mask = ICH_VCTLR_EN;
		return &c->vctlr;
	case REG_ICH_CONTEXTR:
		*mask = CONTEXTR_MASK;
		return &c->contextr;
	case REG_ICH_VMCR:
		*mask = VMCR_MASK;
		return &c->vmcr;
	}
	return NULL;
}

u64 gicv5_ich_read(struct gicv5 *gic, unsigned int cpu, const struct gicv5_op *op)
{
	struct gicv5_cpu *c = &gic->cpu[cpu];
	u64 mask;

	switch (op->reg) {
	case REG_ICH_APR:
		return c->vapr;
	case REG_ICH_HPPIR: /* what the guest would find in ICC_HPPIR_EL1 */
		virt_sample(gic, cpu);
		return virt_hppir(c);
	case REG_ICH_HFGRTR:
		return c->hfgrtr | HFGRTR_RES1;
	}
	return *ich_plain(c, op, &mask);
}

void gicv5_ich_write(struct gicv5 *gic, unsigned int cpu, const struct gicv5_op *op, u64 val)
{
	struct gicv5_cpu *c = &gic->cpu[cpu];
	u64 mask, *reg = ich_plain(c, op, &mask);

	if (op->reg == REG_ICH_APR)
		c->vapr = (u32)val;
	else if (reg)
		*reg = val & mask;
	/* KVM writes some thirty of these while EL1 is not virtual: nothing to signal then. */
	if (c->el1_virtual)
		gicv5_mark(gic, cpu);
}
