// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The state machine: reset, dispatch, and what the physical and the virtual
 * CPU interface have in common.
 */
#include <stddef.h>
#include <string.h>

#include "gicv5_internal.h"

void gicv5_init(struct gicv5 *gic, unsigned int nr_cpus, const struct gicv5_board *board, void *ctx)
{
	memset(gic, 0, offsetof(struct gicv5, vm));
	gic->nr_cpus = nr_cpus;
	gic->board = board;
	gic->ctx = ctx;
	gic->options.iste_size = 4;
}

void gicv5_reset(struct gicv5 *gic)
{
	struct {
		u64 vctlr, hfgrtr, hfgwtr, hfgitr;
	} kept[GICV5_MAX_CPUS];
	struct gicv5_options options = gic->options;

	for (unsigned int i = 0; i < GICV5_MAX_CPUS; i++) {
		kept[i].vctlr = gic->cpu[i].vctlr;
		kept[i].hfgrtr = gic->cpu[i].hfgrtr;
		kept[i].hfgwtr = gic->cpu[i].hfgwtr;
		kept[i].hfgitr = gic->cpu[i].hfgitr;
	}
	gicv5_init(gic, gic->nr_cpus, gic->board, gic->ctx);
	gic->options = options;
	for (unsigned int i = 0; i < GICV5_MAX_CPUS; i++) {
		gic->cpu[i].vctlr = kept[i].vctlr;
		gic->cpu[i].hfgrtr = kept[i].hfgrtr;
		gic->cpu[i].hfgwtr = kept[i].hfgwtr;
		gic->cpu[i].hfgitr = kept[i].hfgitr;
	}
	gicv5_mark_all(gic);
}

/* ICH_HFG*_EL2: a clear bit traps. Registers and bits exist at EL1 regardless of HCR_EL2.IMO. */
bool gicv5_fgt_traps(const struct gicv5_cpu *c, const struct gicv5_op *op, bool read)
{
	int bit = read ? op->fgt_read : op->fgt_write;
	u64 allowed;

	if (bit < 0)
		return false;
	if (op->class == GICV5_GIC)
		allowed = c->hfgitr;
	else
		allowed = read ? c->hfgrtr : c->hfgwtr;
	return !(allowed >> bit & 1);
}

void gicv5_sample_lines(struct gicv5 *gic, unsigned int cpu)
{
	struct gicv5_cpu *c = &gic->cpu[cpu];
	u64 line = gic->board->ppi_lines(gic->ctx, cpu);

	if (line == c->line)
		return;
	c->line = line;
	gicv5_mark(gic, cpu);
}

/*
 * Highest priority PPI among @pend. The lowest priority value wins, then the
 * lowest number. Returns the priority, or GICV5_PRI_IDLE if there is none.
 */
unsigned int gicv5_ppi_hppi(const struct gicv5_ppis *p, const u64 pend[2], u32 *intid)
{
	unsigned int best = GICV5_PRI_IDLE;

	for (unsigned int bank = 0; bank < 2; bank++) {
		u64 m = pend[bank] & p->enable[bank] & ~p->active[bank];

		for (; m; m &= m - 1) {
			unsigned int n = bank * 64 + (unsigned int)__builtin_ctzll(m);
			unsigned int prio = gicv5_ppi_prio(p, n);

			if (prio < best) {
				best = prio;
				*intid = GICV5_INTID(GICV5_TYPE_PPI, n);
			}
		}
	}
	return best;
}

u64 gicv5_ppi_read(const struct gicv5_ppis *p, const struct gicv5_op *op, const u64 pend[2])
{
	switch (op->reg) {
	case REG_PPI_ENABLER:
		return p->enable[op->n];
	case REG_PPI_CACTIVER:
	case REG_PPI_SACTIVER:
		return p->active[op->n];
	case REG_PPI_CPENDR:
	case REG_PPI_SPENDR:
		return pend[op->n];
	case REG_PPI_PRIORITYR:
		return p->prio[op->n];
	}
	return 0;
}

/* All PPI registers but S/CPENDR, whose aliasing differs */
void gicv5_ppi_write(struct gicv5_ppis *p, const struct gicv5_op *op, u64 val)
{
	switch (op->reg) {
	case REG_PPI_ENABLER:
		p->enable[op->n] = val;
		break;
	case REG_PPI_CACTIVER:
		p->active[op->n] &= ~val;
		break;
	case REG_PPI_SACTIVER:
		p->active[op->n] |= val;
		break;
	case REG_PPI_PRIORITYR:
		p->prio[op->n] = val & PRIORITYR_MASK;
		break;
	}
}

void gicv5_ppi_deactivate(struct gicv5_ppis *p, u32 id)
{
	if (id < GICV5_NR_PPIS)
		p->active[id / 64] &= ~BIT(id % 64);
}

/* "<=" against the mask, "<" against the running priority */
bool gicv5_phys_sufficient(const struct gicv5_cpu *c, unsigned int prio)
{
	return (c->cr0 & ICC_CR0_EN) && prio <= c->pcr && prio < gicv5_running(c->apr);
}

/* Registers that are the same for host and guest (KVM traps what must differ) */
u64 gicv5_shared_read(const struct gicv5 *gic, unsigned int cpu, const struct gicv5_op *op)
{
	switch (op->reg) {
	case REG_PPI_HMR:
		return gicv5_hmr(op->n);
	case REG_IDR0: /* 5 bits of priority; 24 ID bits: more than KVM shows; no legacy */
		return (GICV5_PRI_BITS - 1) << 4 | 1;
	case REG_IAFFIDR:
		return cpu;
	case REG_ICSR:
		return gic->cpu[cpu].icsr;
	}
	return 0;
}
