/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Programs with what the reference model expects of them, as data, and their judge.  The data is
 * what harness/kselftest/tables.py prints, NEEDS_* and VARIANT_* are its, too.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "capabilities.h"
#include "wire.h"

/* One record of a program, and how people read it. */
struct op {
	struct wire_record record;
	const char *text;
};

struct result {
	int32_t ret;
	uint32_t status;
	uint64_t value, extra;
	uint64_t known; /* the bits of ``value`` that the model knows */
};

/*
 * What one record of a program is to give on hosts and kernels of these variants: bit VARIANT_A |
 * VARIANT_B is the one with A and B.  Where nothing is said, it is to succeed with zero.
 */
struct expectation {
	uint16_t record, result; /* indices into the program, and into the suite's results */
	uint32_t variants;
};

struct program_data {
	const char *name;
	uint32_t needs; /* NEEDS_* */
	uint16_t count, expected_count;
	const uint16_t *ops;		    /* indices into the suite's ops */
	const struct expectation *expected; /* by record */
};

struct suite {
	const struct op *ops;
	const struct result *results;
	const struct program_data *programs;
	unsigned int count;
};

enum outcome_kind { AGREES, DIFFERS, REPORTED, UNFINISHED, KILLED, NO_PROCESS };

struct outcome {
	enum outcome_kind kind;
	/* AGREES: the variants that explain the trace.  DIFFERS: those that did until ``record``. */
	uint32_t variants;
	unsigned int record;
	struct result expected;
	unsigned long number; /* REPORTED: bits of the taint; KILLED: the signal; NO_PROCESS: errno */
};

/* The first thing that a program needs and this host lacks, as text; NULL if it has all. */
const char *lacking(uint32_t needs, const struct wire_hello *hello);

/* Run a program in a process of its own and judge it by these variants (a mask). */
struct outcome judge(const struct suite *suite, const struct program_data *program,
		     uint32_t variants);

/* Print what an outcome other than AGREES is, in lines that begin with ``prefix``. */
void print_outcome(const struct suite *suite, const struct program_data *program,
		   const struct outcome *outcome, const char *prefix);
