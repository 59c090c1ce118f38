# SPDX-License-Identifier: GPL-2.0-or-later
"""The protocol: what is sent arrives, and what arrives damaged is noticed."""

from __future__ import annotations

import io
import re
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import programs, traces, u32

from harness import program as p
from harness import wire, wire_header
from harness.errors import TransportError
from harness.irs import Table
from harness.ppi import REGISTERS
from harness.program import MAX_RECORDS, CreateVm, IrqLine, Program, Run, Wfi, reg
from harness.trace import Trace, steps
from harness.wire import RECORD, RUN_HEAD, Code, Frame, FrameType, Hello, decode_program
from harness.wire_header import c_header, wire_hash

frames = st.builds(Frame, st.sampled_from(FrameType), u32, st.binary(max_size=200))


def send(frame: Frame) -> bytes:
    return wire.frame(frame.type, frame.sequence, frame.payload)


def receive(data: bytes) -> Frame:
    return wire.read_frame(io.BytesIO(data).read)


@given(programs, u32)
def test_program_round_trip(program: Program, deadline_ms: int) -> None:
    payload = wire.encode_program(program, deadline_ms)
    assert wire.decode_program(program.name, payload) == (
        Program(program.name, program.ops), deadline_ms,
    )  # fmt: skip
    count = len(list(steps(program)))
    assert len(payload) == wire.RUN_HEAD.size + count * wire.RECORD.size


GOLDEN: dict[p.Op, str] = {
    p.CreateVm(3): "0100 03 00 00000000 0000000000000000 0000000000000000 0000000000000000",
    p.CloseVm(3): "0200 03 00 00000000 0000000000000000 0000000000000000 0000000000000000",
    p.CreateDevice(3, 16, True):
        "0300 03 00 10000000 0100000000000000 0000000000000000 0000000000000000",
    p.CreateVcpu(3, 2, 0x1FF):
        "0400 03 02 00000000 ff01000000000000 0000000000000000 0000000000000000",
    p.InitVcpu(3, 2, 0xC):
        "0500 03 02 00000000 0c00000000000000 0000000000000000 0000000000000000",
    p.DeviceAttr(p.Action.HAS, 6, 0x5_0000_C656, 0x77, p.Pointer.UNMAPPED, 3):
        "0600 03 00 02020600 0000000000000000 56c6000005000000 7700000000000000",
    p.VcpuAttr(p.Action.GET, 1, 2, 0x77, p.Pointer.NULL, 3, 2):
        "0700 03 02 01010100 0000000000000000 0200000000000000 7700000000000000",
    p.OneReg(p.Action.GET, 0x6030_0000_0013_C005, 0x77, 3, 2):
        "0900 03 02 01000000 0000000000000000 05c0130000003060 7700000000000000",
    p.IrqLine(3, 1, 3, 0x102, p.IRQ_TYPE_PPI):
        "0a00 03 00 01000000 0300021200000000 0000000000000000 0000000000000000",
    p.Delay(0x1234): "0f00 00 00 00000000 3412000000000000 0000000000000000 0000000000000000",
    p.Run((p.Spin(0x1234),), 3, 2, 7):
        "0b00 03 02 07000000 0100000000000000 0000000000000000 0000000000000000"
        "2600 00 00 00000000 3412000000000000 0000000000000000 0000000000000000",
    p.Parallel((p.Branch((p.CloseVm(1), p.Run((p.Wfi(),))), 3), p.Branch(()))):
        "1000 00 00 02000000 0500000000000000 0000000000000000 0000000000000000"
        "1100 00 00 03000000 0300000000000000 0000000000000000 0000000000000000"
        "0200 01 00 00000000 0000000000000000 0000000000000000 0000000000000000"
        "0b00 00 00 c8000000 0100000000000000 0000000000000000 0000000000000000"
        "2200 00 00 00000000 0000000000000000 0000000000000000 0000000000000000"
        "1100 00 00 00000000 0000000000000000 0000000000000000 0000000000000000",
    p.PlaceIrs(1, 0x800_0000):
        "0c00 01 00 00000000 0000000800000000 0000000000000000 0000000000000000",
    p.Ist(p.Action.GET, 128, 16384, 2, 1, p.Pointer.NULL, 3):
        "0d00 03 00 01010200 8000000000400000 0100000000000000 0000000000000000",
    p.IstEntry(p.Action.SET, Table.SPI, 5, 0x4009, 1):
        "0e00 00 00 00030100 0500000000000000 0000000000000000 0940000000000000",
    p.CopyReg(0x180, 1, 2, p.GRP_IRS_REGS):
        "0800 01 00 02000a00 0000000000000000 8001000000000000 0000000000000000",
    p.Run((p.Read(reg("PCR")), p.Write(reg("CR0"), 1), p.Window(), p.Wfi())):
        "0b00 00 00 c8000000 0400000000000000 0000000000000000 0000000000000000"
        "2000 00 00 02ce0000 0000000000000000 0000000000000000 0000000000000000"
        "2100 00 00 01ce0000 0100000000000000 0000000000000000 0000000000000000"
        "2300 00 00 00000000 0000000000000000 0000000000000000 0000000000000000"
        "2200 00 00 00000000 0000000000000000 0000000000000000 0000000000000000",
    p.Run((p.IrsRead(0x190), p.IrsWrite(0x180, 0x41, wide=True))):
        "0b00 00 00 c8000000 0200000000000000 0000000000000000 0000000000000000"
        "2400 00 00 90010000 0000000000000000 0000000000000000 0000000000000000"
        "2500 00 00 80010000 4100000000000000 0100000000000000 0000000000000000",
}  # fmt: skip


@pytest.mark.parametrize("op", GOLDEN, ids=lambda op: type(op).__name__)
def test_the_bytes_of_an_operation(op: p.Op) -> None:
    """Fields that mean nothing are 0."""
    payload = wire.encode_program(Program("x/y", (op,)), 1)[RUN_HEAD.size :]
    assert payload.hex(" ", 32) == bytes.fromhex(GOLDEN[op]).hex(" ", 32)


@given(programs, st.data())
def test_cut_program_is_refused(program: Program, data: st.DataObject) -> None:
    payload = wire.encode_program(program, 1)
    cut = data.draw(st.integers(0, len(payload) - 1))
    with pytest.raises((ValueError, struct.error)):
        wire.decode_program("x/y", payload[:cut])


def test_program_too_large() -> None:
    wire.encode_program(Program("x/fits", (CreateVm(),) * MAX_RECORDS), 1)
    with pytest.raises(ValueError, match=r"x/big: 1025 records, at most 1024"):
        wire.encode_program(Program("x/big", (Run((Wfi(),) * MAX_RECORDS),)), 1)


@given(traces)
def test_trace_round_trip(trace: Trace) -> None:
    assert wire.decode_trace(wire.encode_trace(trace)) == trace


@given(traces, st.data())
def test_cut_trace_is_refused(trace: Trace, data: st.DataObject) -> None:
    payload = wire.encode_trace(trace)
    needed = wire.TRACE_HEAD.size + len(trace.results) * wire.RESULT.size
    cut = data.draw(st.integers(0, needed - 1))
    with pytest.raises(TransportError, match="malformed trace"):
        wire.decode_trace(payload[:cut])


def test_trace_with_unknown_status() -> None:
    payload = wire.TRACE_HEAD.pack(0, 0, 1) + wire.RESULT.pack(0, 99, 0, 0)
    with pytest.raises(TransportError, match="99 is not a valid Status"):
        wire.decode_trace(payload)


def test_log_need_not_be_utf8() -> None:
    payload = wire.encode_trace(Trace(())) + b"\xff!"
    assert wire.decode_trace(payload).log == "�!"


@given(st.lists(frames, max_size=4))
def test_frame_round_trip(sent: list[Frame]) -> None:
    stream = io.BytesIO(b"".join(map(send, sent)))
    assert [wire.read_frame(stream.read) for _ in sent] == sent


@given(frames, st.data())
def test_cut_frame(frame: Frame, data: st.DataObject) -> None:
    whole = send(frame)
    with pytest.raises(TransportError, match=r"closed|cut off"):
        receive(whole[: data.draw(st.integers(0, len(whole) - 1))])


@given(frames, st.data())
def test_corrupted_frame(frame: Frame, data: st.DataObject) -> None:
    """Any flipped bit of magic, length, CRC or payload is noticed, with its own reason."""
    whole = bytearray(send(frame))
    protected = [*range(4), *range(12, len(whole))]
    position = data.draw(st.sampled_from(protected))
    whole[position] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(TransportError, match=r"not a frame|a frame of|cut off|corrupted"):
        receive(bytes(whole))


def test_the_bytes_of_a_frame() -> None:
    head = "47354652 0200 0000 07000000 03000000 c2412435"
    assert wire.frame(FrameType.RUN, 7, b"abc") == bytes.fromhex(head) + b"abc"
    assert wire.frame(FrameType.QUIT, 1)[12:] == bytes(8)


def test_the_bytes_of_a_command() -> None:
    assert wire.encode_command(["echo", "naïve"], 1.5) == b"\xdc\5\0\0echo\0na\xc3\xafve\0"
    assert wire.encode_command([], 0.25) == b"\xfa\0\0\0"


def test_the_largest_frame() -> None:
    """Its length is no reason to refuse it; only then is it missed."""

    def head(length: int) -> bytes:
        return wire.FRAME.pack(wire.MAGIC, FrameType.RUN, 0, 1, length, 0)

    with pytest.raises(TransportError, match=r"cut off: 0 of 1048576 bytes"):
        receive(head(wire.MAX_PAYLOAD))
    with pytest.raises(TransportError, match=r"a frame of 1048577 bytes"):
        receive(head(wire.MAX_PAYLOAD + 1))


def test_reasons() -> None:
    good = send(Frame(FrameType.HELLO, 1, b"abc"))
    for data, reason in {
        b"": "channel closed (0 bytes of a frame arrived)",
        b"x" * 20: "not a frame: magic 0x78787878, expected 0x52463547",
        good[:-1]: "a frame was cut off: 2 of 3 bytes",
        good[:-1] + b"x": "a corrupted frame",
        wire.FRAME.pack(wire.MAGIC, 99, 0, 1, 0, 0): "a frame of unknown type 99",
        wire.FRAME.pack(wire.MAGIC, 1, 0, 1, 1 << 30, 0): "a frame of 1073741824 bytes",
    }.items():
        with pytest.raises(TransportError, match=re.escape(reason)):
            receive(data)


@given(st.integers(0, 0xFFFF), st.integers(0, 0xFFF), st.integers(0, 15))
def test_kvm_irq(number: int, vcpu: int, type_: int) -> None:
    """vcpu2 in [31:28], type in [27:24], vcpu in [23:16], number in [15:0]."""
    irq = wire.kvm_irq(IrqLine(number, 1, vcpu=vcpu, type=type_))
    assert irq >> 28 == vcpu >> 8
    assert (irq >> 24 & 15, irq >> 16 & 255, irq & 0xFFFF) == (type_, vcpu & 255, number)


def test_hello() -> None:
    payload = wire.HELLO.pack(7, 2, 0, -19, -6, 1, 512, -6) + b"7.3.4\0#1 SMP\0"
    assert Hello.decode(payload) == Hello(7, 2, 0, -19, -6, 1, 512, -6, "7.3.4", "#1 SMP")
    for broken in (b"", payload[:10], payload[: wire.HELLO.size], payload[:-8] + b"\xff\0\0"):
        with pytest.raises(TransportError, match="malformed greeting"):
            Hello.decode(broken)


def test_sizes_are_those_of_the_c_structs() -> None:
    sizes = [s.size for s in (wire.FRAME, wire.RECORD, wire.RESULT, wire.RUN_HEAD, wire.EXEC_HEAD,
                              wire.TRACE_HEAD, wire.HELLO)]  # fmt: skip
    assert sizes == [20, 32, 24, 8, 4, 12, 32]


@pytest.mark.skipif(not shutil.which("cc"), reason="needs a C compiler")
def test_header_compiles_and_agrees() -> None:
    structs = ["frame", "record", "result", "run", "exec", "trace", "hello"]
    sizes = [20, 32, 24, 8, 4, 12, 32]
    checks = "".join(
        f'_Static_assert(sizeof(struct wire_{name}) == {size}, "{name}");\n'
        for name, size in zip(structs, sizes, strict=True)
    )
    count = f'_Static_assert(0 WIRE_REGISTERS(ONE) == {len(REGISTERS)}, "registers");\n'
    source = c_header() + "#define ONE(...) + 1\n" + checks + count
    argv = ["cc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-x", "c", "-"]
    source = source.replace("#pragma once\n", "")
    done = subprocess.run(argv, input=source, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_header_is_as_it_was_last_seen() -> None:
    """A change of the protocol is to be read: python -m harness.wire_header > golden/wire.h"""
    golden = Path(__file__).parent / "golden" / "wire.h"
    assert c_header() == golden.read_text()


def test_hash_follows_the_registers(monkeypatch: pytest.MonkeyPatch) -> None:
    before = wire_hash()
    assert f"{before:#x}u" in c_header()
    monkeypatch.setattr(
        wire_header, "REGISTERS", {k: v for k, v in REGISTERS.items() if k[0] != "G"}
    )
    assert wire_hash() != before


@pytest.mark.parametrize(
    ("records", "says"),
    [
        ([], "no program"),
        ([(Code.RUN, 0, 0, 0, 2, 0, 0), (Code.GUEST_WFI, 0, 0, 0, 0, 0, 0)], "has 1"),
        ([(Code.RUN, 0, 0, 0, 1, 0, 0), (Code.GUEST_READ, 0, 0, 0xFFFF, 0, 0, 0)], "0xffff"),
        ([(Code.GUEST_WFI, 0, 0, 0, 0, 0, 0)], "GUEST_WFI in the wrong place"),
        (
            [(Code.RUN, 0, 0, 0, 1, 0, 0), (Code.CREATE_VM, 0, 0, 0, 0, 0, 0)],
            "^CREATE_VM inside a RUN$",
        ),
        (
            [(Code.PARALLEL, 0, 0, 1, 1, 0, 0), (Code.RUN, 0, 0, 0, 0, 0, 0)],
            "^RUN between the branches of a PARALLEL$",
        ),
        (
            [
                (Code.PARALLEL, 0, 0, 1, 2, 0, 0),
                (Code.BRANCH, 0, 0, 0, 1, 0, 0),
                (Code.CREATE_VM, 0, 0, 0, 0, 0, 0),
            ],
            "^CreateVm in a branch$",
        ),
    ],
)
def test_a_malformed_program_is_a_value_error(records: list[tuple[int, ...]], says: str) -> None:
    body = b"".join(RECORD.pack(*record) for record in records)
    payload = RUN_HEAD.pack(1000, len(records)) + body if records else b"\0\0"
    with pytest.raises(ValueError, match=says):
        decode_program("x", payload)
