# SPDX-License-Identifier: GPL-2.0-or-later
"""Accesses and their results: what the specification and the C state machine both execute."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple


class Op(IntEnum):
    """qemu_plugin/tests/replay.h, enum replay_kind"""

    READ = 0
    WRITE = 1
    IRS_READ = 2
    IRS_WRITE = 3
    LINES = 4
    SPI_LINE = 5
    GUEST = 6
    SIGNALS = 7
    RESET = 8
    NMI = 9
    MEM_READ = 10
    MEM_WRITE = 11


class Status(IntEnum):
    """qemu_plugin/tests/replay.h, enum replay_status"""

    OK = 0
    UNDEF = 1
    TRAP = 2
    UNKNOWN = 3  # no such IRS register


class Access(NamedTuple):
    op: Op
    cpu: int = 0
    el: int = 0
    size: int = 0  # IRS, memory: bytes
    where: int = 0  # encoding, offset in IRS or memory, or SPI
    value: int = 0  # 64 bits


class Result(NamedTuple):
    status: Status
    value: int


class Program(NamedTuple):
    """Accesses from reset, on a machine of `cpus` CPUs."""

    cpus: int
    accesses: tuple[Access, ...]
