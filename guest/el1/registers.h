/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Access to registers by their index in the wire's table.  See registers.c. */
#pragma once

#include <stdint.h>

#include "wire.h"

#define REGISTER_INDEX(name, ...) REG_##name,
enum register_index { WIRE_REGISTERS(REGISTER_INDEX) REG_COUNT };

struct instruction {
	uint32_t words[2];
};

extern const struct instruction read_table[], write_table[];

/* GSB SYS or GSB ACK, then ISB. */
void gsb_sys(void);
void gsb_ack(void);

static inline void isb(void)
{
	__asm__ volatile("isb" ::: "memory");
}

static inline uint64_t read_register(unsigned int reg)
{
	return ((uint64_t(*)(uint64_t)) & read_table[reg])(0);
}

static inline void write_register(unsigned int reg, uint64_t value)
{
	((uint64_t(*)(uint64_t)) & write_table[reg])(value);
}
