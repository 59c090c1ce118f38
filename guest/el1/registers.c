// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The instructions under test: one to read and one to write each register of the wire's table, as a
 * function of two instructions.  All of one table have the same size, so an index selects one.
 * Whatever is in this section may take an exception (start.S).
 *
 * They are spelled as numbers because no released assembler knows all of them.
 */
#include "registers.h"

/* MRS and MSR (op0 is 3), or SYSL and SYS (op0 is 1), with x0. */
#define ENCODE(read, op0, op1, crn, crm, op2)                                          \
	".inst 0xd5000000 | " #read " << 21 | " #op0 " << 19 | " #op1 " << 16 | " #crn \
	" << 12 | " #crm " << 8 | " #op2 " << 5\n\tret\n\t"
#define READ(name, op0, op1, crn, crm, op2, encoding, readable, writable) \
	ENCODE(1, op0, op1, crn, crm, op2)
#define WRITE(name, op0, op1, crn, crm, op2, encoding, readable, writable) \
	ENCODE(0, op0, op1, crn, crm, op2)

#define INSTRUCTIONS(name, words)                                          \
	__asm__(".pushsection .text.instructions, \"ax\"\n\t.balign 8\n\t" \
		".global " name "\n" name ":\n\t" words "\n\t.popsection\n")

INSTRUCTIONS("read_table", WIRE_REGISTERS(READ));
INSTRUCTIONS("write_table", WIRE_REGISTERS(WRITE));
INSTRUCTIONS("gsb_sys", ".inst 0xd508c01f\n\tisb\n\tret");
INSTRUCTIONS("gsb_ack", ".inst 0xd508c03f\n\tisb\n\tret");
