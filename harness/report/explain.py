# SPDX-License-Identifier: GPL-2.0-or-later
"""An outcome as a person reads it: what was done, what should have come of it, what did."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from itertools import groupby
from typing import Final

from harness.ppi import NR_PPIS, Kind, ppi_name
from harness.report.diagnosis import diagnose, short_diagnosis
from harness.report.hardware import accesses
from harness.report.listing import Lister, guest_op, register_of, result
from harness.report.ppimap import Bitmaps
from harness.report.ppiview import PpiView, exposed_ppis, ppi_view
from harness.report.verdict import Linearisation, Outcome, Verdict
from harness.trace import Difference, Status, Step

FURTHER: Final = 6  # differences shown in short after the first
LISTED: Final = 40  # records of a program; the failing one is among them
AFTER: Final = 4  # of them, after the failing one
REPORTED: Final = 40  # lines of a kernel report
TAIL: Final = 15  # console lines of a host that died without a report
WIDTH: Final = 98


def explain(outcome: Outcome, rerun: str = "", artefacts: str = "") -> str:
    """The whole text.  Empty for a PASS."""
    if outcome.verdict is Verdict.PASS:
        return ""
    blocks = ["\n".join(block) for block in _blocks(outcome)]
    last = [f"rerun:      {rerun}"] if rerun else []
    last += [f"artefacts:  {artefacts}"] if artefacts else []
    return "\n\n".join([block for block in blocks if block] + (["\n".join(last)] if last else []))


def headline(outcome: Outcome) -> str:
    """``FAIL: ICC_PPI_ENABLER0_EL1: lost: CNTV(27), CNTP(30) (and 3 more)``."""
    return f"{outcome.verdict.name}: {outcome.message}"


def explain_again(outcome: Outcome, like: str, rerun: str = "", artefacts: str = "") -> str:
    """In short, for an outcome of the same kind as one that was explained: ``like`` names it."""
    lines = [headline(outcome), f"of the same kind as {like}; in full in the artefacts, or with -v"]
    lines += [f"rerun:      {rerun}"] if rerun else []
    lines += [f"artefacts:  {artefacts}"] if artefacts else []
    return "\n".join(lines)


def kind_of(outcome: Outcome) -> tuple[str, ...]:
    """Outcomes of one kind are explained once in a terminal."""
    cause = outcome.reports[0].fingerprint if outcome.reports else short_diagnosis(outcome)
    # Without a known cause, each failure is news.
    return (outcome.verdict.name, outcome.program.family, cause or outcome.program.name)


def _blocks(outcome: Outcome) -> Iterator[list[str]]:
    yield [headline(outcome)]
    yield list(_reports(outcome))
    differences = outcome.comparison.differences
    # After a crash, or a child that was killed, what differs is the consequence.
    first = differences[0] if differences and outcome.verdict is Verdict.FAIL else None
    if outcome.verdict is not Verdict.SKIP:
        yield list(listing(outcome, first.step if first else None))
    if first is None:
        yield list(accesses(outcome))
        return
    yield list(describe(first, outcome))
    yield list(further(outcome))
    yield list(linearisation(outcome))
    yield list(accesses(outcome))
    for sentence in diagnose(outcome):
        yield textwrap.wrap(sentence, WIDTH, break_on_hyphens=False)


def _reports(outcome: Outcome) -> Iterator[str]:
    for report in outcome.reports:
        yield f"kernel report ({report.summary}):"
        yield from (f"  | {line}" for line in report.excerpt[:REPORTED])
        if len(report.excerpt) > REPORTED:
            yield f"  | ... {len(report.excerpt) - REPORTED} more lines"
    if not outcome.reports and outcome.console.strip() and outcome.verdict is Verdict.ERROR:
        yield "the last that the console said:"
        lines = [line.rstrip() for line in outcome.console.splitlines() if line.strip()]
        yield from (f"  | {line}" for line in lines[-TAIL:])

    if outcome.details:
        yield "a defect of the harness:"
        yield from (f"  | {line}" for line in outcome.details.splitlines()[-TAIL:])


def listing(outcome: Outcome, mark: Step | None = None) -> Iterator[str]:
    """The program, numbered; the marked record has an arrow.  A long one is shown around it."""
    records = list(Lister(outcome.program).lines())
    at = mark.record if mark else len(records) - 1
    end = len(records) if len(records) <= LISTED else min(len(records), at + AFTER)
    start = max(0, end - LISTED)
    yield f"program {outcome.program.name}:"
    if start:
        yield f"       ... {start} before"
    for record, (step, text) in enumerate(records[start:end], start):
        arrow = "-->" if mark and record == at else "   "
        indent = "  " * ((step.guest is not None) + (step.branch is not None) * 1)
        indent += "  " * (step.branch_index is not None)
        width = len(str(step.op_index))
        yield f"{arrow} {' ' * (3 - width)}{step.number:<{4 + width}}{indent}{text}"
    if end < len(records):
        yield f"       ... {len(records) - end} after"


def where(step: Step, lister: Lister) -> str:
    """``operation 7.2, run vCPU1: read ICC_PPI_ENABLER0_EL1``."""
    text = lister.op(step.op).rstrip(":")
    if step.guest is None:
        return f"operation {step.number}, {text}"
    return f"operation {step.number}, {text}: {guest_op(step.guest)}"


def describe(difference: Difference, outcome: Outcome) -> Iterator[str]:
    """The first difference in full: results, PPI names, the map."""
    step = difference.step
    yield f"first difference: {where(step, Lister(outcome.program))}"
    yield f"  expected  {result(step, difference.expected)}"
    yield f"  observed  {result(step, difference.observed)}"
    if maps := Bitmaps.of(difference):
        yield f"  {maps.names()}"
        if view := view_of(difference, outcome):
            yield ""
            yield from (f"  {line}" for line in view.lines())
    elif names := priorities(difference):
        yield f"  {names}"


def view_of(difference: Difference, outcome: Outcome) -> PpiView | None:
    """The four maps of a difference; None if it is not about PPIs."""
    if outcome.expected is None or outcome.observed is None or outcome.behaviour is None:
        return None
    program, vm = outcome.program, getattr(difference.step.op, "vm", 0)
    mask = exposed_ppis(program, outcome.behaviour, outcome.host, vm)
    return ppi_view(program, difference, outcome.expected, outcome.observed, mask)


def priorities(difference: Difference) -> str:
    """``CNTV(27): expected 0x10, observed 0x0; ...``; "" if these are not priorities."""
    register = register_of(difference.step)
    want, got = difference.expected, difference.observed
    done = want.status == got.status == Status.DONE and want.ret >= 0 and got.ret >= 0
    if register is None or register.kind is not Kind.PPI_PRIORITIES or not done:
        return ""
    parts = []
    for byte in range(8):
        due, seen = (want.value >> 8 * byte & 0xFF, got.value >> 8 * byte & 0xFF)
        if due != seen:
            ppi = 8 * register.bank + byte
            name = ppi_name(ppi) if ppi < NR_PPIS else f"PPI({ppi})"
            parts.append(f"{name}: expected {due:#x}, observed {seen:#x}")
    return "; ".join(parts)


def further(outcome: Outcome) -> Iterator[str]:
    """The other differences, one line each, the rest counted."""
    rest = outcome.comparison.differences[1:]
    if not rest:
        return
    lister = Lister(outcome.program)
    yield f"{len(rest)} further difference{'s' * (len(rest) != 1)}:"
    for difference in rest[:FURTHER]:
        step = difference.step
        maps = Bitmaps.of(difference)
        detail = maps.names() if maps else priorities(difference)
        if not detail:
            want, got = result(step, difference.expected), result(step, difference.observed)
            detail = f"expected {want}, observed {got}"
        yield f"  {where(step, lister).removeprefix('operation ')}: {detail}"
    if len(rest) > FURTHER:
        yield f"  and {len(rest) - FURTHER} more"


def linearisation(outcome: Outcome) -> Iterator[str]:
    """The order of the branches' steps that leads to the nearest allowed outcome."""
    seen = outcome.linearisation
    if seen is None:
        return
    yield f"expected is outcome {seen.number} of {seen.of} that are allowed; one order that has it:"
    yield from textwrap.wrap(order(seen), WIDTH, initial_indent="  ", subsequent_indent="  ")


def order(seen: Linearisation) -> str:
    """``a1 locks the vCPU, finalizes; b0 locks the vCPU``: where the order matters."""
    parts = []
    for who, steps in groupby((step.partition(" ") for step in seen.order), key=lambda s: s[0]):
        parts.append(f"{who} {', '.join(what for _, _, what in steps)}")
    return "; ".join(parts)


def operations(outcome: Outcome) -> Iterator[str]:
    """Every record with its expected and its observed result, for the artefacts."""
    lister = Lister(outcome.program)
    for step, text in lister.lines():
        yield f"{step.number:<7}{'  ' if step.guest is not None else ''}{text}"
        for name, trace in (("expected", outcome.expected), ("observed", outcome.observed)):
            if trace is not None:
                yield f"           {name}  {result(step, trace.results[step.record])}"
