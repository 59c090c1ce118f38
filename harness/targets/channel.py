# SPDX-License-Identifier: GPL-2.0-or-later
"""The agent's protocol over a byte stream: one request, its beacon, its answer."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from harness.errors import TransportError
from harness.wire import Frame, FrameType, frame, read_frame


class Silence(TransportError):
    """The deadline passed and nothing came."""


@dataclass(slots=True)
class Deadline:
    """A point in time after which waiting is pointless."""

    at: float

    @staticmethod
    def after(seconds: float) -> Deadline:
        return Deadline(time.monotonic() + seconds)

    def left(self) -> float:
        return max(0.0, self.at - time.monotonic())


class Stream(Protocol):
    """A connected socket, or what behaves like one: an SSH channel, a serial line."""

    def settimeout(self, value: float | None, /) -> None: ...

    def send(self, data: bytes, /) -> int:
        """How much of it was taken; OSError if the other side is gone (TimeoutError: busy)."""
        ...

    def recv(self, size: int, /) -> bytes:
        """What there is, b"" at the end; TimeoutError if nothing comes."""
        ...

    def close(self) -> None: ...


class Channel:
    """Frames over a stream.  Every wait has a deadline.  Not thread-safe.

    ``sent`` and ``received`` count bytes.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._buffer = bytearray()
        self._sequence = 0
        self.sent = self.received = 0

    def send(self, type_: FrameType, payloads: Sequence[bytes], deadline: Deadline) -> list[int]:
        """Send a frame for each payload, in one go; their sequence numbers.

        TransportError if the other side is gone.
        """
        first = self._sequence + 1
        self._sequence += len(payloads)
        sequences = list(range(first, self._sequence + 1))
        frames = (frame(type_, number, p) for number, p in zip(sequences, payloads, strict=True))
        data = b"".join(frames)
        self.sent += len(data)
        while data:
            self._wait_until(deadline)
            try:
                data = data[self._stream.send(data) :]
            except TimeoutError:
                raise Silence("the agent is silent") from None
            except OSError as e:
                raise TransportError(f"the agent's channel broke: {e}") from e
        return sequences

    def receive(self, deadline: Deadline) -> Frame:
        """The next frame.  Silence if none comes in time; TransportError if it is damaged."""
        return read_frame(lambda n: self._read(n, deadline))

    def close(self) -> None:
        self._stream.close()

    def _read(self, size: int, deadline: Deadline) -> bytes:
        """``size`` bytes, or fewer if the stream ends."""
        while len(self._buffer) < size:
            self._wait_until(deadline)
            try:
                chunk = self._stream.recv(1 << 16)
            except TimeoutError:
                raise Silence("the agent is silent") from None
            except ConnectionError:
                chunk = b""
            if not chunk:
                break
            self._buffer += chunk
            self.received += len(chunk)
        out = bytes(self._buffer[:size])
        del self._buffer[:size]
        return out

    def _wait_until(self, deadline: Deadline) -> None:
        self._stream.settimeout(max(deadline.left(), 0.001))  # 0 would mean: do not wait
