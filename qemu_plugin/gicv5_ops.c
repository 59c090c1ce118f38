// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The system registers and instructions of GICv5: encoding, name, direction
 * and the fine-grained trap bit of each.
 */
#include "gicv5.h"

#define RO(cls, op1, crm, op2, reg, n, r, name) \
	{ SYS_ENC(3, op1, 12, crm, op2), cls, reg, n, OP_R, r, -1, name },
#define RW(cls, op1, crm, op2, reg, n, r, w, name) \
	{ SYS_ENC(3, op1, 12, crm, op2), cls, reg, n, OP_R | OP_W, r, w, name },
#define ICC_RO(op1, crm, op2, reg, n, r, name)	  RO(GICV5_ICC, op1, crm, op2, reg, n, r, name)
#define ICC_RW(op1, crm, op2, reg, n, r, w, name) RW(GICV5_ICC, op1, crm, op2, reg, n, r, w, name)
#define ICH_RO(crm, op2, reg, n, name)		  RO(GICV5_ICH, 4, crm, op2, reg, n, -1, name)
#define ICH_RW(crm, op2, reg, n, name)		  RW(GICV5_ICH, 4, crm, op2, reg, n, -1, -1, name)
#define INSN(cls, op1, crm, op2, reg, dir, fgt, name) \
	{ SYS_ENC(1, op1, 12, crm, op2), cls, reg, 0, dir, fgt, fgt, name },

/* Sixteen priority registers fill CRm 14 and 15 */
#define PRIO(n)                                                        \
	ICC_RW(0, 14 + (n) / 8, (n) % 8, REG_PPI_PRIORITYR, n, 19, 19, \
	       "ICC_PPI_PRIORITYR" #n "_EL1")                          \
	ICH_RW(14 + (n) / 8, (n) % 8, REG_ICH_PRIORITYR, n, "ICH_PPI_PRIORITYR" #n "_EL2")

/* UNDEF for want of EL3, legacy support, or because the manual dropped it */
#define UNDEF(op1, crm, op2, name) RW(GICV5_UNDEF, op1, crm, op2, REG_NONE, 0, -1, -1, name)

/* clang-format off */
const struct gicv5_op gicv5_ops[] = {
	ICC_RO(0, 10, 0, REG_PPI_HMR, 0, 16, "ICC_PPI_HMR0_EL1")
	ICC_RO(0, 10, 1, REG_PPI_HMR, 1, 16, "ICC_PPI_HMR1_EL1")
	ICC_RO(0, 10, 2, REG_IDR0, 0, 1, "ICC_IDR0_EL1")
	ICC_RO(0, 10, 3, REG_HPPIR, 0, 4, "ICC_HPPIR_EL1")
	ICC_RW(0, 10, 4, REG_ICSR, 0, 6, 6, "ICC_ICSR_EL1")
	ICC_RO(0, 10, 5, REG_IAFFIDR, 0, 7, "ICC_IAFFIDR_EL1")
	ICC_RW(0, 10, 6, REG_PPI_ENABLER, 0, 17, 17, "ICC_PPI_ENABLER0_EL1")
	ICC_RW(0, 10, 7, REG_PPI_ENABLER, 1, 17, 17, "ICC_PPI_ENABLER1_EL1")
	ICC_RW(0, 13, 0, REG_PPI_CACTIVER, 0, 20, 20, "ICC_PPI_CACTIVER0_EL1")
	ICC_RW(0, 13, 1, REG_PPI_CACTIVER, 1, 20, 20, "ICC_PPI_CACTIVER1_EL1")
	ICC_RW(0, 13, 2, REG_PPI_SACTIVER, 0, 20, 20, "ICC_PPI_SACTIVER0_EL1")
	ICC_RW(0, 13, 3, REG_PPI_SACTIVER, 1, 20, 20, "ICC_PPI_SACTIVER1_EL1")
	ICC_RW(0, 13, 4, REG_PPI_CPENDR, 0, 18, 18, "ICC_PPI_CPENDR0_EL1")
	ICC_RW(0, 13, 5, REG_PPI_CPENDR, 1, 18, 18, "ICC_PPI_CPENDR1_EL1")
	ICC_RW(0, 13, 6, REG_PPI_SPENDR, 0, 18, 18, "ICC_PPI_SPENDR0_EL1")
	ICC_RW(0, 13, 7, REG_PPI_SPENDR, 1, 18, 18, "ICC_PPI_SPENDR1_EL1")
	ICC_RW(1, 0, 0, REG_APR, 0, 0, 0, "ICC_APR_EL1")
	ICC_RW(1, 0, 1, REG_CR0, 0, 2, 2, "ICC_CR0_EL1")
	ICC_RW(1, 0, 2, REG_PCR, 0, 5, 5, "ICC_PCR_EL1")

	PRIO(0) PRIO(1) PRIO(2) PRIO(3) PRIO(4) PRIO(5) PRIO(6) PRIO(7)
	PRIO(8) PRIO(9) PRIO(10) PRIO(11) PRIO(12) PRIO(13) PRIO(14) PRIO(15)

	ICH_RW(8, 4, REG_ICH_APR, 0, "ICH_APR_EL2")
	ICH_RO(8, 5, REG_ICH_HPPIR, 0, "ICH_HPPIR_EL2")
	ICH_RW(9, 4, REG_ICH_HFGRTR, 0, "ICH_HFGRTR_EL2")
	ICH_RW(9, 6, REG_ICH_HFGWTR, 0, "ICH_HFGWTR_EL2")
	ICH_RW(9, 7, REG_ICH_HFGITR, 0, "ICH_HFGITR_EL2")
	ICH_RW(10, 0, REG_ICH_DVIR, 0, "ICH_PPI_DVIR0_EL2")
	ICH_RW(10, 1, REG_ICH_DVIR, 1, "ICH_PPI_DVIR1_EL2")
	ICH_RW(10, 2, REG_ICH_ENABLER, 0, "ICH_PPI_ENABLER0_EL2")
	ICH_RW(10, 3, REG_ICH_ENABLER, 1, "ICH_PPI_ENABLER1_EL2")
	ICH_RW(10, 4, REG_ICH_PENDR, 0, "ICH_PPI_PENDR0_EL2")
	ICH_RW(10, 5, REG_ICH_PENDR, 1, "ICH_PPI_PENDR1_EL2")
	ICH_RW(10, 6, REG_ICH_ACTIVER, 0, "ICH_PPI_ACTIVER0_EL2")
	ICH_RW(10, 7, REG_ICH_ACTIVER, 1, "ICH_PPI_ACTIVER1_EL2")
	ICH_RW(11, 4, REG_ICH_VCTLR, 0, "ICH_VCTLR_EL2")
	ICH_RW(11, 6, REG_ICH_CONTEXTR, 0, "ICH_CONTEXTR_EL2")
	ICH_RW(11, 7, REG_ICH_VMCR, 0, "ICH_VMCR_EL2")

	INSN(GICV5_GIC, 0, 0, 0, GSB_SYS, OP_W, -1, "GSB_SYS")
	INSN(GICV5_GIC, 0, 0, 1, GSB_ACK, OP_W, -1, "GSB_ACK")
	INSN(GICV5_GIC, 0, 1, 0, GIC_CDDIS, OP_W, 1, "GIC_CDDIS")
	INSN(GICV5_GIC, 0, 1, 1, GIC_CDEN, OP_W, 0, "GIC_CDEN")
	INSN(GICV5_GIC, 0, 1, 2, GIC_CDPRI, OP_W, 2, "GIC_CDPRI")
	INSN(GICV5_GIC, 0, 1, 3, GIC_CDAFF, OP_W, 3, "GIC_CDAFF")
	INSN(GICV5_GIC, 0, 1, 4, GIC_CDPEND, OP_W, 4, "GIC_CDPEND")
	INSN(GICV5_GIC, 0, 1, 5, GIC_CDRCFG, OP_W, 5, "GIC_CDRCFG")
	INSN(GICV5_GIC, 0, 1, 7, GIC_CDEOI, OP_W, 7, "GIC_CDEOI")
	INSN(GICV5_GIC, 0, 2, 0, GIC_CDDI, OP_W, 8, "GIC_CDDI")
	INSN(GICV5_GIC, 0, 2, 1, GIC_CDHM, OP_W, 6, "GIC_CDHM")
	INSN(GICV5_GIC, 0, 3, 0, GICR_CDIA, OP_R, 9, "GICR_CDIA")
	INSN(GICV5_GIC, 0, 3, 1, GICR_CDNMIA, OP_R, 10, "GICR_CDNMIA")

	/* At EL1 they are UNDEF, so nothing traps them */
	INSN(GICV5_EL2_ONLY, 4, 1, 0, GIC_VDDIS, OP_W, -1, "GIC_VDDIS")
	INSN(GICV5_EL2_ONLY, 4, 1, 1, GIC_VDEN, OP_W, -1, "GIC_VDEN")
	INSN(GICV5_EL2_ONLY, 4, 1, 2, GIC_VDPRI, OP_W, -1, "GIC_VDPRI")
	INSN(GICV5_EL2_ONLY, 4, 1, 3, GIC_VDAFF, OP_W, -1, "GIC_VDAFF")
	INSN(GICV5_EL2_ONLY, 4, 1, 4, GIC_VDPEND, OP_W, -1, "GIC_VDPEND")
	INSN(GICV5_EL2_ONLY, 4, 1, 5, GIC_VDRCFG, OP_W, -1, "GIC_VDRCFG")
	INSN(GICV5_EL2_ONLY, 4, 2, 0, GIC_VDDI, OP_W, -1, "GIC_VDDI")
	INSN(GICV5_EL2_ONLY, 4, 2, 1, GIC_VDHM, OP_W, -1, "GIC_VDHM")

	UNDEF(1, 0, 3, "ICC_HAPR_EL1")
	UNDEF(6, 8, 0, "ICC_APR_EL3")
	UNDEF(6, 8, 1, "ICC_PCR_EL3")
	UNDEF(6, 8, 2, "ICC_DOMHPPIR_EL3")
	UNDEF(6, 9, 0, "ICC_CR0_EL3")
	UNDEF(6, 9, 1, "ICC_HPPIR_EL3")
};
/* clang-format on */

const unsigned int gicv5_nr_ops = ARRAY_SIZE(gicv5_ops);

const struct gicv5_op *gicv5_find_op(u16 enc)
{
	for (unsigned int i = 0; i < gicv5_nr_ops; i++)
		if (gicv5_ops[i].enc == enc)
			return &gicv5_ops[i];
	return NULL;
}

/*
 * GICv5 shares CRn 12 with the vector bases, the SError registers and GICv3.
 * Those stay QEMU's business: a kernel may probe them, and they must UNDEF as
 * they always did.
 */
bool gicv5_owns_encoding(u16 enc)
{
	unsigned int op1 = SYS_OP1(enc), crm = SYS_CRM(enc), op2 = SYS_OP2(enc);

	if (SYS_CRN(enc) != 12)
		return false;
	if (SYS_OP0(enc) == 1)
		return op1 != 6; /* LD* is EL3's, which this machine has not */
	if (SYS_OP0(enc) != 3)
		return false;
	switch (op1) {
	case 0: /* CRm 8, 9, 11 and 12 are GICv3's ICC_*_EL1 */
		return crm == 10 || crm >= 13;
	case 1:
		return true;
	case 4:
		switch (crm) {
		case 8: /* 0-3 are ICH_AP0Rn_EL2 */
			return op2 >= 4;
		case 9: /* 0-3 are ICH_AP1Rn_EL2, 5 is ICC_SRE_EL2 */
			return op2 >= 4 && op2 != 5;
		case 11: /* HCR, VTR, MISR, EISR, ELRSR are GICv3's */
			return op2 == 4 || op2 >= 6;
		case 10:
		case 14:
		case 15:
			return true;
		}
		return false;
	case 6: /* ICC_SRE_EL3 and its like are CRm 12 */
		return crm == 8 || crm == 9;
	}
	return false;
}
