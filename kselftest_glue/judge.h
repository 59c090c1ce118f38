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

/* What one record of a program is to give: indices into the program and the suite's results. */
struct expectation {
	uint16_t record, result;
};

/*
 * One trace that is right on hosts and kernels of these variants: in this mask bit VARIANT_A |
 * VARIANT_B is the one with A and B.  A record that ``expected`` (in their order) does not name
 * gives what the program's first trace has, and if that does not name it either, success with zero.
 */
struct trace_data {
	uint32_t variants;
	uint16_t count;
	const struct expectation *expected;
};

struct program_data {
	const char *name;
	uint32_t needs; /* NEEDS_* */
	uint16_t count, trace_count;
	const uint16_t *ops;	   /* indices into the suite's ops */
	const char *const *places; /* what people call the records: "6.0" */
	const struct trace_data *traces;
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
	uint32_t variants;   /* AGREES: those of a trace that is the one observed */
	unsigned int record; /* DIFFERS: the first that is wrong in the nearest trace */
	struct result expected;
	unsigned long number; /* REPORTED: bits of the taint; KILLED: the signal; NO_PROCESS: errno */
};

/* The first thing that a program needs and this host lacks, as text; NULL if it has all. */
const char *lacking(uint32_t needs, const struct wire_hello *hello);

/* Whether the model has an answer for these variants (a mask). */
bool modelled(const struct program_data *program, uint32_t variants);

/* Run a program in a process of its own and judge it by these variants (a mask). */
struct outcome judge(const struct suite *suite, const struct program_data *program,
		     uint32_t variants);

/* Print what an outcome other than AGREES is, in lines that begin with ``prefix``. */
void print_outcome(const struct suite *suite, const struct program_data *program,
		   const struct outcome *outcome, const char *prefix);
