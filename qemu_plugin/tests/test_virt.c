// SPDX-License-Identifier: GPL-2.0-or-later
/* The virtual CPU interface, from EL1 and from EL2. */
#include "check.h"

#define ALL (~(u64)0)

/* EL1 of CPU 0 runs a guest with everything open */
static void enter(void)
{
	setup(2);
	gic.cpu[0].el1_virtual = true;
	wr(0, "ICH_VMCR_EL2", ALL);
}

static void test_el2_res0(void)
{
	static const struct {
		const char *reg;
		u64 mask, res1;
	} t[] = {
		{ "ICH_APR_EL2", 0xffffffff, 0 },
		{ "ICH_HFGRTR_EL2", 0x1f00f7, 8 },
		{ "ICH_HFGWTR_EL2", 0x1e0065, 0 },
		{ "ICH_HFGITR_EL2", 0x7ff, 0 },
		{ "ICH_VCTLR_EL2", 1, 0 }, /* no V3 without a legacy interface */
		{ "ICH_VMCR_EL2", 0xf8000001, 0 },
		{ "ICH_PPI_DVIR0_EL2", ALL, 0 },
		{ "ICH_PPI_DVIR1_EL2", ALL, 0 },
		{ "ICH_PPI_ENABLER1_EL2", ALL, 0 },
		{ "ICH_PPI_PENDR0_EL2", ALL, 0 }, /* raw, for Level PPIs too */
		{ "ICH_PPI_ACTIVER1_EL2", ALL, 0 },
		{ "ICH_PPI_PRIORITYR7_EL2", 0x1f1f1f1f1f1f1f1f, 0 },
		{ "ICH_PPI_PRIORITYR15_EL2", 0x1f1f1f1f1f1f1f1f, 0 },
	};

	setup(1);
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		wr(0, t[i].reg, ALL);
		CHECK_EQ(rd(0, t[i].reg), t[i].mask | t[i].res1);
		wr(0, t[i].reg, 0);
		CHECK_EQ(rd(0, t[i].reg), t[i].res1);
	}
}

/* What EL1 writes, EL2 finds in ICH_*, and the physical interface is not touched. */
static void test_redirection(void)
{
	enter();
	wr(0, "ICC_PCR_EL1", 7);
	guest_wr(0, "ICC_PCR_EL1", ALL);
	guest_wr(0, "ICC_CR0_EL1", 0);
	CHECK_EQ(rd(0, "ICH_VMCR_EL2"), 0xf8000000);
	CHECK_EQ(guest_rd(0, "ICC_CR0_EL1"), 6);
	guest_wr(0, "ICC_PCR_EL1", 3);
	guest_wr(0, "ICC_CR0_EL1", ALL);
	CHECK_EQ(rd(0, "ICH_VMCR_EL2"), 3u << 27 | 1);
	CHECK_EQ(guest_rd(0, "ICC_PCR_EL1"), 3);
	CHECK_EQ(guest_rd(0, "ICC_CR0_EL1"), 7);
	CHECK_EQ(rd(0, "ICC_PCR_EL1"), 7);
	CHECK_EQ(rd(0, "ICC_CR0_EL1"), 6);

	guest_wr(0, "ICC_APR_EL1", ALL);
	CHECK_EQ(rd(0, "ICH_APR_EL2"), 0xffffffff);
	CHECK_EQ(rd(0, "ICC_APR_EL1"), 0);
	guest_wr(0, "ICC_PPI_ENABLER0_EL1", BIT(40) | 8);
	CHECK_EQ(rd(0, "ICH_PPI_ENABLER0_EL2"), BIT(40) | 8);
	CHECK_EQ(rd(0, "ICC_PPI_ENABLER0_EL1"), 0);
	guest_wr(0, "ICC_PPI_SACTIVER1_EL1", BIT(9));
	guest_wr(0, "ICC_PPI_SACTIVER0_EL1", BIT(63) | BIT(1));
	guest_wr(0, "ICC_PPI_CACTIVER0_EL1", BIT(1));
	CHECK_EQ(rd(0, "ICH_PPI_ACTIVER0_EL2"), BIT(63));
	CHECK_EQ(rd(0, "ICH_PPI_ACTIVER1_EL2"), BIT(9));
	guest_wr(0, "ICC_PPI_PRIORITYR9_EL1", ALL);
	CHECK_EQ(rd(0, "ICH_PPI_PRIORITYR9_EL2"), 0x1f1f1f1f1f1f1f1f);
	CHECK_EQ(rd(0, "ICC_PPI_PRIORITYR9_EL1"), 0);

	/* pending: EL1 may change Edge PPIs only, EL2 any */
	wr(0, "ICH_PPI_PENDR0_EL2", BIT(27));
	guest_wr(0, "ICC_PPI_SPENDR0_EL1", ALL);
	CHECK_EQ(rd(0, "ICH_PPI_PENDR0_EL2"), BIT(27) | BIT(3));
	guest_wr(0, "ICC_PPI_CPENDR0_EL1", ALL);
	CHECK_EQ(guest_rd(0, "ICC_PPI_SPENDR0_EL1"), BIT(27));
	guest_wr(0, "ICC_PPI_SPENDR1_EL1", ALL);
	CHECK_EQ(rd(0, "ICH_PPI_PENDR1_EL2"), 0);

	/* shared */
	guest_wr(0, "ICC_ICSR_EL1", ALL);
	CHECK_EQ(rd(0, "ICC_ICSR_EL1"), 0x0000ffff0000f83f);
	CHECK_EQ(guest_rd(0, "ICC_PPI_HMR0_EL1"), ~BIT(3));
	CHECK_EQ(guest_rd(1, "ICC_IAFFIDR_EL1"), 1);
	CHECK_EQ(guest_rd(0, "ICC_IDR0_EL1"), 0x41);
}

static void test_virq(void)
{
	enter();
	CHECK(!gicv5_virq(&gic, 0));
	wr(0, "ICH_PPI_ENABLER0_EL2", BIT(3));
	gic.dirty = 0;
	wr(0, "ICH_PPI_PENDR0_EL2", BIT(3));
	CHECK_EQ(gic.dirty, 1);
	CHECK(gicv5_virq(&gic, 0));
	CHECK(!signals(0).now); /* the physical interface has nothing to do with it */
	CHECK_EQ(guest_rd(0, "ICC_HPPIR_EL1"), VALID(PPI(3)));
	CHECK_EQ(rd(0, "ICH_HPPIR_EL2"), VALID(PPI(3)));

	wr(0, "ICH_VCTLR_EL2", 0); /* no selection */
	CHECK(!gicv5_virq(&gic, 0));
	CHECK_EQ(guest_rd(0, "ICC_HPPIR_EL1"), 0);
	wr(0, "ICH_VCTLR_EL2", 1);
	wr(0, "ICH_VMCR_EL2", 31u << 27);
	CHECK(!gicv5_virq(&gic, 0));
	wr(0, "ICH_VMCR_EL2", 31u << 27 | 1);
	gic.cpu[0].el1_virtual = false; /* the host runs */
	CHECK(!gicv5_virq(&gic, 0));
	gic.dirty = 0;
	wr(0, "ICH_PPI_PENDR0_EL2", 0);
	CHECK_EQ(gic.dirty, 0);
	wr(0, "ICH_PPI_PENDR0_EL2", BIT(3));
	gic.cpu[0].el1_virtual = true;

	CHECK_EQ(guest_rd(0, "GICR_CDIA"), VALID(PPI(3)));
	CHECK_EQ(rd(0, "ICH_APR_EL2"), 1);
	CHECK_EQ(rd(0, "ICH_PPI_ACTIVER0_EL2"), BIT(3));
	CHECK_EQ(rd(0, "ICH_PPI_PENDR0_EL2"), 0);
	CHECK_EQ(guest_rd(0, "GICR_CDIA"), 0);
	guest_wr(0, "GIC_CDEOI", 0);
	guest_wr(0, "GIC_CDDI", PPI(3));
	CHECK_EQ(rd(0, "ICH_APR_EL2"), 0);
	CHECK_EQ(rd(0, "ICH_PPI_ACTIVER0_EL2"), 0);
	CHECK_EQ(rd(0, "ICC_APR_EL1"), 0);
}

static void test_masks(void)
{
	enter();
	wr(0, "ICH_PPI_ENABLER0_EL2", BIT(27));
	wr(0, "ICH_PPI_PENDR0_EL2", BIT(27));
	for (u64 p = 0; p < 32; p++) {
		wr(0, "ICH_PPI_PRIORITYR3_EL2", p << 24);
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
}

static void test_nesting(void)
{
	enter();
	wr(0, "ICH_PPI_ENABLER0_EL2", BIT(23) | BIT(33));
	wr(0, "ICH_PPI_PRIORITYR2_EL2", (u64)8 << 56);
	wr(0, "ICH_PPI_PRIORITYR4_EL2", 2 << 8);
	wr(0, "ICH_PPI_PENDR0_EL2", BIT(23));
	CHECK_EQ(guest_rd(0, "GICR_CDIA"), VALID(PPI(23)));
	wr(0, "ICH_PPI_PENDR0_EL2", BIT(23) | BIT(33));
	CHECK_EQ(guest_rd(0, "GICR_CDIA"), VALID(PPI(33)));
	CHECK_EQ(rd(0, "ICH_APR_EL2"), BIT(8) | BIT(2));
	CHECK_EQ(rd(0, "ICH_PPI_ACTIVER0_EL2"), BIT(23) | BIT(33));
	CHECK_EQ(rd(0, "ICH_PPI_PENDR0_EL2"), BIT(23) | BIT(33)); /* Level: not consumed */
	guest_wr(0, "GIC_CDEOI", 0);
	guest_wr(0, "GIC_CDDI", PPI(33));
	CHECK_EQ(rd(0, "ICH_PPI_ACTIVER0_EL2"), BIT(23));
	CHECK_EQ(guest_rd(0, "GICR_CDIA"), VALID(PPI(33))); /* pends again at once */
}

static void test_every_ppi(void)
{
	for (unsigned int n = 0; n < 128; n++) {
		const char *en = n < 64 ? "ICH_PPI_ENABLER0_EL2" : "ICH_PPI_ENABLER1_EL2";
		const char *pend = n < 64 ? "ICH_PPI_PENDR0_EL2" : "ICH_PPI_PENDR1_EL2";
		const char *act = n < 64 ? "ICH_PPI_ACTIVER0_EL2" : "ICH_PPI_ACTIVER1_EL2";
		u64 others = (BIT(1) | BIT(34) | BIT(62)) & ~BIT(n % 64);

		enter();
		wr(0, en, ALL);
		wr(0, act, others);
		wr(0, pend, BIT(n % 64));
		CHECK_EQ(guest_rd(0, "GICR_CDIA"), VALID(PPI(n)));
		CHECK_EQ(rd(0, act), others | BIT(n % 64));
		CHECK_EQ(rd(0, pend), n == 3 ? 0 : BIT(n % 64));
		guest_wr(0, "GIC_CDDI", PPI(n));
		CHECK_EQ(rd(0, act), others);
	}
}

/* Direct injection: pending is the physical line, whatever ICH_PPI_PENDR says. */
static void test_dvi(void)
{
	enter();
	wr(0, "ICH_PPI_ENABLER0_EL2", BIT(27));
	wr(0, "ICH_PPI_DVIR0_EL2", BIT(27));
	wr(0, "ICH_PPI_PENDR0_EL2", BIT(27) | BIT(30));
	CHECK_EQ(guest_rd(0, "ICC_PPI_SPENDR0_EL1"), BIT(30));
	CHECK_EQ(rd(0, "ICH_PPI_PENDR0_EL2"), BIT(27) | BIT(30)); /* its own storage */
	CHECK(!gicv5_virq(&gic, 0));

	board.line[0] = BIT(27) | BIT(28);
	CHECK_EQ(guest_rd(0, "ICC_PPI_SPENDR0_EL1"), BIT(27) | BIT(30));
	CHECK(gicv5_virq(&gic, 0)); /* physical Enable is 0 and plays no part */
	CHECK_EQ(guest_rd(0, "GICR_CDIA"), VALID(PPI(27)));
	CHECK_EQ(rd(0, "ICC_PPI_SACTIVER0_EL1"), 0);
	guest_wr(0, "GIC_CDEOI", 0);
	board.line[0] = 0;
	guest_wr(0, "GIC_CDDI", PPI(27));
	CHECK_EQ(guest_rd(0, "GICR_CDIA"), 0);
	CHECK(!gicv5_virq(&gic, 0));

	/* turned off, ICH_PPI_PENDR counts again */
	wr(0, "ICH_PPI_DVIR0_EL2", 0);
	CHECK(gicv5_virq(&gic, 0));

	/* an Edge PPI: the guest writes and consumes the physical pending bit */
	enter();
	wr(0, "ICH_PPI_ENABLER0_EL2", BIT(3));
	wr(0, "ICH_PPI_DVIR0_EL2", BIT(3));
	guest_wr(0, "ICC_PPI_SPENDR0_EL1", BIT(3));
	CHECK_EQ(rd(0, "ICH_PPI_PENDR0_EL2"), 0);
	CHECK_EQ(rd(0, "ICC_PPI_SPENDR0_EL1"), BIT(3));
	CHECK_EQ(guest_rd(0, "GICR_CDIA"), VALID(PPI(3)));
	CHECK_EQ(rd(0, "ICC_PPI_SPENDR0_EL1"), 0);
}

/* Without a resident VPE there are no virtual SPIs and LPIs. */
static void test_no_vpe(void)
{
	enter();
	wr(0, "ICC_ICSR_EL1", 0);
	guest_wr(0, "GIC_CDEN", SPI(1));
	guest_wr(0, "GIC_CDPEND", BIT(32) | LPI(1));
	guest_wr(0, "GIC_CDRCFG", SPI(1));
	CHECK_EQ(gic.spi[1].enable, 0);
	CHECK_EQ(gic.lpi[1].pend, 0);
	CHECK_EQ(rd(0, "ICC_ICSR_EL1"), 0);
}

/* Superpriority: with SCTLR_EL1.NMI, priority 0 is for CDNMIA and for nothing else. */
static void test_nmi(void)
{
	enter();
	wr(0, "ICH_PPI_ENABLER0_EL2", BIT(3) | BIT(23));
	wr(0, "ICH_PPI_PENDR0_EL2", BIT(3));
	gic.cpu[0].nmi = true;
	CHECK(gicv5_virq(&gic, 0));
	CHECK_EQ(guest_rd(0, "ICC_HPPIR_EL1"), VALID(PPI(3)));
	CHECK_EQ(guest_rd(0, "GICR_CDIA"), 0);
	CHECK_EQ(guest_rd(0, "GICR_CDNMIA"), VALID(PPI(3)));
	CHECK_EQ(rd(0, "ICH_APR_EL2"), 1);
	guest_wr(0, "GIC_CDEOI", 0);
	wr(0, "ICH_PPI_PENDR0_EL2", BIT(23));
	wr(0, "ICH_PPI_PRIORITYR2_EL2", (u64)1 << 56);
	CHECK_EQ(guest_rd(0, "GICR_CDNMIA"), 0);
	CHECK_EQ(guest_rd(0, "GICR_CDIA"), VALID(PPI(23)));
}

void test_virt(void)
{
	test_el2_res0();
	test_redirection();
	test_virq();
	test_masks();
	test_nesting();
	test_every_ppi();
	test_dvi();
	test_no_vpe();
	test_nmi();
}
