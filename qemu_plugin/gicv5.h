/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A GICv5 as a state machine: CPU interfaces (physical and virtual), an IRS
 * with SPIs, LPIs and the tables of virtual machines, and the EL2 registers
 * that control them.
 *
 * Nothing in here knows QEMU. Interrupt lines and memory are reached through
 * struct gicv5_board, and the consequences of an operation (which lines may
 * interrupt a CPU, whether the virtual IRQ is up) are computed on request from
 * the state. Callers serialize all calls on one struct gicv5.
 */
#ifndef GICV5_H
#define GICV5_H

#include "types.h"

#define GICV5_MAX_CPUS	      8
#define GICV5_NR_PPIS	      128
#define GICV5_NR_SPIS	      256
#define GICV5_LPI_ID_BITS     16
#define GICV5_MIN_LPI_ID_BITS 12u
#define GICV5_NR_LPIS	      (1 << GICV5_LPI_ID_BITS)
#define GICV5_NR_VMS	      256
#define GICV5_NR_VPES	      1024	/* of one VM */
#define GICV5_NR_VIDS	      (1 << 16) /* virtual SPIs, and virtual LPIs, of one VM */
#define GICV5_PRI_BITS	      5
#define GICV5_PRI_IDLE	      32 /* "no interrupt", and the running priority of an idle CPU */

/* INTID as CDIA and HPPIR return it */
#define GICV5_INTID_VALID BIT(32)
#define GICV5_TYPE_PPI	  1u
#define GICV5_TYPE_LPI	  2u
#define GICV5_TYPE_SPI	  3u
#define GICV5_INTID(t, n) ((u32)(t) << 29 | (u32)(n))
#define GICV5_TYPE(intid) ((u32)FIELD(intid, 31, 29))
#define GICV5_ID(intid)	  ((u32)FIELD(intid, 23, 0))

#define GICV5_SW_PPI 3

#define ICH_VCTLR_EN	 BIT(0)
#define ICH_VMCR_EN	 BIT(0)
#define ICH_VMCR_VPMR(v) ((unsigned int)FIELD(v, 31, 27))
#define ICC_CR0_EN	 BIT(0)
#define ICC_CR0_LINKED	 GENMASK(2, 1) /* LINK, LINK_IDLE */
#define ICC_ICSR_F	 BIT(0)

#define ICH_CONTEXTR_V		 BIT(63)
#define ICH_CONTEXTR_F		 BIT(62) /* a result: there is no such VPE */
#define ICH_CONTEXTR_IRICHPPIDIS BIT(61)
#define ICH_CONTEXTR_DB		 BIT(60)
#define ICH_CONTEXTR_DBPM(v)	 ((u8)FIELD(v, 59, 55))
#define ICH_CONTEXTR_VPE(v)	 ((u32)FIELD(v, 47, 32))
#define ICH_CONTEXTR_VM(v)	 ((u32)FIELD(v, 15, 0))

/* ---- system registers and instructions --------------------------------- */

/* Op0:Op1:CRn:CRm:Op2, packed as in KVM's CPU_SYSREGS attribute */
#define SYS_ENC(op0, op1, crn, crm, op2) \
	((u16)((op0) << 14 | (op1) << 11 | (crn) << 7 | (crm) << 3 | (op2)))
#define SYS_OP0(enc) ((enc) >> 14)
#define SYS_OP1(enc) ((enc) >> 11 & 7)
#define SYS_CRN(enc) ((enc) >> 7 & 15)
#define SYS_CRM(enc) ((enc) >> 3 & 15)
#define SYS_OP2(enc) ((enc)&7)

enum gicv5_class {
	GICV5_ICC,	/* CPU interface register, physical or virtual */
	GICV5_ICH,	/* hypervisor register, EL2 only */
	GICV5_GIC,	/* GIC, GICR or GSB instruction */
	GICV5_EL2_ONLY, /* GIC VD*: a GIC instruction of EL2 only */
	GICV5_UNDEF,	/* known, and UNDEF on this implementation */
};

enum gicv5_reg {
	REG_NONE,
	/* one enumerator for a family; struct gicv5_op.n tells the member */
	REG_PPI_HMR,
	REG_PPI_ENABLER,
	REG_PPI_CACTIVER,
	REG_PPI_SACTIVER,
	REG_PPI_CPENDR,
	REG_PPI_SPENDR,
	REG_PPI_PRIORITYR,
	REG_IDR0,
	REG_HPPIR,
	REG_ICSR,
	REG_IAFFIDR,
	REG_APR,
	REG_CR0,
	REG_PCR,
	REG_ICH_HFGRTR,
	REG_ICH_HFGWTR,
	REG_ICH_HFGITR,
	REG_ICH_DVIR,
	REG_ICH_ENABLER,
	REG_ICH_PENDR,
	REG_ICH_ACTIVER,
	REG_ICH_PRIORITYR,
	REG_ICH_APR,
	REG_ICH_HPPIR,
	REG_ICH_VCTLR,
	REG_ICH_CONTEXTR,
	REG_ICH_VMCR,
	GSB_SYS,
	GSB_ACK,
	GIC_CDDIS,
	GIC_CDEN,
	GIC_CDPRI,
	GIC_CDAFF,
	GIC_CDPEND,
	GIC_CDRCFG,
	GIC_CDEOI,
	GIC_CDDI,
	GIC_CDHM,
	GICR_CDIA,
	GICR_CDNMIA,
	GIC_VDDIS,
	GIC_VDEN,
	GIC_VDPRI,
	GIC_VDAFF,
	GIC_VDPEND,
	GIC_VDRCFG,
	GIC_VDDI,
	GIC_VDHM,
};

#define OP_R 1 /* MRS, SYSL */
#define OP_W 2 /* MSR, SYS */

struct gicv5_op {
	u16 enc;
	u8 class;
	u8 reg;
	u8 n;	      /* member of the family */
	u8 access;    /* OP_R | OP_W */
	s8 fgt_read;  /* bit in ICH_HFGRTR_EL2, or in ICH_HFGITR_EL2; -1: not trapped */
	s8 fgt_write; /* bit in ICH_HFGWTR_EL2, or in ICH_HFGITR_EL2; -1: not trapped */
	const char *name;
};

extern const struct gicv5_op gicv5_ops[];
extern const unsigned int gicv5_nr_ops;

/* NULL if the encoding is not in the table. */
const struct gicv5_op *gicv5_find_op(u16 enc);
/* Does the encoding belong to GICv5, so that not finding it is worth a word? */
bool gicv5_owns_encoding(u16 enc);

/* ---- state --------------------------------------------------------------- */

/* One set of PPI registers; the physical and the virtual one look the same. */
struct gicv5_ppis {
	u64 enable[2];
	u64 pend[2];
	u64 active[2];
	u64 prio[GICV5_NR_PPIS / 8];
};

struct gicv5_cpu {
	/* physical CPU interface */
	u64 cr0, pcr, icsr;
	u32 apr;
	struct gicv5_ppis ppi; /* .pend: Edge PPIs only, a Level PPI pends by its line */
	u64 line;	       /* levels of PPIs 0-63 when last sampled */

	/* virtual CPU interface */
	struct gicv5_ppis vppi;
	u64 dvir[2], vmcr, contextr;
	u32 vapr;
	bool el1_virtual; /* HCR_EL2.IMO and not TGE: EL1 has the virtual interface */
	bool nmi;	  /* SCTLR_ELx.NMI; the caller keeps it for CDIA and CDNMIA */

	/* this CPU's share of the IRS, kept by the code in gicv5_iri.c */
	u64 spi_live[GICV5_NR_SPIS / 64]; /* enabled, not active */
	u64 lpi_live[GICV5_NR_LPIS / 64]; /* pending, enabled, not active */

	/* EL2 controls */
	u64 vctlr, hfgrtr, hfgwtr, hfgitr;
};

/*
 * An SPI or LPI. An SPI's pending state lives on the board: of an Edge trigger
 * a latch, of a Level trigger the line or, if software has set it, the latch.
 */
struct gicv5_iri {
	bool enable, active;
	bool pend;	    /* of an SPI: the latch, when last looked at */
	bool level;	    /* handling mode */
	bool level_trigger; /* SPI: trigger mode */
	bool line;	    /* SPI with a Level trigger: the line, when last looked at */
	u8 prio, cpu;
};

struct gicv5_irs {
	u32 cr0, cr1, spi_selr, pe_selr, ist_cfgr, vmt_cfgr, vm_selr;
	u64 ist_baser, vmt_baser, vpe_selr;
};

/* A set of SPIs or LPIs of a VM. @some tells the non-zero words of @in. */
struct gicv5_idset {
	u64 some[GICV5_NR_VIDS / 64 / 64];
	u64 in[GICV5_NR_VIDS / 64];
};

/* What the IRS keeps of a VPE: its doorbell */
struct gicv5_vpe {
	u32 lpi; /* the physical LPI to pend */
	u8 dbpm;
	bool dbv, req, dps;
};

/*
 * What the IRS keeps of a VM. The tables in memory hold the rest and are
 * always current: pend[] only saves a search for the pending ones.
 */
struct gicv5_vm {
	struct gicv5_idset pend[2]; /* LPIs, SPIs */
	struct gicv5_vpe vpe[GICV5_NR_VPES];
};

/* What an implementation may choose, and what may be wrong with it */
enum gicv5_fault {
	GICV5_NO_FAULT,
	GICV5_FAULT_VPE_INVALID,  /* IRS_VPE_STATUSR.V stays 0 */
	GICV5_FAULT_CONTEXTR,	  /* every residency fails with ICH_CONTEXTR_EL2.F */
	GICV5_FAULT_STICKY_VALID, /* VMTE.VALID survives the unmapping of a VM */
	GICV5_FAULT_VMT_PRESET,	  /* IRS_VMT_BASER.VALID reads as 1 from the start */
	GICV5_FAULT_VMT_BUSY,	  /* IRS_VMT_STATUSR.IDLE stays 0 */
};

struct gicv5_options {
	u8 vmt_two_level; /* IRS_IDR3.VMT_LEVELS */
	u8 ist_two_level; /* IRS_IDR2.IST_LEVELS */
	u8 iste_size;	  /* bytes of an IST entry that software must allow for: 4, 8, 16 */
	u8 fault;	  /* enum gicv5_fault */
};

struct gicv5_board {
	u64 (*ppi_lines)(void *ctx, unsigned int cpu);
	u32 (*spi_pending)(void *ctx, unsigned int word);
	void (*spi_set_pending)(void *ctx, unsigned int spi, bool pending); /* the latch */
	void (*spi_set_target)(void *ctx, unsigned int spi, unsigned int cpu);
	void (*spi_set_level)(void *ctx, unsigned int spi, bool level); /* the trigger mode */
	/* Physical memory, little-endian. False: there is none at @addr. */
	bool (*mem_read)(void *ctx, u64 addr, void *buf, size_t len);
	bool (*mem_write)(void *ctx, u64 addr, const void *buf, size_t len);
};

struct gicv5 {
	const struct gicv5_board *board;
	void *ctx; /* for the board's functions */
	unsigned int nr_cpus;
	u32 dirty;		/* CPUs whose signals may have changed; the caller clears it */
	unsigned int lpi_words; /* used words of lpi_live */
	struct gicv5_irs irs;
	struct gicv5_cpu cpu[GICV5_MAX_CPUS];
	struct gicv5_iri spi[GICV5_NR_SPIS];
	struct gicv5_iri lpi[GICV5_NR_LPIS];
	struct gicv5_options options; /* set after gicv5_init(); a reset leaves them */
	u64 doorbells;		      /* rung so far; for statistics */
	bool vm_mapped[GICV5_NR_VMS];
	/* Last, as gicv5_init() leaves it alone: an entry is meaningless until mapped. */
	struct gicv5_vm vm[GICV5_NR_VMS];
};

void gicv5_init(struct gicv5 *gic, unsigned int nr_cpus, const struct gicv5_board *board,
		void *ctx);
/*
 * Back to reset, but for the EL2 controls: a kernel writes those before the
 * first access by which this reset can be noticed (see el2.c).
 */
void gicv5_reset(struct gicv5 *gic);

/* ---- accesses ------------------------------------------------------------ */

/* Does an access from EL1 trap to EL2? */
bool gicv5_fgt_traps(const struct gicv5_cpu *c, const struct gicv5_op *op, bool read);

/* @virt: the access is to the virtual CPU interface */
u64 gicv5_icc_read(struct gicv5 *gic, unsigned int cpu, const struct gicv5_op *op, bool virt);
void gicv5_icc_write(struct gicv5 *gic, unsigned int cpu, const struct gicv5_op *op, bool virt,
		     u64 val);
u64 gicv5_ich_read(struct gicv5 *gic, unsigned int cpu, const struct gicv5_op *op);
void gicv5_ich_write(struct gicv5 *gic, unsigned int cpu, const struct gicv5_op *op, u64 val);
/* Returns the result of CDIA and CDNMIA, 0 for the rest. For VD* @virt has no meaning. */
u64 gicv5_insn(struct gicv5 *gic, unsigned int cpu, const struct gicv5_op *op, bool virt, u64 val);

/* IRS configuration frame. False: nothing of that width is modelled at @off. */
bool gicv5_irs_read(struct gicv5 *gic, u32 off, unsigned int size, u64 *val);
bool gicv5_irs_write(struct gicv5 *gic, u32 off, unsigned int size, u64 val);
const char *gicv5_irs_name(u32 off, char *buf, size_t len);

#define IRS_CR0	      0x080
#define IRS_CR0_IRSEN BIT(0)
/* IRS_IST_BASER: there are LPIs */
#define IST_BASER_VALID BIT(0)

/* ---- signals --------------------------------------------------------------- */

struct gicv5_signals {
	u64 ppi;		     /* Level PPIs that interrupt the CPU when their line rises */
	u32 spi[GICV5_NR_SPIS / 32]; /* SPIs that interrupt it when they pend */
	bool now;		     /* something without a line is to be taken: Edge PPI or LPI */
};

void gicv5_phys_signals(const struct gicv5 *gic, unsigned int cpu, struct gicv5_signals *out);
/* Is there a physical interrupt to take right now? */
bool gicv5_phys_pending(struct gicv5 *gic, unsigned int cpu);
/* Is @vpe of @vm resident on the CPU? */
static inline bool gicv5_resident(const struct gicv5_cpu *c, u32 vm, u32 vpe)
{
	return (c->contextr & ICH_CONTEXTR_V) && ICH_CONTEXTR_VM(c->contextr) == vm &&
	       ICH_CONTEXTR_VPE(c->contextr) == vpe;
}
/* Level of the virtual IRQ */
bool gicv5_virq(const struct gicv5 *gic, unsigned int cpu);
/* Read the PPI lines, for instance because a directly injected one fired. */
void gicv5_sample_lines(struct gicv5 *gic, unsigned int cpu);

#endif
