// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Random operations. First those of decent software, after each of which the
 * virtual interrupt must be the one that a search through the tables in memory
 * finds. Then anything at all on tables full of noise, where the sanitizers
 * are the judges.
 */
#include <stdio.h>

#include "tables.h"

#define SEED 0x5eed5u

static u64 state;

static u32 rnd(u32 n)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (u32)(state >> 33) % n;
}

static u64 rnd64(void)
{
	return (u64)rnd(1u << 31) << 42 ^ (u64)rnd(1u << 31) << 21 ^ rnd(1u << 31);
}

/* Of the IRS, for a VPE: by looking at everything. Priority in the high half, or ~0. */
static u64 search(u32 vm, u32 vpe)
{
	u64 best = ~(u64)0;

	for (u32 id = 0; id < 32; id++) {
		u32 e[2] = { lpi_iste(vm, id), spi_iste(vm, id) };

		for (u32 spi = 0; spi < 2; spi++) {
			u64 this = (u64)(e[spi] >> 11 & 31) << 32 | (spi ? SPI(id) : LPI(id));

			if ((e[spi] & (PEND | ACTIVE | EN)) == (PEND | EN) && e[spi] >> 16 == vpe &&
			    this < best)
				best = this;
		}
	}
	return best;
}

static u64 expected_hppir(unsigned int cpu)
{
	u64 ctx = gic.cpu[cpu].contextr, best = ~(u64)0;
	u32 apr = (u32)rd(cpu, "ICH_APR_EL2");

	if (ctx >> 63 && !(ctx >> 61 & 1))
		best = search(ctx & 0xffff, ctx >> 32 & 0xffff);
	if ((rd(cpu, "ICH_PPI_PENDR0_EL2") & ~rd(cpu, "ICH_PPI_ACTIVER0_EL2") & 8) &&
	    ((u64)9 << 32 | PPI(3)) < best)
		best = (u64)9 << 32 | PPI(3);
	if (best == ~(u64)0 || (apr && best >> 32 >= (u32)__builtin_ctz(apr)))
		return 0;
	return BIT(32) | (u32)best;
}

static bool resident(u32 vm, u32 vpe)
{
	return gicv5_resident(&gic.cpu[0], vm, vpe) || gicv5_resident(&gic.cpu[1], vm, vpe);
}

/* A doorbell that is still asked for has nothing to ring for. */
static void check_doorbells(void)
{
	for (u32 vm = 1; vm <= 2; vm++) {
		for (u32 vpe = 0; vpe < 4; vpe++) {
			const struct gicv5_vpe *p = &gic.vm[vm].vpe[vpe];

			if (p->req && !resident(vm, vpe))
				CHECK(search(vm, vpe) >> 32 > p->dbpm);
		}
	}
}

static void decent_operation(void)
{
	static const char *const insns[] = { "GIC_CDEN",  "GIC_CDEN",	"GIC_CDDIS", "GIC_CDPRI",
					     "GIC_CDAFF", "GIC_CDPEND", "GIC_CDDI",  "GIC_CDHM" };
	u32 cpu = rnd(2), vm = 1 + rnd(2), intid = rnd(2) ? SPI(rnd(32)) : LPI(rnd(32));
	u64 arg = rnd(2) ? (u64)rnd(4) << 32 | (u64)rnd(4) << 38 : BIT(32);

	switch (rnd(9)) {
	case 0:
	case 1:
	case 2:
		guest_wr(cpu, insns[rnd(ARRAY_SIZE(insns))], arg | intid);
		break;
	case 3:
		vdpend(vm, intid, rnd(4));
		break;
	case 4:
		if (guest_rd(cpu, "GICR_CDIA") && rnd(2))
			guest_wr(cpu, "GIC_CDDI", PPI(3));
		break;
	case 5:
		guest_wr(cpu, "GIC_CDEOI", 0);
		break;
	case 6: /* to another VPE, which is on no other CPU; or off */
		if (rnd(4))
			wr(cpu, "ICH_CONTEXTR_EL2", rnd(2) ? PUT_DB(rnd(32)) : 0);
		if (rnd(2))
			wr(cpu, "ICH_CONTEXTR_EL2",
			   RESIDENT(vm, cpu * 2 + rnd(2)) | (rnd(4) ? 0 : BIT(61)));
		break;
	case 7:
		wr(cpu, "ICH_PPI_PENDR0_EL2", rnd(2) ? 8 : 0);
		break;
	case 8:
		irs_wr64(VPE_SELR, M | (u64)rnd(4) << 32 | vm);
		irs_wr64(VPE_DBR, BIT(63) | (rnd(2) ? BIT(62) : 0) | (u64)rnd(32) << 32 | 100);
		break;
	}
}

static void test_decent(void)
{
	start_guest();
	make_vm(2);
	for (unsigned int cpu = 0; cpu < 2; cpu++) {
		wr(cpu, "ICH_PPI_ENABLER0_EL2", 8);
		wr(cpu, "ICH_PPI_PRIORITYR0_EL2", (u64)9 << 24);
	}
	for (unsigned int i = 0; i < 20000; i++) {
		decent_operation();
		for (unsigned int cpu = 0; cpu < 2; cpu++)
			CHECK_EQ(guest_rd(cpu, "ICC_HPPIR_EL1"), expected_hppir(cpu));
		check_doorbells();
	}
	CHECK(gic.doorbells > 100);
}

static void wild_operation(void)
{
	static const u16 regs[] = { 0x080, 0x108, 0x114, 0x140, 0x148, 0x180, 0x190, 0x1c0,
				    0x200, 0x210, 0x240, 0x248, 0x250, 0x258, 0x25c, 0x288,
				    0x2c0, 0x2c8, 0x2d0, 0x2d8, 0x2e0, 0x300, 0x308 };
	const struct gicv5_op *op = &gicv5_ops[rnd(gicv5_nr_ops)];
	u32 cpu = rnd(2), off = regs[rnd(ARRAY_SIZE(regs))];
	/* ids that exist, more often than not */
	u64 val = rnd(2) ? rnd64() : rnd64() & 0xf00000036000000f;
	bool virt = rnd(2);

	switch (rnd(4)) {
	case 0:
		gicv5_irs_write(&gic, off, rnd(3) ? 8 : 4, off == 0x200 ? VMT | rnd(8) : val);
		break;
	case 1:
		gicv5_irs_read(&gic, off, rnd(2) ? 8 : 4, &val);
		break;
	case 2: /* an address of ours, and any other bits */
		set_mem64(MEM_BASE + 8 * rnd(sizeof(board.mem) / 8),
			  (rnd64() & ~GENMASK(55, 20)) | MEM_BASE);
		break;
	case 3:
		if (op->class == GICV5_GIC || op->class == GICV5_EL2_ONLY) {
			gicv5_insn(&gic, cpu, op, virt, val);
		} else if (op->class == GICV5_ICH && op->access & OP_W && rnd(2)) {
			gicv5_ich_write(&gic, cpu, op, val);
		} else if (op->class == GICV5_ICH) {
			gicv5_ich_read(&gic, cpu, op);
		} else if (op->class == GICV5_ICC && op->access & OP_W && rnd(2)) {
			gicv5_icc_write(&gic, cpu, op, virt, val);
		} else if (op->class == GICV5_ICC) {
			gicv5_icc_read(&gic, cpu, op, virt);
		}
		break;
	}
	signals(cpu);
	gicv5_virq(&gic, cpu);
}

static void test_wild(void)
{
	start_guest();
	for (unsigned int i = 0; i < 200000; i++)
		wild_operation();
}

void test_random(void)
{
	state = SEED;
	test_decent();
	test_wild();
	printf("gicv5: random operations from seed 0x%x\n", SEED);
}
