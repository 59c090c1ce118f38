# SPDX-License-Identifier: GPL-2.0-or-later
"""The file that the platform writes: a header that describes it, and a ring of records.

``qemu_plugin/trace.h`` defines the format.  Names of registers, interfaces and operations come from
the file itself, which has them from the plugin's own tables; nothing of them is repeated here.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from harness.errors import ConfigError

MAGIC: Final = b"GICv5TRC"
VERSION: Final = 1
HEAD: Final = struct.Struct("<8sIIIIQQQ")
FIELDS: Final = (
    "sequence", "time", "pc", "value", "reg", "size", "interface", "op", "cpu", "el", "guest",
)  # fmt: skip
LAYOUT: Final = struct.Struct("<QQQQHBBBBBB")


@dataclass(frozen=True, slots=True)
class Record:
    """One access, or a mark.

    ``sequence`` counts from 1 over all CPUs, in the order in which the accesses took effect;
    ``time`` is in ns of the build machine's CLOCK_MONOTONIC.  ``reg``: the 16-bit encoding of a
    register or instruction, or an offset in the IRS frame; ``name``: its name, or raw.
    ``value``: what was read or written; ESR_EL2 of a trap; the instruction of an undef; of a mark
    what qemu_plugin/trace.h says.  ``guest``: the hardware was set up for a guest.
    """

    sequence: int
    time: int
    pc: int
    value: int
    reg: int
    size: int
    interface: str
    op: str
    cpu: int
    el: int
    guest: bool
    name: str


@dataclass(frozen=True, slots=True)
class Names:
    """What the numbers in the records mean."""

    interfaces: Mapping[int, str]
    ops: Mapping[int, str]
    sysregs: Mapping[int, str]
    irs: Mapping[int, str]

    def record(self, raw: bytes | memoryview) -> Record:
        """Decode one record.  What has no name gets a raw one."""
        seq, time, pc, value, reg, size, interface, op, cpu, el, guest = LAYOUT.unpack(raw)
        on = self.interfaces.get(interface, f"interface{interface}")
        if on == "irs":
            name = self.irs.get(reg, f"IRS+{reg:#x}")
        else:
            name = "" if on == "agent" else self.sysreg(reg)
        what = self.ops.get(op, f"op{op}")
        return Record(seq, time, pc, value, reg, size, on, what, cpu, el, bool(guest), name)

    def sysreg(self, encoding: int) -> str:
        """The name of a register or instruction; raw if the platform does not know it."""
        return self.sysregs.get(encoding, raw_name(encoding))


def raw_name(encoding: int) -> str:
    """The architecture's generic name of an encoding: ``S3_4_C12_C10_2``."""
    op0, op1, crn = encoding >> 14, encoding >> 11 & 7, encoding >> 7 & 15
    return f"S{op0}_{op1}_C{crn}_C{encoding >> 3 & 15}_{encoding & 7}"


class Ring:
    """A ring file, possibly one that is being written.  Use it in a ``with``, or close it."""

    def __init__(self, path: Path) -> None:
        """ConfigError if this is no such file, or not a whole one."""
        self.path = path
        try:
            with path.open("rb") as file:
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as e:  # mmap says ValueError of an empty file
            raise ConfigError(f"{path}: cannot be read: {e}", "give a trace file") from e
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        size = len(self._map)
        if size < HEAD.size or self._map[: len(MAGIC)] != MAGIC:
            raise self._unfit(
                "not a trace of GIC accesses",
                "give hardware-trace.bin of a failure, or a file of pytest --gicv5-trace",
            )
        _, version, header, record, capacity, _, started, realtime = HEAD.unpack_from(self._map)
        self.capacity, self.started, self.realtime = int(capacity), int(started), int(realtime)
        if version != VERSION:
            raise self._unfit(
                f"format {version}, this harness reads {VERSION}",
                "use the harness that recorded it",
            )
        self._records = int(header)
        if not HEAD.size <= header <= size or not capacity:
            raise self._unfit("its header is damaged", "record it again")
        due = header + capacity * record
        if size != due:
            raise self._unfit(f"{size} bytes, but its header says {due}", "copy it again, whole")
        self.names = self._names(self._map[HEAD.size : header].rstrip(b"\0"))
        if record != LAYOUT.size:
            raise self._unfit(f"records of {record} bytes", "use the harness that recorded it")

    def _unfit(self, what: str, remedy: str) -> ConfigError:
        return ConfigError(f"{self.path}: {what}", remedy)

    def _names(self, text: bytes) -> Names:
        base = {"interface": 10, "op": 10, "sysreg": 16, "irs": 16}
        tables: dict[str, dict[int, str]] = {kind: {} for kind in base}
        layout: Sequence[str] = ()
        try:
            for line in text.decode().splitlines():
                kind, *words = line.split()
                if kind == "record":
                    layout = words
                else:
                    number, name = words
                    tables[kind][int(number, base[kind])] = name
        except (ValueError, KeyError) as e:
            raise self._unfit("its header is damaged", "record it again") from e
        if list(layout) != [LAYOUT.format, *FIELDS]:
            raise self._unfit("its records have another layout", "use the harness that recorded it")
        return Names(tables["interface"], tables["op"], tables["sysreg"], tables["irs"])

    def close(self) -> None:
        self._map.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def written(self) -> int:
        """The highest sequence so far: how many were recorded, ever."""
        *_, written, _, _ = HEAD.unpack_from(self._map)
        return int(written)

    @property
    def overwritten(self) -> int:
        """How many of the first ones are gone."""
        return max(0, self.written - self.capacity)

    @property
    def damaged(self) -> int:
        """How many that should be here are not: half written when QEMU died."""
        return sum(self.raw(sequence) is None for sequence in self._sequences())

    def _sequences(self) -> range:
        written = self.written
        return range(max(0, written - self.capacity) + 1, written + 1)

    def raw(self, sequence: int) -> bytes | None:
        """The bytes of a record; None if it is gone, or was only half written when QEMU died."""
        at = self._records + (sequence - 1) % self.capacity * LAYOUT.size
        raw = self._map[at : at + LAYOUT.size]
        # A writer that came by meanwhile began with the sequence.
        same = raw[:8] == self._map[at : at + 8] == sequence.to_bytes(8, "little")
        return raw if same else None

    def records(self) -> Iterator[Record]:
        """All that are there, the oldest first."""
        return self._decoded(self._sequences())

    def newest_first(self) -> Iterator[Record]:
        """The same, from the end."""
        return self._decoded(reversed(self._sequences()))

    def _decoded(self, sequences: Iterable[int]) -> Iterator[Record]:
        for sequence in sequences:
            if (raw := self.raw(sequence)) is not None:
                yield self.names.record(raw)

    def excerpt(self, first: int, last: int) -> bytes:
        """A file that has only the records from ``first`` to ``last``, by sequence.

        What is missing is missing there, too.
        """
        kept = last - first + 1
        text = self._map[HEAD.size : self._records].rstrip(b"\0")
        head = HEAD.pack(
            MAGIC, VERSION, HEAD.size + len(text), LAYOUT.size, kept, last, self.started,
            self.realtime,
        )  # fmt: skip
        body = bytearray(kept * LAYOUT.size)
        for sequence in range(first, last + 1):
            at = (sequence - 1) % kept * LAYOUT.size
            body[at : at + LAYOUT.size] = self.raw(sequence) or bytes(LAYOUT.size)
        return head + text + bytes(body)
