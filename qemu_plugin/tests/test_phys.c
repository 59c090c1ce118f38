// SPDX-License-Identifier: GPL-2.0-or-later
/* The physical CPU interface. */
#include "check.h"

#define ALL (~(u64)0)

static void open_cpu(unsigned int cpu)
{
	wr(cpu, "ICC_PCR_EL1", 31);
	wr(cpu, "ICC_CR0_EL1", 1);
}

static void prio(unsigned int cpu, unsigned int ppi, u64 p)
{
	char name[] = "ICC_PPI_PRIORITYR0_EL1";
	u64 v;

	name[17] = (char)('0' + ppi / 8);
	v = rd(cpu, name) & ~((u64)0xff << ppi % 8 * 8);
	wr(cpu, name, v | p << ppi % 8 * 8);
}

static void test_reset(void)
{
	setup(2);
	CHECK_EQ(rd(0, "ICC_CR0_EL1"), 6);
	CHECK_EQ(rd(0, "ICC_PCR_EL1"), 0);
	CHECK_EQ(rd(0, "ICC_APR_EL1"), 0);
	CHECK_EQ(rd(0, "ICC_ICSR_EL1"), 0);
	CHECK_EQ(rd(0, "ICC_IDR0_EL1"), 0x41);
	CHECK_EQ(rd(1, "ICC_IAFFIDR_EL1"), 1);
	CHECK_EQ(rd(0, "ICC_PPI_HMR0_EL1"), ~BIT(3));
	CHECK_EQ(rd(0, "ICC_PPI_HMR1_EL1"), ALL);
	CHECK_EQ(rd(0, "ICC_HPPIR_EL1"), 0);
	CHECK_EQ(rd(0, "GICR_CDIA"), 0);
	CHECK_EQ(signals(0).ppi, 0);

	/* reset clears everything but the controls that a kernel sets before */
	open_cpu(1);
	wr(1, "ICC_PPI_ENABLER0_EL1", ALL);
	wr(1, "ICC_APR_EL1", ALL);
	wr(1, "ICH_PPI_DVIR0_EL2", ALL);
	wr(1, "ICH_VMCR_EL2", ALL);
	wr(1, "GIC_CDEN", SPI(7));
	gicv5_reset(&gic);
	CHECK_EQ(gic.dirty, 3);
	CHECK_EQ(rd(1, "ICC_CR0_EL1"), 6);
	CHECK_EQ(rd(1, "ICC_PPI_ENABLER0_EL1"), 0);
	CHECK_EQ(rd(1, "ICC_APR_EL1"), 0);
	CHECK_EQ(rd(1, "ICH_PPI_DVIR0_EL2"), 0);
	CHECK_EQ(rd(1, "ICH_VMCR_EL2"), 0);
	CHECK_EQ(rd(1, "ICH_VCTLR_EL2"), 1);
	CHECK_EQ(rd(1, "ICH_HFGITR_EL2"), 0x7ff);
	CHECK_EQ(gic.spi[7].enable, 0);
}

static void test_res0(void)
{
	setup(1);
	wr(0, "ICC_CR0_EL1", ALL);
	CHECK_EQ(rd(0, "ICC_CR0_EL1"), 7);
	wr(0, "ICC_PCR_EL1", ALL);
	CHECK_EQ(rd(0, "ICC_PCR_EL1"), 31);
	wr(0, "ICC_APR_EL1", ALL);
	CHECK_EQ(rd(0, "ICC_APR_EL1"), 0xffffffff);
	wr(0, "ICC_ICSR_EL1", ALL);
	CHECK_EQ(rd(0, "ICC_ICSR_EL1"), 0x0000ffff0000f83f);
	wr(0, "ICC_PPI_PRIORITYR0_EL1", ALL);
	CHECK_EQ(rd(0, "ICC_PPI_PRIORITYR0_EL1"), 0x1f1f1f1f1f1f1f1f);
	wr(0, "ICC_PPI_PRIORITYR15_EL1", ALL);
	CHECK_EQ(rd(0, "ICC_PPI_PRIORITYR15_EL1"), 0x1f1f1f1f1f1f1f1f);
	CHECK_EQ(rd(0, "ICC_PPI_PRIORITYR14_EL1"), 0);
}

static void test_set_clear(void)
{
	setup(1);
	wr(0, "ICC_PPI_ENABLER0_EL1", ALL);
	CHECK_EQ(rd(0, "ICC_PPI_ENABLER0_EL1"), ALL);
	wr(0, "ICC_PPI_ENABLER0_EL1", 5); /* a plain write, not set or clear */
	CHECK_EQ(rd(0, "ICC_PPI_ENABLER0_EL1"), 5);
	CHECK_EQ(rd(0, "ICC_PPI_ENABLER1_EL1"), 0);

	for (int bank = 0; bank < 2; bank++) {
		const char *set = bank ? "ICC_PPI_SACTIVER1_EL1" : "ICC_PPI_SACTIVER0_EL1";
		const char *clr = bank ? "ICC_PPI_CACTIVER1_EL1" : "ICC_PPI_CACTIVER0_EL1";

		wr(0, set, BIT(63) | BIT(32) | BIT(31) | 1);
		CHECK_EQ(rd(0, clr), BIT(63) | BIT(32) | BIT(31) | 1);
		wr(0, clr, BIT(32) | 1);
		CHECK_EQ(rd(0, set), BIT(63) | BIT(31));
	}

	/* pending: only Edge PPIs can be written, and only SW_PPI is Edge */
	wr(0, "ICC_PPI_SPENDR0_EL1", ALL);
	wr(0, "ICC_PPI_SPENDR1_EL1", ALL);
	CHECK_EQ(rd(0, "ICC_PPI_CPENDR0_EL1"), BIT(3));
	CHECK_EQ(rd(0, "ICC_PPI_SPENDR1_EL1"), 0);
	board.line[0] = BIT(27);
	CHECK_EQ(rd(0, "ICC_PPI_SPENDR0_EL1"), BIT(27) | BIT(3));
	wr(0, "ICC_PPI_CPENDR0_EL1", ALL);
	CHECK_EQ(rd(0, "ICC_PPI_SPENDR0_EL1"), BIT(27));
	board.line[0] = 0;
	CHECK_EQ(rd(0, "ICC_PPI_SPENDR0_EL1"), 0);
}

static void test_edge(void)
{
	setup(1);
	open_cpu(0);
	wr(0, "ICC_PPI_ENABLER0_EL1", BIT(3));
	prio(0, 3, 4);
	CHECK(!signals(0).now);
	wr(0, "ICC_PPI_SPENDR0_EL1", BIT(3));
	CHECK(signals(0).now);
	CHECK_EQ(rd(0, "ICC_HPPIR_EL1"), VALID(PPI(3)));
	CHECK_EQ(rd(0, "GICR_CDIA"), VALID(PPI(3)));
	CHECK_EQ(rd(0, "ICC_APR_EL1"), BIT(4));
	CHECK_EQ(rd(0, "ICC_PPI_SACTIVER0_EL1"), BIT(3));
	CHECK_EQ(rd(0, "ICC_PPI_SPENDR0_EL1"), 0); /* consumed */
	/* a second edge while active waits for the deactivation */
	wr(0, "ICC_PPI_SPENDR0_EL1", BIT(3));
	wr(0, "GIC_CDEOI", 0);
	CHECK_EQ(rd(0, "ICC_APR_EL1"), 0);
	CHECK_EQ(rd(0, "GICR_CDIA"), 0);
	CHECK(!signals(0).now);
	wr(0, "GIC_CDDI", PPI(3));
	CHECK(signals(0).now);
	CHECK_EQ(rd(0, "GICR_CDIA"), VALID(PPI(3)));
	wr(0, "GIC_CDEOI", 0);
	wr(0, "GIC_CDEOI", 0); /* nothing to drop */
	wr(0, "GIC_CDDI", PPI(3));
	CHECK_EQ(rd(0, "GICR_CDIA"), 0);
	CHECK_EQ(rd(0, "ICC_PPI_SACTIVER0_EL1"), 0);
}

static void test_level_and_nesting(void)
{
	setup(1);
	open_cpu(0);
	wr(0, "ICC_PPI_ENABLER0_EL1", BIT(27) | BIT(30));
	prio(0, 27, 8);
	prio(0, 30, 2);
	CHECK_EQ(signals(0).ppi, BIT(27) | BIT(30));
	board.line[0] = BIT(27);
	CHECK(gicv5_phys_pending(&gic, 0));
	CHECK_EQ(rd(0, "GICR_CDIA"), VALID(PPI(27)));
	CHECK_EQ(rd(0, "ICC_PPI_SPENDR0_EL1"), BIT(27)); /* a level is not consumed */
	CHECK_EQ(signals(0).ppi, BIT(30));		 /* only what may preempt */
	board.line[0] |= BIT(30);
	CHECK_EQ(rd(0, "ICC_HPPIR_EL1"), VALID(PPI(30)));
	CHECK_EQ(rd(0, "GICR_CDIA"), VALID(PPI(30)));
	CHECK_EQ(rd(0, "ICC_APR_EL1"), BIT(8) | BIT(2));
	CHECK_EQ(rd(0, "ICC_PPI_SACTIVER0_EL1"), BIT(27) | BIT(30));
	wr(0, "GIC_CDEOI", 0); /* drops the higher one */
	CHECK_EQ(rd(0, "ICC_APR_EL1"), BIT(8));
	wr(0, "GIC_CDDI", PPI(30));
	CHECK_EQ(rd(0, "ICC_HPPIR_EL1"), VALID(PPI(30))); /* line still up */
	board.line[0] = 0;
	CHECK_EQ(rd(0, "GICR_CDIA"), 0);
	wr(0, "GIC_CDEOI", 0);
	wr(0, "GIC_CDDI", PPI(27));
	CHECK_EQ(rd(0, "ICC_APR_EL1"), 0);
	CHECK_EQ(rd(0, "ICC_PPI_SACTIVER0_EL1"), 0);
	CHECK_EQ(signals(0).ppi, BIT(27) | BIT(30));
}

/* "<=" against the mask, "<" against the running priority, and CR0.EN */
static void test_masks(void)
{
	setup(1);
	open_cpu(0);
	wr(0, "ICC_PPI_ENABLER0_EL1", BIT(3));
	wr(0, "ICC_PPI_SPENDR0_EL1", BIT(3));
	for (unsigned int p = 0; p < 32; p++) {
		prio(0, 3, p);
		for (unsigned int mask = 0; mask < 32; mask++) {
			wr(0, "ICC_PCR_EL1", mask);
			CHECK_EQ(rd(0, "ICC_HPPIR_EL1"), p <= mask ? VALID(PPI(3)) : 0);
			CHECK_EQ(signals(0).now, p <= mask);
		}
		for (unsigned int running = 0; running < 32; running++) {
			wr(0, "ICC_APR_EL1", BIT(running));
			CHECK_EQ(rd(0, "ICC_HPPIR_EL1"), p < running ? VALID(PPI(3)) : 0);
			CHECK_EQ(signals(0).now, p < running);
		}
		wr(0, "ICC_APR_EL1", 0);
	}
	wr(0, "ICC_CR0_EL1", 0);
	CHECK_EQ(rd(0, "ICC_HPPIR_EL1"), 0);
	CHECK_EQ(rd(0, "GICR_CDIA"), 0);
	CHECK_EQ(rd(0, "ICC_PPI_SPENDR0_EL1"), BIT(3));
	CHECK_EQ(rd(0, "GICR_CDNMIA"), 0);
}

/* Superpriority: with SCTLR_ELx.NMI, priority 0 is for CDNMIA and for nothing else. */
static void test_nmi(void)
{
	setup(1);
	open_cpu(0);
	wr(0, "GIC_CDEN", SPI(5));
	wr(0, "GIC_CDPEND", BIT(32) | SPI(5));
	gic.cpu[0].nmi = true;
	CHECK(gicv5_phys_pending(&gic, 0)); /* as an IRQ: the wires have no NMI */
	CHECK_EQ(rd(0, "GICR_CDIA"), 0);
	CHECK_EQ(rd(0, "GICR_CDNMIA"), VALID(SPI(5)));
	CHECK_EQ(rd(0, "ICC_APR_EL1"), 1);
	wr(0, "GIC_CDEOI", 0);
	wr(0, "GIC_CDDI", SPI(5));
	wr(0, "GIC_CDPEND", BIT(32) | SPI(5));
	wr(0, "GIC_CDPRI", (u64)1 << 35 | SPI(5));
	CHECK_EQ(rd(0, "GICR_CDNMIA"), 0);
	CHECK_EQ(rd(0, "GICR_CDIA"), VALID(SPI(5)));
}

/* Each PPI on its own: QEMU's GICv5 loses 32-63 in CDIA and CDDI. */
static void test_every_ppi(void)
{
	for (unsigned int n = 0; n < 64; n++) {
		setup(1);
		open_cpu(0);
		wr(0, "ICC_PPI_ENABLER0_EL1", ALL);
		prio(0, n, 1);
		wr(0, "ICC_PPI_SACTIVER0_EL1", BIT(40) | BIT(50) | BIT(5));
		wr(0, "ICC_PPI_CACTIVER0_EL1", BIT(n));
		board.line[0] = BIT(n);
		wr(0, "ICC_PPI_SPENDR0_EL1", BIT(3) & BIT(n));
		CHECK_EQ(rd(0, "GICR_CDIA"), VALID(PPI(n)));
		CHECK_EQ(rd(0, "ICC_PPI_SACTIVER0_EL1"), BIT(40) | BIT(50) | BIT(5) | BIT(n));
		wr(0, "GIC_CDDI", PPI(n));
		CHECK_EQ(rd(0, "ICC_PPI_SACTIVER0_EL1"), (BIT(40) | BIT(50) | BIT(5)) & ~BIT(n));
	}
	wr(0, "ICC_PPI_SACTIVER1_EL1", ALL);
	wr(0, "GIC_CDDI", PPI(64 + 33));
	CHECK_EQ(rd(0, "ICC_PPI_SACTIVER1_EL1"), ~BIT(33));
	wr(0, "GIC_CDDI", PPI(128)); /* no such PPI */
	wr(0, "GIC_CDDI", PPI(0xffffff));
	CHECK_EQ(rd(0, "ICC_PPI_SACTIVER1_EL1"), ~BIT(33));
}

static void test_order(void)
{
	setup(1);
	open_cpu(0);
	wr(0, "ICC_PPI_ENABLER0_EL1", ALL);
	board.line[0] = BIT(20) | BIT(26) | BIT(60);
	CHECK_EQ(rd(0, "ICC_HPPIR_EL1"), VALID(PPI(20))); /* tie: the lowest number */
	prio(0, 20, 3);
	prio(0, 26, 2);
	prio(0, 60, 1);
	CHECK_EQ(rd(0, "ICC_HPPIR_EL1"), VALID(PPI(60)));
	CHECK_EQ(rd(0, "GICR_CDIA"), VALID(PPI(60)));
	CHECK_EQ(rd(0, "ICC_HPPIR_EL1"), 0);
}

/* Lines are expensive to read: nobody asks unless an interrupt could come of it. */
static void test_sampling(void)
{
	setup(1);
	open_cpu(0);
	board.samples = 0;
	rd(0, "GICR_CDIA");
	wr(0, "ICC_PPI_ENABLER0_EL1", BIT(3));
	rd(0, "GICR_CDIA");
	CHECK_EQ(board.samples, 0);
	wr(0, "ICC_PPI_ENABLER0_EL1", BIT(26));
	rd(0, "GICR_CDIA");
	CHECK_EQ(board.samples, 1);
}

void test_phys(void)
{
	test_reset();
	test_res0();
	test_set_clear();
	test_edge();
	test_level_and_nesting();
	test_masks();
	test_nmi();
	test_every_ppi();
	test_order();
	test_sampling();
}
