// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The tables about virtual machines, which software keeps in memory:
 *
 *   IRS_VMT_BASER -> VMTE (32 bytes a VM) -> word 1: VPETE (8 bytes a VPE)
 *                                         -> words 2, 3: ISTs, see gicv5_vist.c
 *
 * Software writes the entries, and asks for each to become valid by an IRS_VMAP
 * register; the VALID bits are the IRS's. Nothing of a table is cached, so
 * software finds in memory what the IRS works with, at any time.
 */
#include <string.h>

#include "gicv5_internal.h"

#define VMTES_PER_L2 128 /* a level 2 VMT always has 4 KB */
#define VMTE_SIZE    32
#define VALID	     BIT(0)
#define ADDR_55_3    GENMASK(55, 3)
#define ADDR_55_12   GENMASK(55, 12)

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the tables are little-endian");

/* ---- memory ---------------------------------------------------------------- */
/* Where there is no memory, tables are empty and writes are lost. */
u64 gicv5_mem_read(const struct gicv5 *gic, u64 addr, unsigned int size)
{
	u64 val = 0;

	return gic->board->mem_read(gic->ctx, addr, &val, size) ? val : 0;
}

void gicv5_mem_write(const struct gicv5 *gic, u64 addr, u64 val, unsigned int size)
{
	gic->board->mem_write(gic->ctx, addr, &val, size);
}

static void set_valid(const struct gicv5 *gic, u64 addr, bool valid)
{
	u64 entry = gicv5_mem_read(gic, addr, 8);

	gicv5_mem_write(gic, addr, valid ? entry | VALID : entry & ~VALID, 8);
}

/* ---- tables: each function returns an address, or NO_ENTRY --- */
static bool vmt_has(const struct gicv5 *gic, u32 vm)
{
	return (gic->irs.vmt_baser & VALID) && vm < GICV5_NR_VMS &&
	       !(vm >> VMT_CFGR_VM_ID_BITS(gic->irs.vmt_cfgr));
}

static u64 vmte_address(const struct gicv5 *gic, u32 vm)
{
	u64 base = gic->irs.vmt_baser & ADDR_55_3, l1;

	if (!vmt_has(gic, vm))
		return NO_ENTRY;
	if (!(gic->irs.vmt_cfgr & VMT_CFGR_TWO_LEVEL))
		return base + vm * VMTE_SIZE;
	l1 = gicv5_mem_read(gic, base + vm / VMTES_PER_L2 * 8, 8);
	return l1 & VALID ? (l1 & ADDR_55_12) + vm % VMTES_PER_L2 * VMTE_SIZE : NO_ENTRY;
}

/* Of a valid VM */
u64 gicv5_vmte(const struct gicv5 *gic, u32 vm)
{
	u64 addr = vmte_address(gic, vm);

	if (addr == NO_ENTRY || !gic->vm_mapped[vm] || !(gicv5_mem_read(gic, addr, 8) & VALID))
		return NO_ENTRY;
	return addr;
}

static u64 vpete_address(const struct gicv5 *gic, u32 vm, u32 vpe)
{
	u64 vmte = gicv5_vmte(gic, vm), vpet;

	if (vmte == NO_ENTRY)
		return NO_ENTRY;
	vpet = gicv5_mem_read(gic, vmte + 8, 8);
	if (vpe >= GICV5_NR_VPES || vpe >> FIELD(vpet, 63, 59))
		return NO_ENTRY;
	return (vpet & ADDR_55_3) + vpe * 8;
}

bool gicv5_vpe_valid(const struct gicv5 *gic, u32 vm, u32 vpe)
{
	u64 addr = vpete_address(gic, vm, vpe);

	return addr != NO_ENTRY && (gicv5_mem_read(gic, addr, 8) & VALID);
}

/* ---- IRS_VMAP_* -------------------------------------------------------------------- */
void gicv5_vmap_l2_vmt(struct gicv5 *gic, u32 vm)
{
	if (vmt_has(gic, vm) && (gic->irs.vmt_cfgr & VMT_CFGR_TWO_LEVEL))
		set_valid(gic, (gic->irs.vmt_baser & ADDR_55_3) + vm / VMTES_PER_L2 * 8, true);
}

/* The VPEs go with their VM: there is no other way to unmap them. */
static void forget_vm(struct gicv5 *gic, u32 vm)
{
	gic->vm_mapped[vm] = false;
	for (unsigned int cpu = 0; cpu < gic->nr_cpus; cpu++) {
		struct gicv5_cpu *c = &gic->cpu[cpu];

		if ((c->contextr & ICH_CONTEXTR_V) && ICH_CONTEXTR_VM(c->contextr) == vm) {
			c->contextr &= ~ICH_CONTEXTR_V;
			gicv5_mark(gic, cpu);
		}
	}
}

/* Mapping what is mapped has no effect. */
void gicv5_vmap_vm(struct gicv5 *gic, u32 vm, bool map)
{
	u64 vmte = vmte_address(gic, vm);

	if (vmte == NO_ENTRY || (map && gicv5_vmte(gic, vm) != NO_ENTRY))
		return;
	if (map) {
		memset(&gic->vm[vm], 0, sizeof(gic->vm[vm]));
		gic->vm_mapped[vm] = true;
		set_valid(gic, vmte, true);
		return;
	}
	if (gic->options.fault != GICV5_FAULT_STICKY_VALID)
		set_valid(gic, vmte, false);
	forget_vm(gic, vm);
}

void gicv5_vmap_vpe(struct gicv5 *gic, u32 vm, u32 vpe)
{
	u64 vpete = vpete_address(gic, vm, vpe);

	if (vpete == NO_ENTRY || gicv5_vpe_valid(gic, vm, vpe))
		return;
	gic->vm[vm].vpe[vpe] = (struct gicv5_vpe){ 0 };
	set_valid(gic, vpete, true);
}

/* IRS_VMT_BASER points elsewhere, or nowhere. */
void gicv5_vmt_write(struct gicv5 *gic, u64 baser)
{
	if (baser == gic->irs.vmt_baser)
		return;
	for (u32 vm = 0; vm < GICV5_NR_VMS; vm++)
		if (gic->vm_mapped[vm])
			forget_vm(gic, vm);
	gic->irs.vmt_baser = baser;
}
