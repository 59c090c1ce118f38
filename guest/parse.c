// SPDX-License-Identifier: GPL-2.0-or-later
/* Check a program completely before its first ioctl. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "irs.h"
#include "mailbox.h"
#include "program.h"

static const struct {
	uint16_t encoding;
	uint8_t read_flags, write_flags;
} registers[] = {
#define ENTRY(name, op0, op1, crn, crm, op2, encoding, readable, writable) \
	{ encoding, (op0) == 1 ? GUEST_INSTRUCTION : 0,                    \
	  ((op0) == 1 ? GUEST_INSTRUCTION : 0) | ((readable) ? GUEST_READ_BACK : 0) },
	WIRE_REGISTERS(ENTRY)
};

int register_lookup(uint32_t encoding, unsigned int *read_flags, unsigned int *write_flags)
{
	for (unsigned int i = 0; i < sizeof(registers) / sizeof(registers[0]); i++) {
		if (registers[i].encoding != encoding)
			continue;
		*read_flags = registers[i].read_flags;
		*write_flags = registers[i].write_flags;
		return (int)i;
	}
	return -1;
}

static bool is_guest_code(unsigned int code)
{
	return code >= OP_GUEST_READ && code <= OP_GUEST_SPIN;
}

static const char *check_attribute(const struct wire_record *record)
{
	if ((record->arg & 0xff) > ACTION_HAS)
		return "no such action";
	if ((record->arg >> 8 & 0xff) > POINTER_UNMAPPED)
		return "no such pointer";
	return NULL;
}

static const char *check_irs_access(const struct wire_record *record)
{
	if (record->b > 1)
		return "no such width";
	if (record->arg % 4 || record->arg + 4 * (record->b + 1) > IRS_FRAME_SIZE)
		return "no such offset";
	return NULL;
}

/* What is wrong with one record, or NULL. */
static const char *check(const struct wire_record *record)
{
	unsigned int flags;

	if (record->vm >= MAX_VMS)
		return "no such VM";
	if (record->vcpu >= MAX_VCPUS)
		return "no such vCPU";

	switch (record->code) {
	case OP_CREATE_VM:
	case OP_CLOSE_VM:
	case OP_CREATE_DEVICE:
	case OP_PLACE_IRS:
	case OP_CREATE_VCPU:
	case OP_INIT_VCPU:
	case OP_IRQ_LINE:
	case OP_RUN:
	case OP_GUEST_WFI:
	case OP_GUEST_WINDOW:
	case OP_PARALLEL:
	case OP_BRANCH:
		return NULL;
	case OP_DELAY:
	case OP_GUEST_SPIN:
		return record->a <= MAX_DELAY_NS ? NULL : "too long a delay";
	case OP_DEVICE_ATTR:
	case OP_VCPU_ATTR:
		return check_attribute(record);
	case OP_COPY_REG:
		return (record->arg & 0xffff) < MAX_VMS ? NULL : "no such destination VM";
	case OP_ONE_REG:
		return record->arg <= ACTION_GET ? NULL : "no such action";
	case OP_IST: {
		const char *wrong = check_attribute(record);

		return wrong ? wrong : ist_check(record);
	}
	case OP_IST_ENTRY:
		return ist_check(record);
	case OP_GUEST_IRS_READ:
	case OP_GUEST_IRS_WRITE:
		return check_irs_access(record);
	case OP_GUEST_READ:
	case OP_GUEST_WRITE:
		return register_lookup(record->arg, &flags, &flags) < 0 ? "no such register" : NULL;
	}
	return "no such operation";
}

/* How far the section under way goes, and the branch of it. */
struct nesting {
	uint32_t section_end, branches, branch_end;
	uint8_t runs[MAX_VMS], others[MAX_VMS]; /* vCPUs that this branch, and others, run */
};

static bool belongs_into_a_branch(unsigned int code)
{
	switch (code) {
	case OP_CLOSE_VM:
	case OP_CREATE_DEVICE:
	case OP_INIT_VCPU:
	case OP_DEVICE_ATTR:
	case OP_VCPU_ATTR:
	case OP_COPY_REG:
	case OP_ONE_REG:
	case OP_IRQ_LINE:
	case OP_RUN:
	case OP_DELAY:
		return true;
	}
	return is_guest_code(code);
}

/* What is wrong with a record in its place, or NULL. */
static const char *check_nesting(struct nesting *nesting, const struct wire_record *record,
				 uint32_t index, uint32_t count)
{
	unsigned int code = record->code;

	if (code == OP_PARALLEL) {
		if (index < nesting->section_end)
			return "a section in a section";
		if (!record->arg || record->arg > MAX_BRANCHES || record->a >= count - index)
			return "no such section";
		*nesting = (struct nesting){
			index + 1 + (uint32_t)record->a, record->arg, index + 1, { 0 }, { 0 }
		};
		return NULL;
	}
	if (index >= nesting->section_end)
		return code == OP_BRANCH ? "a branch outside of a section" : NULL;
	if (index == nesting->branch_end) {
		if (code != OP_BRANCH || !nesting->branches-- ||
		    record->a >= nesting->section_end - index)
			return "no such branch";
		nesting->branch_end = index + 1 + (uint32_t)record->a;
		for (unsigned int vm = 0; vm < MAX_VMS; vm++)
			nesting->others[vm] |= nesting->runs[vm];
		memset(nesting->runs, 0, sizeof(nesting->runs));
	} else if (!belongs_into_a_branch(code)) {
		return "not for a branch";
	} else if (code == OP_RUN || code == OP_INIT_VCPU) {
		if (nesting->others[record->vm] & 1 << record->vcpu)
			return "another branch runs this vCPU";
		if (code == OP_RUN && record->a >= nesting->branch_end - index)
			return "a RUN beyond its branch";
		nesting->runs[record->vm] |= (uint8_t)(1 << record->vcpu);
	}
	if (index + 1 == nesting->section_end && nesting->branches)
		return "a section without all of its branches";
	if (index + 1 == nesting->section_end && index + 1 != nesting->branch_end)
		return "a branch beyond its section";
	return NULL;
}

static bool reject(char *reason, size_t size, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(reason, size, format, args);
	va_end(args);
	return false;
}

bool program_parse(struct program *program, const uint8_t *payload, size_t size, char *reason,
		   size_t reason_size)
{
	struct wire_run head;
	uint64_t guest = 0; /* guest records that the last RUN announced */
	struct nesting nesting = { 0 };

	if (size < sizeof(head))
		return reject(reason, reason_size, "a program of %zu bytes", size);
	memcpy(&head, payload, sizeof(head));
	if (head.records > MAX_RECORDS)
		return reject(reason, reason_size, "%u records, at most %u", head.records,
			      MAX_RECORDS);
	if (size != sizeof(head) + head.records * sizeof(program->records[0]))
		return reject(reason, reason_size, "%zu bytes do not hold %u records", size,
			      head.records);

	program->deadline_ms = head.deadline_ms;
	program->count = head.records;
	memcpy(program->records, payload + sizeof(head), size - sizeof(head));

	for (uint32_t i = 0; i < program->count; i++) {
		const struct wire_record *record = &program->records[i];
		const char *wrong = check(record);

		if (!wrong && is_guest_code(record->code) != (guest > 0))
			wrong = guest ? "not a guest operation, inside a RUN" :
					"a guest operation outside a RUN";
		if (!wrong)
			wrong = check_nesting(&nesting, record, i, program->count);
		if (wrong)
			return reject(reason, reason_size, "record %u (code %u): %s", i,
				      record->code, wrong);
		if (guest)
			guest--;
		else if (record->code == OP_RUN)
			guest = record->a;
	}
	if (guest)
		return reject(reason, reason_size, "the last RUN misses %llu guest operations",
			      (unsigned long long)guest);
	return true;
}
