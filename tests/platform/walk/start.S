/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Entry of each CPU at EL2, its vectors, and the way into a guest and back. */

#define HCR_RW		(1 << 31)
#define HCR_TGE		(1 << 27)
#define HCR_AMO		(1 << 5)
#define HCR_IMO		(1 << 4)
#define HCR_FMO		(1 << 3)
#define HCR_VIRQS	(HCR_AMO | HCR_IMO | HCR_FMO)

	.section .text.start, "ax"
	.global _start
_start:
	mov	x0, #0
/* PSCI starts the others here, x0: number of the CPU */
	.global secondary
secondary:
	msr	daifset, #0xf
	msr	spsel, #1
	msr	tpidr_el2, x0
	adrp	x1, stacks
	add	x1, x1, :lo12:stacks
	add	x2, x0, #1
	add	x1, x1, x2, lsl #14
	mov	sp, x1
	adrp	x1, vectors
	add	x1, x1, :lo12:vectors
	msr	vbar_el2, x1
	ldr	x1, =(HCR_RW | HCR_TGE | HCR_VIRQS)
	msr	hcr_el2, x1
	adrp	x1, guest_vectors
	add	x1, x1, :lo12:guest_vectors
	msr	vbar_el1, x1
	isb
	cbnz	x0, 1f
	bl	main
1:	bl	secondary_main

	.text
/*
 * struct guest_exit guest_enter(pc, x0, spsr). A guest leaves x18 to x30 alone, and SP_EL2 and
 * SCTLR_EL2 are not its business, so nothing needs to be saved.
 */
	.global guest_enter
guest_enter:
	msr	elr_el2, x0
	msr	spsr_el2, x2
	ldr	x9, =(HCR_RW | HCR_VIRQS)
	ldr	x10, =guest_hcr
	ldr	x10, [x10]
	orr	x9, x9, x10
	msr	hcr_el2, x9
	isb
	mov	x0, x1
	eret

left_by_sync:
	mov	x1, x0
	mrs	x0, esr_el2
	b	left
left_by_irq:
	mov	x1, x0
	mov	x0, #-1
left:
	ldr	x9, =(HCR_RW | HCR_TGE | HCR_VIRQS)
	msr	hcr_el2, x9
	isb
	ret

	.macro	vector to
	.balign	128
	b	\to
	.endm

	.macro	unforeseen number
	.balign	128
	mov	x0, #\number
	b	panic
	.endm

	.balign	2048
vectors:
	.irp	number, 0, 1, 2, 3, 4, 5, 6, 7
	unforeseen \number
	.endr
	vector	left_by_sync
	vector	left_by_irq
	.irp	number, 10, 11, 12, 13, 14, 15
	unforeseen \number
	.endr

panic:
	mrs	x1, esr_el2
	mrs	x2, elr_el2
	mrs	x3, far_el2
	b	unforeseen_exception

/* smc(function, a, b, c) */
	.global smc
smc:
	smc	#0
	ret

/* semihosting(operation, argument) */
	.global semihosting
semihosting:
	hlt	#0xf000
	ret

	.bss
	.balign	16
	.global stacks
stacks:
	.space	8 << 14
