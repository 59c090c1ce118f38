// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Emulated system registers and instructions. The callbacks run before QEMU
 * raises the UNDEF that it has for encodings it does not know; returning from
 * one leaves the instruction to QEMU, hence to that UNDEF.
 */
#include <stdio.h>

#include "platform.h"
#include "report.h"
#include "trace.h"

static void trace_access(unsigned int cpu, unsigned int el, u64 pc, enum trace_interface interface,
			 u16 enc, enum trace_op op, u64 val)
{
	trace_write(&(struct trace_event){
		.cpu = (u8)cpu,
		.el = (u8)el,
		.pc = pc,
		.guest = platform.gic.cpu[cpu].el1_virtual,
		.interface = interface,
		.op = op,
		.reg = enc,
		.size = 8,
		.val = val,
	});
}

/* The access is left to QEMU, which raises UNDEF. */
void sysreg_undef(unsigned int cpu, void *ref)
{
	struct vcpu *v = &platform.vcpu[cpu];
	struct insn in = insn_unpack(ref);
	const struct gicv5_op *op = gicv5_find_op(insn_enc(in.word));
	enum trace_interface interface = TRACE_PHYS;
	unsigned int el = vcpu_el(v);

	if (!trace_on())
		return;
	if (op && op->class == GICV5_ICH)
		interface = TRACE_ICH;
	else if (el < 2 && platform.gic.cpu[cpu].el1_virtual)
		interface = TRACE_VIRT;
	platform_lock();
	trace_access(cpu, el, vcpu_pc(v, in), interface, insn_enc(in.word), TRACE_UNDEF, in.word);
	platform_unlock();
}

static void count_acknowledge(unsigned int cpu, bool virt, u64 val)
{
	struct vcpu_stats *st = &platform.vcpu[cpu].stats;
	bool excused;

	if (virt) {
		st->vcdia++;
		return;
	}
	excused = wire_take_excuse(cpu);
	st->cdia++;
	if (val)
		return;
	if (excused)
		st->withdrawn++;
	else
		st->spurious++;
}

/* ICC_*_EL1, GIC and GICR instructions, GSB */
void sysreg_cpuif(unsigned int cpu, void *ref)
{
	struct vcpu *v = &platform.vcpu[cpu];
	struct gicv5 *gic = &platform.gic;
	struct insn in = insn_unpack(ref);
	const struct gicv5_op *op = &gicv5_ops[in.op];
	bool read = insn_is_read(in.word), virt;
	unsigned int el = vcpu_el(v);
	u64 pc, val;

	if (el == 0) {
		sysreg_undef(cpu, ref);
		return;
	}
	pc = vcpu_pc(v, in);
	virt = el == 1 && gic->cpu[cpu].el1_virtual;
	if (el == 1 && gicv5_fgt_traps(&gic->cpu[cpu], op, read)) {
		if (virt)
			el2_trap(cpu, in.word, pc, op);
		/* The way to EL2 is an IRQ, and without IMO that ends at EL1. */
		v->stats.undelivered++;
		if (report_once((u64)1 << 63 | op->enc))
			report_warning("trap of %s at EL1 pc 0x%llx not delivered: HCR_EL2.IMO "
				       "is clear; access performed",
				       op->name, (unsigned long long)pc);
	}
	val = read ? 0 : vcpu_read_x(v, insn_rt(in.word));
	platform_lock();
	if (!virt)
		wire_init_cpu(cpu);
	if (op->class == GICV5_GIC) {
		u64 res;

		if (read) /* an acknowledge */
			gic->cpu[cpu].nmi = vcpu_nmi(v, el);
		res = gicv5_insn(gic, cpu, op, virt, val);
		if (read)
			val = res;
		if (op->reg == GICR_CDIA)
			count_acknowledge(cpu, virt, val);
	} else if (read) {
		val = gicv5_icc_read(gic, cpu, op, virt);
	} else {
		gicv5_icc_write(gic, cpu, op, virt, val);
	}
	if (gic->dirty)
		wire_sync(cpu);
	if (trace_on())
		trace_access(cpu, el, pc, virt ? TRACE_VIRT : TRACE_PHYS, op->enc,
			     read ? TRACE_READ : TRACE_WRITE, val);
	platform_unlock();
	if (read)
		vcpu_write_x(v, insn_rt(in.word), val);
	qemu_plugin_set_pc(pc + 4);
}

/* What belongs to EL2: ICH_*_EL2 and GIC VD* */
static void sysreg_el2(unsigned int cpu, void *ref, enum trace_interface kind)
{
	struct vcpu *v = &platform.vcpu[cpu];
	struct gicv5 *gic = &platform.gic;
	struct insn in = insn_unpack(ref);
	const struct gicv5_op *op = &gicv5_ops[in.op];
	bool read = insn_is_read(in.word);
	unsigned int el = vcpu_el(v);
	u64 pc, val;

	if (el != 2) {
		sysreg_undef(cpu, ref);
		return;
	}
	pc = vcpu_pc(v, in);
	val = read ? 0 : vcpu_read_x(v, insn_rt(in.word));
	platform_lock();
	if (kind == TRACE_VD) {
		wire_init_cpu(cpu); /* a doorbell may be for this CPU */
		gicv5_insn(gic, cpu, op, false, val);
		v->stats.vd++;
	} else if (read) {
		val = gicv5_ich_read(gic, cpu, op);
	} else {
		gicv5_ich_write(gic, cpu, op, val);
	}
	if (gic->dirty)
		wire_sync(cpu);
	if (trace_on())
		trace_access(cpu, el, pc, kind, op->enc, read ? TRACE_READ : TRACE_WRITE, val);
	platform_unlock();
	if (read)
		vcpu_write_x(v, insn_rt(in.word), val);
	qemu_plugin_set_pc(pc + 4);
}

void sysreg_ich(unsigned int cpu, void *ref)
{
	sysreg_el2(cpu, ref, TRACE_ICH);
}

void sysreg_vd(unsigned int cpu, void *ref)
{
	sysreg_el2(cpu, ref, TRACE_VD);
}

/* An encoding of GICv5 that is not modelled. It takes QEMU's UNDEF, but not in silence. */
void sysreg_unknown(unsigned int cpu, void *ref)
{
	struct vcpu *v = &platform.vcpu[cpu];
	struct insn in = insn_unpack(ref);
	u16 enc = insn_enc(in.word);
	const struct gicv5_op *op = gicv5_find_op(enc);
	unsigned int el = vcpu_el(v);
	char name[32];

	sysreg_undef(cpu, ref);
	/* At EL0 every one of them is UNDEF, and so is at EL1 what belongs to EL2. */
	if (el == 0 || (el == 1 && (SYS_OP1(enc) & 4)))
		return;
	v->stats.unknown++;
	if (!report_once(enc | (insn_is_read(in.word) ? 1u << 16 : 0)))
		return;
	snprintf(name, sizeof(name), "S%u_%u_C%u_C%u_%u", SYS_OP0(enc), SYS_OP1(enc), SYS_CRN(enc),
		 SYS_CRM(enc), SYS_OP2(enc));
	report_warning("unknown GICv5 encoding %s%s%s (%s) at EL%u pc 0x%llx: left to QEMU, UNDEF",
		       name, op ? " " : "", op ? op->name : "",
		       insn_is_read(in.word) ? "read" : "write", el,
		       (unsigned long long)vcpu_pc(v, in));
}

/* What the agent or the guest says about itself: see trace.h. */
void sysreg_mark(unsigned int cpu, void *ref)
{
	struct vcpu *v = &platform.vcpu[cpu];
	unsigned int el = vcpu_el(v);
	u64 what = vcpu_read_x(v, 0);

	(void)ref; /* where the agent is does not matter, and costs a register */
	platform_lock();
	trace_access(cpu, el, 0, TRACE_AGENT, 0, TRACE_MARK, what);
	platform_unlock();
}
