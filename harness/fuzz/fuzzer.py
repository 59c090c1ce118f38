# SPDX-License-Identifier: GPL-2.0-or-later
"""The loop: make a program, run it, and shrink what fails."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from random import Random
from typing import Final, Protocol

from harness.errors import TargetError
from harness.fuzz.corpus import Corpus
from harness.fuzz.generate import Generator, mutated
from harness.fuzz.modelled import Modelled, mended, modelled
from harness.fuzz.sections import is_racy, mapped
from harness.fuzz.shrink import Ops, OutOfBudget, shrink, vm_of
from harness.fuzz.signature import Signature, signature
from harness.fuzz.vm_shape import units
from harness.model import Model
from harness.program import (
    MAX_RECORDS,
    MAX_VMS,
    Capability,
    CopyReg,
    CreateDevice,
    CreateVcpu,
    CreateVm,
    Delay,
    InitVcpu,
    IstEntry,
    Op,
    Parallel,
    PlaceIrs,
    Program,
    Run,
    flat,
    init_device,
)
from harness.report.facts import host_facts
from harness.report.judge import MIN_CPUS
from harness.report.session import Session
from harness.report.verdict import Outcome, Verdict
from harness.suite.shapes import needs_of
from harness.trace import steps

AHEAD: Final = 16  # programs that are ready before they are asked for
SHRINK_SECONDS: Final = 30.0
FRESH_SECONDS: Final = 120.0  # if each candidate needs a fresh host
MAX_ERRORS: Final = 5  # in a row: then the machine is broken, not a program
PREDECESSORS: Final = 3  # programs before one that fails only after another
FROM_CORPUS: Final = 0.25
RACE_RUNS: Final = 20  # of a race, before it counts as not failing
RATE_RUNS: Final = 50  # to say how often it fails


@dataclass(frozen=True, slots=True)
class Finding:
    """``outcome`` is that of the shrunk program; ``found_in`` names the one that was generated.

    ``runs``: how many programs the shrinking took.  ``seconds``: since the session began.
    ``reproduced``: it failed again on a fresh host, alone or after a program that had run before
    it; None: there was no time to try.  ``failed``: of a race, how often of how many times.
    """

    signature: Signature
    outcome: Outcome
    found_in: Program
    number: int
    seconds: float
    runs: int = 0
    reproduced: bool | None = None
    failed: tuple[int, int] | None = None


@dataclass(slots=True)
class Statistics:
    programs: int = 0
    runs: int = 0  # with those of shrinking
    errors: int = 0
    skipped: int = 0
    failures: int = 0
    races: int = 0  # programs with parallel sections
    started: float = field(default_factory=time.monotonic)
    shrinking: float = 0.0

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    @property
    def rate(self) -> float:
        """Generated programs per second, without the time for shrinking."""
        return self.programs / max(self.seconds - self.shrinking, 1e-3)


class Runner(Protocol):
    """Runs a program on a kernel and judges it; ``upcoming``: see targets/base.py."""

    def run(self, program: Program, upcoming: Iterable[Program] = ()) -> Outcome: ...

    def discard(self) -> None:
        """The next program gets a fresh host."""
        ...


@dataclass(slots=True)
class Fuzzer:
    """Fuzzes.  ``stop`` is asked before each program.

    ``runner``: a session, or two of them that are compared.  ``first``: programs to begin with.
    """

    runner: Runner
    factory: Factory
    corpus: Corpus
    stop: Callable[[Statistics], bool]
    on_program: Callable[[Fuzzer], None] = lambda _fuzzer: None
    on_finding: Callable[[Finding], None] = lambda _finding: None
    first: Iterable[Program] = ()
    findings: list[Finding] = field(default_factory=list)
    statistics: Statistics = field(default_factory=Statistics)
    _seen: set[Signature] = field(default_factory=set)
    _errors: int = 0

    def run(self) -> None:
        """Until ``stop`` says so.  TargetError if the machine, and not a program, is broken."""
        programs = chain(self.first, self.factory.programs(self.corpus))
        queue: deque[Program] = deque()
        previous: deque[Program] = deque(maxlen=PREDECESSORS)
        while not self.stop(self.statistics):
            while len(queue) < AHEAD:
                queue.append(next(programs))
            program = queue.popleft()
            outcome = self.judged(program, list(queue))
            self.statistics.programs += 1
            self.statistics.races += is_racy(program.ops)
            self.on_program(self)
            self._take(previous, outcome)
            previous.append(program)

    def judged(self, program: Program, upcoming: Sequence[Program]) -> Outcome:
        outcome = self.runner.run(program, upcoming)
        self.statistics.runs += 1
        if outcome.verdict is not Verdict.ERROR:
            self._errors = 0
            return outcome
        self._errors += 1
        self.statistics.errors += 1
        if self._errors >= MAX_ERRORS:
            raise TargetError(f"{self._errors} programs in a row: {outcome.message}",
                              "run the suite on this kernel first: gicv5 run")  # fmt: skip
        return outcome

    def _take(self, previous: Iterable[Program], outcome: Outcome) -> None:
        self.statistics.skipped += outcome.verdict is Verdict.SKIP
        sign = signature(outcome)
        if sign is None:
            return
        self.statistics.failures += 1
        if sign in self._seen:
            return
        self._seen.add(sign)
        found = Finding(sign, outcome, outcome.program, self.statistics.programs,
                        self.statistics.seconds)  # fmt: skip
        try:
            found = self._reduced(found, previous)
        except KeyboardInterrupt:
            self._report(found)
            raise
        finally:
            self.statistics.shrinking += self.statistics.seconds - found.seconds
        if found.signature == sign or found.signature not in self._seen:
            self._report(found)

    def _reduced(self, found: Finding, previous: Iterable[Program]) -> Finding:
        before = self.statistics.runs
        again = self._again(found.signature, previous, found.found_in)
        shrunk = self._shrunk(found.signature, again) if again else None
        outcome = shrunk or found.outcome
        return replace(
            found, signature=signature(outcome) or found.signature, outcome=outcome,
            runs=self.statistics.runs - before, reproduced=shrunk is not None,
            failed=self._rate(outcome.program) if is_racy(outcome.program.ops) else None,
        )  # fmt: skip

    def _rate(self, program: Program) -> tuple[int, int]:
        """How often a race fails."""
        outcomes = [self.judged(program, ()) for _ in range(RATE_RUNS)]
        return sum(signature(each) is not None for each in outcomes), RATE_RUNS

    def again(self, sign: Signature, program: Program, upcoming: Sequence[Program] = ()) -> Outcome:
        """Run it; a race several times, until it fails in this way."""
        for _ in range(RACE_RUNS if is_racy(program.ops) else 1):
            outcome = self.judged(program, upcoming)
            if _same(sign, outcome):
                break
        return outcome

    def _report(self, finding: Finding) -> None:
        self._seen.add(finding.signature)
        self.findings.append(finding)
        self.on_finding(finding)

    # --- shrinking -------------------------------------------------------------------------------

    def _again(
        self, sign: Signature, previous: Iterable[Program], program: Program
    ) -> Outcome | None:
        """The failure on a fresh host: of the program alone, else of one with a predecessor in it.

        What a VM leaves behind in a CPU or in KVM can be what the next VM stumbles over.
        """
        candidates = [program]
        for before in reversed(list(previous)):
            ops = (*elsewhere(before.ops), *program.ops)
            if self.factory.modelled(ops) and program_size(ops) <= MAX_RECORDS:
                candidates.append(self.factory.named(program.name, ops))
        for candidate in candidates:
            self.runner.discard()
            outcome = self.again(sign, candidate)
            if _same(sign, outcome):
                return outcome
        return None

    def _shrunk(self, sign: Signature, found: Outcome) -> Outcome | None:
        """The outcome of the shortest program that fails in the same way, on the target.

        It must also fail on a fresh host.  If it does not, it lived on what the programs before it
        had left behind: then each candidate gets a fresh host.
        """
        for fresh in (False, True):
            best = Shrinking(self, sign, found, fresh).best()
            self.runner.discard()
            outcome = self.again(sign, best.program)
            if _same(sign, outcome):
                return outcome
        return None


def _same(sign: Signature, outcome: Outcome) -> bool:
    seen = signature(outcome)
    return seen is not None and seen.kind == sign.kind


@dataclass(slots=True)
class Shrinking:
    """One finding on its way to a short program.  ``fresh``: a fresh host for each candidate."""

    fuzzer: Fuzzer
    sign: Signature
    found: Outcome
    fresh: bool
    _until: float = 0.0
    _best: Outcome | None = None
    _made: dict[Ops, Program | None] = field(default_factory=dict)

    def best(self) -> Outcome:
        self._until = time.monotonic() + (FRESH_SECONDS if self.fresh else SHRINK_SECONDS)
        self._best = self.found
        start = self.found.program.ops
        differences = self.found.comparison.differences
        if differences and self.found.verdict is Verdict.FAIL:  # what comes later does not matter
            cut = start[: differences[0].step.op_index + 1]
            start = cut if self.fails(cut, ()) else start
        shrink(start, self.fails)
        return self._best

    def fails(self, ops: Ops, after: Sequence[Ops]) -> bool:
        program = self.program(ops)
        if program is None:
            return False
        if time.monotonic() > self._until:
            raise OutOfBudget
        upcoming = []
        if self.fresh:
            self.fuzzer.runner.discard()
        else:
            upcoming = [each for ops in after if (each := self.program(ops)) is not None]
        outcome = self.fuzzer.again(self.sign, program, upcoming)
        self.fuzzer.on_program(self.fuzzer)
        if not _same(self.sign, outcome):
            return False
        self._best = outcome
        return True

    def program(self, ops: Ops) -> Program | None:
        """None if the model has no answer to it.  The same object each time it is asked for."""
        if ops not in self._made:
            known = self.fuzzer.factory.modelled(ops) if ops else None
            name = self.found.program.name
            self._made[ops] = self.fuzzer.factory.named(name, known.ops) if known else None
        return self._made[ops]


@dataclass(slots=True)
class Factory:
    """Programs to which these models have an answer, from a seed."""

    seed: str
    models: tuple[Model, ...]
    accessors: bool
    races: bool = False  # with parallel sections

    @classmethod
    def of(cls, seed: str, sessions: Sequence[Session]) -> Factory:
        """For the hosts of these sessions: what is expected of each must be known."""
        models: list[Model] = []
        for session in sessions:
            host, judge = session.host(), session.judge()
            facts = host_facts(host.hello, host.boot_log)
            models += [Model(behaviour, facts) for behaviour in judge.behaviours()]
        accessors = all(session.judge().accessors for session in sessions)
        # Two hosts that are compared would have to run their races alike.
        races = len(sessions) == 1 and sessions[0].host().hello.cpus >= MIN_CPUS
        return cls(seed, tuple(dict.fromkeys(models)), accessors, races)

    def programs(self, corpus: Corpus) -> Iterator[Program]:
        """Those of earlier sessions, then new ones, without end."""
        for program in corpus.load():
            known = self.modelled(program.ops)
            if known is not None:
                corpus.consider(program, known.traces[0])
                yield program
        number = 0
        while True:
            random = Random(f"{self.seed}/{number}")
            old = corpus.interesting
            if len(old) > AHEAD and random.random() < FROM_CORPUS:
                ops = mutated(random, random.choice(old).ops, random.choice(old).ops)
            else:
                pmu = all(model.host.pmu for model in self.models)
                ops = Generator(random, self.accessors, pmu, self.races).ops()
            known = mended(ops, self.models)
            program = self.named(f"fuzz/{self.seed}-{number}", known.ops)
            corpus.consider(program, known.traces[0])
            yield program
            number += 1

    def modelled(self, ops: Ops) -> Modelled | None:
        return modelled(ops, self.models)

    def named(self, name: str, ops: Ops) -> Program:
        """What a kernel without accessors refuses is a part of the program, not a need of it."""
        needs = needs_of(ops)
        return Program(name, ops, needs if self.accessors else needs - {Capability.CPU_SYSREGS})


def elsewhere(ops: Ops) -> Ops:
    """The same with the other two of the four VMs: a generated program has at most two."""

    def moved(op: Op) -> Op:
        if isinstance(op, IstEntry | Delay | Parallel):
            return op
        if isinstance(op, CopyReg):
            op = replace(op, to_vm=(op.to_vm + 2) % MAX_VMS)
        return replace(op, vm=(op.vm + 2) % MAX_VMS)

    return mapped(ops, moved)


def program_size(ops: Ops) -> int:
    """Records: operations, and guest operations in them."""
    return sum(1 for _ in steps(Program("", ops)))


def sizes(program: Program) -> tuple[int, int, int]:
    """Operations, a VM's creation being one; those that only set VMs up; guest operations."""
    made = list(units(program.ops))
    ops = [op for op in flat(program.ops) if not isinstance(op, Parallel)]
    guest = sum(len(op.guest) for op in ops if isinstance(op, Run))
    whole = [unit for unit in made if unit.shape is not None]
    alone = [op for op in flat(unit.ops[0] for unit in made if unit.shape is None)
             if not isinstance(op, Parallel)]  # fmt: skip
    setup = sum(
        isinstance(op, CreateVm | CreateDevice | PlaceIrs | CreateVcpu | InitVcpu)
        or op == init_device(vm_of(op))
        for op in alone
    )
    return len(whole) + len(alone), len(whole) + setup, guest
