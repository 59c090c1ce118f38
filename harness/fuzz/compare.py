# SPDX-License-Identifier: GPL-2.0-or-later
"""The same programs on two kernels: what differs, and no word about who is right.

The model says only which bits depend on time or on the host: those are not compared.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from harness.program import Program
from harness.report.session import Session
from harness.report.verdict import Outcome, Verdict
from harness.trace import Result, Trace, compare


@dataclass(frozen=True, slots=True)
class Pair:
    """Two kernels as one runner: ``expected`` is what the first one did."""

    one: Session
    other: Session

    def run(self, program: Program, upcoming: Iterable[Program] = ()) -> Outcome:
        """FAIL if they differ, CRASH if only one did; ERROR and SKIP as either says."""
        ahead = list(upcoming)
        one = self.one.run(program, ahead)
        other = self.other.run(program, ahead)
        for outcome in (one, other):
            if outcome.verdict in (Verdict.ERROR, Verdict.SKIP):
                return outcome
        return compared(one, other)

    def discard(self) -> None:
        """Fresh hosts, both."""
        self.one.discard()
        self.other.discard()


def compared(one: Outcome, other: Outcome) -> Outcome:
    """The outcome of a comparison; neither is an ERROR or a SKIP."""
    reports = tuple(tuple(r.fingerprint for r in each.reports) for each in (one, other))
    if reports[0] != reports[1]:
        which = other if other.reports else one
        name = "the second" if which is other else "the first"
        return replace(which, verdict=Verdict.CRASH, message=f"only on {name}: {which.message}",
                       diagnosis=None)  # fmt: skip
    if one.observed is None or other.observed is None:  # both died, in the same way
        return replace(one, verdict=Verdict.PASS, message="")
    if one.observed.ending is not other.observed.ending:
        endings = f"{one.observed.ending.name} and {other.observed.ending.name}"
        return Outcome(Verdict.FAIL, one.program, f"the program ended in {endings}",
                       expected=one.observed, observed=other.observed)  # fmt: skip
    expected = _masked(one, other)
    comparison = compare(one.program, expected, other.observed)
    verdict = Verdict.PASS if comparison.agrees else Verdict.FAIL
    return Outcome(verdict, one.program, "the kernels differ", expected, other.observed,
                   comparison)  # fmt: skip


def _masked(one: Outcome, other: Outcome) -> Trace:
    """What the first kernel did, in the bits that do not depend on time on either."""
    assert one.observed is not None
    known = [each.expected.results for each in (one, other) if each.expected is not None]
    results: list[Result] = []
    for index, result in enumerate(one.observed.results):
        mask = result.known
        for expected in known:
            mask &= expected[index].known
        results.append(replace(result, value=result.value & mask, known=mask))
    return replace(one.observed, results=tuple(results))
