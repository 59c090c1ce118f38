# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs as text that people read and edit: one operation a line, as harness/program.py has it.

    name fuzz/7-12
    vm vcpus=2
    device_attr action=SET group=6 attr=ICC_PPI_ENABLER0_EL1@1 value=0x8000000
    run vcpu=1
        write ICC_PPI_ENABLER0_EL1 0xffffffffffffffff
        window

A line is the name of an operation and its fields; a field with its default value is left out.
``vm`` stands for the ioctls that make a VM: with its vGIC initialised, ready to run (vm_shape.py).
Its fields are ``vm``, ``vcpus``, or their ``ids`` in creation order; ``pmu``: the vCPUs that get
PMU_V3/INIT, or ``nobody``, of a VM that has the feature; ``vgic=false``.  One that is made in
another way is spelled out from ``create_vm`` on.

``REGISTER@ID`` is the CPU_SYSREGS attribute of a register of the vCPU with that id.  Guest
operations follow their run.  What is behind a ``#`` is a comment.  A parallel section is

    parallel
    branch cpu=0
    run
        window
    branch cpu=1
    delay ns=20000
    irq_line number=3 level=1
    end
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from enum import Enum
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, get_args, get_type_hints

from harness import program as p
from harness.errors import ConfigError
from harness.fuzz.vm_shape import Shape, units
from harness.ppi import BY_ENCODING, reg
from harness.suite.shapes import needs_of


def _word(kind: type) -> str:
    """``CreateVcpu`` -> ``create_vcpu``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind.__name__).lower()


_OPS: Final = {_word(kind): kind for kind in get_args(p.Op) if kind is not p.Parallel}
_SECTION: Final = ("parallel", "branch", "end")
_GUEST: Final = {_word(kind): kind for kind in get_args(p.GuestOp)}
_HEX_FROM: Final = 1024
_VM: Final = "vm"
_NOBODY: Final = "nobody"
NO_FIELDS: Final[Mapping[str, Any]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class _VmLine:
    """The fields of a ``vm`` line.  ``ids``: None if they are 0 to ``vcpus`` - 1."""

    vm: int = 0
    vcpus: int = 0
    ids: tuple[int, ...] | None = None
    pmu: tuple[int, ...] | None = None
    vgic: bool = True

    @classmethod
    def of(cls, shape: Shape) -> _VmLine:
        count = len(shape.ids)
        if shape.ids == tuple(range(count)):
            return cls(shape.vm, count, None, shape.pmu, shape.vgic)
        return cls(shape.vm, 0, shape.ids, shape.pmu, shape.vgic)

    def shape(self) -> Shape:
        return Shape(self.vm, self.ids or tuple(range(self.vcpus)), self.pmu, self.vgic)


# --- to text -------------------------------------------------------------------------------------


def format_program(program: p.Program) -> str:
    """The program's file."""
    return "\n".join(_lines(program)) + "\n"


def _lines(program: p.Program) -> Iterator[str]:
    yield f"name {program.name}"
    if program.needs != needs_of(program.ops):
        yield " ".join(["needs", *sorted(each.name for each in program.needs)])
    for unit in units(program.ops):
        if unit.shape is not None:
            yield " ".join([_VM, *_fields(_VmLine.of(unit.shape))])
        else:
            yield from _op_lines(unit.ops[0])


def _op_lines(op: p.Op) -> Iterator[str]:
    if isinstance(op, p.Parallel):
        yield "parallel"
        for branch in op.branches:
            yield f"branch cpu={branch.cpu}"
            for inner in branch.ops:
                yield from _op_lines(inner)
        yield "end"
        return
    yield " ".join([_word(type(op)), *_fields(op)])
    if isinstance(op, p.Run):
        yield from (f"    {_guest(guest)}" for guest in op.guest)


def _fields(op: p.Op | p.GuestOp | _VmLine) -> Iterator[str]:
    hints = get_type_hints(type(op))
    for each in fields(op):
        value = getattr(op, each.name)
        if each.name == "guest" or (each.default is not MISSING and value == each.default):
            continue
        yield f"{each.name}={_value(each.name, hints[each.name], value)}"


def _value(name: str, kind: type, value: object) -> str:
    if isinstance(value, Enum) and issubclass(kind, Enum):  # a number may be an IntEnum, too
        return value.name
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(map(str, value)) or _NOBODY
    assert isinstance(value, int)
    if name == "attr" and (register := BY_ENCODING.get(value & 0xFFFF)):
        id_ = (value >> 32 & 0xF) | (value >> 40 & 0xFF) << 4 | (value >> 48 & 0xFF) << 12
        if p.sysreg_attr(register, id_) == value:
            return f"{register}@{id_}"
    return _number(int(value))


def _number(value: int) -> str:
    return str(value) if value < _HEX_FROM else f"{value:#x}"


def _guest(op: p.GuestOp) -> str:
    match op:
        case p.Read():
            return f"read {op.reg}"
        case p.Write():
            return f"write {op.reg} {_number(op.value)}"
    return " ".join([_word(type(op)), *_fields(op)])


# --- from text -----------------------------------------------------------------------------------


def read_program(path: Path) -> p.Program:
    """The program in a file.  ConfigError names the file and the line that cannot be read."""
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as e:
        remedy = "name a file that gicv5 fuzz has written, or of the suite a FAMILY or FAMILY/NAME"
        raise ConfigError(f"{path}: {e}", remedy) from e
    return parse_program(text, str(path))


def parse_program(text: str, where: str = "program") -> p.Program:
    """The inverse of ``format_program``."""
    name = "fuzz/unnamed"
    ops = _Ops()
    needs: frozenset[p.Capability] | None = None
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        try:
            if words[0] == "name":
                (name,) = words[1:]
            elif words[0] == "needs":
                needs = frozenset(p.Capability[word] for word in words[1:])
            elif words[0] == _VM:
                for op in _parse_vm(words).shape().created():
                    ops.add(op)
            elif words[0] in _SECTION:
                ops.section(words)
            elif words[0] in _GUEST:
                ops.guest(_parse_guest(words))
            else:
                ops.add(_parse_op(words))
        except (ValueError, KeyError, TypeError) as e:
            raise ConfigError(
                f"{where}, line {number}: {line.strip()!r}: {_why(e)}",
                f"an operation is one of: {', '.join([_VM, *_OPS, *_GUEST, *_SECTION])}",
            ) from e
    if ops.branches is not None:
        raise ConfigError(f"{where}: its last parallel section has no end", "a line: end")
    return p.Program(name, tuple(ops.done), needs_of(ops.done) if needs is None else needs)


@dataclass(slots=True)
class _Ops:
    """What was read so far.  ``branches``: of the section that has not ended, with their CPUs."""

    done: list[p.Op] = field(default_factory=list)
    branches: list[tuple[int, list[p.BranchOp]]] | None = None

    def section(self, words: list[str]) -> None:
        match words, self.branches:
            case ["parallel"], None:
                self.branches = []
            case ["branch", *_], list() as branches if len(branches) < p.MAX_BRANCHES:
                branch: p.Branch = _parse_fields(p.Branch, words, {"ops": ()})
                branches.append((branch.cpu, []))
            case ["end"], list() as branches if branches:
                made = (p.Branch(tuple(ops), cpu) for cpu, ops in branches)
                self.done.append(p.Parallel(tuple(made)))
                self.branches = None
            case _:
                raise ValueError(f"parallel, 1 to {p.MAX_BRANCHES} times branch, end")

    def add(self, op: p.Op) -> None:
        if self.branches is None:
            self.done.append(op)
        elif not self.branches:
            raise ValueError("a branch comes first")
        elif isinstance(op, p.BranchOp):
            self.branches[-1][1].append(op)
        else:
            raise ValueError("not in a branch")

    def guest(self, guest: p.GuestOp) -> None:
        ops = self.branches[-1][1] if self.branches else self.done
        last = ops[-1] if ops else None
        if not isinstance(last, p.Run):
            raise ValueError("a guest operation follows a run")
        ops[-1] = replace(last, guest=(*last.guest, guest))


def _why(error: Exception) -> str:
    return f"{error.args[0]!r} is not known" if isinstance(error, KeyError) else str(error)


def _parse_guest(words: list[str]) -> p.GuestOp:
    match words:
        case ["read", name]:
            return p.Read(reg(name))
        case ["write", name, value]:
            return p.Write(reg(name), _in(int(value, 0), 64))
        case ["read" | "write", *_]:
            raise ValueError("read REGISTER, or write REGISTER VALUE")
    guest: p.GuestOp = _parse_fields(_GUEST[words[0]], words)
    return guest


def _parse_vm(words: list[str]) -> _VmLine:
    line: _VmLine = _parse_fields(_VmLine, words)
    return line


def _parse_op(words: list[str]) -> p.Op:
    op: p.Op = _parse_fields(_OPS[words[0]], words)
    return op


def _parse_fields(kind: type, words: list[str], fixed: Mapping[str, Any] = NO_FIELDS) -> Any:
    hints = get_type_hints(kind)
    given: dict[str, Any] = dict(fixed)
    for word in words[1:]:
        key, equals, value = word.partition("=")
        if not equals or key not in hints or key == "guest" or key in fixed:
            raise ValueError(f"{word!r} is not one of its fields: {', '.join(hints)}")
        given[key] = _parse_value(key, hints[key], value)
    return kind(**given)


def _parse_value(key: str, kind: type, text: str) -> object:
    if key in ("ids", "pmu"):
        return () if text == _NOBODY else tuple(int(word, 0) for word in text.split(","))
    if issubclass(kind, Enum):
        return kind[text]
    if kind is bool:
        return {"true": True, "false": False}[text]
    if key == "attr" and "@" in text:
        name, _, id_ = text.partition("@")
        return p.sysreg_attr(reg(name), int(id_, 0))
    value = _in(int(text, 0), 64)
    limit = {"vm": p.MAX_VMS - 1, "to_vm": p.MAX_VMS - 1, "vcpus": p.MAX_VCPUS}.get(key)
    if limit is not None and value > limit:
        raise ValueError(f"{key} is at most {limit}")
    return value


def _in(value: int, width: int) -> int:
    if not 0 <= value < 1 << width:
        raise ValueError(f"{value} does not fit into {width} bits")
    return value
