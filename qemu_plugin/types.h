/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's short integer names and bit helpers. */
#ifndef TYPES_H
#define TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t s8;

#define BIT(n)	       ((u64)1 << (n))
#define GENMASK(h, l)  ((~(u64)0 >> (63 - (h))) & (~(u64)0 << (l)))
#define FIELD(v, h, l) (((u64)(v) >> (l)) & (~(u64)0 >> (63 - ((h) - (l)))))
#define ARRAY_SIZE(a)  (sizeof(a) / sizeof((a)[0]))
#define likely(x)      __builtin_expect(!!(x), 1)
#define unlikely(x)    __builtin_expect(!!(x), 0)

#endif
