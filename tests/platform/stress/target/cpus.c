// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cpus: CPUs but the first go offline and come back, one at a time.
 *   seconds; cycles: at least as many
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "stress.h"

static void set_online(unsigned int cpu, bool online)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u/online", cpu);
	/* EBUSY: somebody else plugs; that ends */
	while (!write_file(path, online ? "1" : "0"))
		if (errno != EBUSY)
			fail(path);
}

int cpus_main(void)
{
	uint64_t end = now_us() + option("seconds", 1) * 1000000, cycles = 0, worst = 0;
	unsigned int cpus = online_cpus(), after;

	while (cpus > 1 && (now_us() < end || cycles < option("cycles", 0))) {
		unsigned int cpu = 1 + cycles % (cpus - 1);
		uint64_t from = now_us();

		set_online(cpu, false);
		set_online(cpu, true);
		worst = now_us() - from > worst ? now_us() - from : worst;
		cycles++;
	}
	after = online_cpus();
	printf("cpus cpus=%u cycles=%llu online=%u worst_us=%llu\n", cpus,
	       (unsigned long long)cycles, after, (unsigned long long)worst);
	return after != cpus;
}
