# SPDX-License-Identifier: GPL-2.0-or-later
"""Which state of a VM the steps of concurrent operations share, by name.

=============  ==================================================================================
``files``      the VM's file descriptors
``alive``      whether the VM is dead
``init``       whether there is a vGIC, and whether it is initialised
``features``   the vCPUs' features: the first KVM_ARM_VCPU_INIT decides
``timers``     the timers' PPIs, ``immutable``: whether they can still be changed (each vCPU's part)
``mpidr``      the vCPUs' MPIDRs, ``table``: the table of them (each vCPU's part in making it)
``owners``     of one vCPU's PPIs
``mask``       the exposed PPIs
``ran``        whether a vCPU has run (each vCPU's part)
``mutex``      of one vCPU; all state that is not named here is touched with it held only
``regs``       what register accesses of userspace read and write, all mutexes held
``edge``       pending state of one vCPU that KVM_IRQ_LINE changes without a mutex
=============  ==================================================================================

What several vCPUs set to one and the same value has a part for each: their order cannot matter.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from functools import cache
from typing import NamedTuple

from harness import program as p
from harness.model.behaviour import Behaviour, Finalize
from harness.model.pause import NOTHING, Touch
from harness.model.refusals import NotModelled
from harness.model.state import Vm

Vms = Mapping[int, Vm]


@cache
def files(vm: int) -> Touch:
    """Looking a file of the VM up, and whether the VM is dead."""
    return Touch.of([("files", vm), ("alive", vm)])


class FirstRun(NamedTuple):
    """The steps of a vCPU's first run."""

    tabulate: Touch = NOTHING
    map: Touch = NOTHING
    enable: Touch = NOTHING
    finalize: Touch = NOTHING
    mark: Touch = NOTHING


def first_run(behaviour: Behaviour, vm: int, state: Vm, index: int) -> FirstRun:
    """Those of the vCPU with this index in VM ``vm``."""
    dies = [("alive", vm)] if state.vgic and not state.initialized else []
    decides = index if behaviour.finalize is Finalize.PER_VCPU else 0
    return FirstRun(
        Touch.of([("mpidr", vm)], [("table", vm, index)]),
        Touch.of([("init", vm)], dies),
        Touch.of(
            [("timers", vm), ("features", vm), ("init", vm)],
            [("immutable", vm, index), ("owners", vm, index)],
        ),
        Touch.of([("owners", vm, decides)], [("mask", vm)]),
        Touch.of([("alive", vm)], [("ran", vm, index)]),
    )


def touches(behaviour: Behaviour, vms: Vms, op: p.Op) -> Touch:
    """All that an operation of a branch may touch, from its start to its end."""
    match op:
        case p.Delay():
            return NOTHING
        case p.CloseVm():
            return Touch.of(writes=[("files", op.vm)])
        case p.CopyReg():
            return _sysregs(vms, op.vm) | _sysregs(vms, op.to_vm, write=True)
        case p.DeviceAttr(group=p.GRP_CPU_SYSREGS):
            return _sysregs(vms, op.vm, write=op.action is p.Action.SET)
        case p.DeviceAttr(action=p.Action.SET):
            return files(op.vm) | Touch.of(writes=[("init", op.vm)])
        case p.DeviceAttr():
            return files(op.vm) | Touch.of([("init", op.vm)])
        case p.CreateDevice():
            return _sysregs(vms, op.vm) | Touch.of(writes=[
                ("files", op.vm), ("init", op.vm), ("timers", op.vm), *_edges(vms, op.vm)
            ])  # fmt: skip
        case p.IrqLine():
            return files(op.vm) | Touch.of([("init", op.vm)], _edges(vms, op.vm, op.vcpu))
        case p.OneReg() | p.InitVcpu() | p.VcpuAttr() | p.Run():
            return files(op.vm) | _of_vcpu(behaviour, vms, op)
    raise NotModelled(f"{type(op).__name__} in a parallel section")


def _of_vcpu(
    behaviour: Behaviour, vms: Vms, op: p.OneReg | p.InitVcpu | p.VcpuAttr | p.Run
) -> Touch:
    vm = vms.get(op.vm)
    if vm is None or op.vcpu not in vm.slots:
        return NOTHING
    index = vm.slots[op.vcpu].index
    mutex = Touch.of([("edge", op.vm, index)], [("mutex", op.vm, index)])
    match op:
        case p.OneReg():
            return mutex | Touch.of([("features", op.vm), *_each("ran", vms, op.vm)])
        case p.InitVcpu():
            return mutex | Touch.of(writes=[("features", op.vm), ("mpidr", op.vm)])
        case p.VcpuAttr():
            return mutex | Touch.of(
                [("init", op.vm), ("features", op.vm), *_each("immutable", vms, op.vm)],
                [("timers", op.vm), ("owners", op.vm, index)],
            )
        case p.Run():
            for step in first_run(behaviour, op.vm, vm, index):
                mutex |= step
            return mutex


def _sysregs(vms: Vms, vm: int, write: bool = False) -> Touch:
    """A register access tries every vCPU's mutex; a SET looks whether a vCPU has run."""
    names = ("mutex", "table", "edge", *(("ran",) if write else ()))
    parts = [part for name in names for part in _each(name, vms, vm)]
    registers = Touch.of([("regs", vm)], [("regs", vm)] if write else [])
    return files(vm) | registers | Touch.of([("init", vm), ("mpidr", vm), *parts])


def _each(name: str, vms: Vms, vm: int) -> list[Hashable]:
    """Each vCPU's part."""
    count = len(vms[vm].vcpus) if vm in vms else 0
    return [(name, vm, index) for index in range(count)]


def _edges(vms: Vms, vm: int, vcpu_id: int | None = None) -> Iterable[Hashable]:
    """Of all vCPUs, or of that with this id."""
    if vm not in vms:
        return []
    vcpus = vms[vm].vcpus
    return [("edge", vm, v.index) for v in vcpus if vcpu_id is None or v.id == vcpu_id]
