# SPDX-License-Identifier: GPL-2.0-or-later
"""Hosts under stress: a QEMU host with the ``stress`` program, a second port, and a monitor."""

from __future__ import annotations

import asyncio
import dataclasses
import socket
import struct
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path

from qemu.qmp import QMPClient
from stress_judge import Line, complaints, parse, plugin_complaints, statistics

from harness.provision.process import run
from harness.provision.system import cross_needs, cross_prefix, ensure
from harness.targets.channel import Deadline
from harness.targets.machine import Machine
from harness.targets.qemu import QemuHost, QemuTarget
from harness.targets.spec import TargetSpec
from harness.wire import FrameType, encode_command

TARGET = Path(__file__).parent / "target"
STRESS = "/stress"
LOST_SECONDS = 60.0  # the machine may be very busy
COMMAND_SECONDS = 300.0  # with 24 vCPUs on a busy machine a lap was seen to take 110
LEAST_MESSAGES = 20  # however slow the machine is
AFTER = 300  # interrupts that a host may take between a reading of /proc/interrupts and its end


def build(folder: Path) -> Path:
    """The static arm64 ``stress`` program."""
    ensure(cross_needs(), run, lambda _message: None)
    made = run(["make", "-C", str(TARGET), f"OUT={folder}", f"CROSS_COMPILE={cross_prefix()}"])
    assert made.returncode == 0, made
    return folder / "stress"


@dataclass(frozen=True)
class StressMachine(Machine):
    """``swaps``: words of QEMU's command line to replace by others, or by none."""

    swaps: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def argv(self, folder: Path, channel: int, monitor: int) -> list[str]:
        uart = f"socket,id=console,path={folder}/uart,server=on,wait=off,logfile={folder}/console"
        plain = [
            uart
            if word.startswith("file,id=console")
            else word.replace("max_ports=2", "max_ports=3")  # one more, for the echo
            for word in super().argv(folder, channel, monitor)
        ]
        return [
            *(word for old in plain for word in self.swaps.get(old, (old,))),
            "-qmp", f"unix:{folder}/qmp,server=on,wait=off",
            "-chardev", f"socket,id=echo,path={folder}/echo,server=on,wait=off",
            "-device", "virtserialport,chardev=echo,name=echo",
        ]  # fmt: skip


class StressHost(QemuHost):
    """A host with /stress; after ``close``, ``stats`` is what the plugin counted.

    ``rebooted``: the kernel has not counted all that the plugin has.
    """

    stats: dict[str, int] = {}  # noqa: RUF012 (set in _release, which __init__ may call)
    rebooted = False
    _ends: tuple[socket.socket, ...] = ()

    def _release(self) -> None:
        self.stats = statistics((self._folder / "stderr").read_text(errors="replace"))
        for end in self._ends:
            end.close()
        super()._release()

    def stress(self, modes: str, **options: int) -> list[Line]:
        """Run modes of /stress at once, judge what they print, return it."""
        words = [f"{key}={value}" for key, value in options.items()]
        done = self.command([STRESS, modes, *words], COMMAND_SECONDS)
        lines = parse(done.text)
        wrong = complaints(lines)
        assert not wrong, "\n".join([*wrong, done.text])
        assert done.status == 0, f"{done.status}: {done.text}"
        missing = set(modes.split(",")) - {line.mode for line in lines}
        assert not missing, f"{missing} said nothing: {done.text}"
        return lines

    def post(self, modes: str, **options: int) -> None:
        """Start modes of /stress that the host will not survive: nobody waits for them."""
        words = [STRESS, modes, *(f"{key}={value}" for key, value in options.items())]
        payload = encode_command(words, COMMAND_SECONDS)
        self._agent.channel.send(FrameType.EXEC, [payload], Deadline.after(10))

    def await_boot(self) -> None:
        """After a reset: wait for the agent.  BootError if it does not come back."""
        self._hello = self._greeting()
        self.rebooted = True

    def stress_devices(self, modes: str, lasting: float, **options: int) -> list[Line]:
        """The same, one of the modes being spi: the other end of what it echoes."""
        if not self._ends:
            self._ends = (_connect(self._folder / "echo"), _connect(self._folder / "uart"))
            self.stress("uptime")  # now QEMU has noticed, too: before, what it sends is lost
        with ThreadPoolExecutor(3) as pool:
            running = pool.submit(self.stress, modes, **options)
            end = time.monotonic() + lasting
            ends = [
                pool.submit(self._echo_port, running, end),
                pool.submit(self._echo_console, running, end),
            ]
            try:
                echoes, lines = (one.result() for one in ends)
            except BaseException:
                self._process.kill()  # or the command would keep us waiting
                raise
            out = running.result()
        (spi,) = (line for line in out if line.mode == "spi")
        assert (spi["echoes"], spi["lines"]) == (echoes, lines), f"{echoes}, {lines} sent: {spi}"
        return out

    def _echo_port(self, running: Future[list[Line]], end: float) -> int:
        """Numbered messages, each after the answer to the one before; how many."""
        port = self._ends[0]
        for number in count():
            last = number >= LEAST_MESSAGES and time.monotonic() > end
            message = struct.pack("<Q", 2**64 - 1 if last else number)
            port.sendall(message)
            answer = _until(port, lambda got: len(got) == 8, running)
            assert answer == message, f"message {number} came back as {answer!r}"
            if last:
                return number + 1
        raise AssertionError

    def _echo_console(self, running: Future[list[Line]], end: float) -> int:
        port = self._ends[1]
        _until(port, lambda got: b"stress ready\n" in got, running)
        for number in count():
            last = number >= LEAST_MESSAGES and time.monotonic() > end
            line = b"stop\n" if last else b"%d\n" % number
            port.sendall(line)
            _until(port, partial(_ends_with, b"stress " + line), running)
            if last:
                return number + 1
        raise AssertionError

    def qmp(self, command: str, **arguments: object) -> object:
        return asyncio.run(_ask(f"{self._folder}/qmp", command, arguments))

    @property
    def folder(self) -> Path:
        return self._folder

    def interrupts(self) -> int:
        """The sum of /proc/interrupts."""
        (total,) = (line["total"] for line in self.stress("interrupts"))
        return total


def _connect(path: Path) -> socket.socket:
    port = socket.socket(socket.AF_UNIX)
    port.connect(str(path))
    port.settimeout(0.5)
    return port


def _ends_with(end: bytes, got: bytes) -> bool:
    return got.endswith(end)


def _until(
    port: socket.socket, complete: Callable[[bytes], bool], running: Future[list[Line]]
) -> bytes:
    """What comes until it is complete.  Fails if nothing does: an interrupt was lost."""
    got, end = b"", time.monotonic() + LOST_SECONDS
    while not complete(got):
        assert time.monotonic() < end, f"no answer in {LOST_SECONDS} s, but {got!r}"
        assert not running.done(), running.result()
        with suppress(TimeoutError):
            got += port.recv(4096)
    return got


async def _ask(path: str, command: str, arguments: dict[str, object]) -> object:
    client = QMPClient()
    await client.connect(path)
    try:
        return await client.execute(command, arguments)
    finally:
        await client.disconnect()


@dataclass(frozen=True)
class Rig:
    """What the tests boot hosts from.  ``plugin``: instead of the project's own."""

    program: Path
    plugin: Path | None = None

    def machine(
        self, kernel: str, cpus: int, files: Mapping[str, Path] | None = None, args: str = ""
    ) -> tuple[StressMachine, QemuTarget]:
        files = {STRESS: self.program, **(files or {})}
        spec = TargetSpec(kernel=kernel, cpus=cpus, files=files, kernel_args=args)
        target = QemuTarget.create(spec, lambda _message: None)
        fields = {f.name: getattr(target.machine, f.name) for f in dataclasses.fields(Machine)}
        if self.plugin:
            fields["plugin"] = self.plugin
        return StressMachine(**fields), target

    @contextmanager
    def host(self, kernel: str = "stock", cpus: int = 1, **change: object) -> Iterator[StressHost]:
        """A host.  At its end nothing may have been spurious, unknown or left over."""
        machine, target = self.machine(kernel, cpus)
        machine = dataclasses.replace(machine, **change)  # type: ignore[arg-type]
        host = StressHost(machine, target.tree, target.provenance)
        try:
            yield host
            handled = host.interrupts()
            warnings = host.warnings()
        except BaseException:
            host.close()
            print(f"plugin: {host.stats}")
            raise
        host.close()
        if host.rebooted:
            handled = -1
        wrong = plugin_complaints(host.stats, handled, AFTER)
        assert not wrong, f"{wrong}: {host.stats}"
        assert not warnings
