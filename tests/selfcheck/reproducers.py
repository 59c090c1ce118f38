# SPDX-License-Identifier: GPL-2.0-or-later
"""The reproducers of docs/findings on kernels: which of them are affected?

    python tests/selfcheck/reproducers.py [KERNEL ...]

KERNEL is a name of images.yaml, an Image or a kernel tree.  Each reproducer is PID 1 of a host that
is booted for it and for nothing else: neither the agent nor a module is needed.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

from harness.errors import HarnessError
from harness.provision.process import run
from harness.provision.system import cross_needs, cross_prefix, ensure
from harness.targets.machine import VIRT
from harness.targets.qemu import QemuTarget
from harness.targets.spec import TargetSpec

FINDINGS: Final = Path(__file__).parents[2] / "docs/findings"
KERNELS: Final = ("debian-7.0", "debian-7.1", "debian-7.2", "debian", "fixed")
BOOT_SECONDS: Final = 120

_VERDICT = re.compile(r"^(not affected|affected|cannot tell): (.*?)\r?$", re.M)
_OOPS = re.compile(r"(Internal error: Oops.*?)\r?$.*?\bpc : (\S+)", re.M | re.S)


class Outcome(Enum):
    """What a reproducer says of a kernel."""

    AFFECTED = "affected"
    NOT_AFFECTED = "not affected"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True)
class Finding:
    """A defect of KVM: ``program`` of reproduce.c shows it on a kernel booted with ``args``."""

    name: str
    program: str
    args: str = ""


VCPU_ORDER: Final = Finding("vcpu-order", "vcpu-order")
NVHE_OOPS: Final = Finding("nvhe-oops", "first-run", "kvm-arm.mode=nvhe")
STALE_PPI: Final = Finding("stale-virtual-ppi", "stale-virtual-ppi")
KVM_FINDINGS: Final = (VCPU_ORDER, NVHE_OOPS, STALE_PPI)


def build(source: str, output: Path, *options: str) -> Path:
    """Compile a file of docs/findings for arm64."""
    ensure(cross_needs(), run, lambda message: print(message, file=sys.stderr))
    argv = [f"{cross_prefix()}gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-static", *options]
    subprocess.run([*argv, "-o", str(output), str(FINDINGS / source)], check=True)
    return output


def reproduce(finding: Finding, kernel: str, binary: Path) -> tuple[Outcome, str]:
    """Boot the kernel with the reproducer as PID 1.  Outcome, and what showed it."""
    spec = TargetSpec(kernel=kernel, kernel_args=finding.args, files={"/reproduce": binary})
    target = QemuTarget.create(spec, lambda message: print(message, file=sys.stderr))
    machine = target.machine
    with tempfile.NamedTemporaryFile(suffix=".dtb") as tree:
        tree.write(target.tree)
        tree.flush()
        argv = [
            *machine.qemu, "-M", VIRT, *machine.board(), "-accel", "tcg,thread=multi",
            "-run-with", "exit-with-parent=on", "-no-reboot", "-serial", "stdio",
            "-kernel", str(machine.kernel), "-initrd", str(machine.initramfs),
            "-append", f"{machine.append()} rdinit=/reproduce -- {finding.program}",
            "-dtb", tree.name, "-plugin", str(machine.plugin),
        ]  # fmt: skip
        return read_console(_output(argv))


def read_console(console: str) -> tuple[Outcome, str]:
    """The verdict of a host from its console: said by the reproducer, or an oops."""
    if oops := _OOPS.search(console):
        return Outcome.AFFECTED, f"{oops[1]}, pc : {oops[2]}"
    if said := _VERDICT.search(console):
        return Outcome(said[1]), said[2]
    last = console.strip().splitlines()[-1:] or ["the console is empty"]
    return Outcome.CANNOT_TELL, f"no word from the reproducer; last on the console: {last[0]}"


def _output(argv: Sequence[str]) -> str:
    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=BOOT_SECONDS, check=False
        )
        return done.stdout.decode(errors="replace")
    except subprocess.TimeoutExpired as late:
        return (late.stdout or b"").decode(errors="replace")


def main(kernels: Sequence[str]) -> int:
    """One line for each kernel and finding."""
    with tempfile.TemporaryDirectory(prefix="gicv5-") as folder:
        binary = build("reproduce.c", Path(folder, "reproduce"))
        for kernel in kernels:
            for finding in KVM_FINDINGS:
                try:
                    outcome, shown = reproduce(finding, kernel, binary)
                except HarnessError as error:
                    print(f"{kernel}: {error}")
                    break
                print(f"{kernel:12} {finding.name:18} {outcome.value:13} {shown}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or KERNELS))
