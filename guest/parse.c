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
	return code >= OP_GUEST_READ && code <= OP_GUEST_IRS_WRITE;
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
		return NULL;
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
