# SPDX-License-Identifier: GPL-2.0-or-later
"""guest/ builds, and its image contains what the wire's table says and nothing else of the GIC."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from harness.ppi import REGISTERS, Register
from harness.wire_header import c_header

CROSS = "aarch64-linux-gnu-"
GUEST = Path(__file__).resolve().parents[2] / "guest"
SOURCES = sorted(p for p in GUEST.rglob("*") if p.suffix in {".c", ".h", ".S"})
ENTRY = 0x40000000
# What the guest may touch outside the tables: nothing of the GIC, whose state is under test.
OWN_REGISTERS = {"cntvct_el0", "cntfrq_el0", "daifset", "daifclr", "spsel", "tpidr_el1", "vbar_el1",
                 "elr_el1", "esr_el1", "spsr_el1"}  # fmt: skip
GSB = (0xD508C01F, 0xD508C03F)

needs_compiler = pytest.mark.skipif(
    shutil.which(f"{CROSS}gcc") is None, reason=f"no {CROSS}gcc (gcc-aarch64-linux-gnu)"
)


def tool(name: str, *args: str | Path) -> str:
    command = [CROSS + name, *map(str, args)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def make(out: Path) -> subprocess.CompletedProcess[str]:
    command = ["make", "-C", str(GUEST), f"OUT={out}", f"CROSS_COMPILE={CROSS}", "-j2"]
    return subprocess.run(command, check=False, capture_output=True, text=True)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("guest")
    (out / "wire.h").write_text(c_header())
    result = make(out)
    assert result.returncode == 0, result.stdout + result.stderr
    return out


def symbols(elf: Path) -> dict[str, int]:
    lines = (line.split() for line in tool("nm", elf).splitlines())
    return {name: int(address, 16) for address, _, name in lines}


def words(register: Register, read: int) -> tuple[int, int]:
    """The two instructions that access a register: MRS, MSR, SYSL or SYS with x0; RET."""
    r = register
    fields = r.op0 << 19 | r.op1 << 16 | r.crn << 12 | r.crm << 8 | r.op2 << 5
    return 0xD5000000 | read << 21 | fields, 0xD65F03C0


@needs_compiler
def test_init_is_a_small_static_arm64_program(built: Path) -> None:
    header = tool("readelf", "-hl", built / "init")
    assert "AArch64" in header
    assert "INTERP" not in header
    assert (built / "init").stat().st_size < 1 << 20


@needs_compiler
def test_the_tables_hold_the_instructions_of_the_wire(built: Path) -> None:
    elf = built / "obj/el1/guest.elf"
    at = symbols(elf)
    image = (built / "obj/el1/guest.bin").read_bytes()
    assert at["_start"] == ENTRY
    for table, read in (("read_table", 1), ("write_table", 0)):
        start = at[table] - ENTRY
        for index, register in enumerate(REGISTERS.values()):
            found = struct.unpack_from("<II", image, start + 8 * index)
            assert found == words(register, read), f"{table}: {register}"


@needs_compiler
def test_the_guest_touches_no_gic_register_on_its_own(built: Path) -> None:
    elf = built / "obj/el1/guest.elf"
    at = symbols(elf)
    code = tool("objdump", "-d", elf)
    seen = 0
    for line in code.splitlines():
        match = re.match(r"\s*([0-9a-f]+):\s+([0-9a-f]{8})\s+(.*)", line)
        if not match:
            continue
        address, word, text = int(match[1], 16), int(match[2], 16), match[3].lower()
        if at["instructions"] <= address < at["instructions_end"] or word in GSB:
            continue
        if word >> 22 == 0xD5000000 >> 22 and re.match(r"(mrs|msr|sys|sysl|gic)\b", text):
            assert OWN_REGISTERS & set(re.split(r"[\s,]+", text)), line
            seen += 1
    assert seen > len(OWN_REGISTERS)


@needs_compiler
def test_a_missing_header_says_where_it_comes_from(tmp_path: Path) -> None:
    result = make(tmp_path)
    assert result.returncode != 0
    assert "python -m harness.wire_header" in result.stderr


@pytest.mark.skipif(shutil.which("clang-format") is None, reason="no clang-format")
def test_sources_are_formatted() -> None:
    c_files = [str(p) for p in SOURCES if p.suffix != ".S"]
    command = ["clang-format", "--dry-run", "--Werror", *c_files]
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(GUEST)))
def test_sources_name_their_licence(path: Path) -> None:
    assert "SPDX-License-Identifier: GPL-2.0-or-later" in path.read_text().splitlines()[0]
