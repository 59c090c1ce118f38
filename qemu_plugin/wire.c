// SPDX-License-Identifier: GPL-2.0-or-later
#include "wire.h"

#include <string.h>

#include "platform.h"
#include "report.h"

#define GICD_BASE 0x08000000ull
#define GICC_BASE 0x08010000ull
#define GICH_BASE 0x08030000ull

#define GICD_CTLR	  (GICD_BASE + 0x000)
#define GICD_CTLR_ENABLE  1
#define GICD_ISENABLER(n) (GICD_BASE + 0x100 + 4 * (n))
#define GICD_ICENABLER(n) (GICD_BASE + 0x180 + 4 * (n))
#define GICD_ISPENDR(n)	  (GICD_BASE + 0x200 + 4 * (n))
#define GICD_ICPENDR(n)	  (GICD_BASE + 0x280 + 4 * (n))
#define GICD_ITARGETSR(n) (GICD_BASE + 0x800 + 4 * (n))
#define GICD_ICFGR(n)	  (GICD_BASE + 0xc00 + 4 * (n))
#define GICD_SGIR	  (GICD_BASE + 0xf00)
#define GICD_CPENDSGIR	  (GICD_BASE + 0xf10)
#define GICD_ICPIDR2	  (GICD_BASE + 0xfe8)
#define GICC_CTLR	  (GICC_BASE + 0x0)
#define GICC_PMR	  (GICC_BASE + 0x4)
#define GICH_HCR	  (GICH_BASE + 0x000)
#define GICH_VTR	  (GICH_BASE + 0x004)
#define GICH_VMCR	  (GICH_BASE + 0x008)
#define GICH_LR0	  (GICH_BASE + 0x100)

#define GICH_VMCR_OPEN	(0x1fu << 27 | 1) /* no priority masked, group 0 on */
#define GICH_LR_PENDING (1u << 28 | 40)	  /* any virtual INTID will do */

#define PPI_BITS     0xffff0000u    /* INTIDs 16-31; a GICv5 PPI has the same number */
#define SPI_WORD(n)  ((n) / 32 + 1) /* GICv2's SPIs begin at INTID 32 */
#define DOORBELL_SGI 0

static bool mmio_read(u64 addr, u32 *val)
{
	GByteArray *b = platform.wire.buf;

	g_byte_array_set_size(b, 0);
	*val = 0;
	if (qemu_plugin_read_memory_hwaddr(addr, b, 4) || b->len < 4)
		return false;
	memcpy(val, b->data, 4);
	return true;
}

static u32 rd(u64 addr)
{
	u32 val;

	if (!mmio_read(addr, &val))
		report_refuse("cannot read GICv2 register at 0x%llx", (unsigned long long)addr);
	return val;
}

static void wr(u64 addr, u32 val)
{
	GByteArray *b = platform.wire.buf;

	g_byte_array_set_size(b, 4);
	memcpy(b->data, &val, 4);
	if (qemu_plugin_write_memory_hwaddr(addr, b))
		report_refuse("cannot write GICv2 register at 0x%llx", (unsigned long long)addr);
}

void wire_probe(void)
{
	u32 val;

	platform.wire.buf = g_byte_array_new();
	if (!mmio_read(GICD_ICPIDR2, &val) || (val >> 4 & 0xf) != 2)
		report_refuse("no GICv2 at 0x%llx: use -M virt,gic-version=2,virtualization=on",
			      GICD_BASE);
	if (!mmio_read(GICH_VTR, &val) || !val)
		report_refuse("the GICv2 cannot virtualize: use "
			      "-M virt,gic-version=2,virtualization=on");
}

/* ---- the board, for the state machine ------------------------------------- */
/* GICv2 banks its PPIs: @cpu must be the caller's own. */
static u64 ppi_lines(void *ctx, unsigned int cpu)
{
	(void)ctx;
	(void)cpu;
	return rd(GICD_ISPENDR(0)) & PPI_BITS;
}

static u32 spi_pending(void *ctx, unsigned int word)
{
	(void)ctx;
	return rd(GICD_ISPENDR(word + 1));
}

static void spi_set_pending(void *ctx, unsigned int spi, bool pending)
{
	(void)ctx;
	wr(pending ? GICD_ISPENDR(SPI_WORD(spi)) : GICD_ICPENDR(SPI_WORD(spi)), 1u << spi % 32);
}

static void spi_set_target(void *ctx, unsigned int spi, unsigned int cpu)
{
	u64 reg = GICD_ITARGETSR(8 + spi / 4);
	unsigned int shift = spi % 4 * 8;

	(void)ctx;
	wr(reg, (rd(reg) & ~(0xffu << shift)) | 1u << cpu << shift);
}

static void spi_set_level(void *ctx, unsigned int spi, bool level)
{
	u64 reg = GICD_ICFGR(2 + spi / 16);
	u32 edge = 2u << spi % 16 * 2;

	(void)ctx;
	wr(reg, (rd(reg) & ~edge) | (level ? 0 : edge));
}

const struct gicv5_board wire_board = {
	.ppi_lines = ppi_lines,
	.spi_pending = spi_pending,
	.spi_set_pending = spi_set_pending,
	.spi_set_target = spi_set_target,
	.spi_set_level = spi_set_level,
	.mem_read = memory_read,
	.mem_write = memory_write,
};

/* ---- set-up ------------------------------------------------------------------ */
/* The first GICv5 access of a CPU sets up its wires: all that matters, whatever it was. */
static void init_dist(struct wire *w)
{
	for (unsigned int n = 1; n <= GICV5_NR_SPIS / 32; n++)
		wr(GICD_ICENABLER(n), ~0u);
	for (unsigned int n = 0; n < GICV5_NR_SPIS / 16; n++)
		wr(GICD_ICFGR(2 + n), 0xaaaaaaaa); /* Edge, as SPI_CFGR resets to */
	for (unsigned int n = 0; n < GICV5_NR_SPIS / 4; n++)
		wr(GICD_ITARGETSR(8 + n), 0x01010101); /* CPU 0, as struct gicv5_iri */
	memset(w->spi, 0, sizeof(w->spi));
	wr(GICD_CTLR, GICD_CTLR_ENABLE);
	w->dist_ready = true;
}

void wire_init_cpu(unsigned int cpu)
{
	struct wire *w = &platform.wire;

	if (likely(w->cpu[cpu].ready))
		return;
	if (!w->dist_ready)
		init_dist(w);
	w->cpu[cpu] = (struct wire_cpu){ .ready = true };
	wr(GICD_ICENABLER(0), PPI_BITS);
	wr(GICD_ISENABLER(0), 1u << DOORBELL_SGI);
	wr(GICD_CPENDSGIR, 0xffu << DOORBELL_SGI * 8);
	wr(GICC_PMR, 0xff);
	wr(GICC_CTLR, 1);
	wr(GICH_VMCR, GICH_VMCR_OPEN);
	wr(GICH_LR0, 0);
	wr(GICH_HCR, 1);
	platform.gic.dirty |= 1u << cpu;
}

bool wire_machine_was_reset(void)
{
	return platform.wire.dist_ready && !(rd(GICD_CTLR) & GICD_CTLR_ENABLE);
}

void wire_reset(void)
{
	platform.wire.dist_ready = false;
	memset(platform.wire.cpu, 0, sizeof(platform.wire.cpu));
}

/* ---- signals -------------------------------------------------------------------- */
static void set_enables(unsigned int word, u32 *shadow, u32 wanted)
{
	u32 on = wanted & ~*shadow, off = *shadow & ~wanted;

	if (on)
		wr(GICD_ISENABLER(word), on);
	if (off)
		wr(GICD_ICENABLER(word), off);
	*shadow = wanted;
}

static void ring(unsigned int cpu)
{
	struct wire_cpu *wc = &platform.wire.cpu[cpu];

	if (wc->doorbell)
		return;
	wc->doorbell = true;
	wr(GICD_SGIR, 1u << (16 + cpu) | DOORBELL_SGI);
}

/* What this CPU wants of the SPIs. True: something else than before. */
static bool take_spis(struct wire_cpu *wc, const struct gicv5_signals *sig)
{
	if (!memcmp(wc->spi, sig->spi, sizeof(wc->spi)))
		return false;
	memcpy(wc->spi, sig->spi, sizeof(wc->spi));
	return true;
}

/* SPI enables are not banked: an SPI that moves is wanted by one CPU and no longer by another. */
static void sync_spis(void)
{
	struct wire *w = &platform.wire;

	for (unsigned int i = 0; i < ARRAY_SIZE(w->spi); i++) {
		u32 wanted = 0;

		for (unsigned int cpu = 0; cpu < platform.gic.nr_cpus; cpu++)
			wanted |= w->cpu[cpu].spi[i];
		if (w->spi[i] != wanted)
			set_enables(i + 1, &w->spi[i], wanted);
	}
}

/* Whether one of the SPIs that this CPU no longer listens to holds its IRQ up. */
static bool loses_spi(const struct wire_cpu *wc, const struct gicv5_signals *sig)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(wc->spi); i++) {
		u32 lost = wc->spi[i] & ~sig->spi[i];

		if (lost && rd(GICD_ISPENDR(i + 1)) & lost)
			return true;
	}
	return false;
}

static bool sync_other(unsigned int cpu)
{
	struct wire_cpu *wc = &platform.wire.cpu[cpu];
	struct gicv5_signals sig;

	gicv5_phys_signals(&platform.gic, cpu, &sig);
	/*
	 * Only its own CPU can write its list register: have it come to
	 * el2_guest_irq(). Nor can anyone else silence a doorbell. At worst that
	 * CPU takes an interrupt and finds none, as can happen on any GIC.
	 */
	if (gicv5_virq(&platform.gic, cpu) != wc->virq) {
		platform.vcpu[cpu].stats.kicks++;
		wc->excused = true;
		ring(cpu);
	} else if (sig.now) {
		ring(cpu);
	} else if (wc->doorbell) {
		wc->excused = true;
	}
	if (loses_spi(wc, &sig))
		wc->excused = true;
	return take_spis(wc, &sig);
}

static bool sync_own(unsigned int cpu)
{
	const struct gicv5_cpu *c = &platform.gic.cpu[cpu];
	struct wire_cpu *wc = &platform.wire.cpu[cpu];
	bool virq = gicv5_virq(&platform.gic, cpu);
	struct gicv5_signals sig;
	u32 ppi;

	if (virq != wc->virq) {
		wr(GICH_LR0, virq ? GICH_LR_PENDING : 0);
		wc->virq = virq;
	}
	gicv5_phys_signals(&platform.gic, cpu, &sig);
	ppi = (u32)sig.ppi & PPI_BITS;
	/*
	 * Direct injection: a line that the guest has not seen high yet is
	 * listened to, although the host has masked it (el2_guest_irq()).
	 */
	if (c->el1_virtual)
		ppi |= (u32)(c->dvir[0] & ~c->line) & PPI_BITS;
	if (ppi != wc->ppi)
		set_enables(0, &wc->ppi, ppi);
	if (sig.now || platform.vcpu[cpu].trap_pending) {
		ring(cpu);
	} else if (wc->doorbell) {
		wc->doorbell = false;
		wr(GICD_CPENDSGIR, 0xffu << DOORBELL_SGI * 8);
	}
	return take_spis(wc, &sig);
}

bool wire_take_excuse(unsigned int me)
{
	struct wire_cpu *wc = &platform.wire.cpu[me];
	bool excused = wc->excused;

	wc->excused = false;
	return excused;
}

void wire_sync(unsigned int me)
{
	u32 dirty = platform.gic.dirty;
	bool spis = false;

	platform.gic.dirty = 0;
	for (; dirty; dirty &= dirty - 1) {
		unsigned int cpu = (unsigned int)__builtin_ctz(dirty);

		if (!platform.wire.cpu[cpu].ready)
			continue; /* wire_init_cpu() marks it again */
		spis |= cpu == me ? sync_own(cpu) : sync_other(cpu);
	}
	if (spis)
		sync_spis();
}
