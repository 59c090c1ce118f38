// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The counting guest: arms its two timers again and again and waits for their interrupts in several
 * ways, while its VMM raises numbered edges on SW_PPI.  It counts what comes and what should.
 */
#include "box.h"

#define PPI(n)	   (1u << 29 | (n))
#define SW_PPI	   3
#define CNTV_PPI   27
#define CNTP_PPI   30
#define CDIA_VALID (1ULL << 32)
#define ENABLED	   (1ULL << SW_PPI | 1ULL << CNTV_PPI | 1ULL << CNTP_PPI)

#define ICC_PPI_ENABLER0   "S3_0_C12_C10_6"
#define ICC_PPI_SPENDR0	   "S3_0_C12_C13_6"
#define ICC_PPI_PRIORITYR0 "S3_0_C12_C14_0"
#define ICC_PPI_PRIORITYR3 "S3_0_C12_C14_3"
#define ICC_CR0		   "S3_1_C12_C0_1"
#define ICC_PCR		   "S3_1_C12_C0_2"

#define READ(reg)                                                 \
	({                                                        \
		uint64_t value;                                   \
		__asm__ volatile("mrs %0, " reg : "=r"(value)::); \
		value;                                            \
	})
#define WRITE(reg, value) __asm__ volatile("msr " reg ", %x0" ::"rZ"((uint64_t)(value)) : "memory")

uint64_t guest_irq(volatile struct box *box);
void guest_main(volatile struct box *box);
void guest_fault(uint64_t vector, uint64_t esr, uint64_t elr, volatile struct box *box);

static const uint64_t pending_bit[NR_TIMERS] = { 1ULL << CNTV_PPI, 1ULL << CNTP_PPI };

static inline void isb(void)
{
	__asm__ volatile("isb" ::: "memory");
}

static inline void irqs_on(void)
{
	__asm__ volatile("msr daifclr, #2\n\tisb" ::: "memory");
}

static inline void irqs_off(void)
{
	__asm__ volatile("msr daifset, #2\n\tisb" ::: "memory");
}

static uint64_t count_of(unsigned int timer)
{
	isb();
	return timer == TIMER_V ? READ("cntvct_el0") : READ("cntpct_el0");
}

static void disarm(unsigned int timer)
{
	if (timer == TIMER_V)
		WRITE("cntv_ctl_el0", 0);
	else
		WRITE("cntp_ctl_el0", 0);
	isb();
}

static void arm(volatile struct box *box, unsigned int timer, uint64_t delta)
{
	uint64_t cval = count_of(timer) + delta;

	box->cval[timer] = cval;
	box->armed[timer] = 1;
	if (timer == TIMER_V) {
		WRITE("cntv_cval_el0", cval);
		WRITE("cntv_ctl_el0", 1);
	} else {
		WRITE("cntp_cval_el0", cval);
		WRITE("cntp_ctl_el0", 1);
	}
	isb();
}

static void timer_fired(volatile struct box *box, unsigned int timer)
{
	uint64_t now = count_of(timer), cval = box->cval[timer];

	disarm(timer);
	if (!box->armed[timer])
		box->extra++;
	else if (now < cval)
		box->early++;
	else if (now - cval > box->late)
		box->late = now - cval;
	box->fired[timer]++;
	box->armed[timer] = 0;
}

/* 0: the interrupt returns to where it came from with IRQs as they were. */
uint64_t guest_irq(volatile struct box *box)
{
	uint64_t ia;

	__asm__ volatile("sysl %0, #0, c12, c3, #0" /* GICR CDIA */ : "=r"(ia)::"memory");
	if (!(ia & CDIA_VALID)) {
		box->spurious++;
		return 0;
	}
	__asm__ volatile("sys #0, c12, c0, #1" /* GSB ACK */ ::: "memory");
	isb();
	switch ((uint32_t)ia) {
	case PPI(CNTV_PPI):
		timer_fired(box, TIMER_V);
		break;
	case PPI(CNTP_PPI):
		timer_fired(box, TIMER_P);
		break;
	case PPI(SW_PPI):
		box->handled++;
		box->seen = box->sent;
		break;
	default:
		box->unexpected++;
	}
	box->progress++;
	__asm__ volatile("sys #0, c12, c1, #7\n\t" /* GIC CDEOI */
			 "sys #0, c12, c2, #0, %0" /* GIC CDDI */ ::"r"(ia & 0xffffffff)
			 : "memory");
	return 0;
}

void guest_fault(uint64_t vector, uint64_t esr, uint64_t elr, volatile struct box *box)
{
	box->vector = vector;
	box->esr = esr;
	box->elr = elr;
}

static uint64_t random_next(uint64_t *state) /* xorshift64 */
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static uint64_t armed(volatile struct box *box)
{
	return box->armed[TIMER_V] | box->armed[TIMER_P];
}

/* Let the host decide when we run again, take what is pending, look, sleep again. */
static void sleep_once(void)
{
	__asm__ volatile("dsb sy\n\twfi" ::: "memory");
	irqs_on();
	irqs_off();
}

static void wait_pending(uint64_t mask)
{
	while ((READ(ICC_PPI_SPENDR0) & mask) != mask)
		;
}

/* One round, entered and left with IRQs masked. */
static void one_round(volatile struct box *box, uint64_t r)
{
	enum { SPIN, SLEEP, POLL, CANCEL } how = r >> 8 & 3;
	unsigned int which = r % 3 + 1;
	uint64_t mask = 0;

	for (unsigned int t = 0; t < NR_TIMERS; t++) {
		if (!(which >> t & 1))
			continue;
		mask |= pending_bit[t];
		arm(box, t, (r >> (16 + 20 * t)) % box->max_delta);
		if (how != CANCEL)
			box->due[t]++;
	}
	if (how == POLL || how == CANCEL)
		wait_pending(mask);
	if (how == CANCEL) {
		for (unsigned int t = 0; t < NR_TIMERS; t++) {
			if (!(which >> t & 1))
				continue;
			disarm(t);
			box->armed[t] = 0;
			box->cancelled++;
		}
	}
	if (how == SLEEP) {
		while (armed(box))
			sleep_once();
	} else {
		irqs_on();
		while (armed(box))
			;
		irqs_off();
	}
}

void guest_main(volatile struct box *box)
{
	uint64_t random = box->seed;

	/* SW_PPI 8, CNTV 4, CNTP 12: they interrupt each other's readiness, not each other */
	WRITE(ICC_PPI_PRIORITYR0, 8ULL << 8 * SW_PPI);
	WRITE(ICC_PPI_PRIORITYR3, 4ULL << 8 * (CNTV_PPI % 8) | 12ULL << 8 * (CNTP_PPI % 8));
	WRITE(ICC_PCR, 31);
	WRITE(ICC_CR0, 1);
	WRITE(ICC_PPI_ENABLER0, ENABLED);
	isb();
	box->progress++;
	for (uint64_t i = 0; i < box->rounds; i++) {
		one_round(box, random_next(&random));
		box->progress++;
	}
	box->finished = 1;
	while (!box->stop || box->seen != box->sent)
		sleep_once();
}
