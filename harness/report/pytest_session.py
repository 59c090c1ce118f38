# SPDX-License-Identifier: GPL-2.0-or-later
"""The plugin of a pytest session that has a target."""

from __future__ import annotations

import signal
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import pytest

from harness.errors import ConfigError, HarnessError, TargetError
from harness.kselftest.pytest_items import SelftestPlugin
from harness.provision.paths import project_root
from harness.report.pytest_items import SUITE_FILE, ProgramItem, SuiteFile
from harness.report.pytest_options import target_session
from harness.report.pytest_target import TargetSession, words
from harness.report.session import Session
from harness.report.terminal import Summary
from harness.report.verdict import Verdict
from harness.results.recorder import Recorder
from harness.targets.base import Host

PLUGIN_NAME = "gicv5-target"


def start(config: pytest.Config) -> int | None:
    """Check the options, register the session's plugin, provision.

    UsageError says which options are allowed.  An exit code if nothing can be had to run on.
    """
    gicv5 = target_session(config)
    plugin = TargetPlugin(gicv5)
    config.pluginmanager.register(plugin, PLUGIN_NAME)
    if gicv5.kselftests:
        config.pluginmanager.register(SelftestPlugin(), "gicv5-kselftest")
    if config.pluginmanager.hasplugin("xdist"):
        config.pluginmanager.register(_Xdist(gicv5.folder), "gicv5-xdist")
    if config.args_source is not pytest.Config.ArgsSource.ARGS:
        config.args = [str(project_root() / "tests" / "target")]
    _settle_root(config)
    if config.option.collectonly:
        return None
    try:
        plugin.open()
    except HarnessError as e:
        print("\n".join(words(e)), file=sys.stderr)
        return e.exit_code
    return None


def _settle_root(config: pytest.Config) -> None:
    """Make node ids the same from wherever the suite is run.

    pytest takes the PATH of ``--kernel PATH`` for a test when it looks for its root, as it does not
    know our options yet.
    """
    root = project_root()
    paths = [config.invocation_params.dir / arg.partition("::")[0] for arg in config.args]
    if config.option.rootdir is None and all(path.is_relative_to(root) for path in paths):
        config._rootpath = root


class _Xdist:
    """All workers of a session write to one results folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: object) -> None:
        node.workerinput["gicv5_folder"] = str(self._folder)  # type: ignore[attr-defined]


@dataclass(eq=False)
class TargetPlugin:
    """pytest's hooks of a session that has a target; what its items run on is ``target``."""

    target: TargetSession
    summary: Summary = field(default_factory=Summary)
    recorder: Recorder | None = None
    page: Path | None = None
    nothing_fits: bool = False
    _handler: Any = None

    def open(self) -> None:
        """Provision, and record from now on.  HarnessError if that fails."""
        target = self.target.open()
        if not self.target.is_worker:  # workers report to the controller
            self.recorder = Recorder.of(self.target.folder, target.kernel_name, target.provenance)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        if threading.current_thread() is threading.main_thread():
            # So that the host is closed then, too.
            self._handler = signal.signal(signal.SIGTERM, _terminated)

    def pytest_report_header(self) -> list[str]:
        return self.target.header()

    @pytest.hookimpl(tryfirst=True)
    def pytest_pycollect_makemodule(
        self, module_path: Path, parent: pytest.Collector
    ) -> SuiteFile | None:
        if module_path.name == SUITE_FILE and module_path.parent.name == "target":
            return SuiteFile.of(parent, module_path, self.target)
        return None

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        if not self.target.is_worker:  # which has an order of its own
            items = (item for item in session.items if isinstance(item, ProgramItem))
            self.target.queue.extend(item.program for item in items)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.summary.add(report)
        if self.recorder is not None:
            self.recorder.add(report)

    def pytest_report_teststatus(
        self, report: pytest.TestReport
    ) -> tuple[str, str, tuple[str, dict[str, bool]]] | None:
        """CRASH and ERROR are failures to pytest, but called by their names."""
        verdict = dict(report.user_properties).get("verdict")
        if report.when == "call" and report.failed:
            if verdict == Verdict.CRASH.value:
                return "failed", "C", ("CRASH", {"red": True})
            if verdict == Verdict.ERROR.value:
                return "error", "E", ("ERROR", {"yellow": True})
        return None

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        self.summary.write(terminalreporter)
        if self.page is not None:
            terminalreporter.write_line(f"report: {self.target.shown(self.page)}")
        if self.recorder is not None and self.recorder.failed:
            terminalreporter.write_line(f"not written: {self.recorder.failed}")
        if self.target.stopped:
            terminalreporter.section("GICv5: no host to judge on", red=True)
            terminalreporter.write_line("\n".join(self.target.stopped))
        if self.nothing_fits:
            from harness.suite import families  # noqa: PLC0415 (it builds hundreds of programs)

            names = ", ".join(family.name for family in families())
            terminalreporter.write_line(f"nothing to run: no program fits (families: {names})")

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        self.target.close()
        if self.recorder is not None:
            self.page = self.recorder.end()
        if len(self.summary.late_writes) > 1 and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED  # seen by different workers
        if 0 < session.testsfailed == self.summary.errors():
            session.exitstatus = TargetError.exit_code  # ours alone
        if session.exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
            session.exitstatus = ConfigError.exit_code  # pytest's 5 is that of provisioning here
            self.nothing_fits = True

    def pytest_unconfigure(self) -> None:
        self.target.close()
        if self._handler is not None:
            signal.signal(signal.SIGTERM, self._handler)

    @pytest.fixture(scope="session")
    def gicv5(self) -> Session:
        """The session: ``host()`` gives a healthy host, ``run(program)`` a judged outcome."""
        return self.target.opened()

    @pytest.fixture
    def gicv5_host(self) -> Host:
        """A healthy host."""
        try:
            return self.target.opened().host()
        except HarnessError as e:
            pytest.fail("\n".join(words(e, getattr(e, "console", ""))), pytrace=False)


def _terminated(_number: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt("terminated")
