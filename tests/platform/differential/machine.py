# SPDX-License-Identifier: GPL-2.0-or-later
"""A QEMU that runs the bare-metal interpreter: booted once, then fed with batches of programs.

Programs and results travel through the machine's memory, which is a file that both sides map.
"""

from __future__ import annotations

import mmap
import shutil
import struct
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Final

from harness.ppi import REGISTERS
from harness.provision.system import cross_prefix
from harness.wire_header import c_header

from .ops import LPIS, SPIS, Program, Result, decode, encode

# bare.h
RAM: Final = 0x40000000
COMM: Final = 0x41000000 - RAM
PROGRAMS: Final = 0x42000000 - RAM
RESULTS: Final = 0x44000000 - RAM
MAGIC: Final = 0x6469666635763032
MAX_CPUS: Final = 4
SNAPSHOT: Final = 64  # words for each CPU, and for the IRS
# struct comm
MAGIC_AT, REQUEST_AT, DONE_AT, CURRENT_AT = 0, 32, 48, 56
READY_AT, PANIC_AT, FIRST_AT = 64, 72, 104
LAST_AT: Final = FIRST_AT + 8 * (MAX_CPUS + 1) * SNAPSHOT

MEMORY_MIB: Final = 128
BATCH_BYTES: Final = 0x2000000  # of programs; their results take no more
BOOT_SECONDS: Final = 30.0
BATCH_SECONDS: Final = 60.0  # without a program being finished


class Side(Enum):
    """Whose GICv5, and which interface EL1 has."""

    OURS = "ours"
    VIRTUAL = "ours, the virtual CPU interface"  # no IRS; the timers are injected directly
    X5 = "x-5"

    @property
    def irs(self) -> int:
        """Address of the IRS frame."""
        return 0x08010000 if self is Side.X5 else 0x080A0000


class Died(Exception):
    """The machine died or hung; ``program`` is the one that it was running, if any."""

    def __init__(self, text: str, program: Program | None) -> None:
        super().__init__(text)
        self.program = program


@dataclass(frozen=True, slots=True)
class Tools:
    """What a machine is made of.  ``qemu``: the argv prefix that starts it."""

    qemu: tuple[str, ...]
    plugin: Path
    image: Path


def build_image(folder: Path) -> Path:
    """The interpreter as an ELF file.  CalledProcessError if it does not compile."""
    (folder / "wire.h").write_text(c_header())
    here = Path(__file__).parent / "bare"
    make = ["make", "-s", "-C", str(here), f"OUT={folder}", f"CROSS_COMPILE={cross_prefix()}"]
    subprocess.run(make, check=True)
    return folder / "bare.elf"


class Machine:
    """One booted QEMU.  ``cpus``: 1 to 4."""

    def __init__(self, tools: Tools, side: Side, cpus: int) -> None:
        self.side = side
        self.cpus = cpus
        self._folder = Path(tempfile.mkdtemp(prefix="gicv5-diff-"))
        ram = self._folder / "ram"
        with ram.open("wb") as file:
            file.truncate(MEMORY_MIB << 20)
        with ram.open("r+b") as file:
            self._ram = mmap.mmap(file.fileno(), 0)
        virtual = side is Side.VIRTUAL
        struct.pack_into("<4Q", self._ram, COMM + MAGIC_AT, MAGIC, side.irs, cpus, virtual)
        self._batches = 0
        with (self._folder / "stderr").open("wb") as stderr:
            self._process = subprocess.Popen(
                self._argv(tools, ram), stdin=subprocess.DEVNULL, stdout=stderr, stderr=stderr
            )
        try:
            self._await(READY_AT, MAGIC, BOOT_SECONDS, ())
        except BaseException:
            self.close()
            raise

    def _argv(self, tools: Tools, ram: Path) -> list[str]:
        argv = [*tools.qemu, "-cpu", "max", "-smp", str(self.cpus), "-m", str(MEMORY_MIB)]
        argv += [
            "-object",
            f"memory-backend-file,id=ram,size={MEMORY_MIB}M,mem-path={ram},share=on",
        ]
        board = "virt,memory-backend=ram,"
        if self.side is Side.X5:
            board += "gic-version=x-5"
        else:
            board += "gic-version=2,virtualization=on"
            argv += ["-plugin", str(tools.plugin)]
        argv += ["-M", board, "-accel", "tcg,thread=multi,tb-size=16"]
        argv += ["-run-with", "exit-with-parent=on", "-no-reboot", "-kernel", str(tools.image)]
        return [*argv, "-nodefaults", "-no-user-config", "-display", "none", "-serial", "null"]

    def _word(self, at: int) -> int:
        return int(struct.unpack_from("<Q", self._ram, COMM + at)[0])

    def _await(self, at: int, value: int, seconds: float, programs: Sequence[Program]) -> None:
        """Poll until a word has the value.  Died if QEMU, or the interpreter, does before."""
        deadline = time.monotonic() + seconds
        pause, was = 0.0001, 0
        while self._word(at) != value:
            current = self._word(CURRENT_AT)
            program = programs[current - 1] if 0 < current <= len(programs) else None
            if current != was:
                was, deadline = current, time.monotonic() + seconds
            if self._word(PANIC_AT):
                cpu, vector, esr, elr = struct.unpack_from("<4Q", self._ram, COMM + PANIC_AT)
                raise Died(
                    f"{self.side.name}: unforeseen exception on CPU {cpu - 1}, "
                    f"vector {vector}, ESR {esr:#x}, ELR {elr:#x}", program)  # fmt: skip
            if self._process.poll() is not None:
                raise Died(f"{self.side.name}: QEMU ended: {self.stderr()}", program)
            if time.monotonic() > deadline:
                raise Died(f"{self.side.name}: no progress in {seconds:.0f} s", program)
            time.sleep(pause)
            pause = min(pause * 2, 0.005)

    def stderr(self) -> str:
        """What QEMU and the plugin said."""
        return (self._folder / "stderr").read_text(errors="replace").strip()

    def run(self, programs: Sequence[Program]) -> list[list[Result]]:
        """The results of each program.  Died if QEMU dies, or if a reset was not complete."""
        data = encode(programs)
        if len(data) > BATCH_BYTES:
            half = len(programs) // 2
            return self.run(programs[:half]) + self.run(programs[half:])
        size = sum(8 + 16 * len(p.ops) for p in programs)
        self._ram[PROGRAMS : PROGRAMS + len(data)] = data
        self._batches += 1
        struct.pack_into("<Q", self._ram, COMM + REQUEST_AT + 8, len(programs))
        struct.pack_into("<Q", self._ram, COMM + REQUEST_AT, self._batches)
        self._await(DONE_AT, self._batches, BATCH_SECONDS, programs)
        out = []
        for i, (reset, results) in enumerate(decode(programs, self._ram[RESULTS : RESULTS + size])):
            if reset:
                raise Died(self._incomplete(), programs[i - 1] if i else None)
            out.append(results)
        return out

    def _incomplete(self) -> str:
        first, last = self._state(FIRST_AT), self._state(LAST_AT)
        changes = [
            f"{word_name(i)} {a:#x} -> {b:#x}"
            for i, (a, b) in enumerate(zip(first, last, strict=True))
            if a != b
        ]
        return f"{self.side.name}: this program outlives the reset: {'; '.join(changes)}"

    def _state(self, at: int) -> tuple[int, ...]:
        return struct.unpack_from(f"<{(MAX_CPUS + 1) * SNAPSHOT}Q", self._ram, COMM + at)

    def after_reset(self) -> list[tuple[str, int]]:
        """The state from which every program starts: all that the reset makes sure of."""
        return [(word_name(i), word) for i, word in enumerate(self._state(FIRST_AT))]

    def expect_after_reset(self, name: str, value: int) -> None:
        """From now on, let the reset be complete only if this has another value."""
        word = next(i for i, (n, _) in enumerate(self.after_reset()) if n == name)
        struct.pack_into("<Q", self._ram, COMM + FIRST_AT + 8 * word, value)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._ram.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Machine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        where: TracebackType | None,
    ) -> None:  # fmt: skip
        self.close()


_READABLE: Final = [r.name for r in REGISTERS.values() if r.readable and r.op0 == 3]
_IRS: Final = ["CR0", "CR1", "SPI_SELR", "PE_SELR", "IST_CFGR", "IST_BASER"] + [
    f"{what} {n}"
    for spi, lpi in zip(SPIS, LPIS, strict=True)
    for what, n in (("ICSR of SPI", spi), ("ICSR of LPI", lpi), ("CFGR of SPI", spi))
]


def word_name(word: int) -> str:
    """What a word of the reset state is."""
    cpu, n = divmod(word, SNAPSHOT)
    if cpu == MAX_CPUS:
        return f"IRS {_IRS[n]}" if n < len(_IRS) else ""
    return f"cpu{cpu} {_READABLE[n]}" if n < len(_READABLE) else ""
