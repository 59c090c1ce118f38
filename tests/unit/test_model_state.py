# SPDX-License-Identifier: GPL-2.0-or-later
"""Copies of a VM share nothing with it, and states that differ have different keys."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from model_tools import IRS, Kernel

from harness import program as p
from harness.irs import Table
from harness.model.state import Irq, Pmu, Vcpu, Vm, implemented_ppis
from harness.model.timers import Timer
from harness.ppi import mask_of


def world() -> Vm:
    """Two vCPUs, of which one has run."""
    kernel = Kernel(IRS, vcpus=2, pmu=(0, 1))
    kernel(p.Run())
    return kernel.execution.vms[0]


CHANGES = {
    "vm": "dead has_ran_once features timer_irqs_immutable vgic device closing initialized "
    "userspace_ppis mask hmr",
    "vcpu": "initialized has_run stopped locked restart virtual_irq enabler activer dvir en vpmr "
    "apr icsr timers_enabled",
    "irq": "owner hw enabled active latch line priority",
    "vtimer": "ctl cval expired ticks",
    "ptimer": "ctl cval expired ticks",
    "pmu": "created irq enable overflow interrupt",
}


def part(vm: Vm, name: str) -> Vm | Vcpu | Irq | Timer | Pmu:
    vcpu = vm.vcpus[1]
    return {"vm": vm, "vcpu": vcpu, "irq": vcpu.irqs[40], "vtimer": vcpu.vtimer,
            "ptimer": vcpu.ptimer, "pmu": vcpu.pmu}[name]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "field"), [(name, field) for name in CHANGES for field in CHANGES[name].split()]
)
def test_every_change_is_a_change_of_the_copy_only(name: str, field: str) -> None:
    vm = world()
    key, copied = vm.key(), vm.clone()
    assert copied.key() == key
    value = getattr(part(copied, name), field)
    setattr(part(copied, name), field, not value if isinstance(value, bool) else 77)
    assert copied.key() != key
    assert vm.key() == key


def test_a_copy_of_an_interrupt_has_all_of_it() -> None:
    irq = Irq(True, "vtimer", True, True, True, True, True, 9)
    assert irq.clone() == irq
    assert irq.clone() is not irq


def test_timers_by_their_ppi() -> None:
    vcpu = Vcpu(0, 0)
    assert vcpu.timer_of(27) is vcpu.vtimer
    assert vcpu.timer_of(30) is vcpu.ptimer


CONTAINERS: dict[str, Callable[[Vm], object]] = {
    "priorities": lambda vm: vm.vcpus[0].priorityr.append(1),
    "interrupts": lambda vm: vm.vcpus[0].irqs.pop(),
    "timers": lambda vm: vm.timer_irqs.append(1),
    "slots": lambda vm: vm.slots.pop(1),
    "vCPUs": lambda vm: vm.vcpus.pop(),
    "no MPIDRs": lambda vm: setattr(vm, "mpidr_data", None),
}


@pytest.mark.parametrize("name", CONTAINERS)
def test_containers_are_copied_too(name: str) -> None:
    vm = world()
    key, copied = vm.key(), vm.clone()
    CONTAINERS[name](copied)
    assert copied.key() != key
    assert vm.key() == key


def test_a_copy_refers_to_its_own_vcpus_and_irs() -> None:
    vm = world()
    copied = vm.clone()
    assert copied.mpidr_data is not None
    assert copied.mpidr_data[1][1] is copied.vcpus[1] is copied.slots[1]
    copied.mpidr_data[1][0] = copied.vcpus[1]
    assert copied.key() != vm.key(), "another vCPU in the table"
    assert copied.irs is not None
    assert vm.irs is not None
    copied.irs.ists.create(Table.LPI, 12)
    assert (vm.irs.lpis, copied.irs.lpis) == (0, 4096)


def test_vcpus_that_exist_get_their_ppis_with_the_vgic() -> None:
    vm = Vm(vcpus=[Vcpu(0, 0), Vcpu(1, 1)])
    assert vm.timer_irqs == [27, 30, 28, 26]
    vm.create_vgic()
    assert vm.vgic
    assert [[irq.edge for irq in vcpu.irqs].index(True) for vcpu in vm.vcpus] == [3, 3]
    assert vm.vcpus[0].irqs[0] is not vm.vcpus[1].irqs[0]
    assert [len(vcpu.irqs) for vcpu in vm.vcpus] == [64, 64]
    assert vm.timer_irqs == [1 << 29 | ppi for ppi in (27, 30, 28, 26)]


@pytest.mark.parametrize(
    ("edge", "latch", "line", "pending"),
    [(True, False, True, False), (True, True, False, True), (False, False, True, True),
     (False, True, False, True), (False, False, False, False)],
)  # fmt: skip
def test_pending(edge: bool, latch: bool, line: bool, pending: bool) -> None:
    assert Irq(edge, latch=latch, line=line).pending is pending


def test_the_pmu_after_a_reset() -> None:
    """Overflow and interrupt enable are unknown, here with bit 31 set; PMCR.E is 0."""
    pmu = Pmu(enable=True)
    pmu.reset()
    assert (pmu.enable, pmu.overflow, pmu.interrupt, pmu.level) == (False, 1 << 31, 1 << 31, False)
    pmu.enable = True
    assert pmu.level


@pytest.mark.parametrize("pmu", [True, False])
def test_which_ppis_kvm_implements(pmu: bool) -> None:
    assert implemented_ppis(pmu) == mask_of([3, 26, 27, 28, 30, *([23] if pmu else [])])
