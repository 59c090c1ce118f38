# SPDX-License-Identifier: GPL-2.0-or-later
"""What the harness costs: figures for the README, from one run on one machine.

Machines differ and are shared, so a speed is stated beside the same ioctls in a bare C loop on the
same host in the same run (``init --bench`` of guest/).
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path

from harness.errors import TransportError
from harness.program import (
    CreateDevice,
    CreateVcpu,
    CreateVm,
    InitVcpu,
    Program,
    Run,
    init_device,
    read,
    write,
)
from harness.targets.qemu import QemuTarget

ONE_VM = Program(
    "bench/one-vm",
    (
        CreateVm(),
        CreateDevice(),
        CreateVcpu(),
        InitVcpu(),
        init_device(),
        Run((write("PPI_ENABLER0", (1 << 64) - 1), read("PPI_ENABLER0"))),
    ),
)


@dataclass(frozen=True, slots=True)
class Figures:
    """Seconds, programs per second, their ratio to the bare loop, MiB."""

    boot_seconds: float
    programs_per_second: float
    bare_per_second: float
    resident_mib: float

    @property
    def cost(self) -> float:
        """Time of a program through the harness / time of its ioctls in the bare loop."""
        return self.bare_per_second / self.programs_per_second


def measure(target: QemuTarget, programs: int = 500, rounds: int = 3) -> Figures:
    """Boot a host, then alternate between the harness and the bare loop; the best of ``rounds``."""
    start = time.monotonic()
    host = target.boot()
    boot = time.monotonic() - start
    try:
        harness = bare = 0.0
        for _ in range(rounds):
            start = time.monotonic()
            for _ in range(programs - 1):
                host.run(ONE_VM, upcoming=ONE_VM)
            host.run(ONE_VM)
            harness = max(harness, programs / (time.monotonic() - start))
            said = host.command(["/init", "--bench", str(programs)], timeout=120).text
            found = re.search(r"programs (\d+) seconds ([\d.]+)", said)
            if not found:
                raise TransportError(f"the bare loop said {said!r}")
            bare = max(bare, int(found[1]) / float(found[2]))
        return Figures(boot, harness, bare, _resident_mib(host.pid))
    finally:
        host.close()


def _resident_mib(pid: int) -> float:
    """VmHWM of a process: its peak resident memory."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) / 1024
