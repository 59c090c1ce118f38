# SPDX-License-Identifier: GPL-2.0-or-later
"""A way to a board: a shell for commands, and a byte stream to a program there."""

from __future__ import annotations

from typing import Protocol

from harness.errors import BootError
from harness.targets.base import CommandOutput
from harness.targets.channel import Stream


class Unreachable(BootError):
    """Nobody answers there: not yet, or not any more."""


class Refused(BootError):
    """Somebody answers and does not let us in: to try again is pointless."""


class Link(Protocol):
    """One login on a board.  Not thread-safe."""

    name: str

    def execute(self, command: str, timeout: float, data: bytes = b"") -> CommandOutput:
        """Run a command of the board's shell, with ``data`` as its input.

        TransportError if the link broke; CommandOutput.text is stdout and stderr.
        """
        ...

    def start(self, command: str) -> Stream:
        """Run a program that talks frames on its stdin and stdout."""
        ...

    def alive(self, timeout: float) -> bool:
        """Whether the board still answers, beside the program that was started."""
        ...

    def ended(self) -> bool:
        """Whether the program that was started is known to have ended by itself."""
        ...

    def last_words(self) -> str:
        """What the program that was started said besides, and how it ended, as far as known."""
        ...

    def close(self) -> None:
        """May be called twice."""
        ...
