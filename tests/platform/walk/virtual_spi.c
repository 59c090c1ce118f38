// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The life of virtual SPIs: configured by the guest, pended by the hypervisor, taken by the guest.
 * At each step the word of the IST is looked at, since KVM saves a VM from there.
 */
#include "walk.h"

static volatile u32 *entry;

static void step(u32 word, u64 icsr, bool signalled, const char *what)
{
	check(*entry, word, "%s: the entry", what);
	check(guest_rcfg(SPI(5)), icsr, "%s: CDRCFG", what);
	check(guest(g_isr, 0), signalled ? BIT(7) : 0, "%s: the virtual interrupt", what);
}

static void configuration(struct vm *vm)
{
	step(0, 0, false, "a fresh SPI");
	check(guest_rcfg(SPI(31)), 0, "the last SPI: CDRCFG");
	check(guest_rcfg(SPI(32)), ICSR_F, "an SPI beyond ID_BITS: CDRCFG fails");
	check(guest_rcfg(SPI(0xffffff)), ICSR_F,
	      "the last INTID that can be written: CDRCFG fails");
	check(guest_rcfg(LPI(0)), ICSR_F, "an LPI without an IST: CDRCFG fails");
	memory_changed();
	guest_setup(SPI(32), 0, 8);
	guest_setup(LPI(0), 0, 8);
	guest_cd(g_cdpend, SPI(32), BIT(32));
	vdpend(vm, SPI(32), true);
	vdpend(vm, LPI(0), true);
	check(memory_changed(), 0, "commands for what is in no IST write nothing");

	guest_cd(g_cdpri, SPI(5), 8ull << 35);
	step(0x4000, ICSR(0, 8, 0), false, "CDPRI 8");
	guest_cd(g_cdaff, SPI(5), 3ull << 32);
	step(0x34000, ICSR(3, 8, 0), false, "CDAFF 3");
	guest_cd(g_cdaff, SPI(5), 0);
	guest_cd(g_cden, SPI(5), 0);
	step(0x4008, ICSR(0, 8, ICSR_EN), false, "CDEN");
	guest_cd(g_cdhm, SPI(5), BIT(32));
	step(0x400c, ICSR(0, 8, ICSR_EN | ICSR_HM), false, "CDHM level");
	guest_cd(g_cdhm, SPI(5), 0);
	step(0x4008, ICSR(0, 8, ICSR_EN), false, "CDHM edge");
	guest_cd(g_cddis, SPI(5), 0);
	step(0x4000, ICSR(0, 8, 0), false, "CDDIS");
	check(memory_changed(), 1, "all of it wrote one word");
}

static void edge(struct vm *vm)
{
	vdpend(vm, SPI(5), true);
	step(0x4001, ICSR(0, 8, ICSR_PEND), false, "pending and disabled");
	check(guest(g_hppir, 0), 0, "pending and disabled: HPPIR");
	guest_cd(g_cden, SPI(5), 0);
	step(0x4009, ICSR(0, 8, ICSR_EN | ICSR_PEND), true, "pending and enabled");
	check(guest(g_hppir, 0), VALID | SPI(5), "pending and enabled: HPPIR");
	check(*entry, 0x4009, "HPPIR changes nothing");
	guest_cd(g_cddis, SPI(5), 0);
	step(0x4001, ICSR(0, 8, ICSR_PEND), false, "disabled again");
	guest_cd(g_cden, SPI(5), 0);
	check(guest_ack(), VALID | SPI(5), "CDIA");
	step(0x400a, ICSR(0, 8, ICSR_EN | ICSR_ACT), false, "active");
	check(guest(g_get_apr, 0), BIT(8), "active: APR has priority 8");
	check(guest_ack(), 0, "active: CDIA returns nothing");
	guest(g_cdeoi, 0);
	check(guest(g_get_apr, 0), 0, "CDEOI: APR is empty");
	step(0x400a, ICSR(0, 8, ICSR_EN | ICSR_ACT), false, "CDEOI: still active");
	guest_cd(g_cddi, SPI(5), 0);
	step(0x4008, ICSR(0, 8, ICSR_EN), false, "CDDI");
	check(guest_ack(), 0, "an edge comes once");

	vdpend(vm, SPI(5), true);
	vdpend(vm, SPI(5), true);
	check(guest_ack(), VALID | SPI(5), "two injections before CDIA merge: one");
	vdpend(vm, SPI(5), true);
	check(guest_rcfg(SPI(5)), 0x4016, "injected while active: active and pending");
	check(*entry, 0x400b, "injected while active: the entry");
	check(guest(g_isr, 0), 0, "injected while active: not signalled");
	guest(g_cdeoi, 0);
	check(guest_ack(), 0, "injected while active: nothing between CDEOI and CDDI");
	guest_cd(g_cddi, SPI(5), 0);
	step(0x4009, ICSR(0, 8, ICSR_EN | ICSR_PEND), true, "injected while active: after CDDI");
	check(guest_ack(), VALID | SPI(5), "injected while active: it comes");
	guest_cd(g_cddi, SPI(5), 0); /* the other order, as the kernel's selftest has it */
	guest(g_cdeoi, 0);
	check(guest_ack(), 0, "injected while active: once");
	step(0x4008, ICSR(0, 8, ICSR_EN), false, "CDDI before CDEOI");
}

static void withdrawn(struct vm *vm)
{
	vdpend(vm, SPI(5), true);
	check(guest(g_isr, 0), BIT(7), "VDPEND sets");
	vdpend(vm, SPI(5), false);
	step(0x4008, ICSR(0, 8, ICSR_EN), false, "VDPEND clears");
	guest_cd(g_cdpend, SPI(5), BIT(32));
	step(0x4009, ICSR(0, 8, ICSR_EN | ICSR_PEND), true, "CDPEND sets");
	guest_cd(g_cdpend, SPI(5), 0);
	step(0x4008, ICSR(0, 8, ICSR_EN), false, "CDPEND clears");
	check(guest_ack(), 0, "what was withdrawn is not acknowledged");
	memory_changed();
	guest_cd(g_cddi, SPI(5), 0);
	check(memory_changed(), 0, "CDDI of what is not active writes nothing");
}

/* The IRS follows the entry's HM, that is CDHM, and nothing else. */
static void level(struct vm *vm)
{
	guest_cd(g_cdhm, SPI(5), BIT(32));
	vdpend(vm, SPI(5), true);
	step(0x400d, ICSR(0, 8, ICSR_EN | ICSR_PEND | ICSR_HM), true, "level up");
	check(guest_ack(), VALID | SPI(5), "level up: CDIA");
	step(0x400f, ICSR(0, 8, ICSR_EN | ICSR_PEND | ICSR_ACT | ICSR_HM), false,
	     "level up, active");
	guest_end(SPI(5));
	step(0x400d, ICSR(0, 8, ICSR_EN | ICSR_PEND | ICSR_HM), true, "level still up after CDDI");
	check(guest_ack(), VALID | SPI(5), "level still up: it comes again");
	vdpend(vm, SPI(5), false);
	step(0x400e, ICSR(0, 8, ICSR_EN | ICSR_ACT | ICSR_HM), false, "level down while active");
	guest_end(SPI(5));
	step(0x400c, ICSR(0, 8, ICSR_EN | ICSR_HM), false, "level down after CDDI");
	check(guest_ack(), 0, "level down: it is over");
	guest_cd(g_cdhm, SPI(5), 0);
}

static void taken(struct vm *vm)
{
	check(guest(g_take, 0), 0, "nothing to take");
	vdpend(vm, SPI(5), true);
	check(guest(g_take, 0), 1ull << 56 | VALID | SPI(5), "an interrupt at the guest's vector");
	check(guest(g_take, 0), 0, "taken once");
	guest_setup(SPI(9), 0, 8);
	vdpend(vm, SPI(5), true);
	vdpend(vm, SPI(9), true);
	check(guest(g_take, 0) >> 56, 2, "two interrupts, one after the other");
	check(*entry | *iste(&vm->spi, 9), 0x4008, "both done");
}

/* Each VM has its SPIs to itself, with all of them there. */
static void among_256(void)
{
	static struct vm *vms[VMS];
	u32 own = 0, more = 0;

	for (u32 i = 0; i < VMS; i++) {
		vms[i] = vm_create(i, 1);
		vpe_load(vms[i], 0, 0);
		guest_setup(SPI(i % 32), 0, 8);
		vpe_put(0);
	}
	for (u32 i = 0; i < VMS; i++)
		vdpend(vms[i], SPI(i % 32), true);
	for (u32 i = 0; i < VMS; i++) {
		vpe_load(vms[i], 0, 0);
		own += guest_ack() == (VALID | SPI(i % 32));
		guest_end(SPI(i % 32));
		more += guest_ack() != 0;
		vpe_put(0);
	}
	check(own, VMS, "256 VMs, each acknowledges its own SPI");
	check(more, 0, "256 VMs, none acknowledges another's");
	for (u32 i = 0; i < VMS; i++)
		vm_destroy(vms[i]);
}

void virtual_spi_chapter(void)
{
	struct vm *vm;

	chapter("virtual SPIs");
	vm = vm_create(14, 1);
	entry = iste(&vm->spi, 5);
	guest_open();
	vpe_load(vm, 0, 0);
	configuration(vm);
	edge(vm);
	withdrawn(vm);
	level(vm);
	taken(vm);
	vpe_put(0);
	vm_destroy(vm);
	among_256();
}
