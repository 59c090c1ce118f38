// SPDX-License-Identifier: GPL-2.0-or-later
#include "tables.h"

void make_vmt(void)
{
	irs_wr(VMT_CFGR, 8);
	irs_wr64(VMT_BASER, VMT | 1);
}

void make_vm(u32 vm)
{
	set_mem64(VMTE(vm) + 8, (u64)2 << 59 | VPET(vm));
	irs_wr64(VMAP_VMR, M | vm);
	set_mem64(VMTE(vm) + 24, IST_WORD(SPI_IST(vm), 5));
	irs_wr64(VMAP_VISTR, M | (u64)vm << 32 | (u64)3 << 29);
	set_mem64(VMTE(vm) + 16, IST_WORD(LPI_IST(vm), 12));
	irs_wr64(VMAP_VISTR, M | (u64)vm << 32 | (u64)2 << 29);
	for (u64 vpe = 0; vpe < 4; vpe++) {
		irs_wr64(VMAP_VPER, M | (u64)vm << 32 | vpe);
		irs_wr64(VPE_SELR, M | vpe << 32 | vm);
		irs_wr64(VPE_DBR, BIT(63) | (100 + vpe));
	}
}

void start_guest(void)
{
	setup(2);
	make_vmt();
	make_vm(1);
	for (unsigned int cpu = 0; cpu < 2; cpu++) {
		wr(cpu, "ICH_VMCR_EL2", ~(u64)0);
		wr(cpu, "ICH_CONTEXTR_EL2", RESIDENT(1, cpu));
		CHECK_EQ(rd(cpu, "ICH_CONTEXTR_EL2"), RESIDENT(1, cpu));
		gic.cpu[cpu].el1_virtual = true;
	}
	gic.dirty = 0;
}

void vdpend(u32 vm, u32 intid, bool pending)
{
	wr(0, "GIC_VDPEND", (u64)pending << 63 | (u64)vm << 32 | intid);
}

u64 guest_cfg(unsigned int cpu, u32 intid)
{
	guest_wr(cpu, "GIC_CDRCFG", intid);
	return guest_rd(cpu, "ICC_ICSR_EL1");
}

u32 spi_iste(u32 vm, u32 id)
{
	return mem32(SPI_IST(vm) + 4 * (u64)id);
}

u32 lpi_iste(u32 vm, u32 id)
{
	return mem32(LPI_IST(vm) + 4 * (u64)id);
}
