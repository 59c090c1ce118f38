# SPDX-License-Identifier: GPL-2.0-or-later
"""Hosts in QEMU: stock system emulation, made a GICv5 host by qemu_plugin/."""

from __future__ import annotations

import asyncio
import re
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from qemu.qmp import QMPClient

from harness.errors import BootError, TargetError, TransportError
from harness.hwtrace.ring import Ring
from harness.hwtrace.slices import Slice, slice_of
from harness.program import Program
from harness.provision.images import load_images
from harness.provision.kbuild import SYMBOLS
from harness.provision.paths import default_images
from harness.provision.provisioner import Provisioner
from harness.provision.results import Expect
from harness.targets.agent import GRACE_SECONDS, Agent
from harness.targets.base import CommandOutput, HostLost
from harness.targets.channel import Channel, Deadline, Silence
from harness.targets.machine import Machine
from harness.targets.spec import Progress, TargetSpec
from harness.trace import Trace
from harness.wire import Hello

BOOT_SECONDS: Final = 60.0
QMP_SECONDS: Final = 2.0

STATISTICS: Final = "gicv5: stats"  # the plugin's last words


class QemuHost:
    """One booted QEMU.  See ``base.Host``."""

    def __init__(self, machine: Machine, tree: bytes, provenance: Mapping[str, str]) -> None:
        """Start QEMU and wait for the agent's greeting.  BootError if that fails."""
        self._folder = Path(tempfile.mkdtemp(prefix="gicv5-"))
        (self._folder / "gicv5.dtb").write_bytes(tree)
        self._provenance = provenance
        self._warned = 0
        self._slowdown = machine.slowdown
        symbols = machine.kernel.with_name(SYMBOLS)
        self._symbols = symbols if symbols.exists() else None
        self._ring = machine.ring(self._folder)
        self._programs = self._ring.with_suffix(".programs") if machine.trace else None
        ours, theirs = socket.socketpair()
        self._monitor, monitor = socket.socketpair()
        self._agent = Agent(Channel(ours), self)
        argv = machine.argv(self._folder, theirs.fileno(), monitor.fileno())
        try:
            with theirs, monitor, (self._folder / "stderr").open("wb") as stderr:
                self._process = subprocess.Popen(
                    argv, stdin=subprocess.DEVNULL, stdout=stderr, stderr=stderr,
                    pass_fds=(theirs.fileno(), monitor.fileno()), start_new_session=True,
                )  # fmt: skip
        except BaseException:
            self._release()
            raise
        try:
            self._hello = self._greeting()
        except BaseException:
            self.close()
            raise
        self.boot_log = self.console()

    @property
    def hello(self) -> Hello:
        return self._hello

    @property
    def provenance(self) -> Mapping[str, str]:
        return self._provenance

    @property
    def pid(self) -> int:
        """Of the QEMU process."""
        return self._process.pid

    def warnings(self) -> list[str]:
        said = self._stderr()
        new, self._warned = said[self._warned :], len(said)
        return new

    def _stderr(self) -> list[str]:
        """What QEMU and the plugin said so far."""
        lines = (self._folder / "stderr").read_text(errors="replace").splitlines()
        return [line.strip() for line in lines if STATISTICS not in line and line.strip()]

    def run(
        self, program: Program, deadline_ms: int = 10_000, upcoming: Sequence[Program] = ()
    ) -> Trace:
        return self._agent.run(
            program, deadline_ms * self._slowdown, upcoming, GRACE_SECONDS * self._slowdown
        )

    def command(self, argv: Sequence[str], timeout: float) -> CommandOutput:
        return self._agent.command(argv, timeout * self._slowdown)

    def accesses(self) -> Slice:
        if not self._ring.exists():  # a machine without the plugin
            return Slice()
        with Ring(self._ring) as ring:
            return replace(slice_of(ring, self._agent.running), symbols=self._symbols)

    def close(self) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(3)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._release()

    def _release(self) -> None:
        self._agent.channel.close()
        self._monitor.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    # --- what the agent's session wants to know ---

    def console_size(self) -> int:
        return (self._folder / "console").stat().st_size

    def sent(self, program: Program, sequence: int) -> None:
        if self._programs:
            with self._programs.open("a") as file:
                file.write(f"{sequence} {program.name}\n")

    def lost(self, error: TransportError, console_from: int, started: bool) -> TargetError:
        """A silent host, a dead one, or an agent that talks nonsense."""
        if isinstance(error, Silence):
            what = f"the host did not answer in time; {self._state()}"
        else:
            with suppress(subprocess.TimeoutExpired):  # a dying QEMU closes the channel first
                self._process.wait(1)
            if self._process.poll() is None:
                return TransportError(f"{error.what}; {self._state()}", error.remedy)
            what = self._obituary()
        return HostLost(what, self.console(console_from), started)

    # --- how it does ---

    def _greeting(self) -> Hello:
        patience = BOOT_SECONDS * self._slowdown
        try:
            return self._agent.greeting(Deadline.after(patience))
        except BootError as e:
            raise BootError(e.what, e.remedy, self.console()) from None
        except TransportError as e:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(1)
            dead = self._process.poll() is not None
            why = self._obituary() if dead else f"{e.what} for {patience:.0f} s"
            failed = dead and self._process.returncode != 0
            remedy = _boot_remedy(self.console(), self._stderr() if failed else [])
            raise BootError(f"the host did not boot: {why}", remedy, self.console()) from None

    def console(self, start: int = 0) -> str:
        try:
            with (self._folder / "console").open("rb") as f:
                f.seek(start)
                return f.read().decode(errors="replace")
        except FileNotFoundError:
            return ""

    def _obituary(self) -> str:
        """How QEMU ended and the last it said."""
        code = self._process.returncode
        how = f"was killed by signal {-code}" if code < 0 else f"exited with status {code}"
        said = "; ".join(self._stderr()[-3:])
        return f"QEMU {how}" + (f", saying: {said}" if said else "")

    def _state(self) -> str:
        """What the monitor of a silent QEMU says: running or not, and where its CPUs are."""
        try:
            state, registers = asyncio.run(_ask_monitor(self._monitor))
        except Exception as e:  # whatever is wrong with it is the answer
            return f"QEMU's monitor does not answer either ({type(e).__name__})"
        return f"QEMU is {state}, CPUs at {', '.join(re.findall(r'PC=[0-9a-f]+', registers))}"


async def _ask_monitor(monitor: socket.socket) -> tuple[str, str]:
    """The run state of a QEMU and its CPUs' registers; TimeoutError if it does not say."""
    client = QMPClient()
    async with asyncio.timeout(QMP_SECONDS):
        await client.connect(monitor)
        status = await client.execute("query-status")
        hmp = {"command-line": "info registers -a"}
        registers = await client.execute("human-monitor-command", hmp)
    return str(status["status"]) if isinstance(status, dict) else "?", str(registers)


def _boot_remedy(console: str, said: Sequence[str]) -> str:
    """The usual causes, told apart by what the kernel said, and a QEMU that failed."""
    if not console.strip():
        if said:
            return "QEMU itself did not start: see what it says; --qemu names another one"
        return "the kernel printed nothing: is it an arm64 kernel with a PL011 console?"
    if "Kernel panic" in console:
        return "read the panic in its console; does the kernel have initramfs and devtmpfs support?"
    if "gicv5:" in console:
        return "the agent said why on the console"
    return (
        "the kernel needs VIRTIO_MMIO and VIRTIO_CONSOLE (built in, or as modules in images.yaml)"
    )


@dataclass(frozen=True, slots=True)
class QemuTarget:
    """Boots the same machine again and again.  See ``spec.OpenTarget``."""

    machine: Machine
    tree: bytes
    kernel_name: str
    expect: Expect
    provenance: Mapping[str, str]

    @classmethod
    def create(cls, spec: TargetSpec, progress: Progress) -> QemuTarget:
        """Fetch or build what the spec names.  HarnessError says what is missing and what to do."""
        images = load_images(spec.images or default_images())
        provisioner = Provisioner(images, progress=progress)
        qemu = provisioner.qemu(spec.qemu)
        kernel = provisioner.kernel(spec.kernel or provisioner.default_kernel())
        plugin = provisioner.plugin()
        initramfs = provisioner.initramfs(kernel, spec.files)
        if spec.trace_dir:
            spec.trace_dir.mkdir(parents=True, exist_ok=True)
        machine = Machine(
            qemu.argv, plugin.path, kernel.image, initramfs.path,
            f"{kernel.cmdline} {spec.kernel_args}".strip(), spec.cpus, trace=spec.trace_dir,
            memory=max(kernel.memory, spec.memory), slowdown=kernel.slowdown,
        )  # fmt: skip
        provenance = {
            "kernel": f"{kernel.version} ({kernel.source}) sha256:{kernel.sha256[:16]}",
            "command line": machine.append(),
            "qemu": f"{qemu.version} ({qemu.source}) sha256:{qemu.sha256[:16]}",
            "plugin": f"sha256:{plugin.sha256[:16]}",
            "agent": f"sha256:{initramfs.sha256[:16]}",
        }
        return cls(machine, machine.device_tree(), kernel.name, kernel.expect, provenance)

    def boot(self) -> QemuHost:
        return QemuHost(self.machine, self.tree, self.provenance)
