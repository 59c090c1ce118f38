# SPDX-License-Identifier: GPL-2.0-or-later
"""What the platform costs: the plugin that makes QEMU a GICv5 host.

A kernel finds no GICv5 where the plugin does nothing, so its boot is compared with the same kernel,
initramfs and command line on QEMU's own GICv3 board: with the plugin loaded and its callbacks idle,
and without a plugin.  In CPU time, which says the same on a machine busy with something else.

The time of an access is that between two records of the trace (harness.hwtrace), in the host's
time: the guest writes a register, then reads it back.  If the write traps, what lies between is the
trap to EL2, KVM's emulation, and the return to the guest.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Final

from harness.errors import TransportError
from harness.hwtrace.slices import Slice
from harness.program import (
    CreateDevice,
    CreateVcpu,
    CreateVm,
    InitVcpu,
    Program,
    Run,
    init_device,
    write,
)
from harness.targets.qemu import QemuHost, QemuTarget

TRAPS: Final = "PPI_ENABLER0"  # KVM lets these trap ...
DIRECT: Final = "PCR"  # ... and these not
WRITES: Final = 300  # some 100 records each if they trap: they all fit into the ring


@dataclass(frozen=True, slots=True)
class Figures:
    """CPU seconds of a boot, with the plugin, with an idle one and without; ns of a write, trapped
    and not."""

    boot: float
    idle_boot: float
    plain_boot: float
    trapped_ns: float
    direct_ns: float


def measure(target: QemuTarget, rounds: int = 5) -> Figures:
    """Alternate between the three machines; the best boot of each counts."""
    idle = replace(target, machine=replace(target.machine, idle=True))
    plain = replace(target, machine=replace(target.machine, plugin=None))
    boots, idle_boots, plain_boots, trapped, direct = [list[float]() for _ in range(5)]
    for _ in range(rounds):
        for other, seconds in ((plain, plain_boots), (idle, idle_boots)):
            host = other.boot()
            seconds.append(_cpu_seconds(host.pid))
            host.close()
        host = target.boot()
        try:
            boots.append(_cpu_seconds(host.pid))
            trapped.append(_write_ns(host, TRAPS))
            direct.append(_write_ns(host, DIRECT))
        finally:
            host.close()
    return Figures(*map(min, (boots, idle_boots, plain_boots, trapped, direct)))


def _cpu_seconds(pid: int) -> float:
    """What all threads of a process have used: utime and stime of proc(5)."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")


def _write_ns(host: QemuHost, register: str) -> float:
    """From a guest's write of a register to its next access, the median."""
    run = Run((write(register, 0),) * WRITES)
    ops = (CreateVm(), CreateDevice(), CreateVcpu(), InitVcpu(), init_device(), run)
    host.run(Program(f"bench/write-{register}", ops))
    times = list(_write_times(host.accesses(), f"ICC_{register}_EL1"))
    if len(times) != WRITES:
        raise TransportError(f"{len(times)} of {WRITES} writes of {register} are in the trace")
    return median(times)


def _write_times(sliced: Slice, register: str) -> Iterator[int]:
    guest = [each.record for each in sliced.located if each.record.name == register]
    guest = [record for record in guest if record.interface == "virt"]
    for record, after in pairwise(guest):
        if record.op in ("write", "trap") and after.op == "read":
            yield after.time - record.time


def report(target: QemuTarget) -> Iterator[tuple[str, str]]:
    """Lines of ``gicv5 bench``."""
    figures = measure(target)
    idle, plain = figures.idle_boot, figures.plain_boot
    yield (
        "platform: CPU time of a boot",
        f"{figures.boot:.2f} s, {figures.boot / idle:.2f} x QEMU's own GICv3 with idle callbacks "
        f"({idle:.2f} s), {figures.boot / plain:.2f} x without a plugin ({plain:.2f} s)",
    )
    trapped, direct = figures.trapped_ns / 1000, figures.direct_ns / 1000
    yield (
        "platform: fine-grained trap, KVM, return",
        f"{trapped:.1f} us, {trapped / direct:.0f} x an access that does not trap",
    )
    yield "platform: access that does not trap", f"{direct:.2f} us"
