# SPDX-License-Identifier: GPL-2.0-or-later
"""``pytest --target=... --kselftest=kvm:arm64/vgic_v5``: the kernel's own tests as pytest's.

A test is known before it runs, its subtests are not: so its item runs it, and is then reported as
one item for each subtest (see ``judge``).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

from harness.errors import HarnessError
from harness.kselftest.running import Judged, Ran, judge, place, run
from harness.report.pytest_target import TargetSession
from harness.report.session import FirstBootError
from harness.report.verdict import Verdict


class SelftestFailed(Exception):
    """The text is all that is to be shown."""


class SelftestItem(pytest.Item):
    """One test: ``test_programs.py::kvm:arm64/vgic_v5``."""

    gicv5: TargetSession

    @classmethod
    def of(cls, parent: pytest.Collector, name: str, gicv5: TargetSession) -> SelftestItem:
        item: SelftestItem = cls.from_parent(parent, name=name)
        item.gicv5 = gicv5
        return item

    def results(self) -> Iterator[SubtestItem]:
        """Run it.  An item for each result."""
        ran = self._run()
        assert self.parent is not None
        for judged in judge(ran):
            name = "::".join(filter(None, [self.name, judged.subtest]))
            item: SubtestItem = SubtestItem.from_parent(self.parent, name=name)
            item.ran, item.judged = ran, judged
            item.user_properties += self.gicv5.properties()
            item.user_properties += [
                ("family", self.name), ("program", name), ("verdict", judged.verdict.value),
                ("seconds", f"{ran.seconds:.1f}"), ("exit status", str(ran.status)),
            ]  # fmt: skip
            item.user_properties += [("kernel_report", r.fingerprint) for r in ran.reports]
            yield item

    def _run(self) -> Ran:
        session = self.gicv5.opened()
        try:
            limit = self.config.getoption("gicv5_kselftest_timeout")
            ran = run(session.host(), self.name, place(self.name), limit)  # type: ignore[arg-type]
        except FirstBootError as e:
            if not self.gicv5.is_worker:  # a worker cannot end the session
                self.gicv5.stop(e)
            ran = Ran(self.name, lost=str(e))
        except HarnessError as e:
            ran = Ran(self.name, lost=str(e))
        if ran.lost or ran.timed_out or ran.reports:
            session.discard()  # a test that was killed may have left something behind
        return ran

    def runtest(self) -> None:
        raise AssertionError("run by pytest_runtest_protocol")


class SubtestItem(pytest.Item):
    """One result that is known already."""

    ran: Ran
    judged: Judged

    def runtest(self) -> None:
        if self.judged.verdict is Verdict.SKIP:
            pytest.skip(self.judged.message)
        if self.judged.expected_failure:
            pytest.xfail(self.judged.message)
        if self.judged.verdict is Verdict.PASS:
            return
        if self.ran.text and not self.judged.subtest:
            self.add_report_section("call", "selftest's output", self.ran.text)
        if self.ran.console:
            self.add_report_section("call", "kernel log", self.ran.console)
        raise SelftestFailed(f"{self.judged.verdict.name}: {self.judged.message}")

    def repr_failure(
        self, excinfo: pytest.ExceptionInfo[BaseException], *args: Any, **kwargs: Any
    ) -> Any:
        if isinstance(excinfo.value, SelftestFailed):
            return str(excinfo.value)
        return super().repr_failure(excinfo, *args, **kwargs)

    def reportinfo(self) -> tuple[Path, None, str]:
        return self.path, None, self.name


class SelftestPlugin:
    """Reports the results of a test in its place."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> bool | None:
        if not isinstance(item, SelftestItem):
            return None
        items = list(item.results())
        item.session.testscollected += len(items) - 1
        for each, after in zip(items, [*items[1:], nextitem], strict=True):
            each.ihook.pytest_runtest_logstart(nodeid=each.nodeid, location=each.location)
            runtestprotocol(each, nextitem=after)
            each.ihook.pytest_runtest_logfinish(nodeid=each.nodeid, location=each.location)
        return True
