// SPDX-License-Identifier: GPL-2.0-or-later
/* Virtual SPIs and LPIs. */
#include "tables.h"

#define CFG(vpe, prio, level, active, pend, en) \
	((u64)(vpe) << 32 | (prio) << 11 | (level) << 5 | (active) << 4 | (pend) << 2 | (en) << 1)

/* What each command leaves in memory, and what GIC CDRCFG says of it */
static void test_commands(u32 intid, u64 iste)
{
	start_guest();
	CHECK_EQ(guest_cfg(0, intid), 0); /* a fresh table */
	set_mem32(iste, 0x7f0);		  /* reserved bits are not ours */
	guest_wr(0, "GIC_CDPRI", (u64)8 << 35 | intid);
	guest_wr(0, "GIC_CDEN", intid);
	guest_wr(0, "GIC_CDPEND", BIT(32) | intid);
	CHECK_EQ(mem32(iste), 0x7f0 | 0x4009);
	CHECK_EQ(guest_cfg(0, intid), CFG(0, 8, 0, 0, 1, 1) | BIT(3)); /* IRM */
	guest_wr(0, "GIC_CDDIS", intid);
	CHECK_EQ(mem32(iste), 0x7f0 | 0x4001);
	guest_wr(0, "GIC_CDAFF", BIT(32) | BIT(28) | intid); /* there is no 1-of-N */
	CHECK_EQ(mem32(iste), 0x7e0 | 0x14001);
	guest_wr(0, "GIC_CDAFF", 0xffff00000000 | intid);
	CHECK_EQ(guest_cfg(1, intid), CFG(0xffff, 8, 0, 0, 1, 0));
	guest_wr(0, "GIC_CDHM", BIT(32) | intid);
	CHECK_EQ(mem32(iste), 0x7e0 | VPE(0xffff) | PRIO(8) | HM | PEND);
	set_mem32(iste, mem32(iste) | ACTIVE);
	CHECK_EQ(guest_cfg(0, intid), CFG(0xffff, 8, 1, 1, 1, 0));
	guest_wr(0, "GIC_CDDI", intid);
	guest_wr(0, "GIC_CDHM", intid);
	guest_wr(0, "GIC_CDPEND", intid);
	guest_wr(0, "GIC_CDPRI", intid);
	CHECK_EQ(mem32(iste), 0x7e0 | VPE(0xffff));
	CHECK(!gicv5_virq(&gic, 0));
}

/* An entry is where the format says, in tables of every kind. */
static void test_formats(void)
{
	static const u32 ids[] = { 0, 1, 511, 512, 1023, 1024, 4095 };
	const u64 l1 = LPI_IST(1), l2 = LPI_IST(2);

	for (u64 fmt = 0; fmt < 2 * 3 * 3; fmt++) {
		u64 two = fmt & 1, sz = fmt / 2 % 3, l2sz = fmt / 6;
		u64 span = (u64)4096 << 2 * l2sz, per = span / (4u << sz);

		if (!two && l2sz)
			continue;
		start_guest();
		irs_wr64(VMAP_VISTR, M | U | (u64)1 << 32 | (u64)2 << 29);
		set_mem64(VMTE(1) + 16,
			  IST_WORD(two ? l1 : l2, 12) | two << 58 | sz << 56 | l2sz << 1);
		for (u64 i = 0; two && i * per < 4096; i++)
			set_mem64(l1 + 8 * i, (l2 + i * span) | 1);
		irs_wr64(VMAP_VISTR, M | (u64)1 << 32 | (u64)2 << 29);
		for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
			guest_wr(0, "GIC_CDPRI", (u64)9 << 35 | LPI(ids[i]));
			CHECK_EQ(mem32(l2 + ((u64)ids[i] << (2 + sz))), PRIO(9));
		}
		CHECK_EQ(guest_cfg(0, LPI(4096)), 1); /* F */
		/* a level 2 table that is missing, then arrives with something pending */
		if (!two)
			continue;
		set_mem64(l1, l2);
		CHECK_EQ(guest_cfg(0, LPI(5)), 1);
		set_mem32(l2 + (5u << (2 + sz)), PEND | EN);
		irs_wr64(VMAP_L2_VISTR, M | (u64)1 << 32 | LPI(7));
		CHECK_EQ(mem64(l1), l2 | 1);
		CHECK_EQ(guest_cfg(0, LPI(5)), CFG(0, 0, 0, 0, 1, 1));
		CHECK_EQ(guest_rd(0, "GICR_CDIA"), VALID(LPI(5)));
	}
}

static void test_bounds(void)
{
	static const u32 none[] = { SPI(32), SPI(0xffffff), LPI(4096), PPI(3), 5 };

	start_guest();
	for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
		guest_wr(0, "GIC_CDEN", none[i]);
		guest_wr(0, "GIC_CDPEND", BIT(32) | none[i]);
		CHECK_EQ(guest_cfg(0, none[i]), 1);
	}
	CHECK_EQ(guest_rd(0, "GICR_CDIA"), 0);
	CHECK_EQ(spi_iste(1, 32), 0);
	irs_wr64(VMAP_VISTR, M | U | (u64)1 << 32 | (u64)2 << 29);
	CHECK_EQ(guest_cfg(0, LPI(5)), 1); /* no LPI table any more */
	CHECK_EQ(guest_cfg(0, SPI(5)), 0);
	/* no table has more than 65536 entries */
	set_mem64(VMTE(1) + 16, IST_WORD(LPI_IST(1), 31));
	irs_wr64(VMAP_VISTR, M | (u64)1 << 32 | (u64)2 << 29);
	CHECK_EQ(guest_cfg(0, LPI(65536)), 1);
	guest_wr(0, "GIC_CDEN", LPI(65535));
	guest_wr(0, "GIC_CDPEND", BIT(32) | LPI(65535));
	CHECK_EQ(guest_rd(0, "GICR_CDIA"), VALID(LPI(65535)));
	guest_wr(0, "GIC_CDEOI", 0);
	irs_wr64(VMAP_VISTR, M | (u64)1 << 32 | (u64)1 << 29); /* there is no table of PPIs */
	CHECK_EQ(mem64(VMTE(1) + 8) & 1, 0);
	vdpend(7, SPI(5), true); /* no such VM */
	vdpend(0xffff, SPI(5), true);

	/* NOPs while no VPE is resident */
	wr(0, "ICH_CONTEXTR_EL2", 0);
	wr(0, "ICC_ICSR_EL1", 0x30);
	guest_wr(0, "GIC_CDEN", SPI(5));
	CHECK_EQ(spi_iste(1, 5), 0);
	CHECK_EQ(guest_cfg(0, SPI(5)), 0x30);
}

static void enable(u32 intid, u64 prio)
{
	guest_wr(0, "GIC_CDPRI", prio << 35 | intid);
	guest_wr(0, "GIC_CDEN", intid);
}

static u64 take(void)
{
	u64 intid = guest_rd(0, "GICR_CDIA");

	guest_wr(0, "GIC_CDEOI", 0);
	return intid;
}

static void test_order(void)
{
	start_guest();
	enable(SPI(9), 4);
	enable(SPI(8), 8);
	enable(LPI(8), 8);
	enable(LPI(4095), 8);
	wr(0, "ICH_PPI_ENABLER0_EL2", 8);
	wr(0, "ICH_PPI_PRIORITYR0_EL2", (u64)8 << 24);
	wr(0, "ICH_PPI_PENDR0_EL2", 8);
	vdpend(1, SPI(8), true);
	vdpend(1, SPI(9), true);
	vdpend(1, LPI(4095), true);
	vdpend(1, LPI(8), true);
	CHECK_EQ(guest_rd(0, "ICC_HPPIR_EL1"), VALID(SPI(9)));
	CHECK_EQ(rd(0, "ICH_HPPIR_EL2"), VALID(SPI(9)));
	CHECK_EQ(guest_rd(0, "GICR_CDIA"), VALID(SPI(9)));
	CHECK_EQ(rd(0, "ICH_APR_EL2"), BIT(4));
	CHECK_EQ(spi_iste(1, 9), PRIO(4) | EN | ACTIVE);
	CHECK_EQ(guest_rd(0, "GICR_CDIA"), 0); /* it runs at 4 */
	guest_wr(0, "GIC_CDEOI", 0);
	/* a tie: the PPI, the LPI, the SPI; the lower number */
	CHECK_EQ(take(), VALID(PPI(3)));
	CHECK_EQ(take(), VALID(LPI(8)));
	CHECK_EQ(take(), VALID(LPI(4095)));
	CHECK_EQ(take(), VALID(SPI(8)));
	CHECK_EQ(take(), 0);
	CHECK_EQ(lpi_iste(1, 4095), PRIO(8) | EN | ACTIVE);
}

static void test_masks(void)
{
	start_guest();
	vdpend(1, SPI(0), true);
	for (u64 p = 0; p < 32; p++) {
		enable(SPI(0), p);
		for (u64 mask = 0; mask < 32; mask++) {
			wr(0, "ICH_VMCR_EL2", mask << 27 | 1);
			CHECK_EQ(gicv5_virq(&gic, 0), p <= mask);
		}
		for (u64 running = 0; running < 32; running++) {
			wr(0, "ICH_APR_EL2", BIT(running));
			CHECK_EQ(gicv5_virq(&gic, 0), p < running);
		}
		wr(0, "ICH_APR_EL2", 0);
	}
	/* the IRS may be left out of the choice; what pends meanwhile stays */
	wr(0, "ICH_CONTEXTR_EL2", RESIDENT(1, 0) | BIT(61));
	CHECK(!gicv5_virq(&gic, 0));
	CHECK_EQ(guest_rd(0, "GICR_CDIA"), 0);
	CHECK_EQ(guest_cfg(0, SPI(0)), CFG(0, 31, 0, 0, 1, 1)); /* commands work */
	wr(0, "ICH_CONTEXTR_EL2", RESIDENT(1, 0));
	CHECK(gicv5_virq(&gic, 0));
	wr(0, "ICH_VCTLR_EL2", 0);
	CHECK(!gicv5_virq(&gic, 0));
}

static void test_edge_and_level(void)
{
	start_guest();
	enable(SPI(5), 8);
	vdpend(1, SPI(5), true);
	vdpend(1, SPI(5), true); /* merges */
	CHECK_EQ(take(), VALID(SPI(5)));
	vdpend(1, SPI(5), true); /* remembered while active */
	CHECK_EQ(guest_cfg(0, SPI(5)), CFG(0, 8, 0, 1, 1, 1));
	CHECK_EQ(guest_rd(0, "ICC_ICSR_EL1"), 0x4016);
	CHECK_EQ(take(), 0);
	guest_wr(0, "GIC_CDDI", SPI(5));
	CHECK_EQ(take(), VALID(SPI(5)));
	guest_wr(0, "GIC_CDDI", SPI(5));
	CHECK_EQ(take(), 0);

	/* Level, once the entry says so: pending until somebody takes it away */
	guest_wr(0, "GIC_CDHM", BIT(32) | SPI(5));
	vdpend(1, SPI(5), true);
	CHECK_EQ(take(), VALID(SPI(5)));
	CHECK_EQ(spi_iste(1, 5), PRIO(8) | EN | HM | ACTIVE | PEND);
	guest_wr(0, "GIC_CDDI", SPI(5));
	CHECK_EQ(take(), VALID(SPI(5)));
	vdpend(1, SPI(5), false);
	guest_wr(0, "GIC_CDDI", SPI(5));
	CHECK_EQ(take(), 0);
	/* the trigger mode of a physical SPI of that number has no part in it */
	irs_wr(0x108, 6);
	irs_wr(0x114, 1);
	CHECK_EQ(guest_cfg(0, SPI(6)), 0);
}

/* A command is given on one CPU, the VPE that it concerns is on another. */
static void test_remote(void)
{
	start_guest();
	enable(SPI(5), 8);
	guest_wr(0, "GIC_CDAFF", BIT(32) | SPI(5));
	gic.dirty = 0;
	vdpend(1, SPI(5), true);
	CHECK_EQ(gic.dirty, 2);
	CHECK(gicv5_virq(&gic, 1));
	CHECK(!gicv5_virq(&gic, 0));
	gic.dirty = 0;
	guest_wr(0, "GIC_CDDIS", SPI(5));
	CHECK_EQ(gic.dirty, 3); /* the caller and the target */
	CHECK(!gicv5_virq(&gic, 1));
	guest_wr(0, "GIC_CDEN", SPI(5));
	gic.dirty = 0;
	wr(0, "GIC_VDAFF", SPI(5)); /* taken from one, given to the other */
	CHECK_EQ(gic.dirty, 3);
	CHECK(gicv5_virq(&gic, 0));
	CHECK(!gicv5_virq(&gic, 1));
	gic.dirty = 0;
	vdpend(1, SPI(5), true); /* no change, nobody is disturbed */
	CHECK_EQ(gic.dirty, 0);
	CHECK_EQ(guest_rd(1, "GICR_CDIA"), 0);
	CHECK_EQ(take(), VALID(SPI(5)));

	/* the host runs there: nothing to signal before it enters the guest */
	gic.cpu[1].el1_virtual = false;
	guest_wr(0, "GIC_CDAFF", BIT(32) | SPI(6));
	guest_wr(0, "GIC_CDEN", SPI(6));
	vdpend(1, SPI(6), true);
	CHECK(!gicv5_virq(&gic, 1));
	gic.cpu[1].el1_virtual = true;
	CHECK(gicv5_virq(&gic, 1));
}

static void test_two_vms(void)
{
	start_guest();
	make_vm(2);
	enable(SPI(5), 8);
	vdpend(2, SPI(5), true);
	CHECK(!gicv5_virq(&gic, 0));
	CHECK_EQ(spi_iste(2, 5), PEND);
	vdpend(1, SPI(5), true);
	wr(0, "ICH_CONTEXTR_EL2", RESIDENT(2, 0));
	CHECK_EQ(guest_rd(0, "GICR_CDIA"), 0);
	guest_wr(0, "GIC_CDEN", SPI(5));
	CHECK_EQ(take(), VALID(SPI(5)));
	CHECK_EQ(spi_iste(1, 5), PRIO(8) | EN | PEND);
	wr(0, "ICH_CONTEXTR_EL2", RESIDENT(1, 0));
	CHECK_EQ(take(), VALID(SPI(5)));
}

/* A table comes and goes with its pending interrupts. */
static void test_pending_tables(void)
{
	start_guest();
	enable(LPI(77), 1);
	enable(SPI(5), 2);
	vdpend(1, LPI(77), true);
	vdpend(1, SPI(5), true);
	irs_wr64(VMAP_VISTR, M | U | (u64)1 << 32 | (u64)2 << 29);
	CHECK_EQ(mem64(VMTE(1) + 16), IST_WORD(LPI_IST(1), 12));
	CHECK_EQ(gic.vm[1].pend[0].some[0], 0);
	CHECK_EQ(guest_rd(0, "ICC_HPPIR_EL1"), VALID(SPI(5)));
	for (u64 id = 0; id < 4096; id++)
		set_mem32(LPI_IST(1) + 4 * id, EN | PRIO(id % 31));
	irs_wr64(VMAP_VISTR, M | (u64)1 << 32 | (u64)2 << 29); /* a fresh one */
	CHECK_EQ(guest_rd(0, "ICC_HPPIR_EL1"), VALID(SPI(5)));
	irs_wr64(VMAP_VISTR, M | U | (u64)1 << 32 | (u64)2 << 29);
	set_mem32(LPI_IST(1) + 4 * 4095, EN | PEND | PRIO(1)); /* a restored one */
	set_mem32(LPI_IST(1) + 4 * 1025, EN | PEND | PRIO(1));
	irs_wr64(VMAP_VISTR, M | (u64)1 << 32 | (u64)2 << 29);
	CHECK_EQ(take(), VALID(LPI(1025)));
	CHECK_EQ(take(), VALID(LPI(4095)));
	CHECK_EQ(take(), VALID(SPI(5)));
	CHECK_EQ(take(), 0);
}

/* All LPIs at once, and each is delivered once. */
static void test_every_lpi(void)
{
	start_guest();
	for (u32 id = 0; id < 4096; id++) {
		guest_wr(0, "GIC_CDEN", LPI(4095 - id));
		guest_wr(0, "GIC_CDPEND", BIT(32) | LPI(4095 - id));
	}
	for (u32 id = 0; id < 4096; id++)
		CHECK_EQ(take(), VALID(LPI(id)));
	CHECK_EQ(take(), 0);
}

static void test_vd(void)
{
	static const struct {
		const char *insn;
		u64 operand;
		u32 iste;
	} t[] = {
		{ "GIC_VDEN", 0, EN },
		{ "GIC_VDPRI", (u64)9 << 35, EN | PRIO(9) },
		{ "GIC_VDAFF", (u64)3 << 32, EN | PRIO(9) | VPE(3) },
		{ "GIC_VDHM", BIT(32), EN | PRIO(9) | VPE(3) | HM },
		{ "GIC_VDPEND", BIT(63) | BIT(32), EN | PRIO(9) | VPE(3) | HM | PEND },
		{ "GIC_VDDIS", 0, PRIO(9) | VPE(3) | HM | PEND },
		{ "GIC_VDPEND", BIT(32), PRIO(9) | VPE(3) | HM },
	};

	start_guest();
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		wr(0, t[i].insn, t[i].operand | SPI(31));
		CHECK_EQ(spi_iste(1, 31), t[i].iste);
	}
	wr(0, "GIC_VDRCFG", SPI(31));
	CHECK_EQ(rd(0, "ICC_ICSR_EL1"), CFG(3, 9, 1, 0, 0, 0));
	set_mem32(SPI_IST(1) + 4 * 31, ACTIVE);
	wr(0, "GIC_VDDI", SPI(31));
	CHECK_EQ(spi_iste(1, 31), 0);
	/* all but VDPEND are about the resident VM */
	wr(0, "ICH_CONTEXTR_EL2", 0);
	wr(0, "GIC_VDEN", SPI(31));
	CHECK_EQ(spi_iste(1, 31), 0);
	vdpend(1, SPI(31), true);
	CHECK_EQ(spi_iste(1, 31), PEND);
}

static void test_hppir(void)
{
	start_guest();
	irs_wr64(VPE_SELR, M | (u64)2 << 32 | 1);
	CHECK_EQ(irs_rd64(VPE_HPPIR), 0);
	enable(SPI(5), 8);
	guest_wr(0, "GIC_CDAFF", (u64)2 << 32 | SPI(5));
	vdpend(1, SPI(5), true);
	CHECK_EQ(irs_rd64(VPE_HPPIR), VALID(SPI(5)));
	irs_wr64(VPE_SELR, M | (u64)1 << 32 | 1);
	CHECK_EQ(irs_rd64(VPE_HPPIR), 0);
}

void test_vist(void)
{
	test_commands(SPI(5), SPI_IST(1) + 4 * 5);
	test_commands(LPI(4095), LPI_IST(1) + 4 * 4095);
	test_formats();
	test_bounds();
	test_order();
	test_masks();
	test_edge_and_level();
	test_remote();
	test_two_vms();
	test_pending_tables();
	test_every_lpi();
	test_vd();
	test_hppir();
}
