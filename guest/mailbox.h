/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the agent and the EL1 guest share: the guest's address map, and one mailbox per vCPU.
 *
 * The guest runs with its MMU off.  On hardware that makes its data accesses Device memory, unless
 * FEAT_S2FWB is there: KVM then makes them write-back cacheable, so both sides see the same.  Every
 * CPU with a GICv5 has it.
 */
#pragma once

/* Guest physical addresses.  One memory slot: the image, then a mailbox for each vCPU. */
#define GUEST_CODE_BASE 0x40000000
#define GUEST_CODE_SIZE 0x10000
#define GUEST_DATA_BASE (GUEST_CODE_BASE + GUEST_CODE_SIZE)

/* A write here leaves the guest: the list is done, or the guest took an unforeseen exception. */
#define GUEST_MMIO_END	 0x10000000
#define GUEST_MMIO_PANIC 0x10000100

#define MAILBOX_SIZE 0x10000

/* Offsets for the assembler; mailbox.h's own assertions keep them right. */
#define MAILBOX_FAULT	  16
#define MAILBOX_PANIC	  24
#define MAILBOX_STACK_TOP 1024

/* Set in ``fault``, beside ESR_EL1 (whose bits [63:56] are RES0). */
#define FAULT_TAKEN_BIT 63

#ifndef __ASSEMBLER__
#include <stddef.h>
#include <stdint.h>

#include "wire.h"

/* ``waiting`` if the vCPU starts powered off: the guest clears it if it runs. */
#define WAITING_TO_START UINT64_MAX

enum guest_flags {
	GUEST_INSTRUCTION = 1, /* op0 is 1: a GIC instruction, not a register */
	GUEST_READ_BACK = 2,   /* the register that was written can be read */
	GUEST_WIDE = 4,	       /* an access to the IRS of 64 bits, not 32 */
};

struct guest_entry {
	uint32_t code; /* an OP_GUEST_* */
	uint16_t reg;  /* index into WIRE_REGISTERS */
	uint16_t flags;
	uint64_t operand;
	uint32_t status; /* a STATUS_*; the agent puts STATUS_NOT_REACHED */
	uint32_t offset; /* from IRS_BASE */
	uint64_t value, extra;
};

struct mailbox {
	uint64_t count;
	uint64_t waiting; /* 1 + index of the WFI that the guest is executing, or 0 */
	uint64_t fault;
	struct {
		uint64_t vector, esr, elr;
	} panic;
	uint64_t irqs, first_intid; /* of the current WINDOW */
	uint8_t stack[MAILBOX_STACK_TOP - 64];
	struct guest_entry entries[MAX_RECORDS];
};

_Static_assert(offsetof(struct mailbox, fault) == MAILBOX_FAULT, "start.S");
_Static_assert(offsetof(struct mailbox, panic) == MAILBOX_PANIC, "start.S");
_Static_assert(offsetof(struct mailbox, entries) == MAILBOX_STACK_TOP, "start.S");
_Static_assert(sizeof(struct mailbox) <= MAILBOX_SIZE, "a mailbox does not fit");
#endif
