# SPDX-License-Identifier: GPL-2.0-or-later
"""What the kernel did to the GIC around the operation that went wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Final

from harness.errors import ConfigError
from harness.hwtrace.decode import NO_SYMBOLS, Symbols, describe, line
from harness.hwtrace.fields import counterpart
from harness.hwtrace.ring import Record
from harness.hwtrace.slices import Located, Place, Slice, between, is_mark
from harness.program import Parallel, Program, Run
from harness.report.listing import register_of
from harness.report.verdict import Outcome
from harness.trace import Step

SHOWN: Final = 40  # accesses in a report; all of them are in the artefacts


def accesses(outcome: Outcome) -> Iterator[str]:
    """The accesses that matter to the first difference, or the last before a crash.

    They begin with the run of a vCPU that the differing operation is, or follows: there KVM writes
    the vCPU's state.  Left out is what changes nothing: the host's own interrupts, and a register
    that is written or read with the value that the line before had; but the register in question
    is always shown.
    """
    sliced = outcome.accesses
    if not sliced.located:
        return
    differences = outcome.comparison.differences
    step = differences[0].step if differences else None
    first, last = _window(outcome.program, step, sliced)
    chosen = between(sliced.located, first, _after(last))
    register = register_of(step) if step else None
    shown = list(_news(chosen, counterpart(register.name) if register else ""))
    cut = max(0, len(shown) - SHOWN)
    count = sum(not is_mark(each.record) for each in chosen)
    where = f"operation {first}" if first == last else f"operations {first} to {last}"
    yield f"accesses to the GIC in {where}:"
    if sliced.incomplete:
        yield "  (the first accesses of this program were overwritten)"
    if cut:
        yield f"  ... {cut} before"
    yield from (f"  {_line(each.record)}" for each in shown[cut:])
    kept = sum(not is_mark(each.record) for each in shown[cut:])
    yield f"  ({kept} of {count}: all are in hardware-trace.txt)"


def everything(sliced: Slice) -> Iterator[str]:
    """All accesses of the program, for the artefacts."""
    if not sliced.located:
        return
    if sliced.incomplete:
        yield "(the first accesses of this program were overwritten)"
    started = sliced.located[0].record.time
    symbols = _symbols(sliced.symbols) if sliced.symbols else NO_SYMBOLS
    yield from (line(each.record, started, symbols) for each in sliced.located)


@cache
def _symbols(path: Path) -> Symbols:
    try:
        return Symbols.load(path)
    except ConfigError:  # it only makes the text nicer
        return NO_SYMBOLS


def _window(program: Program, step: Step | None, sliced: Slice) -> tuple[Place, Place]:
    """The first and the last operation to show."""
    if step is None:  # it died: the last operation is where
        at = Place(max(each.place for each in sliced.located).op)
        return at, at
    runs = [
        i for i, op in enumerate(program.ops[: step.op_index + 1]) if isinstance(op, Run | Parallel)
    ]
    first = Place(runs[-1] if runs else step.op_index)
    return first, Place(step.op_index, -1 if step.guest_index is None else step.guest_index)


def _after(last: Place) -> Place:
    return Place(last.op + 1) if last.guest < 0 else Place(last.op, last.guest + 1)


def _news(located: Sequence[Located], wanted: str) -> Iterator[Located]:
    """Leave out what repeats.  A register that was not seen yet is taken to be 0."""
    seen: dict[tuple[int, str, str], int] = {}
    marks: list[Located] = []
    for each in located:
        record = each.record
        if is_mark(record):
            marks.append(each)
        elif _matters(record, seen, wanted):
            yield from marks
            marks = []
            yield each
    yield from marks


def _matters(record: Record, seen: dict[tuple[int, str, str], int], wanted: str) -> bool:
    if record.op not in ("read", "write"):
        return True
    if record.interface == "phys":
        return False
    key = (record.cpu, record.interface, record.name)
    changed = seen.get(key, 0) != record.value
    seen[key] = record.value
    return changed or record.guest or counterpart(record.name) == wanted


def _line(record: Record) -> str:
    if is_mark(record):
        return describe(record)
    return f"cpu{record.cpu} EL{record.el} {record.interface:<4} {describe(record)}"
