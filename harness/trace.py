# SPDX-License-Identifier: GPL-2.0-or-later
"""Traces: what a program did, and how two of them differ."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import IntEnum

from harness.ppi import U64
from harness.program import Branch, GuestOp, Op, Parallel, Program, Run


class Status(IntEnum):
    """How far one operation came."""

    NOT_REACHED = 0  # the program, or the guest's list, ended before
    DONE = 1
    EXCEPTION = 2  # the guest took a synchronous exception; value is ESR_EL1
    BLOCKED = 3  # a WFI did not complete in time


class RunEnd(IntEnum):
    """How a KVM_RUN ended; the value of a Run's result."""

    FINISHED = 0  # the guest executed its list
    INTERRUPTED = 1  # the vCPU thread was interrupted (a blocked WFI)
    OTHER = 2  # extra is kvm_run.exit_reason
    FAILED = 3  # KVM_RUN returned an error: ret


class Ending(IntEnum):
    """How the process that executed the program ended."""

    COMPLETED = 0
    DEADLINE = 1
    KILLED = 2


@dataclass(frozen=True, slots=True)
class Result:
    """One operation's result.  ``ret`` is 0 or more, or a negative errno.

    ``known`` masks ``value``: the model clears the bits that it cannot know (an elapsing timer).
    """

    ret: int = 0
    status: Status = Status.DONE
    value: int = 0
    extra: int = 0
    known: int = U64

    def agrees(self, observed: Result) -> bool:
        return (
            self.ret == observed.ret
            and self.status == observed.status
            and (self.value ^ observed.value) & self.known == 0
            and self.extra == observed.extra
        )


@dataclass(frozen=True, slots=True)
class Trace:
    """One result per record of the program (an operation, or a guest operation of a Run).

    ``log``: what the kernel logged meanwhile.  ``signal``: what killed the process, if KILLED.
    """

    results: tuple[Result, ...]
    ending: Ending = Ending.COMPLETED
    signal: int = 0
    log: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """Where a record stands: operation ``op`` of a program, and guest operation ``guest`` of it.

    In a parallel section ``op_index`` is that of the section, ``branch`` the number of the branch
    and ``branch_index`` that of the operation in it; of a branch's own record it is None.
    """

    record: int
    op_index: int
    op: Op | Branch
    guest_index: int | None = None
    guest: GuestOp | None = None
    branch: int | None = None
    branch_index: int | None = None

    @property
    def number(self) -> str:
        """``7``, ``7.2`` (a guest operation), ``7a``, ``7a0``, ``7a0.2`` (branch a)."""
        text = str(self.op_index)
        if self.branch is not None:
            text += branch_letter(self.branch)
            text += "" if self.branch_index is None else str(self.branch_index)
        return text if self.guest_index is None else f"{text}.{self.guest_index}"


def branch_letter(branch: int) -> str:
    """What people call a branch: a, b, c, d."""
    return "abcd"[branch]


def steps(program: Program) -> Iterator[Step]:
    """The program's records in order; each has one result in a trace."""
    for record, step in enumerate(_steps(program)):
        yield replace(step, record=record)


def _steps(program: Program) -> Iterator[Step]:
    for index, op in enumerate(program.ops):
        yield from _with_guest(Step(0, index, op))
        if isinstance(op, Parallel):
            for number, branch in enumerate(op.branches):
                yield Step(0, index, branch, branch=number)
                for at, inner in enumerate(branch.ops):
                    yield from _with_guest(Step(0, index, inner, branch=number, branch_index=at))


def _with_guest(step: Step) -> Iterator[Step]:
    yield step
    if isinstance(step.op, Run):
        for index, guest in enumerate(step.op.guest):
            yield replace(step, guest_index=index, guest=guest)


@dataclass(frozen=True, slots=True)
class Difference:
    """The first place where the observed trace leaves the expected one."""

    step: Step
    expected: Result
    observed: Result


@dataclass(frozen=True, slots=True)
class Comparison:
    """All differences, first first; empty if the traces agree."""

    differences: tuple[Difference, ...] = field(default=())

    @property
    def agrees(self) -> bool:
        return not self.differences


def compare(program: Program, expected: Trace, observed: Trace) -> Comparison:
    """Compare record by record.  ValueError if one of the traces is not of ``program``."""
    where = list(steps(program))
    if not len(where) == len(expected.results) == len(observed.results):
        raise ValueError(
            f"{program.name}: {len(where)} records, but {len(expected.results)} expected and "
            f"{len(observed.results)} observed results"
        )
    return Comparison(tuple(
        Difference(step, want, got)
        for step, want, got in zip(where, expected.results, observed.results, strict=True)
        if not want.agrees(got)
    ))  # fmt: skip
