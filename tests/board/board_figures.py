# SPDX-License-Identifier: GPL-2.0-or-later
"""What the ways to a board cost, for docs/boards.md: ``python tests/board/board_figures.py``.

The suite runs on the same kernel, memory and translation cache each time: over QEMU's own channel,
over SSH, and over a serial line of 1.5 Mbaud.  A kernel without a network has no SSH.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from board_lab import Cable, Lab, silent
from board_rack import BOARD_ACCEL

from harness import bench_way as way
from harness.targets.qemu import QemuTarget
from harness.targets.spec import OpenTarget, Releasable, TargetSpec

BAUD = 1_500_000


@contextmanager
def given_back(target: OpenTarget) -> Iterator[OpenTarget]:
    try:
        yield target
    finally:
        if isinstance(target, Releasable):
            target.release()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ways", nargs="*", default=["channel", "ssh", "serial"])
    parser.add_argument("--kernel", default="debian")
    parser.add_argument("--rounds", type=int, default=2, help="one after another; the best counts")
    parser.add_argument("--every", type=int, default=1, help="only every nth program")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gicv5-figures.") as folder:
        lab = Lab.build(Path(folder), options.kernel)
        lab.rack.power("on")
        cable = Cable(lab.rack.ports.console, baud=BAUD)
        try:
            best = dict[str, way.Figures]()
            for _ in range(options.rounds):
                for name in options.ways:
                    with given_back(opened(lab, cable, name, options.kernel)) as target:
                        figures = way.measure(target, options.every)
                    if name not in best or sum(figures.seconds) < sum(best[name].seconds):
                        best[name] = figures
        finally:
            cable.close()
            lab.close()
    for name, figures in best.items():
        print(name)
        for what, text in way.report(figures, BAUD if name == "serial" else 0):
            print(f"  {what:40} {text}")
        if "channel" in best:
            ratio = sum(figures.seconds) / sum(best["channel"].seconds)
            same = figures.verdicts == best["channel"].verdicts
            print(f"  {'against the channel':40} {ratio:.2f} x")
            print(f"  {'verdicts':40} {'the same' if same else 'OTHERS than over the channel'}")


def opened(lab: Lab, cable: Cable, name: str, kernel: str) -> OpenTarget:
    """The board by one of its ways; ``channel``: a host like the board, without the way."""
    if name == "channel":
        target = QemuTarget.create(TargetSpec(kernel=kernel), silent)
        return replace(target, machine=replace(target.machine, accel=BOARD_ACCEL))
    # Only one client at a time has the serial line: it is opened for the way that it is.
    section = {"ssh": lab.ssh()} if name == "ssh" else {"serial": lab.serial(cable.port)}
    return lab.target(kernel=kernel, **section)


if __name__ == "__main__":
    main()
