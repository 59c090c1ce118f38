# SPDX-License-Identifier: GPL-2.0-or-later
"""What kernels did with the suite's programs, as digests: kept in golden/, compared with the model.

A line is a program's name, a digest of its operations, and one of the trace that the model expected
and the kernel agreed with, including which bits the model knows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from harness import wire
from harness.model.behaviour import Behaviour, Finalize, LateWrites
from harness.program import Program
from harness.trace import Trace

GOLDEN: Final = Path(__file__).parent / "golden"
KERNELS: Final[Mapping[str, Behaviour]] = {
    "masked": Behaviour(),
    "masked-exposed": Behaviour(late_writes=LateWrites.EXPOSED),
    "stock": Behaviour(accessors=False, finalize=Finalize.FIRST_CREATED),
}


def program_digest(program: Program) -> str:
    return _digest(wire.encode_program(program, 0))


def trace_digest(trace: Trace) -> str:
    results = [(r.ret, r.status.value, r.value & r.known, r.extra, r.known) for r in trace.results]
    return _digest(repr((results, trace.ending.value)).encode())


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:8]


def place(kernel: str) -> Path:
    return GOLDEN / f"traces-{kernel}.txt"


def read(kernel: str) -> dict[str, tuple[str, str]]:
    """Program and trace digest by program name."""
    lines = [line.split() for line in place(kernel).read_text().splitlines()]
    return {name: (program, trace) for name, program, trace in lines}
