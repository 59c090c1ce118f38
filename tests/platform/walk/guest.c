// SPDX-License-Identifier: GPL-2.0-or-later
/* A guest at EL1: one instruction of guest.S at a time, or a short wait. */
#include "walk.h"

#define SPSR_EL1H_MASKED 0x3c5

u64 guest_hcr;

struct guest_exit guest_enter(const void *code, u64 x0, u64 spsr);

struct guest_exit guest_run(const void *code, u64 x0)
{
	return guest_enter(code, x0, SPSR_EL1H_MASKED);
}

u64 guest(const void *code, u64 x0)
{
	struct guest_exit e = guest_run(code, x0);

	if (e.esr == GUEST_IRQ || e.esr != (EC_HVC << 26 | BIT(25)))
		give_up("the guest left in an unforeseen way: ESR_EL2, code, x0", e.esr, (u64)code,
			e.x0);
	return e.x0;
}

void guest_open(void)
{
	write_sysreg(0, ICH_APR);
	write_sysreg((u64)PRIO_ALL << 27 | 1, ICH_VMCR);
	write_sysreg(0, ICH_ENABLER0);
	write_sysreg(0, ICH_PENDR0);
	write_sysreg(0, ICH_ACTIVER0);
	write_sysreg(0, ICH_DVIR0);
}

void guest_cd(const void *code, u64 intid, u64 operand)
{
	guest(code, intid | operand);
}

u64 guest_rcfg(u64 intid)
{
	return guest(g_rcfg, intid);
}

void guest_setup(u64 intid, u32 vpe, u32 prio)
{
	guest_cd(g_cdpri, intid, (u64)prio << 35);
	guest_cd(g_cdaff, intid, (u64)vpe << 32);
	guest_cd(g_cden, intid, 0);
}

u64 guest_ack(void)
{
	return guest(g_cdia, 0);
}

void guest_end(u64 intid)
{
	guest(g_cdeoi, 0);
	guest_cd(g_cddi, intid, 0);
}
