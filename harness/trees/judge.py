# SPDX-License-Identifier: GPL-2.0-or-later
"""Build a tree as it is and judge programs on it."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path

from harness.errors import ConfigError, ProvisionError, TargetError
from harness.fuzz.commands import open_session
from harness.fuzz.text import read_program
from harness.program import Program
from harness.report.verdict import Outcome, Verdict
from harness.results.model import KERNELS_FAULT


class Step(IntEnum):
    """What `git bisect run` wants to hear."""

    GOOD = 0
    BAD = 1
    UNTESTABLE = 125


@dataclass(frozen=True, slots=True)
class Judged:
    """``why``: for an untestable tree.  ``seconds``: to build and boot, and in all."""

    outcomes: dict[str, Outcome] = field(default_factory=dict)
    why: str = ""
    built: float = 0.0
    seconds: float = 0.0

    def bad(self) -> list[str]:
        """The programs that failed or crashed."""
        return [name for name, each in self.outcomes.items() if each.verdict in KERNELS_FAULT]

    def passed(self) -> list[str]:
        return [n for n, each in self.outcomes.items() if each.verdict is Verdict.PASS]

    @property
    def step(self) -> Step:
        """One failure is enough; without one, each program must have had a verdict."""
        if self.bad():
            return Step.BAD
        if self.why or len(self.passed()) < len(self.outcomes) or not self.outcomes:
            return Step.UNTESTABLE
        return Step.GOOD

    def said(self) -> str:
        """The step and why, on one line."""
        if self.why:
            return f"cannot be tested: {self.why}"
        if bad := self.bad():
            more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
            return f"bad: {bad[0]}: {self.outcomes[bad[0]].message}{more}"
        if self.step is Step.GOOD:
            return f"good: {len(self.outcomes)} pass"
        other = next(o for o in self.outcomes.values() if o.verdict is not Verdict.PASS)
        return f"cannot be tested: {other.verdict.name} of {other.program.name}: {other.message}"


def judge(options: argparse.Namespace, programs: Sequence[Program]) -> Judged:
    """``options``: those of harness.fuzz.commands.target_options, and ``tree``."""
    began = time.monotonic()
    try:
        with open_session(options, str(options.tree)) as session:
            session.host()
            built = time.monotonic() - began
            outcomes = {
                program.name: session.run(program, programs[n + 1 : n + 17])
                for n, program in enumerate(programs)
            }
    except (ProvisionError, TargetError) as e:  # it does not build, or does not boot
        return Judged(why=_telling(e.what), seconds=time.monotonic() - began)
    return Judged(outcomes, "", built, time.monotonic() - began)


def _telling(what: str) -> str:
    """The line that a person wants of an error with a log: the compiler's first complaint."""
    lines = [line.strip() for line in what.splitlines() if line.strip()]
    return next((line for line in lines if "error:" in line), lines[0].rstrip(":"))


def chosen(names: Sequence[str]) -> list[Program]:
    """Programs by name, by family, or from files; all of the suite if none is named."""
    from harness.suite import families  # noqa: PLC0415 (it builds hundreds of programs)

    suite = {program.name: program for family in families() for program in family.programs}
    if not names:
        return list(suite.values())
    found: dict[str, Program] = {}
    for name in names:
        if Path(name).is_file():
            program = read_program(Path(name))
            found[program.name] = program
            continue
        named = [p for p in suite.values() if name in (p.name, p.family)]
        if not named:
            raise ConfigError(
                f"no program, family or file {name!r}",
                "pytest --target=qemu --collect-only -q names all",
            )
        found.update({program.name: program for program in named})
    return list(found.values())
