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
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from operator import is_
from pathlib import Path
from typing import Final

from qemu.qmp import QMPClient

from harness.errors import BootError, ConfigError, TargetError, TransportError
from harness.hwtrace.ring import Ring
from harness.hwtrace.slices import Slice, slice_of
from harness.program import Program
from harness.provision.images import load_images
from harness.provision.kbuild import SYMBOLS
from harness.provision.paths import default_images
from harness.provision.provisioner import Provisioner
from harness.provision.results import Expect
from harness.targets.base import CommandOutput, HostLost
from harness.targets.channel import Channel, Deadline, Silence
from harness.targets.devicetree import gicv5_tree
from harness.targets.spec import MAX_CPUS, Progress, TargetSpec
from harness.trace import Trace
from harness.wire import Frame, FrameType, Hello, decode_trace, encode_program, wire_hash

VIRT: Final = "virt,gic-version=2,virtualization=on"
CPU: Final = "max,pauth=off"  # signed pointers are slow in TCG: a third of a Debian host's time
PLAIN: Final = "virt,gic-version=3,virtualization=on"  # what QEMU has itself, to compare with
ACCEL: Final = "tcg,thread=multi,tb-size=12"  # MiB; with 8 Debian's kernel runs at half speed
MEMORY_MIB: Final = 256
BOOT_SECONDS: Final = 60.0
AHEAD: Final = 8  # programs sent before they are asked for, so that the host need not wait
GRACE_SECONDS: Final = 10.0  # beyond a program's own deadline, which the agent enforces
QMP_SECONDS: Final = 2.0
KEPT_RECORDS: Final = 1 << 20  # of a trace that is to be kept: 40 MiB a host

STATISTICS: Final = "gicv5: stats"  # the plugin's last words

# A host that dies must end at once and say why; a WFI must always reach KVM (kvm-arm's default lets
# a lone vCPU wait in hardware, where no one can tell whether it was woken); TCG is slow at the
# memory copy instructions.
BASE_CMDLINE: Final = (
    "console=ttyAMA0 panic=-1 oops=panic kvm-arm.wfi_trap_policy=trap arm64.nomops"
)


@dataclass(frozen=True, slots=True)
class Machine:
    """Everything that a host is made of.  ``qemu`` is the argv prefix that starts it.

    ``plugin`` None: QEMU's own GICv3 host, to compare with.
    """

    qemu: tuple[str, ...]
    plugin: Path | None
    kernel: Path
    initramfs: Path
    cmdline: str = ""
    cpus: int = 1
    trace: Path | None = None  # keep what is recorded in this folder; one file per boot

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
        return ["-cpu", CPU, "-smp", smp, "-m", str(MEMORY_MIB), "-display", "none",
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
        plugin = f"{self.plugin},trace={self.ring(folder)}"
        if self.trace:
            plugin += f",trace-records={KEPT_RECORDS}"
        return ["-M", VIRT, "-dtb", str(folder / "gicv5.dtb"), "-plugin", plugin]

    def argv(self, folder: Path, channel: int, monitor: int) -> list[str]:
        """The command line.  ``channel`` and ``monitor`` are connected sockets QEMU inherits."""
        return [
            *self.qemu, *self._gic(folder), *self.board(), "-accel", ACCEL,
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


@dataclass(frozen=True, slots=True)
class Sent:
    """A program on its way: its sequence number, and how much the console held before it."""

    program: Program
    sequence: int
    console: int


class QemuHost:
    """One booted QEMU.  See ``base.Host``."""

    def __init__(self, machine: Machine, tree: bytes, provenance: Mapping[str, str]) -> None:
        """Start QEMU and wait for the agent's greeting.  BootError if that fails."""
        self._folder = Path(tempfile.mkdtemp(prefix="gicv5-"))
        (self._folder / "gicv5.dtb").write_bytes(tree)
        self._provenance = provenance
        self._console_from = 0
        self._ahead = deque[Sent]()
        self._warned = 0
        self._running = 0
        symbols = machine.kernel.with_name(SYMBOLS)
        self._symbols = symbols if symbols.exists() else None
        self._ring = machine.ring(self._folder)
        self._programs = self._ring.with_suffix(".programs") if machine.trace else None
        ours, theirs = socket.socketpair()
        self._monitor, monitor = socket.socketpair()
        self._channel = Channel(ours)
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
        self.boot_log = self._console()

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
        deadline = Deadline.after(deadline_ms / 1000 + GRACE_SECONDS)
        if not (self._ahead and self._ahead[0].program is program):
            self._ahead.clear()  # if anything was sent, its answers will be passed over
            self._send_programs([program], deadline_ms, deadline)
        sent = self._ahead.popleft()
        self._console_from = sent.console
        self._running = sent.sequence
        waiting = [ahead.program for ahead in self._ahead]
        if len(waiting) <= AHEAD // 2 and all(map(is_, waiting, upcoming)):
            self._send_programs(upcoming[len(waiting) : AHEAD], deadline_ms, deadline)
        return decode_trace(self._answer(sent.sequence, FrameType.TRACE, deadline))

    def _send_programs(
        self, programs: Sequence[Program], deadline_ms: int, until: Deadline
    ) -> None:
        console = self._console_size()
        payloads = [encode_program(program, deadline_ms) for program in programs]
        sequences = self._send(FrameType.RUN, payloads, until)
        for program, sequence in zip(programs, sequences, strict=True):
            self._ahead.append(Sent(program, sequence, console))
            if self._programs:
                with self._programs.open("a") as file:
                    file.write(f"{sequence} {program.name}\n")

    def accesses(self) -> Slice:
        if not self._ring.exists():  # a machine without the plugin
            return Slice()
        with Ring(self._ring) as ring:
            return replace(slice_of(ring, self._running), symbols=self._symbols)

    def command(self, argv: Sequence[str], timeout: float) -> CommandOutput:
        payload = b"".join(arg.encode() + b"\0" for arg in argv)
        deadline = Deadline.after(timeout)
        (sequence,) = self._send(FrameType.EXEC, [payload], deadline)
        answer = self._answer(sequence, FrameType.OUTPUT, deadline)
        status = int.from_bytes(answer[:4], "little")
        code = 128 + (status & 0x7F) if status & 0x7F else status >> 8 & 0xFF
        return CommandOutput(code, answer[4:].decode(errors="replace"))

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
        self._channel.close()
        self._monitor.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _send(self, type_: FrameType, payloads: Sequence[bytes], until: Deadline) -> list[int]:
        try:
            return self._channel.send(type_, payloads, until)
        except TransportError as e:
            raise self._lost(e, started=False) from None

    def _answer(self, sequence: int, want: FrameType, until: Deadline) -> bytes:
        """The payload of the answer to a request; HostLost if none comes.

        Answers to earlier requests, sent ahead and then not wanted, are passed over.
        """
        started = False
        try:
            while True:
                answer = self._channel.receive(until)
                if answer.sequence < sequence:
                    continue
                if answer.sequence == sequence and answer.type == want:
                    return answer.payload
                if answer.sequence == sequence and answer.type == FrameType.REJECTED:
                    reason = answer.payload.decode(errors="replace")
                    raise TransportError(f"the agent rejected the program: {reason}")
                if answer.sequence != sequence or answer.type != FrameType.EXECUTING:
                    raise TransportError(_unexpected(answer, sequence))
                started = True
        except TransportError as e:
            raise self._lost(e, started) from None

    def _lost(self, error: TransportError, started: bool) -> TargetError:
        """What the error means: a silent host, a dead one, or an agent that talks nonsense."""
        if isinstance(error, Silence):
            what = f"the host did not answer in time; {self._state()}"
        else:
            with suppress(subprocess.TimeoutExpired):  # a dying QEMU closes the channel first
                self._process.wait(1)
            if self._process.poll() is None:
                return TransportError(f"{error.what}; {self._state()}", error.remedy)
            what = self._obituary()
        return HostLost(what, self._console_slice(), started)

    def _greeting(self) -> Hello:
        try:
            first = self._channel.receive(Deadline.after(BOOT_SECONDS))
        except TransportError as e:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(1)
            dead = self._process.poll() is not None
            why = self._obituary() if dead else f"{e.what} for {BOOT_SECONDS:.0f} s"
            raise BootError(
                f"the host did not boot: {why}", _boot_remedy(self._console()), self._console()
            ) from None
        hello = Hello.decode(first.payload)
        if hello.wire_hash != wire_hash():
            raise BootError(
                f"the agent speaks another protocol ({hello.wire_hash:#x}, not {wire_hash():#x})",
                "rebuild it: gicv5 images --refresh",
                self._console(),
            )
        return hello

    def _console_size(self) -> int:
        return (self._folder / "console").stat().st_size

    def _console(self) -> str:
        try:
            return (self._folder / "console").read_bytes().decode(errors="replace")
        except FileNotFoundError:
            return ""

    def _console_slice(self) -> str:
        with (self._folder / "console").open("rb") as f:
            f.seek(self._console_from)
            return f.read().decode(errors="replace")

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


def _unexpected(answer: Frame, sequence: int) -> str:
    return f"answer {answer.type.name} #{answer.sequence} to request #{sequence}"


def _boot_remedy(console: str) -> str:
    """The usual causes, told apart by what the kernel said."""
    if not console.strip():
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
            f"{kernel.cmdline} {spec.kernel_args}".strip(), spec.cpus, spec.trace_dir,
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
