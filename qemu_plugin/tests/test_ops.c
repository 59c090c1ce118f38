// SPDX-License-Identifier: GPL-2.0-or-later
/* Encodings, who owns them, and the fine-grained trap of each access. */
#include <stdio.h>
#include <string.h>

#include "check.h"

/*
 * The trap bits once more, written down from the register descriptions and not
 * from gicv5_ops.c. -1: never trapped, or no such access.
 */
static const struct {
	const char *name; /* prefix of the name */
	int read, write;
} traps[] = {
	{ "ICC_APR_EL1", 0, 0 },
	{ "ICC_IDR0_EL1", 1, -1 },
	{ "ICC_CR0_EL1", 2, 2 },
	{ "ICC_HPPIR_EL1", 4, -1 },
	{ "ICC_PCR_EL1", 5, 5 },
	{ "ICC_ICSR_EL1", 6, 6 },
	{ "ICC_IAFFIDR_EL1", 7, -1 },
	{ "ICC_PPI_HMR", 16, -1 },
	{ "ICC_PPI_ENABLER", 17, 17 },
	{ "ICC_PPI_CPENDR", 18, 18 },
	{ "ICC_PPI_SPENDR", 18, 18 },
	{ "ICC_PPI_PRIORITYR", 19, 19 },
	{ "ICC_PPI_CACTIVER", 20, 20 },
	{ "ICC_PPI_SACTIVER", 20, 20 },
	{ "GIC_CDEN", -1, 0 },
	{ "GIC_CDDIS", -1, 1 },
	{ "GIC_CDPRI", -1, 2 },
	{ "GIC_CDAFF", -1, 3 },
	{ "GIC_CDPEND", -1, 4 },
	{ "GIC_CDRCFG", -1, 5 },
	{ "GIC_CDHM", -1, 6 },
	{ "GIC_CDEOI", -1, 7 },
	{ "GIC_CDDI", -1, 8 },
	{ "GICR_CDIA", 9, -1 },
	{ "GICR_CDNMIA", 10, -1 },
	{ "GSB_", -1, -1 },
	{ "ICH_", -1, -1 },
};

/* GIC_CDDI is a prefix of GIC_CDDIS: the longest match is meant. */
static void expected(const char *name, int *read, int *write)
{
	size_t best = 0;

	for (size_t i = 0; i < ARRAY_SIZE(traps); i++) {
		size_t len = strlen(traps[i].name);

		if (len > best && !strncmp(name, traps[i].name, len)) {
			best = len;
			*read = traps[i].read;
			*write = traps[i].write;
		}
	}
	CHECK(best);
}

/* With one bit clear in all three registers: trapped iff it is the access's own. */
static void fgt_one(const struct gicv5_op *op, bool read, int want, int clear)
{
	struct gicv5_cpu c = { .hfgrtr = ~(u64)0, .hfgwtr = ~(u64)0, .hfgitr = ~(u64)0 };
	u64 *own = op->class == GICV5_GIC ? &c.hfgitr : read ? &c.hfgrtr : &c.hfgwtr;

	*own = ~BIT(clear);
	CHECK_EQ(gicv5_fgt_traps(&c, op, read), clear == want);
	/* the other registers have no say */
	*own = ~(u64)0;
	if (own != &c.hfgrtr)
		c.hfgrtr = 0;
	if (own != &c.hfgwtr)
		c.hfgwtr = 0;
	if (own != &c.hfgitr)
		c.hfgitr = 0;
	CHECK(!gicv5_fgt_traps(&c, op, read));
}

static void test_fgt(void)
{
	for (unsigned int i = 0; i < gicv5_nr_ops; i++) {
		const struct gicv5_op *op = &gicv5_ops[i];
		int read = -2, write = -2;

		if (op->class == GICV5_UNDEF || op->class == GICV5_EL2_ONLY)
			continue;
		expected(op->name, &read, &write);
		for (int bit = 0; bit < 32; bit++) {
			if (op->access & OP_R)
				fgt_one(op, true, read, bit);
			if (op->access & OP_W)
				fgt_one(op, false, write, bit);
		}
	}
}

static void test_table(void)
{
	for (unsigned int i = 0; i < gicv5_nr_ops; i++) {
		/* found by its encoding, hence no encoding is listed twice */
		CHECK(gicv5_find_op(gicv5_ops[i].enc) == &gicv5_ops[i]);
		CHECK(gicv5_owns_encoding(gicv5_ops[i].enc));
		for (unsigned int j = 0; j < i; j++)
			CHECK(strcmp(gicv5_ops[i].name, gicv5_ops[j].name));
	}
	CHECK(gicv5_nr_ops <= 256); /* struct insn keeps the index in a byte */
	/* attribute values of KVM's CPU_SYSREGS */
	CHECK_EQ(op_named("ICC_ICSR_EL1")->enc, 0xc654);
	CHECK_EQ(op_named("ICC_PPI_ENABLER0_EL1")->enc, 0xc656);
	CHECK_EQ(op_named("ICC_PPI_SACTIVER1_EL1")->enc, 0xc66b);
	CHECK_EQ(op_named("ICC_PPI_SPENDR0_EL1")->enc, 0xc66e);
	CHECK_EQ(op_named("ICC_PPI_PRIORITYR0_EL1")->enc, 0xc670);
	CHECK_EQ(op_named("ICC_PPI_PRIORITYR15_EL1")->enc, 0xc67f);
	CHECK_EQ(op_named("ICC_APR_EL1")->enc, 0xce00);
	CHECK_EQ(op_named("ICC_PCR_EL1")->enc, 0xce02);
	CHECK_EQ(op_named("ICH_PPI_PRIORITYR9_EL2")->enc, SYS_ENC(3, 4, 12, 15, 1));
	CHECK_EQ(op_named("ICH_PPI_ACTIVER1_EL2")->enc, SYS_ENC(3, 4, 12, 10, 7));
	CHECK_EQ(op_named("GICR_CDIA")->enc, SYS_ENC(1, 0, 12, 3, 0));
	CHECK_EQ(op_named("GIC_VDPEND")->enc, SYS_ENC(1, 4, 12, 1, 4));
	CHECK_EQ(op_named("GIC_VDHM")->enc, SYS_ENC(1, 4, 12, 2, 1));
	/* UNDEF at EL1: by their class, sysreg.c lets only EL2 have them */
	CHECK_EQ(op_named("GIC_VDPEND")->class, GICV5_EL2_ONLY);
}

static void test_neighbours(void)
{
	static const u16 not_ours[] = {
		SYS_ENC(3, 0, 12, 0, 0),  /* VBAR_EL1 */
		SYS_ENC(3, 0, 12, 1, 0),  /* ISR_EL1 */
		SYS_ENC(3, 0, 12, 8, 0),  /* ICC_IAR0_EL1 */
		SYS_ENC(3, 0, 12, 9, 0),  /* ICC_AP1R0_EL1 */
		SYS_ENC(3, 0, 12, 11, 5), /* ICC_SGI1R_EL1 */
		SYS_ENC(3, 0, 12, 12, 5), /* ICC_SRE_EL1 */
		SYS_ENC(3, 0, 12, 12, 0), /* ICC_IAR1_EL1 */
		SYS_ENC(3, 4, 12, 0, 0),  /* VBAR_EL2 */
		SYS_ENC(3, 4, 12, 8, 0),  /* ICH_AP0R0_EL2 */
		SYS_ENC(3, 4, 12, 9, 5),  /* ICC_SRE_EL2 */
		SYS_ENC(3, 4, 12, 11, 0), /* ICH_HCR_EL2 */
		SYS_ENC(3, 4, 12, 11, 5), /* ICH_ELRSR_EL2 */
		SYS_ENC(3, 4, 12, 12, 0), /* ICH_LR0_EL2 */
		SYS_ENC(3, 5, 12, 0, 0),  /* VBAR_EL12 */
		SYS_ENC(3, 6, 12, 12, 5), /* ICC_SRE_EL3 */
		SYS_ENC(1, 0, 7, 1, 0),	  /* IC IALLUIS */
		SYS_ENC(1, 6, 12, 1, 0),  /* GIC LDDIS */
	};
	static const u16 unknown[] = {
		SYS_ENC(1, 0, 12, 1, 6), SYS_ENC(1, 0, 12, 0, 2), SYS_ENC(1, 0, 12, 9, 0),
		SYS_ENC(3, 1, 12, 0, 4), SYS_ENC(3, 4, 12, 8, 6),
	};

	for (size_t i = 0; i < ARRAY_SIZE(not_ours); i++)
		CHECK(!gicv5_owns_encoding(not_ours[i]));
	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++) {
		CHECK(gicv5_owns_encoding(unknown[i]));
		CHECK(!gicv5_find_op(unknown[i]));
	}
}

void test_ops(void)
{
	test_table();
	test_neighbours();
	test_fgt();
}
