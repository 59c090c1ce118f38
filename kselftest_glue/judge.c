// SPDX-License-Identifier: GPL-2.0-or-later
#include "judge.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "program.h"

#define DEADLINE_MS 10000

static const struct result success = { .status = STATUS_DONE, .known = UINT64_MAX };

static const char *lack(const char *what, const char *evidence, int error)
{
	static char text[80];

	snprintf(text, sizeof(text), "%s: %s%s", what, evidence,
		 error ? strerrorname_np(error) : "");
	return text;
}

const char *lacking(uint32_t needs, const struct wire_hello *hello)
{
	if (needs & NEEDS_VGIC_V5 && hello->kvm_errno)
		return lack(NAME_VGIC_V5, "/dev/kvm: ", hello->kvm_errno);
	if (needs & NEEDS_VGIC_V5 && hello->vgic_v5_errno)
		return lack(NAME_VGIC_V5, "", hello->vgic_v5_errno);
	if (needs & NEEDS_CPU_SYSREGS && hello->sysregs_errno)
		return lack(NAME_CPU_SYSREGS, "", hello->sysregs_errno);
	if (needs & NEEDS_NO_CPU_SYSREGS && !hello->sysregs_errno)
		return lack(NAME_NO_CPU_SYSREGS, "this one has them", 0);
	if (needs & NEEDS_IRS && hello->irs_errno)
		return lack(NAME_IRS, "ADDR: ", hello->irs_errno);
	if (needs & NEEDS_PMU && !hello->pmu)
		return lack(NAME_PMU, "absent", 0);
	return NULL;
}

/* Bits that a WARN, an oops and the like set; 0 if unknown. */
static unsigned long tainted(void)
{
	FILE *file = fopen("/proc/sys/kernel/tainted", "r");
	unsigned long bits = 0;

	if (file && fscanf(file, "%lu", &bits) != 1)
		bits = 0;
	if (file)
		fclose(file);
	return bits;
}

static bool agrees(const struct result *want, const volatile struct wire_result *got)
{
	return want->ret == got->ret && want->status == got->status &&
	       !((want->value ^ got->value) & want->known) && want->extra == got->extra;
}

/* Which of the variants explain all results; where the last of them failed is in ``outcome``. */
static uint32_t compare(const struct suite *suite, const struct program_data *program,
			uint32_t variants, struct outcome *outcome)
{
	const struct expectation *next = program->expected;
	const struct expectation *end = next + program->expected_count;

	for (unsigned int i = 0; i < program->count; i++) {
		const volatile struct wire_result *got = &progress.results[i];
		uint32_t right = 0, said = 0;

		outcome->record = i;
		outcome->expected = success;
		for (; next < end && next->record == i; next++) {
			const struct result *want = &suite->results[next->result];

			said |= next->variants;
			if (agrees(want, got))
				right |= next->variants;
			if (next->variants & variants)
				outcome->expected = *want;
		}
		if (agrees(&success, got))
			right |= ~said;
		outcome->variants = variants;
		variants &= right;
		if (!variants)
			break;
	}
	return variants;
}

struct outcome judge(const struct suite *suite, const struct program_data *program,
		     uint32_t variants)
{
	struct outcome outcome = { .kind = AGREES };
	unsigned long before = tainted();
	uint32_t ending, signal, right;
	int error;

	progress.program.deadline_ms = DEADLINE_MS;
	progress.program.count = program->count;
	for (unsigned int i = 0; i < program->count; i++)
		memcpy((void *)&progress.program.records[i], &suite->ops[program->ops[i]].record,
		       sizeof(struct wire_record));
	progress.sequence++;
	error = program_supervise(&ending, &signal);
	if (error)
		return (struct outcome){ .kind = NO_PROCESS, .number = (unsigned long)-error };

	right = compare(suite, program, variants, &outcome);
	outcome.number = tainted() & ~before;
	if (outcome.number) {
		outcome.kind = REPORTED;
	} else if (ending == ENDING_KILLED) {
		outcome.kind = KILLED;
		outcome.number = signal;
	} else if (ending == ENDING_DEADLINE) {
		outcome.kind = UNFINISHED;
	} else if (!right) {
		outcome.kind = DIFFERS;
	} else {
		outcome.variants = right;
	}
	return outcome;
}

/* "6.0": guest operation 0 of operation 6. */
static void print_place(const struct suite *suite, const struct program_data *program,
			unsigned int record)
{
	unsigned int operation = 0, first = 0, guests = 0;

	for (unsigned int i = 0; i < record; i++) {
		const struct wire_record *passed = &suite->ops[program->ops[i]].record;

		if (guests) {
			guests--;
		} else if (passed->code == OP_RUN) {
			guests = (unsigned int)passed->a;
			first = i + 1;
		}
		operation += !guests;
	}
	if (guests)
		printf("%u.%u", operation, record - first);
	else
		printf("%u", operation);
}

static void print_result(const char *prefix, const char *what, int ret, uint32_t status,
			 uint64_t value, uint64_t extra)
{
	printf("%s  %s ret %d status %u value %#" PRIx64 " extra %#" PRIx64, prefix, what, ret,
	       status, value, extra);
}

void print_outcome(const struct suite *suite, const struct program_data *program,
		   const struct outcome *outcome, const char *prefix)
{
	const struct result *want = &outcome->expected;
	struct wire_result got;

	switch (outcome->kind) {
	case AGREES:
		return;
	case REPORTED:
		printf("%sthe kernel reported something (tainted: %#lx); see its log\n", prefix,
		       outcome->number);
		return;
	case KILLED:
		printf("%sthe program was killed by signal %lu\n", prefix, outcome->number);
		return;
	case NO_PROCESS:
		printf("%sno process: %s\n", prefix, strerror((int)outcome->number));
		return;
	case UNFINISHED:
		printf("%sthe program did not finish\n", prefix);
		return;
	case DIFFERS:
		break;
	}
	got = progress.results[outcome->record];
	printf("%soperation ", prefix);
	print_place(suite, program, outcome->record);
	printf(": %s\n", suite->ops[program->ops[outcome->record]].text);
	print_result(prefix, "expected", want->ret, want->status, want->value, want->extra);
	if (want->known != UINT64_MAX)
		printf(" (known bits %#" PRIx64 ")", want->known);
	printf("\n");
	print_result(prefix, "observed", got.ret, got.status, got.value, got.extra);
	printf("\n");
}
