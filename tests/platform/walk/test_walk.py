# SPDX-License-Identifier: GPL-2.0-or-later
"""A program of ours, at EL2 in the place of a kernel, walks through the GICv5 as KVM does.

It says ``ok NAME`` or ``FAIL NAME: got X want Y`` of each of its checks; see walk.h.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from platform_parts import Parts

from harness.targets.devicetree import IRS_BASE
from harness.targets.qemu import VIRT, Machine

SOURCES = Path(__file__).parent
CROSS = "aarch64-linux-gnu-"
SECONDS = 60  # it takes less than one

pytestmark = pytest.mark.skipif(
    shutil.which(f"{CROSS}gcc") is None, reason=f"no {CROSS}gcc (gcc-aarch64-linux-gnu)"
)


@dataclass(frozen=True)
class Walk:
    """What the program said, by check; ``end`` is how many checks it counted, None if it broke."""

    ok: tuple[str, ...]
    failed: tuple[str, ...]
    end: int | None
    output: str


def must_be_well(walk: Walk, at_least: int) -> None:
    """Every check was ok, as many as we know of, each under its own name."""
    names = [*walk.ok, *(failed.partition(": got")[0] for failed in walk.failed)]
    twice = {name for name in names if names.count(name) > 1}
    if walk.end is None:
        pytest.fail(f"the program did not reach its end:\n{walk.output[-3000:]}", pytrace=False)
    if walk.failed:
        pytest.fail("\n".join([f"{len(walk.failed)} checks:", *walk.failed]), pytrace=False)
    assert walk.end == len(names) >= at_least
    assert not twice


RunWalk = Callable[..., Walk]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("walk")
    make = ["make", "-s", "-j2", "-C", str(SOURCES), f"OUT={out}", f"CROSS_COMPILE={CROSS}"]
    done = subprocess.run(
        [*make, f"IRS_BASE={IRS_BASE:#x}"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return out / "walk.elf"


@pytest.fixture(scope="module")
def walk(parts: Parts, program: Path, tmp_path_factory: pytest.TempPathFactory) -> RunWalk:
    """``walk(cpus, plugin arguments, words for the program)``"""

    def run(cpus: int, arguments: Sequence[str] = (), words: Sequence[str] = ()) -> Walk:
        machine = Machine(parts.qemu, parts.plugin, program, Path("/"), cpus=cpus)
        tree = tmp_path_factory.mktemp("machine") / "gicv5.dtb"
        tree.write_bytes(machine.device_tree())
        argv = [
            *machine.qemu, "-M", VIRT, *machine.board(), "-accel", "tcg,thread=multi,tb-size=16",
            "-run-with", "exit-with-parent=on", "-no-reboot", "-dtb", str(tree),
            "-kernel", str(program), "-plugin", ",".join([str(parts.plugin), *arguments]),
            "-semihosting-config", ",".join(["enable=on,arg=walk", *(f"arg={w}" for w in words)]),
            "-serial", "stdio",
        ]  # fmt: skip
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS,
            check=False,
        )  # fmt: skip
        return parse(done.stdout + done.stderr)

    return run


def parse(output: str) -> Walk:
    end = re.search(r"^# end: (\d+) checks", output, re.M)
    return Walk(
        tuple(re.findall(r"^ok (.*)$", output, re.M)),
        tuple(re.findall(r"^FAIL (.*)$", output, re.M)),
        int(end[1]) if end else None,
        output,
    )


# The same words say to the plugin what to implement and to the program what to expect.
LINEAR: tuple[str, ...] = ()
TWO_LEVEL = ("vmt=two-level", "ist=two-level")
FAULTS = ("vmt-busy", "vmt-preset", "vpe-invalid", "contextr", "sticky-valid")


@pytest.mark.parametrize(
    ("cpus", "tables", "checks"),
    [
        (1, LINEAR, 565),
        (2, LINEAR, 597),
        (4, LINEAR, 661),
        (1, TWO_LEVEL, 731),
        (2, TWO_LEVEL, 763),
    ],
)
def test_story(walk: RunWalk, cpus: int, tables: Sequence[str], checks: int) -> None:
    must_be_well(walk(cpus, tables, tables), checks)


@pytest.mark.parametrize("fault", FAULTS)
def test_fault(walk: RunWalk, fault: str) -> None:
    word = f"fault={fault}"
    must_be_well(walk(1, [word], [word]), at_least=5)


@pytest.mark.parametrize("fault", FAULTS)
def test_the_story_notices_a_fault(walk: RunWalk, fault: str) -> None:
    """A check that no fault can upset is none."""
    heard = walk(1, [f"fault={fault}"])
    assert heard.failed or heard.end is None


@pytest.mark.parametrize("fault", FAULTS)
def test_the_story_of_a_fault_notices_its_absence(walk: RunWalk, fault: str) -> None:
    assert walk(1, (), [f"fault={fault}"]).failed
