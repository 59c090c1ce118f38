// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The IRS configuration frame: 256 SPIs from 0, LPIs in a linear IST. Every
 * command completes at once, so each STATUSR always says IDLE.
 *
 * The IST is accepted but not used: LPI state stays in struct gicv5, and no
 * software may look into a physical IST while it is valid.
 */
#include <stdio.h>

#include "gicv5_internal.h"

#define IRS_IDR0	 0x000
#define IRS_IDR1	 0x004
#define IRS_IDR2	 0x008
#define IRS_IDR3	 0x00c
#define IRS_IDR4	 0x010
#define IRS_IDR5	 0x014
#define IRS_IDR6	 0x018
#define IRS_IDR7	 0x01c
#define IRS_IIDR	 0x040
#define IRS_AIDR	 0x044
#define IRS_CR1		 0x084
#define IRS_SYNCR	 0x0c0
#define IRS_SYNC_STATUSR 0x0c4
#define IRS_SPI_SELR	 0x108
#define IRS_SPI_DOMAINR	 0x10c
#define IRS_SPI_RESAMPLR 0x110
#define IRS_SPI_CFGR	 0x114
#define IRS_SPI_STATUSR	 0x118
#define IRS_PE_SELR	 0x140
#define IRS_PE_STATUSR	 0x144
#define IRS_PE_CR0	 0x148
#define IRS_IST_BASER	 0x180
#define IRS_IST_CFGR	 0x190
#define IRS_IST_STATUSR	 0x194
#define IRS_MAP_L2_ISTR	 0x1c0
#define IRS_DEVARCH	 0xffbc

#define STATUSR_IDLE	  BIT(0)
#define STATUSR_V	  BIT(1)
#define PE_STATUSR_ONLINE BIT(2)
#define CR0_IDLE	  BIT(1)
#define IDR0_INT_DOM_NS	  BIT(0)
#define IDR0_PA_RANGE	  (7u << 2) /* 56 bits, as QEMU's own IRS */
#define IDR0_VIRT	  BIT(6)
#define IDR2_LPI	  BIT(5)
#define IST_BASER_MASK	  (GENMASK(55, 6) | BIT(0))
#define IST_CFGR_MASK	  (BIT(16) | GENMASK(8, 5) | GENMASK(4, 0))

static const struct irs_reg {
	u16 off;
	u8 size;
	const char *name;
} irs_regs[] = {
	{ IRS_IDR0, 4, "IRS_IDR0" },
	{ IRS_IDR1, 4, "IRS_IDR1" },
	{ IRS_IDR2, 4, "IRS_IDR2" },
	{ IRS_IDR3, 4, "IRS_IDR3" },
	{ IRS_IDR4, 4, "IRS_IDR4" },
	{ IRS_IDR5, 4, "IRS_IDR5" },
	{ IRS_IDR6, 4, "IRS_IDR6" },
	{ IRS_IDR7, 4, "IRS_IDR7" },
	{ IRS_IIDR, 4, "IRS_IIDR" },
	{ IRS_AIDR, 4, "IRS_AIDR" },
	{ IRS_CR0, 4, "IRS_CR0" },
	{ IRS_CR1, 4, "IRS_CR1" },
	{ IRS_SYNCR, 4, "IRS_SYNCR" },
	{ IRS_SYNC_STATUSR, 4, "IRS_SYNC_STATUSR" },
	{ IRS_SPI_SELR, 4, "IRS_SPI_SELR" },
	{ IRS_SPI_DOMAINR, 4, "IRS_SPI_DOMAINR" },
	{ IRS_SPI_RESAMPLR, 4, "IRS_SPI_RESAMPLER" },
	{ IRS_SPI_CFGR, 4, "IRS_SPI_CFGR" },
	{ IRS_SPI_STATUSR, 4, "IRS_SPI_STATUSR" },
	{ IRS_PE_SELR, 4, "IRS_PE_SELR" },
	{ IRS_PE_STATUSR, 4, "IRS_PE_STATUSR" },
	{ IRS_PE_CR0, 4, "IRS_PE_CR0" },
	{ IRS_IST_BASER, 8, "IRS_IST_BASER" },
	{ IRS_IST_CFGR, 4, "IRS_IST_CFGR" },
	{ IRS_IST_STATUSR, 4, "IRS_IST_STATUSR" },
	{ IRS_MAP_L2_ISTR, 4, "IRS_MAP_L2_ISTR" },
};

/* The IRS has neither MEC nor MPAM nor software error reporting, and no identification codes. */
static bool irs_raz_wi(u32 off)
{
	return (off >= 0x340 && off < 0x3d8) || off >= IRS_DEVARCH;
}

static const struct irs_reg *irs_find(u32 off, unsigned int size)
{
	if ((size != 4 && size != 8) || off % size)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(irs_regs); i++) {
		const struct irs_reg *r = &irs_regs[i];

		if (off >= r->off && off + size <= (u32)r->off + r->size)
			return r;
	}
	return NULL;
}

const char *gicv5_irs_name(u32 off, char *buf, size_t len)
{
	const struct irs_reg *r = irs_find(off, 4);

	if (r && r->off == off)
		return r->name;
	snprintf(buf, len, "IRS+0x%x", off);
	return buf;
}

static u64 read_reg(const struct gicv5 *gic, u32 off)
{
	const struct gicv5_irs *irs = &gic->irs;

	switch (off) {
	case IRS_IDR0:
		return IDR0_VIRT | IDR0_PA_RANGE | IDR0_INT_DOM_NS;
	case IRS_IDR1: /* IAFFIDs have 16 bits */
		return (GICV5_PRI_BITS - 1) << 20 | 15 << 16 | gic->nr_cpus;
	case IRS_IDR2: /* linear IST, all LPIs or none; 4 KB level 2 tables would be fine */
		return BIT(11) | GICV5_LPI_ID_BITS << 6 | IDR2_LPI | GICV5_LPI_ID_BITS;
	case IRS_IDR5:
	case IRS_IDR6:
		return GICV5_NR_SPIS;
	case IRS_CR0:
		return irs->cr0 | CR0_IDLE;
	case IRS_CR1:
		return irs->cr1;
	case IRS_SYNC_STATUSR:
	case IRS_IST_STATUSR:
		return STATUSR_IDLE;
	case IRS_SPI_SELR:
		return irs->spi_selr;
	case IRS_SPI_CFGR:
		return irs->spi_selr < GICV5_NR_SPIS && gic->spi[irs->spi_selr].level;
	case IRS_SPI_STATUSR:
		return STATUSR_IDLE | (irs->spi_selr < GICV5_NR_SPIS ? STATUSR_V : 0);
	case IRS_PE_SELR:
		return irs->pe_selr;
	case IRS_PE_STATUSR:
		return STATUSR_IDLE |
		       (irs->pe_selr < gic->nr_cpus ? STATUSR_V | PE_STATUSR_ONLINE : 0);
	case IRS_PE_CR0:
		return irs->pe_selr < gic->nr_cpus && (irs->pe_dps >> irs->pe_selr & 1);
	case IRS_IST_BASER:
		return irs->ist_baser;
	case IRS_IST_CFGR:
		return irs->ist_cfgr;
	case IRS_DEVARCH: /* Arm, GICv5 IRS */
		return 0x47705a19;
	}
	return 0;
}

static void write_reg(struct gicv5 *gic, u32 off, u64 val)
{
	struct gicv5_irs *irs = &gic->irs;

	switch (off) {
	case IRS_CR0:
		irs->cr0 = val & IRS_CR0_IRSEN;
		break;
	case IRS_CR1:
		irs->cr1 = val & 0xffff;
		break;
	case IRS_SPI_SELR:
		irs->spi_selr = val & 0xffffff;
		break;
	case IRS_SPI_CFGR:
		if (irs->spi_selr < GICV5_NR_SPIS)
			gicv5_spi_set_level(gic, irs->spi_selr, val & 1);
		break;
	case IRS_PE_SELR:
		irs->pe_selr = val & 0xffff;
		break;
	case IRS_PE_CR0: /* DPS has no effect: nothing here powers down */
		if (irs->pe_selr < gic->nr_cpus)
			irs->pe_dps = (irs->pe_dps & ~(1u << irs->pe_selr)) |
				      (u32)(val & 1) << irs->pe_selr;
		break;
	case IRS_IST_BASER:
		irs->ist_baser = val & IST_BASER_MASK;
		break;
	case IRS_IST_CFGR:
		irs->ist_cfgr = val & IST_CFGR_MASK;
		break;
	}
}

bool gicv5_irs_read(struct gicv5 *gic, u32 off, unsigned int size, u64 *val)
{
	const struct irs_reg *r = irs_find(off, size);

	*val = 0;
	if (irs_raz_wi(off) && size == 4) {
		*val = read_reg(gic, off);
		return true;
	}
	if (!r)
		return false;
	*val = read_reg(gic, r->off) >> (off - r->off) * 8;
	if (size == 4)
		*val = (u32)*val;
	return true;
}

bool gicv5_irs_write(struct gicv5 *gic, u32 off, unsigned int size, u64 val)
{
	const struct irs_reg *r = irs_find(off, size);

	if (irs_raz_wi(off) && size == 4)
		return true;
	if (!r)
		return false;
	if (size < r->size) {
		/* half of a 64-bit register: the other half stays */
		unsigned int shift = (off - r->off) * 8;
		u64 half = (u64)0xffffffff << shift;

		val = (read_reg(gic, r->off) & ~half) | (val << shift & half);
	}
	write_reg(gic, r->off, val);
	return true;
}
