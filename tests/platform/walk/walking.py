# SPDX-License-Identifier: GPL-2.0-or-later
"""Starting the program on a machine, and what it said."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.targets.devicetree import IRS_BASE
from harness.targets.machine import VIRT, Machine

SOURCES = Path(__file__).parent
CROSS = "aarch64-linux-gnu-"
SECONDS = 120  # on a machine of its own it takes one


@dataclass(frozen=True)
class Heard:
    """Names of checks that were ok; of those that failed with what was seen.

    ``end``: how many checks the program counted, and doorbells; None if it did not get there.
    ``statistics`` are the plugin's own.
    """

    ok: tuple[str, ...]
    failed: tuple[str, ...]
    end: tuple[int, int] | None
    statistics: Mapping[str, int]
    output: str


def hear(output: str) -> Heard:
    end = re.search(r"^# end: (\d+) checks, \d+ failed, (\d+) doorbells", output, re.M)
    statistics = re.search(r"^gicv5: stats (.*)$", output, re.M)
    return Heard(
        tuple(re.findall(r"^ok (.*)$", output, re.M)),
        tuple(re.findall(r"^FAIL (.*)$", output, re.M)),
        (int(end[1]), int(end[2])) if end else None,
        {k: int(v) for k, v in re.findall(r"(\w+)=(\d+)", statistics[1] if statistics else "")},
        output,
    )


def must_be_well(heard: Heard, at_least: int) -> None:
    """Every check was ok, as many as we know of, and the plugin saw no more than the program."""
    if heard.end is None:
        pytest.fail(f"the program did not reach its end:\n{heard.output[-3000:]}", pytrace=False)
    if heard.failed:
        pytest.fail("\n".join([f"{len(heard.failed)} checks:", *heard.failed]), pytrace=False)
    checks, doorbells = heard.end
    assert checks == len(heard.ok) >= at_least
    assert len(set(heard.ok)) == checks, "two checks of one name"
    assert "gicv5: warning" not in heard.output, heard.output
    assert heard.statistics["doorbells"] == doorbells
    assert heard.statistics["resident"] == 0


@dataclass(frozen=True)
class Walker:
    """Runs the program on a QEMU, given as the argv prefix that starts it."""

    qemu: tuple[str, ...]
    program: Path
    trees: Path  # a folder

    def __call__(
        self, plugin: Path, cpus: int, arguments: Sequence[str] = (), words: Sequence[str] = ()
    ) -> Heard:
        """``arguments`` are the plugin's, ``words`` the program's."""
        machine = Machine(self.qemu, plugin, self.program, Path("/"), cpus=cpus)
        semihosting = ["enable=on", "arg=walk", *(f"arg={word}" for word in words)]
        argv = [
            *machine.qemu, "-M", VIRT, *machine.board(), "-accel", "tcg,thread=multi,tb-size=16",
            "-run-with", "exit-with-parent=on", "-no-reboot", "-serial", "stdio",
            "-kernel", str(self.program), "-dtb", str(_tree(self, machine)),
            "-plugin", ",".join([str(plugin), *arguments]),
            "-semihosting-config", ",".join(semihosting),
        ]  # fmt: skip
        try:
            done = subprocess.run(
                argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                text=True, timeout=SECONDS, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            said = (error.stdout or b"").decode(errors="replace")
            return hear(f"{said}\n(no end after {SECONDS} s)")
        return hear(done.stdout)


def _tree(walker: Walker, machine: Machine) -> Path:
    tree = walker.trees / f"{machine.cpus}.dtb"
    if not tree.exists():
        tree.write_bytes(machine.device_tree())
    return tree


def build(out: Path) -> Path:
    make = ["make", "-s", "-j2", "-C", str(SOURCES), f"OUT={out}", f"CROSS_COMPILE={CROSS}"]
    done = subprocess.run(
        [*make, f"IRS_BASE={IRS_BASE:#x}"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return out / "walk.elf"
