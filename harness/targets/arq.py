# SPDX-License-Identifier: GPL-2.0-or-later
"""A reliable byte stream over a serial line that loses bytes and carries other text, too.

Pure: bytes in, bytes out, the time is told.  guest/line.c is the other side.

The stream is compressed in chunks (raw deflate with fixed Huffman codes, one window for the whole
session; each chunk ends on a byte and has its size, u16, in front) and cut into packets.  A packet
on the line is RS, the body, its CRC-32, US (control characters that mean nothing to a terminal); in
between, DLE and a changed byte stand for the bytes of ``STUFFED``, so that what a packet shows of
them is not its own.  The body, little-endian::

    kind u8 | session u8 | sequence u16 | acknowledged u16 | at most PAYLOAD bytes

``acknowledged`` is the number of packets that arrived in order.  Whatever is in no good packet is
console text.  Lost packets are sent again from the first on (go back N): after a NAK at once,
without one when ``patience`` is over.
"""

from __future__ import annotations

import struct
import zlib
from collections import deque
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

RS, US, DLE = 0x1E, 0x1F, 0x10
STUFFED: Final = bytes((RS, US, DLE, 0x0A, 0x0D, 0x11, 0x13, 0x1D))  # also XON, XOFF, telnet
FLIP: Final = 0x40
PAYLOAD: Final = 224
WINDOW: Final = 16  # packets under way
CHUNK: Final = 4096  # bytes of the stream that are compressed together
KEEPALIVE_SECONDS: Final = 2.0
HEAD: Final = struct.Struct("<BBHH")
CRC: Final = struct.Struct("<I")
MAX_PACKET: Final = 2 * (HEAD.size + PAYLOAD + CRC.size)
MODULUS: Final = 1 << 16
_AGAIN_SECONDS: Final = 0.05  # NAKs of one loss come in numbers


class Kind(IntEnum):
    DATA = 1
    ACK = 2
    NAK = 3  # something was damaged or is missing
    FIN = 4  # like DATA, and the last
    KILL = 5  # harness -> agent of any session: end now, whatever you do


_STUFF: Final = {byte: bytes((DLE, byte ^ FLIP)) for byte in STUFFED}


def packet(
    kind: Kind, session: int, sequence: int, acknowledged: int, payload: bytes = b""
) -> bytes:
    """The bytes on the line."""
    body = HEAD.pack(kind, session, sequence, acknowledged) + payload
    body += CRC.pack(zlib.crc32(body))
    return b"\x1e" + b"".join(_STUFF.get(b) or bytes((b,)) for b in body) + b"\x1f"


def unstuffed(data: bytes) -> bytes | None:
    """A packet's body without its CRC; None if it is damaged."""
    out = bytearray()
    escaped = False
    for byte in data:
        if escaped:
            out.append(byte ^ FLIP)
            escaped = False
        elif byte == DLE:
            escaped = True
        elif byte in STUFFED:
            return None
        else:
            out.append(byte)
    if escaped or len(out) < HEAD.size + CRC.size:
        return None
    body, crc = bytes(out[: -CRC.size]), CRC.unpack(out[-CRC.size :])[0]
    return body if zlib.crc32(body) == crc else None


@dataclass(slots=True)
class Splitter:
    """Tells packets from console text."""

    _packet: bytearray | None = None

    def feed(self, data: bytes) -> tuple[list[bytes | None], bytes]:
        """The bodies of packets (None: a damaged one), and the text between and inside them."""
        bodies: list[bytes | None] = []
        text = bytearray()
        for byte in data:
            if byte == RS:
                if self._packet:  # one that was cut off
                    text += self._packet
                    bodies.append(None)
                self._packet = bytearray()
            elif self._packet is None:
                text.append(byte)
            elif byte != US and len(self._packet) < MAX_PACKET:
                self._packet.append(byte)
            else:
                body = unstuffed(bytes(self._packet))
                bodies.append(body)
                if body is None:
                    text += self._packet
                self._packet = None
        return bodies, bytes(text)


@dataclass(slots=True)
class Line:
    """One side of the stream.  ``patience``: seconds until a packet counts as lost.

    ``resent`` and ``damaged`` count packets.
    """

    session: int
    patience: float
    resent: int = 0
    damaged: int = 0
    finished: bool = False  # the other side has sent its last byte
    heard: float = 0.0  # when a good packet came last
    spoken: bool = False  # one has come
    _splitter: Splitter = field(default_factory=Splitter)
    _waiting: deque[bytes] = field(default_factory=deque)  # payloads, the first is number _base
    _base: int = 0
    _next: int = 0  # to be sent; numbers from _base to here are under way
    _sent_at: float = 0.0
    _went_back: float = -1.0
    _expected: int = 0
    _owed: Kind | None = None  # ACK or NAK that the other side should get
    _nak_for: int = -1
    _spoke_at: float = 0.0
    _raw: bytearray = field(default_factory=bytearray)
    _deflate: zlib._Compress = field(
        default_factory=lambda: zlib.compressobj(9, zlib.DEFLATED, -15, 9, zlib.Z_FIXED)
    )
    _inflate: zlib._Decompress = field(default_factory=lambda: zlib.decompressobj(-15))
    _chunks: bytearray = field(default_factory=bytearray)

    def send(self, data: bytes) -> None:
        """Queue."""
        stream = bytearray()
        for start in range(0, len(data), CHUNK):
            chunk = self._deflate.compress(data[start : start + CHUNK])
            chunk += self._deflate.flush(zlib.Z_SYNC_FLUSH)
            stream += struct.pack("<H", len(chunk)) + chunk
        self._waiting += (bytes(stream[i : i + PAYLOAD]) for i in range(0, len(stream), PAYLOAD))

    @property
    def queued(self) -> int:
        """Packets that are not acknowledged yet."""
        return len(self._waiting)

    def receive(self, data: bytes, now: float) -> tuple[bytes, bytes]:
        """What came on the line -> bytes of the stream, console text."""
        bodies, text = self._splitter.feed(data)
        stream = bytearray()
        for body in bodies:
            if body is None:
                self.damaged += 1
                self._complain()
                continue
            kind, session, sequence, acknowledged = HEAD.unpack_from(body)
            if session != self.session:
                continue
            self.heard, self.spoken = now, True
            self._acknowledged(acknowledged, kind == Kind.NAK, now)
            if kind in (Kind.DATA, Kind.FIN):
                stream += self._data(kind, sequence, body[HEAD.size :])
        return bytes(stream), text

    def _data(self, kind: int, sequence: int, payload: bytes) -> bytes:
        if sequence != self._expected % MODULUS:
            if (sequence - self._expected) % MODULUS < WINDOW:
                self._complain()  # one before it is missing
            else:
                self._owed = self._owed or Kind.ACK  # it came twice: our ACK was lost
            return b""
        self._expected += 1
        self._owed = Kind.ACK
        if kind == Kind.FIN:
            self.finished = True
        self._chunks += payload
        out = bytearray()
        while len(self._chunks) >= 2:
            size = struct.unpack_from("<H", self._chunks)[0]
            if len(self._chunks) < 2 + size:
                break
            out += self._inflate.decompress(bytes(self._chunks[2 : 2 + size]))
            del self._chunks[: 2 + size]
        return bytes(out)

    def _complain(self) -> None:
        if self._nak_for != self._expected:  # once for each loss; then patience decides
            self._nak_for = self._expected
            self._owed = Kind.NAK

    def _acknowledged(self, number: int, again: bool, now: float) -> None:
        done = (number - self._base) % MODULUS
        if done > len(self._waiting):
            return
        for _ in range(done):
            self._waiting.popleft()
        self._base += done
        self._next = max(self._next, self._base)
        if done:
            self._sent_at = now
        if again and now - self._went_back > _AGAIN_SECONDS:
            self._go_back(now)

    def _go_back(self, now: float) -> None:
        self.resent += self._next - self._base
        self._next = self._base
        self._went_back = now
        self._nak_for = -1

    def output(self, now: float) -> bytes:
        """What must be written to the line now: nothing before the agent has spoken.

        Until then a shell listens, to which our packets would be commands.
        """
        if not self.spoken:
            return b""
        if self._next > self._base and now - self._sent_at > self.patience:
            self._go_back(now)
        out = bytearray()
        while self._next < self._base + min(WINDOW, len(self._waiting)):
            payload = self._waiting[self._next - self._base]
            out += self._packet(Kind.DATA, self._next, payload)
            self._next += 1
            self._sent_at = now
            if self._owed is Kind.ACK:
                self._owed = None
        if now - self._spoke_at > KEEPALIVE_SECONDS and not out:
            self._owed = self._owed or Kind.ACK
        if self._owed:
            out += self._packet(self._owed, self._next, b"")
            self._owed = None
        if out:
            self._spoke_at = now
        return bytes(out)

    def kill(self) -> bytes:
        """The packet that ends the other side."""
        return self._packet(Kind.KILL, 0, b"")

    def _packet(self, kind: Kind, sequence: int, payload: bytes) -> bytes:
        return packet(kind, self.session, sequence % MODULUS, self._expected % MODULUS, payload)
