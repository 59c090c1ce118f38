# SPDX-License-Identifier: GPL-2.0-or-later
"""Records as people and programs read them."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harness.errors import ConfigError
from harness.hwtrace.fields import INTID, Format, format_of, shown
from harness.hwtrace.ring import Record
from harness.hwtrace.slices import Located, is_mark
from harness.ppi import NR_PPIS, PPI_NAMES, U64, Kind, bits, ppi_name

_TYPES: Final = {1: "PPI", 2: "LPI", 3: "SPI"}
_EC_SYSREG: Final = 0x18
_FIELDS: Final = 4
_LISTED: Final = 8  # PPIs by name; more are shown as ranges


def intid(value: int) -> str:
    """``PPI 27 (CNTV)``, ``SPI 47``: TYPE[31:29] and ID[23:0]."""
    kind, number = value >> 29 & 7, value & 0xFFFFFF
    text = f"{_TYPES.get(kind, f'type {kind}')} {number}"
    return f"{text} ({PPI_NAMES[number]})" if kind == 1 and number in PPI_NAMES else text


def ppis(mask: int, bank: int) -> str:
    """A bitmap as PPI names; many as ranges of numbers."""
    numbers = [64 * bank + bit for bit in bits(mask)]
    if mask == U64:
        return f"all of {64 * bank}-{64 * bank + 63}"
    if len(numbers) <= _LISTED:
        return ", ".join(map(_ppi, numbers)) or "none"
    starts = [n for n in numbers if n - 1 not in numbers]
    ends = [n for n in numbers if n + 1 not in numbers]
    spans = (f"{a}-{b}" if a != b else f"{a}" for a, b in zip(starts, ends, strict=True))
    return f"{len(numbers)} PPIs: {', '.join(spans)}"


def _ppi(number: int) -> str:
    return ppi_name(number) if number < NR_PPIS else f"PPI({number})"


def priorities(value: int, bank: int) -> str:
    """Eight priorities: those that are not 0 by PPI."""
    each = [(8 * bank + i, value >> 8 * i & 0xFF) for i in range(8)]
    if len({priority for _, priority in each}) == 1:
        return f"{each[0][0]}-{each[-1][0]}: {each[0][1]}"
    return ", ".join(f"{_ppi(n)}={priority}" for n, priority in each if priority)


def fields(name: str, value: int) -> dict[str, int | str]:
    """The fields of a register's value by name; the INTID in words."""
    return {
        field.name: intid(value) if field.name == INTID else field.of(value)
        for field in format_of(name).fields
    }


def meaning(name: str, value: int) -> str:
    """What a value says, in words; empty if the number says it all."""
    form = format_of(name)
    if form.kind is Kind.PPI_BITMAP:
        return ppis(value, form.bank)
    if form.kind is Kind.PPI_PRIORITIES:
        return priorities(value, form.bank)
    return _in_fields(form, value)


def _in_fields(form: Format, value: int) -> str:
    if not form.fields:
        return ""
    first = form.fields[0]
    if first.name in ("VALID", "HPPIV"):
        return intid(value) if first.of(value) else "nothing"
    if form.traps:
        trapped = [field.name for field in form.fields if not field.of(value)]
        return f"traps {' '.join(trapped) or 'nothing'}"
    if all(field.high == field.low for field in form.fields):  # flags: name those that are set
        return " ".join(field.name for field in form.fields if field.of(value)) or "none"
    many = len(form.fields) > _FIELDS  # then, only what is not 0
    return " ".join(
        intid(value) if field.name == INTID else shown(field, value)
        for field in form.fields
        if field.of(value) or not many
    )


def trap(record: Record) -> str:
    """A trap by its ESR_EL2: ``MSR ICC_PPI_ENABLER0_EL1, x0  (ESR 0x623c3014)``."""
    esr = record.value
    if esr >> 26 & 0x3F != _EC_SYSREG:
        return f"{record.name}  (ESR {esr:#x})"
    register = "xzr" if (rt := esr >> 5 & 31) == 31 else f"x{rt}"
    moves = esr >> 20 & 3 == 3  # Op0
    if esr & 1:
        what = f"{'MRS' if moves else 'SYSL'} {register}, {record.name}"
    else:
        what = f"{'MSR' if moves else 'SYS'} {record.name}, {register}"
    return f"{what}  (ESR {esr:#x})"


@dataclass(frozen=True, slots=True)
class Symbols:
    """Functions by address, from a System.map; empty: none known."""

    addresses: tuple[int, ...] = ()
    names: tuple[str, ...] = ()

    @staticmethod
    def load(path: Path) -> Symbols:
        """ConfigError if the file is not what ``nm`` prints."""
        try:
            rows = [text.split() for text in path.read_text().splitlines()]
            every = [(int(address, 16), kind, name) for address, kind, name, *_ in rows]
        except (OSError, ValueError) as e:
            raise ConfigError(f"{path}: not a System.map: {e}", "give one, or nm's output") from e
        found = sorted((address, name) for address, kind, name in every if kind in "tTwW")
        return Symbols(tuple(a for a, _ in found), tuple(n for _, n in found))

    def at(self, pc: int) -> str:
        """``function+0x1c``, or the address."""
        index = bisect_right(self.addresses, pc) - 1
        if index < 0 or index == len(self.addresses) - 1:  # the last one has no end
            return f"{pc:#x}"
        return f"{self.names[index]}+{pc - self.addresses[index]:#x}"


NO_SYMBOLS: Final = Symbols()


def describe(record: Record) -> str:
    """The access itself: ``write ICH_VMCR_EL2 = 0xf8000001  VPMR=31 EN=1``."""
    if is_mark(record):
        return mark(record)
    what = f"{record.op:<5} {record.name}"
    if record.op == "undef":
        return f"{what}  (instruction {record.value:#010x})"
    if record.op == "trap":
        return f"{record.op:<5} {trap(record)}"
    words = meaning(record.name, record.value)
    return f"{what} = {record.value:#x}" + (f"  {words}" if words else "")


def mark(record: Record) -> str:
    """What a mark says."""
    if record.el:
        return f"---- guest operation {record.value}"
    if not record.value:
        return "---- the program is over"
    return f"---- program {record.value >> 16}, operation {record.value & 0xFFFF}"


def line(record: Record, started: int, symbols: Symbols = NO_SYMBOLS) -> str:
    """A whole line of ``gicv5 trace``.  ``started``: where the time counts from."""
    seconds = (record.time - started) / 1e9
    who = f"{record.sequence:>7} {seconds:12.6f} cpu{record.cpu} EL{record.el}"
    if is_mark(record):
        return f"{who} {mark(record)}"
    where = f"{'guest' if record.guest else 'host':<5} {record.interface:<4}"
    return f"{who} {where} {describe(record)}  @ {symbols.at(record.pc)}"


def as_dict(located: Located, started: int, symbols: Symbols) -> dict[str, object]:
    """A record for programs: a line of ``gicv5 trace --json``."""
    record = located.record
    out: dict[str, object] = {
        "sequence": record.sequence, "ns": record.time - started, "cpu": record.cpu,
        "el": record.el, "ctx": "guest" if record.guest else "host", "if": record.interface,
        "op": record.op, "reg": record.name, "encoding": record.reg, "size": record.size,
        "value": record.value, "pc": record.pc, "program": located.program,
        "operation": str(located.place) if located.program else "",
        "text": describe(record),
    }  # fmt: skip
    if symbols.names:
        out["symbol"] = symbols.at(record.pc)
    if not is_mark(record) and record.op in ("read", "write"):
        out["fields"] = fields(record.name, record.value)
    return out
