// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fuzz target: bytes become accesses to the state machine, whose invariants
 * (replay.c) must hold after each. Eight bytes of value, of which most
 * accesses need few, would be mostly wasted on mutations; so a record is 8
 * bytes in all, and says by which rule the value is made.
 *
 *   byte 0    kind of access (modulo), bits 6-7: form of the value
 *   byte 1    CPU (bits 0-2), EL (3-4), size 8 (5)
 *   byte 2-3  register, offset or SPI
 *   byte 4-7  value
 *
 * The first byte of all: number of CPUs - 1 (bits 0-2), start closed (3), start
 * with a virtual machine (4).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay.h"

#define RECORD	    8
#define MAX_RECORDS 512

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static u64 value(unsigned int form, const u8 *raw)
{
	u32 v;

	memcpy(&v, raw, 4);
	switch (form) {
	case 0: /* few bits, anywhere */
		return BIT(raw[0] & 63) | BIT(raw[1] & 63) | BIT(raw[2] & 63);
	case 1: /* small fields, at both ends; an operand: type, number, and what goes with it */
		return (u64)(raw[0] & 7) << 29 | (u64)raw[1] << 32 | (raw[2] | (raw[3] & 31) << 8);
	case 2:
		return raw[0] & 1 ? ~(u64)v : (u64)v << 32 | (v ^ v >> 16);
	}
	/* M, U, and the numbers of a VM and a VPE; the table's addresses are small as well */
	return (u64)(v >> 30) << 62 | (u64)(v >> 16 & 0xff) << 32 | (v & 0x20000000) << 2 |
	       (v & 0x2000ffff);
}

static u32 where(u8 kind, const u8 *raw)
{
	u16 v;

	memcpy(&v, raw, 2);
	switch (kind) {
	case REPLAY_READ:
	case REPLAY_WRITE: /* known registers, or any encoding at all */
		return v & 0x8000 ? v & 0x7fff : gicv5_ops[v % gicv5_nr_ops].enc;
	case REPLAY_IRS_READ:
	case REPLAY_IRS_WRITE: /* the lower 1 KB, or anything */
		return v & 0x8000 ? (v & 0x7fff) * 2 : v & 0x3fc;
	case REPLAY_MEM_READ:
	case REPLAY_MEM_WRITE: /* densely where make_vm() has its tables */
		return v & 0x8000 ? (v & 0x7fff) * 8 : (v & 0x700) << 4 | (v & 0xfc);
	}
	return v;
}

static void irs(struct replay *r, u32 off, u64 val)
{
	replay_step(r, &(struct replay_access){
			       .kind = REPLAY_IRS_WRITE, .size = 8, .where = off, .val = val });
}

static void irs32(struct replay *r, u32 off, u32 val)
{
	replay_step(r, &(struct replay_access){
			       .kind = REPLAY_IRS_WRITE, .size = 4, .where = off, .val = val });
}

/* Everything switched on, as a kernel leaves it. */
static void open_up(struct replay *r)
{
	static const struct {
		u16 enc;
		u64 val;
	} opening[] = {
		{ SYS_ENC(3, 1, 12, 0, 1), 1 },	       /* ICC_CR0_EL1 */
		{ SYS_ENC(3, 1, 12, 0, 2), 31 },       /* ICC_PCR_EL1 */
		{ SYS_ENC(3, 4, 12, 9, 4), ~(u64)0 },  /* ICH_HFGRTR_EL2 */
		{ SYS_ENC(3, 4, 12, 9, 6), ~(u64)0 },  /* ICH_HFGWTR_EL2 */
		{ SYS_ENC(3, 4, 12, 9, 7), ~(u64)0 },  /* ICH_HFGITR_EL2 */
		{ SYS_ENC(3, 4, 12, 11, 4), 1 },       /* ICH_VCTLR_EL2 */
		{ SYS_ENC(3, 4, 12, 11, 7), ~(u64)0 }, /* ICH_VMCR_EL2 */
	};

	irs32(r, IRS_CR0, 1);
	irs32(r, 0x190, GICV5_LPI_ID_BITS); /* a linear IST of LPIs */
	irs(r, 0x180, (REPLAY_MEM_BASE + 0x8000) | 1);
	for (unsigned int cpu = 0; cpu < r->gic.nr_cpus; cpu++)
		for (size_t i = 0; i < ARRAY_SIZE(opening); i++)
			replay_step(r, &(struct replay_access){
					       .kind = REPLAY_WRITE,
					       .cpu = (u8)cpu,
					       .el = 2,
					       .where = opening[i].enc,
					       .val = opening[i].val,
				       });
}

static void poke(struct replay *r, u32 where, u64 val)
{
	replay_step(r, &(struct replay_access){
			       .kind = REPLAY_MEM_WRITE, .size = 8, .where = where, .val = val });
}

/* VM 1 with 4 VPEs, 32 SPIs and 64 LPIs; VPE 0 is resident on CPU 0. */
static void make_vm(struct replay *r)
{
	const u64 map = BIT(63), base = REPLAY_MEM_BASE;

	irs32(r, 0x210, 8);
	irs(r, 0x200, base | 1);
	poke(r, 0x28, (u64)2 << 59 | (base + 0x1000));
	irs(r, 0x2c8, map | 1);
	poke(r, 0x30, (u64)6 << 59 | (base + 0x2000));
	poke(r, 0x38, (u64)5 << 59 | (base + 0x3000));
	poke(r, 0x3008, 9); /* an SPI that is pending and enabled */
	irs(r, 0x2d0, map | (u64)1 << 32 | (u64)2 << 29);
	irs(r, 0x2d0, map | (u64)1 << 32 | (u64)3 << 29);
	for (u64 vpe = 0; vpe < 4; vpe++) {
		irs(r, 0x2e0, map | (u64)1 << 32 | vpe);
		irs(r, 0x240, map | vpe << 32 | 1);
		irs(r, 0x248, map | vpe);
	}
	replay_step(r, &(struct replay_access){
			       .kind = REPLAY_WRITE,
			       .el = 2,
			       .where = SYS_ENC(3, 4, 12, 11, 6), /* ICH_CONTEXTR_EL2 */
			       .val = map | 1,
		       });
	replay_step(r, &(struct replay_access){ .kind = REPLAY_GUEST, .val = 1 });
}

static void must_hold(u32 broken, size_t record)
{
	if (!broken)
		return;
	fprintf(stderr, "gicv5 fuzz: after record %zu: %s\n", record, replay_invariant(broken));
	abort();
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static struct replay r;
	size_t n = 0;

	if (size < 1)
		return 0;
	replay_init(&r, 1 + (data[0] & 7));
	if (!(data[0] & 8))
		open_up(&r);
	if (data[0] & 16)
		make_vm(&r);
	for (data++, size--; size >= RECORD && n < MAX_RECORDS; data += RECORD, size -= RECORD) {
		struct replay_access a = {
			.kind = (data[0] & 63) % REPLAY_KINDS,
			.cpu = data[1] & 7,
			.el = data[1] >> 3 & 3,
			.size = data[1] & 32 ? 8 : 4,
			.val = value(data[0] >> 6, data + 4),
		};

		a.where = where(a.kind, data + 2);
		must_hold(replay_step(&r, &a).broken, n++);
	}
	must_hold(replay_audit(&r), n);
	return 0;
}
