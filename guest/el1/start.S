/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Entry and exceptions of the EL1 guest.  It touches no interrupt controller register on its own:
 * their state is under test.  TPIDR_EL1 holds the address of the vCPU's mailbox.
 */
#include "exceptions.S"
#include "mailbox.h"

	.section .text.start, "ax"
	.global _start
_start:
	/*
	 * KVM completes an MMIO write at the next KVM_RUN by skipping one instruction.  If the agent
	 * has reset the PC meanwhile, this is the one.
	 */
	nop
	msr	daifset, #0xf
	msr	spsel, #1
	msr	tpidr_el1, x0
	add	sp, x0, #MAILBOX_STACK_TOP
	adr	x1, vectors
	msr	vbar_el1, x1
	isb
	bl	guest_main
	mov	x1, #GUEST_MMIO_END
	str	xzr, [x1]
	mrs	x0, tpidr_el1
	b	_start

sync:
	handle_sync MAILBOX_FAULT, FAULT_TAKEN_BIT, panic

/* Anything else, x0: number of the vector.  Tell the agent; the next Run starts afresh. */
panic:
	mrs	x1, tpidr_el1
	mrs	x2, esr_el1
	mrs	x3, elr_el1
	str	x0, [x1, #MAILBOX_PANIC]
	stp	x2, x3, [x1, #MAILBOX_PANIC + 8]
	mov	x1, #(GUEST_MMIO_PANIC & 0xffff)
	movk	x1, #(GUEST_MMIO_PANIC >> 16), lsl #16
	str	xzr, [x1]
	mrs	x0, tpidr_el1
	b	_start

irq:
	handle_irq guest_irq

	.section .text.vectors, "ax"
	vector_table sync, irq, panic
