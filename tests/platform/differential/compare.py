# SPDX-License-Identifier: GPL-2.0-or-later
"""Both machines side by side: differences, and the shortest program that shows one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from .explain import MASKED, Masked, explained
from .machine import Machine
from .ops import Op, Program, Result

MAX_ROUNDS: Final = 200  # of shrinking


@dataclass(frozen=True, slots=True)
class Difference:
    """The first unexplained difference of a program."""

    program: Program
    index: int
    ours: Result
    x5: Result

    def __str__(self) -> str:
        lines = [f"{self.program.name}: operation {self.index} differs"]
        for i, op in enumerate(self.program.ops[: self.index + 1]):
            lines.append(f"  {'->' if i == self.index else '  '} {i:3} {op}")
        return "\n".join([*lines, f"     ours {self.ours}", f"     x-5  {self.x5}"])


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a program compares: its first unexplained difference, the rules that were needed."""

    difference: Difference | None
    used: tuple[Masked, ...]


def judge(
    program: Program, ours: Sequence[Result], x5: Sequence[Result],
    explanations: Sequence[Masked] = MASKED,
) -> Verdict:  # fmt: skip
    """Compare the results operation by operation, explained differences aside."""
    used = list[Masked]()
    for i, (a, b) in enumerate(zip(ours, x5, strict=True)):
        if a == b:
            continue
        rules = explained(program.ops, i, a, b, explanations)
        if not rules:
            return Verdict(Difference(program, i, a, b), tuple(used))
        used += rules
    return Verdict(None, tuple(used))


class Runner(Protocol):
    """What programs are compared on."""

    def run(self, programs: Sequence[Program]) -> list[Verdict]: ...


class Pair:
    """Our machine and x-5."""

    def __init__(self, ours: Machine, x5: Machine, explanations: Sequence[Masked] = MASKED) -> None:
        self._ours = ours
        self._x5 = x5
        self._explanations = explanations

    def run(self, programs: Sequence[Program]) -> list[Verdict]:
        ours, x5 = self._ours.run(programs), self._x5.run(programs)
        both = zip(programs, ours, x5, strict=True)
        return [judge(program, a, b, self._explanations) for program, a, b in both]


def shrink(found: Difference, runner: Runner) -> Difference:
    """Leave out operations for as long as some difference remains (delta debugging).

    A whole round of candidates is one batch.
    """
    best, chunk = found, max(1, len(found.program.ops) // 2)
    for _ in range(MAX_ROUNDS):
        ops = best.program.ops[: best.index + 1]
        chunk = min(chunk, max(1, len(ops) // 2))
        starts = range(0, len(ops), chunk)
        candidates = [_without(best.program.name, ops, at, chunk) for at in starts]
        smaller = (v.difference for v in runner.run(candidates))
        better = next((d for d in smaller if d is not None), None)
        if better is not None:
            best = better
        elif chunk == 1:
            break
        else:
            chunk //= 2
    shortest = Program(best.program.name, best.program.ops[: best.index + 1])
    return Difference(shortest, best.index, best.ours, best.x5)


def _without(name: str, ops: Sequence[Op], at: int, count: int) -> Program:
    return Program(name, (*ops[:at], *ops[at + count :]))
