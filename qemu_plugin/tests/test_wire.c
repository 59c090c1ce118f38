// SPDX-License-Identifier: GPL-2.0-or-later
/* The wires on a GICv2 of our own: does each CPU's line follow what the GICv5 has for it? */
#include <string.h>

#include "../platform.h"
#include "check.h"

struct platform platform;

/* ---- a GICv2, as far as the wires use one ------------------------------------- */
static struct {
	u32 enable[9][GICV5_MAX_CPUS]; /* word 0 is banked, of the others column 0 counts */
	u32 pend[9][GICV5_MAX_CPUS];
	u8 target[256];
	u32 ctlr;
	u32 lr0[GICV5_MAX_CPUS];
	unsigned int cpu; /* whose thread this is */
} v2;

static bool irq(unsigned int cpu)
{
	if (v2.enable[0][cpu] & v2.pend[0][cpu])
		return true;
	for (unsigned int n = 0; n < 256; n++)
		if (v2.enable[n / 32 + 1][0] & v2.pend[n / 32 + 1][0] & 1u << n % 32 &&
		    v2.target[n] == 1u << cpu)
			return true;
	return false;
}

static u32 *word(u32 off, u32 bank[9][GICV5_MAX_CPUS])
{
	u32 w = off % 0x80 / 4;

	return &bank[w][w ? 0 : v2.cpu];
}

static void v2_write(u64 addr, u32 val)
{
	u32 off = (u32)(addr - 0x08000000);

	if (off == 0)
		v2.ctlr = val;
	else if (off >= 0x100 && off < 0x180)
		*word(off, v2.enable) |= val;
	else if (off >= 0x180 && off < 0x200)
		*word(off, v2.enable) &= ~val;
	else if (off >= 0x200 && off < 0x280)
		*word(off, v2.pend) |= val;
	else if (off >= 0x280 && off < 0x300)
		*word(off, v2.pend) &= ~val;
	else if (off >= 0x820 && off < 0x920)
		memcpy(&v2.target[off - 0x820], &val, 4);
	else if (off == 0xf00)
		v2.pend[0][__builtin_ctz(val >> 16)] |= 1;
	else if (off == 0xf10)
		v2.pend[0][v2.cpu] &= ~1u;
	else if (off == 0x30100)
		v2.lr0[v2.cpu] = val;
}

static u32 v2_read(u64 addr)
{
	u32 off = (u32)(addr - 0x08000000), val = 0;

	if (off >= 0x200 && off < 0x280)
		return *word(off, v2.pend);
	if (off >= 0x820 && off < 0x920)
		memcpy(&val, &v2.target[off - 0x820], 4);
	else if (off == 0)
		val = v2.ctlr;
	else if (off == 0xfe8)
		val = 0x2b; /* GICv2 */
	else if (off == 0x30004)
		val = 3; /* list registers */
	return val;
}

int qemu_plugin_read_memory_hwaddr(uint64_t addr, GByteArray *data, size_t len)
{
	u32 val = v2_read(addr);

	g_byte_array_set_size(data, (unsigned int)len);
	memcpy(data->data, &val, 4);
	return 0;
}

int qemu_plugin_write_memory_hwaddr(uint64_t addr, GByteArray *data)
{
	u32 val;

	memcpy(&val, data->data, 4);
	v2_write(addr, val);
	return 0;
}

GByteArray *g_byte_array_new(void)
{
	static u8 data[4096];
	static GByteArray array = { .data = data };

	return &array;
}

GByteArray *g_byte_array_set_size(GByteArray *array, unsigned int length)
{
	CHECK(length <= 4096);
	array->len = length;
	return array;
}

/* ---- tests ---------------------------------------------------------------------- */
static struct gicv5 *const g = &platform.gic;

/* An access on a CPU's own thread, and what the plugin does after each */
static void on(unsigned int cpu, const char *reg, u64 val)
{
	const struct gicv5_op *op = op_named(reg);

	v2.cpu = cpu;
	wire_init_cpu(cpu);
	if (op->class == GICV5_ICC)
		gicv5_icc_write(g, cpu, op, false, val);
	else if (op->class == GICV5_ICH)
		gicv5_ich_write(g, cpu, op, val);
	else
		gicv5_insn(g, cpu, op, false, val);
	wire_sync(cpu);
}

static void start(void)
{
	memset(&v2, 0, sizeof(v2));
	memset(&platform.wire, 0, sizeof(platform.wire));
	memset(platform.vcpu, 0, sizeof(platform.vcpu));
	wire_probe();
	gicv5_init(g, 3, &wire_board, NULL);
	gicv5_irs_write(g, IRS_CR0, 4, 1);
	gicv5_irs_write(g, 0x180, 8, 1);
	for (unsigned int cpu = 0; cpu < 3; cpu++) {
		on(cpu, "ICC_PCR_EL1", 31);
		on(cpu, "ICC_CR0_EL1", 1);
	}
}

static void check_lines(u32 cpus)
{
	for (unsigned int cpu = 0; cpu < 3; cpu++)
		CHECK_EQ(irq(cpu), cpus >> cpu & 1);
}

/* An SPI that pends, wherever it is sent to and whoever sends it */
static void test_spi(void)
{
	start();
	on(0, "GIC_CDEN", SPI(200));
	on(0, "GIC_CDPEND", BIT(32) | SPI(200));
	check_lines(1);
	for (unsigned int from = 0; from < 3; from++) {
		for (unsigned int to = 0; to < 3; to++) {
			on(to, "GIC_CDAFF", (u64)from << 32 | SPI(200));
			on(from, "GIC_CDAFF", (u64)to << 32 | SPI(200));
			check_lines(1u << to);
		}
	}
	on(2, "ICC_PCR_EL1", 3);
	on(0, "GIC_CDPRI", (u64)4 << 35 | SPI(200)); /* now masked: or it would storm */
	check_lines(0);
	on(0, "GIC_CDPRI", (u64)3 << 35 | SPI(200));
	check_lines(4);
	on(2, "GICR_CDIA", 0);
	check_lines(0);
	on(2, "GIC_CDPEND", BIT(32) | SPI(200));
	on(2, "GIC_CDEOI", 0);
	check_lines(0); /* active */
	on(0, "GIC_CDDI", SPI(200));
	check_lines(4);
	on(2, "ICC_CR0_EL1", 0);
	check_lines(0);
}

/* Finding nothing is excused once, and only where another CPU took an interrupt away */
static void test_excuse(void)
{
	start();
	on(0, "GIC_CDAFF", (u64)2 << 32 | SPI(200));
	on(0, "GIC_CDAFF", SPI(200)); /* it is not pending: CPU 2 loses nothing */
	CHECK_EQ(wire_take_excuse(2), false);

	on(0, "GIC_CDEN", SPI(200));
	on(0, "GIC_CDPEND", BIT(32) | SPI(200));
	on(1, "GIC_CDAFF", (u64)2 << 32 | SPI(200));
	CHECK_EQ(wire_take_excuse(0), true);
	CHECK_EQ(wire_take_excuse(0), false);
	CHECK_EQ(wire_take_excuse(2), false);
	on(2, "GIC_CDAFF", SPI(200)); /* its own doing */
	CHECK_EQ(wire_take_excuse(2), false);

	on(0, "GIC_CDDIS", SPI(200));
	CHECK_EQ(wire_take_excuse(0), false);
}

static void test_lpi(void)
{
	start();
	on(0, "GIC_CDAFF", BIT(32) | LPI(9));
	on(0, "GIC_CDEN", LPI(9));
	on(0, "GIC_CDPEND", BIT(32) | LPI(9));
	check_lines(2);
	on(1, "GICR_CDIA", 0);
	check_lines(0);
	on(1, "GIC_CDEOI", 0);
	on(0, "GIC_CDPEND", BIT(32) | LPI(9));
	check_lines(0);
	on(1, "GIC_CDDI", LPI(9));
	check_lines(2);
	on(0, "GIC_CDDIS", LPI(9)); /* only CPU 1 can silence its doorbell, and does so */
	on(1, "GICR_CDIA", 0);
	check_lines(0);
}

static void test_ppi(void)
{
	start();
	v2.pend[0][1] |= BIT(27); /* the line */
	on(1, "ICC_PPI_ENABLER0_EL1", BIT(27) | BIT(3));
	check_lines(2);
	on(1, "ICC_APR_EL1", 1); /* something of priority 0 runs */
	check_lines(0);
	on(1, "ICC_APR_EL1", 0);
	on(1, "ICC_PPI_SACTIVER0_EL1", BIT(27));
	check_lines(0);
	on(1, "ICC_PPI_SPENDR0_EL1", BIT(3)); /* no line, but the doorbell */
	check_lines(2);
	on(1, "ICC_PPI_CPENDR0_EL1", BIT(3));
	check_lines(0);
}

/* A virtual interrupt for a guest on CPU 1, from that CPU and from another */
static void test_virq(void)
{
	start();
	on(1, "ICH_VCTLR_EL2", 1);
	on(1, "ICH_VMCR_EL2", ~(u64)0);
	on(1, "ICH_PPI_ENABLER0_EL2", 8);
	g->cpu[1].el1_virtual = true;
	on(1, "ICH_PPI_PENDR0_EL2", 8);
	CHECK(v2.lr0[1]);
	check_lines(0);
	on(1, "ICH_PPI_PENDR0_EL2", 0);
	CHECK(!v2.lr0[1]);

	g->cpu[1].vppi.pend[0] = 8;
	g->dirty = 2;
	v2.cpu = 0;
	wire_sync(0); /* CPU 0 cannot write CPU 1's list register */
	CHECK(!v2.lr0[1]);
	check_lines(2);
	CHECK_EQ(platform.vcpu[1].stats.kicks, 1);
	g->dirty = 2;
	v2.cpu = 1;
	wire_sync(1);
	CHECK(v2.lr0[1]);
	check_lines(0);
	g->dirty = 2;
	v2.cpu = 0;
	wire_sync(0);
	check_lines(0); /* it knows already */

	/* direct injection: the physical line is listened to until it has been seen high */
	on(1, "ICH_PPI_DVIR0_EL2", BIT(27));
	check_lines(0);
	v2.pend[0][1] |= BIT(27);
	check_lines(2);
	gicv5_sample_lines(g, 1);
	v2.cpu = 1;
	wire_sync(1);
	check_lines(0);
}

static void test_reset(void)
{
	memset(&v2, 0, sizeof(v2));
	memset(&platform.wire, 0, sizeof(platform.wire));
	wire_probe();
	CHECK(!wire_machine_was_reset()); /* nothing is lost as nothing was there */
	start();
	CHECK(!wire_machine_was_reset());
	on(0, "GIC_CDEN", SPI(200));
	on(0, "GIC_CDPEND", BIT(32) | SPI(200));
	memset(&v2, 0, sizeof(v2));
	CHECK(wire_machine_was_reset());
	check_lines(0);
	wire_reset();
	CHECK(!wire_machine_was_reset());
	on(0, "ICC_CR0_EL1", 1); /* the wires are set up again */
	CHECK(v2.ctlr);
	CHECK_EQ(v2.enable[200 / 32 + 1][0], 1u << 200 % 32);
	CHECK(!wire_machine_was_reset());
}

void test_wire(void)
{
	test_reset();
	test_spi();
	test_excuse();
	test_lpi();
	test_ppi();
	test_virq();
}
