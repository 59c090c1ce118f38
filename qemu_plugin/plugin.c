// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A GICv5 host with EL2 for an unmodified QEMU:
 *
 *   qemu-system-aarch64 -M virt,gic-version=2,virtualization=on -cpu max
 *	-accel tcg,thread=multi -smp N -dtb gicv5.dtb -plugin libgicv5.so[,ARG...]
 *
 * trace=PATH		each access, in a ring; see trace.h
 * trace-records=N	the size of the ring
 * vmt=two-level	IRS_IDR3.VMT_LEVELS	(default linear)
 * ist=two-level	IRS_IDR2.IST_LEVELS	(default linear)
 * iste=8, iste=16	IRS_IDR2.ISTMD: larger IST entries (default 4)
 * fault=NAME		an IRS that misbehaves, see enum gicv5_fault
 * idle=on		callbacks do nothing: to measure what they cost on a board with another GIC
 *
 * gicv5*.c  the GICv5, a state machine that knows nothing of QEMU
 * wire.c    QEMU's GICv2 as the wires that carry its signals
 * memory.c  the physical memory that its tables are in
 * sysreg.c, el2.c, irs_frame.c  instructions and exceptions on a vCPU
 * filter.c  which instructions those are
 *
 * Not possible with -icount: QEMU aborts when a callback raises an interrupt.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"
#include "platform.h"
#include "report.h"
#include "trace.h"

int qemu_plugin_version = QEMU_PLUGIN_API_VERSION;

struct platform platform = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* QEMU's lock may be held here: do not take ours, nothing changes any more. */
static void at_exit(void *unused)
{
	struct vcpu_stats sum = { 0 };
	unsigned int resident = 0, vms = 0;

	(void)unused;
	for (unsigned int i = 0; i < GICV5_MAX_CPUS; i++) {
		const struct vcpu_stats *s = &platform.vcpu[i].stats;

		sum.irs += s->irs;
		sum.traps += s->traps;
		sum.microexits += s->microexits;
		sum.cdia += s->cdia;
		sum.withdrawn += s->withdrawn;
		sum.spurious += s->spurious;
		sum.vcdia += s->vcdia;
		sum.hooks += s->hooks;
		sum.unknown += s->unknown;
		sum.undelivered += s->undelivered;
		sum.vd += s->vd;
		sum.kicks += s->kicks;
		resident += !!(platform.gic.cpu[i].contextr & ICH_CONTEXTR_V);
	}
	for (unsigned int i = 0; i < GICV5_NR_VMS; i++)
		vms += platform.gic.vm_mapped[i];
	fprintf(stderr,
		"gicv5: stats cpus=%u irs=%llu traps=%llu microexits=%llu cdia=%llu withdrawn=%llu "
		"spurious=%llu vcdia=%llu hooks=%llu unknown=%llu undelivered=%llu vd=%llu kicks=%llu doorbells=%llu "
		"vms=%u resident=%u\n",
		platform.gic.nr_cpus, (unsigned long long)sum.irs, (unsigned long long)sum.traps,
		(unsigned long long)sum.microexits, (unsigned long long)sum.cdia,
		(unsigned long long)sum.withdrawn, (unsigned long long)sum.spurious,
		(unsigned long long)sum.vcdia, (unsigned long long)sum.hooks,
		(unsigned long long)sum.unknown, (unsigned long long)sum.undelivered,
		(unsigned long long)sum.vd, (unsigned long long)sum.kicks,
		(unsigned long long)platform.gic.doorbells, vms, resident);
}

static bool parse_args(int argc, char **argv)
{
	unsigned long records = TRACE_RECORDS;
	const char *path = NULL;

	for (int i = 0; i < argc; i++) {
		const char *value = strchr(argv[i], '=');

		if (!strncmp(argv[i], "trace=", 6)) {
			path = value + 1;
		} else if (!strncmp(argv[i], "trace-records=", 14)) {
			char *end;

			records = strtoul(value + 1, &end, 10);
			if (*end || records < 1 || records > TRACE_RECORDS_MAX) {
				report_error("argument '%s': use a number from 1 to %u", argv[i],
					     TRACE_RECORDS_MAX);
				return false;
			}
		} else if (!strcmp(argv[i], "idle=on")) {
			platform.idle = true;
		} else if (!options_apply(argv[i], &platform.gic.options)) {
			return false;
		}
	}
	if (!path)
		return true;
	/* QEMU makes "trace=on" of a bare "trace" */
	if (!*path || !strcmp(path, "on")) {
		report_error("argument 'trace' needs a file: use trace=PATH");
		return false;
	}
	if (!trace_open(path, (u32)records)) {
		report_error("cannot write the trace to '%s': %m", path);
		return false;
	}
	return true;
}

static bool check_machine(const qemu_info_t *info)
{
	if (strcmp(info->target_name, "aarch64")) {
		report_error("target '%s' has no GICv5: use qemu-system-aarch64",
			     info->target_name);
		return false;
	}
	if (!info->system_emulation) {
		report_error("user-mode emulation has no GIC: use qemu-system-aarch64");
		return false;
	}
	if (info->version.cur < QEMU_PLUGIN_API_VERSION ||
	    info->version.min > QEMU_PLUGIN_API_VERSION) {
		report_error("this QEMU has plugin API %d to %d, needed is %d: use QEMU 11.1",
			     info->version.min, info->version.cur, QEMU_PLUGIN_API_VERSION);
		return false;
	}
	if (info->system.smp_vcpus > GICV5_MAX_CPUS || info->system.max_vcpus > GICV5_MAX_CPUS) {
		report_error("%d CPUs, but GICv2's wires reach %d: use -smp %d or less",
			     info->system.max_vcpus, GICV5_MAX_CPUS, GICV5_MAX_CPUS);
		return false;
	}
	return true;
}

int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv)
{
	if (!check_machine(info))
		return -1;
	gicv5_init(&platform.gic, (unsigned int)info->system.smp_vcpus, &wire_board, NULL);
	if (!parse_args(argc, argv))
		return -1;
	qemu_plugin_register_vcpu_init_cb(id, vcpu_init, NULL);
	qemu_plugin_register_vcpu_tb_trans_cb(id, filter_translate, NULL);
	qemu_plugin_register_atexit_cb(id, at_exit, NULL);
	return 0;
}
