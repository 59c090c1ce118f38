# SPDX-License-Identifier: GPL-2.0-or-later
"""A folder that a later session goes on from: ``findings/`` and ``interesting/``, program files.

A program is interesting if the model's trace of it shows something that no program before showed:
an operation with a result, after another one with a result.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Final

from harness.errors import ConfigError
from harness.fuzz.text import format_program, read_program
from harness.ppi import bits
from harness.program import DeviceAttr, Program
from harness.report.listing import register_of
from harness.suite.shapes import EXPOSED_PMU
from harness.trace import Result, Step, Trace, steps

KEPT: Final = 400  # interesting programs in memory and on disk
ELSEWHERE: Final = Path("gicv5-results/fuzz")  # findings, without a folder of the user's
Feature = tuple[object, ...]


@dataclass(slots=True)
class Corpus:
    """``folder`` None: only findings are kept beyond the session."""

    folder: Path | None
    interesting: list[Program] = field(default_factory=list)
    _seen: set[Feature] = field(default_factory=set)

    def load(self) -> list[Program]:
        """The findings and the interesting programs of earlier sessions; ConfigError if spoilt."""
        if self.folder is None:
            return []
        try:
            (self.folder / "findings").mkdir(parents=True, exist_ok=True)
            (self.folder / "interesting").mkdir(exist_ok=True)
            paths = [path for name in ("findings", "interesting")
                     for path in sorted((self.folder / name).glob("*.program"))]  # fmt: skip
        except OSError as e:
            raise ConfigError(f"--corpus {self.folder}: {e}", "name a folder to write to") from e
        return [read_program(path) for path in paths]

    def consider(self, program: Program, expected: Trace) -> None:
        """Keep it if its trace shows something new."""
        new = set(_features(program, expected)) - self._seen
        if not new:
            return
        self._seen |= new
        if len(self.interesting) >= KEPT:
            return
        self.interesting.append(program)
        if self.folder is not None:
            name = program.name.replace("/", "-")
            path = self.folder / "interesting" / f"{name}.program"
            path.write_text(format_program(program))

    def place(self, slug: str) -> Path:
        """Where a finding goes."""
        return (self.folder / "findings" if self.folder else ELSEWHERE) / f"{slug}.program"

    def save(self, path: Path, program: Program, report: str) -> None:
        """A finding: its report as comments, and the program."""
        path.parent.mkdir(parents=True, exist_ok=True)
        comments = "".join(f"# {line}".rstrip() + "\n" for line in report.splitlines())
        path.write_text(comments + format_program(program))


def _features(program: Program, expected: Trace) -> Iterator[Feature]:
    seen = [_feature(step, result)
            for step, result in zip(steps(program), expected.results, strict=True)]  # fmt: skip
    yield from seen
    # Not the whole cross product of registers: with it everything is new for a long time.
    yield from (pair for one, other in pairwise(seen) if (pair := (one[0], one[2:], other)))


def _feature(step: Step, result: Result) -> Feature:
    kind = step.op if step.guest is None else step.guest
    register = register_of(step)
    value: object = None
    if register is None and not isinstance(kind, DeviceAttr):
        value = result.value & result.known & 0xFF
    elif register is not None:
        value = tuple(bits(result.value & result.known & EXPOSED_PMU))
    return (type(kind).__name__, register.name if register else "", result.ret, result.status,
            value)  # fmt: skip
