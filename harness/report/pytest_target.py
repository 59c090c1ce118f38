# SPDX-License-Identifier: GPL-2.0-or-later
"""The target of a pytest session: what its items run on, and what they say of it."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections import deque
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import NoReturn

import pytest

from harness.errors import ConfigError, HarnessError
from harness.kselftest.running import MEMORY_MIB, places
from harness.program import Program
from harness.provision.images import load_images
from harness.provision.paths import default_images
from harness.provision.provisioner import Provisioner
from harness.report.artefacts import Artefacts
from harness.report.session import FirstBootError, Session, expectation
from harness.report.verdict import Outcome, harness_error
from harness.results.recorder import BOOT_PROPERTY
from harness.targets.kinds import arguments
from harness.targets.spec import Factory, OpenTarget, Releasable, TargetSpec

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


@dataclass(eq=False)
class TargetSession:
    """Opens the target when the session starts, boots a host when the first program wants one.

    Under xdist the controller only provisions, so that the workers find everything in the cache;
    each worker has a host of its own.

    ``queue``: the programs to come, in order.  ``explained``: the first program of each kind of
    failure.  ``stopped``: why the session ended early.
    """

    config: pytest.Config
    spec: TargetSpec
    factory: Factory
    overrides: dict[str, str]
    folder: Path
    kselftests: list[str] = field(default_factory=list)
    target: OpenTarget | None = None
    session: Session | None = None
    artefacts: Artefacts | None = None
    queue: deque[Program] = field(default_factory=deque)
    explained: dict[tuple[str, ...], str] = field(default_factory=dict)
    stopped: list[str] = field(default_factory=list)

    @property
    def is_worker(self) -> bool:
        """Of xdist."""
        return hasattr(self.config, "workerinput")

    def open(self) -> OpenTarget:
        """Provision.  HarnessError if that fails."""
        if self.kselftests:
            self._build_kselftests()
        self.target = self.factory(self.spec, self._progress)
        declared = expectation(self.target.expect, self.overrides)
        self.session = Session(self.target, declared)
        name, provenance = self.target.kernel_name, self.target.provenance
        self.artefacts = Artefacts(self.folder, name, provenance)
        return self.target

    def _build_kselftests(self) -> None:
        """Whole names for patterns, and the tests themselves into the host's file system."""
        provisioner = Provisioner(
            load_images(self.spec.images or default_images()), progress=self._progress
        )
        kernel = provisioner.kernel(self.spec.kernel or provisioner.default_kernel())
        tree = self.config.getoption("gicv5_kselftest_tree")
        built = provisioner.selftests(kernel, self.kselftests, Path(tree) if tree else None)
        self.kselftests = list(built)
        files = places({name: each.path for name, each in built.items()})
        self.spec = replace(self.spec, files=files, memory=MEMORY_MIB)

    def opened(self) -> Session:
        if self.session is None:
            raise ConfigError("the target is not open", "do not use it while collecting")
        return self.session

    def header(self) -> list[str]:
        """What the session says first."""
        if self.target is None or self.session is None:
            return [f"target: {self.spec.kind}"]
        kernel = self.target.kernel_name or "that runs there"
        lines = [f"target: {self.spec.kind}, kernel {kernel}"]
        lines += [f"  {key}: {value}" for key, value in self.target.provenance.items()]
        return [*lines, f"  expected: {self.session.expectation}"]

    def run(self, program: Program) -> Outcome:
        """Run and judge a program.  Ends the session if not even the first host boots."""
        while self.queue and self.queue.popleft() is not program:
            pass
        try:
            return self.opened().run(program, list(islice(self.queue, UPCOMING)))
        except FirstBootError as e:
            if self.is_worker:  # a worker cannot end the session
                return harness_error(program, e)
            self.stop(e)

    def stop(self, error: FirstBootError) -> NoReturn:
        """End the session: no host can be had."""
        self.stopped = words(error, error.console)
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
        if not self.is_worker and self.config.option.verbose >= 0:
            print(f"gicv5: {message}", file=sys.stderr, flush=True)


def _pytest() -> str:
    """What starts this environment's pytest: its name if the shell would find it."""
    ours = Path(sys.executable).with_name("pytest")
    return "pytest" if shutil.which("pytest") == str(ours) else str(ours)


def words(error: HarnessError, console: str = "") -> list[str]:
    """An error without a traceback, and the last that a console said."""
    lines = [f"gicv5: {error}"]
    if said := [line.rstrip() for line in console.splitlines() if line.strip()]:
        lines += ["  the last that its console said:", *(f"  | {line}" for line in said[-TAIL:])]
    return lines
