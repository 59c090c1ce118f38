# SPDX-License-Identifier: GPL-2.0-or-later
"""Whole VMs: what a person means by one operation, ``vm vcpus=2``, is a dozen ioctls of a program.

Program files, shrinking and the count of a finding's operations go by *units*: the ioctls that make
a VM in the usual way are one, anything else is one by itself.  Only these know of it: executors,
the wire and traces have the ioctls.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

from harness import program as p
from harness.suite.shapes import Ops, new_vm, vcpus

_Kind = TypeVar("_Kind")


@dataclass(frozen=True, slots=True)
class Shape:
    """One VM.  ``ids``: the vCPU ids in creation order.  ``pmu``: who gets PMU_V3/INIT, or None.

    ``vgic``: has an initialised VGICv5.
    """

    vm: int
    ids: tuple[int, ...]
    pmu: tuple[int, ...] | None = None
    vgic: bool = True

    def created(self) -> Ops:
        if not self.vgic:
            return (p.CreateVm(self.vm), *vcpus(ids=self.ids, vm=self.vm))
        return new_vm(pmu=self.pmu, ids=self.ids, vm=self.vm)


@dataclass(frozen=True, slots=True)
class Unit:
    """``shape``: of the VM that these operations make; None: one operation of any other kind."""

    ops: Ops
    shape: Shape | None = None


def units(ops: Ops) -> Iterator[Unit]:
    """The same operations in the same order."""
    at = 0
    while at < len(ops):
        shape = _shape_at(ops, at)
        unit = Unit(ops[at : at + 1] if shape is None else shape.created(), shape)
        yield unit
        at += len(unit.ops)


def _shape_at(ops: Ops, at: int) -> Shape | None:
    """The VM that is made from here on, if it is made just as ``Shape.created`` does."""
    first = ops[at]
    if not isinstance(first, p.CreateVm):
        return None
    vm, rest = first.vm, ops[at + 1 :]
    vgic = bool(rest) and isinstance(rest[0], p.CreateDevice)
    rest = rest[2 if vgic else 0 :]
    ids = tuple(op.id for op in _leading(rest, p.CreateVcpu))
    rest = rest[2 * len(ids) + vgic :]
    inits = tuple(op.vcpu for op in _leading(rest, p.VcpuAttr) if op == p.pmu_init(op.vcpu, vm))
    for pmu in (None, inits):
        shape = Shape(vm, ids, pmu, vgic)
        if ids and ops[at : at + len(shape.created())] == shape.created():
            return shape
    return None


def _leading(ops: Ops, kind: type[_Kind]) -> Iterator[_Kind]:
    for op in ops:
        if not isinstance(op, kind):
            return
        yield op
