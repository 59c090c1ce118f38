# SPDX-License-Identifier: GPL-2.0-or-later
"""Boards: hosts that are there already, by whatever way a lab has to them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Protocol

from harness.boards import BoardEntry
from harness.console import find_reports
from harness.errors import BootError, TargetError, TransportError
from harness.hwtrace.slices import Slice
from harness.program import Program
from harness.report.listing import errno_name
from harness.targets import onboard, pstore
from harness.targets.agent import Agent
from harness.targets.base import CommandOutput, HostLost
from harness.targets.channel import Channel, Deadline, Silence
from harness.targets.console_line import SerialConsole
from harness.targets.link import Link
from harness.targets.onboard import Facts
from harness.trace import Trace
from harness.wire import FrameType, Hello

LAST_GASP_SECONDS: Final = 2.0  # until what a dying kernel prints has come
AGAIN_SECONDS: Final = 0.5
MAX_RESUMES: Final = 3  # of one program
QUIT_SECONDS: Final = 3.0
CLEAN_SECONDS: Final = 10.0


class ConsoleText:
    """No console: what a board prints is not seen.  The interface of those that are."""

    sent = received = 0  # bytes

    def size(self) -> int:
        return 0

    def text(self, start: int = 0) -> str:
        return ""

    def quiet(self, _seconds: float, _most: float) -> int:
        return 0

    def close(self) -> None:
        """May be called twice."""


@dataclass(frozen=True, slots=True)
class Login:
    """A link and what was found behind it."""

    link: Link
    facts: Facts
    sudo: str
    folder: str


def leave(login: Login) -> None:
    """Log out; nothing of ours stays on the board."""
    with suppress(TargetError):
        onboard.remove(login.link, login.folder, login.sudo, CLEAN_SECONDS)
    login.link.close()


class Ways(Protocol):
    """To the same board, when a login has become useless."""

    def again(self, timeout: float) -> Login:
        """Log in as the board is now.  TargetError says why not."""
        ...

    def next_boot(self, resets: bool) -> Login:
        """Log in after the board's next boot; the next host is on that boot, too.  TargetError.

        ``resets``: the board may come back by itself.
        """
        ...


@dataclass(frozen=True, slots=True)
class Traffic:
    """Bytes so far: of frames, and of all that a serial line carried, if there is one."""

    sent: int
    received: int
    line_sent: int
    line_received: int


class Dropped(HostLost):
    """The way to the board broke, and the board is as it was: the same boot, no complaint."""


class BoardHost:
    """The agent on a board.  See ``base.Host``."""

    def __init__(
        self,
        entry: BoardEntry,
        ways: Ways,
        console: ConsoleText | SerialConsole,
        first: Login,
        agent_hash: str,
    ) -> None:
        """Start the agent of an installed login.  BootError if it does not greet."""
        self._entry, self._ways, self._console = entry, ways, console
        self._hash = agent_hash
        self._said = list[str]()
        self._login = first
        self._log = ""  # the kernel's, as far as it was read already
        self._old_records = frozenset[str]()
        self._lost = self._unreachable = False
        self._start()
        self.boot_log = self._log or console.text()

    # --- base.Host ---

    @property
    def hello(self) -> Hello:
        return self._hello

    @property
    def facts(self) -> Facts:
        return self._login.facts

    @property
    def provenance(self) -> Mapping[str, str]:
        facts = self.facts
        model = facts.model or "no model in its device tree"
        user = facts.user + (" (sudo)" if self._login.sudo else "")
        return {
            "kernel": f"{facts.release} {facts.version}",
            "command line": facts.cmdline,
            "board": f"{self._login.link.name}: {facts.host}, {model}, {facts.arch}, as {user}",
            "capabilities": capabilities(self._hello),
            "agent": self._hash,
        }

    def warnings(self) -> list[str]:
        said, self._said = self._said, []
        return said

    def say(self, warning: str) -> None:
        """For ``warnings``."""
        self._said.append(warning)

    def run(
        self, program: Program, deadline_ms: int = 10_000, upcoming: Sequence[Program] = ()
    ) -> Trace:
        deadline_ms = int(deadline_ms * self._entry.slowdown)
        resumes = 0
        while True:
            try:
                return self._agent.run(program, deadline_ms, upcoming, self._silence)
            except Dropped as e:
                resumes += 1
                if resumes > MAX_RESUMES:
                    raise
                self._resume(e)

    def command(self, argv: Sequence[str], timeout: float) -> CommandOutput:
        return self._agent.command(argv, timeout * self._entry.slowdown)

    def accesses(self) -> Slice:
        return Slice()  # hardware does not record what was done to it

    def close(self) -> None:
        """End the agent and remove it.  The board stays on."""
        login, until = self._login, Deadline.after(QUIT_SECONDS)
        with suppress(TargetError):
            if not self._lost:
                self._agent.channel.send(FrameType.QUIT, [b""], until)
                while True:
                    self._agent.channel.receive(until)
        self._agent.channel.close()
        if self._unreachable:
            login.link.close()
        else:
            leave(login)

    def traffic(self) -> Traffic:
        """Of this agent, and of the line since it was opened."""
        channel, line = self._agent.channel, self._console
        return Traffic(channel.sent, channel.received, line.sent, line.received)

    # --- what the agent's session wants to know ---

    def console_size(self) -> int:
        return self._console.size()

    def sent(self, program: Program, sequence: int) -> None:
        """Nobody records it."""

    def lost(self, error: TransportError, console_from: int, started: bool) -> TargetError:
        """A board that died, one that hangs, an agent that died, or only the way to it."""
        self._gasp()
        self._lost = True
        if isinstance(error, Silence) and self._login.link.alive(self._entry.deadlines.silence / 3):
            log = self._new_log(dump=True)
            said = self._console.text(console_from) + log
            what = f"the agent did not answer in time; the shell on {self._name} does"
            return HostLost(what, said, started, "the state dump is in the console's excerpt")
        words, ended = self._login.link.last_words(), self._login.link.ended()
        because = f"{error.what}{f' ({words})' if words else ''}"
        self._login.link.close()
        try:
            found = self._ways.again(self._entry.deadlines.command)
        except TargetError as e:
            self._unreachable = True
            what = f"{because}; the board is out of reach since: {e.what}"
            said = self._console.text(console_from) or self._last_words_kept()
            return HostLost(what, said, started, e.remedy)
        before, self._login = self._login, found
        if found.facts.boot != before.facts.boot:
            what = f"{because}; the board {self._name} rebooted while the program ran"
            said = self._console.text(console_from) or self._last_words_kept(found)
            return HostLost(what, said, started, _NO_CONSOLE)
        said = self._console.text(console_from) + self._new_log()
        if ended or find_reports(said):  # the agent itself ended, or the kernel complained
            return HostLost(f"{because}; the board is still up", said, started)
        return Dropped(f"{because}; the board is still up, its kernel said nothing", said, started)

    # --- the session ---

    @property
    def _name(self) -> str:
        return self._login.link.name

    @property
    def _silence(self) -> float:
        return self._entry.deadlines.silence * self._entry.slowdown

    def _start(self) -> None:
        login = self._login
        timeout = self._entry.deadlines.command
        try:
            self._log = onboard.kernel_log(login.link, login.sudo, timeout) or self._log
            if self._keeps_log:
                self._old_records = pstore.records(login.link, login.sudo, timeout)
            stream = login.link.start(onboard.start_command(login.folder, login.sudo, "--stdio"))
            self._agent = Agent(Channel(stream), self)
            self._hello = self._agent.greeting(Deadline.after(timeout * self._entry.slowdown))
        except TransportError as e:
            words = login.link.last_words()
            login.link.close()
            raise BootError(
                f"{login.link.name}: the agent does not greet: {e.what} {words}".rstrip(),
                "gicv5 doctor says what the board lacks",
            ) from None
        except BaseException:
            login.link.close()
            raise

    def _resume(self, dropped: Dropped) -> None:
        """A new agent on the same boot.  HostLost as it was if that fails."""
        self._said.append(f"{dropped.what}; resumed")
        try:
            self._start()
            self._lost = False
        except BootError as e:
            raise HostLost(f"{dropped.what}; {e.what}", dropped.console, dropped.started) from None

    def _gasp(self) -> None:
        """Wait until the console has been quiet for a while."""
        until = time.monotonic() + LAST_GASP_SECONDS
        size = self._console.size()
        while time.monotonic() < until and size:
            time.sleep(AGAIN_SECONDS)
            if size == (size := self._console.size()):
                return

    @property
    def _keeps_log(self) -> bool:
        """Memory is all that may have the board's last words: it has no console."""
        return isinstance(self._console, ConsoleText) and self.facts.keeps_log

    def _last_words_kept(self, found: Login | None = None) -> str:
        """What the boot that ended said since this host's log was read last, if it was kept.

        ``found``: a login on the next boot; else one is waited for.
        """
        if not self._keeps_log:
            return ""
        try:
            found = found or self._ways.next_boot(self.facts.resets)
        except TargetError:  # who wants the next host is told why
            return ""
        timeout = self._entry.deadlines.command
        return pstore.take(found.link, found.sudo, timeout, self._old_records, self._log)

    def _new_log(self, dump: bool = False) -> str:
        """What the kernel logged since this host's log was read last."""
        login, timeout = self._login, self._entry.deadlines.command
        try:
            ask = onboard.state_dump if dump else onboard.kernel_log
            log = ask(login.link, login.sudo, timeout)
        except TargetError:
            return ""
        seen = self._log.splitlines()[-1:]
        lines = log.splitlines()
        new = lines[lines.index(seen[0]) + 1 :] if seen and seen[0] in lines else lines
        self._log = log or self._log
        return "\n".join(new) + "\n" * bool(new)


_NO_CONSOLE = (
    "give the board a console: in the boards file, or pstore (docs/boards.md): its last words are "
    "kept then"
)


def capabilities(hello: Hello) -> str:
    """What the agent probed, with the errno that showed what is not there."""
    parts = [
        f"{name} ({errno_name(error)})" if error else name
        for name, error in (
            ("KVM", hello.kvm_errno),
            ("VGICv5", hello.vgic_v5_errno),
            ("CPU_SYSREGS", hello.sysregs_errno),
            ("IRS", hello.irs_errno),
        )
    ]
    parts = [part if "(" not in part else f"no {part}" for part in parts]
    return ", ".join([*parts, "PMUv3" if hello.pmu else "no PMUv3", f"{hello.cpus} CPUs"])
