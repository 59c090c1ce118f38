# SPDX-License-Identifier: GPL-2.0-or-later
"""The shortest program that fails in the same way.

Each pass proposes simpler programs; the first that still fails takes the place of the last, and its
pass goes on from there.  When no pass gets further, it is done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, islice
from typing import Final

from harness import program as p
from harness.fuzz.sections import leaves, mapped, smaller_sections
from harness.fuzz.vm_shape import units
from harness.ppi import bits

Ops = tuple[p.Op, ...]
# Whether these fail in the same way; the rest: what will be asked for next if they do not.
Fails = Callable[[Ops, Sequence[Ops]], bool]
AHEAD: Final = 12


class OutOfBudget(Exception):
    """Raised by a ``Fails`` that does not want to be asked any more."""


def shrink(ops: Ops, fails: Fails) -> Ops:
    """The smallest that was found.  ``ops`` itself fails."""
    best = ops
    try:
        while True:
            before = best
            for simpler in PASSES:
                best = _repeat(best, simpler, fails)
            if best == before:
                return best
    except _Stopped as stop:
        return stop.best


class _Stopped(Exception):
    def __init__(self, best: Ops) -> None:
        super().__init__()
        self.best = best


def _repeat(best: Ops, simpler: Callable[[Ops], Iterator[Ops]], fails: Fails) -> Ops:
    start = 0
    while True:
        proposals = [each for each in islice(simpler(best), start, None) if each != best]
        for index, candidate in enumerate(proposals):
            try:
                failed = fails(candidate, proposals[index + 1 : index + 1 + AHEAD])
            except OutOfBudget:
                raise _Stopped(best) from None
            if failed:
                start += index
                best = candidate
                break
        else:
            return best


def vm_of(op: p.Op) -> int:
    """What belongs to no VM goes with the first."""
    return 0 if isinstance(op, p.IstEntry | p.Delay | p.Parallel) else op.vm


def fewer_ops(ops: Ops) -> Iterator[Ops]:
    """Without some units: the last ones first, half of them, a quarter, ... one."""
    parts = [unit.ops for unit in units(ops)]
    size = max(1, len(parts) // 2)
    while True:
        for end in range(len(parts), 0, -size):
            yield tuple(chain.from_iterable(parts[: max(0, end - size)] + parts[end:]))
        if size == 1:
            return
        size //= 2


def fewer_vcpus(ops: Ops) -> Iterator[Ops]:
    """Without a vCPU, and all that is done with it; without a VM; all runs on one vCPU."""
    for vm in sorted({vm_of(op) for op in p.flat(ops)}, reverse=True):
        yield mapped(ops, lambda op, vm=vm: None if vm_of(op) == vm else op)  # type: ignore[misc]
    created = [op for op in ops if isinstance(op, p.CreateVcpu)]
    for vcpu in reversed(created):
        yield mapped(ops, lambda op, v=vcpu: None if _concerns(op, v) else op)  # type: ignore[misc]
    first = next((op for op in p.flat(ops) if isinstance(op, p.Run)), None)
    if first is not None:
        yield mapped(ops, lambda op: (
            replace(op, vcpu=first.vcpu) if isinstance(op, p.Run) and op.vm == first.vm else op
        ))  # fmt: skip


def _concerns(op: p.Op, vcpu: p.CreateVcpu) -> bool:
    match op:
        case p.CreateVcpu() | p.InitVcpu() | p.VcpuAttr() | p.OneReg() | p.Run():
            return (op.vm, op.vcpu) == (vcpu.vm, vcpu.vcpu)
        case p.IrqLine():
            return (op.vm, op.vcpu) == (vcpu.vm, vcpu.id)
        case p.DeviceAttr(group=p.GRP_CPU_SYSREGS) | p.CopyReg():
            return op.vm == vcpu.vm and op.attr >> 32 == p.mpidr_affinity(vcpu.id)
    return False


def fewer_guest_ops(ops: Ops) -> Iterator[Ops]:
    for op, putting in leaves(ops):
        if isinstance(op, p.Run):
            size = len(op.guest)
            while size:
                for at in range(0, len(op.guest), size):
                    guest = op.guest[:at] + op.guest[at + size :]
                    yield putting(replace(op, guest=guest))
                size //= 2


def simpler_values(ops: Ops) -> Iterator[Ops]:
    """0, then a single bit, then fewer bits."""
    for op, putting in leaves(ops):
        match op:
            case p.DeviceAttr(action=p.Action.SET) | p.VcpuAttr(action=p.Action.SET) | p.OneReg():
                for value in _simpler(op.value):
                    yield putting(replace(op, value=value))
            case p.InitVcpu() if op.features != p.FEATURE_PSCI_0_2:
                yield putting(replace(op, features=p.FEATURE_PSCI_0_2))
            case p.Run():
                for at, guest in enumerate(op.guest):
                    if isinstance(guest, p.Write):
                        for value in _simpler(guest.value):
                            written = replace(guest, value=value)
                            changed = (*op.guest[:at], written, *op.guest[at + 1 :])
                            yield putting(replace(op, guest=changed))


def plain_features(ops: Ops) -> Iterator[Ops]:
    """No PMU anywhere; VMs from 0 on; vCPU ids as vCPUs are counted."""
    yield mapped(ops, _without_pmu)
    vms = {vm: index for index, vm in enumerate(dict.fromkeys(vm_of(op) for op in p.flat(ops)))}
    yield mapped(ops, lambda op: _moved(op, vms))
    created = [op for op in ops if isinstance(op, p.CreateVcpu)]
    for vm in {op.vm for op in created}:
        mine = [op for op in created if op.vm == vm]
        # Wanted names: vCPU n has the id n.
        ids = {op.id: index for index, op in enumerate(mine)}
        slots = {op.vcpu: index for index, op in enumerate(mine)}
        yield mapped(
            ops,
            lambda op, vm=vm, ids=ids, slots=slots: _renamed(  # type: ignore[misc]
                op, vm, ids, slots
            ),
        )


def _without_pmu(op: p.Op) -> p.Op | None:
    if isinstance(op, p.InitVcpu):
        return replace(op, features=op.features & ~p.FEATURE_PMU_V3)
    return None if isinstance(op, p.VcpuAttr) and op.group == p.VCPU_PMU_V3 else op


def _moved(op: p.Op, vms: dict[int, int]) -> p.Op:
    if isinstance(op, p.IstEntry | p.Delay | p.Parallel):
        return op
    op = replace(op, vm=vms[op.vm])
    return replace(op, to_vm=vms.get(op.to_vm, op.to_vm)) if isinstance(op, p.CopyReg) else op


def _renamed(op: p.Op, vm: int, ids: dict[int, int], slots: dict[int, int]) -> p.Op:
    if vm_of(op) != vm:
        return op
    match op:
        case p.CreateVcpu():
            return replace(op, vcpu=slots.get(op.vcpu, op.vcpu), id=ids.get(op.id, op.id))
        case p.InitVcpu() | p.VcpuAttr() | p.OneReg() | p.Run():
            return replace(op, vcpu=slots.get(op.vcpu, op.vcpu))
        case p.IrqLine():
            return replace(op, vcpu=ids.get(op.vcpu, op.vcpu))
        case p.DeviceAttr(group=p.GRP_CPU_SYSREGS) | p.CopyReg():
            for old, new in ids.items():
                if op.attr >> 32 == p.mpidr_affinity(old):
                    attr = p.mpidr_affinity(new) << 32 | op.attr & 0xFFFF_FFFF
                    return replace(op, attr=attr)
    return op


def _simpler(value: int) -> Iterator[int]:
    if value == 0:
        return
    yield 0
    ones = list(bits(value))
    if len(ones) == 1:
        return
    yield from (1 << bit for bit in ones)
    half = len(ones) // 2
    yield sum(1 << bit for bit in ones[half:])
    yield sum(1 << bit for bit in ones[:half])
    if len(ones) <= 8:
        yield from (value & ~(1 << bit) for bit in ones)


PASSES: Final = (
    fewer_ops, smaller_sections, fewer_vcpus, fewer_guest_ops, plain_features, simpler_values,
)  # fmt: skip
