// SPDX-License-Identifier: GPL-2.0-or-later
#include "race_cpu.h"

u32 sys_word(u16 enc, bool read)
{
	return 0xd5000001u | (u32)read << 21 | (u32)(enc & 0x3fff) << 5 | (u32)(enc >> 14) << 19;
}

const struct gicv5_op *op_of(u8 reg, u8 n)
{
	for (unsigned int i = 0; i < gicv5_nr_ops; i++)
		if (gicv5_ops[i].reg == reg && gicv5_ops[i].n == n)
			return &gicv5_ops[i];
	fake_fail("no operation %u", reg);
}

static u64 el2_access(u8 reg, u8 n, bool read, u64 val)
{
	fake_set_reg("x1", val);
	if (!fake_execute(CODE, sys_word(op_of(reg, n)->enc, read)) || fake_reg("pc") != CODE + 4)
		fake_fail("%s is not emulated at EL2", op_of(reg, n)->name);
	return fake_reg("x1");
}

void wr(u8 reg, u64 val)
{
	el2_access(reg, 0, false, val);
}

u64 rd(u8 reg)
{
	return el2_access(reg, 0, true, 0);
}

/* An access to the IRS ends in a synchronous abort, whose vector the plugin hooks. */
static void irs_insn(u32 word, u32 off, u64 val)
{
	u64 elr = (u64)word << 16; /* see fake_qemu.c: the address says what is there */

	fake_set_reg("x1", val);
	fake_set_reg("ESR_EL2", 0x25u << 26 | 0x10);
	fake_set_reg("FAR_EL2", IRS_BASE + off);
	fake_set_reg("ELR_EL2", elr);
	fake_set_reg("SPSR_EL2", EL2H);
	if (!fake_execute(VBAR + 0x200, NOP) || fake_reg("pc") != elr + 4)
		fake_fail("IRS access at 0x%x is not emulated", off);
}

void irs_access(u32 off, bool load, u32 val)
{
	irs_insn(load ? 0xb9400041 : 0xb9000041, off, val); /* LDR, STR w1, [x2] */
}

void irs_command(u32 off, u64 val)
{
	irs_insn(0xf9000041, off, val); /* STR x1, [x2] */
}

void write_hcr(u64 val)
{
	fake_set_reg("x1", val);
	fake_execute(CODE, sys_word(ENC_HCR_EL2, false));
	fake_set_reg("HCR_EL2", val);
}

/* ---- a virtual machine: number 1, a VPE for each CPU, 32 SPIs ------------------- */
#define VMTE	(FAKE_RAM_BASE + 32)
#define VPET	(FAKE_RAM_BASE + 0x4000)
#define SPI_IST (FAKE_RAM_BASE + 0x5000)

/* Virtual SPI n is for VPE n modulo their number; host LPI 16 + VPE is its doorbell. */
void make_vm(void)
{
	irs_access(0x210, false, 8); /* VMT_CFGR */
	irs_command(0x200, FAKE_RAM_BASE | 1);
	fake_poke(VMTE + 8, (u64)3 << 59 | VPET);
	irs_command(0x2c8, MAP | 1);
	fake_poke(VMTE + 24, (u64)5 << 59 | SPI_IST);
	for (u32 i = 0; i < NR_VSPI; i += 2) {
		u64 pair = 8 | (u64)(i % NR_CPUS) << 16; /* enabled, priority 0 */

		fake_poke(SPI_IST + 4 * i, pair | (pair + BIT(16)) << 32);
	}
	irs_command(0x2d0, MAP | (u64)1 << 32 | (u64)3 << 29);
	for (u64 vpe = 0; vpe < NR_CPUS; vpe++) {
		irs_command(0x2e0, MAP | (u64)1 << 32 | vpe);
		irs_command(0x240, MAP | vpe << 32 | 1);
		irs_command(0x248, MAP | (16 + vpe));
	}
}
