# SPDX-License-Identifier: GPL-2.0-or-later
"""Interrupt state tables by themselves: entries are the words that KVM saves."""

from __future__ import annotations

import pytest

from harness.irs import (
    IST_ACTIVE,
    IST_ENABLED,
    IST_LEVEL,
    IST_PENDING,
    Table,
    ist_entry,
    lpi_intid,
    spi_intid,
)
from harness.model.ist import Ists

FLAGS = IST_PENDING | IST_ACTIVE | IST_LEVEL | IST_ENABLED
FULL = ist_entry(FLAGS, 31, 0xFFFF)
INTID = spi_intid(5)
ONE = 1 << 32  # of CDPEND and CDHM


def tables(word: int = 0) -> Ists:
    """With 32 SPIs and 4096 LPIs; SPI 5 has this entry."""
    ists = Ists()
    ists.create(Table.SPI, 5)
    ists.create(Table.LPI, 12)
    ists.entries[Table.SPI, 5] = word
    return ists


@pytest.mark.parametrize(
    ("name", "operand", "before", "after"),
    [
        ("CDEN", 0, 0, IST_ENABLED),
        ("CDEN", 0, IST_PENDING, IST_ENABLED | IST_PENDING),
        ("CDDIS", 0, FULL, FULL & ~IST_ENABLED),
        ("CDDIS", 0, IST_ENABLED | IST_LEVEL, IST_LEVEL),
        ("CDPRI", 4 << 35, FULL, ist_entry(FLAGS, 4, 0xFFFF)),
        ("CDPRI", 31 << 35, 0, ist_entry(0, 31)),
        ("CDAFF", 3 << 32, FULL, ist_entry(FLAGS, 31, 3)),
        ("CDAFF", 0x1_8000 << 32, 0, ist_entry(0, 0, 0x8000)),
        ("CDPEND", ONE, 0, IST_PENDING),
        ("CDPEND", 0, FULL, FULL & ~IST_PENDING),
        ("CDPEND", 2 * ONE, FULL, FULL & ~IST_PENDING),
        ("CDHM", ONE, 0, IST_LEVEL),
        ("CDHM", 0, FULL, FULL & ~IST_LEVEL),
        ("CDHM", 2 * ONE, FULL, FULL & ~IST_LEVEL),
        ("CDDI", 0, FULL, FULL & ~IST_ACTIVE),
    ],
)
def test_instructions(name: str, operand: int, before: int, after: int) -> None:
    ists = tables(before)
    ists.command(name, INTID | operand)
    assert ists.entries == {(Table.SPI, 5): after}


@pytest.mark.parametrize(
    ("word", "icsr"),
    [
        (0, 0), (IST_ENABLED, 1 << 1), (IST_PENDING, 1 << 2), (IST_ACTIVE, 1 << 4),
        (IST_LEVEL, 1 << 5), (ist_entry(0, 31), 0xF800), (ist_entry(0, 0, 0x1234), 0x1234 << 32),
    ],
)  # fmt: skip
def test_the_configuration_of_an_interrupt(word: int, icsr: int) -> None:
    """IAFFID[47:32], Priority[15:11], HM5, Active4, Pending2, Enabled1."""
    assert tables(word).configuration(INTID) == icsr
    assert tables().configuration(spi_intid(6)) == 0


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (IST_PENDING | IST_ENABLED, IST_ACTIVE | IST_ENABLED),
        (IST_PENDING | IST_LEVEL, IST_PENDING | IST_ACTIVE | IST_LEVEL),
    ],
)
def test_an_edge_stops_pending_when_it_is_acknowledged(before: int, after: int) -> None:
    ists = tables(before)
    ists.activate(INTID)
    assert ists.word(INTID) == after
    assert ists.word(spi_intid(6)) == 0


@pytest.mark.parametrize(
    ("intid", "key"),
    [
        (spi_intid(31), (Table.SPI, 31)), (spi_intid(32), None),
        (lpi_intid(4095), (Table.LPI, 4095)), (lpi_intid(4096), None),
        (0x2000_0003, None), (3, None),
    ],
)  # fmt: skip
def test_interrupts_that_exist(intid: int, key: tuple[Table, int] | None) -> None:
    ists = tables()
    assert ists.find(intid) == key
    ists.change(intid, 0, IST_PENDING)
    assert (IST_PENDING in ists.entries.values()) is (key is not None)


def test_an_entry_that_nobody_touched_is_0() -> None:
    ists = tables()
    ists.change(spi_intid(6), 0, IST_ACTIVE)
    assert ists.word(spi_intid(6)) == IST_ACTIVE


def test_a_fresh_table_is_empty_and_the_other_stays() -> None:
    ists = tables(FULL)
    ists.change(lpi_intid(7), 0, IST_PENDING)
    ists.create(Table.SPI, 6)
    assert ists.entries == {(Table.LPI, 7): IST_PENDING}
    assert ists.bits == {Table.LPI: 12, Table.SPI: 6}
    ists.remove(Table.LPI)
    ists.remove(Table.LPI)
    assert (ists.entries, ists.bits) == ({}, {Table.SPI: 6})


def test_the_best_is_enabled_pending_inactive_and_mine() -> None:
    ready = IST_ENABLED | IST_PENDING
    ists = tables()
    words = [
        ist_entry(ready, 9, 1), ist_entry(ready, 4, 2), ist_entry(ready | IST_ACTIVE, 1, 1),
        ist_entry(IST_ENABLED, 1, 1), ist_entry(IST_PENDING, 1, 1), ist_entry(ready, 8, 1),
    ]  # fmt: skip
    ists.restore(Table.SPI, words)
    assert ists.image(Table.SPI, 7) == [*words, 0]
    assert [ists.best(vpe) for vpe in (0, 1, 2)] == [None, (8, spi_intid(5)), (4, spi_intid(1))]
