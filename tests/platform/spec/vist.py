# SPDX-License-Identifier: GPL-2.0-or-later
"""Virtual SPIs and LPIs: their Interrupt State Tables in memory (D.2), and the commands on them.

While a table is valid its entries are the objects of `Ist.interrupts`; memory is a copy of them
that is always current, for software may read it at any time (saving a VM).
"""

from __future__ import annotations

from . import iri
from .memory import load, store, there
from .state import Interrupt, Intid, Ist, Kind, Machine, Pe, bits
from .vms import ADDRESS_55_12, VALID, software_must

ADDRESS_55_6 = (1 << 56) - (1 << 6)
MAX_ID_BITS = 16
KEPT = 0b111 << 5 | 0b11 << 9 | 1 << 8  # HWU and RES0: whatever software put there


def decode(word: int) -> Interrupt:
    """An IST entry."""
    return Interrupt(
        latch=bool(word & 1),
        active=bool(word >> 1 & 1),
        level=bool(word >> 2 & 1),
        enabled=bool(word >> 3 & 1),
        any_target=bool(word >> 4 & 1),
        kept=word & KEPT,
        priority=bits(word, 15, 11),
        affinity=bits(word, 31, 16),
    )


def encode(interrupt: Interrupt) -> int:
    return (
        interrupt.latch
        | interrupt.active << 1
        | interrupt.level << 2
        | interrupt.enabled << 3
        | interrupt.any_target << 4
        | interrupt.kept
        | interrupt.priority << 11
        | interrupt.affinity << 16
    )


def describe(word: int) -> Ist:
    """VMTE word 2 (LPIs) or 3 (SPIs)"""
    size = 4 << bits(word, 57, 56)
    two_level = bool(word >> 58 & 1)
    id_bits = min(bits(word, 63, 59), MAX_ID_BITS)
    per_level_2 = (4096 << 2 * bits(word, 2, 1)) // size if two_level else 1 << id_bits
    return Ist(word & ADDRESS_55_6, id_bits, size, two_level, per_level_2)


def entry_address(machine: Machine, ist: Ist, number: int) -> int | None:
    if number >> ist.id_bits:
        return None
    if not ist.two_level:
        return ist.base + ist.size * number
    level_1 = load(machine, ist.base + 8 * (number // ist.per_level_2))
    if not level_1 & VALID:
        return None
    return (level_1 & ADDRESS_55_12) + ist.size * (number % ist.per_level_2)


def read_entries(machine: Machine, ist: Ist, first: int) -> None:
    """The entries that come with a table, or with the level 2 table that begins at `first`."""
    for number in range(first, min(first + ist.per_level_2, 1 << ist.id_bits)):
        address = entry_address(machine, ist, number)
        if address is None:
            return
        entry = load(machine, address, 4)
        if entry:
            ist.interrupts[number] = decode(entry)


def map_table(machine: Machine, vm: int, kind: int, unmap: bool) -> None:
    """IRS_VMAP_VISTR"""
    if vm not in machine.vms or kind not in (Kind.LPI, Kind.SPI):
        return
    address = machine.vms[vm].vmte + 8 * kind
    word = load(machine, address)
    store(machine, address, word & ~VALID if unmap else word | VALID)
    machine.vms[vm].ists.pop(Kind(kind), None)
    if not unmap:
        ist = machine.vms[vm].ists[Kind(kind)] = describe(word)
        for first in range(0, 1 << ist.id_bits, ist.per_level_2):
            read_entries(machine, ist, first)


def map_level_2(machine: Machine, vm: int, kind: int, number: int) -> None:
    """IRS_VMAP_L2_VISTR"""
    ist = machine.vms[vm].ists.get(Kind(kind)) if vm in machine.vms and kind in (2, 3) else None
    if ist is None or not ist.two_level or number >> ist.id_bits:
        return
    index = number // ist.per_level_2
    level_1 = load(machine, ist.base + 8 * index)
    store(machine, ist.base + 8 * index, level_1 | VALID)
    if not level_1 & VALID:
        read_entries(machine, ist, index * ist.per_level_2)


def find(machine: Machine, vm: int, intid: Intid) -> tuple[Interrupt, int] | None:
    """The interrupt, and the address of its entry."""
    if vm not in machine.vms or intid.kind not in (Kind.LPI, Kind.SPI):
        return None
    ist = machine.vms[vm].ists.get(Kind(intid.kind))
    address = entry_address(machine, ist, intid.number) if ist else None
    if ist is None or address is None:
        return None
    software_must(there(address, ist.size), "tables are in memory")
    if intid.number not in ist.interrupts:
        ist.interrupts[intid.number] = decode(load(machine, address, 4))
    return ist.interrupts[intid.number], address


def command(machine: Machine, pe: Pe, vm: int, name: str, operand: int) -> None:
    """CD* of a guest, VD* of EL2, on the interrupts of a VM"""
    found = find(machine, vm, Intid(bits(operand, 31, 29), bits(operand, 23, 0)))
    if name == "RCFG":
        pe.icsr = iri.configuration(found[0]) if found else iri.NO_SUCH_INTERRUPT
        return
    if found is None:
        return
    interrupt, address = found
    if name == "AFF":  # a VPE, whether there is one or not; no 1-of-N
        interrupt.affinity, interrupt.any_target = bits(operand, 47, 32), False
    else:
        iri.COMMANDS[name](machine, interrupt, operand)
    store(machine, address, encode(interrupt), 4)


def activate(machine: Machine, vm: int, intid: Intid) -> None:
    """Acknowledge (CDIA): Edge consumes the pending state, Level leaves it."""
    found = find(machine, vm, intid)
    if found:
        interrupt, address = found
        interrupt.active = True
        interrupt.latch = interrupt.latch and interrupt.level
        store(machine, address, encode(interrupt), 4)


# ---- what software must leave alone -----------------------------------------------------------


def check_write(machine: Machine, address: int, size: int) -> None:
    """Of a valid VM: the VMTE's words 0 and 1, the words of its valid ISTs, its valid VPETEs, and
    all of its ISTs; and the level 1 entries that lead to any of these."""
    owned: list[tuple[int, int]] = []
    irs = machine.irs
    if irs.vmt_valid and irs.vmt_two_level:
        owned.append((irs.vmt_base, 8 * (1 << irs.vmt_id_bits) // 128 + 8))
    for vm in machine.vms.values():
        owned.append((vm.vmte, 16))
        owned += [(vpe.entry, 8) for vpe in vm.vpes.values()]
        for kind, ist in vm.ists.items():
            owned.append((vm.vmte + 8 * kind, 8))
            if not ist.two_level:
                owned.append((ist.base, ist.size << ist.id_bits))
                continue
            for index in range(max(1, (1 << ist.id_bits) // ist.per_level_2)):
                level_1 = load(machine, ist.base + 8 * index)
                if level_1 & VALID:
                    owned.append((ist.base + 8 * index, 8))
                    owned.append((level_1 & ADDRESS_55_12, ist.size * ist.per_level_2))
    for start, length in owned:
        apart = address + size <= start or address >= start + length
        software_must(apart, "the IRS's tables are not written while they are valid")
