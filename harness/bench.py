# SPDX-License-Identifier: GPL-2.0-or-later
"""What the harness costs: figures for the README, from one run on one machine.

Machines differ and are shared, so a speed is stated beside the same ioctls in a bare C loop on the
same host in the same run (``init --bench`` of guest/).
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness import bench_platform as platform
from harness import bench_way as way
from harness.commands.shown import progress
from harness.errors import TransportError
from harness.program import (
    CreateDevice,
    CreateVcpu,
    CreateVm,
    InitVcpu,
    PlaceIrs,
    Program,
    Run,
    init_device,
    read,
    write,
)
from harness.provision.paths import project_root
from harness.targets.agent import AHEAD
from harness.targets.board_target import BoardTarget
from harness.targets.kinds import opened
from harness.targets.qemu import QemuTarget
from harness.targets.spec import Progress, TargetSpec

FIRST = "untouched and not pmu"
ONE_VM = Program(
    "bench/one-vm",
    (
        CreateVm(),
        CreateDevice(),
        PlaceIrs(),
        CreateVcpu(),
        InitVcpu(),
        init_device(),
        Run((write("PPI_ENABLER0", (1 << 64) - 1), read("PPI_ENABLER0"))),
    ),
)


def bench_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kernel", nargs="?", default="masked", metavar="KERNEL", help="masked")
    parser.add_argument("--target", default="qemu", metavar="KIND",
                        help="ssh:HOST or board:NAME: what the way to it costs")  # fmt: skip
    parser.add_argument("--boards", type=Path, metavar="FILE", help="has the board of board:NAME")


def command_bench(options: argparse.Namespace) -> int:
    """Print the figures that the README states, as they are here and now."""
    with progress() as say:
        if options.target != "qemu":
            spec = TargetSpec(options.target, boards=options.boards)
            with opened(spec, say) as target:
                line = target.entry.serial if isinstance(target, BoardTarget) else None
                for what, figure in way.report(way.measure(target), line.baud if line else 0):
                    print(f"{what:40} {figure}", flush=True)
            return 0
        for what, figure in report(options.kernel, say):
            print(f"{what:40} {figure}", flush=True)
    return 0


@dataclass(frozen=True, slots=True)
class Figures:
    """Seconds, programs per second, MiB.

    ``bare`` is the C loop alone.  ``kept`` is the same loop beside a VM that stays open, as the
    agent has one: KVM then need not patch the scheduler for each VM, which is dear under TCG.
    """

    boot_seconds: float
    harness: float
    bare: float
    kept: float
    resident_mib: float


def measure(target: QemuTarget, programs: int = 500, rounds: int = 5) -> Figures:
    """Boot a host, then alternate between the harness and the loops; the best of ``rounds``."""
    start = time.monotonic()
    host = target.boot()
    boot = time.monotonic() - start
    try:
        harness = bare = kept = 0.0
        for _ in range(rounds):
            start = time.monotonic()
            for left in reversed(range(programs)):
                host.run(ONE_VM, upcoming=[ONE_VM] * min(left, AHEAD))
            harness = max(harness, programs / (time.monotonic() - start))
            said = host.command(["/init", "--bench", str(programs)], timeout=120).text
            found = re.search(r"programs (\d+) alone ([\d.]+) kept ([\d.]+)", said)
            if not found:
                raise TransportError(f"the bare loop said {said!r}")
            bare = max(bare, int(found[1]) / float(found[2]))
            kept = max(kept, int(found[1]) / float(found[3]))
        return Figures(boot, harness, bare, kept, _resident_mib(host.pid))
    finally:
        host.close()


def session_seconds(kernel: str, *arguments: str) -> float:
    """Wall time of ``pytest --target=qemu --kernel KERNEL ARGUMENTS``, start to end."""
    suite = str(project_root() / "tests" / "target")
    with tempfile.TemporaryDirectory(prefix="gicv5-bench.") as results:
        argv = [sys.executable, "-m", "pytest", "--target=qemu", f"--kernel={kernel}", "-q",
                f"--results={results}", suite, *arguments]  # fmt: skip
        start = time.monotonic()
        subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        return time.monotonic() - start


def report(kernel: str, say: Progress) -> Iterator[tuple[str, str]]:
    """What the README states, measured now on this machine: what, and how much."""
    target = QemuTarget.create(TargetSpec(kernel=kernel), say)
    yield "first verdict, all in the cache", f"{session_seconds(kernel, '-k', FIRST):.1f} s"
    yield "whole suite", f"{session_seconds(kernel):.1f} s"
    figures = measure(target)
    yield "boot", f"{figures.boot_seconds:.2f} s"
    yield "programs of one VM, on one host CPU", f"{figures.harness:.0f} /s"
    yield "the same ioctls in a bare C loop", f"{figures.bare:.0f} /s"
    yield "the same, beside a VM that stays open", f"{figures.kept:.0f} /s"
    yield "cost of the harness", f"{figures.bare / figures.harness:.2f} x the bare loop"
    yield "", f"{figures.kept / figures.harness:.2f} x the loop beside an open VM"
    yield "memory of a host", f"{figures.resident_mib:.0f} MiB"
    yield from platform.report(target)


def _resident_mib(pid: int) -> float:
    """VmHWM of a process: its peak resident memory."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) / 1024
