# SPDX-License-Identifier: GPL-2.0-or-later
"""The same programs as KVM guests: QEMU's own GICv5 as an oracle that shares no code with KVM, with
qemu_plugin/ nor with the reference model."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

from harness import program as p
from harness import trace
from harness.targets.base import Host

from .compare import Verdict, judge
from .explain import KVM, MASKED
from .machine import Machine
from .ops import Code, Op, Program, Result, Status

SETUP = (p.CreateVm(), p.CreateDevice(), p.CreateVcpu(), p.InitVcpu(), p.init_device())
LEAVES = 0.3  # how often the guest exits to userspace between two operations


class Unusable(Exception):
    """The guest did not execute the whole program: nothing to compare."""


def _guest_op(op: Op) -> p.GuestOp:
    if op.code is Code.READ:
        return p.Read(op.register)
    if op.code is Code.WRITE:
        return p.Write(op.register, op.value)
    if op.code is Code.WINDOW:
        return p.Window()
    raise ValueError(f"not for a guest: {op}")


def as_guest(program: Program) -> p.Program:
    """A VM with one vCPU that executes it, in several KVM_RUNs (the same ones every time)."""
    rng = random.Random(program.name)
    runs: list[list[p.GuestOp]] = [[]]
    for op in program.ops:
        runs[-1].append(_guest_op(op))
        if rng.random() < LEAVES:
            runs.append([])
    return p.Program(f"differential/{program.name}", (*SETUP, *(p.Run(tuple(r)) for r in runs)))


def _results(guest: p.Program, observed: trace.Trace) -> Iterable[Result]:
    """One for each guest operation.  Unusable if one was not executed."""
    records = iter(observed.results)
    for op in guest.ops:
        result = next(records)
        if result.ret < 0:
            raise Unusable(f"{guest.name}: {op}: {result}")
        for _ in op.guest if isinstance(op, p.Run) else ():
            result = next(records)
            if result.status not in (trace.Status.DONE, trace.Status.EXCEPTION):
                raise Unusable(f"{guest.name}: {result}")
            failed = result.status is trace.Status.EXCEPTION
            status = Status.EXCEPTION if failed else Status.DONE
            yield Result(result.value, result.extra, status)


class KvmPair:
    """A KVM host and x-5."""

    def __init__(self, host: Host, x5: Machine) -> None:
        self._host = host
        self._x5 = x5

    def run(self, programs: Sequence[Program]) -> list[Verdict]:
        guests = [as_guest(program) for program in programs]
        verdicts = []
        for i, (program, x5) in enumerate(zip(programs, self._x5.run(programs), strict=True)):
            observed = self._host.run(guests[i], upcoming=guests[i + 1 : i + 9])
            ours = list(_results(guests[i], observed))
            verdicts.append(judge(program, ours, x5, KVM + MASKED))
        return verdicts
