# SPDX-License-Identifier: GPL-2.0-or-later
"""A 64-bit PPI bitmap, expected against observed, and its differences by name."""

from __future__ import annotations

from dataclasses import dataclass

from harness.ppi import U64, Kind
from harness.report.listing import ppi_list, register_of
from harness.trace import Difference, Status


@dataclass(frozen=True, slots=True)
class Bitmaps:
    """What one PPI bitmap should be and was; ``bank``: PPI = 64 * bank + bit."""

    expected: int
    observed: int
    known: int = U64
    bank: int = 0

    @classmethod
    def of(cls, difference: Difference) -> Bitmaps | None:
        """The bitmaps of a difference in a PPI bitmap register, else None."""
        register = register_of(difference.step)
        want, got = difference.expected, difference.observed
        done = want.status == got.status == Status.DONE and want.ret >= 0 and got.ret >= 0
        if register is None or register.kind is not Kind.PPI_BITMAP or not done:
            return None
        return cls(want.value, got.value, want.known, register.bank)

    @property
    def leaked(self) -> int:
        return self.observed & ~self.expected & self.known

    @property
    def lost(self) -> int:
        return self.expected & ~self.observed & self.known

    def names(self) -> str:
        """``leaked: CNTHP(26); lost: CNTV(27), CNTP(30)``; long lists are counted."""
        parts = (
            (word, mask) for word, mask in (("leaked", self.leaked), ("lost", self.lost)) if mask
        )
        return "; ".join(f"{word}: {_names(mask, self.bank)}" for word, mask in parts)


def _names(mask: int, bank: int) -> str:
    if mask.bit_count() <= 12:
        return ppi_list(mask, bank)
    low = mask & -mask
    first = 0
    for _ in range(8):
        first |= low
        rest = mask & ~first
        low = rest & -rest
    return f"{ppi_list(first, bank)} and {mask.bit_count() - 8} more"
