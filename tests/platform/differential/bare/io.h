/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Accesses to memory and devices, each one instruction. */
#pragma once

#include "bare.h"

static volatile struct comm *const comm = (void *)COMM_BASE;

static inline void dmb(void)
{
	__asm__ volatile("dmb sy" ::: "memory");
}

static inline uint32_t read32(uint64_t addr)
{
	uint32_t val;

	__asm__ volatile("ldr %w0, [%1]" : "=r"(val) : "r"(addr) : "memory");
	return val;
}

static inline uint64_t read64(uint64_t addr)
{
	uint64_t val;

	__asm__ volatile("ldr %0, [%1]" : "=r"(val) : "r"(addr) : "memory");
	return val;
}

static inline void write32(uint64_t addr, uint32_t val)
{
	__asm__ volatile("str %w0, [%1]" ::"r"(val), "r"(addr) : "memory");
}

static inline void write64(uint64_t addr, uint64_t val)
{
	__asm__ volatile("str %0, [%1]" ::"r"(val), "r"(addr) : "memory");
}
