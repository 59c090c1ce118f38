// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Virtual SPIs and LPIs. Their state is in Interrupt State Tables (ISTs) in
 * memory, one of each kind for each VM: every command reads an entry and
 * writes it back, so that a hypervisor that saves a VM finds all of it there.
 *
 * Which entries are pending is also kept in struct gicv5_vm: a table may have
 * 65536 of them and the best one is asked for at every entry to the guest.
 */
#include <string.h>

#include "gicv5_internal.h"

/* An entry. What IRS implementations may keep behind the first word (ISTSZ) is not used. */
#define ISTE_PENDING  BIT(0)
#define ISTE_ACTIVE   BIT(1)
#define ISTE_HM	      BIT(2) /* 1: Level */
#define ISTE_ENABLE   BIT(3)
#define ISTE_IRM      BIT(4) /* 1-of-N, which is not implemented: written as 0 */
#define ISTE_PRIO     GENMASK(15, 11)
#define ISTE_IAFFID   GENMASK(31, 16)
#define ISTE_VPE(e)   ((u32)FIELD(e, 31, 16))
#define ISTE_LEVEL(e) ((unsigned int)FIELD(e, 15, 11))

#define VALID	   BIT(0)
#define ADDR_55_6  GENMASK(55, 6)
#define ADDR_55_12 GENMASK(55, 12)

struct ist {
	u64 base;
	unsigned int id_bits;
	unsigned int shift;   /* log2 of an entry's size */
	unsigned int l2_bits; /* log2 of the entries of a level 2 table; linear: all */
	bool two_level;
};

/* ---- the set of pending ones --------------------------------------------------- */
static struct gicv5_idset *pending(struct gicv5 *gic, u32 vm, u32 type)
{
	return &gic->vm[vm].pend[type == GICV5_TYPE_SPI];
}

static void idset_put(struct gicv5_idset *s, u32 id, bool in)
{
	u32 w = id / 64;

	if (in)
		s->in[w] |= BIT(id % 64);
	else
		s->in[w] &= ~BIT(id % 64);
	if (s->in[w])
		s->some[w / 64] |= BIT(w % 64);
	else
		s->some[w / 64] &= ~BIT(w % 64);
}

/* The first member from *@id on */
static bool idset_next(const struct gicv5_idset *s, u32 *id)
{
	u32 w = *id / 64;
	u64 m;

	if (*id >= GICV5_NR_VIDS)
		return false;
	m = s->in[w] & (~(u64)0 << *id % 64);
	while (!m) {
		u32 i = ++w / 64;
		u64 some;

		if (w >= ARRAY_SIZE(s->in))
			return false;
		some = s->some[i] & (~(u64)0 << w % 64);
		while (!some) {
			if (++i >= ARRAY_SIZE(s->some))
				return false;
			some = s->some[i];
		}
		w = i * 64 + (u32)__builtin_ctzll(some);
		m = s->in[w];
	}
	*id = w * 64 + (u32)__builtin_ctzll(m);
	return true;
}

/* ---- tables ------------------------------------------------------------------------- */
/* Decode word 2 (LPIs) or 3 (SPIs) of a VMTE. False: the VM has no such table. */
static bool find_ist(const struct gicv5 *gic, u32 vm, u32 type, struct ist *t)
{
	u64 vmte = gicv5_vmte(gic, vm), word;

	if (vmte == NO_ENTRY || (type != GICV5_TYPE_LPI && type != GICV5_TYPE_SPI))
		return false;
	word = gicv5_mem_read(gic, vmte + 8 * type, 8);
	if (!(word & VALID))
		return false;
	t->base = word & ADDR_55_6;
	t->id_bits = (unsigned int)FIELD(word, 63, 59);
	if (t->id_bits > 16)
		t->id_bits = 16;
	t->two_level = FIELD(word, 58, 58);
	t->shift = 2 + (unsigned int)FIELD(word, 57, 56);
	t->l2_bits = 12 + 2 * (unsigned int)FIELD(word, 2, 1) - t->shift;
	if (!t->two_level)
		t->l2_bits = t->id_bits;
	return true;
}

/* Address of an entry, or NO_ENTRY */
static u64 find_iste(const struct gicv5 *gic, const struct ist *t, u32 id)
{
	u64 l1;

	if (id >> t->id_bits)
		return NO_ENTRY;
	if (!t->two_level)
		return t->base + ((u64)id << t->shift);
	l1 = gicv5_mem_read(gic, t->base + (id >> t->l2_bits) * 8, 8);
	if (!(l1 & VALID))
		return NO_ENTRY;
	return (l1 & ADDR_55_12) + ((u64)(id & ((1u << t->l2_bits) - 1)) << t->shift);
}

/* A table may come with pending interrupts: note those among the level 2 table of @first. */
static void note_pending(struct gicv5 *gic, const struct ist *t, struct gicv5_idset *s, u32 first)
{
	unsigned int bits = t->l2_bits < t->id_bits ? t->l2_bits : t->id_bits;
	u32 in_chunk = 4096u >> t->shift, nr = 1u << bits;
	u64 addr = find_iste(gic, t, first);
	u8 chunk[4096];

	for (u32 i = 0; addr != NO_ENTRY && i < nr; i += in_chunk) {
		u32 n = nr - i < in_chunk ? nr - i : in_chunk;

		if (!gic->board->mem_read(gic->ctx, addr + ((u64)i << t->shift), chunk,
					  (size_t)n << t->shift))
			return;
		for (u32 k = 0; k < n; k++)
			if (chunk[k << t->shift] & ISTE_PENDING)
				idset_put(s, first + i + k, true);
	}
}

/* These return whether the VM has such a table: then any of its interrupts may have changed. */
bool gicv5_vmap_ist(struct gicv5 *gic, u32 vm, u32 type, bool map)
{
	u64 vmte = gicv5_vmte(gic, vm), addr = vmte + 8 * type, word;
	struct gicv5_idset *s;
	struct ist t;

	if (vmte == NO_ENTRY || (type != GICV5_TYPE_LPI && type != GICV5_TYPE_SPI))
		return false;
	word = gicv5_mem_read(gic, addr, 8);
	gicv5_mem_write(gic, addr, map ? word | VALID : word & ~VALID, 8);
	s = pending(gic, vm, type);
	memset(s, 0, sizeof(*s));
	if (find_ist(gic, vm, type, &t))
		for (u32 id = 0; !(id >> t.id_bits); id += 1u << t.l2_bits)
			note_pending(gic, &t, s, id);
	return true;
}

bool gicv5_vmap_l2_ist(struct gicv5 *gic, u32 vm, u32 type, u32 id)
{
	struct ist t;
	u64 addr;

	if (!find_ist(gic, vm, type, &t) || !t.two_level || id >> t.id_bits)
		return false;
	addr = t.base + (id >> t.l2_bits) * 8;
	gicv5_mem_write(gic, addr, gicv5_mem_read(gic, addr, 8) | VALID, 8);
	note_pending(gic, &t, pending(gic, vm, type), id >> t.l2_bits << t.l2_bits);
	return true;
}

/* ---- commands -------------------------------------------------------------------------- */
static u64 icsr(u64 e)
{
	return (e & ISTE_IAFFID) << 16 | (e & ISTE_PRIO) | (e & ISTE_HM) << 3 |
	       (e & ISTE_ACTIVE) << 3 | FIELD(e, 4, 4) << 3 | (e & ISTE_PENDING) << 2 |
	       (e & ISTE_ENABLE) >> 2;
}

static u64 put_bit(u64 e, u64 bit, bool on)
{
	return on ? e | bit : e & ~bit;
}

/*
 * The handling mode is that of the entry and of nothing else. In particular
 * IRS_SPI_CFGR.TM, which a guest's IRS has too, is the hypervisor's business:
 * until HM is set (GIC CDHM), a virtual SPI is Edge.
 */
static u64 changed(u64 e, enum gicv5_reg command, u64 operand)
{
	switch (command) {
	case GIC_CDDIS:
		return e & ~ISTE_ENABLE;
	case GIC_CDEN:
		return e | ISTE_ENABLE;
	case GIC_CDPRI:
		return (e & ~ISTE_PRIO) | FIELD(operand, 39, 35) << 11;
	case GIC_CDAFF:
		return (e & ~(ISTE_IAFFID | ISTE_IRM)) | FIELD(operand, 47, 32) << 16;
	case GIC_CDPEND:
		return put_bit(e, ISTE_PENDING, FIELD(operand, 32, 32));
	case GIC_CDDI:
		return e & ~ISTE_ACTIVE;
	case GIC_CDHM:
		return put_bit(e, ISTE_HM, FIELD(operand, 32, 32));
	default:
		return e;
	}
}

static void write_iste(struct gicv5 *gic, u32 vm, u64 intid, u64 addr, u64 e)
{
	gicv5_mem_write(gic, addr, e, 4);
	idset_put(pending(gic, vm, GICV5_TYPE(intid)), GICV5_ID(intid), e & ISTE_PENDING);
}

/*
 * @operand: as of the GIC CD* instruction @command. True: an interrupt has changed; it was for
 * the VPE @was, and is for the VPE @is.
 */
bool gicv5_vist_command(struct gicv5 *gic, unsigned int cpu, u32 vm, enum gicv5_reg command,
			u64 operand, u32 *was, u32 *is)
{
	struct ist t;
	u64 addr = NO_ENTRY, old, new;

	if (find_ist(gic, vm, GICV5_TYPE(operand), &t))
		addr = find_iste(gic, &t, GICV5_ID(operand));
	if (command == GIC_CDRCFG)
		gic->cpu[cpu].icsr = addr != NO_ENTRY ? icsr(gicv5_mem_read(gic, addr, 4)) :
							ICC_ICSR_F;
	if (addr == NO_ENTRY || command == GIC_CDRCFG)
		return false;
	old = gicv5_mem_read(gic, addr, 4);
	new = changed(old, command, operand);
	if (new == old)
		return false;
	write_iste(gic, vm, operand, addr, new);
	*was = ISTE_VPE(old);
	*is = ISTE_VPE(new);
	return true;
}

/* CDIA has returned it. */
void gicv5_vist_activate(struct gicv5 *gic, u32 vm, u32 intid)
{
	struct ist t;
	u64 addr, e;

	if (!find_ist(gic, vm, GICV5_TYPE(intid), &t))
		return;
	addr = find_iste(gic, &t, GICV5_ID(intid));
	if (addr == NO_ENTRY)
		return;
	e = gicv5_mem_read(gic, addr, 4) | ISTE_ACTIVE;
	if (!(e & ISTE_HM))
		e &= ~ISTE_PENDING;
	write_iste(gic, vm, intid, addr, e);
}

/* Better than @best? A tie goes to the PPI, then the LPI, then the SPI, then the lowest number. */
unsigned int gicv5_vist_hppi(const struct gicv5 *gic, u32 vm, u32 vpe, unsigned int best,
			     u32 *intid)
{
	if (vm >= GICV5_NR_VMS || !gic->vm_mapped[vm])
		return best;
	for (u32 type = GICV5_TYPE_LPI; type <= GICV5_TYPE_SPI; type++) {
		const struct gicv5_idset *s = &gic->vm[vm].pend[type == GICV5_TYPE_SPI];
		struct ist t;
		u32 id = 0;

		if (!idset_next(s, &id) || !find_ist(gic, vm, type, &t))
			continue;
		for (; idset_next(s, &id); id++) {
			u64 addr = find_iste(gic, &t, id);
			u64 e = addr != NO_ENTRY ? gicv5_mem_read(gic, addr, 4) : 0;

			if ((e & (ISTE_PENDING | ISTE_ACTIVE | ISTE_ENABLE)) !=
				    (ISTE_PENDING | ISTE_ENABLE) ||
			    ISTE_VPE(e) != vpe || ISTE_LEVEL(e) >= best)
				continue;
			best = ISTE_LEVEL(e);
			*intid = GICV5_INTID(type, id);
		}
	}
	return best;
}
