/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A bare-metal program at EL2: entry, exceptions, and the code that runs at several addresses. */
	.section .text.start, "ax"
	.global	_start
_start:
	ldr	x0, =stack_top
	mov	sp, x0
	ldr	x0, =vectors
	msr	vbar_el2, x0
	isb
	bl	bare_main
	ldr	x0, =0x84000008		/* PSCI SYSTEM_OFF */
	smc	#0
1:	b	1b

	.global	second_start
second_start:
	ldr	x0, =second_stack_top
	mov	sp, x0
	ldr	x0, =vectors
	msr	vbar_el2, x0
	isb
	bl	second_main
	b	.

/*
 * probe(): emulated instructions in the middle of a block.  Returns the address of its own "adr",
 * with ICC_IAFFIDR_EL1 of CPU 0 added, which is 0.  If the plugin resumed at another alias of this
 * page, the address would be another.
 */
	.balign	256
	.global	probe
probe:
	nop
	nop
	mrs	x1, S3_0_C12_C10_2	/* ICC_IDR0_EL1 */
	nop
	mrs	x2, S3_0_C12_C10_5	/* ICC_IAFFIDR_EL1 */
	adr	x0, .
	mrs	x1, S3_0_C12_C10_2
	add	x0, x0, x2
	ret

	.ltorg
irq:
	stp	x0, x1, [sp, #-176]!
	stp	x2, x3, [sp, #16]
	stp	x4, x5, [sp, #32]
	stp	x6, x7, [sp, #48]
	stp	x8, x9, [sp, #64]
	stp	x10, x11, [sp, #80]
	stp	x12, x13, [sp, #96]
	stp	x14, x15, [sp, #112]
	stp	x16, x17, [sp, #128]
	stp	x18, x30, [sp, #144]
	bl	bare_irq
	ldp	x2, x3, [sp, #16]
	ldp	x4, x5, [sp, #32]
	ldp	x6, x7, [sp, #48]
	ldp	x8, x9, [sp, #64]
	ldp	x10, x11, [sp, #80]
	ldp	x12, x13, [sp, #96]
	ldp	x14, x15, [sp, #112]
	ldp	x16, x17, [sp, #128]
	ldp	x18, x30, [sp, #144]
	ldp	x0, x1, [sp], #176
	eret

fault:
	mrs	x1, esr_el2
	mrs	x2, elr_el2
	bl	bare_fault
1:	b	1b

	.section .text.vectors, "ax"
	.balign	2048
vectors:
	.irp	number, 0, 1, 2, 3, 4
	.balign	128
	mov	x0, #\number
	b	fault
	.endr
	.balign	128
	b	irq
	.irp	number, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	.balign	128
	mov	x0, #\number
	b	fault
	.endr

	.bss
	.balign	16
	.space	16384
stack_top:
	.space	16384
second_stack_top:
