/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Entry and exceptions of the EL1 guest.  It touches no interrupt controller register on its own:
 * their state is under test.  TPIDR_EL1 holds the address of the vCPU's mailbox.
 */
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

/*
 * A synchronous exception.  If it comes from a table of instructions under test (registers.c), keep
 * the first ESR and go on behind the instruction; x0 and x1 are saved on the stack.
 */
sync:
	mrs	x0, elr_el1
	adr	x1, instructions
	cmp	x0, x1
	b.lo	unforeseen_sync
	adr	x1, instructions_end
	cmp	x0, x1
	b.hs	unforeseen_sync
	add	x0, x0, #4
	msr	elr_el1, x0
	mrs	x1, tpidr_el1
	ldr	x0, [x1, #MAILBOX_FAULT]
	cbnz	x0, 1f
	mrs	x0, esr_el1
	orr	x0, x0, #(1 << FAULT_TAKEN_BIT)
	str	x0, [x1, #MAILBOX_FAULT]
1:	ldp	x0, x1, [sp], #16
	eret

unforeseen_sync:
	mov	x0, #4
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
	stp	x2, x3, [sp, #-160]!
	stp	x4, x5, [sp, #16]
	stp	x6, x7, [sp, #32]
	stp	x8, x9, [sp, #48]
	stp	x10, x11, [sp, #64]
	stp	x12, x13, [sp, #80]
	stp	x14, x15, [sp, #96]
	stp	x16, x17, [sp, #112]
	stp	x18, x30, [sp, #128]
	mrs	x0, elr_el1
	mrs	x1, spsr_el1
	stp	x0, x1, [sp, #144]
	mrs	x0, tpidr_el1
	bl	guest_irq
	mov	x2, x0
	ldp	x0, x1, [sp, #144]
	orr	x1, x1, x2, lsl #7	/* PSTATE.I, if it is to stop */
	msr	elr_el1, x0
	msr	spsr_el1, x1
	ldp	x4, x5, [sp, #16]
	ldp	x6, x7, [sp, #32]
	ldp	x8, x9, [sp, #48]
	ldp	x10, x11, [sp, #64]
	ldp	x12, x13, [sp, #80]
	ldp	x14, x15, [sp, #96]
	ldp	x16, x17, [sp, #112]
	ldp	x18, x30, [sp, #128]
	ldp	x2, x3, [sp], #160
	ldp	x0, x1, [sp], #16
	eret

	.macro	vector number, to
	.balign	128
	stp	x0, x1, [sp, #-16]!
	mov	x0, #\number
	b	\to
	.endm

	.section .text.vectors, "ax"
	.balign	2048
vectors:
	.irp	number, 0, 1, 2, 3
	vector	\number, panic
	.endr
	vector	4, sync
	vector	5, irq
	.irp	number, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	vector	\number, panic
	.endr
