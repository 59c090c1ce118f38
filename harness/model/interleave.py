# SPDX-License-Identifier: GPL-2.0-or-later
"""Parallel sections: every outcome that some order of the branches' atomic steps has.

The rule.  A trace is right if it is that of *some* order of atomic steps in which each branch's own
steps stay in order.  What is atomic, in Linux 7.3.4 and the accessors of kernel/unmasked/:

* An ioctl first looks its file up and whether its VM is dead; from then on a close() does not
  disturb it (kvm_main.c kvm_vm_ioctl(), kvm_vcpu_ioctl(), kvm_device_ioctl(); it holds the file).
* A vCPU's ioctl holds that vCPU's mutex to its end: KVM_RUN for as long as the guest runs or
  sleeps.  Another ioctl of that vCPU waits (kvm_vcpu_ioctl()).
* A register access of userspace, and KVM_CREATE_DEVICE of a vGIC, are one step: they only try the
  mutexes of all vCPUs, and are -EBUSY if one is held (kvm_trylock_all_vcpus()), by whatever ioctl.
* INIT, a timer's or the PMU's attribute, are one step: they hold config_lock.
* A first run is several steps: MPIDR table, map_resources, timers, finalize, "has run": each holds
  config_lock, none until the next (arm.c kvm_arch_vcpu_run_pid_change()).
* KVM_IRQ_LINE takes no mutex.  It makes the PPI pending in one step (irq_lock) and kicks; a guest
  that runs sees it at its next entry, and that may be before any of its operations, between a write
  and its reading back, or between two interrupts of a window: a host interrupt does the same.
  When the kick arrives is nobody's promise.  But a guest in WFI is woken: that it sleeps on is no
  allowed outcome.
* A guest in WFI is made to leave it by the supervisor when no branch can take a step any more, the
  first branch first (guest/supervise.c).
* close() of a VM's files is one step each: vCPUs, device, VM (guest/vm.c).

Orders of steps that touch different state have the same outcome: only one of them is tried.
"""

from __future__ import annotations

from collections.abc import Generator, Hashable
from copy import copy
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final, NamedTuple

from harness import program as p
from harness.model.execution import Execution
from harness.model.pause import NOTHING, Pause, Touch
from harness.model.refusals import NotModelled
from harness.model.touches import touches
from harness.trace import Result, branch_letter

MAX_STATES: Final = 1000  # in which there was a choice; a program that has more is not modelled


class End(NamedTuple):
    """One outcome: the records' results, the state after it, and the order that led to it."""

    results: tuple[Result, ...]
    execution: Execution
    order: tuple[str, ...]


class Kind(Enum):
    """What a branch can do next."""

    STEP = "takes its next step"
    KICK = "its guest exits and enters again"
    GIVE_UP = "its guest waits in vain, and has to leave"


class Move(NamedTuple):
    branch: int
    kind: Kind = Kind.STEP


def interleavings(start: Execution, section: p.Parallel) -> list[End]:
    """All outcomes.  ``start`` stays as it is.  NotModelled if there are too many to look at."""
    check(start, section)
    # Operations are known by their identity: each has its own.
    section = p.Parallel(tuple(
        replace(branch, ops=tuple(copy(op) for op in branch.ops)) for branch in section.branches
    ))  # fmt: skip
    start = start.clone()
    start.touching = {
        id(op): touches(start.behaviour, start.vms, op)
        for branch in section.branches
        for op in branch.ops
    }
    ends: dict[Hashable, tuple[Move, ...]] = {}
    seen: set[Hashable] = set()
    work: list[tuple[Move, ...]] = [()]
    while work:
        moves = work.pop()
        race = Race(start.clone(), section)
        for move in moves:
            race.do(move)
        while choices := race.choices():
            if len(choices) > 1:
                key = race.key()
                if key in seen:
                    break
                seen.add(key)
                if len(seen) > MAX_STATES:
                    raise NotModelled(f"a parallel section with more than {MAX_STATES} states")
                work += [(*moves, other) for other in reversed(choices[1:])]
            race.do(choices[0])
            moves = (*moves, choices[0])
        else:
            ends.setdefault(race.key(), moves)
    return [_retold(start, section, moves) for moves in ends.values()]


def _retold(start: Execution, section: p.Parallel, moves: tuple[Move, ...]) -> End:
    """An order once more, with an account of it."""
    race = Race(start.clone(), section)
    account: list[str] = []
    for move in moves:
        if move.kind is not Kind.STEP or race.matters(move.branch):
            account.append(race.describe(move))
        race.do(move)
    execution = race.execution
    execution.touching = {}
    return End(race.results(), execution, tuple(account))


# --- a section under way -------------------------------------------------------------------------


@dataclass(slots=True)
class Thread:
    """A branch under way.  ``taken``: steps of its current operation."""

    ops: tuple[p.BranchOp, ...]
    future: tuple[Touch, ...]  # by index: what the operations from there on touch
    touch: Touch = NOTHING  # the current operation's
    index: int = -1
    taken: int = 0
    steps: Generator[Pause, None, list[Result]] | None = None
    pause: Pause | None = None
    results: list[Result] = field(default_factory=list)

    @property
    def can_step(self) -> bool:
        return self.pause is not None and (self.pause.wait is None or self.pause.wait())


class Race:
    """One order of the branches' steps, as it unfolds."""

    def __init__(self, execution: Execution, section: p.Parallel) -> None:
        self.execution = execution
        self.threads = [self._thread(branch.ops) for branch in section.branches]
        for thread in self.threads:
            self._next_op(thread)

    def _thread(self, ops: tuple[p.BranchOp, ...]) -> Thread:
        future = [NOTHING]
        for op in reversed(ops):
            future.append(future[-1] | self.execution.touch(op))
        return Thread(ops, tuple(reversed(future)))

    def choices(self) -> list[Move]:
        """What may happen next, if it can matter which; nothing at the end."""
        ready = [i for i, thread in enumerate(self.threads) if thread.can_step]
        if not ready:
            return self._give_up()
        for i in ready:
            if not self.matters(i):
                return self._moves(i)
        return [move for i in ready for move in self._moves(i)]

    def _give_up(self) -> list[Move]:
        """The first guest that waits has to leave."""
        waiting = [i for i, thread in enumerate(self.threads) if thread.pause]
        for i in waiting:
            pause = self.threads[i].pause
            if pause and pause.give_up:
                return [Move(i, Kind.GIVE_UP)]
        assert not waiting, "branches wait for each other"
        return []

    def matters(self, number: int) -> bool:
        """Whether some later step of another branch touches what this branch's next one does."""
        pause = self.threads[number].pause
        assert pause is not None
        for i, other in enumerate(self.threads):
            if i == number or other.pause is None:
                continue
            later = other.touch if other.pause.later is None else other.pause.later
            if pause.now.conflicts(later) or pause.now.conflicts(other.future[other.index + 1]):
                return True
        return False

    def _moves(self, number: int) -> list[Move]:
        pause = self.threads[number].pause
        if pause and pause.guest and pause.guest.unseen:
            return [Move(number), Move(number, Kind.KICK)]
        return [Move(number)]

    def do(self, move: Move) -> None:
        thread = self.threads[move.branch]
        assert thread.pause is not None
        if move.kind is Kind.KICK:
            assert thread.pause.guest is not None
            thread.pause.guest.exit()
            thread.pause.guest.enter()
            return
        if move.kind is Kind.GIVE_UP:
            assert thread.pause.give_up is not None
            thread.pause.give_up()
        self._resume(thread)

    def describe(self, move: Move) -> str:
        """``b0 finalizes``: operation 0 of branch b."""
        thread = self.threads[move.branch]
        assert thread.pause is not None
        said = {Kind.KICK: "is kicked", Kind.GIVE_UP: "waits in vain"}
        what = said.get(move.kind, thread.pause.what)
        return f"{branch_letter(move.branch)}{thread.index} {what}"

    def _resume(self, thread: Thread) -> None:
        assert thread.steps is not None
        try:
            thread.pause = next(thread.steps)
            thread.taken += 1
        except StopIteration as end:
            thread.results += end.value
            self._next_op(thread)

    def _next_op(self, thread: Thread) -> None:
        thread.index, thread.taken, thread.pause = thread.index + 1, 0, None
        if thread.index < len(thread.ops):
            op = thread.ops[thread.index]
            thread.touch = self.execution.touch(op)
            thread.steps = self.execution.steps(op)
            self._resume(thread)

    def key(self) -> Hashable:
        threads = tuple((t.index, t.taken, tuple(t.results)) for t in self.threads)
        return threads, self.execution.key()

    def results(self) -> tuple[Result, ...]:
        out = [Result()]
        for thread in self.threads:
            out += [Result(known=0), *thread.results]
        return tuple(out)


# --- what is left out ----------------------------------------------------------------------------


def check(execution: Execution, section: p.Parallel) -> None:
    """NotModelled if the section has what no rule is for."""
    runners: dict[tuple[int, int], int] = {}
    for number, branch in enumerate(section.branches):
        for op in branch.ops:
            if isinstance(op, p.Run | p.InitVcpu):
                key = (op.vm, op.vcpu)
                if runners.setdefault(key, number) != number:
                    raise NotModelled("two branches run, or initialise, one vCPU")
            if _about_an_irs(execution, op):
                raise NotModelled("an IRS in a parallel section")


def _about_an_irs(execution: Execution, op: p.BranchOp) -> bool:
    match op:
        case p.Delay() | p.CloseVm() | p.InitVcpu() | p.VcpuAttr() | p.OneReg():
            return False
        case p.DeviceAttr(group=p.GRP_CPU_SYSREGS | p.GRP_CTRL):
            return False
        case p.CreateDevice() | p.CopyReg(group=p.GRP_CPU_SYSREGS):
            return False
    vm = execution.vms.get(op.vm)
    if vm is None or vm.irs is None:
        return False
    match op:
        case p.IrqLine():
            return op.type == p.IRQ_TYPE_SPI
        case p.Run():
            return any(isinstance(guest, p.IrsRead | p.IrsWrite) for guest in op.guest)
    return True
