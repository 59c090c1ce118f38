// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Doorbells. KVM asks for one when a vCPU waits: CONTEXTR with V=0, DB=1 and DBPM, the lowest
 * priority that is to wake it. It is a host LPI, once per request, when an interrupt of that VPE is
 * pending, enabled, not active and of priority DBPM or higher: at the request if there is one
 * already, else when there is. Each one is counted.
 */
#include "walk.h"

#define DB(prio) (CONTEXTR_DB | CONTEXTR_DBPM(prio))

/* Interrupts of the doorbell of a VPE since the last time; there must be no others. */
static u64 rings(const struct vm *vm, u32 vpe)
{
	u32 others, count = host_drain(vm->doorbell + vpe, &others);

	return count + others * 1000;
}

static void wait_from(const struct vm *vm, u32 vpe, u32 dbpm)
{
	vpe_load(vm, vpe, 0);
	vpe_put(DB(dbpm));
}

/* Load, take what there is, put without a request. */
static u64 take(const struct vm *vm, u32 vpe)
{
	u64 intid;

	vpe_load(vm, vpe, 0);
	intid = guest_ack();
	if (intid)
		guest_end((u32)intid);
	vpe_put(0);
	return intid;
}

static void at_the_request(struct vm *vm)
{
	vpe_load(vm, 0, 0);
	guest_setup(SPI(5), 0, 8);
	vdpend(vm, SPI(5), true);
	check(rings(vm, 0), 0, "resident: no doorbell");
	vpe_put(0x1f80000000000000);
	check(rings(vm, 0), 1, "pending at the put: a doorbell at once");
	vdpend(vm, SPI(5), true);
	check(rings(vm, 0), 0, "one request, one doorbell");
	check(take(vm, 0), VALID | SPI(5), "the interrupt itself has waited");
}

static void later(struct vm *vm)
{
	wait_from(vm, 0, DBPM_ALL);
	check(rings(vm, 0), 0, "nothing pending at the put: no doorbell");
	vdpend(vm, SPI(5), true);
	check(rings(vm, 0), 1, "VDPEND: the doorbell");
	vdpend(vm, SPI(5), false);
	vdpend(vm, SPI(5), true);
	check(rings(vm, 0), 0, "and again: none, it was one-shot");
	wait_from(vm, 0, DBPM_ALL);
	check(rings(vm, 0), 1, "a new request with it still pending: another");
	check(take(vm, 0), VALID | SPI(5), "taken");
	wait_from(vm, 0, DBPM_ALL);
	vdpend(vm, SPI(5), false);
	check(rings(vm, 0), 0, "VDPEND that clears: none");
	vdpend(vm, SPI(6), true);
	check(rings(vm, 0), 0, "VDPEND of a disabled SPI: none");
	vdpend(vm, SPI(5), true);
	check(rings(vm, 0), 1, "the request was still there");
	take(vm, 0);
}

static void cancelled(struct vm *vm)
{
	vpe_load(vm, 0, 0);
	vpe_put(0);
	vdpend(vm, SPI(5), true);
	check(rings(vm, 0), 0, "put without DB: none");
	take(vm, 0);
	vpe_load(vm, 0, 0);
	vdpend(vm, SPI(5), true);
	vpe_put(CONTEXTR_DBPM(DBPM_ALL));
	check(rings(vm, 0), 0, "put without DB, pending already: none, whatever DBPM");
	take(vm, 0);
	wait_from(vm, 0, DBPM_ALL);
	vpe_load(vm, 0, 0);
	vpe_put(0);
	vdpend(vm, SPI(5), true);
	check(rings(vm, 0), 0, "a put without DB cancels an older request");
	take(vm, 0);
	/* KVM puts 0, where DBPM 0 hides what DB does */
	wait_from(vm, 0, DBPM_ALL);
	vpe_load(vm, 0, 0);
	vpe_put(CONTEXTR_DBPM(DBPM_ALL));
	vdpend(vm, SPI(5), true);
	check(rings(vm, 0), 0, "a put without DB cancels an older request, whatever its DBPM");
	take(vm, 0);
	/* One load after the other, without a put: only the load itself can have cancelled. */
	wait_from(vm, 0, DBPM_ALL);
	vpe_load(vm, 0, 0);
	vpe_load(vm, 1, 0);
	vdpend(vm, SPI(5), true);
	check(rings(vm, 0), 0, "a load cancels an older request");
	vpe_put(0);
	take(vm, 0);
	wait_from(vm, 0, DBPM_ALL);
	vpe_load(vm, 0, 0);
	vdpend(vm, SPI(5), true);
	check(rings(vm, 0), 0, "loaded again before the interrupt: none");
	vpe_put(0);
	take(vm, 0);
}

static void priorities(struct vm *vm)
{
	wait_from(vm, 0, 7);
	vdpend(vm, SPI(5), true);
	check(rings(vm, 0), 0, "DBPM 7, priority 8: none");
	take(vm, 0);
	wait_from(vm, 0, 8);
	vdpend(vm, SPI(5), true);
	check(rings(vm, 0), 1, "DBPM 8, priority 8: a doorbell");
	take(vm, 0);
	wait_from(vm, 0, 0);
	vdpend(vm, SPI(5), true);
	check(rings(vm, 0), 0, "DBPM 0, priority 8: none");
	take(vm, 0);
	vpe_load(vm, 0, 0);
	guest_setup(SPI(7), 0, 0);
	vpe_put(DB(0));
	vdpend(vm, SPI(7), true);
	check(rings(vm, 0), 1, "DBPM 0, priority 0: a doorbell");
	take(vm, 0);
	wait_from(vm, 0, 7);
	vdpend(vm, SPI(5), true);
	vdpend(vm, SPI(7), true);
	check(rings(vm, 0), 1, "one too low, one high enough: one doorbell");
	take(vm, 0);
	take(vm, 0);
}

/* A guest's instruction that rings another VPE's doorbell: that may well end the guest's turn. */
static void sets_off(const void *code, u64 operand)
{
	guest_run(code, operand);
}

/* Anything that another VPE of the VM does to an entry can make the condition true. */
static void by_another_vpe(struct vm *vm)
{
	wait_from(vm, 0, DBPM_ALL);
	vpe_load(vm, 1, 0);
	sets_off(g_cdpend, SPI(5) | BIT(32));
	check(rings(vm, 0), 1, "CDPEND by VPE 1: a doorbell");
	take(vm, 0);

	vdpend(vm, SPI(6), true);
	wait_from(vm, 0, DBPM_ALL);
	vpe_load(vm, 1, 0);
	guest_cd(g_cdpri, SPI(6), 8ull << 35);
	check(rings(vm, 0), 0, "CDPRI of a disabled SPI by VPE 1: none");
	sets_off(g_cden, SPI(6));
	check(rings(vm, 0), 1, "CDEN by VPE 1: a doorbell");
	take(vm, 0);

	wait_from(vm, 0, 7);
	vdpend(vm, SPI(6), true);
	vpe_load(vm, 1, 0);
	check(rings(vm, 0), 0, "DBPM 7, priority 8, VPE 1 about to change it: none so far");
	sets_off(g_cdpri, SPI(6) | 7ull << 35);
	check(rings(vm, 0), 1, "CDPRI 7 by VPE 1: a doorbell");
	take(vm, 0);

	vpe_load(vm, 1, 0);
	guest_setup(SPI(9), 1, 8);
	vdpend(vm, SPI(9), true);
	wait_from(vm, 0, DBPM_ALL);
	check(rings(vm, 0), 0, "an SPI of VPE 1 does not wake VPE 0");
	vpe_load(vm, 1, 0);
	sets_off(g_cdaff, SPI(9));
	check(rings(vm, 0), 1, "CDAFF 0 by VPE 1: a doorbell");
	check(take(vm, 0), VALID | SPI(9), "and the interrupt is VPE 0's");
}

static void active(struct vm *vm)
{
	vpe_load(vm, 0, 0);
	vdpend(vm, SPI(5), true);
	guest_ack();
	vdpend(vm, SPI(5), true);
	vpe_put(DB(DBPM_ALL));
	check(rings(vm, 0), 0, "pending but active: none");
	vpe_load(vm, 1, 0);
	sets_off(g_cddi, SPI(5));
	check(rings(vm, 0), 1, "CDDI by VPE 1: a doorbell");
	vpe_load(vm, 0, 0);
	guest(g_cdeoi, 0);
	check(take(vm, 0), VALID | SPI(5), "taken once more");
}

static void the_right_one(struct vm *vm, struct vm *other)
{
	vpe_load(vm, 1, 0);
	guest_setup(SPI(10), 1, 8);
	wait_from(vm, 0, DBPM_ALL);
	wait_from(vm, 1, DBPM_ALL);
	wait_from(other, 0, DBPM_ALL);
	vdpend(vm, SPI(10), true);
	check(rings(vm, 1), 1, "of three that wait, the one it is for");
	vdpend(vm, SPI(5), true);
	check(rings(vm, 0), 1, "then another");
	vpe_load(other, 0, 0);
	guest_setup(SPI(5), 0, 8);
	vpe_put(DB(DBPM_ALL));
	vdpend(other, SPI(5), true);
	check(rings(other, 0), 1, "then the other VM's");
	take(vm, 0);
	take(vm, 1);
	take(other, 0);
}

/* A virtual LPI rings as well, and while another guest runs here it ends that one's turn. */
static void interrupts_a_guest(struct vm *vm, struct vm *other)
{
	struct guest_exit e;

	vm_map_lpis(vm, 12, 0, false);
	vpe_load(vm, 0, 0);
	guest_setup(LPI(7), 0, 8);
	vpe_put(DB(DBPM_ALL));
	vpe_load(other, 0, 0);
	check(guest_run(g_nop, 0).esr >> 26, EC_HVC, "another guest runs undisturbed");
	vdpend(vm, LPI(7), true);
	e = guest_run(g_nop, 0);
	check(e.esr, GUEST_IRQ, "a doorbell ends its turn with a physical interrupt");
	check(rings(vm, 0), 1, "the doorbell, for a virtual LPI");
	check(guest_run(g_nop, 0).esr >> 26, EC_HVC, "and it runs on");
	vpe_put(0);
	check(take(vm, 0), VALID | LPI(7), "the virtual LPI has waited");
}

static void wfi(struct vm *vm)
{
	struct guest_exit e;

	guest_hcr = HCR_TWI;
	vpe_load(vm, 0, 0);
	e = guest_run(g_wfi, 0);
	check(ESR_EC(e.esr), EC_WFX, "a WFI traps");
	vpe_put(DB(DBPM_ALL));
	check(rings(vm, 0), 0, "the vCPU waits");
	vdpend(vm, SPI(5), true);
	check(host_irq(), 1, "the host is interrupted");
	check(rings(vm, 0), 1, "by the doorbell");
	vpe_load(vm, 0, 0);
	check(guest(g_take, 0), 1ull << 56 | VALID | SPI(5), "the guest takes its interrupt");
	vpe_put(0);
	guest_hcr = 0;
}

/* KVM sets DBV and the INTID once, and never asks by DBR. */
static void dbr(struct vm *vm)
{
	u64 selr = MAP_M | vm->id;

	irs_write64(IRS_VPE_SELR, selr);
	irs_write64(IRS_VPE_DBR, vm->doorbell);
	wait_from(vm, 0, DBPM_ALL);
	vdpend(vm, SPI(5), true);
	check(rings(vm, 0), 0, "DBV 0: none");
	take(vm, 0);
	irs_write64(IRS_VPE_SELR, selr);
	irs_write64(IRS_VPE_DBR, MAP_M | (vm->doorbell + 1));
	wait_from(vm, 0, DBPM_ALL);
	vdpend(vm, SPI(5), true);
	check(rings(vm, 1), 1, "another INTID: that LPI");
	take(vm, 0);
	irs_write64(IRS_VPE_SELR, selr);
	irs_write64(IRS_VPE_DBR, MAP_M | vm->doorbell);
}

static void many(struct vm *vm)
{
	u32 rung = 0, taken = 0;

	for (u32 i = 0; i < 500; i++) {
		wait_from(vm, 0, DBPM_ALL);
		vdpend(vm, SPI(5), true);
		vdpend(vm, SPI(5), true);
		rung += rings(vm, 0);
		taken += take(vm, 0) == (VALID | SPI(5));
	}
	check(rung, 500, "500 requests, 500 doorbells");
	check(taken, 500, "500 interrupts taken");
}

/* The next VM of an id starts without doorbells; here even before VPE_DBR, which comes last. */
static void not_inherited(u32 id)
{
	struct vm *vm = vm_alloc(id, 2);

	vm_write_vmte(vm);
	vmt_command(IRS_VMAP_VMR, MAP_M | id);
	ist_init(&vm->spi, 5, 0, false);
	*iste(&vm->spi, 5) = I_PRIO(8) | I_EN;
	vmte(id)[3] = ist_vmte_word(&vm->spi);
	vmt_command(IRS_VMAP_VISTR, MAP_M | (u64)id << 32 | TYPE_SPI << 29);
	vm->vpet[0] = (u64)vm->vped;
	vmt_command(IRS_VMAP_VPER, MAP_M | (u64)id << 32);
	vdpend(vm, SPI(5), true);
	check(rings(vm, 0), 0, "the next VM of its id has not inherited the request");
	vm_destroy(vm);
}

static void no_more(struct vm *vm, struct vm *other)
{
	wait_from(vm, 0, DBPM_ALL);
	wait_from(other, 0, DBPM_ALL);
	vm_destroy(vm);
	vdpend(vm, SPI(5), true);
	check(rings(vm, 0), 0, "a VM that is no more rings no doorbell");
	not_inherited(vm->id);
	vm_destroy(other);
}

void doorbell_chapter(void)
{
	struct vm *vm, *other;

	chapter("doorbells");
	vm = vm_create(22, 2);
	other = vm_create(23, 1);
	guest_open();
	at_the_request(vm);
	later(vm);
	cancelled(vm);
	priorities(vm);
	by_another_vpe(vm);
	active(vm);
	the_right_one(vm, other);
	interrupts_a_guest(vm, other);
	wfi(vm);
	dbr(vm);
	many(vm);
	no_more(vm, other);
}
