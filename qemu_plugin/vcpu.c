// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE /* pthread_getname_np() */
#include "vcpu.h"

#include <stdio.h>
#include <string.h>

#include "platform.h"
#include "report.h"

#define SCTLR_NMI BIT(61)

static const char *const reg_names[NR_VCPU_REGS] = {
	[VR_PC] = "pc",
	[VR_CPSR] = "cpsr",
	[VR_HCR_EL2] = "HCR_EL2",
	[VR_ID_AA64MMFR0_EL1] = "ID_AA64MMFR0_EL1",
	[VR_ID_AA64PFR2_EL1] = "ID_AA64PFR2_EL1",
	[VR_ESR_EL1] = "ESR_EL1",
	[VR_ESR_EL2] = "ESR_EL2",
	[VR_FAR_EL1] = "FAR_EL1",
	[VR_FAR_EL2] = "FAR_EL2",
	[VR_ELR_EL1] = "ELR_EL1",
	[VR_ELR_EL2] = "ELR_EL2",
	[VR_SPSR_EL1] = "SPSR_EL1",
	[VR_SPSR_EL2] = "SPSR_EL2",
	[VR_VBAR_EL1] = "VBAR_EL1",
	[VR_VBAR_EL2] = "VBAR_EL2",
	[VR_SCTLR_EL1] = "SCTLR_EL1",
	[VR_SCTLR_EL2] = "SCTLR_EL2",
};

static const char *reg_name(enum vcpu_reg r, char buf[8])
{
	if (reg_names[r])
		return reg_names[r];
	snprintf(buf, 8, "x%u", r - VR_X0);
	return buf;
}

static struct qemu_plugin_register *find_reg(const GArray *regs, const char *name)
{
	const qemu_plugin_reg_descriptor *d = (const void *)regs->data;

	for (unsigned int i = 0; i < regs->len; i++)
		if (!strcmp(d[i].name, name))
			return d[i].handle;
	return NULL;
}

/*
 * Single-threaded TCG runs all vCPUs on one host thread. It would hand
 * callbacks the wrong CPU's registers and banked MMIO. With one CPU that is
 * harmless, but not with -icount, where QEMU aborts as soon as a callback
 * raises an interrupt; there the name of the thread tells.
 */
static void check_thread(unsigned int cpu)
{
	char name[16] = "";

	for (unsigned int i = 0; i < GICV5_MAX_CPUS; i++)
		if (i != cpu && platform.vcpu[i].present &&
		    pthread_equal(platform.vcpu[i].thread, pthread_self()))
			report_refuse("CPUs %u and %u share a host thread: use "
				      "-accel tcg,thread=multi (and no -icount)",
				      i, cpu);
	if (!pthread_getname_np(pthread_self(), name, sizeof(name)) &&
	    !strncmp(name, "ALL CPUs", 8))
		report_refuse("all CPUs share a host thread: use -accel tcg,thread=multi "
			      "(and no -icount)");
}

/* Runs on the vCPU's thread, with QEMU's lock held: do not take ours. */
void vcpu_init(unsigned int cpu, void *unused)
{
	struct vcpu *v = &platform.vcpu[cpu];
	char buf[8];
	GArray *regs;

	(void)unused;
	if (cpu >= GICV5_MAX_CPUS)
		report_refuse("CPU %u: GICv2's wires reach %u CPUs; use -smp %u or less", cpu,
			      GICV5_MAX_CPUS, GICV5_MAX_CPUS);
	check_thread(cpu);
	v->thread = pthread_self();
	v->buf = g_byte_array_new();
	regs = qemu_plugin_get_registers();
	for (unsigned int r = 0; r < NR_VCPU_REGS; r++) {
		const char *name = reg_name(r, buf);

		v->reg[r] = find_reg(regs, name);
		if (!v->reg[r])
			report_refuse("CPU %u has no register %s: use -cpu max and "
				      "-M virt,gic-version=2,virtualization=on",
				      cpu, name);
	}
	if (find_reg(regs, "SCR_EL3"))
		report_refuse("the CPU has EL3, and GICv2 is wired as the secure world's: "
			      "use -M virt,secure=off");
	g_array_free(regs, true);
	v->present = true;
}

void vcpu_probe(struct vcpu *v)
{
	/* Without FEAT_FGT, KVM computes no fine-grained traps: every access would trap. */
	if (!FIELD(vcpu_read(v, VR_ID_AA64MMFR0_EL1), 59, 56))
		report_refuse("the CPU has no fine-grained traps (FEAT_FGT): use -cpu max");
}

void vcpu_reset(struct vcpu *v)
{
	v->trap_pending = false;
	v->esr_valid = false;
	v->eret_pc = 0;
}

u64 vcpu_read(struct vcpu *v, enum vcpu_reg r)
{
	u64 val = 0;

	g_byte_array_set_size(v->buf, 0);
	qemu_plugin_read_register(v->reg[r], v->buf);
	memcpy(&val, v->buf->data, v->buf->len < 8 ? v->buf->len : 8);
	return val;
}

void vcpu_write(struct vcpu *v, enum vcpu_reg r, u64 val, unsigned int size)
{
	char buf[8];

	g_byte_array_set_size(v->buf, size);
	memcpy(v->buf->data, &val, size);
	if (!qemu_plugin_write_register(v->reg[r], v->buf))
		report_refuse("QEMU refuses to write %s: use QEMU 11.1 or newer", reg_name(r, buf));
}

u64 vcpu_read_x(struct vcpu *v, unsigned int n)
{
	return n == 31 ? 0 : vcpu_read(v, VR_X0 + n);
}

void vcpu_write_x(struct vcpu *v, unsigned int n, u64 val)
{
	if (n != 31)
		vcpu_write(v, VR_X0 + n, val, 8);
}

unsigned int vcpu_el(struct vcpu *v)
{
	u64 pstate = vcpu_read(v, VR_CPSR);

	return pstate & BIT(4) ? 0 : pstate >> 2 & 3;
}

bool vcpu_nmi(struct vcpu *v, unsigned int el)
{
	return vcpu_read(v, el == 2 ? VR_SCTLR_EL2 : VR_SCTLR_EL1) & SCTLR_NMI;
}

/*
 * The address of the instruction under a callback.
 *
 * The address at translation time does not tell: one translation serves all
 * virtual aliases of a page. Register "pc" does not either: within a
 * translation block it lags, being that of the last synchronization point.
 * But a block has at most 512 instructions, so "pc" is less than half a page
 * away, and the offset within the page is the same for all aliases.
 */
u64 vcpu_pc(struct vcpu *v, struct insn in)
{
	u64 off = in.page_off;

	return off + ((vcpu_read(v, VR_PC) - off + 2048) & ~(u64)4095);
}
