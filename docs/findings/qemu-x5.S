/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QEMU's own GICv5, -M virt,gic-version=x-5, has an interrupt that does not exist until IRS_CR0 is
 * first read.  Bare metal, EL1, a line for each register:
 *
 *	aarch64-linux-gnu-gcc -nostdlib -static -Wl,-Ttext=0x40080000 -o qemu-x5 qemu-x5.S
 *	qemu-system-aarch64 -M virt,gic-version=x-5 -cpu max -nographic -kernel qemu-x5
 *
 * Right would be: PRIORITYR0 0x1f1f1f1f1f1f1f1f (the rest is RES0), HPPIR 0 and CDIA 0 (nothing is
 * pending), and QEMU ends by itself.  To see the cause: with -DENABLE_IRS, IRS_CR0.IRSEN is written
 * before, which does not help; with -DREAD_IRS_CR0 the register is read before, and HPPIR and CDIA
 * are right.
 */
#define ICC_PPI_PRIORITYR0_EL1 S3_0_C12_C14_0
#define ICC_HPPIR_EL1	       S3_0_C12_C10_3
#define ICC_CR0_EL1	       S3_1_C12_C0_1
#define IRS_CR0		       0x08010080
#define UART		       0x09000000
#define PSCI_SYSTEM_OFF	       0x84000008

	.global _start
_start:
	mov	x0, #-1
	msr	ICC_PPI_PRIORITYR0_EL1, x0
	isb
	adr	x0, priorityr0
	mrs	x1, ICC_PPI_PRIORITYR0_EL1
	bl	print

	ldr	x0, =IRS_CR0
#ifdef ENABLE_IRS
	mov	w1, #1				/* IRSEN */
	str	w1, [x0]
#endif
#ifdef READ_IRS_CR0
	ldr	w1, [x0]
#endif
	mov	x0, #1				/* EN */
	msr	ICC_CR0_EL1, x0
	isb
	adr	x0, hppir
	mrs	x1, ICC_HPPIR_EL1
	bl	print

	adr	x0, cdia
	sysl	x1, #0, c12, c3, #0		/* GICR CDIA */
	bl	print

	ldr	w0, =PSCI_SYSTEM_OFF
	hvc	#0

/* x0: name, x1: value */
print:
	mov	x2, #UART
1:	ldrb	w3, [x0], #1
	cbz	w3, 2f
	strb	w3, [x2]
	b	1b
2:	mov	x4, #60
3:	lsr	x3, x1, x4
	and	x3, x3, #0xf
	add	w5, w3, #'0'
	add	w6, w3, #'a' - 10
	cmp	w3, #10
	csel	w3, w5, w6, lo
	strb	w3, [x2]
	subs	x4, x4, #4
	b.pl	3b
	mov	w3, #'\n'
	strb	w3, [x2]
	ret

priorityr0:
	.asciz	"PRIORITYR0 0x"
hppir:
	.asciz	"HPPIR 0x"
cdia:
	.asciz	"CDIA 0x"
