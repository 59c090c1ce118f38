// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What KVM of Linux 7.4 does to the IRS and to ICH_CONTEXTR_EL2: the same accesses, in the same
 * order, with the same values.
 */
#include "walk.h"

#define POLLS 200 /* KVM: one each microsecond, for 10 ms */

u64 *vmt;
bool vmt_two_level;

static bool poll_idle(u32 off)
{
	for (u32 i = 0; i < POLLS; i++)
		if (irs_read(off) & IDLE)
			return true;
	return false;
}

/* The value of a command register takes effect between two polls. */
bool vmt_command(u32 off, u64 val)
{
	if (!poll_idle(IRS_VMT_STATUSR))
		return false;
	irs_write64(off, val);
	return poll_idle(IRS_VMT_STATUSR);
}

enum probe_result kvm_probe(void)
{
	u32 idr3;

	(void)irs_read(IRS_IDR2);
	idr3 = irs_read(IRS_IDR3);
	(void)irs_read(IRS_IDR4);
	vmt_two_level = idr3 >> 10 & 1;
	vmt = vmt_two_level ? alloc(VMS / VMS_PER_L2 * 8, 64) : alloc(VMS * VMTE_WORDS * 8, 64);
	if (!poll_idle(IRS_VMT_STATUSR))
		return PROBE_TIMEOUT;
	if (irs_read64(IRS_VMT_BASER) & 1) {
		irs_write64(IRS_VMT_BASER, 0);
		return PROBE_BUSY;
	}
	irs_write(IRS_VMT_CFGR, (vmt_two_level ? VMT_TWO : 0) | VM_ID_BITS);
	irs_write64(IRS_VMT_BASER, (u64)vmt | 1);
	return poll_idle(IRS_VMT_STATUSR) ? PROBE_OK : PROBE_TIMEOUT;
}

u64 *vmte(u32 vm)
{
	u64 *table = vmt;

	if (vmt_two_level) {
		table = (u64 *)(vmt[vm / VMS_PER_L2] & ~1ull);
		vm %= VMS_PER_L2;
	}
	return table ? table + vm * VMTE_WORDS : NULL;
}

/* Once for 128 VMs; KVM never frees it. */
void vmt_make_l2(u32 vm)
{
	u64 *l1 = &vmt[vm / VMS_PER_L2];

	if (!vmt_two_level || *l1)
		return;
	*l1 = (u64)alloc(4096, 4096);
	vmt_command(IRS_VMAP_L2_VMTR, MAP_M | vm);
}

static u32 log2_up(u32 n)
{
	u32 bits = 0;

	while ((1u << bits) < n)
		bits++;
	return bits;
}

void ist_init(struct ist *ist, u32 id_bits, u32 size, bool two_level)
{
	u64 bytes = (4ull << size) << id_bits;

	*ist = (struct ist){ .id_bits = id_bits, .size = size, .two_level = two_level };
	if (!two_level) {
		ist->base = alloc(bytes < 64 ? 64 : bytes, 64);
		return;
	}
	bytes = (bytes + 4095) & ~4095ull;
	ist->base = alloc(bytes, 4096);
	ist->l1 = alloc(bytes / 4096 * 8 < 64 ? 64 : bytes / 4096 * 8, 64);
	for (u64 i = 0; i < bytes / 4096; i++)
		ist->l1[i] = (u64)ist->base + i * 4096 + 1;
}

u64 ist_vmte_word(const struct ist *ist)
{
	return (u64)(ist->two_level ? (char *)ist->l1 : ist->base) | (u64)ist->size << 56 |
	       (u64)ist->two_level << 58 | (u64)ist->id_bits << 59;
}

/* Software puts level 2 arrays one after the other, so both structures look the same here. */
volatile u32 *iste(const struct ist *ist, u32 id)
{
	return (volatile u32 *)(ist->base + ((u64)id << (2 + ist->size)));
}

struct vm *vm_alloc(u32 id, u32 nr_vpes)
{
	static u32 next_doorbell = FIRST_DOORBELL;
	struct vm *vm = alloc(sizeof(*vm), 16);
	u32 bits = log2_up(nr_vpes);

	vm->id = id;
	vm->nr_vpes = nr_vpes;
	vm->vpet = alloc(8ull << (bits ? bits : 1), 64);
	vm->vmd = alloc(64, 64);
	vm->vped = alloc(64ull * nr_vpes, 64);
	vm->doorbell = next_doorbell;
	next_doorbell += nr_vpes;
	return vm;
}

void vm_write_vmte(struct vm *vm)
{
	u64 *e = vmte(vm->id);
	u32 bits = log2_up(vm->nr_vpes);

	e[0] = (u64)vm->vmd;
	e[1] = (u64)vm->vpet | (u64)(bits ? bits : 1) << 59;
}

bool vpe_reset(struct vm *vm, u32 vpe)
{
	vm->vpet[vpe] = (u64)vm->vped + 64ull * vpe;
	vmt_command(IRS_VMAP_VPER, MAP_M | (u64)vm->id << 32 | vpe);
	irs_write64(IRS_VPE_SELR, MAP_M | (u64)vpe << 32 | vm->id);
	if (!poll_idle(IRS_VPE_STATUSR) || !(irs_read(IRS_VPE_STATUSR) & STATUSR_V))
		return false;
	irs_write(IRS_VPE_CR0, 1);
	poll_idle(IRS_VPE_STATUSR);
	irs_write64(IRS_VPE_DBR, MAP_M | (vm->doorbell + vpe));
	return poll_idle(IRS_VPE_STATUSR);
}

bool vm_init(struct vm *vm)
{
	bool valid = true;

	for (u32 vpe = 0; vpe < vm->nr_vpes; vpe++)
		host_lpi_enable(vm->doorbell + vpe, 0, 16);
	vmt_make_l2(vm->id);
	vm_write_vmte(vm);
	vmt_command(IRS_VMAP_VMR, MAP_M | vm->id);
	ist_init(&vm->spi, 5, 0, false);
	vmte(vm->id)[3] = ist_vmte_word(&vm->spi);
	vmt_command(IRS_VMAP_VISTR, MAP_M | (u64)vm->id << 32 | TYPE_SPI << 29);
	for (u32 vpe = 0; vpe < vm->nr_vpes; vpe++)
		valid &= vpe_reset(vm, vpe);
	return valid;
}

struct vm *vm_create(u32 id, u32 nr_vpes)
{
	struct vm *vm = vm_alloc(id, nr_vpes);

	if (!vm_init(vm))
		give_up("VPE_STATUSR.V is 0 for a VPE of VM", id, 0, 0);
	return vm;
}

void vm_map_lpis(struct vm *vm, u32 id_bits, u32 size, bool two_level)
{
	ist_init(&vm->lpi, id_bits, size, two_level);
	vmte(vm->id)[2] = ist_vmte_word(&vm->lpi);
	vmt_command(IRS_VMAP_VISTR, MAP_M | (u64)vm->id << 32 | TYPE_LPI << 29);
}

void vm_unmap_lpis(struct vm *vm)
{
	vmt_command(IRS_VMAP_VISTR, MAP_M | MAP_U | (u64)vm->id << 32 | TYPE_LPI << 29);
	vmte(vm->id)[2] = 0;
}

bool vm_destroy(struct vm *vm)
{
	volatile u64 *e = vmte(vm->id);
	bool released;

	vmt_command(IRS_VMAP_VMR, MAP_M | MAP_U | vm->id);
	released = !(e[0] & 1);
	for (u32 i = 0; released && i < VMTE_WORDS; i++)
		e[i] = 0;
	return released;
}

u64 vpe_load(const struct vm *vm, u32 vpe, u64 flags)
{
	write_sysreg(CONTEXTR_V | flags | (u64)vpe << 32 | vm->id, ICH_CONTEXTR);
	return read_sysreg(ICH_CONTEXTR);
}

void vpe_put(u64 val)
{
	write_sysreg(val, ICH_CONTEXTR);
}

void vdpend(const struct vm *vm, u64 intid, bool pending)
{
	asm volatile("sys #4, c12, c1, #4, %0\n\tisb" ::"r"((u64)pending << 63 | (u64)vm->id << 32 |
							    intid)
		     : "memory");
}
