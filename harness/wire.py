# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs and traces as bytes: the protocol between harness and agent.

This module is its only definition: the C side includes the header that wire_header.py makes of it.
All integers are little-endian.

A frame is a header (``FRAME``) and a payload::

    magic "G5FR" | type u16 | zero u16 | sequence u32 | length u32 | crc32 of the payload

harness -> agent  RUN      a program: deadline in ms (u32), number of records (u32), the records
                  EXEC     a command of the host's own: timeout in ms (u32), NUL-separated argv
                  QUIT     power off
agent -> harness  HELLO    what the host is (``Hello``); sent once, first
                  EXECUTING  this program starts (its sequence number; sent before its first ioctl)
                  TRACE    ending, signal, number of records (u32 each), the results, kernel log
                  OUTPUT   of EXEC: wait status (u32), then the command's output
                  REJECTED the agent's reason why it cannot execute what it got; sequence 0 if
                           that was not even a frame
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import islice
from typing import Final

from harness import program as p
from harness.errors import TransportError
from harness.irs import Table
from harness.ppi import BY_ENCODING, Register
from harness.trace import Ending, Result, Status, Trace

MAGIC: Final = 0x52463547  # "G5FR"
MAX_PAYLOAD: Final = 1 << 20
FRAME: Final = struct.Struct("<IHHIII")
RECORD: Final = struct.Struct("<HBBIQQQ")  # code, vm, vcpu, arg, a, b, c
RESULT: Final = struct.Struct("<iIQQ")  # ret, status, value, extra
RUN_HEAD: Final = struct.Struct("<II")  # deadline_ms, records
EXEC_HEAD: Final = struct.Struct("<I")  # timeout_ms
TRACE_HEAD: Final = struct.Struct("<III")  # ending, signal, records
HELLO: Final = struct.Struct("<IIiiiiIi")


class FrameType(IntEnum):
    HELLO = 1
    RUN = 2
    EXECUTING = 3
    TRACE = 4
    EXEC = 5
    OUTPUT = 6
    REJECTED = 7
    QUIT = 8


class Code(IntEnum):
    """The code of a record.  Guest operations follow their RUN record."""

    CREATE_VM = 1
    CLOSE_VM = 2
    CREATE_DEVICE = 3  # arg: type, a: flags
    CREATE_VCPU = 4  # a: id
    INIT_VCPU = 5  # a: features word 0
    DEVICE_ATTR = 6  # arg: action | pointer << 8 | group << 16, b: attr, c: value
    VCPU_ATTR = 7  # the same
    COPY_REG = 8  # arg: destination VM | group << 16, b: attr
    ONE_REG = 9  # arg: action, b: id, c: value
    IRQ_LINE = 10  # arg: level, a: kvm_irq_level.irq
    RUN = 11  # arg: wait_ms, a: number of guest records that follow
    PLACE_IRS = 12  # a: address
    IST = 13  # arg: action | pointer << 8 | image << 16, a: SPI bytes | LPI bytes << 32, b: attr
    IST_ENTRY = 14  # arg: action | table << 8 | image << 16, a: index, c: value
    DELAY = 15  # a: ns
    PARALLEL = 16  # arg: number of branches, a: number of records that follow; each branch is a
    BRANCH = 17  # BRANCH record (arg: CPU, a: number of records that follow) and its operations
    GUEST_READ = 32  # arg: register encoding
    GUEST_WRITE = 33  # arg: register encoding, a: value
    GUEST_WFI = 34
    GUEST_WINDOW = 35
    GUEST_IRS_READ = 36  # arg: offset, b: 1 if wide
    GUEST_IRS_WRITE = 37  # arg: offset, a: value, b: 1 if wide
    GUEST_SPIN = 38  # a: ns


def kvm_irq(op: p.IrqLine) -> int:
    """``kvm_irq_level.irq``: vcpu2[31:28] type[27:24] vcpu[23:16] number[15:0]."""
    return (op.vcpu >> 8 & 0xF) << 28 | op.type << 24 | (op.vcpu & 0xFF) << 16 | op.number & 0xFFFF


def _attr(action: p.Action, pointer: p.Pointer, group: int) -> int:
    return action | pointer << 8 | group << 16


def _record(op: p.Op) -> bytes:
    pack = RECORD.pack
    match op:
        case p.CreateVm():
            return pack(Code.CREATE_VM, op.vm, 0, 0, 0, 0, 0)
        case p.CloseVm():
            return pack(Code.CLOSE_VM, op.vm, 0, 0, 0, 0, 0)
        case p.CreateDevice():
            return pack(Code.CREATE_DEVICE, op.vm, 0, op.type, int(op.test), 0, 0)
        case p.CreateVcpu():
            return pack(Code.CREATE_VCPU, op.vm, op.vcpu, 0, op.id, 0, 0)
        case p.InitVcpu():
            return pack(Code.INIT_VCPU, op.vm, op.vcpu, 0, op.features, 0, 0)
        case p.DeviceAttr():
            arg = _attr(op.action, op.pointer, op.group)
            return pack(Code.DEVICE_ATTR, op.vm, 0, arg, 0, op.attr, op.value)
        case p.VcpuAttr():
            arg = _attr(op.action, op.pointer, op.group)
            return pack(Code.VCPU_ATTR, op.vm, op.vcpu, arg, 0, op.attr, op.value)
        case p.CopyReg():
            return pack(Code.COPY_REG, op.vm, 0, op.to_vm | op.group << 16, 0, op.attr, 0)
        case p.PlaceIrs():
            return pack(Code.PLACE_IRS, op.vm, 0, 0, op.address, 0, 0)
        case p.Ist():
            arg = _attr(op.action, op.pointer, op.image)
            return pack(Code.IST, op.vm, 0, arg, op.spi_bytes | op.lpi_bytes << 32, op.attr, 0)
        case p.IstEntry():
            arg = op.action | op.table << 8 | op.image << 16
            return pack(Code.IST_ENTRY, 0, 0, arg, op.index, 0, op.value)
        case p.OneReg():
            return pack(Code.ONE_REG, op.vm, op.vcpu, op.action, 0, op.id, op.value)
        case p.IrqLine():
            return pack(Code.IRQ_LINE, op.vm, 0, op.level, kvm_irq(op), 0, 0)
        case p.Run():
            head = pack(Code.RUN, op.vm, op.vcpu, op.wait_ms, len(op.guest), 0, 0)
            return head + b"".join(map(_guest_record, op.guest))
        case p.Delay():
            return pack(Code.DELAY, 0, 0, 0, op.ns, 0, 0)
        case p.Parallel():
            body = b"".join(map(_branch, op.branches))
            count = len(body) // RECORD.size
            return pack(Code.PARALLEL, 0, 0, len(op.branches), count, 0, 0) + body


def _branch(branch: p.Branch) -> bytes:
    body = b"".join(map(_record, branch.ops))
    head = RECORD.pack(Code.BRANCH, 0, 0, branch.cpu, len(body) // RECORD.size, 0, 0)
    return head + body


def _guest_record(op: p.GuestOp) -> bytes:
    match op:
        case p.Read():
            return RECORD.pack(Code.GUEST_READ, 0, 0, op.reg.encoding, 0, 0, 0)
        case p.Write():
            return RECORD.pack(Code.GUEST_WRITE, 0, 0, op.reg.encoding, op.value, 0, 0)
        case p.Wfi():
            return RECORD.pack(Code.GUEST_WFI, 0, 0, 0, 0, 0, 0)
        case p.Window():
            return RECORD.pack(Code.GUEST_WINDOW, 0, 0, 0, 0, 0, 0)
        case p.IrsRead():
            return RECORD.pack(Code.GUEST_IRS_READ, 0, 0, op.offset, 0, op.wide, 0)
        case p.IrsWrite():
            return RECORD.pack(Code.GUEST_IRS_WRITE, 0, 0, op.offset, op.value, op.wide, 0)
        case p.Spin():
            return RECORD.pack(Code.GUEST_SPIN, 0, 0, 0, op.ns, 0, 0)


def encode_command(argv: Sequence[str], timeout: float) -> bytes:
    """The payload of an EXEC frame.  ``timeout``: seconds, after which the agent kills it."""
    return EXEC_HEAD.pack(int(timeout * 1000)) + b"".join(arg.encode() + b"\0" for arg in argv)


def encode_program(program: p.Program, deadline_ms: int) -> bytes:
    """The payload of a RUN frame.  ValueError if the program is larger than the agent can hold."""
    records = b"".join(map(_record, program.ops))
    count = len(records) // RECORD.size
    if count > p.MAX_RECORDS:
        raise ValueError(f"{program.name}: {count} records, at most {p.MAX_RECORDS}")
    return RUN_HEAD.pack(deadline_ms, count) + records


def decode_program(name: str, payload: bytes) -> tuple[p.Program, int]:
    """The inverse of ``encode_program``: the program and its deadline.  ValueError if malformed."""
    if len(payload) < RUN_HEAD.size:
        raise ValueError(f"{name}: {len(payload)} bytes are no program")
    deadline_ms, count = RUN_HEAD.unpack_from(payload)
    if len(payload) != RUN_HEAD.size + count * RECORD.size:
        raise ValueError(f"{name}: {len(payload)} bytes do not hold {count} records")
    records = RECORD.iter_unpack(payload[RUN_HEAD.size :])
    return p.Program(name, tuple(_decode_ops(records))), deadline_ms


def _decode_ops(records: Iterator[tuple[int, ...]]) -> Iterator[p.Op]:
    for code, vm, vcpu, arg, a, b, c in records:
        action, pointer, group = arg & 0xFF, arg >> 8 & 0xFF, arg >> 16
        match Code(code):
            case Code.CREATE_VM:
                yield p.CreateVm(vm)
            case Code.CLOSE_VM:
                yield p.CloseVm(vm)
            case Code.CREATE_DEVICE:
                yield p.CreateDevice(vm, arg, bool(a))
            case Code.CREATE_VCPU:
                yield p.CreateVcpu(vm, vcpu, a)
            case Code.INIT_VCPU:
                yield p.InitVcpu(vm, vcpu, a)
            case Code.DEVICE_ATTR:
                yield p.DeviceAttr(p.Action(action), group, b, c, p.Pointer(pointer), vm)
            case Code.VCPU_ATTR:
                yield p.VcpuAttr(p.Action(action), group, b, c, p.Pointer(pointer), vm, vcpu)
            case Code.COPY_REG:
                yield p.CopyReg(b, vm, arg & 0xFFFF, group)
            case Code.PLACE_IRS:
                yield p.PlaceIrs(vm, a)
            case Code.IST:
                how = p.Action(action), a & 0xFFFF_FFFF, a >> 32, group, b
                yield p.Ist(*how, p.Pointer(pointer), vm)
            case Code.IST_ENTRY:
                yield p.IstEntry(p.Action(action), Table(pointer), a, c, group)
            case Code.ONE_REG:
                yield p.OneReg(p.Action(action), b, c, vm, vcpu)
            case Code.IRQ_LINE:
                target = (a >> 16 & 0xFF) | (a >> 28 & 0xF) << 8
                yield p.IrqLine(a & 0xFFFF, arg, vm, target, a >> 24 & 0xF)
            case Code.RUN:
                guest = tuple(map(_decode_guest, islice(records, a)))
                if len(guest) < a:
                    raise ValueError(f"a RUN of {a} guest records has {len(guest)}")
                yield p.Run(guest, vm, vcpu, arg)
            case Code.DELAY:
                yield p.Delay(a)
            case Code.PARALLEL:
                yield p.Parallel(tuple(_decode_branches(islice(records, a))))
            case _:
                raise ValueError(f"record {Code(code).name} in the wrong place")


def _decode_branches(records: Iterator[tuple[int, ...]]) -> Iterator[p.Branch]:
    for code, _, _, cpu, count, _, _ in records:
        if code != Code.BRANCH:
            raise ValueError(f"{Code(code).name} between the branches of a PARALLEL")
        ops = tuple(_decode_ops(islice(records, count)))
        for op in ops:
            if not isinstance(op, p.BranchOp):
                raise ValueError(f"{type(op).__name__} in a branch")
        yield p.Branch(ops, cpu)  # type: ignore[arg-type]


def _decode_guest(record: tuple[int, ...]) -> p.GuestOp:
    code, _, _, arg, a, b, _ = record
    match Code(code):
        case Code.GUEST_READ:
            return p.Read(_register(arg))
        case Code.GUEST_WRITE:
            return p.Write(_register(arg), a)
        case Code.GUEST_WFI:
            return p.Wfi()
        case Code.GUEST_WINDOW:
            return p.Window()
        case Code.GUEST_IRS_READ:
            return p.IrsRead(arg, bool(b))
        case Code.GUEST_IRS_WRITE:
            return p.IrsWrite(arg, a, bool(b))
        case Code.GUEST_SPIN:
            return p.Spin(a)
    raise ValueError(f"{Code(code).name} inside a RUN")


def _register(encoding: int) -> Register:
    if encoding not in BY_ENCODING:
        raise ValueError(f"no register has the encoding {encoding:#x}")
    return BY_ENCODING[encoding]


def encode_trace(trace: Trace) -> bytes:
    """The payload of a TRACE frame (the agent's side, for tests and fake agents)."""
    head = TRACE_HEAD.pack(trace.ending, trace.signal, len(trace.results))
    body = b"".join(RESULT.pack(r.ret, r.status, r.value, r.extra) for r in trace.results)
    return head + body + trace.log.encode()


def decode_trace(payload: bytes) -> Trace:
    """The trace in a TRACE frame.  TransportError if it is not one."""
    try:
        ending, signal, count = TRACE_HEAD.unpack_from(payload)
        end = TRACE_HEAD.size + count * RESULT.size
        if end > len(payload):
            raise ValueError(f"{count} results announced, {len(payload)} bytes received")
        results = tuple(
            Result(ret, Status(status), value, extra)
            for ret, status, value, extra in RESULT.iter_unpack(payload[TRACE_HEAD.size : end])
        )
        log = payload[end:].decode(errors="replace")
        return Trace(results, Ending(ending), signal, log)
    except (struct.error, ValueError) as e:
        raise TransportError(f"the agent sent a malformed trace: {e}") from e


@dataclass(frozen=True, slots=True)
class Hello:
    """What the agent found on its host at boot.  Each ``*_errno`` is 0 or a positive errno.

    ``sysregs_errno``: of KVM_HAS_DEVICE_ATTR(CPU_SYSREGS, ICC_PPI_ENABLER0_EL1) on a VM with an
    initialised VGICv5.  ``irs_errno``: of KVM_HAS_DEVICE_ATTR(ADDR, IRS), likewise.  ``pmu``:
    KVM_CAP_ARM_PMU_V3.
    """

    wire_hash: int
    cpus: int
    kvm_errno: int
    vgic_v5_errno: int
    sysregs_errno: int
    pmu: int
    max_vcpus: int
    irs_errno: int
    release: str  # uname -r
    version: str  # uname -v

    @staticmethod
    def decode(payload: bytes) -> Hello:
        """TransportError if the payload is not a HELLO."""
        try:
            wire, cpus, kvm, v5, sysregs, pmu, max_vcpus, irs = HELLO.unpack_from(payload)
            release, version, *_ = payload[HELLO.size :].decode().split("\0")
        except (struct.error, ValueError) as e:
            raise TransportError(f"the agent sent a malformed greeting: {e}") from e
        return Hello(wire, cpus, kvm, v5, sysregs, pmu, max_vcpus, irs, release, version)


def frame(type_: FrameType, sequence: int, payload: bytes = b"") -> bytes:
    head = FRAME.pack(MAGIC, type_, 0, sequence, len(payload), zlib.crc32(payload))
    return head + payload


@dataclass(frozen=True, slots=True)
class Frame:
    type: FrameType
    sequence: int
    payload: bytes


def read_frame(read: Callable[[int], bytes]) -> Frame:
    """Read one frame; ``read(n)`` returns n bytes, or fewer at the end of the stream.

    TransportError says what was wrong: a stream that ended, a magic number, length or CRC.
    """
    head = read(FRAME.size)
    if len(head) < FRAME.size:
        raise TransportError(f"the agent's channel closed ({len(head)} bytes of a frame arrived)")
    magic, type_, _, sequence, length, crc = FRAME.unpack(head)
    if magic != MAGIC:
        raise TransportError(f"not a frame: magic {magic:#x}, expected {MAGIC:#x}")
    if length > MAX_PAYLOAD:
        raise TransportError(f"a frame of {length} bytes, at most {MAX_PAYLOAD}")
    payload = read(length)
    if len(payload) < length:
        raise TransportError(f"a frame was cut off: {len(payload)} of {length} bytes")
    if zlib.crc32(payload) != crc:
        raise TransportError(f"a corrupted frame (CRC {zlib.crc32(payload):#x}, not {crc:#x})")
    try:
        return Frame(FrameType(type_), sequence, payload)
    except ValueError:
        raise TransportError(f"a frame of unknown type {type_}") from None
