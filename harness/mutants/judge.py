# SPDX-License-Identifier: GPL-2.0-or-later
"""The suite, or the fuzzer, on one Image."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
from typing import Final

from harness.console import find_reports
from harness.errors import BootError
from harness.fuzz.corpus import Corpus
from harness.fuzz.fuzzer import AHEAD, MAX_ERRORS, Factory
from harness.mutants.results import LEFT_OUT, FuzzRun, Kill, SuiteRun
from harness.program import Program
from harness.provision.cache import digest
from harness.report.session import Session
from harness.report.verdict import Expectation, Outcome, Verdict
from harness.suite import families, programs
from harness.targets.spec import OpenTarget
from harness.trace import Ending

MAX_COSTLY: Final = 3  # of a family: programs that cost a host; then the rest is left out
RACE_SECONDS: Final = 60.0  # how long families are run again that show a race now and then
FINGERPRINT_PROGRAMS: Final = 100  # generated ones that identify the generator

Stop = Callable[[], bool]
KILLED: Final = (Verdict.FAIL, Verdict.CRASH)


class Interrupted(Exception):
    """The user has had enough; what was begun is not a result."""


@dataclass(frozen=True)
class Lab:
    """How kernels are judged: the same for the unmutated kernel and for all its mutants.

    ``open_target`` makes a target of an Image.  ``stop``: whether the user wants to end.
    ``seed``: of the generated programs, the same for all.
    """

    open_target: Callable[[Path], OpenTarget]
    expectation: Expectation
    stop: Stop = lambda: False
    seed: str = "mutants"

    def session(self, image: Path) -> Session:
        return Session(self.open_target(image), self.expectation, details=False)

    def suite(
        self,
        image: Path,
        wanted: Mapping[str, str],
        key: str = "",
        *,
        only: Collection[str] | None = None,
        fast: bool = False,
        again: Collection[str] = (),
    ) -> SuiteRun:
        """The programs in ``only`` (None: all of ``wanted``), on as few hosts as it takes.

        ``again``: families that are repeated for RACE_SECONDS, or until a program of them fails, if
        all passed.  BootError if the first does not boot.
        """
        session = self.session(image)
        try:
            chosen = {n: d for n, d in wanted.items() if only is None or n in only}
            return _suite(session, chosen, key, self.stop, fast=fast, again=again)
        finally:
            session.close()

    def fuzz(self, image: Path, limit: float, key: str = "") -> FuzzRun:
        """Generated programs until one fails.  BootError as above."""
        session = self.session(image)
        try:
            return _fuzz(session, key, limit, self.seed, self.stop)
        finally:
            session.close()

    def survey(self, image: Path) -> Survey:
        """What can be asked of a host like this, and with what it is judged."""
        session = self.session(image)
        try:
            judge = session.judge()
            behaviour = judge.behaviours()[0]

            def known(program: Program) -> str:
                return digest([_words(program), repr(judge.execute(behaviour, program))])

            made = Factory.of(self.seed, [session]).programs(Corpus(None))
            provenance = {k: v for k, v in session.target.provenance.items() if k != "kernel"}
            return Survey(
                digest([provenance, repr(self.expectation)]),
                {
                    program.name: known(program)
                    for family in families()
                    for program in family.programs
                    if judge.beforehand(program) is None
                },
                digest([known(program) for program in islice(made, FINGERPRINT_PROGRAMS)]),
            )
        finally:
            session.close()


@dataclass(frozen=True)
class Survey:
    """``tools``: QEMU, plugin, agent and what the kernel is declared to do.

    ``programs``: those of the suite that can run, in its order, with a digest of each and of what
    is expected of it.  ``generator``: the same of the first generated ones.
    """

    tools: str
    programs: dict[str, str]
    generator: str


def _words(program: Program) -> str:
    """The same in every process: sets have no order."""
    return f"{program.name} {program.ops} {sorted(need.name for need in program.needs)}"


# --- the suite -----------------------------------------------------------------------------------


@dataclass
class _Tally:
    """A suite run under way."""

    started: float
    verdicts: dict[str, str] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    costly: Counter[str] = field(default_factory=Counter)
    first: Kill | None = None
    runs: int = 0

    def take(self, outcome: Outcome) -> None:
        name = outcome.program.name
        self.runs += 1
        self.verdicts[name] = outcome.verdict.value
        if outcome.verdict is Verdict.ERROR:
            self.errors.append(f"{name}: {outcome.message}")
        elif outcome.verdict in KILLED and self.first is None:
            seconds = time.monotonic() - self.started
            crash = outcome.verdict is Verdict.CRASH
            self.first = Kill(name, outcome.message, self.runs, seconds, crash)
        self.costly[outcome.program.family] += _cost_a_host(outcome)


def _cost_a_host(outcome: Outcome) -> bool:
    if outcome.verdict in (Verdict.CRASH, Verdict.ERROR):
        return True
    return outcome.observed is not None and outcome.observed.ending is not Ending.COMPLETED


def _suite(
    session: Session, wanted: dict[str, str], key: str, stop: Stop, *, fast: bool,
    again: Collection[str],
) -> SuiteRun:  # fmt: skip
    begun = time.monotonic()
    session.host()
    tally = _Tally(time.monotonic())
    work = [program for name, program in programs().items() if name in wanted]
    for position, program in enumerate(work):
        if stop():
            raise Interrupted
        if tally.costly[program.family] >= MAX_COSTLY:
            tally.verdicts[program.name] = LEFT_OUT
            tally.runs += 1
            continue
        tally.take(session.run(program, work[position + 1 : position + 1 + AHEAD]))
        if (fast and tally.first) or session.broken:
            break
    _repeat(session, [program for program in work if program.family in again], tally, stop)
    return SuiteRun(
        key, tally.verdicts, {name: wanted[name] for name in tally.verdicts}, tuple(tally.errors),
        tally.first, boot_seconds=tally.started - begun,
        seconds=time.monotonic() - tally.started, whole=not (fast and tally.first),
    )  # fmt: skip


def _repeat(session: Session, races: Sequence[Program], tally: _Tally, stop: Stop) -> None:
    """Again and again, until one fails."""
    until = time.monotonic() + RACE_SECONDS
    for program in cycle(races):
        if tally.first or tally.errors or session.broken or time.monotonic() > until:
            return
        if stop():
            raise Interrupted
        tally.take(session.run(program))


# --- the fuzzer ----------------------------------------------------------------------------------


def _fuzz(session: Session, key: str, limit: float, seed: str, stop: Stop) -> FuzzRun:
    """As harness.fuzz.fuzzer, but nothing is shrunk: the first failure is enough."""
    factory = Factory.of(seed, [session])
    started = time.monotonic()
    kill, count = None, 0
    errors: list[str] = []
    for program, ahead in _with_upcoming(factory.programs(Corpus(None))):
        if stop():
            raise Interrupted
        seconds = time.monotonic() - started
        if seconds >= limit or len(errors) >= MAX_ERRORS or session.broken:
            break
        outcome = session.run(program, ahead)
        count += 1
        if outcome.verdict is Verdict.ERROR:
            errors.append(f"{program.name}: {outcome.message}")
        if outcome.verdict in KILLED:
            seconds = time.monotonic() - started
            crash = outcome.verdict is Verdict.CRASH
            kill = Kill(program.name, outcome.message, count, seconds, crash)
            break
    seconds = time.monotonic() - started
    return FuzzRun(key, limit, count, kill, tuple(errors), seconds)


def _with_upcoming(made: Iterator[Program]) -> Iterator[tuple[Program, list[Program]]]:
    queue = list(islice(made, AHEAD))
    while queue:
        yield queue[0], queue[1:]
        queue = queue[1:] + list(islice(made, 1))


# --- a kernel that does not boot -----------------------------------------------------------------


def boot_report(error: BootError) -> str:
    """What the kernel itself said about its death; "" means that it may not be its fault."""
    reports = find_reports(error.console)
    return reports[0].summary if reports else ""
