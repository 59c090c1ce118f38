# SPDX-License-Identifier: GPL-2.0-or-later
"""The C state machine of qemu_plugin/, as a shared library that executes arrays of accesses."""

from __future__ import annotations

import ctypes
import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from .accesses import Access, Result, Status

PLUGIN = Path(__file__).resolve().parents[3] / "qemu_plugin"
# struct replay_access, struct replay_result
_ACCESS = struct.Struct("<BBBBIQ")
_RESULT = struct.Struct("<QII")


class Outcome(NamedTuple):
    """What the C did: one result per access, up to the first after which an invariant was
    broken; which one, or None."""

    results: list[Result]
    broken: str | None


class StateMachine:
    def __init__(self, library: Path) -> None:
        lib = ctypes.CDLL(str(library))
        self._lib = lib
        self._run = lib.replay_run
        self._run.restype = ctypes.c_size_t
        self._run.argtypes = [ctypes.c_uint, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_size_t]
        self._text = lib.replay_invariant
        self._text.restype = ctypes.c_char_p
        self._text.argtypes = [ctypes.c_uint32]

    def run(self, cpus: int, accesses: Sequence[Access]) -> Outcome:
        """Execute all of `accesses` from reset on `cpus` CPUs (1 to 8)."""
        packed = b"".join([_ACCESS.pack(*access) for access in accesses])
        out = ctypes.create_string_buffer(_RESULT.size * max(1, len(accesses)))
        done = self._run(cpus, packed, out, len(accesses))
        raw = list(_RESULT.iter_unpack(out.raw[: done * _RESULT.size]))
        broken = raw[-1][2] if raw else 0
        text: bytes | None = self._text(broken) if broken else None
        results = [Result(Status(status), value) for value, status, _ in raw]
        return Outcome(results, text.decode() if text else None)

    def open(self, cpus: int) -> Session:
        """A machine that executes one access at a time; close() it."""
        return Session(self._lib, cpus)


class Session:
    def __init__(self, lib: ctypes.CDLL, cpus: int) -> None:
        lib.replay_open.restype = ctypes.c_void_p
        lib.replay_one.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p]
        lib.replay_close.argtypes = [ctypes.c_void_p]
        self._lib, self._machine = lib, ctypes.c_void_p(lib.replay_open(cpus))
        self._out = ctypes.create_string_buffer(_RESULT.size)

    def step(self, access: Access) -> tuple[Result, int]:
        """The result, and 0 or the number of the invariant that broke."""
        self._lib.replay_one(self._machine, _ACCESS.pack(*access), self._out)
        value, status, broken = _RESULT.unpack(self._out.raw)
        return Result(Status(status), value), broken

    def close(self) -> None:
        self._lib.replay_close(self._machine)


def build(out: Path, plugin: Path = PLUGIN) -> Path:
    """Compile the state machine of `plugin` into `out`; raise with the compiler's words."""
    command = ["make", "-s", "-C", str(plugin), f"OUT={out}", "replay"]
    made = subprocess.run(command, check=False, capture_output=True, text=True)
    if made.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{made.stdout}{made.stderr}")
    return out / "libgicv5-replay.so"
