# SPDX-License-Identifier: GPL-2.0-or-later
"""KVM's part of PPI state by itself: what goes to the hardware, what comes back, what wakes."""

from __future__ import annotations

from errno import EINVAL, ENOENT

import pytest
from model_tools import Kernel, fire

from harness.model import HostFacts, NotModelled, vcpu, vgic
from harness.model.cpuif import CpuInterface
from harness.model.refusals import Refused
from harness.model.state import Vcpu, Vm, private_irqs
from harness.ppi import CNTP, CNTV, SW_PPI, U64, mask_of
from harness.program import InitVcpu, Run

PPIS = mask_of([SW_PPI, CNTV, CNTP])


def vm_with_vcpu() -> tuple[Vm, Vcpu]:
    """The mask is made; every PPI is enabled, at priority 8."""
    vm, one = Vm(vgic=True, initialized=True, mask=PPIS), Vcpu(0, 0, irqs=private_irqs())
    vm.vcpus.append(one)
    for irq in one.irqs:
        irq.enabled, irq.priority = True, 8
    one.en, one.vpmr = True, 31
    return vm, one


def hardware() -> CpuInterface:
    return CpuInterface(HostFacts().hmr, lambda: [0])


@pytest.mark.parametrize(
    ("en", "vpmr", "apr", "limit"),
    [
        (False, 31, 0, 0), (True, 31, 0, 32), (True, 7, 0, 8), (True, 0, 0, 1),
        (True, 31, 1 << 5, 5), (True, 3, 1 << 5, 4), (True, 31, 1 << 5 | 1 << 9, 5),
        (True, 31, 1 << 31, 31),
    ],
)  # fmt: skip
def test_which_priorities_can_be_signalled(en: bool, vpmr: int, apr: int, limit: int) -> None:
    """Those below the number: at the mask is enough, at the running priority is not."""
    assert vgic.effective_priority_mask(Vcpu(0, 0, en=en, vpmr=vpmr, apr=apr)) == limit


def test_what_wakes() -> None:
    vm, one = vm_with_vcpu()
    assert list(vgic.wakers(vm, one)) == [(SW_PPI, False), (CNTV, False), (CNTP, False)]
    one.irqs[SW_PPI].latch = one.irqs[40].line = True
    assert next(iter(vgic.wakers(vm, one))) == (SW_PPI, True)
    one.irqs[SW_PPI].active = True
    assert next(iter(vgic.wakers(vm, one))) == (SW_PPI, True), "that it is active does not matter"
    one.vpmr = 8
    assert len(list(vgic.wakers(vm, one))) == 3
    one.vpmr = 7
    assert list(vgic.wakers(vm, one)) == []
    one.vpmr = 31
    one.irqs[SW_PPI].enabled = one.irqs[CNTP].enabled = False
    assert list(vgic.wakers(vm, one)) == [(CNTV, False)]


@pytest.mark.parametrize("expired", [True, False, None])
def test_which_timers_wake(expired: bool | None) -> None:
    """A mapped PPI's line is the timer's own; an emulated timer's may not be known."""
    vm, one = vm_with_vcpu()
    one.vtimer.ctl = one.ptimer.ctl = 1
    one.vtimer.expired = one.ptimer.expired = expired
    assert dict(vgic.wakers(vm, one))[CNTV] is False, "nobody owns it"
    one.irqs[CNTV].hw = True
    one.irqs[CNTP].owner = "ptimer"
    woken = dict(vgic.wakers(vm, one))
    assert woken == {SW_PPI: False, CNTV: expired, CNTP: None if expired is None else False}
    one.irqs[CNTP].line = True
    assert dict(vgic.wakers(vm, one))[CNTP] is (None if expired is None else True)


def test_what_an_entry_writes() -> None:
    vm, one = vm_with_vcpu()
    one.enabler, one.activer, one.dvir, one.icsr = 1 << 63 | 1, 1 << 62 | 2, 1 << CNTV, 9
    one.priorityr = list(range(8))
    for ppi in (SW_PPI, CNTV, 40):
        one.irqs[ppi].latch = one.irqs[ppi].line = True
    hw = hardware()
    hw.pendr, hw.enabler, hw.activer, hw.priorityr = U64, [U64] * 2, [U64] * 2, [U64] * 16
    vgic.enter(vm, one, hw)
    assert (hw.enabler, hw.activer) == ([1 << 63 | 1, 0], [1 << 62 | 2, 0])
    assert hw.priorityr == [*range(8), *[0] * 8]
    assert (hw.wired, hw.icsr) == (1 << CNTV, 9)
    assert hw.pendr == 1 << SW_PPI, "exposed, and not injected directly"
    assert not one.irqs[SW_PPI].latch, "an edge travels in the register"
    assert one.irqs[CNTV].line
    assert one.irqs[40].latch


@pytest.mark.parametrize(
    ("ctl", "direct", "wired"), [(1, 0, 1 << CNTP), (1, 1 << CNTP, 1 << CNTP), (0, 0, 0)]
)
def test_an_emulated_timer_that_elapses_may_inject_at_any_time(
    ctl: int, direct: int, wired: int
) -> None:
    """So its line is what the guest sees, as if it were injected directly."""
    vm, one = vm_with_vcpu()
    one.dvir = 1 << CNTV | direct
    one.ptimer.ctl, one.ptimer.expired = ctl, None
    hw = hardware()
    vgic.enter(vm, one, hw)
    assert hw.wired == 1 << CNTV | wired
    vm.mask = 1 << SW_PPI
    vgic.enter(vm, one, hw)
    assert hw.wired == 1 << CNTV | direct, "hidden"


def test_what_a_first_run_hides() -> None:
    vm, one = vm_with_vcpu()
    keep, lose = mask_of([SW_PPI, CNTV]), mask_of([0, 40, 63])
    one.enabler = one.activer = keep | lose
    for irq in one.irqs:
        irq.active = irq.enabled = irq.latch = irq.line = True
    vgic.hide_ppis(vm, one)
    assert (one.enabler, one.activer) == (keep, keep)
    for ppi, irq in enumerate(one.irqs):
        exposed = bool(vm.mask >> ppi & 1)
        assert (irq.enabled, irq.active) == (bool(keep >> ppi & 1),) * 2, ppi
        assert (irq.latch, irq.line) == (exposed, exposed), ppi


def test_what_an_exit_keeps() -> None:
    vm, one = vm_with_vcpu()
    hw = hardware()
    hw.en, hw.vpmr, hw.icsr = False, 5, 9
    hw.activer, hw.pendr = [mask_of([SW_PPI, 40]), U64], mask_of([SW_PPI, CNTV, 40])
    hw.priorityr = list(range(16))
    vgic.leave(vm, one, hw)
    assert (one.en, one.vpmr, one.icsr, one.priorityr) == (False, 5, 9, list(range(8)))
    assert one.activer == mask_of([SW_PPI, 40]), "the bitmap keeps hidden ones"
    assert [ppi for ppi, irq in enumerate(one.irqs) if irq.active] == [SW_PPI]
    assert [ppi for ppi, irq in enumerate(one.irqs) if irq.latch] == [SW_PPI]
    hw.pendr = 0
    one.irqs[SW_PPI].latch = True
    vgic.leave(vm, one, hw)
    assert one.irqs[SW_PPI].latch, "an edge that came meanwhile is not lost"


def test_priorities_reach_the_irqs_on_the_way_into_a_wfi() -> None:
    vm, one = vm_with_vcpu()
    one.priorityr = [sum((8 * n + i) % 32 << 8 * i for i in range(8)) for n in range(8)]
    hw = hardware()
    hw.apr = 0x30
    vgic.put(vm, one, hw)
    assert (one.apr, one.irqs[CNTV].priority) == (0x30, 8)
    vgic.put(vm, one, hw, in_wfi=True)
    found = {ppi: irq.priority for ppi, irq in enumerate(one.irqs) if irq.priority != 8}
    assert found == {SW_PPI: 3, CNTV: 27, CNTP: 30}, "of the exposed ones"


def test_a_load_gives_what_a_put_took() -> None:
    _, one = vm_with_vcpu()
    one.apr, hw = 0x30, hardware()
    vgic.load(one, hw)
    assert (hw.en, hw.vpmr, hw.apr) == (True, 31, 0x30)


@pytest.mark.parametrize(
    ("owner", "level", "edge", "state"),
    [
        ("", True, True, (True, False)), ("", False, True, (False, False)),
        ("", True, False, (False, True)), ("vtimer", True, True, (False, False)),
    ],
)  # fmt: skip
def test_an_injection(owner: str, level: bool, edge: bool, state: tuple[bool, bool]) -> None:
    """Only the owner's counts; an edge is latched, and lowering it does nothing."""
    vm, one = vm_with_vcpu()
    one.irqs[40].edge = edge
    vgic.inject(vm, one, 40, level, owner)
    assert (one.irqs[40].latch, one.irqs[40].line) == state
    vm.initialized = False
    vgic.inject(vm, one, 41, True)
    assert not one.irqs[41].pending


def test_what_a_reset_leaves_of_mapped_interrupts() -> None:
    _, one = vm_with_vcpu()
    for ppi in (CNTV, CNTP):
        one.irqs[ppi].active = one.irqs[ppi].latch = one.irqs[ppi].line = True
    vgic.map_phys_irq(one, CNTV)
    assert one.dvir == 1 << CNTV
    for ppi in (CNTV, CNTP):
        vgic.reset_mapped_irq(one, ppi)
    seen = [(one.irqs[p].active, one.irqs[p].latch, one.irqs[p].line) for p in (CNTV, CNTP)]
    assert seen == [(False,) * 3, (True,) * 3]


# --- the vCPU ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("features", "errno"),
    [(1 << 10, ENOENT), (1 << 1, EINVAL), (1 << 3, EINVAL), (1 << 10 | 2, ENOENT)],
)
def test_features_that_are_refused(features: int, errno: int) -> None:
    with pytest.raises(Refused) as caught:
        vcpu.check_features(features, HostFacts(pmu=False))
    assert caught.value.errno == errno


def test_features_that_are_not() -> None:
    vcpu.check_features(1 << 3 | 1 << 2, HostFacts())
    vcpu.check_features(0, HostFacts(pmu=False))
    with pytest.raises(NotModelled, match="0x200"):
        vcpu.check_features(1 << 9, HostFacts())


def test_features_are_those_of_all_vcpus() -> None:
    kernel = Kernel(vcpus=2)
    assert kernel(InitVcpu(vcpu=1, features=0)) == -EINVAL
    assert kernel(InitVcpu(vcpu=1, features=1 << 2 | 1)) == 0, "POWER_OFF is none"


def test_a_reset_lowers_the_line_of_an_emulated_timer() -> None:
    kernel = Kernel(host=HostFacts(vhe=False))
    kernel.run(fire("CNTP"))
    assert kernel.get("SPENDR0") == 1 << CNTP
    kernel(InitVcpu())
    assert kernel.get("SPENDR0") == 0
    assert kernel(Run()) == 0


@pytest.mark.parametrize(
    ("ids", "table"),
    [
        ((0, 1), (1, {0: 0, 1: 1})),
        ((0, 1, 2), (3, {0: 0, 1: 1, 2: 2})),
        ((1, 17), (0x100, {0: 0, 0x100: 1})),
        ((3, 16), (0x103, {3: 0, 0x100: 1})),
    ],
)
def test_the_table_of_mpidrs(ids: tuple[int, ...], table: tuple[int, dict[int, int]]) -> None:
    """By the bits in which they differ; the MPIDR of id 16 is 0x100.  It is made once."""
    vm = Vm(vcpus=[Vcpu(n, id_, initialized=True) for n, id_ in enumerate(ids)])
    for _ in range(2):
        vcpu.tabulate_mpidrs(vm)
        assert vm.mpidr_data is not None
        mask, lookup = vm.mpidr_data
        assert (mask, {key: one.index for key, one in lookup.items()}) == table
        vm.vcpus[0].id = 7


def test_the_last_of_those_with_one_mpidr_is_in_the_table() -> None:
    vm = Vm(vcpus=[Vcpu(n, n) for n in range(3)])
    vcpu.tabulate_mpidrs(vm)
    assert vm.mpidr_data == (0, {0: vm.vcpus[2]})


def test_one_vcpu_needs_no_table() -> None:
    vm = Vm(vcpus=[Vcpu(0, 0)])
    vcpu.tabulate_mpidrs(vm)
    assert vm.mpidr_data is None
