/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A fake vCPU at EL2: the instructions by which a host uses its GICv5. */
#ifndef RACE_CPU_H
#define RACE_CPU_H

#include "fake_qemu.h"
#include "platform.h"

#define VBAR	 0x10000ull
#define CODE	 0x40000ull
#define IRS_BASE 0x080a0000ull
#define NOP	 0xd503201fu
#define EL2H	 0x9
#define NR_CPUS	 4
#define NR_VSPI	 8
#define MAP	 BIT(63)

#define ENC_HCR_EL2 SYS_ENC(3, 4, 1, 1, 0)

u32 sys_word(u16 enc, bool read); /* MSR, MRS, SYS or SYSL with x1 */
const struct gicv5_op *op_of(u8 reg, u8 n);
/* enum gicv5_reg, member 0 of its family */
void wr(u8 reg, u64 val);
u64 rd(u8 reg);
void irs_access(u32 off, bool load, u32 val); /* 4 bytes */
void irs_command(u32 off, u64 val);	      /* a store of 8 */
void write_hcr(u64 val);
/* VM 1: a VPE for each CPU, and virtual SPIs: n is for VPE n modulo their number */
void make_vm(void);

#endif
