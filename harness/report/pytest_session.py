# SPDX-License-Identifier: GPL-2.0-or-later
"""The plugin of a pytest session that has a target."""

from __future__ import annotations

import shlex
import shutil
import signal
import sys
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any, NoReturn

import pytest

from harness.errors import ConfigError, HarnessError, TargetError
from harness.model.behaviour import Finalize, LateWrites
from harness.provision.images import load_images
from harness.provision.paths import default_images, project_root
from harness.provision.provisioner import Provisioner
from harness.report.artefacts import Artefacts, session_folder
from harness.report.pytest_items import SUITE_FILE, ProgramItem, SuiteFile
from harness.report.session import FirstBootError, Session, expectation
from harness.report.terminal import Summary
from harness.report.verdict import Outcome, Verdict, harness_error
from harness.results.recorder import BOOT_PROPERTY, Recorder
from harness.targets.base import Host
from harness.targets.kinds import KINDS, arguments, kind_of
from harness.targets.spec import (
    MAX_CPUS,
    Factory,
    OpenTarget,
    Releasable,
    TargetSpec,
)

PLUGIN_NAME = "gicv5-target"
TAIL = 15
UPCOMING = 16
_ON_COMMAND_LINE = (
    ("gicv5_kernel", "--kernel"),
    ("gicv5_qemu", "--qemu"),
    ("gicv5_images", "--images"),
    ("gicv5_boards", "--boards"),
    ("gicv5_kernel_args", "--kernel-args"),
    ("gicv5_kselftest", "--kselftest"),
    ("gicv5_kselftest_tree", "--kselftest-tree"),
)
EXPECT_KEYS: Mapping[str, tuple[str, ...]] = {
    "accessors": ("true", "false", "probed"),
    "finalize": tuple(each.value for each in Finalize),
    "late_writes": (*(each.value for each in LateWrites), "any"),
    "irs": ("true", "false", "probed"),
}


def start(config: pytest.Config) -> int | None:
    """Check the options, register the session's plugin, provision.

    UsageError says which options are allowed.  An exit code if nothing can be had to run on.
    """
    plugin = _plugin(config)
    config.pluginmanager.register(plugin, PLUGIN_NAME)
    if config.pluginmanager.hasplugin("xdist"):
        config.pluginmanager.register(_Xdist(plugin.folder), "gicv5-xdist")
    if config.args_source is not pytest.Config.ArgsSource.ARGS:
        config.args = [str(project_root() / "tests" / "target")]
    _settle_root(config)
    if config.option.collectonly:
        return None
    try:
        plugin.open()
    except HarnessError as e:
        print("\n".join(_words(e)), file=sys.stderr)
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


def _plugin(config: pytest.Config) -> TargetSession:
    kinds = dict(KINDS)
    for more in config.hook.pytest_gicv5_targets():
        kinds.update(more)
    kind = config.getoption("gicv5_target")
    name = kind_of(kind)
    if name not in kinds:
        raise pytest.UsageError(f"--target={kind}: no such target; one of: {', '.join(kinds)}")
    if name != kind and getattr(config.option, "numprocesses", None):
        raise pytest.UsageError(f"-n with --target={kind}: a board serves one process at a time")
    cpus = config.getoption("gicv5_cpus")
    if cpus not in [str(n) for n in range(1, MAX_CPUS + 1)]:
        raise pytest.UsageError(f"--host-cpus={cpus}: the GICv5 platform has 1 to {MAX_CPUS} CPUs")
    overrides = _expect(config.getoption("gicv5_expect"))
    folder = session_folder(Path(config.getoption("gicv5_results")).absolute())
    if worker := getattr(config, "workerinput", None):
        folder = Path(worker["gicv5_folder"])
    images = config.getoption("gicv5_images")
    boards = config.getoption("gicv5_boards")
    spec = TargetSpec(
        kind, config.getoption("gicv5_kernel"), config.getoption("gicv5_qemu"),
        Path(images) if images else None, int(cpus), config.getoption("gicv5_kernel_args"),
        _trace_folder(config, folder), boards=Path(boards) if boards else None,
    )  # fmt: skip
    kselftests = (config.getoption("gicv5_kselftest") or "").split(",")
    if any(kselftests) and kind != "qemu":
        raise pytest.UsageError(f"--kselftest with --target={kind}: only on hosts in QEMU")
    if any(kselftests) and getattr(config.option, "numprocesses", None):
        raise pytest.UsageError("-n with --kselftest: subtests are not known before they run")
    return TargetSession(
        config, spec, kinds[name], overrides, folder, kselftests=list(filter(None, kselftests))
    )


def _trace_folder(config: pytest.Config, folder: Path) -> Path | None:
    """Each xdist worker has hosts of its own, so a folder of its own for their traces."""
    if not config.getoption("gicv5_trace"):
        return None
    worker = getattr(config, "workerinput", {}).get("workerid", "")
    return folder / "trace" / worker if worker else folder / "trace"


def _expect(given: list[str]) -> dict[str, str]:
    """``KEY=VALUE`` options, checked."""
    out = {}
    for text in given:
        key, _, value = text.partition("=")
        if key not in EXPECT_KEYS:
            raise pytest.UsageError(f"--expect={text}: KEY is one of: {', '.join(EXPECT_KEYS)}")
        if value not in EXPECT_KEYS[key]:
            raise pytest.UsageError(f"--expect={text}: {key} is {' or '.join(EXPECT_KEYS[key])}")
        out[key] = value
    return out


class _Xdist:
    """All workers of a session write to one results folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: object) -> None:
        node.workerinput["gicv5_folder"] = str(self._folder)  # type: ignore[attr-defined]


@dataclass(eq=False)
class TargetSession:
    """Opens the target when the session starts, boots a host when the first program wants one.

    Under xdist the controller only provisions, so that the workers find everything in the cache;
    each worker has a host of its own.
    """

    config: pytest.Config
    spec: TargetSpec
    factory: Factory
    overrides: dict[str, str]
    folder: Path
    summary: Summary = field(default_factory=Summary)
    target: OpenTarget | None = None
    session: Session | None = None
    artefacts: Artefacts | None = None
    recorder: Recorder | None = None
    page: Path | None = None
    queue: deque[ProgramItem] = field(default_factory=deque)
    explained: dict[tuple[str, ...], str] = field(default_factory=dict)
    stopped: list[str] = field(default_factory=list)
    kselftests: list[str] = field(default_factory=list)
    _handler: Any = None

    # --- pytest's hooks ---

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        if threading.current_thread() is threading.main_thread():
            # So that the host is closed then, too.
            self._handler = signal.signal(signal.SIGTERM, _terminated)

    def pytest_report_header(self) -> list[str]:
        if self.target is None or self.session is None:
            return [f"target: {self.spec.kind}"]
        kernel = self.target.kernel_name or "that runs there"
        lines = [f"target: {self.spec.kind}, kernel {kernel}"]
        lines += [f"  {key}: {value}" for key, value in self.target.provenance.items()]
        return [*lines, f"  expected: {self.session.expectation}"]

    @pytest.hookimpl(tryfirst=True)
    def pytest_pycollect_makemodule(
        self, module_path: Path, parent: pytest.Collector
    ) -> SuiteFile | None:
        if module_path.name == SUITE_FILE and module_path.parent.name == "target":
            return SuiteFile.of(parent, module_path, self)
        return None

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        if not hasattr(self.config, "workerinput"):  # a worker of xdist has an order of its own
            self.queue.extend(item for item in session.items if isinstance(item, ProgramItem))

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
            terminalreporter.write_line(f"report: {self.shown(self.page)}")
        if self.recorder is not None and self.recorder.failed:
            terminalreporter.write_line(f"not written: {self.recorder.failed}")
        if self.stopped:
            terminalreporter.section("GICv5: no host to judge on", red=True)
            terminalreporter.write_line("\n".join(self.stopped))

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        self.close()
        if self.recorder is not None:
            self.page = self.recorder.end()
        if len(self.summary.late_writes) > 1 and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED  # seen by different workers
        if 0 < session.testsfailed == self.summary.errors():
            session.exitstatus = TargetError.exit_code  # ours alone

    def pytest_unconfigure(self) -> None:
        self.close()
        if self._handler is not None:
            signal.signal(signal.SIGTERM, self._handler)

    @pytest.fixture(scope="session")
    def gicv5(self) -> Session:
        """The session: ``host()`` gives a healthy host, ``run(program)`` a judged outcome."""
        return self.opened()

    @pytest.fixture
    def gicv5_host(self) -> Host:
        """A healthy host."""
        try:
            return self.opened().host()
        except HarnessError as e:
            pytest.fail("\n".join(_words(e, getattr(e, "console", ""))), pytrace=False)

    # --- what the items want ---

    def open(self) -> None:
        """Provision.  HarnessError if that fails."""
        if self.kselftests:
            self._build_kselftests()
        self.target = self.factory(self.spec, self._progress)
        declared = expectation(self.target.expect, self.overrides)
        self.session = Session(self.target, declared)
        name, provenance = self.target.kernel_name, self.target.provenance
        self.artefacts = Artefacts(self.folder, name, provenance)
        if not hasattr(self.config, "workerinput"):  # workers report to the controller
            self.recorder = Recorder.of(self.folder, name, provenance)

    def _build_kselftests(self) -> None:
        """Whole names for patterns, and the tests themselves into the host's file system."""
        from harness.kselftest import pytest_items  # noqa: PLC0415

        provisioner = Provisioner(
            load_images(self.spec.images or default_images()), progress=self._progress
        )
        kernel = provisioner.kernel(self.spec.kernel or provisioner.default_kernel())
        tree = self.config.getoption("gicv5_kselftest_tree")
        built = provisioner.selftests(kernel, self.kselftests, Path(tree) if tree else None)
        self.kselftests = list(built)
        files = pytest_items.places({name: each.path for name, each in built.items()})
        self.spec = replace(self.spec, files=files, memory=pytest_items.MEMORY_MIB)
        self.config.pluginmanager.register(pytest_items.SelftestPlugin(), "gicv5-kselftest")

    def opened(self) -> Session:
        if self.session is None:
            raise ConfigError("the target is not open", "do not use it while collecting")
        return self.session

    def run(self, item: ProgramItem) -> Outcome:
        """Run and judge an item's program.  Ends the session if not even the first host boots."""
        while self.queue and self.queue.popleft() is not item:
            pass
        upcoming = [after.program for after in islice(self.queue, UPCOMING)]
        try:
            return self.opened().run(item.program, upcoming)
        except FirstBootError as e:
            if hasattr(self.config, "workerinput"):  # a worker cannot end the session
                return harness_error(item.program, e)
            self.stop(e)

    def stop(self, error: FirstBootError) -> NoReturn:
        """End the session: no host can be had."""
        self.stopped = _words(error, error.console)
        pytest.exit("no host to judge on", returncode=error.exit_code)

    def properties(self) -> list[tuple[str, str]]:
        """What the verdict was given on."""
        if self.target is None or self.session is None:
            return []
        out = [("kernel_name", self.target.kernel_name), *self.target.provenance.items()]
        out += [("host", self.session.facts)] if self.session.facts else []
        out += [("platform", warning) for warning in self.session.warnings()]
        out += [(BOOT_PROPERTY, boot) for boot in self.session.booted()]
        if self.session.witness.seen:
            witness = self.session.witness
            assert witness.seen is not None
            out += [("late_writes", f"{witness.seen.value} (first seen in {witness.program})")]
        return out

    def save(self, outcome: Outcome, rerun: str) -> Path | str:
        """Write the artefacts; their folder, or why there is none."""
        assert self.artefacts is not None
        facts = self.session.facts if self.session else ""
        try:
            return self.artefacts.save(outcome, rerun, facts)
        except OSError as e:
            return f"not written: {e}"

    def shown(self, path: Path | str) -> str:
        """A path as the user would type it: relative to here if possible."""
        if isinstance(path, str):
            return path
        here = self.config.invocation_params.dir
        return str(path.relative_to(here) if path.is_relative_to(here) else path)

    def rerun(self, path: Path, nodeid: str) -> str:
        """The one command that runs this program again, in the same way."""
        option = self.config.getoption
        argv = [_pytest(), f"--target={self.spec.kind}"]
        for name, flag in _ON_COMMAND_LINE:
            if value := option(name):
                argv += [f"{flag}={value}"]
        if self.spec.kernel is None and self.target is not None and self.target.kernel_name:
            argv += [f"--kernel={self.target.kernel_name}"]
        if self.spec.cpus != 1:
            argv += [f"--host-cpus={self.spec.cpus}"]
        argv += [f"--expect={text}" for text in option("gicv5_expect")]
        return shlex.join([*argv, f"{self.shown(path)}::{nodeid.partition('::')[2]}"])

    def arguments(self) -> list[str]:
        """What leads a ``gicv5`` command to the same target."""
        name = self.target.kernel_name if self.target else ""
        out = arguments(replace(self.spec, kernel=self.spec.kernel or name or None))
        return out + [
            w for text in self.config.getoption("gicv5_expect") for w in ("--expect", text)
        ]

    def close(self) -> None:
        """Power the host off.  May be called twice."""
        if self.session is not None:
            self.session.close()
        if isinstance(self.target, Releasable):
            self.target.release()

    def _progress(self, message: str) -> None:
        if not hasattr(self.config, "workerinput") and self.config.option.verbose >= 0:
            print(f"gicv5: {message}", file=sys.stderr, flush=True)


def _pytest() -> str:
    """What starts this environment's pytest: its name if the shell would find it."""
    ours = Path(sys.executable).with_name("pytest")
    return "pytest" if shutil.which("pytest") == str(ours) else str(ours)


def _terminated(_number: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt("terminated")


def _words(error: HarnessError, console: str = "") -> list[str]:
    """An error without a traceback, and the last that a console said."""
    lines = [f"gicv5: {error}"]
    if said := [line.rstrip() for line in console.splitlines() if line.strip()]:
        lines += ["  the last that its console said:", *(f"  | {line}" for line in said[-TAIL:])]
    return lines
