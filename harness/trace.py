# SPDX-License-Identifier: GPL-2.0-or-later
"""Traces: what a program did, and how two of them differ."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum

from harness.ppi import U64
from harness.program import GuestOp, Op, Program, Run


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
    """Where a record stands: operation ``op`` of a program, and guest operation ``guest`` of it."""

    record: int
    op_index: int
    op: Op
    guest_index: int | None = None
    guest: GuestOp | None = None


def steps(program: Program) -> Iterator[Step]:
    """The program's records in order; each has one result in a trace."""
    record = 0
    for index, op in enumerate(program.ops):
        yield Step(record, index, op)
        record += 1
        if isinstance(op, Run):
            for guest_index, guest in enumerate(op.guest):
                yield Step(record, index, op, guest_index, guest)
                record += 1


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
