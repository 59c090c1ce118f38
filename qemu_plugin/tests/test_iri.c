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

static void trigger(u32 spi, u32 mode)
{
	irs_wr(0x108, spi);
	irs_wr(0x114, mode);
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

	/* the handling mode of an SPI is not its trigger mode, which reaches the board */
	wr(0, "GIC_CDHM", BIT(32) | SPI(255));
	CHECK(!board.spi_level[255]);
	trigger(255, 1);
	wr(0, "GIC_CDHM", SPI(255));
	CHECK(board.spi_level[255]);
	CHECK_EQ(irs_rd(0x114), 1);
	CHECK_EQ(cfg(SPI(255)), 0);
	trigger(255, 0);
	CHECK(!board.spi_level[255]);
	wr(0, "GIC_CDAFF", BIT(32) | SPI(255));
	CHECK_EQ(board.spi_target[255], 1);
}

#define PENDING CFG(0, 0, 0, 0, 1, 0)
#define LEVEL	CFG(0, 0, 1, 0, 0, 0)

/* An event of the line copies the trigger mode into the handling mode. */
static void test_events(void)
{
	start();
	trigger(7, 1);
	CHECK_EQ(cfg(SPI(7)), 0); /* none yet */
	spi_line(7, true);
	CHECK_EQ(cfg(SPI(7)), PENDING | LEVEL);
	wr(0, "GIC_CDHM", SPI(7));
	CHECK_EQ(cfg(SPI(7)), PENDING); /* no new event */
	spi_line(7, false);
	CHECK_EQ(cfg(SPI(7)), 0);
	spi_line(7, true);
	CHECK_EQ(cfg(SPI(7)), PENDING | LEVEL);
	spi_line(7, false);
	trigger(7, 0);
	CHECK_EQ(cfg(SPI(7)), LEVEL);
	spi_line(7, true);
	CHECK_EQ(cfg(SPI(7)), PENDING);
	wr(0, "GIC_CDPEND", SPI(7));
	wr(0, "GIC_CDHM", BIT(32) | SPI(7));
	wr(0, "GIC_CDPEND", BIT(32) | SPI(7)); /* software's is none */
	CHECK_EQ(cfg(SPI(7)), PENDING | LEVEL);

	/* one that comes before a command counts before it, although only then it is seen */
	trigger(8, 1);
	spi_line(8, true);
	wr(0, "GIC_CDHM", SPI(8));
	CHECK_EQ(cfg(SPI(8)), PENDING);
}

/* A change of the trigger mode: to Level the line decides, to Edge a high line does. */
static void test_trigger_change(void)
{
	static const struct {
		bool to_level, line, pended, pend, level;
	} rows[] = {
		{ true, false, false, false, false },  { true, false, true, false, false },
		{ true, true, false, true, true },     { true, true, true, true, true },
		{ false, false, false, false, false }, { false, false, true, true, false },
		{ false, true, false, false, true },   { false, true, true, false, true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		start();
		if (!rows[i].to_level)
			trigger(7, 1);
		spi_line(7, rows[i].line);
		wr(0, "GIC_CDPEND", (u64)rows[i].pended << 32 | SPI(7));
		trigger(7, rows[i].to_level);
		CHECK_EQ(cfg(SPI(7)), (rows[i].pend ? PENDING : 0) | (rows[i].level ? LEVEL : 0));
	}
	trigger(7, 0); /* no change */
	wr(0, "GIC_CDPEND", BIT(32) | SPI(7));
	trigger(7, 0);
	CHECK_EQ(cfg(SPI(7)), PENDING | LEVEL);
}

/* What software made pending, of an SPI with a Level trigger */
static void test_level_latch(void)
{
	start();
	trigger(7, 1);
	wr(0, "GIC_CDEN", SPI(7));
	spi_line(7, true);
	CHECK_EQ(cfg(SPI(7)), CFG(0, 0, 1, 0, 1, 1));
	spi_line(7, false);
	wr(0, "GIC_CDPEND", BIT(32) | SPI(7));
	CHECK_EQ(rd(0, "GICR_CDIA"), VALID(SPI(7)));
	CHECK_EQ(cfg(SPI(7)), CFG(0, 0, 1, 1, 1, 1)); /* stays, as it does by the line */
	wr(0, "GIC_CDEOI", 0);
	wr(0, "GIC_CDDI", SPI(7));
	CHECK_EQ(rd(0, "ICC_HPPIR_EL1"), VALID(SPI(7)));
	wr(0, "GIC_CDPEND", SPI(7));
	CHECK_EQ(rd(0, "ICC_HPPIR_EL1"), 0);

	wr(0, "GIC_CDHM", SPI(7)); /* consumed, if it is to be handled as an edge */
	wr(0, "GIC_CDPEND", BIT(32) | SPI(7));
	CHECK_EQ(rd(0, "GICR_CDIA"), VALID(SPI(7)));
	CHECK_EQ(cfg(SPI(7)), CFG(0, 0, 0, 1, 0, 1));

	/* the line, when it falls, takes it along */
	wr(0, "GIC_CDPEND", BIT(32) | SPI(7));
	spi_line(7, true);
	CHECK_EQ(cfg(SPI(7)), CFG(0, 0, 1, 1, 1, 1));
	wr(0, "GIC_CDPEND", BIT(32) | SPI(7));
	spi_line(7, false);
	CHECK_EQ(cfg(SPI(7)), CFG(0, 0, 1, 1, 0, 1));

	/* so does software that has it sampled */
	wr(0, "GIC_CDPEND", BIT(32) | SPI(7));
	wr(0, "GIC_CDHM", SPI(7));
	irs_wr(0x110, 7);
	CHECK_EQ(cfg(SPI(7)), CFG(0, 0, 0, 1, 0, 1));
	spi_line(7, true);
	wr(0, "GIC_CDHM", SPI(7));
	irs_wr(0x110, 7);
	CHECK_EQ(cfg(SPI(7)), CFG(0, 0, 1, 1, 1, 1));
	irs_wr(0x110, 256); /* there is no such SPI */
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
	test_events();
	test_trigger_change();
	test_level_latch();
	test_irsen();
	test_ist();
	test_bounds();
}
