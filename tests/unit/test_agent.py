# SPDX-License-Identifier: GPL-2.0-or-later
"""The agent's session, against an agent that is a socket and a few bytes."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from harness.errors import BootError, TransportError
from harness.program import CreateVm, Program
from harness.targets.agent import Agent
from harness.targets.base import HostLost
from harness.targets.channel import Channel, Deadline
from harness.wire import HELLO, TRACE_HEAD, FrameType, frame
from harness.wire_header import wire_hash

FIRST, SECOND = (Program(f"test/{n}", (CreateVm(),)) for n in range(2))


@dataclass
class Machine:
    """The carrier: remembers what it was told."""

    sequences: list[int] = field(default_factory=list)

    def console_size(self) -> int:
        return 100

    def sent(self, program: Program, sequence: int) -> None:
        self.sequences.append(sequence)

    def lost(self, error: TransportError, console_from: int, started: bool) -> HostLost:
        return HostLost(error.what, f"console from {console_from}", started)


@pytest.fixture
def pair() -> Iterator[tuple[Agent, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Agent(Channel(ours), Machine()), theirs


def trace(sequence: int, log: bytes) -> bytes:
    return frame(FrameType.TRACE, sequence, TRACE_HEAD.pack(0, 0, 0) + log)


def greet(pair: tuple[Agent, socket.socket], first: bytes) -> str:
    agent, theirs = pair
    theirs.sendall(first)
    return agent.greeting(Deadline.after(1)).release


def test_a_greeting(pair: tuple[Agent, socket.socket]) -> None:
    payload = HELLO.pack(wire_hash(), 1, 0, 0, 0, 0, 1, 0) + b"7.3.4\0#1\0"
    assert greet(pair, frame(FrameType.HELLO, 0, payload)) == "7.3.4"


def test_an_agent_of_another_protocol(pair: tuple[Agent, socket.socket]) -> None:
    payload = HELLO.pack(wire_hash() ^ 1, 1, 0, 0, 0, 0, 1, 0) + b"7.3.4\0#1\0"
    with pytest.raises(BootError, match=r"another protocol.*\n.*--refresh"):
        greet(pair, frame(FrameType.HELLO, 0, payload))


def test_a_first_word_that_is_no_greeting(pair: tuple[Agent, socket.socket]) -> None:
    with pytest.raises(BootError, match="first word is TRACE"):
        greet(pair, trace(0, b""))


def test_what_was_sent_ahead_is_not_sent_again(pair: tuple[Agent, socket.socket]) -> None:
    agent, theirs = pair
    theirs.sendall(frame(FrameType.EXECUTING, 1) + trace(1, b"one"))
    theirs.sendall(frame(FrameType.EXECUTING, 2) + trace(2, b"two"))
    assert agent.run(FIRST, 1000, [SECOND], 0).log == "one"
    assert agent.run(SECOND, 1000, [], 0).log == "two"
    assert agent.carrier.sequences == [1, 2]  # type: ignore[attr-defined]


def test_answers_no_longer_wanted_are_passed_over(pair: tuple[Agent, socket.socket]) -> None:
    agent, theirs = pair
    theirs.sendall(trace(1, b"one") + trace(2, b"ahead") + trace(3, b"three"))
    agent.run(FIRST, 1000, [SECOND], 0)
    assert agent.run(FIRST, 1000, [], 0).log == "three"
    assert agent.running == 3


@pytest.mark.parametrize("started", [False, True])
def test_a_lost_host_says_whether_it_had_begun(
    pair: tuple[Agent, socket.socket], started: bool
) -> None:
    agent, theirs = pair
    if started:
        theirs.sendall(frame(FrameType.EXECUTING, 1))
    theirs.shutdown(socket.SHUT_WR)
    with pytest.raises(HostLost) as lost:
        agent.run(FIRST, 1000, [], 0)
    assert lost.value.started is started
    assert lost.value.console == "console from 100"
