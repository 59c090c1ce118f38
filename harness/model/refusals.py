# SPDX-License-Identifier: GPL-2.0-or-later
"""Why an operation of the model has no result of its own."""

from __future__ import annotations


class Refused(Exception):
    """The kernel returns this errno."""

    def __init__(self, errno: int) -> None:
        super().__init__(errno)
        self.errno = errno


class NotModelled(ValueError):
    """The program does something that the model has no rule for."""


class TimeDependent(ValueError):
    """What happens next depends on when it happens, so no trace is the right one."""
