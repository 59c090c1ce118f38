// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The IRS configuration frame: 256 SPIs from 0, LPIs, and 256 virtual machines
 * of up to 1024 VPEs. Every command completes at once, so each STATUSR always
 * says IDLE.
 *
 * While the physical IST is valid there are LPIs, but nothing is kept in it:
 * LPI state stays in struct gicv5, and no software may look into a physical
 * IST while it is valid. The tables of virtual machines are used
 * (gicv5_vm.c, gicv5_vist.c).
 */
#include <stdio.h>

#include "gicv5_internal.h"
#include "gicv5_irs.h"

#define PE_STATUSR_ONLINE    BIT(2)
#define CR0_IDLE	     BIT(1)
#define IDR0_INT_DOM_NS	     BIT(0)
#define IDR0_PA_RANGE	     (7u << 2) /* 56 bits, as QEMU's own IRS */
#define IDR0_VIRT	     BIT(6)
#define IDR2_MIN_LPI_ID_BITS (GICV5_MIN_LPI_ID_BITS << 6)
#define IDR2_LPI	     BIT(5)
#define IDR2_IST_LEVELS	     BIT(10)
#define IDR2_IST_L2SZ_4K     BIT(11)
#define IDR2_ISTMD	     BIT(14)
#define IDR2_ISTMD_SZ(n)     ((u32)(n) << 15)
#define IDR3_VMT_LEVELS	     BIT(10)
#define IDR3_VM_ID_BITS	     (8u << 5)
/* Read as n or as n-1, it is enough for the 512 VPEs that Linux asks for at most. */
#define IDR4_VPE_ID_BITS (9u << 6)
#define IDR4_VPED_SZ	 6u /* 64 bytes; not used */

#define IST_BASER_MASK	   (GENMASK(55, 6) | IST_BASER_VALID)
#define IST_CFGR_TWO_LEVEL BIT(16)
#define IST_CFGR_MASK	   (BIT(16) | GENMASK(8, 5) | GENMASK(4, 0))

static const struct irs_reg {
	u16 off;
	u8 size;
	bool whole; /* a write does something: not in halves */
	const char *name;
} irs_regs[] = {
#define REG32(r)                \
	{                       \
		r, 4, false, #r \
	}
#define REG64(r)                \
	{                       \
		r, 8, false, #r \
	}
#define CMD(r)                 \
	{                      \
		r, 8, true, #r \
	}
	REG32(IRS_IDR0),
	REG32(IRS_IDR1),
	REG32(IRS_IDR2),
	REG32(IRS_IDR3),
	REG32(IRS_IDR4),
	REG32(IRS_IDR5),
	REG32(IRS_IDR6),
	REG32(IRS_IDR7),
	REG32(IRS_IIDR),
	REG32(IRS_AIDR),
	REG32(IRS_CR0),
	REG32(IRS_CR1),
	REG32(IRS_SYNCR),
	REG32(IRS_SYNC_STATUSR),
	REG32(IRS_SPI_SELR),
	REG32(IRS_SPI_DOMAINR),
	REG32(IRS_SPI_RESAMPLER),
	REG32(IRS_SPI_CFGR),
	REG32(IRS_SPI_STATUSR),
	REG32(IRS_PE_SELR),
	REG32(IRS_PE_STATUSR),
	REG32(IRS_PE_CR0),
	REG64(IRS_IST_BASER),
	REG32(IRS_IST_CFGR),
	REG32(IRS_IST_STATUSR),
	REG32(IRS_MAP_L2_ISTR),
	REG64(IRS_VMT_BASER),
	REG32(IRS_VMT_CFGR),
	REG32(IRS_VMT_STATUSR),
	CMD(IRS_VPE_SELR),
	CMD(IRS_VPE_DBR),
	REG64(IRS_VPE_HPPIR),
	REG32(IRS_VPE_CR0),
	REG32(IRS_VPE_STATUSR),
	REG32(IRS_VM_SELR),
	REG32(IRS_VM_STATUSR),
	CMD(IRS_VMAP_L2_VMTR),
	CMD(IRS_VMAP_VMR),
	CMD(IRS_VMAP_VISTR),
	CMD(IRS_VMAP_L2_VISTR),
	CMD(IRS_VMAP_VPER),
	CMD(IRS_SAVE_VMR),
	REG32(IRS_SAVE_VM_STATUSR),
};

/* The IRS has neither MEC nor MPAM nor software error reporting; IIDR and PIDR name nobody. */
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
			return r->whole && size < r->size ? NULL : r;
	}
	return NULL;
}

const char *gicv5_irs_name(u32 off, char *buf, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(irs_regs); i++)
		if (irs_regs[i].off == off)
			return irs_regs[i].name;
	snprintf(buf, len, "IRS+0x%x", off);
	return buf;
}

static u32 idr2(const struct gicv5_options *o)
{
	u32 v = IDR2_MIN_LPI_ID_BITS | IDR2_IST_L2SZ_4K | IDR2_LPI | GICV5_LPI_ID_BITS;

	if (o->ist_two_level)
		v |= IDR2_IST_LEVELS;
	if (o->iste_size > 4) /* metadata: 16 bytes an entry from ISTMD_SZ ID bits on, 8 below */
		v |= IDR2_ISTMD | IDR2_ISTMD_SZ(o->iste_size == 16 ? 0 : 31);
	return v;
}

static u64 read_reg(const struct gicv5 *gic, u32 off)
{
	const struct gicv5_irs *irs = &gic->irs;

	switch (off) {
	case IRS_IDR0:
		return IDR0_VIRT | IDR0_PA_RANGE | IDR0_INT_DOM_NS;
	case IRS_IDR1: /* IAFFIDs have 16 bits */
		return (GICV5_PRI_BITS - 1) << 20 | 15 << 16 | gic->nr_cpus;
	case IRS_IDR2:
		return idr2(&gic->options);
	case IRS_IDR3: /* no VM descriptors */
		return IDR3_VM_ID_BITS | (gic->options.vmt_two_level ? IDR3_VMT_LEVELS : 0);
	case IRS_IDR4:
		return IDR4_VPE_ID_BITS | IDR4_VPED_SZ;
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
		return irs->spi_selr < GICV5_NR_SPIS && gic->spi[irs->spi_selr].level_trigger;
	case IRS_SPI_STATUSR:
		return STATUSR_IDLE | (irs->spi_selr < GICV5_NR_SPIS ? STATUSR_V : 0);
	case IRS_PE_SELR:
		return irs->pe_selr;
	case IRS_PE_STATUSR:
		return STATUSR_IDLE |
		       (irs->pe_selr < gic->nr_cpus ? STATUSR_V | PE_STATUSR_ONLINE : 0);
	case IRS_IST_BASER:
		return irs->ist_baser;
	case IRS_IST_CFGR:
		return irs->ist_cfgr;
	case IRS_DEVARCH: /* Arm, GICv5 IRS */
		return 0x47705a19;
	case IRS_CIDR0: /* a CoreSight component that tells of itself in DEVARCH */
		return 0x0d;
	case IRS_CIDR0 + 4:
		return 0xf0;
	case IRS_CIDR0 + 8:
		return 0x05;
	case IRS_CIDR0 + 12:
		return 0xb1;
	}
	return gicv5_irs_virt_read(gic, off);
}

/* Linux looks for VALID in its level 1 table, to know which level 2 tables there are. */
static void map_l2_ist(const struct gicv5 *gic, u32 id)
{
	const struct gicv5_irs *irs = &gic->irs;
	unsigned int istsz = FIELD(irs->ist_cfgr, 8, 7), l2sz = FIELD(irs->ist_cfgr, 6, 5);
	u64 addr = (irs->ist_baser & GENMASK(55, 6)) + (id >> (10 + 2 * l2sz - istsz)) * 8;

	if ((irs->ist_baser & IST_BASER_VALID) && (irs->ist_cfgr & IST_CFGR_TWO_LEVEL) &&
	    !(id >> FIELD(irs->ist_cfgr, 4, 0)))
		gicv5_mem_write(gic, addr, gicv5_mem_read(gic, addr, 8) | 1, 8);
}

/* While the table is valid, all that software may do is to end that. */
static void write_ist_baser(struct gicv5 *gic, u64 val)
{
	u64 *baser = &gic->irs.ist_baser;

	if (!(*baser & IST_BASER_VALID)) {
		*baser = val & IST_BASER_MASK;
	} else if (!(val & IST_BASER_VALID)) {
		*baser &= ~IST_BASER_VALID;
		gicv5_lpi_forget(gic);
	}
}

static void write_reg(struct gicv5 *gic, u32 off, u64 val)
{
	struct gicv5_irs *irs = &gic->irs;

	switch (off) {
	case IRS_CR0:
		irs->cr0 = val & IRS_CR0_IRSEN;
		gicv5_mark_all(gic);
		break;
	case IRS_CR1:
		irs->cr1 = val & 0xffff;
		break;
	case IRS_SPI_SELR:
		irs->spi_selr = val & 0xffffff;
		break;
	case IRS_SPI_CFGR:
		if (irs->spi_selr < GICV5_NR_SPIS)
			gicv5_spi_set_trigger(gic, irs->spi_selr, val & 1);
		break;
	case IRS_SPI_RESAMPLER:
		if ((val & 0xffffff) < GICV5_NR_SPIS)
			gicv5_spi_resample(gic, val & 0xffffff);
		break;
	case IRS_PE_SELR:
		irs->pe_selr = val & 0xffff;
		break;
	case IRS_IST_BASER:
		write_ist_baser(gic, val);
		break;
	case IRS_IST_CFGR:
		if (!(irs->ist_baser & IST_BASER_VALID))
			irs->ist_cfgr = val & IST_CFGR_MASK;
		break;
	case IRS_MAP_L2_ISTR:
		map_l2_ist(gic, GICV5_ID(val));
		break;
	default:
		gicv5_irs_virt_write(gic, off, val);
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
