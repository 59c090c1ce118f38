// SPDX-License-Identifier: GPL-2.0-or-later
/* SPIs and LPIs. */
#include "check.h"

#define CFG(cpu, prio, level, active, pend, en) \
	((u64)(cpu) << 32 | (prio) << 11 | (level) << 5 | (active) << 4 | (pend) << 2 | (en) << 1)

static void start(void)
{
	setup(2);
	for (unsigned int cpu = 0; cpu < 2; cpu++) {
		wr(cpu, "ICC_PCR_EL1", 31);
		wr(cpu, "ICC_CR0_EL1", 1);
	}
}

static u64 cfg(u32 intid)
{
	wr(0, "GIC_CDRCFG", intid);
	return rd(0, "ICC_ICSR_EL1");
}

static void test_config(u32 intid)
{
	start();
	CHECK_EQ(cfg(intid), 0);
	wr(0, "GIC_CDPRI", (u64)0x1f << 35 | intid);
	CHECK_EQ(cfg(intid), CFG(0, 31, 0, 0, 0, 0));
	wr(0, "GIC_CDPRI", (u64)3 << 35 | intid);
	wr(0, "GIC_CDAFF", BIT(32) | intid);
	CHECK_EQ(cfg(intid), CFG(1, 3, 0, 0, 0, 0));
	wr(0, "GIC_CDAFF", (u64)2 << 32 | intid); /* no such CPU */
	wr(0, "GIC_CDHM", BIT(32) | intid);
	wr(0, "GIC_CDEN", intid);
	CHECK_EQ(cfg(intid), CFG(1, 3, 1, 0, 0, 1));
	wr(0, "GIC_CDPEND", BIT(32) | intid);
	CHECK_EQ(cfg(intid), CFG(1, 3, 1, 0, 1, 1));
	wr(0, "GIC_CDPEND", intid);
	wr(0, "GIC_CDHM", intid);
	wr(0, "GIC_CDDIS", intid);
	CHECK_EQ(cfg(intid), CFG(1, 3, 0, 0, 0, 0));
}

/* Delivery to CPU 1, and the signals that come with it */
static void test_delivery(u32 intid, bool spi)
{
	start();
	wr(0, "GIC_CDPRI", (u64)3 << 35 | intid);
	wr(0, "GIC_CDAFF", BIT(32) | intid);
	gic.dirty = 0;
	wr(0, "GIC_CDEN", intid);
	wr(0, "GIC_CDPEND", BIT(32) | intid);
	CHECK_EQ(gic.dirty, 3); /* the caller and the target */
	CHECK_EQ(rd(0, "ICC_HPPIR_EL1"), 0);
	CHECK_EQ(signals(1).spi[0], spi ? 1u << 5 : 0);
	CHECK_EQ(signals(1).now, !spi);
	CHECK_EQ(signals(0).spi[0], 0);

	wr(1, "ICC_PCR_EL1", 2); /* masked: no signal, or it would storm */
	CHECK_EQ(signals(1).spi[0], 0);
	CHECK(!signals(1).now);
	CHECK_EQ(rd(1, "GICR_CDIA"), 0);
	wr(1, "ICC_PCR_EL1", 3);
	CHECK_EQ(rd(1, "ICC_HPPIR_EL1"), VALID(intid));

	CHECK_EQ(rd(1, "GICR_CDIA"), VALID(intid));
	CHECK_EQ(rd(1, "ICC_APR_EL1"), BIT(3));
	CHECK_EQ(cfg(intid), CFG(1, 3, 0, 1, 0, 1));
	CHECK_EQ(signals(1).spi[0], 0);
	wr(1, "GIC_CDPEND", BIT(32) | intid); /* once more while active */
	wr(1, "GIC_CDEOI", 0);
	CHECK_EQ(rd(1, "GICR_CDIA"), 0);
	wr(1, "GIC_CDDI", intid);
	CHECK_EQ(rd(1, "GICR_CDIA"), VALID(intid));
	wr(1, "GIC_CDEOI", 0);
	wr(1, "GIC_CDDI", intid);
	CHECK_EQ(cfg(intid), CFG(1, 3, 0, 0, 0, 1));

	/* pending, then moved to CPU 0 */
	wr(1, "GIC_CDPEND", BIT(32) | intid);
	wr(1, "GIC_CDAFF", intid);
	CHECK_EQ(rd(1, "ICC_HPPIR_EL1"), 0);
	CHECK_EQ(rd(0, "ICC_HPPIR_EL1"), VALID(intid));
	wr(0, "GIC_CDDIS", intid);
	CHECK_EQ(rd(0, "ICC_HPPIR_EL1"), 0);
	wr(0, "GIC_CDEN", intid);
	wr(0, "GIC_CDPEND", intid);
	CHECK_EQ(rd(0, "GICR_CDIA"), 0);
}

static void test_level(void)
{
	/* a Level LPI keeps its pending state over the acknowledge */
	start();
	wr(0, "GIC_CDHM", BIT(32) | LPI(9));
	wr(0, "GIC_CDEN", LPI(9));
	wr(0, "GIC_CDPEND", BIT(32) | LPI(9));
	CHECK_EQ(rd(0, "GICR_CDIA"), VALID(LPI(9)));
	CHECK_EQ(cfg(LPI(9)), CFG(0, 0, 1, 1, 1, 1));

	/* the trigger of an SPI reaches the board, by either way */
	wr(0, "GIC_CDHM", BIT(32) | SPI(255));
	CHECK(board.spi_level[255]);
	irs_wr(0x108, 255);
	irs_wr(0x114, 0);
	CHECK(!board.spi_level[255]);
	CHECK_EQ(cfg(SPI(255)), 0);
	wr(0, "GIC_CDAFF", BIT(32) | SPI(255));
	CHECK_EQ(board.spi_target[255], 1);
}

/* An IRS that is off keeps everything to itself; PPIs are none of its business. */
static void test_irsen(void)
{
	start();
	wr(0, "GIC_CDEN", SPI(4));
	wr(0, "GIC_CDPEND", BIT(32) | SPI(4));
	wr(0, "GIC_CDEN", LPI(4));
	wr(0, "GIC_CDPEND", BIT(32) | LPI(4));
	gic.dirty = 0;
	irs_wr(IRS_CR0, 0);
	CHECK_EQ(gic.dirty, 3);
	CHECK(!gicv5_phys_pending(&gic, 0));
	CHECK_EQ(rd(0, "ICC_HPPIR_EL1"), 0);
	CHECK_EQ(rd(0, "GICR_CDIA"), 0);
	CHECK(!signals(0).now);
	CHECK_EQ(signals(0).spi[0], 0);
	CHECK_EQ(cfg(SPI(4)), CFG(0, 0, 0, 0, 1, 1));
	CHECK_EQ(cfg(LPI(4)), CFG(0, 0, 0, 0, 1, 1));
	wr(0, "ICC_PPI_ENABLER0_EL1", BIT(3));
	wr(0, "ICC_PPI_SPENDR0_EL1", BIT(3));
	CHECK(signals(0).now);
	CHECK_EQ(rd(0, "ICC_HPPIR_EL1"), VALID(PPI(3)));
	wr(0, "ICC_PPI_CPENDR0_EL1", BIT(3));
	irs_wr(IRS_CR0, 1);
	CHECK(signals(0).now);
	CHECK_EQ(signals(0).spi[0], 1u << 4);
	CHECK_EQ(rd(0, "ICC_HPPIR_EL1"), VALID(LPI(4)));
}

/* There are LPIs while their table is valid, as many as it has room for. */
static void test_ist(void)
{
	static const struct {
		u32 id_bits, nr;
	} sizes[] = { { 0, 4096 }, { 12, 4096 }, { 13, 8192 }, { 16, 65536 }, { 31, 65536 } };

	start();
	wr(0, "GIC_CDPRI", (u64)3 << 35 | LPI(4));
	wr(0, "GIC_CDEN", LPI(4));
	wr(0, "GIC_CDPEND", BIT(32) | LPI(4));
	wr(0, "GIC_CDEN", SPI(4));
	wr(0, "GIC_CDPEND", BIT(32) | SPI(4));
	wr(0, "GIC_CDPRI", (u64)4 << 35 | SPI(4));
	CHECK_EQ(rd(0, "ICC_HPPIR_EL1"), VALID(LPI(4)));
	gic.dirty = 0;
	irs_wr64(0x180, 0);
	CHECK_EQ(gic.dirty, 3);
	CHECK(!signals(0).now);
	CHECK_EQ(rd(0, "ICC_HPPIR_EL1"), VALID(SPI(4)));
	CHECK_EQ(cfg(LPI(4)), 1); /* F */
	wr(0, "GIC_CDPEND", BIT(32) | LPI(4));
	wr(0, "GIC_CDEN", LPI(4));
	CHECK_EQ(rd(0, "ICC_HPPIR_EL1"), VALID(SPI(4)));
	irs_wr64(0x180, MEM_BASE | 1); /* a new one, of zeros */
	CHECK_EQ(cfg(LPI(4)), 0);

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		irs_wr64(0x180, 0);
		irs_wr(0x190, sizes[i].id_bits);
		irs_wr64(0x180, MEM_BASE | 1);
		CHECK_EQ(cfg(LPI(sizes[i].nr - 1)), 0);
		CHECK_EQ(cfg(LPI(sizes[i].nr)), 1);
	}
}

static void test_bounds(void)
{
	static const u32 bad[] = { SPI(256), LPI(65536), LPI(0xffffff), PPI(3), 5 };

	start();
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		wr(0, "GIC_CDEN", bad[i]);
		wr(0, "GIC_CDPEND", BIT(32) | bad[i]);
		wr(0, "GIC_CDAFF", bad[i]);
		CHECK_EQ(cfg(bad[i]), 1); /* F */
	}
	CHECK_EQ(rd(0, "GICR_CDIA"), 0);
	wr(0, "GIC_CDEN", LPI(65535));
	wr(0, "GIC_CDPEND", BIT(32) | LPI(65535));
	wr(0, "GIC_CDEN", SPI(255));
	wr(0, "GIC_CDPEND", BIT(32) | SPI(255));
	CHECK_EQ(signals(0).spi[7], 1u << 31);
	/* a tie goes to the PPI, the LPI, the SPI */
	wr(0, "ICC_PPI_ENABLER0_EL1", BIT(26));
	board.line[0] = BIT(26);
	CHECK_EQ(rd(0, "GICR_CDIA"), VALID(PPI(26)));
	wr(0, "GIC_CDEOI", 0);
	CHECK_EQ(rd(0, "GICR_CDIA"), VALID(LPI(65535)));
	wr(0, "GIC_CDEOI", 0);
	CHECK_EQ(rd(0, "GICR_CDIA"), VALID(SPI(255)));
	wr(0, "GIC_CDEOI", 0);
	CHECK_EQ(rd(0, "GICR_CDIA"), 0);
}

void test_iri(void)
{
	test_config(LPI(5));
	test_config(SPI(5));
	test_delivery(LPI(5), false);
	test_delivery(SPI(5), true);
	test_level();
	test_irsen();
	test_ist();
	test_bounds();
}
