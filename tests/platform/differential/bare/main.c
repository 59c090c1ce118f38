// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A bare-metal interpreter of GICv5 operations.  CPU 0 takes programs from memory, brings the
 * machine to its reset state before each, and hands an operation to the CPU it is for, one at a
 * time: what several CPUs do has one order, the program's.
 */
#include "bare.h"
#include "io.h"
#include "irs.h"
#include "registers.h"

/* Devices of QEMU's virt board */
#define UART_BASE 0x09000000
#define UART_DR	  0x00
#define UART_IMSC 0x38
#define UART_ICR  0x44
#define UART_TX	  0x20
#define UART_SPI  1

#define CDIA_VALID  (1ULL << 32)
#define IRQ_LIMIT   32	/* per window; one that fires for ever must not hang the machine */
#define SPINS	    400 /* then doze */
#define SHORT_DOZES 250 /* then nobody is in a hurry */
#define SHORT_NS    200000
#define LONG_NS	    4000000
#define PSCI_CPU_ON 0xc4000003

struct cpu {
	uint64_t fault;
	uint64_t irqs, first_intid, spurious;
	uint64_t request, done;
	volatile struct op *ops; /* what is requested, and where the results go */
	volatile struct result *results;
	uint64_t count;
};

static volatile struct cpu cpus[MAX_CPUS];

void secondary_start(void);
int64_t psci(uint64_t function, uint64_t a, uint64_t b, uint64_t c, uint64_t smc);
void bare_main(uint64_t me, uint64_t smc);
uint64_t bare_irq(void);
void bare_panic(uint64_t vector, uint64_t esr, uint64_t elr);

static volatile struct cpu *self(void)
{
	uint64_t p;

	__asm__ volatile("mrs %0, tpidr_el1" : "=r"(p));
	return (void *)p;
}

/* Sleep for some nanoseconds (WFIT), leaving no trace in the interrupt controller. */
static void doze(uint64_t ns)
{
	uint64_t until;

	__asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(until));
	until += ns; /* the counter of -cpu max has 1 GHz */
	__asm__ volatile("mov x9, %0\n\t.inst 0xd5031029" ::"r"(until)
			 : "x9", "memory"); /* WFIT x9 */
}

static void line(uint64_t level)
{
	write32(UART_BASE + UART_IMSC, level ? UART_TX : 0);
}

/* ---- exceptions ------------------------------------------------------------ */

void bare_panic(uint64_t vector, uint64_t esr, uint64_t elr)
{
	comm->panic[1] = vector;
	comm->panic[2] = esr;
	comm->panic[3] = elr;
	dmb();
	comm->panic[0] = 1 + (uint64_t)(self() - cpus);
	for (;;)
		doze(LONG_NS);
}

/* The IRQ handler of a window: acknowledge, silence, drop, deactivate.  Non-zero: stop. */
uint64_t bare_irq(void)
{
	volatile struct cpu *c = self();
	uint64_t acknowledged = read_register(REG_GICR_CDIA);
	uint32_t intid = (uint32_t)acknowledged;

	gsb_ack();
	if (!(acknowledged & CDIA_VALID))
		return ++c->spurious >= IRQ_LIMIT;
	if (!c->irqs)
		c->first_intid = intid;
	c->irqs++;
	if (intid == INTID_PPI(27))
		write_register(REG_CNTV_CTL_EL0, 0);
	else if (intid == INTID_PPI(30))
		write_register(REG_CNTP_CTL_EL0, 0);
	else if (intid == INTID_SPI(UART_SPI))
		line(0);
	isb();
	write_register(REG_GIC_CDEOI, 0);
	write_register(REG_GIC_CDDI, intid);
	gsb_sys();
	return c->irqs >= IRQ_LIMIT;
}

/* ---- operations -------------------------------------------------------------- */

#define ACCESS(name, op0, op1, crn, crm, op2, encoding, readable, writable) \
	(readable) | (op0 == 1) << 1,
static const uint8_t access[] = { WIRE_REGISTERS(ACCESS) };
#define IS_READABLE(reg)    (access[reg] & 1)
#define IS_INSTRUCTION(reg) (access[reg] & 2)

static void do_window(volatile struct cpu *c, volatile struct result *r)
{
	c->irqs = 0;
	c->first_intid = 0;
	c->spurious = 0;
	__asm__ volatile("dsb sy\n\t"
			 "msr daifclr, #2\n\t"
			 "isb\n\t"
			 "nop\n\tnop\n\tnop\n\tnop\n\t"
			 "msr daifset, #2\n\t"
			 "isb" ::
				 : "memory");
	r->value = c->irqs | c->spurious << 32;
	r->extra = (uint32_t)c->first_intid;
}

static void do_read(volatile struct op *op, volatile struct result *r)
{
	r->value = read_register(op->reg);
	if (IS_INSTRUCTION(op->reg) && !self()->fault)
		gsb_ack();
}

static void do_write(volatile struct op *op, volatile struct result *r)
{
	write_register(op->reg, op->value);
	if (self()->fault)
		return;
	if (IS_INSTRUCTION(op->reg))
		gsb_sys();
	else
		isb();
	if (IS_READABLE(op->reg))
		r->value = read_register(op->reg);
}

/* The architected reset of what a CPU interface holds, by its own registers. */
static void reset_cpu(void)
{
	static const uint16_t zero[] = {
		REG_CNTV_CTL_EL0,	  REG_CNTP_CTL_EL0, REG_CNTV_CVAL_EL0,
		REG_CNTP_CVAL_EL0,	  REG_ICC_CR0_EL1,  REG_ICC_PCR_EL1,
		REG_ICC_APR_EL1,	  REG_ICC_ICSR_EL1, REG_ICC_PPI_ENABLER0_EL1,
		REG_ICC_PPI_ENABLER1_EL1,
	};
	static const uint16_t ones[] = {
		REG_ICC_PPI_CACTIVER0_EL1,
		REG_ICC_PPI_CACTIVER1_EL1,
		REG_ICC_PPI_CPENDR0_EL1,
		REG_ICC_PPI_CPENDR1_EL1,
	};

	for (unsigned int i = 0; i < sizeof(zero) / sizeof(*zero); i++)
		write_register(zero[i], 0);
	for (unsigned int i = 0; i < sizeof(ones) / sizeof(*ones); i++)
		write_register(ones[i], ~0ULL);
	for (unsigned int i = 0; i < 16; i++)
		write_register(REG_ICC_PPI_PRIORITYR0_EL1 + i, 0);
	isb();
}

static void snapshot_cpu(volatile uint64_t *to)
{
	volatile struct cpu *c = self();

	for (unsigned int reg = 0; reg < REG_COUNT; reg++) {
		if (!IS_READABLE(reg) || IS_INSTRUCTION(reg))
			continue;
		c->fault = 0;
		*to = read_register(reg);
		if (c->fault)
			*to = c->fault;
		to++;
	}
}

static void execute(volatile struct op *op, volatile struct result *r)
{
	volatile struct cpu *c = self();

	c->fault = 0;
	r->value = 0;
	r->extra = 0;
	switch (op->code) {
	case OP_READ:
		do_read(op, r);
		break;
	case OP_WRITE:
		do_write(op, r);
		break;
	case OP_WINDOW:
		do_window(c, r);
		break;
	case OP_IRS_READ:
		r->value = op->reg == 8 ? read64(comm->irs_base + op->off) :
					  read32(comm->irs_base + op->off);
		break;
	case OP_IRS_WRITE:
		if (op->reg == 8)
			write64(comm->irs_base + op->off, op->value);
		else
			write32(comm->irs_base + op->off, (uint32_t)op->value);
		break;
	case OP_LINE:
		line(op->value);
		break;
	case OP_RESET_CPU:
		reset_cpu();
		break;
	case OP_SNAPSHOT:
		snapshot_cpu((volatile uint64_t *)op->value);
		break;
	}
	r->status = RESULT_DONE;
	if (c->fault) {
		r->value = c->fault & ~(1ULL << FAULT_TAKEN_BIT);
		r->status = RESULT_EXCEPTION;
	}
}

/* ---- several CPUs ---------------------------------------------------------------- */

/* Wait until *p is @val; spin a little, then let others have the processor. */
static void await(volatile uint64_t *p, uint64_t val)
{
	for (unsigned int tries = 0; *p != val; tries++)
		if (tries > SPINS)
			doze(tries < SPINS + SHORT_DOZES ? SHORT_NS : LONG_NS);
	dmb();
}

static void execute_all(volatile struct op *ops, volatile struct result *results, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		execute(&ops[i], &results[i]);
}

static void on_cpu(unsigned int cpu, volatile struct op *ops, volatile struct result *results,
		   uint64_t count)
{
	volatile struct cpu *c = &cpus[cpu];

	if (cpu == 0) {
		execute_all(ops, results, count);
		return;
	}
	c->ops = ops;
	c->results = results;
	c->count = count;
	dmb();
	c->request++;
	await(&c->done, c->request);
}

static void serve(volatile struct cpu *c)
{
	for (;;) {
		await(&c->request, c->done + 1);
		execute_all(c->ops, c->results, c->count);
		dmb();
		c->done++;
	}
}

/* ---- the reset between programs ------------------------------------------------------ */

/* Reset everything, and look at everything. */
static void reset_to(volatile uint64_t *state)
{
	struct result ignored[2];

	if (!comm->virt) {
		line(0);
		reset_irs();
	}
	for (unsigned int i = 0; i < comm->nr_cpus; i++) {
		struct op ops[] = {
			{ .code = OP_RESET_CPU },
			{ .code = OP_SNAPSHOT, .value = (uint64_t)(state + i * SNAPSHOT_CPU) },
		};

		on_cpu(i, ops, ignored, 2);
	}
	if (!comm->virt)
		snapshot_irs(state + MAX_CPUS * SNAPSHOT_CPU);
}

/* Zero, or 1 + the index of the first word of the snapshot that is not what it first was. */
static uint64_t reset(void)
{
	static uint64_t now[MAX_CPUS * SNAPSHOT_CPU + SNAPSHOT_IRS];

	reset_to(now);
	for (unsigned int i = 0; i < sizeof(now) / sizeof(*now); i++) {
		if (now[i] == comm->first[i])
			continue;
		for (unsigned int j = 0; j < sizeof(now) / sizeof(*now); j++)
			comm->last[j] = now[j];
		return 1 + i;
	}
	return 0;
}

/* ---- batches --------------------------------------------------------------------------- */

/* A program is a count and so many operations; its results, what reset() says and as many. */
static void run_batch(void)
{
	volatile uint64_t *in = (void *)PROGRAM_BASE, *out = (void *)RESULT_BASE;

	for (uint64_t p = 0; p < comm->nr_programs; p++) {
		uint64_t count = *in;
		volatile struct op *op = (void *)(in + 1);
		volatile struct result *r = (void *)(out + 1);

		comm->current = p + 1;
		*out = reset();
		for (uint64_t i = 0, end; i < count; i = end) {
			for (end = i + 1; end < count && op[end].cpu == op[i].cpu; end++)
				;
			on_cpu(op[i].cpu, &op[i], &r[i], end - i);
		}
		in = (void *)(op + count);
		out = (void *)(r + count);
	}
	comm->current = 0;
	reset(); /* what still pends would keep the CPU from dozing until the next batch */
}

static void start_secondaries(uint64_t smc)
{
	for (uint64_t i = 1; i < comm->nr_cpus; i++)
		if (psci(PSCI_CPU_ON, i, (uint64_t)secondary_start, i, smc))
			bare_panic(100, i, 0);
}

void bare_main(uint64_t me, uint64_t smc)
{
	__asm__ volatile("msr tpidr_el1, %0\n\tisb" ::"r"(&cpus[me]));
	if (me)
		serve(&cpus[me]);
	if (comm->magic != COMM_MAGIC)
		bare_panic(101, comm->magic, 0);
	write32(UART_BASE + UART_DR, 0); /* sent at once: from now on TX is raised */
	start_secondaries(smc);
	reset_to(comm->first); /* once to clear, once to see */
	reset_to(comm->first);
	dmb();
	comm->ready = COMM_MAGIC;
	for (;;) {
		await(&comm->request, comm->done + 1);
		run_batch();
		dmb();
		comm->done++;
	}
}
