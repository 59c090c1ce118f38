# SPDX-License-Identifier: GPL-2.0-or-later
"""The trace of GIC accesses: what the plugin writes, what becomes of it."""

from __future__ import annotations

import json
import re
import struct
import subprocess
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_report import check_golden

from harness.cli import main
from harness.errors import ConfigError
from harness.hwtrace.decode import Symbols, as_dict, describe, intid, line, meaning, ppis
from harness.hwtrace.fields import FORMATS, counterpart, format_of
from harness.hwtrace.ring import FIELDS, HEAD, LAYOUT, MAGIC, VERSION, Record, Ring, raw_name
from harness.hwtrace.slices import Place, is_mark, locate, slice_of
from harness.ppi import REGISTERS, U64, Kind
from harness.provision.paths import project_root

# One program of one VM on `unmasked`: userspace enables PPIs 5 and 27 (operation 5), then the
# guest runs (operation 7).
RECORDED = Path(__file__).parent / "golden" / "hardware-trace.bin"
NAMES = f"""record {LAYOUT.format} {" ".join(FIELDS)}
interface 0 phys
interface 2 ich
interface 4 agent
op 0 read
op 1 write
op 4 mark
sysreg f662 ICH_PPI_ENABLER0_EL2
"""


@pytest.fixture(scope="session")
def write_trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The plugin's own writer, in a program for this machine."""
    folder = tmp_path_factory.mktemp("plugin")
    argv = ["make", "-s", "-C", str(project_root() / "qemu_plugin"), f"OUT={folder}"]
    subprocess.run([*argv, str(folder / "write-trace")], check=True)
    return folder / "write-trace"


@pytest.fixture(scope="session")
def written(write_trace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 records of the plugin, of which a ring of 8 keeps the last."""
    path = tmp_path_factory.mktemp("ring") / "trace.bin"
    subprocess.run([write_trace, path, "8", "20"], check=True)
    return path


def ring_bytes(rows: list[tuple[int, ...]], capacity: int, text: str = NAMES) -> bytes:
    """A file as the plugin would write it: ``rows`` without sequence."""
    head = HEAD.pack(
        MAGIC, VERSION, HEAD.size + len(text), LAYOUT.size, capacity, len(rows), 1000, 0
    )
    slots = [bytes(LAYOUT.size)] * capacity
    for sequence, row in enumerate(rows, 1):
        slots[(sequence - 1) % capacity] = LAYOUT.pack(sequence, *row)
    return head + text.encode() + b"".join(slots)


def access(value: int, time: int = 1000) -> tuple[int, ...]:
    return time, 0xFFFF, value, 0xF662, 8, 2, 1, 0, 2, 0


def mark(program: int, operation: int, el: int = 0) -> tuple[int, ...]:
    return 1000, 0, operation if el else program << 16 | operation, 0, 8, 4, 4, 0, el, el


def ring_of(path: Path, rows: list[tuple[int, ...]], capacity: int) -> Ring:
    path.write_bytes(ring_bytes(rows, capacity))
    return Ring(path)


# --- the plugin's side ---


def test_what_the_plugin_writes_is_read_as_it_was_written(written: Path) -> None:
    with Ring(written) as ring:
        assert (ring.written, ring.overwritten, ring.damaged) == (20, 12, 0)
        records = list(ring.records())
        assert [r.sequence for r in records] == list(range(13, 21))
        assert records == list(ring.newest_first())[::-1]
        last = records[-1]
    assert (last.pc, last.value) == (0xFFFF800080000050, U64 - 20)
    assert (last.cpu, last.el, last.guest, last.size) == (4, 2, False, 8)
    assert (last.op, records[-2].op, records[-3].guest) == ("read", "write", True)
    assert all(a.time <= b.time for a, b in pairwise(records))


def test_every_name_is_the_plugins(written: Path) -> None:
    """The tables of the Python side speak of registers by these names, with these encodings."""
    with Ring(written) as ring:
        names = ring.names
    known = {*names.sysregs.values(), *names.irs.values()}
    assert len(known) == len(names.sysregs) + len(names.irs) > 100
    assert FORMATS.keys() <= known, FORMATS.keys() - known
    shared = {r.name: r.encoding for r in REGISTERS.values() if r.name in known}
    assert len(shared) > 40
    assert shared == {name: enc for enc, name in names.sysregs.items() if name in shared}
    for name in known:
        if re.match(r"IC[CH]_PPI_", name):
            assert format_of(name).kind is not Kind.OTHER, name


# --- the file ---

row = st.tuples(
    *[st.integers(0, U64)] * 3, st.integers(0, 0xFFFF), *[st.integers(0, 255)] * 6
)  # time, pc, value; reg; size, interface, op, cpu, el, guest


@settings(deadline=None)
@given(st.lists(row, max_size=20), st.integers(1, 8))
def test_records_come_back_whatever_they_say(rows: list[tuple[int, ...]], capacity: int) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, "ring.bin")
        with ring_of(path, rows, capacity) as ring:
            kept = list(ring.records())
            assert ring.overwritten == max(0, len(rows) - capacity)
            excerpt = ring.excerpt(kept[0].sequence, kept[-1].sequence) if kept else b""
        for record, want in zip(kept, rows[-capacity:], strict=True):
            assert (record.time, record.pc, record.value, record.reg) == want[:4]
            assert (record.cpu, record.el) == want[7:9]
            assert describe(record) in line(record, 0)
        if kept:
            path.write_bytes(excerpt)
            with Ring(path) as again:
                assert list(again.records()) == kept


GOOD = ring_bytes([access(1)], 4)
DAMAGED = {
    "empty": (b"", "cannot be read"),
    "text": (b"cpu=0 el=2 pc=0xffff800080a1b2c4\n" * 9, "not a trace of GIC accesses"),
    "short": (GOOD[:20], "not a trace of GIC accesses"),
    "cut": (GOOD[:-1], "its header says"),
    "longer": (GOOD + b"x", "its header says"),
    "newer": (GOOD[:8] + struct.pack("<I", 9) + GOOD[12:], "format 9"),
    "header beyond the end": (GOOD[:12] + b"\xff\xff\xff\xff" + GOOD[16:], "header is damaged"),
    "header of nonsense": (GOOD.replace(b"sysreg f662", b"sysreg what"), "header is damaged"),
    "another layout": (GOOD.replace(b"cpu el", b"el cpu"), "another layout"),
}


@pytest.mark.parametrize("what", DAMAGED)
def test_a_file_that_is_not_whole_is_refused(what: str, tmp_path: Path) -> None:
    content, why = DAMAGED[what]
    path = tmp_path / "bad.bin"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=why) as refused:
        Ring(path)
    assert str(path) in refused.value.what
    assert refused.value.remedy
    with pytest.raises(ConfigError, match="No such file"):
        Ring(tmp_path / "none")


def test_a_half_written_record_is_counted_and_left_out(tmp_path: Path) -> None:
    content = bytearray(ring_bytes([access(n) for n in range(6)], 4))
    at = len(content) - 2 * LAYOUT.size
    content[at : at + 8] = bytes(8)  # the sequence of the third slot, that is of record 3
    path = tmp_path / "torn.bin"
    path.write_bytes(content)
    with Ring(path) as ring:
        assert ring.damaged == 1
        assert [r.sequence for r in ring.records()] == [4, 5, 6]


# --- which operation an access belongs to ---

TWO_PROGRAMS = [
    access(1), mark(7, 0), access(2), mark(7, 1), access(3), mark(0, 0, el=1), access(4),
    mark(7, 2), access(5), mark(0, 0), access(6), mark(8, 0), access(7), mark(8, 1), access(8),
]  # fmt: skip


def values(ring: Ring, program: int) -> list[tuple[str, int]]:
    located = slice_of(ring, program).located
    return [(str(e.place), e.record.value) for e in located if not is_mark(e.record)]


def test_accesses_are_found_by_marks(tmp_path: Path) -> None:
    with ring_of(tmp_path / "r", TWO_PROGRAMS, 32) as ring:
        assert values(ring, 7) == [("0", 2), ("1", 3), ("1.0", 4), ("2", 5)]
        assert values(ring, 8) == [("0", 7), ("1", 8)], "it was not finished"
        assert values(ring, 9) == values(ring, 6) == [], "never started"
        assert [e.program for e in locate(ring.records())].count(0) == 3


@pytest.mark.parametrize("capacity", range(1, 16))
def test_a_program_whose_beginning_is_gone_says_so(capacity: int, tmp_path: Path) -> None:
    """Of 15 records the ring holds the last; program 7 has number 2 to 9, marks at 2, 4 and 8."""
    with ring_of(tmp_path / "r", TWO_PROGRAMS, capacity) as ring:
        part = slice_of(ring, 7)
        left = [value for _, value in values(ring, 7)]
    assert bool(part.located) == (capacity >= 8)
    assert part.incomplete == (8 <= capacity < 14)
    assert left == [2, 3, 4, 5][len([2, 3, 4, 5]) - len(left) :]
    assert all(each.program == 7 for each in part.located)


def test_places_are_in_order() -> None:
    assert Place.parse("4") < Place.parse("4.0") < Place.parse("4.10") < Place.parse("5")
    assert str(Place.parse("4.2")) == "4.2"


# --- words ---


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("ICH_VMCR_EL2", 0xF8000001, "VPMR=31 EN=1"),
        ("ICH_PPI_ENABLER0_EL2", 0x48000008, "SW_PPI(3), CNTV(27), CNTP(30)"),
        ("ICH_PPI_ENABLER0_EL2", U64, "all of 0-63"),
        ("ICH_PPI_ACTIVER1_EL2", 1 << 2, "PPI(66)"),
        ("ICC_PPI_PRIORITYR3_EL1", 0x10000000, "CNTV(27)=16"),
        ("ICC_PPI_PRIORITYR0_EL1", 0, "0-7: 0"),
        ("GICR_CDIA", 0x12000001B, "PPI 27 (CNTV)"),
        ("GICR_CDIA", 0, "nothing"),
        ("GIC_CDPRI", 0xF860000001, "PRIORITY=31 SPI 1"),
        ("GIC_VDPEND", 0x8000000160000005, "PENDING=1 VM=1 SPI 5"),
        ("ICH_CONTEXTR_EL2", 0x8000000300000002, "V=1 VPE=3 VM=2"),
        ("ICH_HFGWTR_EL2", 0x1C0065, "traps PPI_ENABLERn"),
        ("IRS_IST_BASER", 0x40838001, "ADDR=0x40838000 VALID=1"),
        ("IRS_PE_STATUSR", 7, "ONLINE V IDLE"),
        ("S3_4_C12_C15_7", 5, ""),
    ],
)
def test_values_in_words(name: str, value: int, words: str) -> None:
    assert meaning(name, value) == words


@given(st.integers(0, U64), st.integers(0, 1))
def test_a_bitmap_in_words_names_each_ppi(mask: int, bank: int) -> None:
    """Every number and every span, and nothing else."""
    text = ppis(mask, bank).partition("PPIs: ")[2] or ppis(mask, bank)
    named = set[int]()
    for first, last in re.findall(r"(\d+)(?:-(\d+))?(?=[,)]|$)", text):
        named |= set(range(int(first), int(last or first) + 1))
    assert named == {64 * bank + bit for bit in range(64) if mask >> bit & 1}


def test_counterparts() -> None:
    same = ("ICC_PPI_SACTIVER0_EL1", "ICC_PPI_CACTIVER0_EL1", "ICH_PPI_ACTIVER0_EL2")
    assert {counterpart(name) for name in same} == {"PPI_ACTIVER0"}
    assert counterpart("ICC_PCR_EL1") == counterpart("ICH_VMCR_EL2")
    assert counterpart("ICC_PPI_ENABLER1_EL1") != counterpart("ICH_PPI_ENABLER0_EL2")


def test_what_has_no_name_is_shown_raw(tmp_path: Path) -> None:
    unknown = (1000, 0, 5, 0xE67B, 8, 9, 9, 0, 2, 0)
    with ring_of(tmp_path / "r", [unknown], 4) as ring:
        (record,) = ring.records()
    assert (record.name, record.interface, record.op) == (raw_name(0xE67B), "interface9", "op9")
    assert raw_name(0xE67B) == "S3_4_C12_C15_3"
    assert intid(5 << 29 | 9) == "type 5 9"


def test_a_trap_says_which_instruction() -> None:
    record = Record(1, 0, 0, 0x623C3014, 0xC656, 8, "virt", "trap", 0, 1, True, "ICC_X")
    assert describe(record) == "trap  MSR ICC_X, x0  (ESR 0x623c3014)"


def test_symbols(tmp_path: Path) -> None:
    table = tmp_path / "System.map"
    table.write_text("ff00 T first\nff10 t second\nff18 D data\nff40 T _end\n")
    symbols = Symbols.load(table)
    assert [symbols.at(pc) for pc in (0xFF04, 0xFF10, 0xFF3F)] == [
        "first+0x4", "second+0x0", "second+0x2f",
    ]  # fmt: skip
    assert (symbols.at(0xFE00), symbols.at(0xFF44)) == ("0xfe00", "0xff44")
    table.write_text("this is no map\n")
    with pytest.raises(ConfigError, match=r"not a System\.map"):
        Symbols.load(table)


# --- the command ---


def shown(capsys: pytest.CaptureFixture[str], *options: str) -> list[str]:
    assert main(["trace", str(RECORDED), *options]) == 0
    return capsys.readouterr().out.splitlines()


def test_a_recorded_program(capsys: pytest.CaptureFixture[str]) -> None:
    """``--between 7 8``: what KVM does to the hardware when this guest runs."""
    check_golden("hardware-trace.txt", "\n".join(shown(capsys, "--between", "7", "8")))


@pytest.mark.parametrize(
    ("options", "accesses", "each"),
    [
        (["--reg", "ICH_PPI_ENABLER?_EL2", "--op", "write"], 8, "write ICH_PPI_ENABLER"),
        (["--op", "trap"], 1, "trap  MSR ICC_PPI_ENABLER0_EL1, x0"),
        (["--ctx", "guest", "--el", "1", "--op", "read"], 4, "guest virt"),
        (["--if", "irs"], 0, ""),
        (["--cpu", "1"], 0, ""),
        (["--between", "7.2", "7.3", "--if", "virt"], 2, "ICC_PCR_EL1"),
    ],
)
def test_filters(
    options: list[str], accesses: int, each: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = [text for text in shown(capsys, *options) if "cpu" in text and "----" not in text]
    assert len(found) == accesses, found
    assert all(each in text for text in found)


def test_json_has_every_field(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [json.loads(text) for text in shown(capsys, "--reg", "ICH_VMCR_EL2", "--json")]
    assert rows[-1]["fields"] == {"VPMR": 31, "EN": 0}
    assert {row["program"] for row in rows} == {1}
    with Ring(RECORDED) as ring:
        every = [as_dict(each, 0, Symbols()) for each in locate(ring.records())]
    assert all(json.loads(json.dumps(row)) == row for row in every)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--program", "9"], "no program 9"),
        (["--between", "x", "8"], "not operations"),
        (["--op", "wirte"], "--op wirte: unknown"),
        (["--if", "ihc"], "one of: phys, virt, ich, irs"),
        (["--symbols", "/dev/null/x"], "System.map"),
    ],
)
def test_slips_are_named(options: list[str], why: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", str(RECORDED), *options]) == ConfigError.exit_code
    assert why in capsys.readouterr().err
