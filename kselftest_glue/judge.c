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
	if (needs & NEEDS_CPUS && hello->cpus < 2)
		return lack(NAME_CPUS, "it has one", 0);
	return NULL;
}

bool modelled(const struct program_data *program, uint32_t variants)
{
	for (unsigned int i = 0; i < program->trace_count; i++)
		if (program->traces[i].variants & variants)
			return true;
	return false;
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

/* What a trace has for a record.  ``cursor`` moves on with the records. */
static const struct result *said(const struct suite *suite, const struct trace_data *trace,
				 unsigned int *cursor, unsigned int record)
{
	while (*cursor < trace->count && trace->expected[*cursor].record < record)
		++*cursor;
	if (*cursor < trace->count && trace->expected[*cursor].record == record)
		return &suite->results[trace->expected[*cursor].result];
	return NULL;
}

/* The first record that is not as this trace has it, and what it has there; or their number. */
static unsigned int first_wrong(const struct suite *suite, const struct program_data *program,
				const struct trace_data *trace, const struct result **want)
{
	unsigned int own = 0, base = 0, i;

	for (i = 0; i < program->count; i++) {
		*want = said(suite, trace, &own, i);
		if (!*want)
			*want = said(suite, &program->traces[0], &base, i);
		if (!*want)
			*want = &success;
		if (!agrees(*want, &progress.results[i]))
			break;
	}
	return i;
}

/* The variants whose traces are the one observed; if there are none, ``outcome`` has the nearest. */
static uint32_t compare(const struct suite *suite, const struct program_data *program,
			uint32_t variants, struct outcome *outcome)
{
	uint32_t right = 0;

	outcome->record = 0;
	outcome->expected = success;
	for (unsigned int i = 0; i < program->trace_count; i++) {
		const struct trace_data *trace = &program->traces[i];
		const struct result *want = &success;
		unsigned int wrong;

		if (!(trace->variants & variants))
			continue;
		wrong = first_wrong(suite, program, trace, &want);
		if (wrong == program->count) {
			right |= trace->variants & variants;
		} else if (wrong >= outcome->record) {
			outcome->record = wrong;
			outcome->expected = *want;
		}
	}
	return right;
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
	printf("%soperation %s: %s\n", prefix, program->places[outcome->record],
	       suite->ops[program->ops[outcome->record]].text);
	print_result(prefix, "expected", want->ret, want->status, want->value, want->extra);
	if (want->known != UINT64_MAX)
		printf(" (known bits %#" PRIx64 ")", want->known);
	printf("\n");
	print_result(prefix, "observed", got.ret, got.status, got.value, got.extra);
	printf("\n");
}
