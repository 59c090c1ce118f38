# SPDX-License-Identifier: GPL-2.0-or-later
"""What the model expects of a program, or where in it the model has no answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.model import Model
from harness.model.executor import Execution
from harness.model.state import NotModelled, TimeDependent
from harness.program import Op, Run
from harness.suite.shapes import BRIEFLY
from harness.trace import Result, RunEnd, Trace


@dataclass(frozen=True, slots=True)
class Modelled:
    """Operations and, for each model that was asked, their trace."""

    ops: tuple[Op, ...]
    traces: tuple[Trace, ...]


def modelled(ops: Sequence[Op], models: Sequence[Model]) -> Modelled | None:
    """The traces of these operations; None if a model declares one of them outside of it."""
    traces = []
    for model in models:
        results, stuck = _execute(ops, model)
        if stuck is not None:
            return None
        traces.append(Trace(tuple(results)))
    return Modelled(tuple(ops), tuple(traces))


def mended(ops: Sequence[Op], models: Sequence[Model]) -> Modelled:
    """The same without what a model declares unmodelled: a guest's list is cut, an ioctl goes."""
    left = list(ops)
    traces: list[Trace] = []
    while len(traces) < len(models):
        results, stuck = _execute(left, models[len(traces)])
        if stuck is None:
            traces.append(Trace(tuple(results)))
            continue
        traces.clear()
        op = left[stuck]
        if isinstance(op, Run) and op.guest:
            left[stuck] = replace(op, guest=op.guest[: len(op.guest) // 2])
        else:
            del left[stuck]
    return Modelled(tuple(_impatient(left, traces)), tuple(traces))


def _impatient(ops: Sequence[Op], traces: Sequence[Trace]) -> list[Op]:
    """A vCPU that must block need not be waited for as long as one that must wake up.

    That does not change the trace: a WFI that a timer can end is not expected to block.
    """
    out: list[Op] = []
    record = 0
    for op in ops:
        if isinstance(op, Run):
            if all(trace.results[record].value == RunEnd.INTERRUPTED for trace in traces):
                op = replace(op, wait_ms=BRIEFLY)  # noqa: PLW2901
            record += len(op.guest)
        out.append(op)
        record += 1
    return out


def _execute(ops: Sequence[Op], model: Model) -> tuple[list[Result], int | None]:
    """The results, and the index of the operation that the model cannot answer, if any."""
    execution = Execution(model.behaviour, model.host)
    results: list[Result] = []
    for index, op in enumerate(ops):
        try:
            results += execution.execute(op)
        except (NotModelled, TimeDependent):
            return results, index
    return results, None
