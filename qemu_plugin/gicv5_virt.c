// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The virtual CPU interface: what EL1 sees of it (ICC_* accesses with
 * HCR_EL2.IMO set) and what EL2 sees of it (ICH_*).
 *
 * A VM has virtual SPIs and LPIs (gicv5_vist.c) while one of its VPEs is
 * resident. It may use its PPIs without.
 */
#include "gicv5_internal.h"

#define HFGRTR_MASK (GENMASK(20, 16) | GENMASK(7, 4) | GENMASK(2, 0))
#define HFGRTR_RES1 BIT(3)
#define HFGWTR_MASK (GENMASK(20, 17) | GENMASK(6, 5) | BIT(2) | BIT(0))
#define HFGITR_MASK GENMASK(10, 0)
#define VMCR_MASK   (GENMASK(31, 27) | BIT(0))

/* A directly injected PPI takes its pending state from the physical PPI. */
static void virt_pend(const struct gicv5_cpu *c, u64 pend[2])
{
	u64 phys[2];

	gicv5_phys_pend(c, phys);
	for (unsigned int i = 0; i < 2; i++)
		pend[i] = (c->vppi.pend[i] & ~c->dvir[i]) | (phys[i] & c->dvir[i]);
}

static bool vpe_resident(const struct gicv5_cpu *c)
{
	return c->contextr & ICH_CONTEXTR_V;
}

/* Highest priority virtual interrupt if it is of sufficient priority, else idle */
static unsigned int virt_hppi(const struct gicv5 *gic, unsigned int cpu, u32 *intid)
{
	const struct gicv5_cpu *c = &gic->cpu[cpu];
	unsigned int prio;
	u64 pend[2];

	if (!(c->vctlr & ICH_VCTLR_EN) || !(c->vmcr & ICH_VMCR_EN))
		return GICV5_PRI_IDLE;
	virt_pend(c, pend);
	prio = gicv5_ppi_hppi(&c->vppi, pend, intid);
	if (vpe_resident(c) && !(c->contextr & ICH_CONTEXTR_IRICHPPIDIS))
		prio = gicv5_vist_hppi(gic, ICH_CONTEXTR_VM(c->contextr),
				       ICH_CONTEXTR_VPE(c->contextr), prio, intid);
	if (prio > ICH_VMCR_VPMR(c->vmcr) || prio >= gicv5_running(c->vapr))
		return GICV5_PRI_IDLE;
	return prio;
}

static u64 virt_hppir(const struct gicv5 *gic, unsigned int cpu)
{
	u32 intid;

	return virt_hppi(gic, cpu, &intid) < GICV5_PRI_IDLE ? GICV5_INTID_VALID | intid : 0;
}

bool gicv5_virq(const struct gicv5 *gic, unsigned int cpu)
{
	u32 intid;

	return gic->cpu[cpu].el1_virtual && virt_hppi(gic, cpu, &intid) < GICV5_PRI_IDLE;
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
		return virt_hppir(gic, cpu);
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

static u64 virt_acknowledge(struct gicv5 *gic, unsigned int cpu, bool nmi)
{
	struct gicv5_cpu *c = &gic->cpu[cpu];
	unsigned int prio, n;
	u32 intid = 0;

	virt_sample(gic, cpu);
	prio = virt_hppi(gic, cpu, &intid);
	if (prio == GICV5_PRI_IDLE || !gicv5_acknowledges(c, prio, nmi))
		return 0;
	n = GICV5_ID(intid);
	c->vapr |= 1u << prio;
	if (GICV5_TYPE(intid) == GICV5_TYPE_PPI) {
		c->vppi.active[n / 64] |= BIT(n % 64);
		virt_write_pend(c, n / 64, BIT(n % 64), false);
	} else {
		gicv5_vist_activate(gic, ICH_CONTEXTR_VM(c->contextr), intid);
	}
	return GICV5_INTID_VALID | intid;
}

/* A command for an SPI or LPI of the resident VPE's VM; a NOP if no VPE is resident */
static void iri_command(struct gicv5 *gic, unsigned int cpu, enum gicv5_reg command, u64 operand)
{
	const struct gicv5_cpu *c = &gic->cpu[cpu];

	if (vpe_resident(c))
		gicv5_vm_command(gic, cpu, ICH_CONTEXTR_VM(c->contextr), command, operand);
}

u64 gicv5_virt_insn(struct gicv5 *gic, unsigned int cpu, const struct gicv5_op *op, u64 val)
{
	struct gicv5_cpu *c = &gic->cpu[cpu];

	switch (op->reg) {
	case GICR_CDIA:
	case GICR_CDNMIA:
		return virt_acknowledge(gic, cpu, op->reg == GICR_CDNMIA);
	case GIC_CDEOI:
		c->vapr &= c->vapr - 1;
		return 0;
	case GIC_CDDI:
		if (GICV5_TYPE(val) == GICV5_TYPE_PPI) {
			gicv5_ppi_deactivate(&c->vppi, GICV5_ID(val));
			return 0;
		}
		break;
	}
	iri_command(gic, cpu, op->reg, val);
	return 0;
}

/*
 * GIC VD*, from EL2. VDPEND names its VM; the others have the operand of their
 * CD* and mean the VM of the resident VPE.
 */
void gicv5_virt_vd(struct gicv5 *gic, unsigned int cpu, const struct gicv5_op *op, u64 val)
{
	switch (op->reg) {
	case GIC_VDPEND:
		gicv5_vm_command(gic, cpu, (u32)FIELD(val, 47, 32), GIC_CDPEND,
				 FIELD(val, 63, 63) << 32 | FIELD(val, 31, 0));
		break;
	case GIC_VDDIS:
		iri_command(gic, cpu, GIC_CDDIS, val);
		break;
	case GIC_VDEN:
		iri_command(gic, cpu, GIC_CDEN, val);
		break;
	case GIC_VDPRI:
		iri_command(gic, cpu, GIC_CDPRI, val);
		break;
	case GIC_VDAFF:
		iri_command(gic, cpu, GIC_CDAFF, val);
		break;
	case GIC_VDRCFG:
		iri_command(gic, cpu, GIC_CDRCFG, val);
		break;
	case GIC_VDDI:
		iri_command(gic, cpu, GIC_CDDI, val);
		break;
	case GIC_VDHM:
		iri_command(gic, cpu, GIC_CDHM, val);
		break;
	}
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
		return virt_hppir(gic, cpu);
	case REG_ICH_HFGRTR:
		return c->hfgrtr | HFGRTR_RES1;
	case REG_ICH_CONTEXTR:
		return c->contextr;
	}
	return *ich_plain(c, op, &mask);
}

void gicv5_ich_write(struct gicv5 *gic, unsigned int cpu, const struct gicv5_op *op, u64 val)
{
	struct gicv5_cpu *c = &gic->cpu[cpu];
	u64 mask, *reg = ich_plain(c, op, &mask);

	if (op->reg == REG_ICH_APR)
		c->vapr = (u32)val;
	else if (op->reg == REG_ICH_CONTEXTR)
		gicv5_context_write(gic, cpu, val);
	else if (reg)
		*reg = val & mask;
	/* KVM writes some thirty of these while EL1 is not virtual: nothing to signal then. */
	if (c->el1_virtual)
		gicv5_mark(gic, cpu);
}
