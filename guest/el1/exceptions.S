/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Exceptions at EL1: macros for whatever runs there on its own.  To be included. */

/* A vector pushes x0 and x1 and goes on with its number in x0. */
	.macro	vector number, to
	.balign	128
	stp	x0, x1, [sp, #-16]!
	mov	x0, #\number
	b	\to
	.endm

/* The table `vectors`: synchronous exceptions and IRQs of EL1 itself, and what should not happen. */
	.macro	vector_table sync, irq, other
	.balign	2048
vectors:
	.irp	number, 0, 1, 2, 3
	vector	\number, \other
	.endr
	vector	4, \sync
	vector	5, \irq
	.irp	number, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	vector	\number, \other
	.endr
	.endm

/*
 * Calls function(TPIDR_EL1).  If what it returns has bit 0 set, IRQs stay masked where the interrupt
 * came from.
 */
	.macro	handle_irq function
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
	bl	\function
	mov	x2, x0
	ldp	x0, x1, [sp, #144]
	orr	x1, x1, x2, lsl #7	/* PSTATE.I */
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
	.endm

/*
 * A synchronous exception of an instruction under test (registers.c): keep the first ESR, with the
 * bit TAKEN, at TPIDR_EL1 + SLOT, and go on behind the instruction.  Any other goes to OTHER.
 */
	.macro	handle_sync slot, taken, other
	mrs	x0, elr_el1
	adrp	x1, instructions
	add	x1, x1, :lo12:instructions
	cmp	x0, x1
	b.lo	.Lother\@
	adrp	x1, instructions_end
	add	x1, x1, :lo12:instructions_end
	cmp	x0, x1
	b.hs	.Lother\@
	add	x0, x0, #4
	msr	elr_el1, x0
	mrs	x1, tpidr_el1
	ldr	x0, [x1, #\slot]
	cbnz	x0, .Lkept\@
	mrs	x0, esr_el1
	orr	x0, x0, #(1 << \taken)
	str	x0, [x1, #\slot]
.Lkept\@:
	ldp	x0, x1, [sp], #16
	eret
.Lother\@:
	mov	x0, #4
	b	\other
	.endm
