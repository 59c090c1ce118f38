# SPDX-License-Identifier: GPL-2.0-or-later
"""Which accesses belong to which operation: the marks that the agent and the guest leave.

The agent marks each operation before it starts, by the program's sequence number and the
operation's number as reports have it, then the end of the last one, then that the program is over
(``guest/mark.h``).  The guest marks its own operations.  What other CPUs do between two marks is
between them, too: one order holds for all CPUs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from harness.hwtrace.ring import Record, Ring

OUTSIDE: Final = -1  # no operation: before the first mark, or between programs


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where in a program: operation, and guest operation if one has started (else -1)."""

    op: int
    guest: int = -1

    @staticmethod
    def parse(text: str) -> Place:
        """``4`` or ``4.2``, as reports number operations.  ValueError if it is neither."""
        op, _, guest = text.partition(".")
        return Place(int(op), int(guest) if guest else -1)

    def __str__(self) -> str:
        return f"{self.op}" if self.guest < 0 else f"{self.op}.{self.guest}"


@dataclass(frozen=True, slots=True)
class Located:
    """A record, the program that it belongs to (0: none), and where in it."""

    record: Record
    program: int
    place: Place


def is_mark(record: Record) -> bool:
    return record.op == "mark"


def program_of(mark: Record) -> int:
    """The program that an agent's mark names; 0: none, it is over."""
    return mark.value >> 16


def locate(records: Iterable[Record]) -> Iterator[Located]:
    """Say of each record, oldest first, where it belongs.  A mark is where it says."""
    program, place = 0, Place(OUTSIDE)
    for record in records:
        if is_mark(record) and record.el == 0:
            program = program_of(record)
            place = Place(record.value & 0xFFFF) if program else Place(OUTSIDE)
        elif is_mark(record) and program:
            place = Place(place.op, record.value)
        yield Located(record, program, place)


@dataclass(frozen=True, slots=True)
class Slice:
    """What a program did to the GIC, as far as it is still known.

    ``incomplete``: the ring had wrapped, and the first accesses are gone.  ``file``: the same in
    the ring's own format; empty if the target records nothing.  ``symbols``: a System.map, if the
    kernel has one.
    """

    located: Sequence[Located] = ()
    incomplete: bool = False
    file: bytes = field(default=b"", repr=False)
    symbols: Path | None = None


def slice_of(ring: Ring, program: int) -> Slice:
    """The accesses of one program: from its first mark to its last, or to the present."""
    if not program:  # none has run yet
        return Slice()
    found: list[Record] = []
    end = 0  # how many of what was found came after it
    for record in ring.newest_first():
        if is_mark(record) and record.el == 0 and program_of(record):
            if program_of(record) == program:
                if record.value & 0xFFFF == 0:
                    found.append(record)
                    return _slice(ring, found[end:], False)
            elif program_of(record) < program:
                return Slice()
        found.append(record)
        if is_mark(record) and record.el == 0 and program_of(record) != program:
            end = len(found)
    return _slice(ring, found[end:], ring.overwritten > 0) if _seen(found, program) else Slice()


def _seen(records: Iterable[Record], program: int) -> bool:
    return any(is_mark(r) and r.el == 0 and program_of(r) == program for r in records)


def _slice(ring: Ring, newest_first: Sequence[Record], incomplete: bool) -> Slice:
    records = newest_first[::-1]
    located = list(locate(records))
    if incomplete:  # what precedes the first mark that is left belongs to the program as well
        first = next(i for i, each in enumerate(located) if each.program)
        program = located[first].program
        located[:first] = [
            Located(each.record, program, Place(OUTSIDE)) for each in located[:first]
        ]
    return Slice(located, incomplete, ring.excerpt(records[0].sequence, records[-1].sequence))


def between(located: Iterable[Located], first: Place, last: Place) -> list[Located]:
    """From the mark of ``first`` up to, and without, the mark of ``last``."""
    return [each for each in located if first <= each.place < last]
