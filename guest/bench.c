// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The ioctls of a program with one VM in a loop: what KVM costs without the harness; alone, and with
 * a VM kept open as the agent does.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent.h"
#include "host.h"
#include "program.h"

#define FEATURE_PSCI_0_2     (1 << 2)
#define ATTR(action, group)  ((action) | POINTER_VALUE << 8 | (group) << 16)
#define GRP_CTRL	     4
#define ICC_PPI_ENABLER0_EL1 0xc656

static const struct program program = {
	.records = {
		{ .code = OP_CREATE_VM },
		{ .code = OP_CREATE_DEVICE, .arg = DEV_TYPE_VGIC_V5 },
		{ .code = OP_PLACE_IRS, .a = IRS_BASE },
		{ .code = OP_CREATE_VCPU },
		{ .code = OP_INIT_VCPU, .a = FEATURE_PSCI_0_2 },
		{ .code = OP_DEVICE_ATTR, .arg = ATTR(ACTION_SET, GRP_CTRL) },
		{ .code = OP_RUN, .a = 2 },
		{ .code = OP_GUEST_WRITE, .arg = ICC_PPI_ENABLER0_EL1, .a = ~0ULL },
		{ .code = OP_GUEST_READ, .arg = ICC_PPI_ENABLER0_EL1 },
		{ .code = OP_CLOSE_VM },
	},
	.count = 10,
};

/* Seconds for so many programs; negative if one did not do what it should. */
static double loop(long programs)
{
	struct timespec from, to;

	clock_gettime(CLOCK_MONOTONIC, &from);
	for (long i = 0; i < programs; i++)
		program_execute();
	clock_gettime(CLOCK_MONOTONIC, &to);

	for (uint32_t i = 0; i < program.count; i++) {
		if (progress.results[i].ret || progress.results[i].status != STATUS_DONE) {
			fprintf(stderr, "bench: record %u: %s, status %u\n", i,
				strerror(-progress.results[i].ret), progress.results[i].status);
			return -1;
		}
	}
	return (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
}

int bench_main(const char *count)
{
	long programs = strtol(count, NULL, 10);
	double alone, kept;

	if (programs < 1 || host_init())
		return 2;
	memcpy((void *)&progress.program, &program, sizeof(program));
	alone = loop(programs);
	host_keep_vm();
	kept = loop(programs);
	if (alone < 0 || kept < 0)
		return 1;
	printf("bench programs %ld alone %.6f kept %.6f seconds\n", programs, alone, kept);
	return 0;
}
