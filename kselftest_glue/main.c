// SPDX-License-Identifier: GPL-2.0-or-later
/* One family of the suite as a kernel selftest: a KTAP result for each program. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>

#include "agent.h"
#include "host.h"
#include "judge.h"
#include "kmsg.h"
#include "kselftest.h"
#include "tests.h"

#define READ_ALL  3 /* of the kernel log, syslog(2) */
#define LOG_BYTES (1 << 20)

/*
 * VHE, unless KVM said something else when it started (kvm_arm_init() of arch/arm64/kvm/arm.c:
 * "Hyp nVHE mode initialized").
 */
static bool is_vhe(void)
{
	char *log = calloc(1, LOG_BYTES + 1);
	bool vhe = !log || klogctl(READ_ALL, log, LOG_BYTES) < 0 ||
		   !(strstr(log, "nVHE mode initialized") || strstr(log, "hVHE mode initialized"));

	free(log);
	return vhe;
}

/*
 * What this kernel and its host may be taken for.  Whether it takes register writes after a vCPU
 * has run must not be guessed: both are possible until a program has told.
 */
static uint32_t possible_variants(const struct wire_hello *hello)
{
	unsigned int here = (hello->sysregs_errno ? 0 : VARIANT_ACCESSORS) |
			    (hello->irs_errno ? 0 : VARIANT_IRS) | (is_vhe() ? VARIANT_VHE : 0) |
			    (hello->pmu ? VARIANT_PMU : 0);
	uint32_t variants = 0;

	if (LATE_WRITES_MAY_BE_REFUSED)
		variants |= 1u << here;
	if (LATE_WRITES_MAY_BE_EXPOSED)
		variants |= 1u << (here | VARIANT_EXPOSED);
	return variants;
}

/* Print what the kernel logged meanwhile.  True if it is a report of something wrong. */
static bool kernel_reported(void)
{
	static const char *const signs[] = {
		"WARNING:",    "BUG:",	 "cut here",  "Internal error",	       "Unable to handle",
		"rcu: INFO: ", "UBSAN:", "HYP panic", "blocked for more than",
	};
	const char *log;
	size_t size = kmsg_read(&log);
	char *text = strndup(log, size), *rest = text, *line;
	bool reported = false;

	if (!text)
		return false;
	for (unsigned int i = 0; i < ARRAY_SIZE(signs); i++)
		reported |= strstr(text, signs[i]) != NULL;
	while (reported && (line = strsep(&rest, "\n")))
		if (*line)
			ksft_print_msg("kernel: %s\n", line);
	free(text);
	return reported;
}

/* Judge a program and print its result.  Narrows ``variants`` to those that explain it. */
static void test(const struct suite *suite, const struct program_data *program, uint32_t *variants)
{
	struct outcome outcome = judge(suite, program, *variants);
	bool reported;

	fflush(stdout);
	reported = kernel_reported();
	print_outcome(suite, program, &outcome, "# ");
	if (outcome.kind == AGREES && !reported) {
		*variants = outcome.variants;
		ksft_test_result_code(KSFT_PASS, program->name, NULL);
	} else {
		ksft_test_result_code(KSFT_FAIL, program->name, NULL);
	}
}

int main(void)
{
	struct wire_hello hello;
	uint32_t variants;
	int error = host_init();

	ksft_print_header();
	if (error)
		ksft_exit_skip("no memory for guests: %s\n", strerror(-error));
	probe(&hello);
	variants = possible_variants(&hello);
	kmsg_open();

	/* All families must find the kernel to be the same, so all ask it the same first. */
	if (!lacking(witness.programs[0].needs, &hello)) {
		struct outcome told = judge(&witness, &witness.programs[0], variants);

		if (told.kind == AGREES)
			variants = told.variants;
	}

	ksft_set_plan(family.count);
	for (unsigned int i = 0; i < family.count; i++) {
		const struct program_data *program = &family.programs[i];
		const char *lacks = lacking(program->needs, &hello);

		if (lacks)
			ksft_test_result_code(KSFT_SKIP, program->name, "%s", lacks);
		else if (!modelled(program, variants))
			ksft_test_result_code(KSFT_SKIP, program->name, "outside the model here");
		else
			test(&family, program, &variants);
	}
	if (ksft_cnt.ksft_xskip == family.count) {
		ksft_print_cnts();
		return KSFT_SKIP;
	}
	ksft_finished();
}
