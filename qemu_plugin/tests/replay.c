// SPDX-License-Identifier: GPL-2.0-or-later
#include "replay.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "gicv5_internal.h"

enum {
	FINE,
	NOT_DIRTY,
	PPI_RES0,
	PPI_LEVEL_LATCH,
	CPU_RES0,
	EL2_RES0,
	HPPI_AND_IRQ,
	HPPI_AND_VIRQ,
	SPI_ON_BOARD,
	LIVE,
	AFFINITY,
	ACTIVE_PRIORITY,
};

const char *replay_invariant(u32 number)
{
	static const char *const text[] = {
		[FINE] = "all hold",
		[NOT_DIRTY] = "the signals of a CPU changed that is not marked dirty",
		[PPI_RES0] = "RES0 bits of a priority register are set",
		[PPI_LEVEL_LATCH] = "a Level PPI has a latched pending state",
		[CPU_RES0] = "RES0 bits of a CPU interface register are set",
		[EL2_RES0] = "RES0 bits of an EL2 register are set",
		[HPPI_AND_IRQ] = "ICC_HPPIR_EL1 and the physical IRQ disagree",
		[HPPI_AND_VIRQ] = "the virtual HPPIR and the virtual IRQ disagree",
		[SPI_ON_BOARD] = "the board has another target or mode for an SPI",
		[LIVE] = "a bitmap of live SPIs or LPIs does not match their state",
		[AFFINITY] = "an SPI or LPI is routed to a CPU that is not there",
		[ACTIVE_PRIORITY] = "acknowledge left the running priority where it was",
	};

	return number < ARRAY_SIZE(text) ? text[number] : "?";
}

/* ---- a board in memory; its SPIs behave as those of QEMU's GICv2 ------------ */
static u64 ppi_lines(void *ctx, unsigned int cpu)
{
	return ((struct replay *)ctx)->lines[cpu];
}

static u32 spi_pending(void *ctx, unsigned int word)
{
	const struct replay *r = ctx;
	u32 pending = 0;

	for (unsigned int i = 0; i < 32; i++) {
		unsigned int n = word * 32 + i;

		pending |= (u32)(r->spi_latch[n] || (r->spi_level[n] && r->spi_line[n])) << i;
	}
	return pending;
}

static void spi_set_pending(void *ctx, unsigned int spi, bool pending)
{
	((struct replay *)ctx)->spi_latch[spi] = pending;
}

static void spi_set_target(void *ctx, unsigned int spi, unsigned int cpu)
{
	((struct replay *)ctx)->spi_target[spi] = (u8)cpu;
}

static void spi_set_level(void *ctx, unsigned int spi, bool level)
{
	((struct replay *)ctx)->spi_level[spi] = level;
}

static bool in_memory(u64 addr, size_t len)
{
	return addr >= REPLAY_MEM_BASE && addr - REPLAY_MEM_BASE <= REPLAY_MEM_SIZE - len;
}

static bool mem_read(void *ctx, u64 addr, void *buf, size_t len)
{
	if (!in_memory(addr, len))
		return false;
	memcpy(buf, ((struct replay *)ctx)->mem + (addr - REPLAY_MEM_BASE), len);
	return true;
}

static bool mem_write(void *ctx, u64 addr, const void *buf, size_t len)
{
	if (!in_memory(addr, len))
		return false;
	memcpy(((struct replay *)ctx)->mem + (addr - REPLAY_MEM_BASE), buf, len);
	return true;
}

static const struct gicv5_board board_ops = {
	.ppi_lines = ppi_lines,
	.spi_pending = spi_pending,
	.spi_set_pending = spi_set_pending,
	.spi_set_target = spi_set_target,
	.spi_set_level = spi_set_level,
	.mem_read = mem_read,
	.mem_write = mem_write,
};

void replay_init(struct replay *r, unsigned int nr_cpus)
{
	memset(r, 0, offsetof(struct replay, gic));
	gicv5_init(&r->gic, nr_cpus, &board_ops, r);
}

/* ---- invariants ---------------------------------------------------------------- */
/* PPIs whose lines the wire layer listens to for direct injection */
static u64 listen(const struct gicv5_cpu *c)
{
	return c->el1_virtual ? c->dvir[0] & ~c->line : 0;
}

/* Every CPU that is not dirty shows what it showed before. */
static u32 check_dirty(struct replay *r)
{
	u32 dirty = r->gic.dirty;
	struct gicv5_signals sig;

	r->gic.dirty = 0;
	for (unsigned int i = 0; i < r->gic.nr_cpus; i++) {
		const struct gicv5_cpu *c = &r->gic.cpu[i];
		bool virq = gicv5_virq(&r->gic, i);
		struct gicv5_signals *old = &r->shown[i];

		gicv5_phys_signals(&r->gic, i, &sig);
		if (!(dirty >> i & 1) &&
		    (sig.ppi != old->ppi || sig.now != old->now || virq != r->shown_virq[i] ||
		     memcmp(sig.spi, old->spi, sizeof(sig.spi)) || listen(c) != r->shown_listen[i]))
			return NOT_DIRTY;
		*old = sig;
		r->shown_virq[i] = virq;
		r->shown_listen[i] = listen(c);
	}
	return FINE;
}

static u32 check_ppis(const struct gicv5_ppis *p)
{
	for (unsigned int n = 0; n < ARRAY_SIZE(p->prio); n++)
		if (p->prio[n] & ~PRIORITYR_MASK)
			return PPI_RES0;
	return FINE;
}

static u32 check_cpu(const struct gicv5_cpu *c)
{
	if (check_ppis(&c->ppi) || check_ppis(&c->vppi))
		return PPI_RES0;
	if ((c->ppi.pend[0] & gicv5_hmr(0)) || (c->ppi.pend[1] & gicv5_hmr(1)))
		return PPI_LEVEL_LATCH;
	if (c->pcr > 31 || c->cr0 > 1 || (c->icsr & ~ICSR_MASK))
		return CPU_RES0;
	if ((c->contextr & ~(CONTEXTR_MASK | ICH_CONTEXTR_F)) ||
	    (c->vmcr & ~(GENMASK(31, 27) | BIT(0))) || (c->vctlr & ~ICH_VCTLR_EN) ||
	    (c->hfgitr & ~GENMASK(10, 0)) || (c->hfgrtr & ~GENMASK(20, 0)) ||
	    (c->hfgwtr & ~GENMASK(20, 0)))
		return EL2_RES0;
	return FINE;
}

/* One word of the live bitmaps, from the interrupts themselves */
static u32 audit_live(const struct gicv5 *gic, const struct gicv5_iri *iri, bool spi,
		      unsigned int word)
{
	static const struct gicv5_iri untouched[64];
	bool any = memcmp(&iri[word * 64], untouched, sizeof(untouched));
	u64 want[GICV5_MAX_CPUS] = { 0 };

	for (unsigned int i = 0; any && i < 64; i++) {
		const struct gicv5_iri *it = &iri[word * 64 + i];

		if (it->cpu >= gic->nr_cpus || it->prio > 31)
			return AFFINITY;
		if (it->enable && !it->active && (spi || it->pend))
			want[it->cpu] |= BIT(i);
	}
	for (unsigned int i = 0; i < gic->nr_cpus; i++) {
		const struct gicv5_cpu *c = &gic->cpu[i];

		if (want[i] != (spi ? c->spi_live : c->lpi_live)[word] ||
		    (want[i] && !spi && word >= gic->lpi_words))
			return LIVE;
	}
	return FINE;
}

u32 replay_audit(const struct replay *r)
{
	const struct gicv5 *gic = &r->gic;
	u32 broken = FINE;

	for (unsigned int n = 0; n < GICV5_NR_SPIS; n++)
		if (gic->spi[n].level_trigger != r->spi_level[n] ||
		    gic->spi[n].cpu != r->spi_target[n])
			return SPI_ON_BOARD;
	for (unsigned int w = 0; !broken && w < GICV5_NR_SPIS / 64; w++)
		broken = audit_live(gic, gic->spi, true, w);
	for (unsigned int w = 0; !broken && w < GICV5_NR_LPIS / 64; w++)
		broken = audit_live(gic, gic->lpi, false, w);
	return broken;
}

/* ---- accesses ------------------------------------------------------------------ */
static void sysreg(struct replay *r, unsigned int cpu, const struct replay_access *a,
		   struct replay_result *res)
{
	const struct gicv5_op *op = gicv5_find_op((u16)a->where);
	struct gicv5_cpu *c = &r->gic.cpu[cpu];
	bool read = a->kind == REPLAY_READ, virt = a->el == 1 && c->el1_virtual;

	res->status = REPLAY_UNDEF;
	if (!op || a->el == 0 || !(op->access & (read ? OP_R : OP_W)))
		return;
	switch (op->class) {
	case GICV5_ICH:
		if (a->el != 2)
			return;
		res->status = REPLAY_OK;
		if (read)
			res->val = gicv5_ich_read(&r->gic, cpu, op);
		else
			gicv5_ich_write(&r->gic, cpu, op, a->val);
		return;
	case GICV5_EL2_ONLY:
		if (a->el != 2)
			return;
		break;
	case GICV5_ICC:
	case GICV5_GIC:
		break;
	default:
		return;
	}
	if (a->el == 1 && gicv5_fgt_traps(c, op, read)) {
		res->status = REPLAY_TRAP;
		return;
	}
	res->status = REPLAY_OK;
	if (op->class == GICV5_GIC || op->class == GICV5_EL2_ONLY) {
		u32 before = virt ? c->vapr : c->apr;

		res->val = gicv5_insn(&r->gic, cpu, op, virt, a->val);
		if (res->val && gicv5_running(virt ? c->vapr : c->apr) >= gicv5_running(before))
			res->broken = ACTIVE_PRIORITY;
	} else if (read) {
		res->val = gicv5_icc_read(&r->gic, cpu, op, virt);
	} else {
		gicv5_icc_write(&r->gic, cpu, op, virt, a->val);
	}
}

static void spi_line(struct replay *r, u32 spi, bool level)
{
	spi %= GICV5_NR_SPIS;
	if (level && !r->spi_line[spi] && !r->spi_level[spi])
		r->spi_latch[spi] = true;
	r->spi_line[spi] = level;
}

/*
 * The state of both interrupt inputs of a CPU. A physical line reaches the CPU
 * by itself; a directly injected one by the hook that samples it.
 */
static void signals(struct replay *r, unsigned int cpu, struct replay_result *res)
{
	const struct gicv5_op *hppir = gicv5_find_op(SYS_ENC(3, 0, 12, 10, 3));
	struct gicv5_cpu *c = &r->gic.cpu[cpu];
	struct gicv5_signals sig;
	bool irq, virq;

	gicv5_phys_signals(&r->gic, cpu, &sig);
	irq = sig.now || (sig.ppi & r->lines[cpu]);
	for (unsigned int w = 0; w < ARRAY_SIZE(sig.spi); w++)
		irq |= (sig.spi[w] & spi_pending(r, w)) != 0;
	if (c->el1_virtual && c->dvir[0])
		gicv5_sample_lines(&r->gic, cpu);
	virq = gicv5_virq(&r->gic, cpu);
	res->val = (u64)irq | (u64)virq << 1;
	if (irq != gicv5_phys_pending(&r->gic, cpu) ||
	    irq != (gicv5_icc_read(&r->gic, cpu, hppir, false) != 0))
		res->broken = HPPI_AND_IRQ;
	if (virq != (c->el1_virtual && gicv5_icc_read(&r->gic, cpu, hppir, true) != 0))
		res->broken = HPPI_AND_VIRQ;
}

static void reset(struct replay *r)
{
	memset(r->lines, 0, sizeof(r->lines));
	memset(r->spi_line, 0, sizeof(r->spi_line));
	memset(r->spi_latch, 0, sizeof(r->spi_latch));
	memset(r->spi_level, 0, sizeof(r->spi_level));
	memset(r->spi_target, 0, sizeof(r->spi_target));
	memset(r->mem, 0, sizeof(r->mem));
	gicv5_reset(&r->gic);
}

struct replay_result replay_step(struct replay *r, const struct replay_access *a)
{
	struct replay_result res = { 0 };
	unsigned int cpu = a->cpu % r->gic.nr_cpus;

	switch (a->kind) {
	case REPLAY_READ:
	case REPLAY_WRITE:
		sysreg(r, cpu, a, &res);
		break;
	case REPLAY_IRS_READ:
		if (!gicv5_irs_read(&r->gic, a->where, a->size, &res.val))
			res.status = REPLAY_UNKNOWN;
		break;
	case REPLAY_IRS_WRITE:
		if (!gicv5_irs_write(&r->gic, a->where, a->size, a->val))
			res.status = REPLAY_UNKNOWN;
		break;
	case REPLAY_LINES:
		r->lines[cpu] = a->val & ~BIT(GICV5_SW_PPI);
		break;
	case REPLAY_SPI_LINE:
		spi_line(r, a->where, a->val & 1);
		break;
	case REPLAY_GUEST: /* as el2_write_hcr() */
		r->gic.cpu[cpu].el1_virtual = a->val & 1;
		if ((a->val & 1) && r->gic.cpu[cpu].dvir[0])
			gicv5_sample_lines(&r->gic, cpu);
		gicv5_mark(&r->gic, cpu);
		break;
	case REPLAY_SIGNALS:
		signals(r, cpu, &res);
		break;
	case REPLAY_RESET:
		reset(r);
		break;
	case REPLAY_NMI:
		r->gic.cpu[cpu].nmi = a->val & 1;
		break;
	case REPLAY_MEM_READ:
		mem_read(r, REPLAY_MEM_BASE + a->where, &res.val, a->size == 8 ? 8 : 4);
		break;
	case REPLAY_MEM_WRITE:
		mem_write(r, REPLAY_MEM_BASE + a->where, &a->val, a->size == 8 ? 8 : 4);
		r->gic.dirty = (1u << r->gic.nr_cpus) - 1; /* nobody sees software write */
		break;
	}
	if (!res.broken)
		res.broken = check_dirty(r);
	if (!res.broken)
		res.broken = check_cpu(&r->gic.cpu[cpu]);
	return res;
}

struct replay *replay_open(unsigned int nr_cpus)
{
	struct replay *r = calloc(1, sizeof(*r));

	if (!r)
		abort();
	replay_init(r, nr_cpus);
	return r;
}

void replay_one(struct replay *r, const struct replay_access *a, struct replay_result *out)
{
	*out = replay_step(r, a);
}

void replay_close(struct replay *r)
{
	free(r);
}

size_t replay_run(unsigned int nr_cpus, const struct replay_access *a, struct replay_result *out,
		  size_t n)
{
	struct replay *r = replay_open(nr_cpus);
	size_t done = 0;

	while (done < n) {
		out[done] = replay_step(r, &a[done]);
		if (out[done++].broken)
			break;
	}
	if (done && !out[done - 1].broken)
		out[done - 1].broken = replay_audit(r);
	replay_close(r);
	return done;
}
