# SPDX-License-Identifier: GPL-2.0-or-later
"""A board's serial line: its console from power-on, and the agent's stream when it has one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import serial
from serial import rfc2217

from harness.errors import ConfigError, TransportError
from harness.targets.arq import WINDOW, Kind, Line, packet

READ_SECONDS: Final = 0.02  # so long a read waits for its first byte
LOST_SECONDS: Final = 15.0  # the other side says something every two seconds
KEPT_BYTES: Final = 64 << 20  # of console text
ERASE_LINE: Final = b"\x15"  # ^U
_BITS: Final = 10  # of a byte on the wire: start, eight, stop


class SerialConsole:
    """An open line and the thread that reads it.  ``size`` and ``text`` as in ConsoleText.

    ``sent`` and ``received`` count all bytes of the line.

    Opened again by itself if a terminal server drops the connection.
    """

    def __init__(self, url: str, baud: int, silence: float = LOST_SECONDS) -> None:
        """ConfigError if there is no such line.  ``silence``: when an agent counts as gone."""
        self.url, self.baud, self.silence = url, baud, silence
        self._text = bytearray()
        self._forgotten = 0
        self._changed = threading.Condition()
        self._line: Line | None = None
        self._stream = bytearray()
        self._closed = False
        self.sent = self.received = 0
        self._port = self._open()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    # --- console text ---

    def size(self) -> int:
        with self._changed:
            return self._forgotten + len(self._text)

    def text(self, start: int = 0) -> str:
        with self._changed:
            return self._text[max(start - self._forgotten, 0) :].decode(errors="replace")

    def wait(self, start: int, timeout: float) -> bytes:
        """Console bytes from ``start`` on, as soon as there are any; b"" after the timeout."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._forgotten + len(self._text) > start or self._closed, timeout
            )
            return bytes(self._text[max(start - self._forgotten, 0) :])

    def quiet(self, seconds: float, most: float) -> int:
        """Wait until nothing has come for so long, but no longer than ``most``; the size then."""
        until, size = time.monotonic() + most, self.size()
        while time.monotonic() < until and self.wait(size, seconds):
            size = self.size()
        return size

    def write(self, data: bytes) -> None:
        """TransportError if the line is gone."""
        try:
            self._port.write(data)
            self.sent += len(data)
        except (OSError, serial.SerialException) as e:
            raise TransportError(f"{self.url}: {e}", "is the terminal server there?") from None

    # --- the agent's stream ---

    def patience(self) -> float:
        """Seconds that a window of packets takes both ways, with room for who reads them late."""
        return 0.3 + 3 * WINDOW * 256 * _BITS / self.baud

    def stream(self, session: int) -> LineStream:
        """From now on packets of this session are taken out of the console text."""
        with self._changed:
            self._line = Line(session, self.patience())
            self._line.heard = time.monotonic()
            self._stream.clear()
        return LineStream(self, self._line)

    def end_stream(self, line: Line) -> None:
        """Everything is console text again.  An agent that still runs is ended."""
        with self._changed:
            if self._line is not line:
                return
            if not line.finished:
                with suppress(TransportError):
                    self.write(line.kill() + ERASE_LINE)
            self._line = None

    def kill(self) -> None:
        """End an agent that an earlier run left on the line."""
        self.write(packet(Kind.KILL, 0, 0, 0) + ERASE_LINE)  # if nobody but a terminal took it

    def exchange(self, action: Callable[[], bytes | None], timeout: float | None) -> bytes | None:
        """Call ``action`` after every change until it returns something; None: the time is over."""
        until = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            while (result := action()) is None:
                left = None if until is None else until - time.monotonic()
                if (left is not None and left <= 0) or self._closed:
                    return None
                self._changed.wait(left)
            return result

    def take(self, size: int) -> bytes:
        """Of the stream, with the lock held."""
        out = bytes(self._stream[:size])
        del self._stream[:size]
        return out

    def pump(self) -> None:
        """Write what the protocol wants to be written."""
        with self._changed:
            out = self._line.output(time.monotonic()) if self._line else b""
            if out:
                self.write(out)

    def close(self) -> None:
        """May be called twice."""
        self._closed = True
        if self._thread is not threading.current_thread():
            self._thread.join(5)
        self._port.close()
        with self._changed:
            self._changed.notify_all()

    def _open(self) -> serial.SerialBase:
        try:
            return serial.serial_for_url(self.url, baudrate=self.baud, timeout=READ_SECONDS)
        except ValueError as e:
            raise ConfigError(
                f"{self.url}: {e}", "write it like /dev/ttyUSB0, socket://host:port, rfc2217://..."
            ) from None
        except (OSError, serial.SerialException) as e:
            raise ConfigError(
                f"{self.url}: cannot open the serial line: {e}",
                "is it plugged in, may you use it (group dialout), does nobody else have it?",
            ) from None

    def _read(self) -> None:
        while not self._closed:
            try:
                data = self._some()
            except (OSError, serial.SerialException, TypeError):
                data = b""
                self._reopen()
            with self._changed:
                self.received += len(data)
                now = time.monotonic()
                if self._line and data:
                    stream, text = self._line.receive(data, now)
                    self._stream += stream
                    self._text += text
                else:
                    self._text += data
                if len(self._text) > KEPT_BYTES:
                    self._forgotten += len(self._text) - KEPT_BYTES
                    del self._text[:-KEPT_BYTES]
                with suppress(TransportError):
                    self.pump()
                self._changed.notify_all()

    def _some(self) -> bytes:
        """What there is, after at most READ_SECONDS."""
        first: bytes = self._port.read(1)
        if not first:
            return b""
        if isinstance(self._port, rfc2217.Serial):  # to which a new timeout is a dialogue
            return first + bytes(self._port.read(self._port.in_waiting))
        self._port.timeout = 0  # a socket:// does not know how much is there
        rest: bytes = self._port.read(4096)
        self._port.timeout = READ_SECONDS
        return first + rest

    def _reopen(self) -> None:
        with suppress(OSError, serial.SerialException):
            self._port.close()
        while not self._closed:
            with suppress(ConfigError):
                self._port = self._open()
                return
            time.sleep(0.2)


class LineStream:
    """The agent's stream, with the interface of a socket (``channel.Stream``)."""

    def __init__(self, console: SerialConsole, line: Line) -> None:
        self._console, self._line = console, line
        self._timeout: float | None = None

    @property
    def finished(self) -> bool:
        """The agent said that it has ended."""
        return self._line.finished

    @property
    def resent(self) -> int:
        """Packets that were sent again."""
        return self._line.resent

    def settimeout(self, value: float | None, /) -> None:
        self._timeout = value

    def send(self, data: bytes, /) -> int:
        def queue() -> bytes | None:
            if self._line.queued > 8 * WINDOW and not self.gone():
                return None
            return b"queued"

        if self._console.exchange(queue, self._timeout) is None:
            raise TimeoutError
        if self.gone():
            raise ConnectionError("the agent on the line has ended or fell silent")
        with self._console._changed:
            self._line.send(data)
        self._console.pump()
        return len(data)

    def recv(self, size: int, /) -> bytes:
        def arrived() -> bytes | None:
            data = self._console.take(size)
            return data or (b"" if self.gone() else None)

        result = self._console.exchange(arrived, self._timeout)
        if result is None:
            raise TimeoutError
        return result

    def close(self) -> None:
        self._console.end_stream(self._line)

    def gone(self, silence: float | None = None) -> bool:
        """The other side has ended, or nothing came from it for so long."""
        line = self._line
        silent = time.monotonic() - line.heard
        return line.finished or silent > (silence or self._console.silence)
