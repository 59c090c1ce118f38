// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A bare-metal program at EL2, without a kernel in between, for what no kernel does on purpose: the
 * same physical code at several virtual addresses, a pending SPI below the priority mask, and CPUs
 * that nothing interrupts but each other.  In Linux a lost kick only waits for the next tick.
 */
#include <stdint.h>

#define UART	      0x09000000ull
#define IRS	      0x080a0000ull
#define IRS_CR0	      0x080
#define IRS_IST_BASER 0x180
#define IRS_IST_CFGR  0x190
#define LPI_ID_BITS   12
#define TYPE_LPI      (2ull << 29)
#define TYPE_SPI      (3ull << 29)
#define PSCI_CPU_ON   0xc4000003ull
#define MOVED_SPI     103
#define KICKS	      600
#define TOO_LATE      20000000000ull /* ns: the counter runs at 1 GHz */
#define VALID	      (1ull << 32)
#define GIB	      (1ull << 30)
#define BLOCK	      0x401 /* block, access flag; attribute index 0: device memory */
#define NORMAL	      0x4   /* attribute index 1 */
#define ALIASES	      3
#define HIGH_SPI      101
#define MASKED_SPI    102

uint64_t probe(void);
void bare_main(void);
void bare_irq(void);
void bare_fault(uint64_t vector, uint64_t esr, uint64_t elr);
void second_start(void);
void second_main(void);

static uint64_t table[512] __attribute__((aligned(4096)));
static uint32_t ist[1 << LPI_ID_BITS] __attribute__((aligned(4096)));
static volatile uint64_t irqs, spurious, last;
static volatile uint64_t ready, kicks[2]; /* taken by CPU 0 and CPU 1 */

#define WRITE(reg, value) \
	__asm__ volatile("msr " reg ", %x0\n\tisb" ::"rZ"((uint64_t)(value)) : "memory")
#define GIC(op, value) \
	__asm__ volatile("sys #0, c12, " op ", %x0" ::"rZ"((uint64_t)(value)) : "memory")

static void put(const char *text)
{
	for (; *text; text++)
		*(volatile uint32_t *)UART = (uint8_t)*text;
}

static void put_hex(const char *name, uint64_t value)
{
	put(name);
	put("=0x");
	for (int shift = 60; shift >= 0; shift -= 4)
		*(volatile uint32_t *)UART = (uint8_t) "0123456789abcdef"[value >> shift & 15];
}

void bare_fault(uint64_t vector, uint64_t esr, uint64_t elr)
{
	put("fault");
	put_hex(" vector", vector);
	put_hex(" esr", esr);
	put_hex(" elr", elr);
	put("\n");
}

/* LPI n belongs to CPU n. */
static void kick(unsigned int cpu)
{
	GIC("c1, #4", VALID | TYPE_LPI | cpu); /* CDPEND */
}

void bare_irq(void)
{
	uint64_t ia;

	__asm__ volatile("sysl %0, #0, c12, c3, #0" : "=r"(ia)::"memory");
	if ((ia & VALID) && (ia & 7ull << 29) == TYPE_LPI) {
		unsigned int cpu = ia & 1;

		GIC("c1, #7", 0);
		GIC("c2, #0", ia & 0xffffffff);
		kicks[cpu]++;
		if (cpu)
			kick(0);
		return;
	}
	irqs++;
	if (!(ia & VALID)) {
		if (++spurious >= 1000) /* a storm: let the program get to its end */
			WRITE("S3_1_C12_C0_1", 0);
		return;
	}
	last = ia & 0xffffff;
	GIC("c1, #7", 0);		/* CDEOI */
	GIC("c2, #0", ia & 0xffffffff); /* CDDI */
}

/* The first GiB of RAM at its own address and at two others. */
static void mmu_on(void)
{
	table[0] = BLOCK;
	for (unsigned int i = 1; i <= ALIASES; i++)
		table[i] = GIB | BLOCK | NORMAL;
	WRITE("mair_el2", 0xff00);
	WRITE("tcr_el2", 0x80803519); /* 39 bits, 4 KiB pages */
	WRITE("ttbr0_el2", (uint64_t)table);
	__asm__ volatile("tlbi alle2\n\tdsb sy\n\tisb" ::: "memory");
	WRITE("sctlr_el2", 0x30c50831);
}

static void aliases(void)
{
	uint64_t wrong = 0, calls = 0, here = probe() & (GIB - 1);

	mmu_on();
	for (unsigned int round = 0; round < 300; round++) {
		/* an order that changes, so that each alias is the first after each other one */
		unsigned int alias = (round * 7 + round / 3) % ALIASES;
		uint64_t base = GIB * (1 + alias);
		uint64_t at = ((uint64_t)probe & (GIB - 1)) + base;

		wrong += ((uint64_t(*)(void))at)() != base + here;
		calls++;
	}
	put_hex("alias calls", calls);
	put_hex(" wrong", wrong);
	put("\n");
}

static void spi(unsigned int id, uint64_t priority)
{
	GIC("c1, #2", priority << 35 | TYPE_SPI | id); /* CDPRI */
	GIC("c1, #3", TYPE_SPI | id);		       /* CDAFF to CPU 0 */
	GIC("c1, #1", TYPE_SPI | id);		       /* CDEN */
	GIC("c1, #4", VALID | TYPE_SPI | id);	       /* CDPEND */
}

static uint64_t count(void)
{
	uint64_t now;

	__asm__ volatile("isb\n\tmrs %0, cntpct_el0" : "=r"(now));
	return now;
}

static void delay(uint64_t ticks)
{
	for (uint64_t from = count(); count() - from < ticks;)
		;
}

static void priorities(void)
{
	*(volatile uint32_t *)(IRS + IRS_CR0) = 1;
	WRITE("hcr_el2", 1 << 4 | 1 << 27); /* IMO, TGE: physical IRQs come here */
	WRITE("S3_1_C12_C0_2", 15);	    /* PCR: priorities 0 to 15 pass */
	WRITE("S3_1_C12_C0_1", 1);	    /* CR0.EN */
	spi(MASKED_SPI, 20);
	spi(HIGH_SPI, 8);
	__asm__ volatile("msr daifclr, #2\n\tisb" ::: "memory");
	delay(20000000);
	put_hex("storm irqs", irqs);
	put_hex(" spurious", spurious);
	put_hex(" last", last);
	WRITE("S3_1_C12_C0_2", 31);
	delay(20000000);
	put_hex(" unmasked", irqs);
	put_hex(" then", last);
	put("\n");
}

static void cpu_interface_on(void)
{
	WRITE("hcr_el2", 1 << 4 | 1 << 27);
	WRITE("S3_1_C12_C0_2", 31); /* PCR */
	WRITE("S3_1_C12_C0_1", 1);  /* CR0.EN */
}

void second_main(void)
{
	cpu_interface_on();
	ready = 1;
	__asm__ volatile("msr daifclr, #2\n\tisb" ::: "memory");
	for (;;)
		if (kicks[1] & 64) /* sometimes asleep, sometimes busy */
			__asm__ volatile("wfi" ::: "memory");
}

/* An LPI to CPU 1, whose handler sends one to CPU 0, again and again. */
static void pingpong(void)
{
	register uint64_t x0 __asm__("x0") = PSCI_CPU_ON;
	register uint64_t x1 __asm__("x1") = 1;
	register uint64_t x2 __asm__("x2") = (uint64_t)second_start;
	register uint64_t x3 __asm__("x3") = 0;
	uint64_t sent = 0, from = count();

	*(volatile uint32_t *)(IRS + IRS_IST_CFGR) = LPI_ID_BITS;
	*(volatile uint64_t *)(IRS + IRS_IST_BASER) = (uint64_t)ist | 1;
	for (unsigned int lpi = 0; lpi < 2; lpi++) {
		GIC("c1, #2", 8ull << 35 | TYPE_LPI | lpi);	     /* CDPRI */
		GIC("c1, #3", (uint64_t)lpi << 32 | TYPE_LPI | lpi); /* CDAFF */
		GIC("c1, #1", TYPE_LPI | lpi);			     /* CDEN */
	}
	__asm__ volatile("smc #0" : "+r"(x0) : "r"(x1), "r"(x2), "r"(x3) : "memory");
	while (!ready && count() - from < TOO_LATE)
		;
	while (ready && sent < KICKS && kicks[0] == sent) {
		kick(1);
		sent++;
		for (from = count(); kicks[0] != sent && count() - from < TOO_LATE;)
			;
	}
	put_hex("pingpong sent", sent);
	put_hex(" there", kicks[1]);
	put_hex(" back", kicks[0]);
	put_hex(" spurious", spurious);
	put("\n");
}

/* An SPI that goes to the other CPU and comes back is still connected. */
static void moved(void)
{
	uint64_t before = irqs, from;

	GIC("c1, #2", 8ull << 35 | TYPE_SPI | MOVED_SPI);
	GIC("c1, #3", TYPE_SPI | MOVED_SPI);
	GIC("c1, #1", TYPE_SPI | MOVED_SPI);
	GIC("c1, #3", 1ull << 32 | TYPE_SPI | MOVED_SPI);
	GIC("c1, #3", TYPE_SPI | MOVED_SPI);
	GIC("c1, #4", VALID | TYPE_SPI | MOVED_SPI);
	for (from = count(); irqs == before && count() - from < TOO_LATE / 10;)
		;
	put_hex("moved irqs", irqs - before);
	put_hex(" last", last);
	put("\n");
}

void bare_main(void)
{
	priorities();
	pingpong();
	moved();
	aliases();
}
