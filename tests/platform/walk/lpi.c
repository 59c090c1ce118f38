// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Virtual LPIs: sent from one vCPU of a VM to another, moved between them, and lost with their
 * table. The guest makes a table by writing the emulated IRS_IST_BASER, upon which KVM allocates
 * one of its own and maps it.
 */
#include "walk.h"

static void as(struct vm *vm, u32 vpe)
{
	vpe_put(0);
	vpe_load(vm, vpe, 0);
}

static void send(u64 intid)
{
	guest_cd(g_cdpend, intid, BIT(32));
}

static void between_vcpus(struct vm *vm)
{
	as(vm, 0);
	check(guest_rcfg(LPI(0)), 0, "a fresh LPI");
	guest_setup(LPI(0), 1, 8);
	guest_setup(LPI(2), 0, 16);
	check(*iste(&vm->lpi, 0), 0x14008, "LPI 0 is for VPE 1: the entry");
	check(guest_rcfg(LPI(0)), ICSR(1, 8, ICSR_EN), "LPI 0 is for VPE 1: CDRCFG");
	send(LPI(0));
	check(*iste(&vm->lpi, 0), 0x14009, "sent: the entry");
	check(guest(g_isr, 0), 0, "sent: not to the sender");
	check(guest_ack(), 0, "sent: the sender cannot acknowledge it");
	as(vm, 1);
	check(guest(g_isr, 0), BIT(7), "VPE 1 is signalled");
	check(guest_ack(), VALID | LPI(0), "VPE 1 acknowledges");
	check(*iste(&vm->lpi, 0), 0x1400a, "active: the entry");
	send(LPI(2));
	guest_end(LPI(0));
	check(*iste(&vm->lpi, 0), 0x14008, "ended: the entry");
	check(guest_ack(), 0, "its own answer is not for VPE 1");
	as(vm, 0);
	check(guest_ack(), VALID | LPI(2), "VPE 0 gets the answer");
	guest_end(LPI(2));
	check(guest_ack(), 0, "and no more");
}

static void to_oneself_and_types(struct vm *vm)
{
	as(vm, 0);
	guest_setup(SPI(2), 0, 24);
	send(LPI(2));
	check(*iste(&vm->spi, 2), I_PRIO(24) | I_EN, "LPI 2 is not SPI 2");
	send(SPI(2));
	check(guest_ack(), VALID | LPI(2), "LPI 2 of priority 16 before SPI 2 of 24");
	guest_end(LPI(2));
	check(guest_ack(), VALID | SPI(2), "then SPI 2");
	guest_end(SPI(2));
	guest_cd(g_cdpri, SPI(2), 4ull << 35);
	send(LPI(2));
	send(SPI(2));
	check(guest_ack(), VALID | SPI(2), "SPI 2 of priority 4 before LPI 2 of 16");
	guest_end(SPI(2));
	check(guest_ack(), VALID | LPI(2), "then LPI 2");
	guest_end(LPI(2));
}

static void moved(struct vm *vm)
{
	as(vm, 0);
	guest_setup(LPI(7), 0, 8);
	send(LPI(7));
	check(guest(g_isr, 0), BIT(7), "LPI 7 is pending for VPE 0");
	guest_cd(g_cdaff, LPI(7), 1ull << 32);
	check(guest(g_isr, 0), 0, "CDAFF 1 takes it away");
	check(*iste(&vm->lpi, 7), 0x14009, "CDAFF 1: still pending");
	as(vm, 1);
	check(guest(g_isr, 0), BIT(7), "VPE 1 has it");
	guest_cd(g_cdaff, LPI(7), 0);
	check(guest(g_isr, 0), 0, "CDAFF 0 from VPE 1 sends it back");
	as(vm, 0);
	check(guest_ack(), VALID | LPI(7), "VPE 0 acknowledges it at last");
	guest_cd(g_cdaff, LPI(7), 1ull << 32);
	guest_cd(g_cddi, LPI(7), 0);
	guest(g_cdeoi, 0);
	check(*iste(&vm->lpi, 7), 0x14008, "moved while active, then ended: the entry");
	/* Nothing says that an IAFFID must exist. */
	guest_cd(g_cdaff, LPI(7), 9ull << 32);
	send(LPI(7));
	check(guest(g_isr, 0), 0, "an LPI for a VPE that does not exist: not VPE 0's");
	as(vm, 1);
	check(guest(g_isr, 0), 0, "an LPI for a VPE that does not exist: not VPE 1's");
	guest_cd(g_cdaff, LPI(7), 1ull << 32);
	check(guest_ack(), VALID | LPI(7), "it was pending all the time");
	guest_end(LPI(7));
}

static void limits(struct vm *vm)
{
	as(vm, 0);
	guest_setup(LPI(4095), 0, 8);
	send(LPI(4095));
	check(guest_ack(), VALID | LPI(4095), "the last LPI");
	guest_end(LPI(4095));
	check(guest_rcfg(LPI(4096)), ICSR_F, "the one after it: CDRCFG fails");
	memory_changed();
	guest_setup(LPI(4096), 0, 8);
	send(LPI(4096));
	check(memory_changed(), 0, "the one after it: nothing is written");
	check(guest_ack(), 0, "the one after it: nothing comes");
}

/* The guest invalidates its table with LPIs pending, and makes another. */
static void lost(struct vm *vm)
{
	as(vm, 0);
	guest_setup(SPI(3), 0, 12);
	guest_setup(LPI(9), 0, 8);
	send(LPI(9));
	send(SPI(3));
	check(guest(g_hppir, 0), VALID | LPI(9), "LPI 9 is the highest");
	memory_changed();
	vmt_command(IRS_VMAP_VISTR, MAP_M | MAP_U | (u64)vm->id << 32 | TYPE_LPI << 29);
	check(memory_changed(), 1, "unmapping the LPIs writes the VMTE only");
	check(guest(g_hppir, 0), VALID | SPI(3), "LPI 9 is gone, SPI 3 is not");
	check(guest_rcfg(LPI(9)), ICSR_F, "there are no LPIs");
	vmte(vm->id)[2] = 0;
	check(guest_ack(), VALID | SPI(3), "SPI 3 is acknowledged");
	guest_end(SPI(3));
	check(guest_ack(), 0, "nothing else is");

	vm_map_lpis(vm, 12, 0, false);
	check(guest_rcfg(LPI(9)), 0, "LPI 9 of the new table is fresh");
	guest_setup(LPI(9), 0, 8);
	check(guest(g_isr, 0), 0, "and not pending");
	send(LPI(9));
	check(guest_ack(), VALID | LPI(9), "but it can be");
	guest_end(LPI(9));
}

/*
 * IST restore: the table is filled before it is mapped, pending interrupts follow by VDPEND. Open:
 * does an entry that has Pending set when its table is mapped count as pending? KVM clears it.
 */
static void restored(void)
{
	struct vm *vm = vm_create(17, 2);

	ist_init(&vm->lpi, 12, 0, false);
	*iste(&vm->lpi, 0) = 0x14008; /* VPE 1, priority 8, enabled */
	*iste(&vm->lpi, 1) = 0x4008;
	*iste(&vm->lpi, 2) = 0x2000; /* priority 4, disabled */
	*iste(&vm->lpi, 3) = 0x600c; /* priority 12, level */
	vmte(17)[2] = ist_vmte_word(&vm->lpi);
	vmt_command(IRS_VMAP_VISTR, MAP_M | 17ull << 32 | TYPE_LPI << 29);
	for (u32 i = 0; i < 4; i++)
		vdpend(vm, LPI(i), true);
	guest_open();
	as(vm, 0);
	check(guest_rcfg(LPI(3)), ICSR(0, 12, ICSR_EN | ICSR_PEND | ICSR_HM), "restored: LPI 3");
	check(guest_ack(), VALID | LPI(1), "restored: LPI 1 comes first at VPE 0");
	guest_end(LPI(1));
	check(guest_ack(), VALID | LPI(3), "restored: then LPI 3");
	vdpend(vm, LPI(3), false);
	guest_end(LPI(3));
	check(guest_ack(), 0, "restored: LPI 2 is disabled");
	guest_cd(g_cden, LPI(2), 0);
	check(guest_ack(), VALID | LPI(2), "restored: LPI 2 enabled");
	guest_end(LPI(2));
	as(vm, 1);
	check(guest_ack(), VALID | LPI(0), "restored: LPI 0 at VPE 1");
	guest_end(LPI(0));
	vpe_put(0);
	vm_destroy(vm);
}

/* What is pending when a VM ends must not come back in the next one of the same id. */
static void not_inherited(void)
{
	struct vm *vm = vm_create(18, 1);

	vm_map_lpis(vm, 12, 0, false);
	guest_open();
	vpe_load(vm, 0, 0);
	guest_setup(LPI(1), 0, 8);
	guest_setup(SPI(1), 0, 8);
	send(LPI(1));
	send(SPI(1));
	check(guest(g_isr, 0), BIT(7), "a VM with something pending");
	vpe_put(0);
	vm_destroy(vm);
	vm = vm_create(18, 1);
	vm_map_lpis(vm, 12, 0, false);
	vpe_load(vm, 0, 0);
	guest_setup(LPI(1), 0, 8);
	guest_setup(SPI(1), 0, 8);
	check(guest(g_isr, 0), 0, "the next VM of its id has inherited nothing");
	check(guest(g_hppir, 0), 0, "the next VM of its id: HPPIR");
	vpe_put(0);
	vm_destroy(vm);
}

void lpi_chapter(void)
{
	struct vm *vm;

	chapter("LPIs");
	vm = vm_create(16, 2);
	vm_map_lpis(vm, 12, 0, false);
	guest_open();
	between_vcpus(vm);
	to_oneself_and_types(vm);
	moved(vm);
	limits(vm);
	lost(vm);
	vpe_put(0);
	vm_destroy(vm);
	restored();
	not_inherited();
}
