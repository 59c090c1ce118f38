// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * SPIs and LPIs, the interrupts that an IRS holds: the commands that configure
 * them, and the choice of the one to present to a CPU.
 *
 * Each CPU has a bitmap of the interrupts that may be presented to it, so that
 * nobody ever walks all 4096 LPIs. An interrupt is taken out of the bitmaps
 * before it changes and put back after.
 */
#include <string.h>

#include "gicv5_internal.h"

u32 gicv5_nr_lpis(const struct gicv5 *gic)
{
	unsigned int bits = FIELD(gic->irs.ist_cfgr, 4, 0);

	if (!(gic->irs.ist_baser & IST_BASER_VALID))
		return 0;
	if (bits < GICV5_MIN_LPI_ID_BITS)
		bits = GICV5_MIN_LPI_ID_BITS;
	return 1u << (bits < GICV5_LPI_ID_BITS ? bits : GICV5_LPI_ID_BITS);
}

static struct gicv5_iri *find(struct gicv5 *gic, u64 intid)
{
	u32 id = GICV5_ID(intid);

	switch (GICV5_TYPE(intid)) {
	case GICV5_TYPE_SPI:
		return id < GICV5_NR_SPIS ? &gic->spi[id] : NULL;
	case GICV5_TYPE_LPI:
		return id < gicv5_nr_lpis(gic) ? &gic->lpi[id] : NULL;
	}
	return NULL;
}

static bool live(u64 intid, const struct gicv5_iri *iri)
{
	if (!iri->enable || iri->active)
		return false;
	return GICV5_TYPE(intid) == GICV5_TYPE_SPI || iri->pend;
}

static u64 *live_word(struct gicv5 *gic, u64 intid, unsigned int cpu)
{
	unsigned int w = GICV5_ID(intid) / 64;

	if (GICV5_TYPE(intid) == GICV5_TYPE_SPI)
		return &gic->cpu[cpu].spi_live[w];
	if (w >= gic->lpi_words)
		gic->lpi_words = w + 1;
	return &gic->cpu[cpu].lpi_live[w];
}

static void take_out(struct gicv5 *gic, u64 intid, const struct gicv5_iri *iri)
{
	*live_word(gic, intid, iri->cpu) &= ~BIT(GICV5_ID(intid) % 64);
	gicv5_mark(gic, iri->cpu);
}

static void put_back(struct gicv5 *gic, u64 intid, const struct gicv5_iri *iri)
{
	if (live(intid, iri))
		*live_word(gic, intid, iri->cpu) |= BIT(GICV5_ID(intid) % 64);
	gicv5_mark(gic, iri->cpu);
}

static bool is_spi(u64 intid)
{
	return GICV5_TYPE(intid) == GICV5_TYPE_SPI;
}

static bool spi_pending(const struct gicv5 *gic, u32 id)
{
	return gic->board->spi_pending(gic->ctx, id / 32) >> id % 32 & 1;
}

static void spi_latch(struct gicv5 *gic, u32 id, bool latch)
{
	gic->spi[id].pend = latch;
	gic->board->spi_set_pending(gic->ctx, id, latch);
}

/*
 * Does an SPI pend? An event of its line also copies the trigger mode into the
 * handling mode. Nobody tells of events, but what pends, did not when last
 * looked at, and was not made to by software, does so by its line.
 *
 * A falling line of a Level trigger ends the pending state, even if software
 * set it. The board keeps line and latch apart, and nobody tells of the fall:
 * so there is no latch any more once the line has been seen high.
 */
static bool spi_look(struct gicv5 *gic, u32 id)
{
	struct gicv5_iri *spi = &gic->spi[id];
	bool latch = spi->pend, pend;

	if (!spi->level_trigger) {
		pend = spi_pending(gic, id);
		if (pend && !latch)
			spi->level = false;
		spi->pend = pend;
		return pend;
	}
	if (latch)
		spi_latch(gic, id, false);
	pend = spi_pending(gic, id);
	if (pend && !spi->line)
		spi->level = true;
	spi->line = pend;
	if (!latch || pend)
		return pend;
	spi_latch(gic, id, true);
	return true;
}

/* Of a Level trigger: the line decides, whatever there was. An Edge SPI's line cannot be read. */
void gicv5_spi_resample(struct gicv5 *gic, unsigned int spi)
{
	if (!gic->spi[spi].level_trigger)
		return;
	spi_latch(gic, spi, false);
	gic->spi[spi].line = false;
	spi_look(gic, spi);
}

/*
 * A change to Level asks the line. After a change to Edge an SPI pends if it
 * did, unless its line is high: and then spi_look() has dropped the latch.
 */
void gicv5_spi_set_trigger(struct gicv5 *gic, unsigned int spi, bool level)
{
	if (gic->spi[spi].level_trigger == level)
		return;
	spi_look(gic, spi);
	gic->spi[spi].level_trigger = level;
	gic->board->spi_set_level(gic->ctx, spi, level);
	gicv5_spi_resample(gic, spi);
}

static u64 config(struct gicv5 *gic, u64 intid, const struct gicv5_iri *iri)
{
	bool pend = is_spi(intid) ? spi_look(gic, GICV5_ID(intid)) : iri->pend;

	return (u64)iri->cpu << 32 | (u64)iri->prio << 11 | (u64)iri->level << 5 |
	       (u64)iri->active << 4 | (u64)pend << 2 | (u64)iri->enable << 1;
}

void gicv5_iri_command(struct gicv5 *gic, unsigned int cpu, const struct gicv5_op *op, u64 val)
{
	struct gicv5_iri *iri = find(gic, val);
	u32 id = GICV5_ID(val);

	if (op->reg == GIC_CDRCFG) {
		/* F: there is no such SPI or LPI */
		gic->cpu[cpu].icsr = iri ? config(gic, val, iri) : ICC_ICSR_F;
		return;
	}
	if (!iri)
		return;
	take_out(gic, val, iri);
	switch (op->reg) {
	case GIC_CDDIS:
		iri->enable = false;
		break;
	case GIC_CDEN:
		iri->enable = true;
		break;
	case GIC_CDPRI:
		iri->prio = FIELD(val, 39, 35);
		break;
	case GIC_CDAFF: /* 1-of-N is not implemented: the IRM bit is RES0 */
		if (FIELD(val, 47, 32) >= gic->nr_cpus)
			break;
		iri->cpu = FIELD(val, 47, 32);
		if (is_spi(val))
			gic->board->spi_set_target(gic->ctx, id, iri->cpu);
		break;
	case GIC_CDPEND:
		if (!is_spi(val))
			iri->pend = FIELD(val, 32, 32);
		else if (!spi_look(gic, id) || !FIELD(val, 32, 32))
			spi_latch(gic, id, FIELD(val, 32, 32));
		break;
	case GIC_CDDI:
		iri->active = false;
		break;
	case GIC_CDHM:
		if (is_spi(val))
			spi_look(gic, id);
		iri->level = FIELD(val, 32, 32);
		break;
	}
	put_back(gic, val, iri);
}

void gicv5_iri_activate(struct gicv5 *gic, u32 intid)
{
	struct gicv5_iri *iri = find(gic, intid);

	take_out(gic, intid, iri);
	iri->active = true;
	if (is_spi(intid))
		spi_look(gic, GICV5_ID(intid));
	if (iri->level)
		return; /* its source, or software, takes the pending state back */
	if (is_spi(intid))
		spi_latch(gic, GICV5_ID(intid), false);
	else
		iri->pend = false;
}

/* A doorbell. There may be none such: software wrote the number. */
void gicv5_lpi_pend(struct gicv5 *gic, u32 id)
{
	u64 intid = GICV5_INTID(GICV5_TYPE_LPI, id);
	struct gicv5_iri *iri = find(gic, intid);

	if (!iri)
		return;
	take_out(gic, intid, iri);
	iri->pend = true;
	put_back(gic, intid, iri);
}

/* Their table is no longer valid. The next one comes empty: software writes zeros first. */
void gicv5_lpi_forget(struct gicv5 *gic)
{
	memset(gic->lpi, 0, sizeof(gic->lpi));
	for (unsigned int cpu = 0; cpu < gic->nr_cpus; cpu++)
		memset(gic->cpu[cpu].lpi_live, 0, sizeof(gic->cpu[cpu].lpi_live));
	gic->lpi_words = 0;
	gicv5_mark_all(gic);
}

/* Better than @best? A tie goes to the PPI, then the LPI, then the SPI. */
unsigned int gicv5_iri_hppi(const struct gicv5 *gic, unsigned int cpu, unsigned int best,
			    u32 *intid)
{
	const struct gicv5_cpu *c = &gic->cpu[cpu];

	if (!gicv5_irs_enabled(gic))
		return best;
	for (unsigned int w = 0; w < gic->lpi_words; w++) {
		for (u64 m = c->lpi_live[w]; m; m &= m - 1) {
			unsigned int n = w * 64 + (unsigned int)__builtin_ctzll(m);

			if (gic->lpi[n].prio < best) {
				best = gic->lpi[n].prio;
				*intid = GICV5_INTID(GICV5_TYPE_LPI, n);
			}
		}
	}
	for (unsigned int w = 0; w < GICV5_NR_SPIS / 32; w++) {
		u32 m = (u32)(c->spi_live[w / 2] >> w % 2 * 32);

		if (!m)
			continue;
		for (m &= gic->board->spi_pending(gic->ctx, w); m; m &= m - 1) {
			unsigned int n = w * 32 + (unsigned int)__builtin_ctz(m);

			if (gic->spi[n].prio < best) {
				best = gic->spi[n].prio;
				*intid = GICV5_INTID(GICV5_TYPE_SPI, n);
			}
		}
	}
	return best;
}

bool gicv5_lpi_signals(const struct gicv5 *gic, unsigned int cpu)
{
	const struct gicv5_cpu *c = &gic->cpu[cpu];

	if (!gicv5_irs_enabled(gic))
		return false;
	for (unsigned int w = 0; w < gic->lpi_words; w++)
		for (u64 m = c->lpi_live[w]; m; m &= m - 1)
			if (gicv5_phys_sufficient(c, gic->lpi[w * 64 + __builtin_ctzll(m)].prio))
				return true;
	return false;
}
