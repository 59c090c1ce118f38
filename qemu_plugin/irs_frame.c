// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The IRS configuration frame. It is at an address where the board has
 * nothing, so a load or store to it takes a synchronous external abort. At
 * the vector the access is performed and the abort undone, before the kernel
 * has seen any of it.
 */
#include <string.h>

#include "platform.h"
#include "report.h"
#include "trace.h"

#define IRS_BASE 0x080a0000ull
#define IRS_SIZE 0x10000ull

#define VECTOR_SPX_SYNC 0x200

#define ESR_EC(esr)	FIELD(esr, 31, 26)
#define ESR_DFSC(esr)	FIELD(esr, 5, 0)
#define EC_DABT_SAME_EL 0x25
#define DFSC_EXTERNAL	0x10

/*
 * The first thing that a booting kernel does to a GICv5 is to set up its IRS.
 * That is early enough to notice that the machine was reset.
 */
static void notice_reset(void)
{
	if (!wire_machine_was_reset())
		return;
	gicv5_reset(&platform.gic);
	wire_reset();
	for (unsigned int i = 0; i < platform.gic.nr_cpus; i++)
		vcpu_reset(&platform.vcpu[i]);
}

struct access {
	bool load;
	unsigned int size, rt;
};

/* LDR and STR of 4 or 8 bytes, without writeback: what readl() and the like are made of */
static bool decode(u32 word, struct access *a)
{
	bool unsigned_off = (word & 0x3b000000) == 0x39000000;
	bool unscaled = (word & 0x3b200c00) == 0x38000000;
	bool register_off = (word & 0x3b200c00) == 0x38200800;
	unsigned int opc = word >> 22 & 3;

	if ((!unsigned_off && !unscaled && !register_off) || opc > 1)
		return false;
	a->load = opc;
	a->size = 1u << (word >> 30);
	a->rt = word & 31;
	return true;
}

static void perform(unsigned int cpu, unsigned int el, u64 pc, const struct access *a, u32 off)
{
	struct vcpu *v = &platform.vcpu[cpu];
	struct gicv5 *gic = &platform.gic;
	bool known;
	u64 val = a->load ? 0 : vcpu_read_x(v, a->rt);

	if (a->size == 4)
		val = (u32)val;
	platform_lock();
	notice_reset();
	if (a->load) {
		known = gicv5_irs_read(gic, off, a->size, &val);
	} else {
		wire_init_cpu(cpu); /* SPI_CFGR reaches the wire */
		known = gicv5_irs_write(gic, off, a->size, val);
	}
	if (gic->dirty)
		wire_sync(cpu);
	if (trace_on())
		trace_write(&(struct trace_event){
			.cpu = (u8)cpu,
			.el = (u8)el,
			.pc = pc,
			.guest = gic->cpu[cpu].el1_virtual,
			.interface = TRACE_IRS,
			.op = a->load ? TRACE_READ : TRACE_WRITE,
			.reg = (u16)off,
			.size = (u8)a->size,
			.val = val,
		});
	platform_unlock();
	v->stats.irs++;
	if (!known) {
		v->stats.unknown++;
		if (report_once((u64)1 << 62 | (u64)a->load << 40 | (u64)a->size << 32 | off))
			report_warning(
				"unknown IRS register: %u-byte %s at offset 0x%x, pc 0x%llx: "
				"reads as 0, ignored when written",
				a->size, a->load ? "load" : "store", off, (unsigned long long)pc);
	}
	if (a->load)
		vcpu_write_x(v, a->rt, val);
}

/* Hook on what may be the vector for synchronous exceptions from the same EL. */
void irs_frame_sync(unsigned int cpu, void *ref)
{
	struct vcpu *v = &platform.vcpu[cpu];
	unsigned int el = vcpu_el(v);
	bool el2 = el == 2;
	u64 vbar, esr, elr, pa;
	struct access a;
	u32 word;

	v->stats.hooks++;
	if (el == 0 || el == 3 || (el == 1 && platform.gic.cpu[cpu].el1_virtual))
		return;
	vbar = vcpu_read(v, el2 ? VR_VBAR_EL2 : VR_VBAR_EL1) & ~(u64)0x7ff;
	if (vcpu_pc(v, insn_unpack(ref)) != vbar + VECTOR_SPX_SYNC)
		return;
	if (el2)
		v->esr_valid = false; /* the CPU has just written ESR_EL2 */
	esr = vcpu_read(v, el2 ? VR_ESR_EL2 : VR_ESR_EL1);
	if (ESR_EC(esr) != EC_DABT_SAME_EL || ESR_DFSC(esr) != DFSC_EXTERNAL)
		return;
	if (!qemu_plugin_translate_vaddr(vcpu_read(v, el2 ? VR_FAR_EL2 : VR_FAR_EL1), &pa) ||
	    pa < IRS_BASE || pa >= IRS_BASE + IRS_SIZE)
		return;
	elr = vcpu_read(v, el2 ? VR_ELR_EL2 : VR_ELR_EL1);
	g_byte_array_set_size(v->buf, 0);
	if (!qemu_plugin_read_memory_vaddr(elr, v->buf, 4) || v->buf->len < 4)
		return;
	memcpy(&word, v->buf->data, 4);
	if (!decode(word, &a)) {
		v->stats.unknown++;
		if (report_once((u64)1 << 61 | word))
			report_warning(
				"unknown form of IRS access 0x%08x at pc 0x%llx, offset 0x%llx: "
				"the kernel takes the abort",
				word, (unsigned long long)elr, (unsigned long long)(pa - IRS_BASE));
		return;
	}
	perform(cpu, el, elr, &a, (u32)(pa - IRS_BASE));
	/* What an ERET would do; only PSTATE and the pc have changed since the abort. */
	vcpu_write(v, VR_CPSR, vcpu_read(v, el2 ? VR_SPSR_EL2 : VR_SPSR_EL1), 4);
	qemu_plugin_set_pc(elr + 4);
}
