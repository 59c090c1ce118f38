/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Entry and exceptions.  The interpreter runs at EL1 with the MMU off on both machines: at the one
 * with EL2 it turns the traps off and drops, to the physical or to the virtual interface.  TPIDR_EL1 holds the address of the CPU's struct cpu.
 */
#include "bare.h"

	.section .text.start, "ax"
	.global _start, secondary_start
_start:
	mov	x20, #0
	b	1f
/* PSCI CPU_ON enters here; x0: number of the CPU. */
secondary_start:
	mov	x20, x0
1:	msr	daifset, #0xf
	mrs	x21, CurrentEL
	cmp	x21, #8
	b.ne	el1
	mov	x0, #3
	msr	cnthctl_el2, x0
	msr	cntvoff_el2, xzr
	mov	x0, #-1
	msr	s3_4_c12_c9_4, x0	/* ICH_HFGRTR_EL2: nothing traps */
	msr	s3_4_c12_c9_6, x0	/* ICH_HFGWTR_EL2 */
	msr	s3_4_c12_c9_7, x0	/* ICH_HFGITR_EL2 */
	mov	x0, #(1 << 31)		/* HCR_EL2.RW; IMO is clear: EL1 has the physical interface */
	ldr	x1, =COMM_BASE
	ldr	x1, [x1, #COMM_VIRT]
	cbz	x1, 2f
	orr	x0, x0, #(1 << 4)	/* IMO: the virtual one */
	msr	s3_1_c12_c0_1, xzr	/* ICC_CR0_EL1: a hypervisor has set up its own interface */
	mov	x1, #1
	msr	s3_4_c12_c11_4, x1	/* ICH_VCTLR_EL2.En */
	msr	s3_4_c12_c11_7, xzr	/* ICH_VMCR_EL2 */
	mov	x1, #(1 << 27 | 1 << 30)
	msr	s3_4_c12_c10_0, x1	/* ICH_PPI_DVIR0_EL2: the timers are injected directly */
	adr	x1, el2_vectors
	msr	vbar_el2, x1
2:	msr	hcr_el2, x0
	mov	x0, #0x3c5
	msr	spsr_el2, x0
	adr	x0, el1
	msr	elr_el2, x0
	eret
el1:
	ldr	x0, =0x30d00800
	msr	sctlr_el1, x0
	msr	spsel, #1
	adr	x0, vectors
	msr	vbar_el1, x0
	adrp	x0, stacks
	add	x0, x0, :lo12:stacks
	mov	x1, #STACK_SIZE
	madd	x0, x1, x20, x0
	add	sp, x0, x1
	isb
	mov	x0, x20
	and	x1, x21, #8		/* PSCI by SMC where there is EL2, else by HVC */
	b	bare_main

/* psci(function, a, b, c, smc) */
	.global psci
psci:
	cbnz	x4, 2f
	hvc	#0
	ret
2:	smc	#0
	ret

/* A synchronous exception of an instruction under test: keep the first ESR, go on behind it. */
sync:
	mrs	x0, elr_el1
	adrp	x1, instructions
	add	x1, x1, :lo12:instructions
	cmp	x0, x1
	b.lo	3f
	adrp	x1, instructions_end
	add	x1, x1, :lo12:instructions_end
	cmp	x0, x1
	b.hs	3f
	add	x0, x0, #4
	msr	elr_el1, x0
	mrs	x1, tpidr_el1
	ldr	x0, [x1, #CPU_FAULT]
	cbnz	x0, 4f
	mrs	x0, esr_el1
	orr	x0, x0, #(1 << FAULT_TAKEN_BIT)
	str	x0, [x1, #CPU_FAULT]
4:	ldp	x0, x1, [sp], #16
	eret
3:	mov	x0, #4
panic:
	mrs	x1, esr_el1
	mrs	x2, elr_el1
	b	bare_panic

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
	bl	bare_irq
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

	/* A fired timer only passes through here, on its way back to EL1; nothing else may come. */
	.balign	2048
el2_vectors:
	.rept	16
	b	.
	.balign	128
	.endr

	.bss
	.balign	16
stacks:
	.space	MAX_CPUS * STACK_SIZE
