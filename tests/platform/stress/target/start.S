/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Entry (x0: the vCPU's box) and exceptions of the counting guest. */
#include "box.h"

	.section .text.start, "ax"
	.global	_start
_start:
	msr	daifset, #0xf
	msr	spsel, #1
	msr	tpidr_el1, x0
	add	sp, x0, #STACK_TOP
	adr	x1, vectors
	msr	vbar_el1, x1
	isb
	bl	guest_main
	mov	x1, #MMIO_END
1:	str	xzr, [x1]
	b	1b

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
	ldp	x0, x1, [sp, #144]
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

fault:
	mrs	x1, esr_el1
	mrs	x2, elr_el1
	mrs	x3, tpidr_el1
	bl	guest_fault
	mov	x1, #(MMIO_FAULT & 0xffff)
	movk	x1, #(MMIO_FAULT >> 16), lsl #16
1:	str	xzr, [x1]
	b	1b

	.macro	vector number, to
	.balign	128
	stp	x0, x1, [sp, #-16]!
	mov	x0, #\number
	b	\to
	.endm

	.section .text.vectors, "ax"
	.balign	2048
vectors:
	.irp	number, 0, 1, 2, 3, 4
	vector	\number, fault
	.endr
	vector	5, irq
	.irp	number, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	vector	\number, fault
	.endr
