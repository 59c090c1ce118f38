// SPDX-License-Identifier: GPL-2.0-or-later
/* The physical CPU interface. */
#include "gicv5_internal.h"

void gicv5_phys_pend(const struct gicv5_cpu *c, u64 pend[2])
{
	pend[0] = (c->line & gicv5_hmr(0)) | c->ppi.pend[0];
	pend[1] = c->ppi.pend[1];
}

static unsigned int phys_hppi(struct gicv5 *gic, unsigned int cpu, u32 *intid)
{
	struct gicv5_cpu *c = &gic->cpu[cpu];
	unsigned int best;
	u64 pend[2];

	/* Asking for the lines costs; only enabled, inactive Level PPIs need them. */
	if (c->ppi.enable[0] & ~c->ppi.active[0] & gicv5_hmr(0))
		gicv5_sample_lines(gic, cpu);
	gicv5_phys_pend(c, pend);
	best = gicv5_ppi_hppi(&c->ppi, pend, intid);
	return gicv5_iri_hppi(gic, cpu, best, intid);
}

bool gicv5_phys_pending(struct gicv5 *gic, unsigned int cpu)
{
	u32 intid;

	return gicv5_phys_sufficient(&gic->cpu[cpu], phys_hppi(gic, cpu, &intid));
}

void gicv5_phys_signals(const struct gicv5 *gic, unsigned int cpu, struct gicv5_signals *out)
{
	const struct gicv5_cpu *c = &gic->cpu[cpu];
	u64 edge[2] = { 0, 0 };

	*out = (struct gicv5_signals){ 0 };
	if (!(c->cr0 & ICC_CR0_EN))
		return;
	for (unsigned int bank = 0; bank < 2; bank++) {
		u64 m = c->ppi.enable[bank] & ~c->ppi.active[bank];

		/* A Level PPI of bank 1 has no line and can never pend. */
		if (bank)
			m &= ~gicv5_hmr(bank);
		for (; m; m &= m - 1) {
			unsigned int n = (unsigned int)__builtin_ctzll(m);

			if (!gicv5_phys_sufficient(c, gicv5_ppi_prio(&c->ppi, bank * 64 + n)))
				continue;
			if (gicv5_hmr(bank) & BIT(n))
				out->ppi |= BIT(n);
			else
				edge[bank] |= c->ppi.pend[bank] & BIT(n);
		}
	}
	out->now = edge[0] || edge[1] || gicv5_lpi_signals(gic, cpu);
	if (!gicv5_irs_enabled(gic))
		return;
	for (unsigned int w = 0; w < ARRAY_SIZE(c->spi_live); w++) {
		for (u64 m = c->spi_live[w]; m; m &= m - 1) {
			unsigned int n = w * 64 + (unsigned int)__builtin_ctzll(m);

			if (gicv5_phys_sufficient(c, gic->spi[n].prio))
				out->spi[n / 32] |= 1u << n % 32;
		}
	}
}

u64 gicv5_phys_read(struct gicv5 *gic, unsigned int cpu, const struct gicv5_op *op)
{
	struct gicv5_cpu *c = &gic->cpu[cpu];
	unsigned int prio;
	u64 pend[2];
	u32 intid;

	switch (op->reg) {
	case REG_APR:
		return c->apr;
	case REG_CR0:
		return c->cr0 | ICC_CR0_LINKED;
	case REG_PCR:
		return c->pcr;
	case REG_HPPIR:
		prio = phys_hppi(gic, cpu, &intid);
		return gicv5_phys_sufficient(c, prio) ? GICV5_INTID_VALID | intid : 0;
	case REG_PPI_CPENDR:
	case REG_PPI_SPENDR:
		gicv5_sample_lines(gic, cpu);
		/* fall through */
	case REG_PPI_ENABLER:
	case REG_PPI_CACTIVER:
	case REG_PPI_SACTIVER:
	case REG_PPI_PRIORITYR:
		gicv5_phys_pend(c, pend);
		return gicv5_ppi_read(&c->ppi, op, pend);
	}
	return gicv5_shared_read(gic, cpu, op);
}

void gicv5_phys_write(struct gicv5 *gic, unsigned int cpu, const struct gicv5_op *op, u64 val)
{
	struct gicv5_cpu *c = &gic->cpu[cpu];

	switch (op->reg) {
	case REG_APR:
		c->apr = (u32)val;
		break;
	case REG_CR0:
		c->cr0 = val & ICC_CR0_EN;
		break;
	case REG_PCR:
		c->pcr = val & 0x1f;
		break;
	case REG_PPI_CPENDR: /* the pending state of a Level PPI is its line */
		c->ppi.pend[op->n] &= ~(val & ~gicv5_hmr(op->n));
		break;
	case REG_PPI_SPENDR:
		c->ppi.pend[op->n] |= val & ~gicv5_hmr(op->n);
		break;
	default:
		gicv5_ppi_write(&c->ppi, op, val);
	}
}

static u64 phys_acknowledge(struct gicv5 *gic, unsigned int cpu, bool nmi)
{
	struct gicv5_cpu *c = &gic->cpu[cpu];
	u32 intid = 0, id;
	unsigned int prio = phys_hppi(gic, cpu, &intid);

	if (!gicv5_phys_sufficient(c, prio) || !gicv5_acknowledges(c, prio, nmi))
		return 0;
	c->apr |= 1u << prio;
	id = GICV5_ID(intid);
	if (GICV5_TYPE(intid) == GICV5_TYPE_PPI) {
		c->ppi.active[id / 64] |= BIT(id % 64);
		c->ppi.pend[id / 64] &= ~(BIT(id % 64) & ~gicv5_hmr(id / 64));
	} else {
		gicv5_iri_activate(gic, intid);
	}
	return GICV5_INTID_VALID | intid;
}

u64 gicv5_phys_insn(struct gicv5 *gic, unsigned int cpu, const struct gicv5_op *op, u64 val)
{
	struct gicv5_cpu *c = &gic->cpu[cpu];

	switch (op->reg) {
	case GICR_CDIA:
	case GICR_CDNMIA:
		return phys_acknowledge(gic, cpu, op->reg == GICR_CDNMIA);
	case GIC_CDEOI:
		c->apr &= c->apr - 1;
		return 0;
	case GIC_CDDI:
		if (GICV5_TYPE(val) == GICV5_TYPE_PPI) {
			gicv5_ppi_deactivate(&c->ppi, GICV5_ID(val));
			return 0;
		}
		break;
	}
	gicv5_iri_command(gic, cpu, op, val);
	return 0;
}
