# SPDX-License-Identifier: GPL-2.0-or-later
"""How far it is: one line that is overwritten, or one now and then for a log."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Final

TERMINAL_SECONDS: Final = 0.2
LOG_SECONDS: Final = 10.0


class ProgressLine:
    """On stderr."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._every = TERMINAL_SECONDS if self._terminal else LOG_SECONDS
        self._last = time.monotonic()
        self._shown = False

    def show(self, text: str) -> None:
        """Show it, unless that was done a moment ago."""
        now = time.monotonic()
        if now - self._last < self._every:
            return
        self._last = now
        if self._terminal:
            print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
            self._shown = True
        else:
            print(f"gicv5: {text}", file=sys.stderr, flush=True)

    def say(self, text: str) -> None:
        self.clear()
        print(text, file=sys.stderr, flush=True)

    def clear(self) -> None:
        if self._shown:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
            self._shown = False

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.clear()
