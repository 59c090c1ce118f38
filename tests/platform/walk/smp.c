// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Several CPUs. KVM injects from whatever CPU it happens to be on, mostly not from the one where
 * the VPE is resident, and that one may be deep in its guest.
 */
#include "walk.h"

#define ROUNDS	 50
#define HOST_LPI 4002	      /* some device's */
#define LONG	 (1ull << 36) /* rounds of g_spin: longer than cpu_wait() has patience */

static struct vm *vm;

static u64 load_on(u64 vpe, u64 unused)
{
	(void)unused;
	guest_open();
	return vpe_load(vm, (u32)vpe, 0);
}

static u64 put_on(u64 val, u64 unused)
{
	(void)unused;
	vpe_put(val);
	return read_sysreg(ICH_CONTEXTR);
}

static u64 guest_on(u64 code, u64 x0)
{
	return guest((const void *)code, x0);
}

/* Setting up and taking interrupts, where an IRQ exit would be the host's doorbell. */
static u64 setup_on(u64 intid, u64 vpe)
{
	guest_setup(intid, (u32)vpe, 8);
	return 0;
}

static u64 take_on(u64 a, u64 b)
{
	u64 intid = guest_ack();

	(void)a, (void)b;
	if (intid)
		guest_end((u32)intid);
	return intid;
}

static u64 drain_on(u64 lpi, u64 unused)
{
	u32 others, count = host_drain((u32)lpi, &others);

	(void)unused;
	return count + others * 1000;
}

static u64 vdpend_on(u64 intid, u64 pending)
{
	vdpend(vm, intid, pending);
	return 0;
}

/* Not in its guest just now: it finds the interrupt when it enters. */
static void resident_elsewhere(u32 cpu)
{
	check(on_cpu(cpu, load_on, 1, 0) >> 62, 2, "VPE 1 resident on CPU %u", cpu);
	on_cpu(cpu, setup_on, SPI(5), 1);
	vdpend(vm, SPI(5), true);
	check(on_cpu(cpu, guest_on, (u64)g_isr, 0), BIT(7),
	      "VDPEND from CPU 0, VPE 1 on CPU %u: signalled at the next entry", cpu);
	vdpend(vm, SPI(5), false);
	check(on_cpu(cpu, guest_on, (u64)g_isr, 0), 0,
	      "withdrawn from CPU 0, VPE 1 on CPU %u: gone at the next entry", cpu);
	vdpend(vm, SPI(5), true);
	check(on_cpu(cpu, take_on, 0, 0), VALID | SPI(5),
	      "VDPEND from CPU 0, acknowledged on CPU %u", cpu);
	on_cpu(cpu, vdpend_on, SPI(5), true);
	check(on_cpu(cpu, take_on, 0, 0), VALID | SPI(5), "VDPEND from CPU %u itself", cpu);
	check(drain_on(0, 0), 0, "CPU 0 got no interrupt of all this with CPU %u", cpu);
	check(on_cpu(cpu, drain_on, 0, 0), 0, "nor did the host on CPU %u", cpu);
}

/* In its guest, with interrupts unmasked: taken at once, and EL2 does not see any of it. */
static void interrupted(u32 cpu)
{
	u32 taken = 0;

	for (u32 i = 0; i < ROUNDS; i++) {
		cpu_start(cpu, guest_on, (u64)g_spin, LONG);
		if (i % 4)
			delay_us(20 * (i % 4));
		vdpend(vm, SPI(5), true);
		taken += cpu_wait(cpu) == (1ull << 56 | VALID | SPI(5));
	}
	check(taken, ROUNDS, "a guest that spins on CPU %u takes each of %u interrupts once", cpu,
	      ROUNDS);
	taken = 0;
	for (u32 i = 0; i < ROUNDS; i++) {
		cpu_start(cpu, guest_on, (u64)g_wfi, 0);
		if (i % 4)
			delay_us(20 * (i % 4));
		vdpend(vm, SPI(5), true);
		cpu_wait(cpu);
		taken += on_cpu(cpu, take_on, 0, 0) == (VALID | SPI(5));
	}
	check(taken, ROUNDS, "a guest in WFI on CPU %u is woken by each of %u", cpu, ROUNDS);
}

static u64 turn_on(u64 code, u64 x0)
{
	return guest_run((const void *)code, x0).esr;
}

/* A guest cannot keep the host from its interrupts, whether it runs or waits. */
static void for_the_host(u32 cpu)
{
	const char *const turns[] = { g_spin, g_wfi }, *const what[] = { "spins",
									 "waits in a WFI" };

	host_lpi_enable(HOST_LPI, cpu, 16);
	for (u32 i = 0; i < ARRAY_SIZE(turns); i++) {
		cpu_start(cpu, turn_on, (u64)turns[i], LONG);
		delay_us(1000);
		host_lpi_pend(HOST_LPI);
		check(cpu_wait(cpu), GUEST_IRQ,
		      "a guest that %s on CPU %u: a host LPI ends its turn", what[i], cpu);
		check(on_cpu(cpu, drain_on, HOST_LPI, 0), 1, "a guest that %s on CPU %u: the LPI",
		      what[i], cpu);
	}
}

/* IPIs of a guest are LPIs: VPE 0 here sends, VPE 1 there spins, and the other way round. */
static void ipis(u32 cpu)
{
	u32 there = 0, back = 0;

	load_on(0, 0);
	guest_setup(LPI(0), 0, 8);
	guest_setup(LPI(1), 1, 8);
	for (u32 i = 0; i < ROUNDS; i++) {
		cpu_start(cpu, guest_on, (u64)g_spin, LONG);
		guest_cd(g_cdpend, LPI(1), BIT(32));
		there += cpu_wait(cpu) == (1ull << 56 | VALID | LPI(1));
		on_cpu(cpu, guest_on, (u64)g_cdpend, LPI(0) | BIT(32));
		back += guest(g_spin, LONG) == (1ull << 56 | VALID | LPI(0));
	}
	check(there, ROUNDS, "%u IPIs from VPE 0 to VPE 1 on CPU %u", ROUNDS, cpu);
	check(back, ROUNDS, "%u IPIs from CPU %u back", ROUNDS, cpu);
	cpu_start(cpu, guest_on, (u64)g_spin, LONG);
	guest_setup(LPI(2), 0, 8);
	guest_cd(g_cdpend, LPI(2), BIT(32));
	guest_cd(g_cdaff, LPI(2), 1ull << 32);
	check(cpu_wait(cpu), 1ull << 56 | VALID | LPI(2), "a pending LPI moved to CPU %u", cpu);
	check(guest(g_isr, 0), 0, "and away from here, from CPU 0 to %u", cpu);
	vpe_put(0);
}

static void migration(u32 cpu)
{
	vdpend(vm, SPI(5), true);
	check(on_cpu(cpu, put_on, 0, 0), 0, "VPE 1 leaves CPU %u with its SPI pending", cpu);
	load_on(1, 0);
	check(take_on(0, 0), VALID | SPI(5), "and takes it on CPU 0, not %u", cpu);
	vdpend(vm, SPI(5), true);
	vpe_put(0);
	on_cpu(cpu, load_on, 1, 0);
	check(on_cpu(cpu, take_on, 0, 0), VALID | SPI(5), "and once more on CPU %u", cpu);
	check(on_cpu(cpu, put_on, 0, 0), 0, "put on CPU %u", cpu);
}

static void doorbell_elsewhere(u32 cpu)
{
	u32 lpi = vm->doorbell + 1, rung = 0;

	on_cpu(cpu, load_on, 1, 0);
	on_cpu(cpu, put_on, 0x1f80000000000000, 0);
	vdpend(vm, SPI(5), true);
	check(drain_on(lpi, 0), 1, "a vCPU that waits on CPU %u: the doorbell is CPU 0's", cpu);
	check(on_cpu(cpu, drain_on, lpi, 0), 0, "and not CPU %u's", cpu);
	host_lpi_target(lpi, cpu); /* as vgic_put does after a WFI on another CPU */
	on_cpu(cpu, load_on, 1, 0);
	on_cpu(cpu, put_on, 0x1f80000000000000, 0);
	check(on_cpu(cpu, drain_on, lpi, 0), 1, "after CDAFF it is CPU %u's", cpu);
	check(drain_on(lpi, 0), 0, "and no more CPU 0's but %u's", cpu);
	on_cpu(cpu, load_on, 1, 0);
	on_cpu(cpu, take_on, 0, 0);
	for (u32 i = 0; i < ROUNDS; i++) {
		on_cpu(cpu, load_on, 1, 0);
		on_cpu(cpu, put_on, 0x1f80000000000000, 0);
		vdpend(vm, SPI(5), true);
		rung += on_cpu(cpu, drain_on, lpi, 0);
		on_cpu(cpu, load_on, 1, 0);
		on_cpu(cpu, take_on, 0, 0);
	}
	check(rung, ROUNDS, "%u requests on CPU %u, injected from CPU 0: as many doorbells", ROUNDS,
	      cpu);
	on_cpu(cpu, put_on, 0, 0);
	host_lpi_target(lpi, 0);
}

/* A put that asks for a doorbell races with the injection: exactly one, whoever is first. */
static void races(u32 cpu)
{
	u32 lpi = vm->doorbell + 1, rung = 0, taken = 0;

	for (u32 i = 0; i < ROUNDS; i++) {
		on_cpu(cpu, load_on, 1, 0);
		cpu_start(cpu, put_on, 0x1f80000000000000, 0);
		if (i % 2)
			delay_us(1);
		vdpend(vm, SPI(5), true);
		cpu_wait(cpu);
		rung += drain_on(lpi, 0);
		on_cpu(cpu, load_on, 1, 0);
		taken += on_cpu(cpu, take_on, 0, 0) == (VALID | SPI(5));
	}
	on_cpu(cpu, put_on, 0, 0);
	check(rung, ROUNDS, "%u puts on CPU %u that race with VDPEND on CPU 0: as many doorbells",
	      ROUNDS, cpu);
	check(taken, ROUNDS, "%u interrupts after those on CPU %u", ROUNDS, cpu);
}

/* Each CPU runs a VPE, and each sends to the next. */
static void everybody(void)
{
	u32 sent = 0;

	for (u32 cpu = 0; cpu < nr_cpus; cpu++) {
		check(on_cpu(cpu, load_on, cpu, 0) >> 62, 2, "all: VPE %u resident", cpu);
		on_cpu(cpu, setup_on, LPI(16 + cpu), cpu);
	}
	for (u32 i = 0; i < ROUNDS; i++) {
		for (u32 cpu = 1; cpu < nr_cpus; cpu++)
			cpu_start(cpu, guest_on, (u64)g_spin, LONG);
		for (u32 cpu = 1; cpu < nr_cpus; cpu++)
			guest_cd(g_cdpend, LPI(16 + cpu), BIT(32));
		for (u32 cpu = 1; cpu < nr_cpus; cpu++)
			sent += cpu_wait(cpu) == (1ull << 56 | VALID | LPI(16 + cpu));
	}
	check(sent, ROUNDS * (nr_cpus - 1), "all: %u rounds, every CPU takes its own LPI", ROUNDS);
	for (u32 cpu = 0; cpu < nr_cpus; cpu++)
		on_cpu(cpu, put_on, 0, 0);
}

void smp_chapter(void)
{
	if (nr_cpus < 2)
		return;
	chapter("several CPUs");
	vm = vm_create(26, nr_cpus);
	vm_map_lpis(vm, 12, 0, false);
	for (u32 cpu = 1; cpu < nr_cpus; cpu++) {
		resident_elsewhere(cpu);
		interrupted(cpu);
		for_the_host(cpu);
		ipis(cpu);
		migration(cpu);
		doorbell_elsewhere(cpu);
		races(cpu);
	}
	everybody();
	vm_destroy(vm);
}
