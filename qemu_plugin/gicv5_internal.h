/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the files of the state machine only. */
#ifndef GICV5_INTERNAL_H
#define GICV5_INTERNAL_H

#include "gicv5.h"

#define PRIORITYR_MASK 0x1f1f1f1f1f1f1f1full
#define ICSR_MASK      (GENMASK(47, 32) | GENMASK(15, 11) | GENMASK(5, 0))
/* F, bit 62, is a result */
#define CONTEXTR_MASK (BIT(63) | GENMASK(61, 55) | GENMASK(47, 32) | GENMASK(15, 0))

#define VMT_CFGR_TWO_LEVEL     BIT(16)
#define VMT_CFGR_VM_ID_BITS(v) ((unsigned int)FIELD(v, 4, 0))

/* Handling mode: every PPI is Level but SW_PPI, as on QEMU's own GICv5. */
static inline u64 gicv5_hmr(unsigned int bank)
{
	return bank ? ~(u64)0 : ~BIT(GICV5_SW_PPI);
}

static inline unsigned int gicv5_running(u32 apr)
{
	return apr ? (unsigned int)__builtin_ctz(apr) : GICV5_PRI_IDLE;
}

static inline unsigned int gicv5_ppi_prio(const struct gicv5_ppis *p, unsigned int n)
{
	return p->prio[n / 8] >> n % 8 * 8 & 0x1f;
}

static inline void gicv5_mark(struct gicv5 *gic, unsigned int cpu)
{
	gic->dirty |= 1u << cpu;
}

static inline void gicv5_mark_all(struct gicv5 *gic)
{
	gic->dirty |= (1u << gic->nr_cpus) - 1;
}

/* If not, it presents none of its SPIs and LPIs to any CPU. */
static inline bool gicv5_irs_enabled(const struct gicv5 *gic)
{
	return gic->irs.cr0 & IRS_CR0_IRSEN;
}

/* gicv5.c: PPIs, and what the physical and the virtual interface have in common */
unsigned int gicv5_ppi_hppi(const struct gicv5_ppis *p, const u64 pend[2], u32 *intid);
u64 gicv5_ppi_read(const struct gicv5_ppis *p, const struct gicv5_op *op, const u64 pend[2]);
void gicv5_ppi_write(struct gicv5_ppis *p, const struct gicv5_op *op, u64 val);
void gicv5_ppi_deactivate(struct gicv5_ppis *p, u32 id);
bool gicv5_phys_sufficient(const struct gicv5_cpu *c, unsigned int prio);
u64 gicv5_shared_read(const struct gicv5 *gic, unsigned int cpu, const struct gicv5_op *op);

/* gicv5_phys.c */
u64 gicv5_phys_read(struct gicv5 *gic, unsigned int cpu, const struct gicv5_op *op);
void gicv5_phys_write(struct gicv5 *gic, unsigned int cpu, const struct gicv5_op *op, u64 val);
u64 gicv5_phys_insn(struct gicv5 *gic, unsigned int cpu, const struct gicv5_op *op, u64 val);
void gicv5_phys_pend(const struct gicv5_cpu *c, u64 pend[2]);

/* gicv5_virt.c */
u64 gicv5_virt_read(struct gicv5 *gic, unsigned int cpu, const struct gicv5_op *op);
void gicv5_virt_write(struct gicv5 *gic, unsigned int cpu, const struct gicv5_op *op, u64 val);
u64 gicv5_virt_insn(struct gicv5 *gic, unsigned int cpu, const struct gicv5_op *op, u64 val);
void gicv5_virt_vd(struct gicv5 *gic, unsigned int cpu, const struct gicv5_op *op, u64 val);

/* gicv5_iri.c: SPIs and LPIs */
void gicv5_iri_command(struct gicv5 *gic, unsigned int cpu, const struct gicv5_op *op, u64 val);
void gicv5_iri_activate(struct gicv5 *gic, u32 intid);
unsigned int gicv5_iri_hppi(const struct gicv5 *gic, unsigned int cpu, unsigned int best,
			    u32 *intid);
u32 gicv5_nr_lpis(const struct gicv5 *gic); /* LPIs exist below it */
bool gicv5_lpi_signals(const struct gicv5 *gic, unsigned int cpu);
void gicv5_lpi_forget(struct gicv5 *gic);
void gicv5_lpi_pend(struct gicv5 *gic, u32 id);
void gicv5_spi_set_trigger(struct gicv5 *gic, unsigned int spi, bool level);
void gicv5_spi_resample(struct gicv5 *gic, unsigned int spi);

/* gicv5_vmt.c: the tables of VMs and VPEs in memory */
#define NO_ENTRY (~(u64)0) /* the address of a table entry that is not there */
u64 gicv5_mem_read(const struct gicv5 *gic, u64 addr, unsigned int size);
void gicv5_mem_write(const struct gicv5 *gic, u64 addr, u64 val, unsigned int size);
u64 gicv5_vmte(const struct gicv5 *gic, u32 vm);
bool gicv5_vpe_valid(const struct gicv5 *gic, u32 vm, u32 vpe);
void gicv5_vmap_l2_vmt(struct gicv5 *gic, u32 vm);
void gicv5_vmap_vm(struct gicv5 *gic, u32 vm, bool map);
void gicv5_vmap_vpe(struct gicv5 *gic, u32 vm, u32 vpe);
void gicv5_vmt_write(struct gicv5 *gic, u64 baser);

/* gicv5_vist.c: virtual SPIs and LPIs. The type is GICV5_TYPE_LPI or GICV5_TYPE_SPI. */
bool gicv5_vmap_ist(struct gicv5 *gic, u32 vm, u32 type, bool map);
bool gicv5_vmap_l2_ist(struct gicv5 *gic, u32 vm, u32 type, u32 id);
bool gicv5_vist_command(struct gicv5 *gic, unsigned int cpu, u32 vm, enum gicv5_reg command,
			u64 operand, u32 *was, u32 *is);
void gicv5_vist_activate(struct gicv5 *gic, u32 vm, u32 intid);
unsigned int gicv5_vist_hppi(const struct gicv5 *gic, u32 vm, u32 vpe, unsigned int best,
			     u32 *intid);

/* gicv5_vm.c: residency, doorbells, and who hears of a change */
void gicv5_vm_command(struct gicv5 *gic, unsigned int cpu, u32 vm, enum gicv5_reg command,
		      u64 operand);
void gicv5_vm_changed(struct gicv5 *gic, u32 vm);
void gicv5_vpe_write_dbr(struct gicv5 *gic, u32 vm, u32 vpe, u64 dbr);
u64 gicv5_vpe_read_dbr(const struct gicv5 *gic, u32 vm, u32 vpe);
void gicv5_context_write(struct gicv5 *gic, unsigned int cpu, u64 val);

/* gicv5_irs_virt.c: the registers that lead there */
u64 gicv5_irs_virt_read(const struct gicv5 *gic, u32 off);
void gicv5_irs_virt_write(struct gicv5 *gic, u32 off, u64 val);

/* May CDIA (@nmi: CDNMIA) return an interrupt of this priority? 0 is superpriority. */
static inline bool gicv5_acknowledges(const struct gicv5_cpu *c, unsigned int prio, bool nmi)
{
	return nmi == (c->nmi && prio == 0);
}

#endif
