// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * An IRS that misbehaves, in one way of those that KVM looks out for: does it show in the way KVM
 * expects, and is everything else as it should be? One fault is a story of its own; the plugin and
 * this program are told the same.
 */
#include "walk.h"

/* "GICV5_IRS_VMT_STATUSR timeout...", and no GICv5 support in KVM */
static void vmt_busy(void)
{
	u64 polls = 0;

	for (u32 i = 0; i < 1000; i++)
		polls += irs_read(IRS_VMT_STATUSR) & IDLE;
	check(polls, 0, "VMT_STATUSR is not IDLE at any of 1000 polls");
	check(kvm_probe(), PROBE_TIMEOUT, "KVM's probe gives up");
	check(irs_read64(IRS_VMT_BASER), 0, "before it has written VMT_BASER");
	check(vmt_command(IRS_VMAP_VMR, MAP_M), false, "no command is sent");
	check(irs_read(IRS_VPE_STATUSR) & IDLE, IDLE, "VPE_STATUSR is not concerned");
}

/* "Failed to assign the GICv5 VM tables to the IRS": somebody else's table is there */
static void vmt_preset(void)
{
	check(irs_read(IRS_VMT_STATUSR), IDLE, "VMT_STATUSR is IDLE");
	check(irs_read64(IRS_VMT_BASER) & 1, 1, "VMT_BASER.VALID before anybody wrote it");
	check(kvm_probe(), PROBE_BUSY, "KVM's probe finds it taken");
	check(irs_read64(IRS_VMT_BASER) & ~1ull, 0, "KVM has written 0 to it, not its own table");
	check(irs_read(IRS_VMT_CFGR), 0, "nor VMT_CFGR");
}

/* A WARN in vgic_v5_reset, but INIT returns 0 */
static void vpe_invalid(void)
{
	struct vm *vm;

	check(kvm_probe(), PROBE_OK, "KVM's probe succeeds");
	vm = vm_alloc(0, 2);
	check(vm_init(vm), false, "VM INIT finds VPE_STATUSR.V 0");
	check(irs_read(IRS_VPE_STATUSR), IDLE, "VPE_STATUSR: IDLE, not V");
	check(vmte(0)[0], (u64)vm->vmd | 1, "the VMTE is VALID");
	check(vmte(0)[3] & 1, 1, "the IST of the SPIs is VALID");
	check(vm->vpet[0] & vm->vpet[1] & 1, 1, "both VPETEs are VALID");
	check(vm_destroy(vm), true, "the VM is destroyed as any other");
}

/* A WARN in vgic_v5_load, and the VM is dead */
static void contextr(void)
{
	struct vm *vm;

	check(kvm_probe(), PROBE_OK, "KVM's probe succeeds");
	vm = vm_create(0, 1);
	check(irs_read(IRS_VPE_STATUSR), IDLE | STATUSR_V, "the VPE is valid");
	guest_open();
	for (u32 i = 0; i < 3; i++)
		check(vpe_load(vm, 0, 0) & CONTEXTR_F, CONTEXTR_F, "load %u: F", i);
	vdpend(vm, SPI(5), true);
	check(*iste(&vm->spi, 5), I_PEND, "VDPEND does not need a resident VPE");
	memory_changed();
	guest_setup(SPI(5), 0, 8);
	check(memory_changed(), 0, "the guest's commands do: nothing is written");
	check(guest(g_hppir, 0), 0, "no SPI in HPPIR");
	write_sysreg(BIT(3), ICH_ENABLER0);
	write_sysreg(BIT(3), ICH_PENDR0);
	check(guest_ack(), VALID | PPI(3), "PPIs work as ever");
	guest_end(PPI(3));
	vpe_put(0);
	check(read_sysreg(ICH_CONTEXTR), 0, "a put reads back 0");
	check(vm_destroy(vm), true, "the VM is destroyed as any other");
}

/* "Failed to free VPE": KVM leaks the entry and its memory, and goes on with the next id */
static void sticky_valid(void)
{
	struct vm *vm, *next;

	check(kvm_probe(), PROBE_OK, "KVM's probe succeeds");
	vm = vm_create(0, 1);
	check(vm_destroy(vm), false, "the VMTE is VALID after VMAP_VMR U");
	check(vmte(0)[0], (u64)vm->vmd | 1, "KVM has left it alone");
	next = vm_create(1, 1);
	guest_open();
	check(vpe_load(next, 0, 0) >> 62, 2, "the next id is usable");
	guest_setup(SPI(5), 0, 8);
	vdpend(next, SPI(5), true);
	check(guest_ack(), VALID | SPI(5), "with its SPIs");
	guest_end(SPI(5));
	vpe_put(0);
	check(vm_destroy(next), false, "and leaks in turn");
}

static const struct {
	const char *word;
	void (*story)(void);
} faults[] = {
	{ "fault=vmt-busy", vmt_busy },		{ "fault=vmt-preset", vmt_preset },
	{ "fault=vpe-invalid", vpe_invalid },	{ "fault=contextr", contextr },
	{ "fault=sticky-valid", sticky_valid },
};

bool fault_chapter(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(faults); i++) {
		if (!asked_for(faults[i].word))
			continue;
		chapter(faults[i].word);
		faults[i].story();
		return true;
	}
	return false;
}
