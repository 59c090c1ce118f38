// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The tables in memory, word by word. Software never sets VALID in a VMTE, a VPETE or a level 1
 * VMTE: the IRS does, and of all memory it writes nothing else. Each command is between two polls
 * of VMT_STATUSR.
 */
#include "walk.h"

static bool quiet(u32 off, u64 val)
{
	memory_changed();
	vmt_command(off, val);
	return !memory_changed();
}

static u64 selected(u32 vm, u32 vpe)
{
	irs_write64(IRS_VPE_SELR, MAP_M | (u64)vpe << 32 | vm);
	return irs_read(IRS_VPE_STATUSR);
}

/* VM INIT of the smallest VM, with the values that KVM was seen to write. */
static void one_vm(void)
{
	struct vm *vm = vm_alloc(0, 1);
	volatile u64 *e, *vpet = vm->vpet;
	u64 spis;

	vmt_make_l2(0);
	e = vmte(0);
	vm_write_vmte(vm);
	check(selected(0, 0), IDLE, "no VPE before there is a VM");

	memory_changed();
	check(vmt_command(IRS_VMAP_VMR, 0x8000000000000000), true, "VMAP_VMR M: idle around it");
	check(memory_changed(), 1, "VMAP_VMR M writes one word");
	check(e[0], (u64)vm->vmd | 1, "VMAP_VMR M: VALID in word 0, VMD address as it was");
	check(e[1], (u64)vm->vpet | 1ull << 59, "VMAP_VMR M: word 1 as it was");
	check(e[2] | e[3], 0, "VMAP_VMR M: no IST yet");

	ist_init(&vm->spi, 5, 0, false);
	spis = (u64)vm->spi.base | 5ull << 59;
	e[3] = spis;
	memory_changed();
	check(vmt_command(IRS_VMAP_VISTR, 0x8000000060000000), true, "VMAP_VISTR: idle around it");
	check(memory_changed(), 1, "VMAP_VISTR of SPIs writes one word");
	check(e[3], spis | 1, "VMAP_VISTR of SPIs: VALID in word 3");

	vpet[0] = (u64)vm->vped;
	check(selected(0, 0), IDLE, "no VPE before VMAP_VPER");
	memory_changed();
	check(vmt_command(IRS_VMAP_VPER, 0x8000000000000000), true, "VMAP_VPER: idle around it");
	check(memory_changed(), 1, "VMAP_VPER writes one word");
	check(vpet[0], (u64)vm->vped | 1, "VMAP_VPER: VALID, VPED address as it was");

	irs_write64(IRS_VPE_SELR, 0x8000000000000000);
	check(irs_read(IRS_VPE_STATUSR), 3, "VPE_SELR: IDLE and V at the first poll");
	irs_write(IRS_VPE_CR0, 1);
	check(irs_read(IRS_VPE_STATUSR), 3, "VPE_CR0.DPS: still IDLE and V");
	check(irs_read(IRS_VPE_CR0) & 1, 1, "VPE_CR0.DPS reads back");
	irs_write64(IRS_VPE_DBR, 0x8000000000000008);
	check(irs_read(IRS_VPE_STATUSR), 3, "VPE_DBR: still IDLE and V");
	check(memory_changed(), 0, "VPE_SELR, VPE_CR0 and VPE_DBR write nothing to memory");

	check(vmt_command(IRS_VMAP_VMR, 0xc000000000000000), true, "VMAP_VMR M+U: idle around it");
	check(memory_changed(), 1, "VMAP_VMR M+U writes one word");
	check(e[0], (u64)vm->vmd, "VMAP_VMR M+U: VALID cleared, VMD address as it was");
	check(selected(0, 0), IDLE, "VMAP_VMR M+U: the VPE is gone");
	for (u32 i = 0; i < VMTE_WORDS; i++)
		e[i] = 0;
	vm = vm_create(0, 1);
	check(vm_destroy(vm), true, "the id serves a second VM");
}

static void several_vcpus(void)
{
	struct vm *vm = vm_alloc(3, 4);
	volatile u64 *vpet = vm->vpet;

	vmt_make_l2(3);
	vm_write_vmte(vm);
	vmt_command(IRS_VMAP_VMR, MAP_M | 3);
	for (u32 vpe = 0; vpe < 4; vpe++)
		vpet[vpe] = (u64)vm->vped + 64 * vpe;
	for (u32 vpe = 0; vpe < 4; vpe++) {
		check(selected(3, vpe), IDLE, "VPE %u is not valid before its VMAP_VPER", vpe);
		memory_changed();
		vmt_command(IRS_VMAP_VPER, MAP_M | 3ull << 32 | vpe);
		check(memory_changed(), 1, "VMAP_VPER of VPE %u writes one word", vpe);
		check(vpet[vpe], ((u64)vm->vped + 64 * vpe) | 1, "VPETE %u VALID", vpe);
		check(selected(3, vpe), IDLE | STATUSR_V, "VPE %u can be selected", vpe);
	}
	irs_write(IRS_VPE_CR0, 1);
	selected(3, 0);
	check(irs_read(IRS_VPE_CR0), 0, "VPE_CR0 of VPE 0 is not that of VPE 3");
	selected(3, 3);
	check(irs_read(IRS_VPE_CR0), 1, "VPE_CR0 of VPE 3, selected again");
	check(quiet(IRS_VMAP_VPER, MAP_M | 3ull << 32 | 4), true, "VMAP_VPER beyond VPE_ID_BITS");
	check(selected(3, 4), IDLE, "VPE_SELR beyond VPE_ID_BITS");
	check(vm_destroy(vm), true, "a VM of four is destroyed by the one command");
	for (u32 vpe = 0; vpe < 4; vpe++)
		check(selected(3, vpe), IDLE, "VPE %u went with its VM", vpe);
}

/* VPE_SELR has VPE_ID in [47:32], VMAP_VPER has VM_ID there. VM 1 has a VPE 2, VM 2 no VPE 1. */
static void field_order(void)
{
	struct vm *one = vm_create(1, 3), *two = vm_alloc(2, 1);
	volatile u64 *vpet = two->vpet;

	vm_write_vmte(two);
	vmt_command(IRS_VMAP_VMR, MAP_M | 2);
	check(selected(1, 2), IDLE | STATUSR_V, "VPE_SELR of VM 1 VPE 2");
	check(selected(2, 1), IDLE, "VPE_SELR of VM 2 VPE 1, which is no mirror of it");
	vpet[1] = (u64)two->vped;
	memory_changed();
	vmt_command(IRS_VMAP_VPER, MAP_M | 2ull << 32 | 1);
	check(vpet[1], (u64)two->vped | 1, "VMAP_VPER of VM 2 VPE 1 is in the table of VM 2");
	check(memory_changed(), 1, "and writes nothing to that of VM 1");
	check(selected(2, 1), IDLE | STATUSR_V, "VPE_SELR of VM 2 VPE 1, now valid");
	vm_destroy(two);
	check(selected(1, 2), IDLE | STATUSR_V, "VM 1 outlives VM 2");
	vm_destroy(one);
}

static void refused(void)
{
	struct vm *vm = vm_create(4, 1);
	volatile u64 *e = vmte(4);
	u64 word[VMTE_WORDS] = { e[0], e[1], e[2], e[3] };

	check(quiet(IRS_VMAP_VMR, 5), true, "VMAP_VMR with M=0 is no command");
	check(quiet(IRS_VMAP_VMR, MAP_U | 4), true, "VMAP_VMR with U and M=0 is no command");
	check(quiet(IRS_VMAP_VPER, 4ull << 32 | 1), true, "VMAP_VPER with M=0 is no command");
	check(quiet(IRS_VMAP_VISTR, 4ull << 32 | TYPE_LPI << 29), true,
	      "VMAP_VISTR with M=0 is no command");
	check(quiet(IRS_VMAP_VISTR, MAP_M | 4ull << 32 | TYPE_PPI << 29), true,
	      "VMAP_VISTR: PPIs have no IST");
	check(quiet(IRS_VMAP_VISTR, MAP_M | 5ull << 32 | TYPE_SPI << 29), true,
	      "VMAP_VISTR of a VM that is not valid");
	check(quiet(IRS_VMAP_VPER, MAP_M | 5ull << 32), true,
	      "VMAP_VPER of a VM that is not valid");
	check(quiet(IRS_VMAP_VMR, MAP_M | VMS), true, "VMAP_VMR beyond VM_ID_BITS");
	check(selected(VMS, 0), IDLE, "VPE_SELR beyond VM_ID_BITS");
	for (u32 i = 0; i < VMTE_WORDS; i++)
		check(e[i], word[i], "after all that, word %u of the VMTE is as it was", i);
	check(selected(4, 0), IDLE | STATUSR_V, "and its VPE is still valid");
	vm_destroy(vm);
}

/* The table of the LPIs comes and goes while the VM lives. */
static void lpi_ist(void)
{
	struct vm *vm = vm_create(6, 1);
	volatile u64 *e = vmte(6);
	u64 spis = e[3];

	ist_init(&vm->lpi, 12, 0, false);
	e[2] = ist_vmte_word(&vm->lpi);
	memory_changed();
	vmt_command(IRS_VMAP_VISTR, 0x8000000640000000);
	check(memory_changed(), 1, "VMAP_VISTR of LPIs writes one word");
	check(e[2], (u64)vm->lpi.base | 12ull << 59 | 1, "VMAP_VISTR of LPIs: VALID in word 2");
	check(e[3], spis, "VMAP_VISTR of LPIs: word 3 as it was");
	vmt_command(IRS_VMAP_VISTR, 0xc000000640000000);
	check(memory_changed(), 1, "VMAP_VISTR of LPIs, U: one word");
	check(e[2], (u64)vm->lpi.base | 12ull << 59, "VMAP_VISTR of LPIs, U: VALID cleared");
	check(e[3], spis, "VMAP_VISTR of LPIs, U: word 3 as it was");
	check(e[0] & 1, 1, "VMAP_VISTR of LPIs, U: the VM lives on");
	vm_destroy(vm);
}

static void linear(void)
{
	check(quiet(IRS_VMAP_L2_VMTR, MAP_M), true, "a linear VMT has no level 2 to map");
}

/* A level 2 table is 4 KB, 128 VMTEs, whatever else there is. */
static void two_levels(void)
{
	struct vm *vm = vm_alloc(130, 1);
	volatile u64 *l1 = vmt;
	u64 first = l1[0], table = (u64)alloc(4096, 4096);

	check(first & 1, 1, "level 1 entry 0 is VALID since the first VM");
	check(l1[1], 0, "level 1 entry 1 is not, so far");
	l1[1] = table;
	vm_write_vmte(vm);
	check(quiet(IRS_VMAP_VMR, MAP_M | 130), true, "VMAP_VMR before VMAP_L2_VMTR");
	check(quiet(IRS_VMAP_L2_VMTR, 130), true, "VMAP_L2_VMTR with M=0 is no command");
	memory_changed();
	check(vmt_command(IRS_VMAP_L2_VMTR, MAP_M | 130), true, "VMAP_L2_VMTR: idle around it");
	check(memory_changed(), 1, "VMAP_L2_VMTR writes one word");
	check(l1[1], table | 1, "VMAP_L2_VMTR: VALID, address as it was");
	check(l1[0], first, "VMAP_L2_VMTR: the other entry as it was");
	vmt_command(IRS_VMAP_VMR, MAP_M | 130);
	check(memory_changed(), 1, "VMAP_VMR of VM 130 writes one word");
	check(((volatile u64 *)table)[2 * VMTE_WORDS], (u64)vm->vmd | 1,
	      "VMTE 130 is the third of the second table");
	check(vm_destroy(vm), true, "VM 130 is destroyed");
	check(l1[1], table | 1, "its level 2 table stays");
}

/* As many as there are ids, the last one included. */
static void all_vms(void)
{
	static struct vm *vms[VMS];
	u32 valid = 0, released = 0, left = 0;

	for (u32 i = 0; i < VMS; i++) {
		vms[i] = vm_alloc(i, 1);
		valid += vm_init(vms[i]);
	}
	check(valid, VMS, "256 VMs at once, each with a valid VPE");
	for (u32 i = 0; i < VMS; i++)
		left += (vmte(i)[0] & 1) && (vmte(i)[3] & 1) && (vms[i]->vpet[0] & 1);
	check(left, VMS, "256 VMs: VALID in each one's words 0 and 3 and its VPETE");
	for (u32 i = 0; i < VMS; i++)
		released += vm_destroy(vms[i]);
	check(released, VMS, "256 VMs destroyed: every VMTE invalid");
	for (left = 0; released; released--)
		left += selected(released - 1, 0) & STATUSR_V;
	check(left, 0, "256 VMs destroyed: no VPE is left");
}

void tables_chapter(void)
{
	chapter("tables");
	one_vm();
	several_vcpus();
	field_order();
	refused();
	lpi_ist();
	if (vmt_two_level)
		two_levels();
	else
		linear();
	all_vms();
}
