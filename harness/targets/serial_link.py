# SPDX-License-Identifier: GPL-2.0-or-later
"""Boards by their serial console: from a login prompt to a shell, commands, the agent."""

from __future__ import annotations

import base64
import gzip
import hashlib
import os
import re
import time
from collections.abc import Mapping, Sequence
from typing import Final

import pexpect
from pexpect.spawnbase import SpawnBase

from harness.boards import Step
from harness.errors import ConfigError, TransportError
from harness.targets.base import CommandOutput
from harness.targets.channel import Stream
from harness.targets.console_line import LineStream, SerialConsole
from harness.targets.link import Refused, Unreachable

PIECE: Final = 480  # characters of an answer per line: a kernel message spoils one line only
PART: Final = 36_000  # characters of an upload that are checked together; a tty holds 64 KiB
WIDTH: Final = 900  # a terminal takes lines of 4095 characters
TRIES: Final = 12
ANSWER_SECONDS: Final = 4.0
PROMPT_SECONDS: Final = 2.0
WORD_SECONDS: Final = 10.0
_DENIED: Final = (
    r"(?i)login incorrect|authentication failure|permission denied|maximum number of tries"
)

# Reads commands one by one, as a program does: no prompt, no echo, no line editing.
_READER: Final = 'stty -echo; while IFS= read -r l; do eval "$l"; done'
_READY: Final = re.compile(rb"gicv5-ready-42")


class _Talk(SpawnBase):  # type: ignore[type-arg]
    """What pexpect needs to look for a prompt: reading and writing the line."""

    def __init__(self, console: SerialConsole, start: int) -> None:
        super().__init__(timeout=ANSWER_SECONDS, searchwindowsize=4096)
        self.console, self._at = console, start

    def read_nonblocking(self, size: int = 1, timeout: float | None = None) -> bytes:
        data = self.console.wait(self._at, ANSWER_SECONDS if timeout is None else timeout)[:size]
        if not data:
            raise pexpect.TIMEOUT("the line is silent")
        self._at += len(data)
        return data

    def say(self, text: str) -> None:
        self.console.write(text.encode())

    def seen(self) -> int:
        """How much of the console the prompts that were found, and what came before, make up."""
        return self._at - len(self.buffer)


def converse(console: SerialConsole, steps: Sequence[Step], deadline: float, start: int) -> int:
    """A dialogue about what the console says from ``start`` on; how much of that it has seen.

    Unreachable names the step whose text did not come; Refused a wrong password.
    """
    talk = _Talk(console, start)
    for step in steps:
        wait = step.timeout if step.timeout is not None else deadline
        try:
            denied = talk.expect([step.expect.encode(), _DENIED.encode()], timeout=wait) == 1
        except pexpect.TIMEOUT:
            said = console.text()[-300:].strip().splitlines()[-3:]
            raise Unreachable(
                f"{console.url}: {step.expect!r} did not come in {wait:.0f} s; the last that came: "
                f"{' | '.join(said) or 'nothing'}",
                "see the board's dialogue (login, boot) in the boards file, and its baud",
            ) from None
        except re.error as e:
            raise ConfigError(
                f"expect {step.expect!r} is no regular expression: {e}", "correct the boards file"
            ) from None
        if denied:
            raise Refused(
                f"{console.url}: the board refused the login: {talk.after!r}",
                "see user and password of `login` in the boards file",
            )
        if step.send:
            talk.say(_expanded(step.send, os.environ) + "\r" * step.enter)
    return talk.seen()


def _expanded(text: str, environment: Mapping[str, str]) -> str:
    """With $NAME replaced."""

    def value(match: re.Match[str]) -> str:
        if match[1] not in environment:
            raise ConfigError(
                f"send: {text!r}: the environment has no {match[1]}", f"export {match[1]}"
            )
        return environment[match[1]]

    return re.sub(r"\$([A-Z_][A-Z0-9_]*)", value, text)


class SerialLink:
    """A shell on the console.  See ``link.Link``.  The console itself outlives it."""

    def __init__(
        self, console: SerialConsole, login: Sequence[Step], timeout: float,
        since: int | None = None,
    ) -> None:  # fmt: skip
        """Log in, unless a shell is there.  Unreachable or Refused say why not.

        ``since``: the board was powered on when the console held so much, and nothing must be
        typed before it asks; it may have asked already.
        """
        self.name = console.url
        self._console, self._ready, self._logged_in = console, False, False
        self._stream: LineStream | None = None
        self._session = int.from_bytes(os.urandom(1), "little")
        self._number = 0
        try:
            if since is not None or self._asks_to_log_in(login):
                converse(console, login, timeout, console.size() if since is None else since)
                self._logged_in = True
            self._need_shell()
        except TransportError as e:
            raise Unreachable(e.what, e.remedy) from None

    def execute(self, command: str, timeout: float, data: bytes = b"") -> CommandOutput:
        self._end_stream()
        if not self._ready:
            self._need_shell()
        until = time.monotonic() + timeout
        if not data:
            return self._execute(command, "/dev/null", until)
        until += self._wire_seconds(len(data))
        folder = self._upload(data, until)
        if not folder:
            return CommandOutput(1, "an upload to /tmp failed: No space left on device?")
        try:
            return self._execute(command, f"{folder}/data", until)
        finally:
            self._send(f"rm -rf {folder}")

    def _execute(self, command: str, source: str, until: float) -> CommandOutput:
        self._number += 1
        mark, since = f"x{self._session}.{self._number}", self._console.size()
        self._set("s", base64.b64encode(command.encode()).decode())
        self._send(
            f'o=$(eval "$(echo "$s" | base64 -d)" 2>&1 <{source}); r=$?; '
            'b=$(printf %s "$o" | gzip -c | base64 | tr -d "\\n"); o=""; n=0'
        )
        self._send(
            f'p() {{ printf %s "$b" | fold -w {PIECE} | {{ i=0; while IFS= read -r l || [ "$l" ]; '
            f'do echo "<{mark}.$i $(printf %s "$l" | md5sum | cut -c1-8) $l>"; i=$((i+1)); '
            f'done; echo "<{mark}.end $i $r $((i * 7 + r))>"; }}; }}; p'
        )
        return self._answer(mark, since, until)

    def start(self, command: str) -> Stream:
        patience = int(self._console.patience() * 1000)
        self._stream = self._console.stream(self._session)
        self._ready = False
        self._send(command.replace("--stdio", f"--line {self._session} {patience}"))
        return self._stream

    def alive(self, timeout: float) -> bool:
        if self._stream is not None:
            return not self._stream.gone(timeout)
        try:
            return self.execute("true", timeout).status == 0
        except TransportError:
            return False

    def ended(self) -> bool:
        return self._stream is not None and self._stream.finished

    def last_words(self) -> str:
        return ""  # they are on the console

    def close(self) -> None:
        try:
            self._end_stream()
            if self._logged_in and self._ready:
                self._send("exit")  # what reads commands; then the login shell
                self._send("exit")
        except TransportError:
            return
        finally:
            self._logged_in = False

    def _end_stream(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _asks_to_log_in(self, login: Sequence[Step]) -> bool:
        """Whether the line, asked with a return, shows the first prompt of the dialogue."""
        self._console.kill()
        start = self._console.size()
        self._console.write(b"\r")
        until = time.monotonic() + PROMPT_SECONDS
        while login and time.monotonic() < until:
            self._console.wait(self._console.size(), PROMPT_SECONDS / 4)
            if re.search(login[0].expect.encode(), self._console.wait(start, 0)):
                self._console.write(b"\r")  # once more, for the dialogue to see
                return True
        return False

    def _need_shell(self) -> None:
        """A shell that reads commands as ``_READER`` does.  Unreachable if none answers."""
        start = self._console.size()
        until = time.monotonic() + ANSWER_SECONDS
        self._send("")
        self._send(f"PS1= PS2=; {_READER}")
        while time.monotonic() < until:
            self._send("echo gicv5-ready-$((6*7))")
            at = self._console.size()
            self._console.wait(at, ANSWER_SECONDS / 4)
            if _READY.search(self._console.wait(start, 0)):
                self._ready = True
                return
        said = self._console.text(start).strip().splitlines()[-2:]
        raise Unreachable(
            f"{self.name}: no shell answers: {' | '.join(said) or 'the line is silent'}",
            "is the board on, is nobody else on its console, is `baud` right, does `login` in the "
            "boards file lead to a shell?",
        )

    def _wire_seconds(self, size: int) -> float:
        """How long an upload may take: in base64, at half the line's speed."""
        return size * 4 / 3 * 10 / self._console.baud * 2 + 30

    def _send(self, line: str) -> None:
        self._console.write(line.encode() + b"\r")

    def _set(self, name: str, text: str) -> None:
        """A long text into a shell variable, in pieces that a terminal takes."""
        self._send(f"{name}=")
        for start in range(0, len(text), WIDTH):
            self._send(f'{name}="${{{name}}}{text[start : start + WIDTH]}"')

    def _answer(self, mark: str, since: int, until: float) -> CommandOutput:
        """The pieces of an answer; what was spoiled is asked for again."""
        start, at, pieces = since, since, dict[int, str]()
        piece = re.compile(
            rb"<%s\.(\d+) ([0-9a-f]{8}) ([A-Za-z0-9+/=]+)>" % re.escape(mark.encode())
        )
        last = re.compile(rb"<%s\.end (\d+) (\d+) (\d+)>" % re.escape(mark.encode()))
        quiet_until = time.monotonic() + ANSWER_SECONDS * 2
        while time.monotonic() < until:
            got = self._console.wait(at, min(0.2, max(until - time.monotonic(), 0.01)))
            at += len(got)
            if got:
                quiet_until = time.monotonic() + ANSWER_SECONDS
            said = self._console.wait(start, 0)
            for match in piece.finditer(said):
                if _sum(match[3]) == match[2].decode():
                    pieces[int(match[1])] = match[3].decode()
            end = last.search(said)
            if end and int(end[3]) == int(end[1]) * 7 + int(end[2]):
                if len(pieces) >= int(end[1]):
                    packed = "".join(pieces[i] for i in range(int(end[1])))
                    text = gzip.decompress(base64.b64decode(packed)) if packed else b""
                    return CommandOutput(int(end[2]), text.decode(errors="replace"))
                start = at = self._console.size()
                self._send("p")
            elif not got and time.monotonic() > quiet_until:
                start = at = self._console.size()
                self._send("")
                self._send("p")
                quiet_until = time.monotonic() + ANSWER_SECONDS
        raise TransportError(
            f"{self.name}: the shell did not answer in time; the last that came: "
            f"{self._console.text()[-200:].strip()!r}",
            "does the board have base64, gzip, md5sum, fold (coreutils or busybox)?",
        )

    def _upload(self, data: bytes, until: float) -> str:
        """A folder of its own with the data in the file ``data``; "" if there is no room."""
        text = base64.b64encode(gzip.compress(data, 9)).decode()
        self._number += 1
        folder = f"/tmp/gicv5-up-{self._session}-{self._number}"
        self._send(f"umask 077; mkdir -p {folder}")
        for number, start in enumerate(range(0, len(text), PART)):
            part, file = text[start : start + PART], f"{folder}/p{number:05}"
            lines = [part[i : i + WIDTH] for i in range(0, len(part), WIDTH)]
            want = _sum("".join(line + "\n" for line in lines).encode())
            for _ in range(TRIES):
                self._send(f"cat >{file}")
                self._console.write("".join(line + "\r" for line in lines).encode() + b"\x04")
                if self._word(f"md5sum <{file} | cut -c1-8", until) == want:
                    break
            else:
                self._send(f"rm -rf {folder}")
                return ""
        unpack = f"cat {folder}/p* | base64 -d | gzip -dc >{folder}/data && echo ok"
        if self._word(unpack, until) == "ok":
            return folder
        self._send(f"rm -rf {folder}")
        return ""

    def _word(self, command: str, until: float) -> str:
        """The one word that a command prints; it may be run again if the answer is spoiled."""
        start = self._console.size()
        while time.monotonic() < until:
            self._number += 1
            mark = f"<x{self._session}.{self._number} "
            # The shell's echo of this line, if it has one, is none.
            self._send(f'echo "<x{self._session}.$(({self._number}+0)) $({command})>"')
            answer = re.compile(re.escape(mark.encode()) + rb"([0-9a-z]*)>")
            patience = min(time.monotonic() + WORD_SECONDS, until)
            while time.monotonic() < patience:
                self._console.wait(self._console.size(), 0.1)
                if match := answer.search(self._console.wait(start, 0)):
                    return match[1].decode()
        raise TransportError(
            f"{self.name}: the shell did not answer in time to: {command}",
            "a larger deadlines.command in the boards file, or a faster line",
        )


def _sum(data: bytes) -> str:
    """What a transmission is checked with: a few digits of md5sum, which busybox has, too."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()[:8]
