// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a GICv5 does to EL2, without changing a word of guest memory.
 *
 * A plugin can redirect the pc, but cannot raise exceptions. What it can do is
 * ring the doorbell: the CPU then takes a physical IRQ before its next
 * instruction and arrives at the vector for IRQs from a lower EL, with
 * ELR_EL2 and SPSR_EL2 right. There el2_guest_irq() decides what the IRQ was
 * about:
 *  - a fine-grained trap: go on at the vector for synchronous exceptions; the
 *    only register that is wrong is ESR_EL2, so reads of it are emulated until
 *    EL2 is left;
 *  - only the guest is concerned (a directly injected PPI): return by the ERET
 *    by which the guest was entered. No general register has changed yet, so
 *    EL2 never knows;
 *  - anything else: let the host have its interrupt.
 */
#include "platform.h"
#include "trace.h"

#define VECTOR_LOWER_SYNC 0x400
#define VECTOR_LOWER_IRQ  0x480

#define HCR_IMO	 BIT(4)
#define HCR_TID3 BIT(18)
#define HCR_TGE	 BIT(27)
#define HCR_E2H	 BIT(34)

#define PFR2_GCIE_MASK GENMASK(15, 12)
#define PFR2_GCIE_IMP  BIT(12)

#define ESR_EC_SYS64 (0x18ull << 26)
#define ESR_IL	     BIT(25)

/* ESR_ELx for a trapped MSR, MRS, SYS or SYSL */
static u64 sys64_esr(u32 word)
{
	return ESR_EC_SYS64 | ESR_IL | FIELD(word, 20, 19) << 20 | FIELD(word, 7, 5) << 17 |
	       FIELD(word, 18, 16) << 14 | FIELD(word, 15, 12) << 10 | FIELD(word, 4, 0) << 5 |
	       FIELD(word, 11, 8) << 1 | FIELD(word, 21, 21);
}

void el2_trap(unsigned int cpu, u32 word, u64 pc, const struct gicv5_op *op)
{
	struct vcpu *v = &platform.vcpu[cpu];

	platform_lock();
	wire_init_cpu(cpu);
	v->trap_pending = true;
	v->trap_pc = pc;
	v->trap_esr = sys64_esr(word);
	platform.gic.dirty |= 1u << cpu;
	wire_sync(cpu);
	if (trace_on())
		trace_write(&(struct trace_event){
			.cpu = (u8)cpu,
			.el = 1,
			.pc = pc,
			.guest = true,
			.interface = TRACE_VIRT,
			.op = TRACE_TRAP,
			.reg = op->enc,
			.size = 8,
			.val = v->trap_esr,
		});
	platform_unlock();
	qemu_plugin_set_pc(pc);
}

/* Hook on what may be the vector for IRQs from a lower EL. */
void el2_guest_irq(unsigned int cpu, void *ref)
{
	struct vcpu *v = &platform.vcpu[cpu];
	struct gicv5 *gic = &platform.gic;
	u64 vbar, target = 0;
	bool host;

	v->stats.hooks++;
	if (!gic->cpu[cpu].el1_virtual || vcpu_el(v) != 2)
		return;
	vbar = vcpu_read(v, VR_VBAR_EL2) & ~(u64)0x7ff;
	if (vcpu_pc(v, insn_unpack(ref)) != vbar + VECTOR_LOWER_IRQ)
		return;
	platform_lock();
	if (v->trap_pending && v->trap_pc == vcpu_read(v, VR_ELR_EL2)) {
		v->esr_valid = true;
		v->esr = v->trap_esr;
		v->stats.traps++;
		target = vbar + VECTOR_LOWER_SYNC;
	}
	v->trap_pending = false;
	host = gicv5_phys_pending(gic, cpu);
	if (gic->cpu[cpu].dvir[0])
		gicv5_sample_lines(gic, cpu);
	gic->dirty |= 1u << cpu;
	wire_sync(cpu);
	if (!target && !host && v->eret_pc) {
		v->stats.microexits++;
		target = v->eret_pc;
	}
	platform_unlock();
	if (target)
		qemu_plugin_set_pc(target);
}

void el2_eret(unsigned int cpu, void *ref)
{
	struct vcpu *v = &platform.vcpu[cpu];

	if (!platform.gic.cpu[cpu].el1_virtual || vcpu_el(v) != 2)
		return;
	v->esr_valid = false;
	v->eret_pc = vcpu_pc(v, insn_unpack(ref));
}

/* MSR HCR_EL2: a hypervisor turns to a guest, or away from it. */
void el2_write_hcr(unsigned int cpu, void *ref)
{
	struct vcpu *v = &platform.vcpu[cpu];
	struct gicv5_cpu *c = &platform.gic.cpu[cpu];
	bool guest;
	u64 val;

	if (vcpu_el(v) != 2)
		return;
	val = vcpu_read_x(v, insn_rt(insn_unpack(ref).word));
	guest = (val & HCR_IMO) && !(val & HCR_TGE);
	v->esr_valid = false;
	if (guest == c->el1_virtual)
		return;
	platform_lock();
	c->el1_virtual = guest;
	v->trap_pending = false;
	if (guest && c->dvir[0])
		gicv5_sample_lines(&platform.gic, cpu);
	platform.gic.dirty |= 1u << cpu;
	wire_sync(cpu);
	platform_unlock();
}

/* MRS from ESR_EL2, also spelled ESR_EL1 where HCR_EL2.E2H redirects it */
void el2_read_esr(unsigned int cpu, void *ref)
{
	struct vcpu *v = &platform.vcpu[cpu];
	struct insn in = insn_unpack(ref);

	if (!v->esr_valid || vcpu_el(v) != 2)
		return;
	if (SYS_OP1(insn_enc(in.word)) == 0 && !(vcpu_read(v, VR_HCR_EL2) & HCR_E2H))
		return; /* an nVHE hypervisor saves its guest's ESR_EL1 */
	vcpu_write_x(v, insn_rt(in.word), v->esr);
	qemu_plugin_set_pc(vcpu_pc(v, in) + 4);
}

/* MRS from ID_AA64PFR2_EL1: there is a GICv5 CPU interface. With TID3, EL2 answers for EL1. */
void el2_read_pfr2(unsigned int cpu, void *ref)
{
	struct vcpu *v = &platform.vcpu[cpu];
	struct insn in = insn_unpack(ref);
	unsigned int el = vcpu_el(v);
	u64 val;

	if (el == 0 || (el == 1 && (vcpu_read(v, VR_HCR_EL2) & HCR_TID3)))
		return;
	val = vcpu_read(v, VR_ID_AA64PFR2_EL1);
	vcpu_write_x(v, insn_rt(in.word), (val & ~PFR2_GCIE_MASK) | PFR2_GCIE_IMP);
	qemu_plugin_set_pc(vcpu_pc(v, in) + 4);
}

/*
 * MSR to CNTP_*_EL0 or CNTV_*_EL0 in a guest: a directly injected line that
 * was high may fall, and falling lines raise nothing. Assume that it falls and
 * listen to it again: if it stays up, el2_guest_irq() will see it at once.
 */
void el2_write_timer(unsigned int cpu, void *ref)
{
	struct gicv5_cpu *c = &platform.gic.cpu[cpu];
	u32 word = insn_unpack(ref).word;
	u64 ppi = SYS_CRM(insn_enc(word)) == 3 ? BIT(27) : BIT(30);

	if (!c->el1_virtual || !(c->line & c->dvir[0] & ppi))
		return;
	platform_lock();
	c->line &= ~ppi;
	platform.gic.dirty |= 1u << cpu;
	wire_sync(cpu);
	platform_unlock();
}
