# SPDX-License-Identifier: GPL-2.0-or-later
"""The agent's protocol from the harness's side: what goes wrong on the wire is said."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from harness.errors import TransportError
from harness.targets.channel import Channel, Deadline, Silence
from harness.wire import FRAME, FrameType, frame

SOON = 0.05


@pytest.fixture
def ends() -> Iterator[tuple[Channel, socket.socket]]:
    ours, theirs = socket.socketpair()
    channel = Channel(ours)
    yield channel, theirs
    channel.close()
    theirs.close()


def test_a_frame_arrives_whole_however_it_is_cut(ends: tuple[Channel, socket.socket]) -> None:
    channel, agent = ends
    data = frame(FrameType.TRACE, 7, b"payload")
    agent.sendall(data[:5])
    agent.sendall(data[5:] + frame(FrameType.HELLO, 8))
    first = channel.receive(Deadline.after(1))
    assert (first.type, first.sequence, first.payload) == (FrameType.TRACE, 7, b"payload")
    assert channel.receive(Deadline.after(1)).sequence == 8


def test_silence_is_told_from_an_end(ends: tuple[Channel, socket.socket]) -> None:
    channel, agent = ends
    with pytest.raises(Silence):
        channel.receive(Deadline.after(SOON))
    agent.close()
    with pytest.raises(TransportError, match="closed"):
        channel.receive(Deadline.after(1))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda d: b"\xff" + d[1:], "not a frame"),
        (lambda d: d[:-1] + b"\xff", "corrupted"),
        (lambda d: d[: FRAME.size] + d[FRAME.size + 1 :], "cut off"),
        (lambda d: d[:8] + d[8:12] + b"\xff\xff\xff\xff" + d[16:], "at most"),
        (lambda d: d[:4] + b"\x63\x00" + d[6:], "unknown type"),
    ],
)
def test_damage_is_named(ends: tuple[Channel, socket.socket], damage, says: str) -> None:  # type: ignore[no-untyped-def]
    channel, agent = ends
    agent.sendall(damage(frame(FrameType.TRACE, 1, b"payload")))
    agent.close()
    with pytest.raises(TransportError, match=says):
        channel.receive(Deadline.after(1))


def test_sending_to_the_dead_says_so(ends: tuple[Channel, socket.socket]) -> None:
    channel, agent = ends
    agent.close()
    with pytest.raises(TransportError, match="broke"):
        channel.send(FrameType.RUN, [b"x" * 100], Deadline.after(1))


def test_a_full_pipe_does_not_block_for_ever(ends: tuple[Channel, socket.socket]) -> None:
    channel, _ = ends
    with pytest.raises(Silence):
        channel.send(FrameType.RUN, [b"x" * 1_000_000], Deadline.after(SOON))
