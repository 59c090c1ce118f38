# SPDX-License-Identifier: GPL-2.0-or-later
"""A target without a kernel: the model with a behaviour of its own, and ways to go wrong."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from errno import ENXIO
from pathlib import Path

from harness.errors import BootError, ProvisionError
from harness.hwtrace.slices import Slice
from harness.model import Behaviour, Finalize, HostFacts, LateWrites, Model
from harness.program import Program
from harness.provision import Expect
from harness.targets.base import CommandOutput, HostLost
from harness.targets.spec import Factory, Progress, TargetSpec
from harness.trace import Ending, Trace
from harness.wire import Hello

GOLDEN = Path(__file__).parent / "golden"
HELLO = Hello(0, 1, 0, 0, 0, 1, 512, ENXIO, "7.3.4", "#1 SMP")
PROVENANCE = {
    "kernel": "linux 7.3.4, sha256 0123456789ab",
    "qemu": "11.1.3",
    "plugin": "sha256 ba9876543210",
    "agent": "sha256 abcdef012345",
}
VHE = "[    0.1] kvm [1]: VHE mode initialized successfully\n"


@dataclass
class FakeTarget:
    """``mishaps`` maps a program's name to what happens: crash, silent, warn, killed, ...

    ``events``: a file to which boots and closes are appended, to be read by a test.
    """

    behaviour: Behaviour = field(default_factory=Behaviour)
    expect: Expect = field(default_factory=Expect)
    mishaps: Mapping[str, str] = field(default_factory=dict)
    hello: Hello = HELLO
    bad_boots: frozenset[int] = frozenset()  # which boots fail, from 1 on
    events: Path | None = None
    kernel_name: str = "fake"
    provenance: Mapping[str, str] = field(default_factory=lambda: PROVENANCE)
    boots: int = 0

    def boot(self) -> FakeHost:
        self.boots += 1
        self.say(f"boot {self.boots}")
        if self.boots in self.bad_boots:
            raise BootError(
                "the host did not boot: QEMU exited with status 1",
                "read its console",
                "[    0.500000] Booting\n[    0.600000] Kernel panic - not syncing: VFS: no root\n",
            )
        return FakeHost(self)

    def say(self, text: str) -> None:
        if self.events:
            with self.events.open("a") as f:
                f.write(f"{os.environ.get('PYTEST_XDIST_WORKER', 'main')} {text}\n")

    def factory(self) -> Factory:
        def make(_spec: TargetSpec, progress: Progress) -> FakeTarget:
            self.say("provision")
            progress("provisioning the fake kernel")
            return self

        return make


def unprovisioned(_spec: TargetSpec, _progress: Progress) -> FakeTarget:
    """A factory that fails."""
    raise ProvisionError("linux-source-7.3: no such package", "gicv5 images --refresh")


@dataclass
class FakeHost:
    target: FakeTarget
    boot_log: str = VHE
    said: list[str] = field(default_factory=list)

    @property
    def hello(self) -> Hello:
        return self.target.hello

    @property
    def provenance(self) -> Mapping[str, str]:
        return self.target.provenance

    def warnings(self) -> list[str]:
        said, self.said = self.said, []
        return said

    def accesses(self) -> Slice:
        return Slice()

    def run(
        self, program: Program, deadline_ms: int = 10_000, upcoming: Sequence[Program] = ()
    ) -> Trace:
        match self.target.mishaps.get(program.name):
            case "crash":
                raise HostLost("QEMU exited with status 0", golden("oops-nvhe-v5.log"), True)
            case "unknown-crash":
                self.said.append("gicv5: warning: unknown register S3_0_C12_C9_7")
                raise HostLost("QEMU exited with status 0", golden("oops-nvhe-v5.log"), True)
            case "crash-unstarted":
                raise HostLost("QEMU exited with status 0", golden("oops-nvhe-v5.log"), False)
            case "silent":
                raise HostLost("the host did not answer in time; QEMU is running", "hello\n", True)
            case "unknown":
                self.said.append("gicv5: warning: unknown register S3_0_C12_C9_7")
            case "warn":
                return replace(self.model(program), log=golden("warning-kmsg.log"))
            case "killed":
                return replace(self.model(program), ending=Ending.KILLED, signal=11)
            case "interrupt":
                raise KeyboardInterrupt
            case "terminate":
                os.kill(os.getpid(), signal.SIGTERM)
                time.sleep(5)
            case "broken":
                raise ZeroDivisionError("a defect of the harness")
            case "exposed":
                behaviour = replace(self.target.behaviour, late_writes=LateWrites.EXPOSED)
                return Model(behaviour, HostFacts()).run(program)
            case "first-created":
                behaviour = replace(self.target.behaviour, finalize=Finalize.FIRST_CREATED)
                return Model(behaviour, HostFacts()).run(program)
        return self.model(program)

    def model(self, program: Program) -> Trace:
        return Model(self.target.behaviour, HostFacts()).run(program)

    def command(self, argv: Sequence[str], timeout: float) -> CommandOutput:
        return CommandOutput(0, " ".join(argv))

    def close(self) -> None:
        self.target.say("close")


def golden(name: str) -> str:
    return (GOLDEN / name).read_text()
