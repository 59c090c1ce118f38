// SPDX-License-Identifier: GPL-2.0-or-later
/* The part of a GICv2 that wire.c uses: no acknowledge, no priorities. */
#include "fake_qemu.h"
#include "gicv5.h"

#define GICD  0x08000000u
#define GICC  0x08010000u
#define GICH  0x08030000u
#define WORDS (1 + GICV5_NR_SPIS / 32)

static struct {
	u32 ctlr;
	u32 enable[WORDS], latch[WORDS], line[WORDS], edge[WORDS]; /* word 0 unused */
	u8 target[WORDS * 32];
	struct {
		u32 enable, sgi, ppi; /* INTIDs 0-31 */
		u32 gicc_ctlr, gicc_pmr, gich_hcr, gich_vmcr, gich_lr0;
	} cpu[GICV5_MAX_CPUS];
} gic;

static u32 pending(unsigned int cpu, unsigned int word)
{
	if (!word)
		return gic.cpu[cpu].sgi | gic.cpu[cpu].ppi;
	return gic.latch[word] | (gic.line[word] & ~gic.edge[word]);
}

static u32 dist_read(unsigned int cpu, u32 off)
{
	u32 val = 0;

	if (!off)
		return gic.ctlr;
	if (off >= 0x200 && off < 0x200 + 4 * WORDS)
		return pending(cpu, (off - 0x200) / 4);
	if (off >= 0x820 && off < 0x800 + 32 * WORDS) {
		for (unsigned int i = 0; i < 4; i++)
			val |= (u32)gic.target[off - 0x800 + i] << 8 * i;
		return val;
	}
	if (off >= 0xc08 && off < 0xc00 + 8 * WORDS) {
		for (unsigned int i = 0; i < 16; i++)
			val |= (gic.edge[(off - 0xc00) / 8] >> (off / 4 % 2 * 16 + i) & 1)
			       << (2 * i + 1);
		return val;
	}
	if (off == 0xfe8)
		return 0x2b;
	fake_fail("read of GICD+0x%x", off);
}

static void dist_write(unsigned int cpu, u32 off, u32 val)
{
	unsigned int word = off / 4 % 32;

	switch (off & ~0x7fu) {
	case 0x000:
		gic.ctlr = val;
		return;
	case 0x100:
		*(word ? &gic.enable[word] : &gic.cpu[cpu].enable) |= val;
		return;
	case 0x180:
		*(word ? &gic.enable[word] : &gic.cpu[cpu].enable) &= ~val;
		return;
	case 0x200:
		gic.latch[word] |= val;
		return;
	case 0x280:
		gic.latch[word] &= ~val;
		return;
	}
	if (off >= 0x820 && off < 0x800 + 32 * WORDS) {
		for (unsigned int i = 0; i < 4; i++)
			gic.target[off - 0x800 + i] = (u8)(val >> 8 * i);
	} else if (off >= 0xc08 && off < 0xc00 + 8 * WORDS) {
		u32 *edge = &gic.edge[(off - 0xc00) / 8];

		for (unsigned int i = 0; i < 16; i++) {
			unsigned int bit = off / 4 % 2 * 16 + i;

			*edge = (*edge & ~(1u << bit)) | (val >> (2 * i + 1) & 1) << bit;
		}
	} else if (off == 0xf00) {
		for (unsigned int i = 0; i < GICV5_MAX_CPUS; i++)
			if (val >> (16 + i) & 1)
				gic.cpu[i].sgi |= 1u << (val & 15);
	} else if (off == 0xf10) {
		for (unsigned int i = 0; i < 4; i++)
			if (val >> 8 * i & 0xff)
				gic.cpu[cpu].sgi &= ~(1u << i);
	} else {
		fake_fail("write of GICD+0x%x", off);
	}
}

static u32 *cpu_reg(unsigned int cpu, u64 addr)
{
	switch (addr) {
	case GICC + 0:
		return &gic.cpu[cpu].gicc_ctlr;
	case GICC + 4:
		return &gic.cpu[cpu].gicc_pmr;
	case GICH + 0:
		return &gic.cpu[cpu].gich_hcr;
	case GICH + 8:
		return &gic.cpu[cpu].gich_vmcr;
	case GICH + 0x100:
		return &gic.cpu[cpu].gich_lr0;
	}
	fake_fail("access to 0x%llx, where nothing is", (unsigned long long)addr);
}

u32 fake_gicv2_read(unsigned int cpu, u64 addr)
{
	if (addr >= GICD && addr < GICD + 0x1000)
		return dist_read(cpu, (u32)(addr - GICD));
	if (addr == GICH + 4)
		return 0x90000003; /* VTR */
	return *cpu_reg(cpu, addr);
}

void fake_gicv2_write(unsigned int cpu, u64 addr, u32 val)
{
	if (addr >= GICD && addr < GICD + 0x1000)
		dist_write(cpu, (u32)(addr - GICD), val);
	else
		*cpu_reg(cpu, addr) = val;
}

/* ---- devices and CPUs ----------------------------------------------------------- */
void fake_gicv2_ppi(unsigned int cpu, unsigned int ppi, bool level)
{
	fake_bql_lock();
	gic.cpu[cpu].ppi = (gic.cpu[cpu].ppi & ~(1u << ppi)) | (u32)level << ppi;
	fake_bql_unlock();
}

void fake_gicv2_spi(unsigned int spi, bool level)
{
	unsigned int word = spi / 32 + 1;
	u32 bit = 1u << spi % 32;

	fake_bql_lock();
	if (level && !(gic.line[word] & bit) && (gic.edge[word] & bit))
		gic.latch[word] |= bit;
	gic.line[word] = level ? gic.line[word] | bit : gic.line[word] & ~bit;
	fake_bql_unlock();
}

bool fake_gicv2_irq(unsigned int cpu)
{
	bool irq;

	fake_bql_lock();
	irq = pending(cpu, 0) & gic.cpu[cpu].enable;
	for (unsigned int word = 1; word < WORDS; word++) {
		u32 m = pending(cpu, word) & gic.enable[word];

		for (; m && !irq; m &= m - 1)
			irq = gic.target[word * 32 + (unsigned int)__builtin_ctz(m)] >> cpu & 1;
	}
	irq = irq && gic.ctlr && gic.cpu[cpu].gicc_ctlr && gic.cpu[cpu].gicc_pmr == 0xff;
	fake_bql_unlock();
	return irq;
}

bool fake_gicv2_virq(unsigned int cpu)
{
	bool virq;

	fake_bql_lock();
	virq = gic.cpu[cpu].gich_hcr && gic.cpu[cpu].gich_lr0;
	fake_bql_unlock();
	return virq;
}
