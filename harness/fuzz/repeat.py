# SPDX-License-Identifier: GPL-2.0-or-later
"""One program many times: a race shows itself now and then, and each time perhaps differently."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from harness.program import Program
from harness.report.explain import headline
from harness.report.verdict import Outcome, Verdict

BAD = (Verdict.FAIL, Verdict.CRASH)


@dataclass(slots=True)
class Tally:
    """What came of the repetitions.  ``worst``: the first failure, else the last outcome."""

    runs: int = 0
    failures: int = 0
    seen: Counter[int] = field(default_factory=Counter)
    of: int = 1
    messages: Counter[str] = field(default_factory=Counter)
    worst: Outcome | None = None

    def add(self, outcome: Outcome) -> None:
        self.runs += 1
        failed = outcome.verdict in BAD
        self.failures += failed
        if self.worst is None or self.worst.verdict not in BAD:
            self.worst = outcome
        if outcome.linearisation is not None:
            self.of = outcome.linearisation.of
        if outcome.verdict is Verdict.PASS:
            self.seen[outcome.linearisation.number if outcome.linearisation else 1] += 1
        else:
            self.messages[headline(outcome)] += 1

    def lines(self) -> Iterator[str]:
        """``fails 3 of 100``, and which of the allowed outcomes were seen how often."""
        yield f"fails {self.failures} of {self.runs}"
        if self.seen:
            counts = ", ".join(f"#{n} {count} times" for n, count in sorted(self.seen.items()))
            yield f"  {len(self.seen)} of {self.of} allowed outcomes seen: {counts}"
        for message, count in self.messages.most_common():
            yield f"  {count} times: {message}"


def repeat(run: Callable[[Program], Outcome], program: Program, times: int) -> Tally:
    """Run it so many times, on whatever host is there."""
    tally = Tally()
    for _ in range(times):
        tally.add(run(program))
    return tally
