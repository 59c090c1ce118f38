# SPDX-License-Identifier: GPL-2.0-or-later
"""What a QEMU host is made of: the board, its device tree, the command line."""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harness.errors import BootError, ConfigError
from harness.targets.devicetree import gicv5_tree
from harness.targets.spec import MAX_CPUS

VIRT: Final = "virt,gic-version=2,virtualization=on"
CPU: Final = "max,pauth=off"  # signed pointers are slow in TCG: a third of a Debian host's time
PLAIN: Final = "virt,gic-version=3,virtualization=on"  # what QEMU has itself, to compare with
ACCEL: Final = "tcg,thread=multi,tb-size=12"  # MiB; with 8 Debian's kernel runs at half speed
KEPT_RECORDS: Final = 1 << 20  # of a trace that is to be kept: 40 MiB a host

# A host that dies must end at once and say why; a WFI must always reach KVM (kvm-arm's default lets
# a lone vCPU wait in hardware, where no one can tell whether it was woken); TCG is slow at the
# memory copy instructions.
BASE_CMDLINE: Final = (
    "console=ttyAMA0 panic=-1 oops=panic kvm-arm.wfi_trap_policy=trap arm64.nomops"
)


@dataclass(frozen=True, slots=True)
class Machine:
    """Everything that a host is made of.  ``qemu`` is the argv prefix that starts it.

    ``plugin`` None, or ``idle``: QEMU's own GICv3 host, to compare with; ``idle``: with the plugin,
    whose callbacks do nothing.  ``memory``: MiB.  ``slowdown``: of the kernel; deadlines are
    multiplied by it.
    """

    qemu: tuple[str, ...]
    plugin: Path | None
    kernel: Path
    initramfs: Path
    cmdline: str = ""
    cpus: int = 1
    idle: bool = False
    trace: Path | None = None  # keep what is recorded in this folder; one file per boot
    memory: int = 144
    slowdown: int = 1
    accel: str = ACCEL

    def __post_init__(self) -> None:
        if not 1 <= self.cpus <= MAX_CPUS:
            raise ConfigError(
                f"--host-cpus {self.cpus}: the GICv5 platform has 1 to {MAX_CPUS} CPUs",
                f"give a number from 1 to {MAX_CPUS}",
            )

    def board(self) -> list[str]:
        """The machine options that decide what the board's device tree looks like."""
        # With a single possible CPU QEMU 11.1.3 crashed now and then when the translation cache was
        # full: it then empties it at once, and a block from before was linked to one from after.
        smp = f"{self.cpus},maxcpus={max(2, self.cpus)}"
        return ["-cpu", CPU, "-smp", smp, "-m", str(self.memory), "-display", "none",
                "-nodefaults", "-no-user-config"]  # fmt: skip

    def append(self) -> str:
        """The kernel's command line."""
        return f"{BASE_CMDLINE} {self.cmdline}".strip()

    def device_tree(self) -> bytes:
        """The GICv5 device tree for this board.  BootError if QEMU will not even describe it."""
        with tempfile.TemporaryDirectory(prefix="gicv5-") as folder:
            dtb = Path(folder, "board.dtb")
            argv = [*self.qemu, "-M", f"{VIRT},dumpdtb={dtb}", *self.board()]
            done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
            if done.returncode or not dtb.exists():
                raise BootError(
                    f"{self.qemu[-1]} cannot make the board: {done.stderr.strip()}",
                    "use a QEMU 11.1 or later with aarch64 system emulation (gicv5 images)",
                )
            return gicv5_tree(dtb.read_bytes())

    def ring(self, folder: Path) -> Path:
        """Where the platform records accesses to the GIC, of the host with this folder."""
        return self.trace / f"{folder.name}.bin" if self.trace else folder / "trace.bin"

    def _gic(self, folder: Path) -> list[str]:
        if not self.plugin:
            return ["-M", PLAIN]
        if self.idle:
            return ["-M", PLAIN, "-plugin", f"{self.plugin},idle=on"]
        plugin = f"{self.plugin},trace={self.ring(folder)}"
        if self.trace:
            plugin += f",trace-records={KEPT_RECORDS}"
        return ["-M", VIRT, "-dtb", str(folder / "gicv5.dtb"), "-plugin", plugin]

    def argv(self, folder: Path, channel: int, monitor: int) -> list[str]:
        """The command line.  ``channel`` and ``monitor`` are connected sockets QEMU inherits."""
        return [
            *self.qemu, *self._gic(folder), *self.board(), "-accel", self.accel,
            "-run-with", "exit-with-parent=on", "-no-reboot",
            "-kernel", str(self.kernel), "-initrd", str(self.initramfs),
            "-append", self.append(),
            "-chardev", f"file,id=console,path={folder / 'console'}", "-serial", "chardev:console",
            "-chardev", f"socket,id=monitor,fd={monitor}",
            "-object", "monitor-qmp,id=qmp,chardev=monitor",
            # The vCPU moves its bytes itself: the driver would spin until another thread has.
            "-global", "virtio-mmio.ioeventfd=off",
            # Two ports, not 31: the driver looks at the queues of all at each interrupt.
            "-device", "virtio-serial-device,max_ports=2",
            "-chardev", f"socket,id=channel,fd={channel}",
            "-device", "virtserialport,chardev=channel,name=gicv5",
        ]  # fmt: skip
