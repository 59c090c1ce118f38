# SPDX-License-Identifier: GPL-2.0-or-later
"""Ends what the processes that we started have left behind.

An interrupted Avocado ends its runners (not always) and not what they run: a pytest, with a host.
"""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

PR_SET_CHILD_SUBREAPER: Final = 36  # linux/prctl.h
TERM_SECONDS: Final = 20.0  # a pytest closes its host first


@contextmanager
def nothing_left(seconds: float = TERM_SECONDS) -> Iterator[None]:
    """At the end, end every descendant that was started meanwhile: SIGTERM, then SIGKILL."""
    before = children()
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # orphans become our children
    try:
        yield
    finally:
        told: set[int] = set()
        end = time.monotonic() + seconds
        while left := children() - before:
            late = time.monotonic() > end
            for pid in left if late else left - told:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL if late else signal.SIGTERM)
            told |= left
            for pid in left:
                with suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)
            time.sleep(0.05)


def children() -> set[int]:
    """Of this process, those that have ended and were not waited for included."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parent = stat.read_text().rpartition(")")[2].split()[1]  # after the name: proc(5)
            if int(parent) == os.getpid():
                found.add(int(stat.parent.name))
    return found
