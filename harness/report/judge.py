# SPDX-License-Identifier: GPL-2.0-or-later
"""The judge: from a program's trace to a verdict on the kernel under test."""

from __future__ import annotations

import math
import signal
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Final

from harness.console import KernelReport, find_reports
from harness.model.behaviour import Behaviour, Finalize, LateWrites
from harness.model.executor import Allowed
from harness.program import (
    GRP_CPU_SYSREGS,
    Action,
    Capability,
    CopyReg,
    DeviceAttr,
    Program,
    Run,
    flat,
)
from harness.report.listing import Lister, errno_name, guest_op, register_of, result
from harness.report.ppimap import Bitmaps
from harness.report.verdict import Expectation, Linearisation, Outcome, Verdict
from harness.targets.base import HostLost
from harness.trace import Comparison, Ending, Status, Trace, compare, steps
from harness.wire import Hello

MIN_CPUS: Final = 2  # for branches that run at the same time

Execute = Callable[[Behaviour, Program], tuple[Allowed, ...]]


@dataclass(slots=True)
class LateWriteWitness:
    """Which late-write behaviour a kernel that declares none has shown in this session.

    ``program``: the first one that told.  From then on the kernel must keep to it.
    """

    seen: LateWrites | None = None
    program: str = ""

    def allows(self, behaviour: LateWrites) -> bool:
        return self.seen in (None, behaviour)

    def fix(self, behaviour: LateWrites, program: str) -> None:
        if self.seen is None:
            self.seen, self.program = behaviour, program


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges programs that ran on one host.

    ``execute``: what the model allows, given a behaviour.  ``witness`` outlives the host.
    ``diagnoses``: of a FAIL, it is asked which other behaviour it agrees with; that takes 20 ms.
    """

    expectation: Expectation
    hello: Hello
    execute: Execute
    witness: LateWriteWitness = field(default_factory=LateWriteWitness)
    diagnoses: bool = True

    @property
    def accessors(self) -> bool:
        """Whether the register accessors are there: as declared, else as probed."""
        declared = self.expectation.accessors
        return self.hello.sysregs_errno == 0 if declared is None else declared

    @property
    def irs(self) -> bool:
        """Whether the VGICv5 has an IRS: as declared, else as probed."""
        declared = self.expectation.irs
        return self.hello.irs_errno == 0 if declared is None else declared

    def behaviours(self) -> tuple[Behaviour, ...]:
        """The behaviours that are acceptable, likeliest first."""
        late = self.expectation.late_writes
        return tuple(
            Behaviour(self.accessors, self.expectation.finalize, each, self.irs)
            for each in ((late,) if late else tuple(LateWrites))
        )

    def beforehand(self, program: Program) -> Outcome | None:
        """SKIP or FAIL if the program need not run here; None if it must."""
        missing = missing_capability(program, self.hello, self.accessors, self.irs)
        if missing is None:
            return None
        capability, evidence = missing
        declared = {
            Capability.CPU_SYSREGS: ("accessors", self.expectation.accessors),
            Capability.IRS: ("irs", self.expectation.irs),
        }
        key, there = declared.get(capability, ("", None))
        if there:
            return Outcome(
                Verdict.FAIL, program,
                f"{capability.value}: {evidence}, but this kernel is declared to have it "
                f"(expect.{key}: true)",
            )  # fmt: skip
        return _skip(program, f"{capability.value}: {evidence}")

    def judge(self, program: Program, observed: Trace, console: str = "") -> Outcome:
        """The verdict on a trace that arrived."""
        outcome = replace(self._compared(program, observed), console=console)
        if reports := find_reports(observed.log):
            return replace(
                outcome, verdict=Verdict.CRASH, reports=reports,
                message=f"the kernel reported: {_first(reports)}",
            )  # fmt: skip
        if observed.ending is Ending.KILLED:
            name = _signal(observed.signal)
            return replace(
                outcome, verdict=Verdict.ERROR,
                message=f"the process that ran the program was killed by {name}",
            )  # fmt: skip
        if observed.ending is Ending.DEADLINE:
            return replace(outcome, verdict=Verdict.FAIL, message=_unfinished(program, outcome))
        return outcome

    def lost(self, program: Program, loss: HostLost) -> Outcome:
        """The verdict if the host died, or fell silent, while the program ran."""
        reports = find_reports(loss.console)
        if reports and loss.started:
            verdict, message = Verdict.CRASH, f"the kernel died: {_first(reports)} ({loss.what})"
        elif reports:
            verdict = Verdict.ERROR
            message = f"the host died before the program started: {_first(reports)} ({loss.what})"
        else:
            verdict, message = Verdict.ERROR, f"{loss.what}; the kernel reported nothing"
        return Outcome(verdict, program, message, reports=reports, console=loss.console)

    def _compared(self, program: Program, observed: Trace) -> Outcome:
        behaviours = self.behaviours()
        if not writes_late(program):  # all are the same then; a model run is not free
            behaviours = behaviours[:1]
        nearest = [
            _nearest(program, self.execute(behaviour, program), observed)
            for behaviour in behaviours
        ]
        expected = [trace for trace, _ in nearest]
        comparisons = [compare(program, trace, observed) for trace in expected]
        agreeing = [b for b, c in zip(behaviours, comparisons, strict=True) if c.agrees]
        chosen = next(
            (i for i, b in enumerate(behaviours) if self.witness.allows(b.late_writes)), 0
        )
        outcome = Outcome(
            Verdict.FAIL, program, "", expected[chosen], observed, comparisons[chosen],
            behaviour=behaviours[chosen], linearisation=nearest[chosen][1],
        )  # fmt: skip
        if len(agreeing) == len(behaviours):
            return replace(outcome, verdict=Verdict.PASS)
        allowed = [b for b in agreeing if self.witness.allows(b.late_writes)]
        if allowed:
            return self._witnessed(outcome, allowed[0], nearest[behaviours.index(allowed[0])])
        if agreeing:
            seen, other = self.witness.seen, agreeing[0].late_writes
            assert seen is not None
            return replace(
                outcome, diagnosis=agreeing[0],
                message=f"late writes are {other.value} here but were {seen.value} in "
                f"{self.witness.program}: a kernel must do one or the other",
            )  # fmt: skip
        # Of two possible expectations, show the one that the kernel comes closest to.
        best = min(
            (i for i, b in enumerate(behaviours) if self.witness.allows(b.late_writes)),
            key=lambda i: len(comparisons[i].differences),
        )
        outcome = replace(
            outcome, expected=expected[best], comparison=comparisons[best],
            behaviour=behaviours[best], linearisation=nearest[best][1],
            message=_what_differs(comparisons[best], Lister(program), nearest[best][1]),
        )  # fmt: skip
        return replace(outcome, diagnosis=self._diagnose(program, observed, behaviours))

    def _witnessed(
        self, outcome: Outcome, behaviour: Behaviour, seen: tuple[Trace, Linearisation | None]
    ) -> Outcome:
        """The program agrees with some of the acceptable behaviours only: that is the kernel's."""
        self.witness.fix(behaviour.late_writes, outcome.program.name)
        return replace(
            outcome, verdict=Verdict.PASS, behaviour=behaviour, expected=seen[0],
            comparison=Comparison(), linearisation=seen[1],
        )  # fmt: skip

    def _diagnose(
        self, program: Program, observed: Trace, declared: tuple[Behaviour, ...]
    ) -> Behaviour | None:
        """A behaviour that was not declared and explains the trace to the last bit."""
        if not self.diagnoses:
            return None
        for behaviour in sorted(_ALL_BEHAVIOURS, key=lambda b: _distance(b, declared[0])):
            if behaviour in declared:
                continue
            try:
                expected = self.execute(behaviour, program)
            except ValueError:  # outside the model under this behaviour
                continue
            if compare(program, _nearest(program, expected, observed)[0], observed).agrees:
                return behaviour
        return None


_ALL_BEHAVIOURS: Final = tuple(
    Behaviour(accessors, finalize, late, irs)
    for accessors, finalize, late, irs in product(
        (True, False), Finalize, LateWrites, (True, False)
    )
)


def _distance(a: Behaviour, b: Behaviour) -> int:
    """In how many ways two behaviours differ: the simplest explanation comes first."""
    return (
        (a.accessors is not b.accessors)
        + (a.finalize is not b.finalize)
        + (a.late_writes is not b.late_writes)
        + (a.irs is not b.irs)
    )


def missing_capability(
    program: Program, hello: Hello, accessors: bool, irs: bool
) -> tuple[Capability, str] | None:
    """The first capability that the host lacks, and what showed it; None if it has all."""
    if Capability.VGIC_V5 in program.needs:
        if hello.kvm_errno:
            return Capability.VGIC_V5, f"/dev/kvm: {errno_name(hello.kvm_errno)}"
        if hello.vgic_v5_errno:
            return Capability.VGIC_V5, errno_name(hello.vgic_v5_errno)
    if Capability.CPU_SYSREGS in program.needs:
        if hello.sysregs_errno:
            return Capability.CPU_SYSREGS, errno_name(hello.sysregs_errno)
        if not accessors:
            return Capability.CPU_SYSREGS, "declared absent (expect.accessors: false)"
    if Capability.NO_CPU_SYSREGS in program.needs and accessors:
        return Capability.NO_CPU_SYSREGS, "this one has them"
    if Capability.IRS in program.needs:
        if hello.irs_errno:
            return Capability.IRS, f"ADDR: {errno_name(hello.irs_errno)}"
        if not irs:
            return Capability.IRS, "declared absent (expect.irs: false)"
    if Capability.PMU in program.needs and not hello.pmu:
        return Capability.PMU, "absent"
    if Capability.CPUS in program.needs and hello.cpus < MIN_CPUS:
        return Capability.CPUS, f"it has {hello.cpus} (--host-cpus 2)"
    return None


def writes_late(program: Program) -> bool:
    """Whether userspace writes a vCPU register after some vCPU has run."""
    ran = False
    for op in flat(program.ops):
        ran = ran or isinstance(op, Run)
        sets = isinstance(op, DeviceAttr) and (op.action, op.group) == (Action.SET, GRP_CPU_SYSREGS)
        if ran and (sets or isinstance(op, CopyReg)):
            return True
    return False


def _skip(program: Program, reason: str) -> Outcome:
    return Outcome(Verdict.SKIP, program, reason)


def _first(reports: tuple[KernelReport, ...]) -> str:
    more = f" (and {len(reports) - 1} more)" if len(reports) > 1 else ""
    return reports[0].summary + more


def _nearest(
    program: Program, allowed: tuple[Allowed, ...], observed: Trace
) -> tuple[Trace, Linearisation | None]:
    """The allowed trace that was seen, else the one that what was seen leaves last."""
    if len(allowed) == 1 and not allowed[0].order:
        return allowed[0].trace, None

    def common(number: int) -> tuple[float, int]:
        differences = compare(program, allowed[number].trace, observed).differences
        first = differences[0].step.record if differences else math.inf
        return first, -len(differences)

    best = max(range(len(allowed)), key=common)
    linearisation = Linearisation(best + 1, len(allowed), allowed[best].order)
    return allowed[best].trace, linearisation


def _what_differs(
    comparison: Comparison, lister: Lister, linearisation: Linearisation | None
) -> str:
    """The first difference in short, and how many there are."""
    first, *rest = comparison.differences
    maps = Bitmaps.of(first)
    if maps is not None:
        what = f"{register_of(first.step)}: {maps.names()}"
    else:
        want, got = result(first.step, first.expected), result(first.step, first.observed)
        op = first.step.guest
        what = f"{lister.op(first.step.op).rstrip(':') if op is None else guest_op(op)}: "
        what += f"expected {want}, observed {got}"
    what += f" (and {len(rest)} more)" if rest else ""
    if linearisation is not None and linearisation.of > 1:
        what += f"; none of the {linearisation.of} allowed outcomes"
    return what


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _unfinished(program: Program, outcome: Outcome) -> str:
    """Which operation did not return: the first that the model reaches and the kernel did not."""
    assert outcome.observed is not None
    assert outcome.expected is not None
    for step in steps(program):
        got, want = outcome.observed.results[step.record], outcome.expected.results[step.record]
        if got.status is Status.NOT_REACHED and want.status is not Status.NOT_REACHED:
            what = Lister(program).op(step.op).rstrip(":")
            return f"the program did not finish: operation {step.op_index} ({what}) did not return"
    return "the program did not finish: its last operation did not return"
