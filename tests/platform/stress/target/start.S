/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Entry (x0: the vCPU's box) and exceptions of the counting guest. */
#include "box.h"
#include "exceptions.S"

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
	handle_irq guest_irq

fault:
	mrs	x1, esr_el1
	mrs	x2, elr_el1
	mrs	x3, tpidr_el1
	bl	guest_fault
	mov	x1, #(MMIO_FAULT & 0xffff)
	movk	x1, #(MMIO_FAULT >> 16), lsl #16
1:	str	xzr, [x1]
	b	1b

	.section .text.vectors, "ax"
	vector_table fault, irq, fault
