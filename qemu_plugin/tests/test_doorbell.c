// SPDX-License-Identifier: GPL-2.0-or-later
/* Doorbells of VPEs that are off the CPU, one rule after the other. */
#include "tables.h"

/* VPE 0 of VM 1 is off; its doorbell, host LPI 100, goes to CPU 1. SPI 5 targets VPE 0. */
static void start(void)
{
	start_guest();
	gic.cpu[0].el1_virtual = false;
	wr(1, "ICC_PCR_EL1", 31);
	wr(1, "ICC_CR0_EL1", 1);
	wr(1, "GIC_CDAFF", BIT(32) | LPI(100));
	wr(1, "GIC_CDEN", LPI(100));
	guest_wr(1, "GIC_CDPRI", (u64)8 << 35 | SPI(5));
	guest_wr(1, "GIC_CDEN", SPI(5));
	gic.dirty = 0;
}

static void put(u64 val)
{
	wr(0, "ICH_CONTEXTR_EL2", val);
}

static void load(void)
{
	wr(0, "ICH_CONTEXTR_EL2", RESIDENT(1, 0));
}

/* Has it rung? Takes the interrupt if so. */
static bool rung(void)
{
	u64 before = gic.doorbells;
	bool now = signals(1).now;

	CHECK_EQ(rd(1, "GICR_CDIA"), now ? VALID(LPI(100)) : 0);
	wr(1, "GIC_CDEOI", 0);
	wr(1, "GIC_CDDI", LPI(100));
	CHECK_EQ(gic.doorbells, before);
	return now;
}

static void test_requests(void)
{
	/* already pending when it is asked for */
	start();
	vdpend(1, SPI(5), true);
	CHECK(!rung()); /* resident: no use for one */
	put(PUT_DB(31));
	CHECK_EQ(gic.dirty & 2, 2);
	CHECK(rung());
	/* one shot */
	vdpend(1, SPI(5), false);
	vdpend(1, SPI(5), true);
	CHECK(!rung());
	CHECK_EQ(gic.doorbells, 1);

	/* later */
	start();
	put(PUT_DB(31));
	CHECK(!rung());
	vdpend(1, SPI(5), true);
	CHECK(rung());

	/* not asked for */
	start();
	put(0);
	vdpend(1, SPI(5), true);
	CHECK(!rung());
	put(PUT_DB(31)); /* too late: nobody is taken off */
	CHECK(!rung());
}

static void test_cancelled(void)
{
	/* by being resident again */
	start();
	irs_wr64(VPE_SELR, M | 1);
	put(PUT_DB(31));
	CHECK_EQ(irs_rd64(VPE_DBR), BIT(63) | BIT(62) | (u64)31 << 32 | 100);
	load();
	CHECK_EQ(irs_rd64(VPE_DBR), BIT(63) | (u64)31 << 32 | 100);
	wr(0, "ICH_CONTEXTR_EL2", RESIDENT(1, 2)); /* takes its place, which is no request */
	vdpend(1, SPI(5), true);
	CHECK(!rung());

	/* and a put without request does not bring the old one back */
	start();
	put(PUT_DB(31));
	load();
	put(0);
	vdpend(1, SPI(5), true);
	CHECK(!rung());

	/* by a put without request, of a VPE that asked by IRS_VPE_DBR while resident */
	start();
	guest_wr(1, "GIC_CDPRI", SPI(5)); /* priority 0: whatever the mask */
	irs_wr64(VPE_SELR, M | 1);
	irs_wr64(VPE_DBR, BIT(63) | BIT(62) | (u64)31 << 32 | 100);
	vdpend(1, SPI(5), true);
	CHECK(!rung()); /* resident */
	put(0);
	CHECK(!rung());
	/* but one that is off rings at once */
	irs_wr64(VPE_DBR, BIT(63) | BIT(62) | (u64)31 << 32 | 100);
	CHECK(rung());
	CHECK_EQ(irs_rd64(VPE_DBR), BIT(63) | (u64)31 << 32 | 100);
}

/* Asked for while resident, by IRS_VPE_DBR; then another VPE takes the CPU, or none can. */
static void test_taken_over(u64 by)
{
	start();
	vdpend(1, SPI(5), true);
	irs_wr64(VPE_SELR, M | 1);
	irs_wr64(VPE_DBR, BIT(63) | BIT(62) | (u64)31 << 32 | 100);
	CHECK(!rung());
	wr(0, "ICH_CONTEXTR_EL2", by);
	CHECK(rung());
}

/* Every command that can make the condition true, given by the other VPE */
static void test_commands(void)
{
	start();
	guest_wr(1, "GIC_CDDIS", SPI(5));
	vdpend(1, SPI(5), true);
	put(PUT_DB(31));
	CHECK(!rung());
	guest_wr(1, "GIC_CDEN", SPI(5));
	CHECK(rung());

	start();
	vdpend(1, SPI(5), true);
	put(PUT_DB(7)); /* it has priority 8 */
	CHECK(!rung());
	guest_wr(1, "GIC_CDPRI", (u64)7 << 35 | SPI(5));
	CHECK(rung());

	start();
	guest_wr(1, "GIC_CDAFF", (u64)2 << 32 | SPI(5));
	vdpend(1, SPI(5), true);
	put(PUT_DB(31));
	CHECK(!rung()); /* VPE 2's business */
	guest_wr(1, "GIC_CDAFF", SPI(5));
	CHECK(rung());

	start();
	put(PUT_DB(31));
	guest_wr(1, "GIC_CDEN", LPI(4000));
	CHECK(!rung());
	guest_wr(1, "GIC_CDPEND", BIT(32) | LPI(4000));
	CHECK(rung());

	start();
	vdpend(1, SPI(5), true);
	CHECK_EQ(guest_rd(0, "GICR_CDIA"), VALID(SPI(5)));
	vdpend(1, SPI(5), true);
	put(PUT_DB(31));
	CHECK(!rung()); /* active */
	guest_wr(1, "GIC_CDDI", SPI(5));
	CHECK(rung());

	/* a table that comes with something pending */
	start();
	irs_wr64(VMAP_VISTR, M | U | (u64)1 << 32 | (u64)3 << 29);
	set_mem32(SPI_IST(1) + 4 * 9, PEND | EN);
	put(PUT_DB(31));
	CHECK(!rung());
	irs_wr64(VMAP_VISTR, M | (u64)1 << 32 | (u64)3 << 29);
	CHECK(rung());
}

static void test_mask(void)
{
	for (u64 dbpm = 0; dbpm < 32; dbpm++) {
		start();
		vdpend(1, SPI(5), true);
		put(PUT_DB(dbpm));
		CHECK_EQ(rung(), dbpm >= 8);
	}
}

static void test_not_configured(void)
{
	start();
	irs_wr64(VPE_SELR, M | 1);
	irs_wr64(VPE_DBR, 100); /* not DBV */
	put(PUT_DB(31));
	vdpend(1, SPI(5), true);
	CHECK(!rung());
	CHECK_EQ(gic.doorbells, 0);
	/* an LPI that there is not */
	irs_wr64(VPE_DBR, BIT(63) | BIT(62) | (u64)31 << 32 | 0xffffff);
	CHECK(!rung());
	CHECK_EQ(gic.doorbells, 1);
	/* PPIs are the hypervisor's to watch */
	start();
	wr(0, "ICH_PPI_ENABLER0_EL2", 8);
	wr(0, "ICH_PPI_PENDR0_EL2", 8);
	put(PUT_DB(31));
	CHECK(!rung());
	/* the VM goes, with all its doorbells */
	irs_wr64(VMAP_VMR, M | U | 1);
	vdpend(1, SPI(5), true);
	CHECK(!rung());
}

/* A VM's id is used again: a VPE that the new VM has not is not asked for by the old one. */
static void test_next_vm(void)
{
	start();
	irs_wr64(VPE_SELR, M | (u64)3 << 32 | 1);
	irs_wr64(VPE_DBR, BIT(63) | BIT(62) | (u64)31 << 32 | 100);
	irs_wr64(VMAP_VMR, M | U | 1);
	irs_wr64(VMAP_VMR, M | 1);
	set_mem32(SPI_IST(1) + 4 * 5, PEND | EN | VPE(3));
	irs_wr64(VMAP_VISTR, M | (u64)1 << 32 | (u64)3 << 29);
	CHECK(!rung());
}

void test_doorbell(void)
{
	test_requests();
	test_cancelled();
	test_taken_over(RESIDENT(1, 2));
	test_taken_over(RESIDENT(1, 77)); /* F */
	test_commands();
	test_mask();
	test_not_configured();
	test_next_vm();
}
