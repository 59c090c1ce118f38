# SPDX-License-Identifier: GPL-2.0-or-later
"""Virtual SPIs and LPIs: the interrupt state tables (IST) of a VM, and what hardware does to them.

Hardware, as far as it was seen on one emulation only (reference: kvm-7.4.md, parts 1 and 3).  An
entry is the 32-bit word that KVM saves (harness/irs.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from harness.irs import (
    IST_ACTIVE,
    IST_ENABLED,
    IST_LEVEL,
    IST_ONE_OF_N,
    IST_PENDING,
    Table,
)
from harness.model.refusals import NotModelled

PRIORITY_SHIFT: Final = 11
PRIORITY: Final = 0x1F << PRIORITY_SHIFT
IAFFID_SHIFT: Final = 16
UNUSED: Final = IST_ONE_OF_N | 0x07E0  # HWU and reserved bits: nobody has set them

FAULT: Final = 1  # ICC_ICSR_EL1.F: there is no such interrupt


@dataclass(slots=True)
class Ists:
    """The tables of one VM: what there is room for, and the entries that are not 0.

    ``bits``: ID_BITS of each table that exists.
    """

    bits: dict[Table, int] = field(default_factory=dict)
    entries: dict[tuple[Table, int], int] = field(default_factory=dict)

    def create(self, table: Table, bits: int) -> None:
        """A fresh table is all 0."""
        self.remove(table)
        self.bits[table] = bits

    def remove(self, table: Table) -> None:
        self.bits.pop(table, None)
        self.entries = {key: word for key, word in self.entries.items() if key[0] is not table}

    def find(self, intid: int) -> tuple[Table, int] | None:
        """The key of an entry; None if there is none."""
        for table, bits in self.bits.items():
            if intid >> 29 & 7 == table and intid & 0xFF_FFFF < 1 << bits:
                return table, intid & 0xFF_FFFF
        return None

    def change(self, intid: int, clear: int, set_: int) -> None:
        """Nothing happens to an interrupt that does not exist."""
        key = self.find(intid)
        if key is not None:
            self.entries[key] = self.entries.get(key, 0) & ~clear | set_

    def image(self, table: Table, count: int) -> list[int]:
        """The first ``count`` entries, as KVM saves them."""
        return [self.entries.get((table, index), 0) for index in range(count)]

    def restore(self, table: Table, words: list[int]) -> None:
        for index, word in enumerate(words):
            if word & UNUSED:
                raise NotModelled(f"an IST entry {word:#x}")
            self.entries[table, index] = word
        self.entries = {key: word for key, word in self.entries.items() if word}

    # --- instructions: GIC CD*, by the guest, with an operand ------------------------------------

    def configuration(self, intid: int) -> int:
        """ICC_ICSR_EL1 after GIC CDRCFG."""
        key = self.find(intid)
        if key is None:
            return FAULT
        word = self.entries.get(key, 0)
        flags = (word & IST_ENABLED) >> 2 | (word & IST_PENDING) << 2 | (word & IST_ACTIVE) << 3
        return word >> IAFFID_SHIFT << 32 | word & PRIORITY | (word & IST_LEVEL) << 3 | flags

    def command(self, name: str, operand: int) -> None:
        """CDEN, CDDIS, CDPRI, CDAFF, CDPEND, CDHM, CDDI."""
        match name:
            case "CDEN":
                self.change(operand, 0, IST_ENABLED)
            case "CDDIS":
                self.change(operand, IST_ENABLED, 0)
            case "CDPRI":
                self.change(operand, PRIORITY, (operand >> 35 & 0x1F) << PRIORITY_SHIFT)
            case "CDAFF":
                if operand >> 28 & 1:
                    raise NotModelled("an interrupt for one of several vCPUs")
                self.change(operand, 0xFFFF << IAFFID_SHIFT, (operand >> 32 & 0xFFFF) << 16)
            case "CDPEND":
                self.change(operand, IST_PENDING, operand >> 32 & 1)
            case "CDHM":
                self.change(operand, IST_LEVEL, (operand >> 32 & 1) << 2)
            case "CDDI":
                self.change(operand, IST_ACTIVE, 0)

    # --- delivery --------------------------------------------------------------------------------

    def best(self, vpe: int) -> tuple[int, int] | None:
        """(priority, INTID) of the highest priority pending interrupt of a VPE."""
        found = sorted(self.waiting(vpe))
        if len(found) > 1 and found[0][0] == found[1][0]:
            raise NotModelled("which of two SPIs or LPIs of one priority comes first")
        return found[0] if found else None

    def waiting(self, vpe: int) -> Iterator[tuple[int, int]]:
        for (table, index), word in self.entries.items():
            state = word & (IST_PENDING | IST_ENABLED | IST_ACTIVE)
            if state == IST_PENDING | IST_ENABLED and word >> IAFFID_SHIFT == vpe:
                yield (word & PRIORITY) >> PRIORITY_SHIFT, table << 29 | index

    def activate(self, intid: int) -> None:
        """GICR CDIA: an edge stops pending."""
        self.change(intid, 0 if self.word(intid) & IST_LEVEL else IST_PENDING, IST_ACTIVE)

    def word(self, intid: int) -> int:
        """The entry of an interrupt that exists."""
        key = self.find(intid)
        assert key is not None
        return self.entries.get(key, 0)
