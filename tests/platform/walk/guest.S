/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a guest does: one instruction, or a short wait, and HVC back. x0 is operand and result. The
 * encodings are those of the manual: no assembler of today knows the names.
 */
	.macro	op name, insn:vararg
	.global	g_\name
g_\name:
	\insn
	isb
	hvc	#0
	.endm

	.text
	op	nop,	 nop
	op	cddis,	 sys #0, c12, c1, #0, x0
	op	cden,	 sys #0, c12, c1, #1, x0
	op	cdpri,	 sys #0, c12, c1, #2, x0
	op	cdaff,	 sys #0, c12, c1, #3, x0
	op	cdpend,	 sys #0, c12, c1, #4, x0
	op	cdeoi,	 sys #0, c12, c1, #7
	op	cddi,	 sys #0, c12, c2, #0, x0
	op	cdhm,	 sys #0, c12, c2, #1, x0
	op	cdia,	 sysl x0, #0, c12, c3, #0
	op	hppir,	 mrs x0, S3_0_C12_C10_3
	op	get_apr, mrs x0, S3_1_C12_C0_0
	op	set_cr0, msr S3_1_C12_C0_1, x0
	op	set_pcr, msr S3_1_C12_C0_2, x0
	op	isr,	 mrs x0, isr_el1
	op	wfi,	 wfi

	.global	g_rcfg
g_rcfg:
	sys	#0, c12, c1, #5, x0
	isb
	mrs	x0, S3_0_C12_C10_4
	hvc	#0

/* Take what is pending: x0 returns the last interrupt as CDIA gave it, and how many in [63:56]. */
	.global	g_take
g_take:
	mov	x0, #0
	mov	x1, #0
	msr	daifclr, #2
	isb
	nop
	msr	daifset, #2
	orr	x0, x0, x1, lsl #56
	hvc	#0

/* Wait for an interrupt that comes from elsewhere, for some x0 rounds at most. */
	.global	g_spin
g_spin:
	mov	x3, x0
	mov	x0, #0
	mov	x1, #0
	msr	daifclr, #2
1:	cbnz	x1, 2f
	subs	x3, x3, #1
	b.ne	1b
2:	msr	daifset, #2
	orr	x0, x0, x1, lsl #56
	hvc	#0

guest_irq:
	sysl	x2, #0, c12, c3, #0		// CDIA
	msr	S1_0_C12_C0_1, xzr		// GSB ACK
	isb
	tbz	x2, #32, 1f
	mov	x0, x2
	sys	#0, c12, c1, #7			// CDEOI
	ubfx	x2, x2, #0, #32
	sys	#0, c12, c2, #0, x2		// CDDI
1:	add	x1, x1, #1
	eret

/* A guest has no reason for any exception but IRQs: leave with the number of the vector. */
	.macro	unforeseen number
	.balign	128
	mov	x0, #(0xde00 + \number)
	hvc	#1
	.endm

	.balign	2048
	.global	guest_vectors
guest_vectors:
	.irp	number, 0, 1, 2, 3, 4
	unforeseen \number
	.endr
	.balign	128
	b	guest_irq
	.irp	number, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	unforeseen \number
	.endr
