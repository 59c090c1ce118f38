/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The IRS, and the SPIs and LPIs that programs use, between programs. */
#pragma once

#include <stdint.h>

#define INTID_PPI(n) (1u << 29 | (n))
#define INTID_LPI(n) (2u << 29 | (n))
#define INTID_SPI(n) (3u << 29 | (n))

/* To the state that a program finds; the line of SPI 1 is low. */
void reset_irs(void);

/* All that can be read of them, at most SNAPSHOT_IRS words. */
void snapshot_irs(volatile uint64_t *to);
