// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ICH_CONTEXTR_EL2: which VPE this CPU runs. KVM writes it on every vcpu_load and vcpu_put, and
 * reads it back after a load: F means that there is no such VPE.
 */
#include "walk.h"

static u64 load(u64 val)
{
	write_sysreg(val, ICH_CONTEXTR);
	return read_sysreg(ICH_CONTEXTR);
}

static void values(void)
{
	struct vm *vm = vm_create(7, 3);

	check(load(0x8000000000000007), 0x8000000000000007, "load of VM 7 VPE 0 reads back");
	check(load(0), 0, "put reads back");
	check(load(0xa000000200000007), 0xa000000200000007,
	      "load with IRICHPPIDIS, VPE 2, reads back");
	check(load(0x1f80000000000000), 0x1f80000000000000,
	      "put for WFI, DB and DBPM 31, reads back");
	check(load(0x8000000100000007), 0x8000000100000007,
	      "load of VPE 1 after it: neither V nor F");
	vpe_put(0);
	vm_destroy(vm);
}

/* Not resident: the guest has PPIs and nothing else. */
static void must_not_be_resident(const char *why, u64 iste_word, volatile u32 *entry)
{
	/*
	 * Open, for want of the manual: does CDRCFG set ICC_ICSR_EL1.F, or is it a NOP as the other
	 * commands are? With F set before either will do; what it must not return is the entry.
	 */
	write_sysreg(ICSR_F, ICC_ICSR);
	check(guest_rcfg(SPI(5)), ICSR_F, "%s: CDRCFG does not tell", why);
	guest_cd(g_cddis, SPI(5), 0);
	check(*entry, iste_word, "%s: CDDIS is a NOP", why);
	check(guest(g_hppir, 0), 0, "%s: no SPI in HPPIR", why);
	check(guest(g_isr, 0), 0, "%s: no virtual interrupt", why);
	check(guest_ack(), 0, "%s: CDIA returns nothing", why);
}

static void resident(void)
{
	struct vm *vm = vm_create(8, 1), *other = vm_create(9, 1);
	volatile u32 *entry = iste(&vm->spi, 5);
	u64 word = I_PRIO(8) | I_EN | I_PEND;

	guest_open();
	check(vpe_load(vm, 0, 0) >> 62, 2, "VM 8 resident");
	guest_setup(SPI(5), 0, 8);
	vdpend(vm, SPI(5), true);
	check(guest(g_hppir, 0), VALID | SPI(5), "VM 8 sees its SPI 5");
	check(guest(g_isr, 0), BIT(7), "VM 8 has a virtual interrupt");

	check(vpe_load(other, 0, 0) >> 62, 2, "VM 9 takes its place, without a put");
	check(guest_rcfg(SPI(5)), 0, "VM 9 has an SPI 5 of its own");
	check(guest(g_hppir, 0), 0, "VM 9 has nothing in HPPIR");
	check(guest(g_isr, 0), 0, "VM 9 has no virtual interrupt");

	vpe_put(0);
	must_not_be_resident("after put", word, entry);
	check(vpe_load(vm, 0, 0) >> 62, 2, "VM 8 resident again");
	check(guest_ack(), VALID | SPI(5), "its SPI 5 has waited");
	guest_end(SPI(5));

	vdpend(vm, SPI(5), true);
	check(load(0x8000000000000009), 0x8000000000000009, "VM 9 by value");
	check(vpe_load(vm, 7, 0) & CONTEXTR_F, CONTEXTR_F, "VM 8 has no VPE 7");
	must_not_be_resident("after F", word, entry);
	check(vpe_load(vm, 0, 0) >> 62, 2, "a good load after F: V and not F");
	check(guest_ack(), VALID | SPI(5), "and its SPI 5 is there");
	guest_end(SPI(5));
	vpe_put(0);
	vm_destroy(other);
	vm_destroy(vm);
}

static void faults(void)
{
	struct vm *vm = vm_create(10, 2), *young = vm_alloc(11, 2);
	struct vm none = { .id = 12 };

	check(vpe_load(&none, 0, 0) & CONTEXTR_F, CONTEXTR_F, "F: a VM that never was");
	none.id = VMS;
	check(vpe_load(&none, 0, 0) & CONTEXTR_F, CONTEXTR_F, "F: a VM beyond VM_ID_BITS");
	none.id = 0xffff;
	check(vpe_load(&none, 0xffff, 0) & CONTEXTR_F, CONTEXTR_F, "F: VM 65535 VPE 65535");
	check(vpe_load(vm, 2, 0) & CONTEXTR_F, CONTEXTR_F, "F: a VPE beyond VPE_ID_BITS");
	check(vpe_load(vm, 1, 0) & CONTEXTR_F, 0, "no F: the last VPE");
	vpe_put(0);
	vm_write_vmte(young);
	check(vpe_load(young, 0, 0) & CONTEXTR_F, CONTEXTR_F, "F: a VMTE that is not valid yet");
	vmt_command(IRS_VMAP_VMR, MAP_M | 11);
	check(vpe_load(young, 0, 0) & CONTEXTR_F, CONTEXTR_F, "F: a VPETE that is not valid yet");
	vpe_reset(young, 0);
	check(vpe_load(young, 0, 0) & CONTEXTR_F, 0, "no F: it is valid now");
	check(vpe_load(young, 1, 0) & CONTEXTR_F, CONTEXTR_F, "F: its other VPE is not");
	vpe_put(0);
	check(read_sysreg(ICH_CONTEXTR), 0, "a put after F clears F");
	vm_destroy(young);
	check(vpe_load(young, 0, 0) & CONTEXTR_F, CONTEXTR_F, "F: a VM that is no more");
	vpe_put(0);
	vm_destroy(vm);
}

/* KVM takes its vCPUs off first. If it did not, nothing of the VM may be left to a guest. */
static void destroyed(void)
{
	struct vm *vm = vm_create(12, 1);
	volatile u32 *entry = iste(&vm->spi, 5);

	guest_open();
	vpe_load(vm, 0, 0);
	guest_setup(SPI(5), 0, 8);
	vdpend(vm, SPI(5), true);
	check(guest(g_isr, 0), BIT(7), "a VM with an interrupt");
	vm_destroy(vm);
	must_not_be_resident("destroyed while resident", I_PRIO(8) | I_EN | I_PEND, entry);
	vdpend(vm, SPI(5), false);
	check(*entry, I_PRIO(8) | I_EN | I_PEND, "destroyed while resident: VDPEND writes nothing");
	vpe_put(0);
}

/* KVM sets IRICHPPIDIS until the guest enables its (emulated) IRS. */
static void iri_disabled(void)
{
	struct vm *vm = vm_create(13, 1);

	guest_open();
	vpe_load(vm, 0, CONTEXTR_IRI_DIS);
	guest_setup(SPI(6), 0, 8);
	vdpend(vm, SPI(6), true);
	check(guest_rcfg(SPI(6)), ICSR(0, 8, ICSR_EN | ICSR_PEND), "IRICHPPIDIS: SPI 6 is pending");
	check(guest(g_hppir, 0), 0, "IRICHPPIDIS: but not in HPPIR");
	check(guest(g_isr, 0), 0, "IRICHPPIDIS: nor a virtual interrupt");
	check(guest_ack(), 0, "IRICHPPIDIS: nor can it be acknowledged");
	write_sysreg(BIT(3), ICH_ENABLER0);
	write_sysreg(BIT(3), ICH_PENDR0);
	check(guest(g_hppir, 0), VALID | PPI(3), "IRICHPPIDIS: PPIs are not concerned");
	write_sysreg(0, ICH_PENDR0);

	vpe_put(0);
	vpe_load(vm, 0, 0);
	check(guest(g_isr, 0), BIT(7),
	      "without it, what was pended meanwhile is signalled at once");
	check(guest(g_hppir, 0), VALID | SPI(6), "without it, SPI 6 is in HPPIR");
	vpe_put(0);
	vpe_load(vm, 0, CONTEXTR_IRI_DIS);
	check(guest(g_isr, 0), 0, "with it again, nothing");
	vpe_load(vm, 0, 0);
	check(guest_ack(), VALID | SPI(6), "and without it again, CDIA returns SPI 6");
	guest_end(SPI(6));
	vpe_put(0);
	vm_destroy(vm);
}

/* PPIs need no residency: Linux 7.3 never writes ICH_CONTEXTR_EL2. */
static void ppis_alone(void)
{
	guest_open();
	write_sysreg(0, ICH_CONTEXTR);
	write_sysreg(8ull << 24, ICH_PRIORITYR0);
	write_sysreg(BIT(3), ICH_ENABLER0);
	write_sysreg(BIT(3), ICH_PENDR0);
	check(guest(g_isr, 0), BIT(7), "no VPE resident: PPI 3 is signalled");
	check(guest_ack(), VALID | PPI(3), "no VPE resident: PPI 3 is acknowledged");
	guest_end(PPI(3));
	check(read_sysreg(ICH_ACTIVER0), 0, "no VPE resident: PPI 3 is deactivated");
	check(guest(g_isr, 0), 0, "no VPE resident: nothing is left");
	guest_open();
}

void residency_chapter(void)
{
	chapter("residency");
	values();
	resident();
	faults();
	destroyed();
	iri_disabled();
	ppis_alone();
}
