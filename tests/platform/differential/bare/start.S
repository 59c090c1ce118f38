/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Entry and exceptions.  The interpreter runs at EL1 with the MMU off on both machines: at the one
 * with EL2 it turns the traps off and drops, to the physical or to the virtual interface.  TPIDR_EL1
 * holds the address of the CPU's struct cpu.
 */
#include "bare.h"
#include "exceptions.S"

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

sync:
	handle_sync CPU_FAULT, FAULT_TAKEN_BIT, panic
panic:
	mrs	x1, esr_el1
	mrs	x2, elr_el1
	b	bare_panic

irq:
	handle_irq bare_irq

	.section .text.vectors, "ax"
	vector_table sync, irq, panic

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
