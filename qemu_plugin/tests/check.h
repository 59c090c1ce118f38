/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The whole test framework, and a board of lines that tests pull up and down. */
#ifndef CHECK_H
#define CHECK_H

#include "gicv5.h"

#define MEM_BASE 0x40000000ull

struct board {
	u64 line[GICV5_MAX_CPUS];
	u32 spi_pend[GICV5_NR_SPIS / 32]; /* latches */
	u32 spi_line[GICV5_NR_SPIS / 32];
	u8 spi_target[GICV5_NR_SPIS];
	bool spi_level[GICV5_NR_SPIS];
	unsigned int samples; /* how often the PPI lines were read */
	u8 mem[1 << 20];      /* at MEM_BASE */
};

/* The system under test; setup() makes it new, with every EL2 control open, the IRS on, and an IST. */
extern struct gicv5 gic;
extern struct board board;
void setup(unsigned int nr_cpus);

/* Accesses by name, for instance wr(0, "ICC_PCR_EL1", 31). Guest: EL1, virtual. */
u64 rd(unsigned int cpu, const char *reg);
void wr(unsigned int cpu, const char *reg, u64 val);
u64 guest_rd(unsigned int cpu, const char *reg);
void guest_wr(unsigned int cpu, const char *reg, u64 val);
const struct gicv5_op *op_named(const char *name);
struct gicv5_signals signals(unsigned int cpu);
u32 irs_rd(u32 off);
void irs_wr(u32 off, u32 val);
u64 irs_rd64(u32 off);
void irs_wr64(u32 off, u64 val);
void spi_line(unsigned int spi, bool level);
u64 mem64(u64 addr);
u32 mem32(u64 addr);
void set_mem64(u64 addr, u64 val);
void set_mem32(u64 addr, u32 val);

#define PPI(n)	 GICV5_INTID(GICV5_TYPE_PPI, n)
#define LPI(n)	 GICV5_INTID(GICV5_TYPE_LPI, n)
#define SPI(n)	 GICV5_INTID(GICV5_TYPE_SPI, n)
#define VALID(i) (GICV5_INTID_VALID | (i))

void check_failed(const char *file, int line, const char *what, u64 got, u64 want);
extern unsigned int nr_checks;

#define CHECK_EQ(got, want)                                                  \
	do {                                                                 \
		u64 got_ = (got), want_ = (want);                            \
		nr_checks++;                                                 \
		if (got_ != want_)                                           \
			check_failed(__FILE__, __LINE__, #got, got_, want_); \
	} while (0)
#define CHECK(cond) CHECK_EQ(!!(cond), 1)

void test_ops(void);
void test_phys(void);
void test_virt(void);
void test_iri(void);
void test_irs(void);
void test_vm(void);
void test_vist(void);
void test_doorbell(void);
void test_random(void);
void test_wire(void);

#endif
