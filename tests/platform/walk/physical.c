// SPDX-License-Identifier: GPL-2.0-or-later
/* Host LPIs, which the later chapters count as doorbells: can they be counted? */
#include "walk.h"

#define A_LPI	    4000
#define ANOTHER_LPI 4001

static u64 drain_here(u64 lpi, u64 unused)
{
	u32 others, count = host_drain((u32)lpi, &others);

	(void)unused;
	return count | (u64)others << 32;
}

static u64 pend_here(u64 lpi, u64 unused)
{
	(void)unused;
	host_lpi_pend((u32)lpi);
	return 0;
}

static void on_one_cpu(void)
{
	u32 others;

	check(host_irq(), 0, "no interrupt at the start");
	check(host_cdia(), 0, "CDIA without an interrupt");
	host_lpi_pend(A_LPI);
	check(host_irq(), 0, "a disabled LPI does not signal");
	host_lpi_enable(A_LPI, 0, 16);
	check(host_irq(), 1, "it does once it is enabled");
	check(host_cdia(), VALID | LPI(A_LPI), "CDIA returns it");
	check(host_irq(), 0, "and it is active");
	check(host_cdia(), 0, "CDIA while it is active");
	host_eoi(LPI(A_LPI));
	check(drain_here(A_LPI, 0), 0, "an LPI is an edge: once");
	host_lpi_pend(A_LPI);
	host_lpi_pend(A_LPI);
	check(drain_here(A_LPI, 0), 1, "pended twice before it is taken: once");
	host_lpi_enable(ANOTHER_LPI, 0, 8);
	host_lpi_pend(A_LPI);
	host_lpi_pend(ANOTHER_LPI);
	check(host_cdia(), VALID | LPI(ANOTHER_LPI), "of two, the one of higher priority");
	host_eoi(LPI(ANOTHER_LPI));
	check(host_drain(A_LPI, &others), 1, "then the other");
	check(others, 0, "and nothing else");
}

static void on_each_cpu(u32 cpu)
{
	host_lpi_enable(A_LPI, cpu, 16);
	host_lpi_pend(A_LPI);
	check(host_irq(), 0, "an LPI sent to CPU %u is none of CPU 0's", cpu);
	check(on_cpu(cpu, drain_here, A_LPI, 0), 1, "CPU %u takes it", cpu);
	on_cpu(cpu, pend_here, A_LPI, 0);
	check(on_cpu(cpu, drain_here, A_LPI, 0), 1, "CPU %u takes one that it sent itself", cpu);
	host_lpi_pend(A_LPI);
	host_lpi_target(A_LPI, 0);
	check(drain_here(A_LPI, 0), 1, "pending, it moves from CPU %u to CPU 0", cpu);
	check(on_cpu(cpu, drain_here, A_LPI, 0), 0, "and is no longer at CPU %u", cpu);
}

void physical_chapter(void)
{
	chapter("physical");
	on_one_cpu();
	for (u32 cpu = 1; cpu < nr_cpus; cpu++)
		on_each_cpu(cpu);
}
