// SPDX-License-Identifier: GPL-2.0-or-later
/* Which interrupt comes first, and which must wait: priority, mask, running priority, enables. */
#include "walk.h"

static void masked(struct vm *vm)
{
	guest_setup(SPI(5), 0, 8);
	vdpend(vm, SPI(5), true);
	guest(g_set_pcr, 7);
	check(guest(g_isr, 0), 0, "PCR 7 masks priority 8");
	check(guest(g_hppir, 0), 0, "PCR 7 masks priority 8: HPPIR");
	check(guest_ack(), 0, "PCR 7 masks priority 8: CDIA");
	guest(g_set_pcr, 8);
	check(guest(g_isr, 0), BIT(7), "PCR 8 lets priority 8 through");
	guest_cd(g_cdpri, SPI(5), 9ull << 35);
	check(guest(g_isr, 0), 0, "PCR 8 masks priority 9, set while pending");
	guest_cd(g_cdpri, SPI(5), 8ull << 35);
	check(guest(g_isr, 0), BIT(7), "back to 8 while pending");
	guest(g_set_cr0, 0);
	check(guest(g_isr, 0), 0, "CR0.EN 0: no virtual interrupt");
	check(guest_ack(), 0, "CR0.EN 0: CDIA returns nothing");
	guest(g_set_cr0, 1);
	check(guest(g_isr, 0), BIT(7), "CR0.EN 1: it is back");
	write_sysreg(0, ICH_VCTLR);
	check(guest(g_isr, 0), 0, "ICH_VCTLR.En 0: nothing is selected");
	write_sysreg(1, ICH_VCTLR);
	check(guest(g_isr, 0), BIT(7), "ICH_VCTLR.En 1: it is");
	write_sysreg(7ull << 27 | 1, ICH_VMCR);
	check(guest(g_isr, 0), 0, "ICH_VMCR.VPMR is the guest's PCR");
	write_sysreg((u64)PRIO_ALL << 27 | 1, ICH_VMCR);
	check(guest_ack(), VALID | SPI(5), "after all that, CDIA returns it");
	guest_end(SPI(5));
}

static void preemption(struct vm *vm)
{
	guest_setup(SPI(6), 0, 4);
	vdpend(vm, SPI(5), true);
	check(guest_ack(), VALID | SPI(5), "priority 8 runs");
	guest_setup(SPI(7), 0, 8);
	vdpend(vm, SPI(7), true);
	check(guest(g_isr, 0), 0, "priority 8 does not preempt 8");
	vdpend(vm, SPI(6), true);
	check(guest(g_isr, 0), BIT(7), "priority 4 does");
	check(guest_ack(), VALID | SPI(6), "priority 4 is acknowledged");
	check(guest(g_get_apr, 0), BIT(4) | BIT(8), "both priorities run");
	check(read_sysreg(ICH_APR), BIT(4) | BIT(8), "both priorities run: ICH_APR");
	guest(g_cdeoi, 0);
	check(guest(g_get_apr, 0), BIT(8), "CDEOI drops the higher");
	check(guest_ack(), 0, "priority 8 still does not preempt 8");
	guest_cd(g_cddi, SPI(6), 0);
	guest_end(SPI(5));
	check(guest_ack(), VALID | SPI(7), "but comes after it");
	guest_end(SPI(7));
	check(guest_ack(), 0, "and that was all");
}

/* vcpu_load restores a running priority; it masks as if the guest had acknowledged just now. */
static void restored(struct vm *vm)
{
	vdpend(vm, SPI(5), true);
	write_sysreg(BIT(8), ICH_APR);
	check(guest(g_isr, 0), 0, "ICH_APR 8 masks priority 8");
	write_sysreg(BIT(9), ICH_APR);
	check(guest(g_isr, 0), BIT(7), "ICH_APR 9 does not");
	write_sysreg(0, ICH_APR);
	check(guest_ack(), VALID | SPI(5), "ICH_APR 0: CDIA");
	guest_end(SPI(5));
}

/* PPI 3 and SPI 8 at priority 8, SPI 9 at 4: the order that was seen under KVM. */
static void ppis_too(struct vm *vm)
{
	guest_setup(SPI(8), 0, 8);
	guest_setup(SPI(9), 0, 4);
	write_sysreg(8ull << 24, ICH_PRIORITYR0);
	write_sysreg(BIT(3), ICH_ENABLER0);
	write_sysreg(BIT(3), ICH_PENDR0);
	vdpend(vm, SPI(8), true);
	vdpend(vm, SPI(9), true);
	check(guest_ack(), VALID | SPI(9), "first the SPI of priority 4");
	check(guest_ack(), 0, "nothing more while it runs");
	guest_end(SPI(9));
	check(guest_ack(), VALID | PPI(3), "of equal priority, the PPI before the SPI");
	guest_end(PPI(3));
	check(guest_ack(), VALID | SPI(8), "then the SPI");
	guest_end(SPI(8));
	check(guest_ack(), 0, "and no more");
	check(read_sysreg(ICH_PENDR0) | read_sysreg(ICH_ACTIVER0), 0, "the PPI is done with");
	guest_open();
}

/* All 32 priorities, pended in the wrong order. */
static void all_priorities(struct vm *vm)
{
	u32 in_order = 0;

	for (u32 i = 0; i < 32; i++)
		guest_setup(SPI(i), 0, 31 - i);
	for (u32 i = 0; i < 32; i++)
		vdpend(vm, SPI(i), true);
	for (u32 i = 32; i--;) {
		in_order += guest_ack() == (VALID | SPI(i));
		guest_end(SPI(i));
	}
	check(in_order, 32, "32 SPIs of 32 priorities, highest first");
	check(guest_ack(), 0, "32 SPIs and no more");
}

void ordering_chapter(void)
{
	struct vm *vm;

	chapter("ordering");
	vm = vm_create(15, 1);
	guest_open();
	vpe_load(vm, 0, 0);
	masked(vm);
	preemption(vm);
	restored(vm);
	ppis_too(vm);
	all_priorities(vm);
	vpe_put(0);
	vm_destroy(vm);
}
