# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs for the bare-metal interpreter (bare/main.c), as data and as bytes.

A program is a tuple of operations; an operation yields one result.  All programs start in the same
state: CPU interfaces at reset, an empty linear IST for LPIs, IRS on.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from harness.ppi import REGISTERS, Register, reg

INDEX: Final = {name: index for index, name in enumerate(REGISTERS)}

# The LPIs and SPIs that programs use; the reset between programs covers them (bare/irs.c)
LPIS: Final = (0, 1, 2, 3, 4, 5, 6, 4095)
SPIS: Final = (0, 1, 2, 3, 4, 5, 6, 255)


class Code(IntEnum):
    """bare.h: enum code."""

    READ = 0
    WRITE = 1
    WINDOW = 2
    IRS_READ = 3
    IRS_WRITE = 4
    LINE = 5


class Status(IntEnum):
    """bare.h: enum status."""

    DONE = 0
    EXCEPTION = 1


@dataclass(frozen=True, slots=True)
class Op:
    """One operation on one CPU.

    ``reg`` is a register's full name (READ, WRITE); ``off`` and ``size`` are of the IRS frame.
    WRITE yields the register read back where that is possible.  LINE sets the level of SPI 1, the
    PL011's interrupt.
    """

    code: Code
    cpu: int = 0
    reg: str = ""
    value: int = 0
    off: int = 0
    size: int = 4

    @property
    def register(self) -> Register:
        return REGISTERS[self.reg]

    def __str__(self) -> str:
        if self.code is Code.READ:
            what = f"read  {self.reg}"
        elif self.code is Code.WRITE:
            what = f"write {self.reg} {self.value:#x}"
        elif self.code is Code.IRS_READ:
            what = f"read{self.size * 8}  IRS+{self.off:#x}"
        elif self.code is Code.IRS_WRITE:
            what = f"write{self.size * 8} IRS+{self.off:#x} {self.value:#x}"
        elif self.code is Code.LINE:
            what = f"line  SPI 1 {'up' if self.value else 'down'}"
        else:
            what = "window"
        return f"cpu{self.cpu} {what}"


@dataclass(frozen=True, slots=True)
class Result:
    """``value``: what was read, the ESR of an exception, or how many interrupts a window took (and,
    from bit 32, how many times CDIA then had none).  ``extra``: the INTID of a window's first."""

    value: int
    extra: int = 0
    status: Status = Status.DONE

    def __str__(self) -> str:
        if self.status is Status.EXCEPTION:
            return f"exception ESR {self.value:#x}"
        return f"{self.value:#x}" + (f", first {self.extra:#x}" if self.extra else "")


@dataclass(frozen=True, slots=True)
class Program:
    """``name`` says how to make it again: family/seed:index, or of a witness what it shows."""

    name: str
    ops: tuple[Op, ...] = field(default=())

    @property
    def cpus(self) -> int:
        """How many CPUs it needs."""
        return 1 + max((op.cpu for op in self.ops), default=0)


def read(name: str, cpu: int = 0) -> Op:
    return Op(Code.READ, cpu, reg(name).name)


def write(name: str, value: int = 0, cpu: int = 0) -> Op:
    return Op(Code.WRITE, cpu, reg(name).name, value)


def window(cpu: int = 0) -> Op:
    return Op(Code.WINDOW, cpu)


def irs_read(off: int, size: int = 4, cpu: int = 0) -> Op:
    return Op(Code.IRS_READ, cpu, off=off, size=size)


def irs_write(off: int, value: int, size: int = 4, cpu: int = 0) -> Op:
    return Op(Code.IRS_WRITE, cpu, off=off, size=size, value=value)


def line(level: int, cpu: int = 0) -> Op:
    return Op(Code.LINE, cpu, value=level)


def encode(programs: Sequence[Program]) -> bytes:
    """As bare/main.c run_batch() takes them."""
    out = bytearray()
    for program in programs:
        out += struct.pack("<Q", len(program.ops))
        for op in program.ops:
            number = INDEX[op.reg] if op.reg else op.size
            out += struct.pack("<BBHIQ", op.code, op.cpu, number, op.off, op.value)
    return bytes(out)


def decode(programs: Sequence[Program], data: bytes) -> Iterator[tuple[int, list[Result]]]:
    """For each program: what the reset before it said (0: complete), and its results."""
    at = 0
    for program in programs:
        (reset,) = struct.unpack_from("<Q", data, at)
        at += 8
        results = []
        for _ in program.ops:
            value, extra, status = struct.unpack_from("<QII", data, at)
            results.append(Result(value, extra, Status(status)))
            at += 16
        yield reset, results
