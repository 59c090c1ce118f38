# SPDX-License-Identifier: GPL-2.0-or-later
"""Names and words of the IRS."""

from __future__ import annotations

import pytest

from harness.irs import (
    IST_ENABLED,
    IST_PENDING,
    IrsRegister,
    irs_register_name,
    ist_entry,
    lpi_intid,
    spi_intid,
)


def test_registers_have_names() -> None:
    assert irs_register_name(0x180) == "IRS_IST_BASER"
    assert irs_register_name(0x30) == "IRS+0x30"


def test_the_type_of_an_intid() -> None:
    """TYPE in [31:29]: 2 is LPI, 3 is SPI."""
    assert (lpi_intid(7), spi_intid(7)) == (0x4000_0007, 0x6000_0007)


def test_an_entry_as_it_was_seen() -> None:
    """Priority 8, enabled, pending, without and with an affinity."""
    assert ist_entry(IST_ENABLED | IST_PENDING, 8) == 0x4009
    assert ist_entry(IST_ENABLED | IST_PENDING, 8, 1) == 0x1_4009
    assert ist_entry(IST_PENDING) == 1


@pytest.mark.parametrize(
    ("register", "wide"), [(IrsRegister.IST_BASER, True), (IrsRegister.IST_CFGR, False)]
)
def test_some_registers_have_64_bits(register: IrsRegister, wide: bool) -> None:
    assert register.wide is wide
