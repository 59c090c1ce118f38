// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

struct gicv5 gic;
struct board board;
unsigned int nr_checks;
static unsigned int nr_failed;

void check_failed(const char *file, int line, const char *what, u64 got, u64 want)
{
	nr_failed++;
	printf("%s:%d: %s: got 0x%llx, want 0x%llx\n", file, line, what, (unsigned long long)got,
	       (unsigned long long)want);
}

static u64 ppi_lines(void *ctx, unsigned int cpu)
{
	struct board *b = ctx;

	b->samples++;
	return b->line[cpu];
}

static u32 spi_pending(void *ctx, unsigned int word)
{
	const struct board *b = ctx;
	u32 pend = b->spi_pend[word];

	for (unsigned int n = 0; n < 32; n++)
		if (b->spi_level[word * 32 + n])
			pend |= b->spi_line[word] & 1u << n;
	return pend;
}

static void spi_set_pending(void *ctx, unsigned int spi, bool pending)
{
	struct board *b = ctx;

	b->spi_pend[spi / 32] &= ~(1u << spi % 32);
	b->spi_pend[spi / 32] |= (u32)pending << spi % 32;
}

static void spi_set_target(void *ctx, unsigned int spi, unsigned int cpu)
{
	((struct board *)ctx)->spi_target[spi] = (u8)cpu;
}

static void spi_set_level(void *ctx, unsigned int spi, bool level)
{
	((struct board *)ctx)->spi_level[spi] = level;
}

void spi_line(unsigned int spi, bool level)
{
	u32 *word = &board.spi_line[spi / 32], bit = 1u << spi % 32;

	if (level && !(*word & bit) && !board.spi_level[spi])
		spi_set_pending(&board, spi, true);
	*word = level ? *word | bit : *word & ~bit;
}

static bool mem_read(void *ctx, u64 addr, void *buf, size_t len)
{
	struct board *b = ctx;

	if (addr < MEM_BASE || addr - MEM_BASE + len > sizeof(b->mem))
		return false;
	memcpy(buf, b->mem + (addr - MEM_BASE), len);
	return true;
}

static bool mem_write(void *ctx, u64 addr, const void *buf, size_t len)
{
	struct board *b = ctx;

	if (addr < MEM_BASE || addr - MEM_BASE + len > sizeof(b->mem))
		return false;
	memcpy(b->mem + (addr - MEM_BASE), buf, len);
	return true;
}

static const struct gicv5_board ops = {
	.ppi_lines = ppi_lines,
	.spi_pending = spi_pending,
	.spi_set_pending = spi_set_pending,
	.spi_set_target = spi_set_target,
	.spi_set_level = spi_set_level,
	.mem_read = mem_read,
	.mem_write = mem_write,
};

u64 mem64(u64 addr)
{
	u64 val = 0;

	CHECK(mem_read(&board, addr, &val, 8));
	return val;
}

u32 mem32(u64 addr)
{
	u32 val = 0;

	CHECK(mem_read(&board, addr, &val, 4));
	return val;
}

void set_mem64(u64 addr, u64 val)
{
	CHECK(mem_write(&board, addr, &val, 8));
}

void set_mem32(u64 addr, u32 val)
{
	CHECK(mem_write(&board, addr, &val, 4));
}

void setup(unsigned int nr_cpus)
{
	memset(&board, 0, sizeof(board));
	gicv5_init(&gic, nr_cpus, &ops, &board);
	for (unsigned int i = 0; i < nr_cpus; i++) {
		wr(i, "ICH_VCTLR_EL2", 1);
		wr(i, "ICH_HFGRTR_EL2", ~(u64)0);
		wr(i, "ICH_HFGWTR_EL2", ~(u64)0);
		wr(i, "ICH_HFGITR_EL2", ~(u64)0);
	}
	irs_wr(IRS_CR0, 1);
	irs_wr(0x190, GICV5_LPI_ID_BITS); /* a linear IST for all LPIs */
	irs_wr64(0x180, MEM_BASE | 1);
	gic.dirty = 0;
}

const struct gicv5_op *op_named(const char *name)
{
	for (unsigned int i = 0; i < gicv5_nr_ops; i++)
		if (!strcmp(gicv5_ops[i].name, name))
			return &gicv5_ops[i];
	printf("no such register or instruction: %s\n", name);
	exit(1);
}

static u64 access(unsigned int cpu, const char *name, bool virt, bool read, u64 val)
{
	const struct gicv5_op *op = op_named(name);

	CHECK(op->access & (read ? OP_R : OP_W));
	switch (op->class) {
	case GICV5_GIC:
	case GICV5_EL2_ONLY:
		return gicv5_insn(&gic, cpu, op, virt, val);
	case GICV5_ICH:
		if (read)
			return gicv5_ich_read(&gic, cpu, op);
		gicv5_ich_write(&gic, cpu, op, val);
		return 0;
	case GICV5_ICC:
		if (read)
			return gicv5_icc_read(&gic, cpu, op, virt);
		gicv5_icc_write(&gic, cpu, op, virt, val);
		return 0;
	}
	CHECK(false);
	return 0;
}

u64 rd(unsigned int cpu, const char *reg)
{
	return access(cpu, reg, false, true, 0);
}

void wr(unsigned int cpu, const char *reg, u64 val)
{
	access(cpu, reg, false, false, val);
}

u64 guest_rd(unsigned int cpu, const char *reg)
{
	return access(cpu, reg, true, true, 0);
}

void guest_wr(unsigned int cpu, const char *reg, u64 val)
{
	access(cpu, reg, true, false, val);
}

struct gicv5_signals signals(unsigned int cpu)
{
	struct gicv5_signals sig;

	gicv5_phys_signals(&gic, cpu, &sig);
	return sig;
}

u32 irs_rd(u32 off)
{
	u64 val;

	CHECK(gicv5_irs_read(&gic, off, 4, &val));
	return (u32)val;
}

void irs_wr(u32 off, u32 val)
{
	CHECK(gicv5_irs_write(&gic, off, 4, val));
}

u64 irs_rd64(u32 off)
{
	u64 val;

	CHECK(gicv5_irs_read(&gic, off, 8, &val));
	return val;
}

void irs_wr64(u32 off, u64 val)
{
	CHECK(gicv5_irs_write(&gic, off, 8, val));
}

int main(void)
{
	test_ops();
	test_phys();
	test_virt();
	test_iri();
	test_irs();
	test_vm();
	test_vist();
	test_doorbell();
	test_random();
	test_wire();
	printf("gicv5: %u checks, %u failed\n", nr_checks, nr_failed);
	return nr_failed != 0;
}
