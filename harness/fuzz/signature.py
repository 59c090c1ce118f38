# SPDX-License-Identifier: GPL-2.0-or-later
"""When two failures are the same finding: the first operation that differs, and how."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from harness.model.cpuif import family
from harness.ppi import PPI_NAMES, Kind, bits
from harness.program import Read, Write
from harness.report.listing import errno_name, register_of
from harness.report.ppimap import Bitmaps
from harness.report.verdict import Outcome, Verdict
from harness.suite.shapes import EXPOSED_PMU
from harness.trace import Comparison, Difference, RunEnd, Status

FAILURES: Final = (Verdict.FAIL, Verdict.CRASH)


@dataclass(frozen=True, slots=True)
class Signature:
    """``kind``: what a shrunk program must still show.  ``ppis``: the PPIs in which it shows.

    PPIs that no guest can have are all the same: ``hidden``.
    """

    kind: str
    ppis: tuple[str, ...] = ()

    def __str__(self) -> str:
        return " ".join([self.kind, *self.ppis])

    @property
    def slug(self) -> str:
        """For a file's name."""
        return re.sub(r"[^a-z0-9]+", "-", str(self).lower()).strip("-")[:80]


def signature(outcome: Outcome) -> Signature | None:
    """Of a FAIL or CRASH; None otherwise."""
    if outcome.verdict not in FAILURES:
        return None
    if outcome.reports:
        return Signature(f"crash {outcome.reports[0].fingerprint}")
    if not outcome.comparison.differences:
        return Signature(f"{outcome.verdict.value} {outcome.message}")
    return of_difference(telling(outcome.comparison))


def telling(comparison: Comparison) -> Difference:
    """The first difference; if it is how a run ended, the first of what the guest did in it."""
    first, *rest = comparison.differences
    same_run = (each for each in rest if _operation(each) == _operation(first))
    return first if first.step.guest is not None else next(same_run, first)


def _operation(difference: Difference) -> tuple[int | None, ...]:
    step = difference.step
    return step.op_index, step.branch, step.branch_index


def of_difference(difference: Difference) -> Signature:
    """``run write PPI_ENABLER0_EL1 lost`` and the PPIs."""
    step, want, got = difference.step, difference.expected, difference.observed
    words = [type(step.op).__name__.lower()]
    if step.guest is not None:
        words.append(type(step.guest).__name__.lower())
    register = register_of(step)
    if register is None and isinstance(step.guest, Read | Write):
        register = step.guest.reg
    if register is not None:
        priorities = register.kind is Kind.PPI_PRIORITIES
        words.append(family(register) if priorities else register.name.removeprefix("ICC_"))
    if want.status is not got.status:
        return Signature(
            " ".join([*words, want.status.name.lower(), "is", got.status.name.lower()])
        )
    if want.ret != got.ret:
        return Signature(" ".join([*words, _ret(want.ret), "is", _ret(got.ret)]))
    if step.guest is None and words == ["run"]:
        return Signature(" ".join([*words, _end(want.value), "is", _end(got.value)]))
    if (maps := Bitmaps.of(difference)) is not None:
        words += [word for word in ("lost", "leaked") if getattr(maps, word)]
        return Signature(" ".join(words), _names(maps.lost | maps.leaked, maps.bank))
    if want.status is Status.DONE and want.extra != got.extra:
        words.append("extra")
    return Signature(" ".join(words))


def _ret(ret: int) -> str:
    return errno_name(ret) if ret < 0 else "ok"


def _end(value: int) -> str:
    return RunEnd(value).name.lower() if value in list(RunEnd) else str(value)


def _names(mask: int, bank: int) -> tuple[str, ...]:
    if bank:
        return ("hidden",)
    names = [PPI_NAMES[ppi] for ppi in bits(mask & EXPOSED_PMU)]
    return (*names, "hidden") if mask & ~EXPOSED_PMU else tuple(names)
