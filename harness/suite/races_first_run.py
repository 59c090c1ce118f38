# SPDX-License-Identifier: GPL-2.0-or-later
"""vCPUs that make their first run at the same time, and what userspace does meanwhile.

A VMM starts its vCPU threads at once.  On Linux 7.1-7.3 the one that finalizes before vCPU index 0
owns its timers takes them from the whole VM: most of these programs fail there, now and then.  On a
kernel that decides by the running vCPU the order must not show.  Names: see races.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from harness.ppi import CNTP, PMUIRQ, U64, ppi_intid
from harness.program import (
    FEATURE_POWER_OFF,
    FEATURE_PSCI_0_2,
    TIMER_IRQ_VTIMER,
    VCPU_TIMER,
    Action,
    CreateVm,
    InitVcpu,
    Program,
    VcpuAttr,
    Window,
    get_reg,
    init_device,
    pmu_init,
    set_reg,
)
from harness.suite.races import at_once, later, swept
from harness.suite.shapes import (
    BRIEFLY,
    Ops,
    enable_all,
    fire,
    get_state,
    inject,
    listen,
    new_vm,
    program,
    run,
    set_state,
    vcpus,
    vgic,
    view,
)

FAMILY: Final = "races-first-run"


def _after(count: int = 2) -> Ops:
    return tuple(run(enable_all(), view(), vcpu=vcpu) for vcpu in range(count))


ZERO: Final = run(enable_all(), view())
ONE: Final = run(enable_all(), view(), vcpu=1)


def _together() -> Iterator[Program]:
    both = ((ZERO,), (ONE,))
    yield from swept(f"{FAMILY}/two", new_vm(2), both, _after(),
                     (0, 10, 25, 50, 75, 100, 150, 250))  # fmt: skip
    state = (*set_state(U64), *set_state(U64, 1))
    yield from swept(f"{FAMILY}/two-with-state", (*new_vm(2), *state), both,
                     (*get_state(0), *get_state(1), *_after()),
                     (0, 10, 25, 50, 75, 100, 150))  # fmt: skip
    yield from swept(f"{FAMILY}/two-pmu", new_vm(2, pmu=(0, 1)), both, _after(), (0, 50))
    two, three = (run(enable_all(), vcpu=vcpu) for vcpu in (2, 3))
    for us in (0, 100):
        section = at_once((*later(2 * us), ZERO), (ONE,), (two,), (*later(us), three))
        yield program(f"{FAMILY}/four-{us}", new_vm(4), section, _after(4))
    take = run(listen(CNTP), fire(CNTP), Window())
    yield from swept(f"{FAMILY}/timer-on-0", new_vm(2), ((take,), (ONE,)), _after(), (0, 50))
    off = InitVcpu(vcpu=1, features=FEATURE_PSCI_0_2 | FEATURE_POWER_OFF)
    sleeps = (run(vcpu=1, wait_ms=BRIEFLY),)
    yield from swept(f"{FAMILY}/powered-off-1", (*new_vm(2), off), ((ZERO,), sleeps),
                     (run(view()),), (0, 50))  # fmt: skip


def _meanwhile() -> Iterator[Program]:
    yield from swept(f"{FAMILY}/pmu-init-of-the-other", new_vm(2, pmu=(1,)),
                     ((pmu_init(0), ZERO), (ONE,)), _after(), (0, 50, 150))  # fmt: skip
    bare = (CreateVm(), *vgic(), *vcpus(2))
    yield from swept(f"{FAMILY}/init", bare, ((ZERO,), (init_device(), inject())), (ONE,), (0, 20))
    wrong = VcpuAttr(Action.SET, VCPU_TIMER, TIMER_IRQ_VTIMER, ppi_intid(PMUIRQ), vcpu=1)
    yield from swept(f"{FAMILY}/timer-irq-of-the-other", new_vm(2), ((ZERO,), (wrong,)),
                     (ONE, ZERO), (0, 50, 100))  # fmt: skip
    others = (set_reg("ENABLER0", U64, 1), get_reg("ENABLER0", 1), get_reg("ENABLER0"))
    yield from swept(f"{FAMILY}/registers-of-the-other", new_vm(2), ((ZERO,), others),
                     (*get_state(1), ONE, *get_state(1)), (0, 50, 150))  # fmt: skip
    its = (set_reg("SACTIVER0", U64), set_reg("SPENDR0", U64))
    yield from swept(f"{FAMILY}/registers-of-the-runner", new_vm(2), ((ZERO,), its),
                     (*get_state(0), ZERO, *get_state(0)), (0, 50, 150))  # fmt: skip
    yield from swept(f"{FAMILY}/init-vcpu-of-the-other", new_vm(2),
                     ((ZERO,), (InitVcpu(vcpu=1), ONE)), _after(), (0, 100))  # fmt: skip


def programs() -> tuple[Program, ...]:
    return (*_together(), *_meanwhile())
