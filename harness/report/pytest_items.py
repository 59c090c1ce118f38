# SPDX-License-Identifier: GPL-2.0-or-later
"""The suite as pytest sees it: one item per program, one node per family."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.fuzz.pytest_item import FuzzItem
from harness.kselftest.pytest_items import SelftestItem
from harness.program import Program
from harness.report.diagnosis import short_diagnosis
from harness.report.explain import explain, explain_again, kind_of
from harness.report.pytest_target import TargetSession
from harness.report.verdict import Outcome, Verdict

SUITE_FILE = "test_programs.py"


class Failed(Exception):
    """The verdict on a program; its text is all that is to be shown."""

    def __init__(self, outcome: Outcome, text: str) -> None:
        self.outcome = outcome
        self.text = text
        super().__init__(f"{outcome.verdict.name}: {outcome.message}")


class SuiteFile(pytest.File):
    """tests/target/test_programs.py: it is data, made by harness.suite."""

    gicv5: TargetSession

    @classmethod
    def of(cls, parent: pytest.Collector, path: Path, gicv5: TargetSession) -> SuiteFile:
        node: SuiteFile = cls.from_parent(parent, path=path)
        node.gicv5 = gicv5
        return node

    def collect(self) -> Iterator[pytest.Collector | pytest.Item]:
        if self.gicv5.kselftests:
            yield from (SelftestItem.of(self, name, self.gicv5) for name in self.gicv5.kselftests)
            return
        from harness.suite import families  # noqa: PLC0415 (it builds hundreds of programs)

        for family in families():
            node: FamilyNode = FamilyNode.from_parent(self, name=family.name)
            node.programs = family.programs
            node.gicv5 = self.gicv5
            yield node
        if self.config.getoption("gicv5_fuzz"):
            yield FuzzItem.of(self, self.gicv5)


class FamilyNode(pytest.Collector):
    """One family: ``test_programs.py::order``."""

    programs: tuple[Program, ...]
    gicv5: TargetSession

    def collect(self) -> Iterator[ProgramItem]:
        for program in self.programs:
            name = program.name.removeprefix(f"{self.name}/")
            item: ProgramItem = ProgramItem.from_parent(self, name=name)
            item.program = program
            item.gicv5 = self.gicv5
            yield item


class ProgramItem(pytest.Item):
    """One program: ``test_programs.py::order::second-vcpu-first``."""

    program: Program
    gicv5: TargetSession

    def runtest(self) -> None:
        outcome = self.gicv5.run(self.program)
        self.user_properties += self.gicv5.properties()
        self.user_properties += [("family", self.parent.name if self.parent else "")]
        self.user_properties += list(outcome_properties(outcome))
        if outcome.verdict is Verdict.PASS:
            return
        if outcome.verdict is Verdict.SKIP:
            pytest.skip(outcome.message)
        rerun = self.gicv5.rerun(self.path, self.nodeid)
        folder = self.gicv5.save(outcome, rerun)
        shown = self.gicv5.shown(folder)
        self.user_properties.append(("artefacts", shown))
        if not isinstance(folder, str):
            inside = str(folder.relative_to(self.gicv5.folder))
            self.user_properties.append(("artefacts_in", inside))
        self.user_properties.append(("rerun", rerun))
        like = self.gicv5.explained.setdefault(kind_of(outcome), self.program.name)
        if like == self.program.name or self.config.option.verbose > 0:
            text = explain(outcome, rerun, shown)
        else:
            text = explain_again(outcome, like, rerun, shown)
        if outcome.observed and outcome.observed.log:
            self.add_report_section("call", "kernel log", outcome.observed.log)
        raise Failed(outcome, text)

    def repr_failure(
        self, excinfo: pytest.ExceptionInfo[BaseException], *args: Any, **kwargs: Any
    ) -> Any:
        if isinstance(excinfo.value, Failed):
            return excinfo.value.text
        return super().repr_failure(excinfo, *args, **kwargs)

    def reportinfo(self) -> tuple[Path, None, str]:
        return self.path, None, self.program.name


def outcome_properties(outcome: Outcome) -> Iterator[tuple[str, str]]:
    """What JUnit and other reporters should know of a verdict."""
    yield "verdict", outcome.verdict.value
    yield "program", outcome.program.name
    if outcome.message:
        yield "message", outcome.message
    if diagnosis := short_diagnosis(outcome):
        yield "diagnosis", diagnosis
    for report in outcome.reports:
        yield "kernel_report", report.fingerprint
