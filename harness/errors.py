# SPDX-License-Identifier: GPL-2.0-or-later
"""Whose fault it is, and what to do next.

Nothing in this tree is ever the fault of the kernel under test: that is a verdict
(report/verdict.py).
"""

from __future__ import annotations

from typing import Final

EXIT_KERNEL: Final = 1  # a kernel under test is at fault
EXIT_INTERRUPTED: Final = 130


class HarnessError(Exception):
    """Something other than the kernel under test went wrong.

    ``what`` names the file, line, option or machine; ``remedy`` is one line that says what to do.
    """

    exit_code = 2

    def __init__(self, what: str, remedy: str = "") -> None:
        self.what = what
        self.remedy = remedy
        super().__init__(f"{what}\n  remedy: {remedy}" if remedy else what)


class ConfigError(HarnessError):
    """The user's input: images.yaml, an option, a path."""

    exit_code = 4


class ProvisionError(HarnessError):
    """A package, tool, source tree or download is missing or broken."""

    exit_code = 5


class NotInArchive(ProvisionError):
    """The archive was asked, and has no such package."""


class TargetError(HarnessError):
    """The machine that carries the kernel under test failed."""

    exit_code = 6


class BootError(TargetError):
    """The host did not reach the agent.  ``console`` is what it printed."""

    def __init__(self, what: str, remedy: str = "", console: str = "") -> None:
        super().__init__(what, remedy)
        self.console = console


class TransportError(TargetError):
    """The agent's channel broke or carried something that is not the protocol."""
