# SPDX-License-Identifier: GPL-2.0-or-later
"""A lab for tests: one board in a rack, its ways in, and ways to spoil them.

By hand: ``python tests/board/board_lab.py [KERNEL]`` switches a board on and says how to reach it.
"""

from __future__ import annotations

import random
import shlex
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from board_rack import PASSWORD, Keys, Rack, keygen

from harness.bench import ONE_VM
from harness.bench_way import BITS
from harness.program import Program, Run, Wfi
from harness.report.session import Session, expectation
from harness.targets.board import BoardHost
from harness.targets.board_target import BoardTarget, create
from harness.targets.spec import TargetSpec

KERNEL = "debian"
# The machine that emulates the board may be busy with other things.
DEADLINES = {"boot": 240.0, "command": 90.0, "silence": 20.0}
Spoil = Callable[[bytes, random.Random], bytes]


def silent(_message: str) -> None:
    """No progress."""


class Cable:
    """A TCP line between here and the board that can be cut, and that may spoil what it carries.

    ``baud``: as slow as a UART of that speed, in each direction; 0: as fast as it goes.
    """

    def __init__(self, to: int, spoil: Spoil = lambda data, _rng: data, baud: int = 0) -> None:
        self._baud = baud
        self._to, self._spoil, self._rng = to, spoil, random.Random(to)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._ends: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """As if somebody stumbled over it; a new connection works."""
        ends, self._ends = self._ends, []
        for end in ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                here, _ = self._listener.accept()
                there = socket.create_connection(("127.0.0.1", self._to))
                self._ends += [here, there]
                for way in ((here, there), (there, here)):
                    threading.Thread(target=self._carry, args=way, daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        free = 0.0  # when the last byte will have left
        with suppress(OSError):
            while data := source.recv(64 if self._baud else 1 << 16):  # a UART's FIFO
                if self._baud:
                    now = time.monotonic()
                    free = max(free, now) + len(data) * BITS / self._baud
                    time.sleep(free - now)
                sink.sendall(self._spoil(data, self._rng))
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)  # for who waits at the other end of it
            end.close()


@dataclass
class Lab:
    """``target(NAME, ...)`` opens the board by one of its ways."""

    folder: Path
    rack: Rack
    user_key: Path

    @staticmethod
    def build(
        folder: Path, kernel: str = KERNEL, firmware: bool = False, ramoops: bool = False
    ) -> Lab:
        user, host = keygen(folder, "user"), keygen(folder, "host")
        public = user.with_suffix(".pub").read_text()
        rack = Rack(folder, kernel, Keys(host.read_text(), public), firmware, ramoops)
        return Lab(folder, rack, user)

    @property
    def plug(self) -> str:
        rack = Path(__file__).with_name("board_rack.py")
        return shlex.join([sys.executable, str(rack), str(self.rack.plug)])

    def ssh(
        self, port: int | None = None, key: Path | None = None, user: str = "lab"
    ) -> dict[str, Any]:
        """The ``ssh`` section; what a host is called stands in an ssh_config."""
        port = port or self.rack.ports.ssh
        host_key = (key or self.folder / "host").with_suffix(".pub").read_text()
        known = self.folder / f"known_hosts.{port}.{'other' if key else 'right'}"
        known.write_text(f"[127.0.0.1]:{port} {host_key}")
        config = self.folder / f"ssh_config.{port}"
        config.write_text(
            f"Host the-board\n  HostName 127.0.0.1\n  Port {port}\n  User lab\n"
            f"  IdentityFile {self.user_key}\n  IdentitiesOnly yes\n"
        )
        return {"host": "the-board", "config": str(config), "known_hosts": str(known)}

    def serial(self, port: int | None = None, password: str = PASSWORD) -> dict[str, Any]:
        steps = [("login: ", "root"), ("assword: ", password), ("# ", "")]
        return {
            "url": f"socket://127.0.0.1:{port or self.rack.ports.console}", "baud": 1_500_000,
            "login": [{"expect": e, "send": s} for e, s in steps],
        }  # fmt: skip

    def entry(self, power: bool = True, **entry: Any) -> dict[str, Any]:
        """A board of the boards file."""
        entry = {"deadlines": DEADLINES, "lock": {"file": str(self.folder / "lock")}, **entry}
        return {**entry, "power": {"cycle": f"{self.plug} cycle"}} if power else entry

    def file(self, boards: Mapping[str, Any]) -> Path:
        path = self.folder / "boards.yaml"
        path.write_text(yaml.safe_dump({"boards": dict(boards)}))
        return path

    def options(self, **entry: Any) -> list[str]:
        """Of a command line, that lead to the board; ``entry``: how."""
        return ["--target=board:b1", f"--boards={self.file({'b1': self.entry(**entry)})}"]

    def by(self, way: str, **more: Any) -> list[str]:
        """``options`` that lead there by ``ssh`` or ``serial``."""
        return self.options(**{way: self.ssh() if way == "ssh" else self.serial()}, **more)

    def target(self, power: bool = True, kernel: str | None = None, **entry: Any) -> BoardTarget:
        """Connected.  HarnessError if that fails."""
        spec = TargetSpec("board:b1", kernel, boards=self.file({"b1": self.entry(power, **entry)}))
        return create(spec, silent)

    def close(self) -> None:
        self.rack.close()


def waits(seconds: float) -> Program:
    """A program that is inside KVM_RUN for a while."""
    wait = Run((Wfi(),), wait_ms=int(seconds * 1000))
    return Program("board/waits", (*ONE_VM.ops[:-1], wait))


@contextmanager
def opened(target: BoardTarget) -> Iterator[BoardHost]:
    try:
        host = target.boot()
        try:
            yield host
        finally:
            host.close()
    finally:
        target.release()


@contextmanager
def session(target: BoardTarget) -> Iterator[Session]:
    running = Session(target, expectation(target.expect))
    try:
        yield running
    finally:
        running.close()
        target.release()


def main() -> None:
    kernel = (sys.argv[1:] or [KERNEL])[0]
    with tempfile.TemporaryDirectory(prefix="gicv5-lab.") as folder:
        lab = Lab.build(Path(folder), kernel, ramoops=True)
        boards = {"ssh": {"ssh": lab.ssh()}, "serial": {"serial": lab.serial()}}
        file = lab.file({name: lab.entry(**entry) for name, entry in boards.items()})
        lab.rack.power("on")
        for name in boards:
            print(f"gicv5 doctor --target=board:{name} --boards={file}")
        try:
            input(f"{kernel} is on until Return: ")
        finally:
            lab.close()


if __name__ == "__main__":
    main()
