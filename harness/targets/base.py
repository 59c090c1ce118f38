# SPDX-License-Identifier: GPL-2.0-or-later
"""What every target offers: boot a host, run programs on it, know what it said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from harness.errors import TargetError
from harness.hwtrace.slices import Slice
from harness.program import Program
from harness.trace import Trace
from harness.wire import Hello


class HostLost(TargetError):
    """The host died, or stopped to answer, while it executed a program.

    ``console``: what it printed since the program started.  Whether the kernel under test or the
    machine is to blame is for the judge to say, from the console.
    ``started``: the host announced the program (the EXECUTING beacon arrived).
    """

    def __init__(self, what: str, console: str, started: bool, remedy: str = "") -> None:
        super().__init__(what, remedy)
        self.console = console
        self.started = started


@dataclass(frozen=True, slots=True)
class CommandOutput:
    """Of a command of the host's own: its exit status (128 + signal if killed) and its output."""

    status: int
    text: str


class Host(Protocol):
    """One booted host.  Not thread-safe.

    After ``HostLost`` it is only good for ``accesses``, ``warnings`` and ``close``.
    """

    @property
    def hello(self) -> Hello: ...

    @property
    def provenance(self) -> Mapping[str, str]:
        """Kernel, QEMU, plugin, agent: versions and hashes; the same keys for every host."""
        ...

    @property
    def boot_log(self) -> str:
        """The console from power-on to the agent's greeting."""
        ...

    def warnings(self) -> list[str]:
        """What the machine complained of since the last call: an encoding that it does not know."""
        ...

    def run(
        self, program: Program, deadline_ms: int = 10_000, upcoming: Sequence[Program] = ()
    ) -> Trace:
        """Execute a program.  HostLost if the host dies or its agent does not answer in time.

        ``upcoming`` is what the next calls will probably ask for: some of it may be sent ahead, so
        that the host need not wait for it.
        """
        ...

    def accesses(self) -> Slice:
        """What the last program that ``run`` was asked for did to the GIC; after HostLost, too.

        Empty if the target does not record it.
        """
        ...

    def command(self, argv: Sequence[str], timeout: float) -> CommandOutput:
        """Execute a program that the host's file system holds.

        It is killed after ``timeout`` seconds, times the kernel's slowdown.
        """
        ...

    def close(self) -> None:
        """Power off, now.  Leaves no process behind.  May be called twice."""
        ...
