# SPDX-License-Identifier: GPL-2.0-or-later
"""The families irs, spi and ist notice a kernel or an IRS that breaks a rule.

There is no such kernel yet, so it is the model that is broken, one rule at a time.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness import program as p
from harness.irs import IST_ENABLED, IST_PENDING, Table, spi_intid
from harness.model import Behaviour, Model
from harness.model import irs as kvm_irs
from harness.model.irs import Resident
from harness.model.ist import Ists
from harness.model.state import Irs, Vm
from harness.suite import programs
from harness.trace import compare

MODEL = Model(Behaviour(irs=True))


def best_of_a_disabled_irs(self: Resident) -> tuple[int, int] | None:
    return self.irs.ists.best(self.vpe)


def line_that_lowers_an_edge(irs: Irs, spi: int, level: bool) -> None:
    irs.ists.change(spi_intid(spi), IST_PENDING, IST_PENDING * level)


def acknowledge_that_keeps_pending(self: Resident, intid: int) -> int:
    word = self.irs.ists.word(intid)
    self.irs.ists.change(intid, 0, 2)
    return word >> 11 & 0x1F


def set_address_again(_vm: Vm, irs: Irs, address: int) -> None:
    irs.address = address


def no_sizes(_irs: Irs, _op: p.Ist, _restoring: bool) -> bool:
    return False


def restore_without_pending(irs: Irs, images: dict[Table, list[int]]) -> None:
    for table, words in images.items():
        irs.ists.restore(table, [word & ~IST_PENDING for word in words])


def table_that_survives(self: Ists, table: Table) -> None:
    self.bits.pop(table, None)


def all_vpes(self: Ists, _vpe: int) -> tuple[int, int] | None:
    waiting = [
        (word >> 11 & 0x1F, table << 29 | index)
        for (table, index), word in self.entries.items()
        if word & IST_PENDING and word & IST_ENABLED and not word & 2
    ]
    return min(waiting, default=None)


def any_number_of_spis(irs: Irs) -> None:
    irs.spis = irs.spis or 64
    irs.ists.create(Table.SPI, 10)


def no_offset_is_wrong(_offset: int) -> int:
    return 0


@pytest.mark.parametrize(
    ("where", "name", "broken", "by"),
    [
        (Resident, "best", best_of_a_disabled_irs, "spi/irs-disabled"),
        (kvm_irs, "irq_line", line_that_lowers_an_edge, "spi/line-0-of-an-edge"),
        (Resident, "acknowledge", acknowledge_that_keeps_pending, "spi/edge-after-edge"),
        (kvm_irs, "set_address", set_address_again, "irs/address-twice"),
        (kvm_irs, "sizes_error", no_sizes, "ist/sizes-too-few-spis"),
        (kvm_irs, "restore", restore_without_pending, "ist/restore-spis"),
        (Ists, "remove", table_that_survives, "ist/made-again-it-is-empty"),
        (Ists, "best", all_vpes, "spi/to-another-vcpu"),
        (kvm_irs, "init", any_number_of_spis, "irs/nr-irqs-default"),
        (kvm_irs, "offset_error", no_offset_is_wrong, "irs/registers-no-such-offset"),
    ],
)
def test_a_broken_rule_is_noticed(
    monkeypatch: pytest.MonkeyPatch,
    where: object,
    name: str,
    broken: Callable[..., object],
    by: str,
) -> None:
    program = programs()[by]
    expected = MODEL.run(program)
    monkeypatch.setattr(where, name, broken)
    assert not compare(program, expected, MODEL.run(program)).agrees
