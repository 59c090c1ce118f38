# SPDX-License-Identifier: GPL-2.0-or-later
"""The agent of a booted host: requests and their answers, over a channel."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import is_
from typing import Final, Protocol

from harness.errors import BootError, TargetError, TransportError
from harness.program import Program
from harness.targets.base import CommandOutput
from harness.targets.channel import Channel, Deadline
from harness.trace import Trace
from harness.wire import Frame, FrameType, Hello, decode_trace, encode_command, encode_program
from harness.wire_header import wire_hash

AHEAD: Final = 8  # programs sent before they are asked for, so that the host need not wait
GRACE_SECONDS: Final = 10.0  # beyond a program's own deadline, which the agent enforces


class Carrier(Protocol):
    """What an agent runs on: a QEMU, a board."""

    def console_size(self) -> int:
        """How much the console has held so far."""
        ...

    def sent(self, program: Program, sequence: int) -> None:
        """A program is on its way under this sequence number."""
        ...

    def lost(self, error: TransportError, console_from: int, started: bool) -> TargetError:
        """What an error of the channel means here: HostLost, or the error itself.

        ``console_from``: what the console held before the request; ``started``: see HostLost.
        """
        ...


@dataclass(frozen=True, slots=True)
class Sent:
    """A program on its way: its sequence number, and how much the console held before it."""

    program: Program
    sequence: int
    console: int


@dataclass(slots=True)
class Agent:
    """One request at a time, but for programs that are sent ahead.  Not thread-safe.

    ``running`` is the sequence number of the last program that was asked for.
    """

    channel: Channel
    carrier: Carrier
    running: int = 0
    _console_from: int = 0
    _ahead: deque[Sent] = field(default_factory=deque)

    def greeting(self, until: Deadline) -> Hello:
        """The agent's first word.  TransportError if none comes; BootError if it will not do."""
        first = self.channel.receive(until)
        if first.type != FrameType.HELLO:
            raise BootError(
                f"the agent's first word is {first.type.name}, not HELLO",
                "rebuild it: gicv5 images --refresh",
            )
        hello = Hello.decode(first.payload)
        if hello.wire_hash != wire_hash():
            raise BootError(
                f"the agent speaks another protocol ({hello.wire_hash:#x}, not {wire_hash():#x})",
                "rebuild it: gicv5 images --refresh",
            )
        return hello

    def run(
        self, program: Program, deadline_ms: int, upcoming: Sequence[Program], grace: float
    ) -> Trace:
        """See ``base.Host.run``.  ``grace``: seconds to wait beyond the program's own deadline."""
        until = Deadline.after(deadline_ms / 1000 + grace)
        if not (self._ahead and self._ahead[0].program is program):
            self._ahead.clear()  # if anything was sent, its answers will be passed over
            self._send_programs([program], deadline_ms, until)
        sent = self._ahead.popleft()
        self._console_from = sent.console
        self.running = sent.sequence
        waiting = [ahead.program for ahead in self._ahead]
        if len(waiting) <= AHEAD // 2 and all(map(is_, waiting, upcoming)):
            self._send_programs(upcoming[len(waiting) : AHEAD], deadline_ms, until)
        return decode_trace(self._answer(sent.sequence, FrameType.TRACE, until))

    def command(self, argv: Sequence[str], timeout: float) -> CommandOutput:
        """See ``base.Host.command``."""
        until = Deadline.after(timeout + GRACE_SECONDS)
        (sequence,) = self._send(FrameType.EXEC, [encode_command(argv, timeout)], until)
        answer = self._answer(sequence, FrameType.OUTPUT, until)
        status = int.from_bytes(answer[:4], "little")
        code = 128 + (status & 0x7F) if status & 0x7F else status >> 8 & 0xFF
        return CommandOutput(code, answer[4:].decode(errors="replace"))

    def _send_programs(
        self, programs: Sequence[Program], deadline_ms: int, until: Deadline
    ) -> None:
        console = self.carrier.console_size()
        payloads = [encode_program(program, deadline_ms) for program in programs]
        sequences = self._send(FrameType.RUN, payloads, until)
        for program, sequence in zip(programs, sequences, strict=True):
            self._ahead.append(Sent(program, sequence, console))
            self.carrier.sent(program, sequence)

    def _send(self, type_: FrameType, payloads: Sequence[bytes], until: Deadline) -> list[int]:
        try:
            return self.channel.send(type_, payloads, until)
        except TransportError as e:
            raise self.carrier.lost(e, self._console_from, started=False) from None

    def _answer(self, sequence: int, want: FrameType, until: Deadline) -> bytes:
        """The payload of the answer to a request; HostLost if none comes.

        Answers to earlier requests, sent ahead and then not wanted, are passed over.
        """
        started = False
        try:
            while True:
                answer = self.channel.receive(until)
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
            raise self.carrier.lost(e, self._console_from, started) from None


def _unexpected(answer: Frame, sequence: int) -> str:
    return f"answer {answer.type.name} #{answer.sequence} to request #{sequence}"
