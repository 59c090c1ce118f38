# SPDX-License-Identifier: GPL-2.0-or-later
"""What the way to a host costs: the whole suite's time over it, and the bytes it carries."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from statistics import median
from typing import Final

from harness.report.session import Session, expectation
from harness.report.verdict import Verdict
from harness.suite import programs
from harness.targets.agent import AHEAD
from harness.targets.board import BoardHost
from harness.targets.spec import OpenTarget

BITS: Final = 10  # of a byte on a serial line: start, eight, stop


@dataclass(frozen=True, slots=True)
class Figures:
    """``seconds``: of each program that ran, judging included; booting and connecting are not.

    ``sent`` and ``received``: bytes of frames; ``line_sent`` and ``line_received``: of all that the
    serial line carried meanwhile; 0 if there is none.
    """

    verdicts: tuple[Verdict, ...]
    seconds: tuple[float, ...]
    sent: int
    received: int
    line_sent: int
    line_received: int

    def wire_seconds(self, baud: int) -> float:
        """What the line needs at least: both directions go at once."""
        return max(self.line_sent, self.line_received) * BITS / baud


def measure(target: OpenTarget, every: int = 1) -> Figures:
    """Run every nth program of the suite.  HarnessError if no host can be had."""
    session = Session(target, expectation(target.expect))
    verdicts, seconds = list[Verdict](), list[float]()
    total = [0, 0, 0, 0]
    try:
        queue = deque(islice(programs().values(), 0, None, every))
        while queue:
            program = queue.popleft()
            host = session.host()
            before = _traffic(host)
            start = time.monotonic()
            outcome = session.run(program, islice(queue, AHEAD))
            took = time.monotonic() - start
            total = [t + b - a for t, a, b in zip(total, before, _traffic(host), strict=True)]
            verdicts.append(outcome.verdict)
            if outcome.verdict is not Verdict.SKIP:
                seconds.append(took)
    finally:
        session.close()
    return Figures(tuple(verdicts), tuple(seconds), *total)


def _traffic(host: object) -> tuple[int, int, int, int]:
    if not isinstance(host, BoardHost):
        return 0, 0, 0, 0
    now = host.traffic()
    return now.sent, now.received, now.line_sent, now.line_received


def report(figures: Figures, baud: int = 0) -> Iterator[tuple[str, str]]:
    """Lines of ``gicv5 bench --target``.  ``baud``: of the serial line, if there is one."""
    count, total = len(figures.seconds), sum(figures.seconds)
    if not count:
        yield "suite", "every program was skipped: gicv5 doctor says why"
        return
    verdicts = ", ".join(
        f"{figures.verdicts.count(verdict)} {verdict.value}"
        for verdict in Verdict
        if verdict in figures.verdicts
    )
    yield "suite, without boot and connecting", f"{total:.2f} s: {verdicts}"
    yield "median of a program", f"{median(figures.seconds) * 1000:.2f} ms"
    if figures.sent:
        yield (
            "bytes of a program and its trace",
            f"{figures.sent / count:.0f} to the board, {figures.received / count:.0f} from it",
        )
    if baud:
        wire = figures.wire_seconds(baud)
        yield (
            "the same on the serial line",
            f"{figures.line_sent / count:.0f} to the board, "
            f"{figures.line_received / count:.0f} from it",
        )
        yield (
            f"time that the line needs at {baud} baud",
            f"{wire:.2f} s, {100 * wire / total:.0f} % of the suite's time",
        )
