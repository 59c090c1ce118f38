# SPDX-License-Identifier: GPL-2.0-or-later
"""A board as a target: locked, powered, connected to, again and again."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from harness.boards import BoardEntry, SshEntry, find_board
from harness.errors import BootError, ConfigError, TransportError
from harness.provision.images import load_images
from harness.provision.paths import default_images
from harness.provision.provisioner import Provisioner
from harness.provision.results import Expect
from harness.targets import onboard
from harness.targets.board import AGAIN_SECONDS, BoardHost, ConsoleText, Login, leave
from harness.targets.channel import Deadline
from harness.targets.console_line import SerialConsole
from harness.targets.link import Link, Refused, Unreachable
from harness.targets.power import BoardLock, Power
from harness.targets.serial_link import SerialLink, converse
from harness.targets.spec import Progress, TargetSpec
from harness.targets.ssh import SshLink

QUIET_SECONDS: Final = 1.0
MOST_SECONDS: Final = 5.0  # of waiting for that


def entry_of(kind: str, spec: TargetSpec) -> tuple[str, BoardEntry]:
    """Name and entry of ``ssh:HOST`` or ``board:NAME``.  ConfigError says what is wrong."""
    scheme, _, name = kind.partition(":")
    if not name:
        raise ConfigError(
            f"--target={kind}: which one?", "write --target=ssh:HOST or --target=board:NAME"
        )
    if scheme == "board":
        return name, find_board(name, spec.boards)
    user, _, host = name.rpartition("@")
    return name, BoardEntry(ssh=SshEntry(host=host, user=user or None))


def create(spec: TargetSpec, progress: Progress) -> BoardTarget:
    """Lock the board that the spec names and connect to it.  HarnessError says what to do."""
    name, entry = entry_of(spec.kind, spec)
    entry = entry if spec.power else entry.model_copy(update={"power": None})
    images = load_images(spec.images or default_images())
    provisioner = Provisioner(images, progress=progress)
    agent = provisioner.guest()
    declared = Expect.of(images.kernel(spec.kernel).expect if spec.kernel else entry.expect)
    target = BoardTarget(
        name, entry, agent.path.read_bytes(), f"sha256:{agent.sha256[:16]}", declared,
        spec.kernel or "",
    )  # fmt: skip
    if entry.load and spec.kernel:
        target.fetch = lambda: provisioner.kernel(str(spec.kernel)).image
    progress(f"connecting to {name}")
    target.open()
    return target


@dataclass
class BoardTarget:
    """Connects to the same board again and again.  See ``spec.OpenTarget``.

    The first host is what was found; a later one, after a host that could not be trusted any more,
    is a fresh boot where the lab has given a power command.
    """

    name: str
    entry: BoardEntry
    agent: bytes
    agent_hash: str
    expect: Expect
    kernel_name: str = ""
    provenance: Mapping[str, str] = field(default_factory=dict)
    console: ConsoleText | SerialConsole | None = None
    fetch: Callable[[], Path] | None = None  # the Image that the board is to boot
    _waiting: BoardHost | None = None
    _next: Login | None = None  # on a boot that no host has used yet
    _until: float = 0.0

    def __post_init__(self) -> None:
        self._lock = BoardLock(self.name, self.entry.lock)
        self._power = (
            Power(self.name, self.entry.power, self.entry.deadlines.command)
            if self.entry.power
            else None
        )

    def open(self) -> None:
        """Lock the board and connect, so that the report's header can say what it is."""
        self._lock.acquire()
        line = self.entry.serial or self.entry.console
        self.console = (
            SerialConsole(line.url, line.baud, self.entry.deadlines.silence)
            if line
            else ConsoleText()
        )
        self._until = time.monotonic() + self.entry.deadlines.session
        try:
            if self.fetch:
                self._load(self.fetch())
            self._waiting = self._boot(fresh=self.fetch is not None)
        except BaseException:
            self.release()
            raise
        self.provenance = self._waiting.provenance

    def boot(self) -> BoardHost:
        host, self._waiting = self._waiting, None
        if host is None:
            if time.monotonic() > self._until:
                raise Refused(
                    f"{self.name}: the session's deadline of {self.entry.deadlines.session:.0f} s"
                    " has passed", "see deadlines.session in the boards file",
                )  # fmt: skip
            host = self._boot(fresh=True)
        return host

    def release(self) -> None:
        """Give the board back.  May be called twice."""
        host, self._waiting = self._waiting, None
        if host is not None:
            host.close()
        login, self._next = self._next, None
        if login is not None:
            leave(login)
        if self.console is not None:
            self.console.close()
        self._lock.release()

    def _boot(self, fresh: bool) -> BoardHost:
        login, self._next = self._next, None
        as_it_was = fresh and login is None and self._power is None
        assert self.console is not None
        host = BoardHost(
            self.entry, self, self.console, login or self._reached(fresh), self.agent_hash
        )
        if as_it_was:
            host.say(f"{self.name} was not booted afresh: it has no power command")
        return host

    def _reached(self, fresh: bool) -> Login:
        """Log in; after a power cycle where there is one, if that is wanted or needed."""
        if fresh and self._power:
            return self._cycled(self._power)
        try:
            return self.again(self.entry.deadlines.command)
        except Unreachable:
            if self._power is None:
                raise
            return self._cycled(self._power)

    # --- board.Ways ---

    def again(self, timeout: float, since: int | None = None) -> Login:
        """Connect, look, install.  BootError says why not.  ``since``: see SerialLink."""
        link = self._link(timeout, since)
        try:
            facts = onboard.facts(link, self.entry.deadlines.command)
            onboard.check_architecture(link, facts)
            sudo = onboard.privilege(facts, self.entry.sudo)
            folder = onboard.install(
                link, facts, self.agent, sudo,
                folder=self.entry.folder, timeout=self.entry.deadlines.command,
            )  # fmt: skip
        except TransportError as e:
            link.close()
            raise Unreachable(e.what, e.remedy) from None
        except BaseException:
            link.close()
            raise
        return Login(link, facts, sudo, folder)

    def next_boot(self, resets: bool) -> Login:
        if resets:
            with suppress(BootError):
                self._next = self._answering(0)
        if self._next is None and self._power:
            self._next = self._cycled(self._power)
        if self._next is None:
            raise Unreachable(f"{self.name} does not come back", "give it a power command")
        return self._next

    # --- how ---

    def _load(self, image: Path) -> None:
        """Put the kernel where the board's boot loader finds it."""
        assert self.entry.load is not None
        place = Path(self.entry.load.kernel).expanduser()
        try:
            shutil.copyfile(image, place)
        except OSError as e:
            raise ConfigError(
                f"{self.name}: the kernel cannot be put to {place}: {e.strerror}",
                "see load.kernel in the boards file, and who owns that folder",
            ) from None

    def _cycled(self, power: Power) -> Login:
        """Pull the plug, and wait until the board lets us in or the boot's deadline passes."""
        assert self.console is not None
        power.off()
        # A power command may return when the board has said much; and until one is given that
        # cycles, the board says something still: a prompt, after a shell that has just ended.
        since = self.console.quiet(QUIET_SECONDS, MOST_SECONDS)
        power.on()
        return self._answering(since)

    def _answering(self, since: int) -> Login:
        """Wait until a board that boots lets us in.  ``since``: what the console held before."""
        assert self.console is not None
        until = Deadline.after(self.entry.deadlines.boot * self.entry.slowdown)
        line = self.entry.serial or self.entry.console
        if line and line.boot:
            assert isinstance(self.console, SerialConsole)
            try:
                since = converse(self.console, line.boot, until.left(), since)
            except TransportError as e:
                raise Unreachable(e.what, e.remedy) from None
        while True:
            try:
                if self.entry.serial:
                    return self.again(until.left(), since)
                return self.again(min(until.left(), self.entry.deadlines.command))
            except Unreachable as e:
                if not until.left() or self.entry.serial:
                    boot = self.entry.deadlines.boot
                    raise BootError(
                        f"{self.name} did not boot in {boot:.0f} s: {e.what}", e.remedy,
                        self.console.text(),
                    ) from None  # fmt: skip
                time.sleep(min(AGAIN_SECONDS, until.left()))

    def _link(self, timeout: float, since: int | None) -> Link:
        if self.entry.ssh:
            return SshLink(self.entry.ssh, timeout)
        assert self.entry.serial is not None
        assert isinstance(self.console, SerialConsole)
        return SerialLink(self.console, self.entry.serial.login, timeout, since)
