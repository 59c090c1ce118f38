# SPDX-License-Identifier: GPL-2.0-or-later
"""The virtual CPU interface by itself: reference, parts A and B."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model_tools import IRS, Kernel

from harness.irs import spi_intid
from harness.model import HostFacts
from harness.model.cpuif import IDLE, CpuInterface, agreed, lowest
from harness.ppi import U64, ppi_intid
from harness.program import read
from harness.suite.shapes import acknowledge, configure, drop, irs_listen, spi_line


def interface() -> CpuInterface:
    return CpuInterface(HostFacts().hmr, lambda: [0])


@given(st.integers(1, (1 << 32) - 1))
def test_the_lowest_bit_is_the_running_priority(apr: int) -> None:
    assert lowest(apr) == next(i for i in range(32) if apr >> i & 1)
    assert lowest(0) == IDLE


def test_each_ppi_has_its_own_byte() -> None:
    hw = interface()
    hw.priorityr[:8] = [sum((n * 8 + i) % 31 << 8 * i for i in range(8)) for n in range(8)]
    assert [hw.priority(ppi) for ppi in range(64)] == [ppi % 31 for ppi in range(64)]


def test_what_is_known_is_what_all_possibilities_share() -> None:
    assert agreed({5}) == (5, U64)
    assert agreed({1, 2, 4}) == (1, U64 & ~7)


@pytest.mark.parametrize(
    ("ppi", "left"),
    [(3, (U64 & ~8, U64)), (64, (U64, U64 & ~1)), (127, (U64, U64 >> 1)), (128, (U64, U64)),
     (191, (U64, U64)), (0xFF_FFFF, (U64, U64))],
)  # fmt: skip
def test_deactivation_is_of_one_ppi_that_exists(ppi: int, left: tuple[int, int]) -> None:
    hw = interface()
    hw.activer = [U64, U64]
    hw.deactivate(ppi_intid(ppi))
    assert tuple(hw.activer) == left


def test_a_drop_leaves_the_running_priority() -> None:
    hw = interface()
    hw.apr = 0x8000_0110
    seen = []
    for _ in range(4):
        hw.drop()
        seen.append(hw.apr)
    assert seen == [0x8000_0100, 0x8000_0000, 0, 0]


def test_priorities_of_spis_are_active_too() -> None:
    """8, and then 4 on top of it."""
    kernel = Kernel(IRS)
    kernel.run(irs_listen(), configure(spi_intid(7), 8), configure(spi_intid(9), 4))
    kernel(spi_line(7))
    assert kernel.run(acknowledge(), read("APR"))[1].value == 1 << 8
    kernel(spi_line(9))
    nested = kernel.run(acknowledge(), read("APR"), drop(), read("APR"))
    assert [nested[1].value, nested[3].value] == [1 << 8 | 1 << 4, 1 << 8]
