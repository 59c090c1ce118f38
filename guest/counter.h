/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The counter that userspace and guests see. */
#pragma once

#include <stdint.h>

static inline uint64_t counter(void)
{
	uint64_t count;

	__asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(count)::"memory");
	return count;
}

static inline uint64_t counter_hz(void)
{
	uint64_t hz;

	__asm__("mrs %0, cntfrq_el0" : "=r"(hz));
	return hz;
}

/* At most MAX_DELAY_NS: the product fits for every frequency. */
static inline void delay_ns(uint64_t ns)
{
	uint64_t ticks = ns * counter_hz() / 1000000000, start = counter();

	while (counter() - start < ticks)
		;
}
