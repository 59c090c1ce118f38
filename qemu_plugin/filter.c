// SPDX-License-Identifier: GPL-2.0-or-later
/* Which instructions get a callback, decided when QEMU translates them. */
#include "platform.h"
#include "trace.h"

typedef void (*insn_cb)(unsigned int cpu, void *ref);

#define ENC_HCR_EL2	    SYS_ENC(3, 4, 1, 1, 0)
#define ENC_ESR_EL2	    SYS_ENC(3, 4, 5, 2, 0)
#define ENC_ESR_EL1	    SYS_ENC(3, 0, 5, 2, 0)
#define ENC_ID_AA64PFR2_EL1 SYS_ENC(3, 0, 0, 4, 2)

static bool is_timer(u16 enc) /* CNTP_*_EL0, CNTV_*_EL0 */
{
	return SYS_OP0(enc) == 3 && SYS_OP1(enc) == 3 && SYS_CRN(enc) == 14 &&
	       (SYS_CRM(enc) == 2 || SYS_CRM(enc) == 3);
}

static insn_cb gic_callback(u16 enc, bool read, unsigned int *index)
{
	const struct gicv5_op *op = gicv5_find_op(enc);

	if (!op)
		return sysreg_unknown;
	if (op->class == GICV5_UNDEF)
		return sysreg_undef;
	if (!(op->access & (read ? OP_R : OP_W))) {
		/* Writing a read-only register is UNDEF; SYS for SYSL is another instruction. */
		return op->class == GICV5_ICC || op->class == GICV5_ICH ? sysreg_undef :
									  sysreg_unknown;
	}
	*index = (unsigned int)(op - gicv5_ops);
	if (op->class == GICV5_EL2_ONLY)
		return sysreg_vd;
	return op->class == GICV5_ICH ? sysreg_ich : sysreg_cpuif;
}

static insn_cb choose(u32 word, enum qemu_plugin_cb_flags *flags, unsigned int *index)
{
	bool read = insn_is_read(word);
	u16 enc = insn_enc(word);

	*flags = QEMU_PLUGIN_CB_RW_REGS_PC;
	if ((word & 0xffc00000) != 0xd5000000) { /* MSR, MRS, SYS, SYSL */
		*flags = QEMU_PLUGIN_CB_RW_REGS;
		if (word == 0xd69f03e0 || word == 0xd69f0bff || word == 0xd69f0fff)
			return el2_eret; /* ERET, ERETAA, ERETAB */
		return NULL;
	}
	if (gicv5_owns_encoding(enc))
		return gic_callback(enc, read, index);
	if (read && enc == ENC_ID_AA64PFR2_EL1)
		return el2_read_pfr2;
	if (read && (enc == ENC_ESR_EL2 || enc == ENC_ESR_EL1))
		return el2_read_esr;
	*flags = QEMU_PLUGIN_CB_R_REGS;
	if (word == TRACE_MARK_INSN)
		return trace_on() ? sysreg_mark : NULL;
	*flags = QEMU_PLUGIN_CB_RW_REGS;
	if (!read && enc == ENC_HCR_EL2)
		return el2_write_hcr;
	if (!read && is_timer(enc))
		return el2_write_timer;
	return NULL;
}

/* Once, before anything else is executed: is this the right board? */
static bool probed;

static void probe(unsigned int cpu, void *unused)
{
	(void)unused;
	platform_lock();
	if (!probed) {
		vcpu_probe(&platform.vcpu[cpu]);
		wire_probe();
	}
	probed = true;
	platform_unlock();
}

static void idle(unsigned int cpu, void *ref)
{
	(void)cpu;
	(void)ref;
}

static void hook(struct qemu_plugin_insn *insn, insn_cb cb, enum qemu_plugin_cb_flags flags,
		 void *ref)
{
	qemu_plugin_register_vcpu_insn_exec_cb(insn, platform.idle ? idle : cb, flags, ref);
}

void filter_translate(struct qemu_plugin_tb *tb, void *unused)
{
	size_t n = qemu_plugin_tb_n_insns(tb);

	(void)unused;
	for (size_t i = 0; i < n; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		u64 vaddr = qemu_plugin_insn_vaddr(insn);
		enum qemu_plugin_cb_flags flags;
		unsigned int index = 0;
		insn_cb cb;
		u32 word = 0;

		if (unlikely(!probed) && i == 0 && !platform.idle)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, probe, QEMU_PLUGIN_CB_RW_REGS,
							       NULL);
		if (qemu_plugin_insn_data(insn, &word, 4) != 4)
			continue;
		/* VBAR_ELx is compared when it is executed: a kernel may move it. */
		if ((vaddr & 0x7ff) == 0x200)
			hook(insn, irs_frame_sync, QEMU_PLUGIN_CB_RW_REGS_PC,
			     insn_pack(0, vaddr, 0));
		else if ((vaddr & 0x7ff) == 0x480)
			hook(insn, el2_guest_irq, QEMU_PLUGIN_CB_RW_REGS_PC,
			     insn_pack(0, vaddr, 0));
		cb = choose(word, &flags, &index);
		if (cb)
			hook(insn, cb, flags, insn_pack(word, vaddr, index));
	}
}
