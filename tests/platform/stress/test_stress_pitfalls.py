# SPDX-License-Identifier: GPL-2.0-or-later
"""What once went wrong with the platform, each with its regression test.

That a lock is not held where QEMU does not return, and that a device tree has no seed, are tested
elsewhere: the former deadlocks any of the stress tests, the latter is in unit/test_devicetree.py.
"""

from __future__ import annotations

import re
import subprocess

import pytest
from stress_judge import Line, parse
from stress_rig import Rig

from harness.errors import BootError
from harness.targets.machine import ACCEL, CPU, VIRT


@pytest.fixture(scope="module")
def bare(rig: Rig, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Line]:
    """What the bare-metal program said, by the first word of its lines."""
    console = tmp_path_factory.mktemp("bare") / "console"
    machine, _ = rig.machine("stock", 2)
    argv = [
        *machine.qemu, "-M", VIRT, *machine.board(), "-accel", ACCEL, "-run-with",
        "exit-with-parent=on", "-kernel", str(rig.program.parent / "bare.elf"), "-serial",
        f"file:{console}", "-plugin", str(machine.plugin),
    ]  # fmt: skip
    subprocess.run(argv, timeout=250, check=True)
    return {line.mode: line for line in parse(console.read_text())}


def test_code_runs_at_several_virtual_addresses(bare: dict[str, Line]) -> None:
    """One translation serves all aliases of a page, and "pc" lags within a block."""
    assert (bare["alias"]["calls"], bare["alias"]["wrong"]) == (300, 0)


def test_a_masked_spi_does_not_storm(bare: dict[str, Line]) -> None:
    """Two SPIs pend, one below the priority mask: one interrupt, none spurious; the other later."""
    storm = bare["storm"]
    assert (storm["irqs"], storm["spurious"], storm["last"]) == (1, 0, 101), storm
    assert (storm["unmasked"], storm["then"]) == (2, 102), storm


def test_a_cpu_that_only_others_interrupt_is_always_woken(bare: dict[str, Line]) -> None:
    """No tick comes to the rescue of a lost doorbell: each of 600 LPIs there and back is taken."""
    values = bare["pingpong"].values
    assert values == {"sent": 600, "there": 600, "back": 600, "spurious": 0}


def test_an_spi_that_moves_to_a_lower_cpu_is_still_connected(bare: dict[str, Line]) -> None:
    moved = bare["moved"]
    assert (moved["irqs"], moved["last"]) == (1, 103), moved


REFUSED = [
    (2, {ACCEL: ("tcg,thread=single",)}, "share a host thread: use -accel tcg,thread=multi"),
    (1, {ACCEL: ("tcg,thread=single", "-icount", "shift=1")}, "no -icount"),
    (1, {VIRT: ("virt,gic-version=2",)}, "has no register HCR_EL2: use -cpu max"),
    (1, {CPU: ("cortex-a57",)}, "no fine-grained traps .FEAT_FGT.: use -cpu max"),
    (1, {VIRT: ("virt,gic-version=3,virtualization=on",)}, "no GICv2 at 0x8000000"),
]


@pytest.mark.parametrize(
    ("cpus", "swaps", "said"), REFUSED, ids=["thread=single", "icount", "EL1", "a57", "GICv3"]
)
def test_a_machine_that_cannot_work_is_refused(
    rig: Rig, cpus: int, swaps: dict[str, tuple[str, ...]], said: str
) -> None:
    with pytest.raises(BootError, match=said), rig.host(cpus=cpus, swaps=swaps):
        pass


def test_translations_may_be_dropped_at_any_time(rig: Rig) -> None:
    """A small translation cache is emptied again and again; nothing may point into it."""
    with rig.host(cpus=2, swaps={ACCEL: ("tcg,thread=multi,tb-size=6",)}) as host:
        host.stress("vm", vcpus=2, rounds=20, burst=4)
        said = str(host.qmp("human-monitor-command", **{"command-line": "info jit"}))
        flushes = re.search(r"TB flush count\s+(\d+)", said)
    assert flushes, said
    assert int(flushes[1]) > 3, said


def test_each_trap_reaches_kvm_with_its_own_syndrome(rig: Rig) -> None:
    """Guest writes of ENABLER0 (a trap each): the plugin's count is KVM's."""
    with rig.host(cpus=1) as host:
        host.stress("vm", vcpus=8, rounds=2)
    assert host.stats["traps"] == 8
