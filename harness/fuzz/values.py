# SPDX-License-Identifier: GPL-2.0-or-later
"""Interesting numbers: bit edges, the exposed and the hidden PPIs, whole patterns."""

from __future__ import annotations

from random import Random
from typing import Final

from harness.ppi import CNTP, CNTV, NR_PPIS, SW_PPI, U64, Kind, Register, ppi_intid
from harness.suite.shapes import EVEN, EXPOSED, EXPOSED_PMU, HIDDEN, HIDDEN_PMU, ODD

_PATTERNS: Final = (0, U64, EXPOSED, EXPOSED_PMU, HIDDEN, HIDDEN_PMU, EVEN, ODD)
_EDGES: Final = (0, 1, 2, 3, 4, 7, 8, 15, 16, 26, 27, 28, 30, 31, 32, 33, 47, 48, 62, 63)
_PRIORITIES: Final = (0, 0, 1, 8, 0x0F, 0x10, 0x10, 0x11, 0x1E, 0x1F, 0x20, 0xFF)
# A compare value that has passed, ones that never come, and one that may come at any moment.
_COMPARE: Final = (0, 0, 0, U64, 1 << 56, 1 << 63, 1)
_TIMER: Final = (0, 0xFFFF_FFFF, 1000, 100_000, 0x7FFF_FFFF, 0x8000_0000)


def bitmap(random: Random) -> int:
    """A bitmap of PPIs."""
    match random.randrange(8):
        case 0 | 1 | 2:
            return random.choice(_PATTERNS)
        case 3 | 4:
            return 1 << random.choice(_EDGES)
        case 5:
            return U64 & ~(1 << random.choice(_EDGES))
        case 6:
            return random.choice(_PATTERNS) ^ 1 << random.randrange(NR_PPIS)
    return random.getrandbits(64)


def priorities(random: Random) -> int:
    """Eight priorities, one byte each."""
    if random.random() < 0.3:
        return random.choice((0, U64, EVEN, ODD, 0x1F1F_1F1F_1F1F_1F1F))
    return sum(random.choice(_PRIORITIES) << 8 * byte for byte in range(8))


def value_for(random: Random, register: Register) -> int:
    """A value to write to this register."""
    if random.random() < 0.03:
        return random.getrandbits(64)
    name = register.name
    if register.kind is Kind.PPI_BITMAP:
        return bitmap(random)
    if register.kind is Kind.PPI_PRIORITIES:
        return priorities(random)
    if name in ("GIC_CDDI", "GIC_CDEN", "GIC_CDDIS", "GIC_CDHM"):
        return ppi_intid(random.choice((SW_PPI, CNTV, CNTP, *_EDGES)))
    if name.endswith("_CTL_EL0"):
        return random.choice((0, 1, 1, 1, 2, 3, 7))
    if name.endswith("_CVAL_EL0"):
        return random.choice(_COMPARE)
    if name.endswith("_TVAL_EL0"):
        return random.choice(_TIMER)
    if name == "ICC_CR0_EL1":
        return random.choice((1, 1, 1, 0, 7, U64))
    if name == "ICC_PCR_EL1":
        return random.choice((0x1F, 0x1F, 0x1F, *_PRIORITIES))
    if name == "ICC_APR_EL1":
        return random.choice((0, 0, 1, 1 << 16, 1 << 31, U64, EVEN, random.getrandbits(32)))
    return random.choice((0, 1, U64, random.getrandbits(64)))
