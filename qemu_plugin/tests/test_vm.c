// SPDX-License-Identifier: GPL-2.0-or-later
/* The VM table, its VPEs, who is resident, and an IRS that misbehaves. */
#include "tables.h"

static bool vpe_valid(u32 vm, u32 vpe)
{
	irs_wr64(VPE_SELR, M | (u64)vpe << 32 | vm);
	CHECK(irs_rd(VPE_STATUSR) & 1);
	return irs_rd(VPE_STATUSR) >> 1 & 1;
}

static bool vm_valid(u32 vm)
{
	irs_wr(0x288, vm);
	CHECK(irs_rd(0x28c) & 1);
	return irs_rd(0x28c) >> 1 & 1;
}

static void test_registers(void)
{
	setup(1);
	CHECK_EQ(irs_rd64(VMT_BASER), 0);
	CHECK_EQ(irs_rd(VMT_STATUSR), 1);
	irs_wr(VMT_CFGR, ~0u);
	CHECK_EQ(irs_rd(VMT_CFGR), 0x1001f);
	irs_wr(VMT_CFGR, 8);
	irs_wr64(VMT_BASER, ~(u64)0);
	CHECK_EQ(irs_rd64(VMT_BASER), 0x00fffffffffffff9);
	irs_wr(VMT_CFGR, 3); /* not while the table is valid */
	CHECK_EQ(irs_rd(VMT_CFGR), 8);
	irs_wr(VMT_BASER, 0x1000); /* in halves */
	CHECK_EQ(irs_rd64(VMT_BASER), 0x00ffffff00001000);
	CHECK_EQ(irs_rd(SAVE_VM_STATUSR), 3);
	CHECK_EQ(irs_rd64(SAVE_VMR), 0);

	/* A command is one access, or it would be given twice. */
	for (u32 off = VMAP_L2_VMTR; off <= VMAP_VPER; off += 8) {
		CHECK_EQ(irs_rd64(off), 0);
		CHECK(!gicv5_irs_write(&gic, off, 4, 1));
		CHECK(!gicv5_irs_write(&gic, off + 4, 4, 1u << 31));
	}
}

/* The accesses of a VM's life, as KVM makes them */
static void test_life(void)
{
	setup(1);
	make_vmt();
	CHECK(!vpe_valid(0, 0));
	set_mem64(VMTE(0) + 8, (u64)1 << 59 | VPET(0));
	irs_wr64(VMAP_VMR, 0x8000000000000000);
	CHECK_EQ(mem64(VMTE(0)), 1);
	set_mem64(VMTE(0) + 24, IST_WORD(SPI_IST(0), 5));
	irs_wr64(VMAP_VISTR, 0x8000000060000000);
	CHECK_EQ(mem64(VMTE(0) + 24), IST_WORD(SPI_IST(0), 5) | 1);
	CHECK_EQ(mem64(VMTE(0) + 16), 0);
	set_mem64(VPETE(0, 0), 0x40090000);
	CHECK(!vpe_valid(0, 0));
	irs_wr64(VMAP_VPER, 0x8000000000000000);
	CHECK_EQ(mem64(VPETE(0, 0)), 0x40090001);
	CHECK_EQ(mem64(VPETE(0, 1)), 0);
	irs_wr64(VPE_SELR, 0x8000000000000000);
	CHECK_EQ(irs_rd(VPE_STATUSR), 3);
	irs_wr(VPE_CR0, 1);
	CHECK_EQ(irs_rd(VPE_CR0), 1);
	irs_wr64(VPE_DBR, 0x8000000000000008);
	CHECK_EQ(irs_rd64(VPE_DBR), 0x8000000000000008);
	CHECK(!vpe_valid(0, 1));
	CHECK_EQ(irs_rd64(VPE_DBR), 0);
	CHECK(vpe_valid(0, 0));

	irs_wr64(SAVE_VMR, BIT(63) | BIT(62));
	CHECK_EQ(irs_rd(SAVE_VM_STATUSR), 3);
	irs_wr64(VMAP_VMR, 0xc000000000000000);
	CHECK_EQ(mem64(VMTE(0)), 0);
	CHECK_EQ(mem64(VMTE(0) + 8), (u64)1 << 59 | VPET(0)); /* software's */
	CHECK_EQ(irs_rd(VPE_STATUSR), 1);
	CHECK(!vm_valid(0));

	/* the next VM with this id has none of it */
	set_mem64(VPETE(0, 0), 0);
	irs_wr64(VMAP_VMR, M);
	irs_wr64(VMAP_VPER, M);
	CHECK(vpe_valid(0, 0));
	CHECK_EQ(irs_rd(VPE_CR0), 0);
	CHECK_EQ(irs_rd64(VPE_DBR), 0);
}

static void test_every_vm(void)
{
	setup(1);
	make_vmt();
	for (u32 vm = 0; vm < 256; vm++) {
		set_mem64(VMTE(vm) + 8, MEM_BASE + 0x10000 + 8 * (u64)vm);
		CHECK(!vm_valid(vm));
		irs_wr64(VMAP_VMR, M | vm);
		irs_wr64(VMAP_VPER, M | (u64)vm << 32);
		CHECK(vm_valid(vm));
		CHECK(vpe_valid(vm, 0));
		CHECK(!vpe_valid(vm, 1));
	}
	irs_wr64(VMAP_VMR, M | U | 200);
	for (u32 vm = 0; vm < 256; vm++)
		CHECK_EQ(vpe_valid(vm, 0), vm != 200);
	CHECK(!vm_valid(256)); /* no such */
	irs_wr64(VMAP_VMR, M | 256);
	irs_wr64(VMAP_VMR, M | 0xffff);
	CHECK(!vm_valid(256));
	CHECK(!vm_valid(0xffff));
}

static void test_two_level(void)
{
	u64 l2 = MEM_BASE + 0x2000;

	setup(1);
	gic.options.vmt_two_level = true;
	CHECK_EQ(irs_rd(0x00c), 0x500);
	irs_wr(VMT_CFGR, BIT(16) | 8);
	irs_wr64(VMT_BASER, VMT | 1);
	set_mem64(VMT + 8, l2); /* for VMs 128-255; 0-127 have none */
	set_mem64(l2 + 32 * 127 + 8, VPET(0));
	irs_wr64(VMAP_VMR, M | 255);
	CHECK(!vm_valid(255)); /* the level 2 table is not valid yet */
	CHECK_EQ(mem64(l2 + 32 * 127), 0);
	irs_wr64(VMAP_L2_VMTR, M | 130);
	CHECK_EQ(mem64(VMT + 8), l2 | 1);
	CHECK_EQ(mem64(VMT), 0);
	irs_wr64(VMAP_VMR, M | 255);
	CHECK(vm_valid(255));
	CHECK_EQ(mem64(l2 + 32 * 127), 1);
	irs_wr64(VMAP_VMR, M | 127);
	CHECK(!vm_valid(127));
	irs_wr64(VMAP_VMR, M | U | 255);
	CHECK_EQ(mem64(l2 + 32 * 127), 0);
	CHECK_EQ(mem64(VMT + 8), l2 | 1); /* stays for the next VM */
}

/* What software must not do does nothing, and harms nobody. */
static void test_bounds(void)
{
	setup(1);
	set_mem64(VMTE(1), 1); /* valid by its own word only */
	irs_wr64(VMAP_VMR, M | 1);
	CHECK(!vm_valid(1)); /* no table */
	irs_wr(VMT_CFGR, 2);
	irs_wr64(VMT_BASER, VMT | 1);
	CHECK(!vm_valid(1)); /* not by VMAP_VMR */
	set_mem64(VMTE(4) + 8, VPET(0));
	irs_wr64(VMAP_VMR, M | 4);
	CHECK_EQ(mem64(VMTE(4)), 0); /* the table has 4 entries */
	irs_wr64(VMAP_L2_VMTR, M);
	CHECK_EQ(mem64(VMT), 0); /* no levels */
	irs_wr64(VMAP_VMR, 2);	 /* no M */
	CHECK_EQ(mem64(VMTE(2)), 0);

	make_vm(3);
	irs_wr64(VMAP_VPER, M | (u64)3 << 32 | 4); /* it has 4 VPEs */
	CHECK_EQ(mem64(VPETE(3, 4)), 0);
	irs_wr64(VMAP_VPER, M | (u64)2 << 32);
	CHECK(!vpe_valid(2, 0));
	irs_wr64(VPE_SELR, (u64)1 << 32 | 3); /* no S */
	CHECK_EQ(irs_rd(VPE_STATUSR), 1);
	irs_wr64(VPE_DBR, ~(u64)0);
	CHECK(vpe_valid(3, 1));
	CHECK_EQ(irs_rd64(VPE_DBR), BIT(63) | 101);
	irs_wr64(VPE_DBR, ~(u64)0);
	CHECK_EQ(irs_rd64(VPE_DBR), 0xc000001f00ffffff);
	/* mapping what is mapped changes nothing */
	irs_wr64(VMAP_VMR, M | 3);
	irs_wr64(VMAP_VPER, M | (u64)3 << 32 | 1);
	CHECK_EQ(irs_rd64(VPE_DBR), 0xc000001f00ffffff);

	set_mem64(VMTE(3) + 8, (u64)31 << 59 | VPET(3)); /* as many as can be said */
	CHECK(vpe_valid(3, 3));
	irs_wr64(VMAP_VPER, M | (u64)3 << 32 | 1023);
	irs_wr64(VMAP_VPER, M | (u64)3 << 32 | 1024);
	CHECK(vpe_valid(3, 1023));
	CHECK(!vpe_valid(3, 1024));

	/* tables where there is no memory */
	irs_wr64(VMT_BASER, 0);
	CHECK(!vpe_valid(3, 1));
	irs_wr64(VMT_BASER, 0x1000 | 1);
	irs_wr64(VMAP_VMR, M | 3);
	CHECK(!vm_valid(3));
	irs_wr64(VMT_BASER, VMT | 1);
	CHECK(!vm_valid(3)); /* a table that comes back comes without VMs */
}

static void test_residency(void)
{
	static const u64 nobody[] = { RESIDENT(1, 4), RESIDENT(1, 0xffff), RESIDENT(2, 0),
				      RESIDENT(0xffff, 0) };

	setup(2);
	wr(0, "ICH_CONTEXTR_EL2", RESIDENT(1, 0)); /* no VMT */
	CHECK_EQ(rd(0, "ICH_CONTEXTR_EL2"), BIT(62) | 1);
	make_vmt();
	make_vm(1);
	wr(0, "ICH_CONTEXTR_EL2", ~(RESIDENT(0xffff, 0xffff)) | RESIDENT(1, 3));
	CHECK_EQ(rd(0, "ICH_CONTEXTR_EL2"), 0xbf80000300000001); /* F is a result */
	wr(0, "ICH_CONTEXTR_EL2", 0);
	CHECK_EQ(rd(0, "ICH_CONTEXTR_EL2"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(nobody); i++) {
		wr(0, "ICH_CONTEXTR_EL2", nobody[i]);
		CHECK_EQ(rd(0, "ICH_CONTEXTR_EL2"), (nobody[i] & ~BIT(63)) | BIT(62));
		wr(0, "ICH_CONTEXTR_EL2", PUT_DB(31));
		CHECK_EQ(rd(0, "ICH_CONTEXTR_EL2"), PUT_DB(31));
	}
	wr(0, "ICH_CONTEXTR_EL2", RESIDENT(1, 2));
	CHECK_EQ(rd(0, "ICH_CONTEXTR_EL2"), RESIDENT(1, 2));
	CHECK_EQ(rd(1, "ICH_CONTEXTR_EL2"), 0);

	/* the VM goes: so does the residency, and a next VM does not inherit it */
	irs_wr64(VMAP_VMR, M | U | 1);
	CHECK_EQ(rd(0, "ICH_CONTEXTR_EL2") >> 63, 0);
	make_vm(1);
	CHECK_EQ(rd(0, "ICH_CONTEXTR_EL2") >> 63, 0);
	wr(0, "ICH_CONTEXTR_EL2", RESIDENT(1, 2));
	gicv5_reset(&gic);
	CHECK_EQ(rd(0, "ICH_CONTEXTR_EL2"), 0);
	CHECK_EQ(irs_rd64(VMT_BASER), 0);
	make_vmt();
	CHECK(!vm_valid(1)); /* although VMTE.VALID is still in memory */
}

static void test_faults(void)
{
	setup(1);
	make_vmt();
	make_vm(1);
	gic.options.fault = GICV5_FAULT_VPE_INVALID;
	CHECK(!vpe_valid(1, 0));
	gic.options.fault = GICV5_FAULT_CONTEXTR;
	wr(0, "ICH_CONTEXTR_EL2", RESIDENT(1, 0));
	CHECK_EQ(rd(0, "ICH_CONTEXTR_EL2"), BIT(62) | 1);
	gic.options.fault = GICV5_FAULT_VMT_BUSY;
	CHECK_EQ(irs_rd(VMT_STATUSR), 0);
	gic.options.fault = GICV5_FAULT_STICKY_VALID;
	irs_wr64(VMAP_VMR, M | U | 1);
	CHECK_EQ(mem64(VMTE(1)), 1);
	CHECK(!vm_valid(1));
	gic.options.fault = GICV5_FAULT_VMT_PRESET;
	irs_wr64(VMT_BASER, 0);
	CHECK_EQ(irs_rd64(VMT_BASER), 1);
	/* a reset is not a repair */
	gicv5_reset(&gic);
	CHECK_EQ(irs_rd64(VMT_BASER), 1);
}

static void test_options(void)
{
	setup(1);
	gic.options.ist_two_level = true;
	CHECK_EQ(irs_rd(0x008), 0xb30 | BIT(10));
	gic.options.iste_size = 8; /* Linux: 8 bytes below ISTMD_SZ bits, 16 from there on */
	CHECK_EQ(irs_rd(0x008), 0xb30 | BIT(10) | BIT(14) | 31u << 15);
	gic.options.iste_size = 16;
	CHECK_EQ(irs_rd(0x008), 0xb30 | BIT(10) | BIT(14));
}

void test_vm(void)
{
	test_registers();
	test_life();
	test_every_vm();
	test_two_level();
	test_bounds();
	test_residency();
	test_faults();
	test_options();
}
