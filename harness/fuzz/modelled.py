# SPDX-License-Identifier: GPL-2.0-or-later
"""What the model expects of a program, or where in it the model has no answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.fuzz.sections import mapped
from harness.model import Model
from harness.model.executor import Worlds
from harness.model.refusals import NotModelled, TimeDependent
from harness.program import BranchOp, Delay, Op, Parallel, Program, Run
from harness.suite.shapes import BRIEFLY
from harness.trace import RunEnd, Trace, steps


@dataclass(frozen=True, slots=True)
class Modelled:
    """Operations and the traces that the models allow; at least one for each model."""

    ops: tuple[Op, ...]
    traces: tuple[Trace, ...]


def modelled(ops: Sequence[Op], models: Sequence[Model]) -> Modelled | None:
    """The traces of these operations; None if a model declares one of them outside of it."""
    traces: list[Trace] = []
    for model in models:
        worlds, stuck = _execute(ops, model)
        if stuck is not None:
            return None
        traces += (each.trace for each in worlds.allowed())
    return Modelled(tuple(ops), tuple(traces))


def mended(ops: Sequence[Op], models: Sequence[Model]) -> Modelled:
    """The same without what a model declares unmodelled: a guest's list is cut, an ioctl goes."""
    left = list(ops)
    traces: list[Trace] = []
    done = 0
    while done < len(models):
        worlds, stuck = _execute(left, models[done])
        if stuck is None:
            traces += (each.trace for each in worlds.allowed())
            done += 1
            continue
        traces.clear()
        done = 0
        less = _less(left[stuck])
        left[stuck : stuck + 1] = [] if less is None else [less]
    return Modelled(_impatient(left, traces), tuple(traces))


def _less(op: Op) -> Op | None:
    """Half of what a guest does; a section without the last operation of its longest branch."""
    if isinstance(op, Run) and op.guest:
        return replace(op, guest=op.guest[: len(op.guest) // 2])
    if isinstance(op, Parallel):
        longest = max(op.branches, key=lambda branch: _length(branch.ops))
        *first, last = longest.ops or (Delay(0),)
        less = _less(last)
        ops = (*first, less) if isinstance(less, BranchOp) else tuple(first)
        if ops:
            return Parallel(tuple(
                replace(branch, ops=ops) if branch is longest else branch for branch in op.branches
            ))  # fmt: skip
    return None


def _length(ops: Sequence[Op]) -> int:
    return sum(1 + (len(op.guest) if isinstance(op, Run) else 0) for op in ops)


def _impatient(ops: Sequence[Op], traces: Sequence[Trace]) -> tuple[Op, ...]:
    """A vCPU that must block need not be waited for as long as one that must wake up.

    That does not change the trace: a WFI that a timer can end is not expected to block.
    """
    program = Program("", tuple(ops))
    blocks = iter([
        all(trace.results[step.record].value == RunEnd.INTERRUPTED for trace in traces)
        for step in steps(program)
        if isinstance(step.op, Run) and step.guest is None
    ])  # fmt: skip

    def change(op: Op) -> Op:
        return replace(op, wait_ms=BRIEFLY) if isinstance(op, Run) and next(blocks) else op

    return mapped(ops, change)


def _execute(ops: Sequence[Op], model: Model) -> tuple[Worlds, int | None]:
    """The outcomes, and the index of the operation that the model cannot answer, if any."""
    worlds = Worlds(model.behaviour, model.host)
    for index, op in enumerate(ops):
        try:
            worlds.execute(op)
        except (NotModelled, TimeDependent):
            return worlds, index
    return worlds, None
