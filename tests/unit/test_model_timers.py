# SPDX-License-Identifier: GPL-2.0-or-later
"""Timers without a clock: what is certain, and what is elapsing (None)."""

from __future__ import annotations

import pytest

from harness.model.timers import CTL_ENABLE, CTL_IMASK, CTL_ISTATUS, NEVER, Timer
from harness.ppi import U64


def test_a_fresh_timer_is_off_and_expired() -> None:
    timer = Timer()
    assert (timer.read_ctl(), timer.read_cval()) == ((4, U64 & ~4), (0, U64))
    timer.write_ctl(3)
    timer.write_tval(5)
    timer.reset()
    assert timer == Timer()


@pytest.mark.parametrize(
    ("cval", "expired"), [(0, True), (1, None), (NEVER - 1, None), (NEVER, False), (U64, False)]
)
def test_compare_values(cval: int, expired: bool | None) -> None:
    timer = Timer()
    timer.write_cval(cval)
    assert (timer.cval, timer.expired, timer.ticks) == (cval, expired, cval)
    assert timer.read_cval() == (cval, U64)


@pytest.mark.parametrize(
    ("tval", "expired", "ticks"),
    [
        (0, True, NEVER), (1, None, 1), (0x7FFF_FFFF, None, 0x7FFF_FFFF), (1 << 32 | 5, None, 5),
        (-1, True, NEVER), (0xFFFF_FFFF, True, NEVER), (-999, True, NEVER), (-1000, None, NEVER),
        (1 << 31, None, NEVER),
    ],
)  # fmt: skip
def test_timer_values(tval: int, expired: bool | None, ticks: int) -> None:
    """32 bits, signed.  A deadline long ago may lie before the counter's zero."""
    timer = Timer()
    timer.write_tval(tval & U64)
    assert (timer.expired, timer.ticks, timer.read_cval()) == (expired, ticks, (0, 0))


@pytest.mark.parametrize("expired", [True, False, None])
@pytest.mark.parametrize("ctl", range(4))
def test_the_line_is_up_if_enabled_not_masked_and_expired(ctl: int, expired: bool | None) -> None:
    timer = Timer(ctl, expired=expired)
    assert timer.line is (expired if ctl == CTL_ENABLE else False)
    status = CTL_ISTATUS if expired else 0
    certain = ctl & CTL_ENABLE and expired is not None
    assert timer.read_ctl() == (ctl | status, U64 if certain else U64 & ~CTL_ISTATUS)


def test_bits_of_the_control_register() -> None:
    timer = Timer()
    timer.write_ctl(U64)
    assert timer.ctl == CTL_ENABLE | CTL_IMASK
    timer.write_ctl(U64, emulated=True)
    assert timer.ctl == 0xFFFF_FFFB


def test_how_long_is_long_enough() -> None:
    """10 MHz are 10,000 ticks in a millisecond; no counter is slower."""
    assert Timer(ticks=2_000_000).within(200)
    assert not Timer(ticks=2_000_001).within(200)
