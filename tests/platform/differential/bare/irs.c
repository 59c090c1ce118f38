// SPDX-License-Identifier: GPL-2.0-or-later
#include "irs.h"

#include "bare.h"
#include "io.h"
#include "registers.h"

#define IRS_CR0	      0x080
#define IRS_CR1	      0x084
#define IRS_SPI_SELR  0x108
#define IRS_SPI_CFGR  0x114
#define IRS_PE_SELR   0x140
#define IRS_IST_BASER 0x180
#define IRS_IST_CFGR  0x190

#define LPI_ID_BITS 12 /* the larger of the two machines' smallest and largest tables */

/* The ones that programs use: ops.py LPIS and SPIS */
#define NR_TEST_IRQS 8
static const uint16_t test_lpis[NR_TEST_IRQS] = { 0, 1, 2, 3, 4, 5, 6, 4095 };
static const uint16_t test_spis[NR_TEST_IRQS] = { 0, 1, 2, 3, 4, 5, 6, 255 };

static void command(unsigned int insn, uint64_t val)
{
	write_register(insn, val);
	gsb_sys();
}

static void irs_write(uint32_t off, uint32_t val)
{
	write32(comm->irs_base + off, val);
}

/* SPIs are left enabled: x-5 cannot disable one again (docs/differential.md, x5-cddis-spi). */
static void reset_spi(unsigned int n)
{
	irs_write(IRS_SPI_SELR, n);
	command(REG_GIC_CDPEND, INTID_SPI(n));
	/* A change of the trigger mode while the line is low clears the pending state. */
	irs_write(IRS_SPI_CFGR, 0);
	irs_write(IRS_SPI_CFGR, 1);
	irs_write(IRS_SPI_CFGR, 0);
	command(REG_GIC_CDEN, INTID_SPI(n));
	command(REG_GIC_CDPRI, INTID_SPI(n));
	command(REG_GIC_CDAFF, INTID_SPI(n));
	command(REG_GIC_CDHM, INTID_SPI(n));
	command(REG_GIC_CDDI, INTID_SPI(n));
}

static void reset_lpi(unsigned int n)
{
	command(REG_GIC_CDPEND, INTID_LPI(n));
	command(REG_GIC_CDDIS, INTID_LPI(n));
	command(REG_GIC_CDPRI, INTID_LPI(n));
	command(REG_GIC_CDAFF, INTID_LPI(n));
	command(REG_GIC_CDHM, INTID_LPI(n));
	command(REG_GIC_CDDI, INTID_LPI(n));
}

void reset_irs(void)
{
	irs_write(IRS_CR0, 1);
	read32(comm->irs_base + IRS_CR0);
	irs_write(IRS_CR1, 0);
	for (unsigned int i = 0; i < NR_TEST_IRQS; i++)
		reset_spi(test_spis[i]);
	irs_write(IRS_SPI_SELR, 0);
	irs_write(IRS_PE_SELR, 0);
	/* The table is software's once it is no longer valid. */
	write64(comm->irs_base + IRS_IST_BASER, 0);
	for (unsigned int i = 0; i < NR_TEST_IRQS; i++)
		write32(IST_BASE + 4 * test_lpis[i], 0);
	irs_write(IRS_IST_CFGR, LPI_ID_BITS);
	write64(comm->irs_base + IRS_IST_BASER, IST_BASE | 1);
	for (unsigned int i = 0; i < NR_TEST_IRQS; i++)
		reset_lpi(test_lpis[i]);
}

static uint64_t configuration(uint32_t intid)
{
	command(REG_GIC_CDRCFG, intid);
	return read_register(REG_ICC_ICSR_EL1);
}

void snapshot_irs(volatile uint64_t *to)
{
	static const uint16_t regs[] = { IRS_CR0, IRS_CR1, IRS_SPI_SELR, IRS_PE_SELR,
					 IRS_IST_CFGR };

	for (unsigned int i = 0; i < sizeof(regs) / sizeof(*regs); i++)
		*to++ = read32(comm->irs_base + regs[i]);
	*to++ = read64(comm->irs_base + IRS_IST_BASER);
	for (unsigned int i = 0; i < NR_TEST_IRQS; i++) {
		*to++ = configuration(INTID_SPI(test_spis[i]));
		*to++ = configuration(INTID_LPI(test_lpis[i]));
		irs_write(IRS_SPI_SELR, test_spis[i]);
		*to++ = read32(comm->irs_base + IRS_SPI_CFGR);
	}
	irs_write(IRS_SPI_SELR, 0);
	write_register(REG_ICC_ICSR_EL1, 0);
	isb();
}
