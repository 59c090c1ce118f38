# SPDX-License-Identifier: GPL-2.0-or-later
"""The vCPU that runs first is not the one that was created first.

Which PPIs a guest has must not depend on it.  vgic_v5_finalize_ppi_state() of Linux 7.1-7.3 looks
at vCPU index 0, whose timers have no owner before its own first run: the guest then loses CNTV and
CNTP (and PMUIRQ if PMU_V3/INIT was late) for good.  Every program FAILS on stock and on unmasked,
and passes on masked.  Shows F.5 #1; kills a revert of 589d6072f25d to "the first vCPU".
"""

from __future__ import annotations

from itertools import permutations

from harness.ppi import CNTP, CNTV, PMUIRQ
from harness.program import (
    FEATURE_POWER_OFF,
    FEATURE_PSCI_0_2,
    MAX_VCPUS,
    InitVcpu,
    Program,
    Wfi,
    Window,
    pmu_init,
    read,
    set_reg,
)
from harness.suite.pmu import overflow
from harness.suite.shapes import (
    BRIEFLY,
    EXPOSED,
    STATE,
    Ops,
    acknowledge,
    deactivate,
    drop,
    enable_all,
    fire,
    get_state,
    listen,
    new_vm,
    probe,
    program,
    run,
    stop,
    view,
)

TIMERS = {"cntv": CNTV, "cntp": CNTP}


def _each(order: tuple[int, ...], vm: int = 0) -> Ops:
    return tuple(run(enable_all(), view(), vcpu=vcpu, vm=vm) for vcpu in order)


def _first(vcpu: int, count: int) -> tuple[int, ...]:
    return (vcpu, *(other for other in range(count) if other != vcpu))


def _numbers() -> list[Program]:
    single = [
        program(f"order/{n}-vcpus-{k}-first", new_vm(n), _each(_first(k, n)))
        for n in (2, 4, MAX_VCPUS)
        for k in range(1, n)
    ]
    three = [
        program(f"order/3-vcpus-{'-'.join(map(str, order))}", new_vm(3), _each(order))
        for order in permutations(range(3))
        if order[0] != 0
    ]
    return [
        *single,
        *three,
        program("order/8-vcpus-reverse", new_vm(8), _each((7, 6, 5, 4, 3, 2, 1, 0))),
        program("order/vcpu-ids-17-and-3-last-first", new_vm(ids=(17, 3)), _each((1, 0))),
        program("order/vcpu-ids-3-and-0-last-first", new_vm(ids=(3, 0)), _each((1, 0))),
        program("order/everything-visible", new_vm(2), run(enable_all(), probe(), vcpu=1),
                run(enable_all(), probe())),
        program("order/first-runner-runs-again", new_vm(2), _each((1, 1, 0, 1, 0))),
        program("order/index-0-never-runs", new_vm(3), _each((2, 1))),
        program("order/index-0-of-another-vm-has-run",
                new_vm(2), new_vm(2, vm=1), _each((0,)), _each((1, 0), vm=1), _each((1,))),
    ]  # fmt: skip


def _pmu() -> list[Program]:
    return [
        program("order/pmu-1-first", new_vm(2, pmu=(0, 1)), _each((1, 0))),
        program("order/pmu-init-in-reverse-1-first", new_vm(2, pmu=(1, 0)), _each((1, 0))),
        program("order/pmu-8-vcpus-7-first", new_vm(8, pmu=range(8)), _each(_first(7, 8))),
        program(
            "order/pmu-init-of-0-forgotten-1-first",
            new_vm(2, pmu=(1,)), _each((1, 0)), pmu_init(0), _each((0, 1)),
        ),
        program(
            "order/pmu-init-of-0-after-1-ran",
            new_vm(2, pmu=(1,)), _each((1,)), pmu_init(0), _each((0, 1)),
        ),
        program(
            "order/pmu-init-of-runner-forgotten-at-first",
            new_vm(2, pmu=(0,)), _each((1,)), pmu_init(1), _each((1, 0)),
        ),
    ]  # fmt: skip


def _pmu_interrupt() -> list[Program]:
    return [
        program(
            f"order/pmu-overflow-on-{vcpu}-1-first",
            new_vm(2, pmu=(1,)), run(vcpu=1), pmu_init(0), run(), overflow(vcpu),
            run(listen(PMUIRQ), read("HPPIR"), acknowledge(), view(), vcpu=vcpu),
        )
        for vcpu in (0, 1)
    ]  # fmt: skip


def _powered_off() -> list[Program]:
    """A vCPU that waits to be powered on has gone through its first run all the same."""
    return [
        program(
            "order/powered-off-1-first",
            new_vm(2),
            InitVcpu(vcpu=1, features=FEATURE_PSCI_0_2 | FEATURE_POWER_OFF),
            run(enable_all(), vcpu=1, wait_ms=BRIEFLY),
            _each((0,)),
        ),
    ]


def _timers() -> list[Program]:
    """That the timers are really delivered, not only enabled."""
    programs = []
    for name, timer in TIMERS.items():
        for vcpu in (0, 1):
            take = run(fire(timer), listen(timer), Window(), view(), vcpu=vcpu)
            before: Ops = () if vcpu == 1 else (run(vcpu=1),)
            programs.append(program(f"order/{name}-on-{vcpu}-1-first", new_vm(2), before, take))
        programs += [
            program(
                f"order/{name}-wakes-wfi-1-first",
                new_vm(2), run(vcpu=1), run(fire(timer), listen(timer), Wfi(), stop(timer)),
            ),
            program(
                f"order/{name}-acknowledged-1-first",
                new_vm(2), run(vcpu=1),
                run(fire(timer), listen(timer), acknowledge(), view(), stop(timer), drop(),
                    deactivate(timer), view()),
            ),
        ]  # fmt: skip
    return programs


def _restored() -> list[Program]:
    """What a restore set for exposed PPIs is there, whoever runs first."""
    return [
        program(
            f"order/restored-{name.lower()}-1-first",
            new_vm(2), (set_reg(name, EXPOSED, vcpu) for vcpu in (0, 1)),
            run(view(), vcpu=1), get_state(0), get_state(1),
            run(view()), get_state(0), get_state(1), run(enable_all(), vcpu=1),
        )
        for name in STATE
    ]  # fmt: skip


def programs() -> tuple[Program, ...]:
    return (*_numbers(), *_pmu(), *_pmu_interrupt(), *_powered_off(), *_timers(), *_restored())
