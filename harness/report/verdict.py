# SPDX-License-Identifier: GPL-2.0-or-later
"""Verdicts: what can be said of a kernel, and what it rests on."""

from __future__ import annotations

import traceback
from dataclasses import dataclass, field
from enum import Enum

from harness.console import KernelReport
from harness.errors import HarnessError
from harness.hwtrace.slices import Slice
from harness.model.behaviour import Behaviour, Finalize, HostFacts, LateWrites
from harness.program import Program
from harness.trace import Comparison, Trace


class Verdict(Enum):
    """What is wrong, and with whom."""

    PASS = "pass"
    FAIL = "fail"  # the kernel is wrong, or the model is
    CRASH = "crash"  # the kernel died or reported something while the program ran
    SKIP = "skip"  # the host lacks a capability
    ERROR = "error"  # the harness or its machine failed: never the kernel's fault


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a kernel is declared to do.

    ``accessors``, ``irs`` None: as probed.  ``late_writes`` None: either, but as a whole.
    """

    accessors: bool | None = None
    finalize: Finalize = Finalize.PER_VCPU
    late_writes: LateWrites | None = None
    irs: bool | None = None

    def __str__(self) -> str:
        accessors = {None: "as probed", True: "yes", False: "no"}[self.accessors]
        late = self.late_writes.value if self.late_writes else "refused or exposed, as a whole"
        irs = {None: "", True: ", IRS", False: ", no IRS"}[self.irs]
        return f"accessors {accessors}, finalize {self.finalize.value}, late writes {late}{irs}"


@dataclass(frozen=True, slots=True)
class Linearisation:
    """Which of the traces that the model allows was seen, of ``of``; or is nearest to what was.

    ``order``: the steps of the branches in an order that leads to it.
    """

    number: int
    of: int
    order: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """A verdict and what it rests on.

    ``message``: one line.  ``behaviour``: the declared behaviour whose trace is ``expected``.
    ``diagnosis``: another behaviour that explains the observed trace exactly, if there is one.
    ``details``: the traceback of a defect of the harness.  ``accesses``: of a FAIL or CRASH.
    ``linearisation``: of a program with parallel sections.
    ``host``: what the model knew of it.
    """

    verdict: Verdict
    program: Program
    message: str = ""
    expected: Trace | None = None
    observed: Trace | None = None
    comparison: Comparison = field(default_factory=Comparison)
    reports: tuple[KernelReport, ...] = ()
    console: str = ""
    behaviour: Behaviour | None = None
    diagnosis: Behaviour | None = None
    details: str = ""
    accesses: Slice = field(default_factory=Slice)
    linearisation: Linearisation | None = None
    host: HostFacts = field(default_factory=HostFacts)


def harness_error(program: Program, error: Exception) -> Outcome:
    """ERROR: something other than the kernel under test went wrong."""
    if isinstance(error, HarnessError):
        remedy = f" (remedy: {error.remedy})" if error.remedy else ""
        return Outcome(Verdict.ERROR, program, error.what + remedy)
    said = str(error).strip().partition("\n")[0]
    message = f"{type(error).__name__}: {said}" if said else type(error).__name__
    details = "".join(traceback.format_exception(error))
    return Outcome(Verdict.ERROR, program, message, details=details)
