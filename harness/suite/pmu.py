# SPDX-License-Identifier: GPL-2.0-or-later
"""pmu: PMUIRQ, from an overflow to the interrupt in the guest.

The only Level PPI that goes through the vgic_irqs: KVM gives its line at every entry and exit.
Userspace makes the cycle counter overflow through KVM_SET_ONE_REG.  Index 0 runs first, nothing
hidden is set: passes on stock, unmasked and masked (skipped on a host without PMUv3).  Would catch:
a line that is latched, lost over an exit, or raised on another vCPU; an owner that is not the PMU.
"""

from __future__ import annotations

from typing import Final

from harness.ppi import CNTV, PMUIRQ, SW_PPI
from harness.program import (
    FEATURE_PMU_V3,
    FEATURE_PSCI_0_2,
    Action,
    InitVcpu,
    IrqLine,
    OneReg,
    Program,
    Wfi,
    Window,
    get_reg,
    pmu_init,
    read,
    write,
)
from harness.suite.shapes import (
    ONE_REG,
    Guest,
    Ops,
    acknowledge,
    deactivate,
    drop,
    fire,
    inject,
    listen,
    new_vm,
    prioritise,
    program,
    run,
    stop,
    view,
)

PMCR: Final = ONE_REG | 0xDCE0
PMOVSSET: Final = ONE_REG | 0xDCF3
PMINTENSET: Final = ONE_REG | 0xC4F1
CYCLE_COUNTER: Final = 1 << 31


def _set(register: int, value: int, vcpu: int = 0, vm: int = 0) -> OneReg:
    return OneReg(Action.SET, register, value, vm, vcpu)


def overflow(vcpu: int = 0, vm: int = 0) -> Ops:
    """The cycle counter has overflowed, and its interrupt is on."""
    return (
        _set(PMINTENSET, CYCLE_COUNTER, vcpu, vm),
        _set(PMOVSSET, CYCLE_COUNTER, vcpu, vm),
        _set(PMCR, 1, vcpu, vm),
    )


def clear(vcpu: int = 0, vm: int = 0) -> OneReg:
    """The overflow flag is cleared: the line goes down."""
    return _set(PMOVSSET, 0, vcpu, vm)


def _look() -> Guest:
    return (*view(), read("HPPIR"), read("APR"))


def programs() -> tuple[Program, ...]:
    vm = new_vm(pmu=(0,))
    finish = (drop(), deactivate(PMUIRQ), *_look())
    return (
        program("pmu/overflow-is-pending", vm, overflow(), run(_look()), run(_look()), clear(),
                run(_look())),
        program("pmu/overflow-before-pmu-init", new_vm(pmu=()), overflow(), pmu_init(),
                run(_look())),
        program("pmu/counter-off-is-not-pending", vm, overflow(), _set(PMCR, 0), run(_look()),
                _set(PMCR, 1), run(_look())),
        program("pmu/interrupt-off-is-not-pending", vm, overflow(), _set(PMINTENSET, 0),
                run(_look()), _set(PMINTENSET, CYCLE_COUNTER), run(_look())),
        program("pmu/acknowledged", vm, run(listen(PMUIRQ)), overflow(),
                run(_look(), acknowledge(), _look(), finish), clear(), run(_look())),
        program("pmu/acknowledged-and-cleared", vm, run(listen(PMUIRQ)), overflow(),
                run(acknowledge()), clear(), run(_look(), finish), run(_look(), Window())),
        program("pmu/level-stays", vm, run(listen(PMUIRQ)), overflow(),
                run(acknowledge(), finish, acknowledge(), finish), clear(),
                run(acknowledge(), _look())),
        program("pmu/cleared-before-acknowledge", vm, run(listen(PMUIRQ)), overflow(),
                run(_look()), clear(), run(_look(), acknowledge(), Window())),
        program("pmu/pending-cannot-be-written", vm, run(write("SPENDR0", 1 << PMUIRQ), _look()),
                overflow(), run(write("CPENDR0", 1 << PMUIRQ), _look())),
        program("pmu/not-enabled-is-no-interrupt", vm, run(listen(SW_PPI)), overflow(),
                run(_look(), Window(), acknowledge())),
        program("pmu/wakes-wfi", vm, run(listen(PMUIRQ)), overflow(), run(Wfi(), _look())),
        program("pmu/at-the-priority-mask", vm, run(listen(PMUIRQ, priority=9, mask=9)),
                overflow(), run(Wfi(), acknowledge(), _look())),
        program("pmu/below-the-priority-mask", vm, run(listen(PMUIRQ, priority=10, mask=9)),
                overflow(), run(_look(), acknowledge())),
        program("pmu/on-one-of-two", new_vm(2, pmu=(0, 1)), run(listen(PMUIRQ)),
                run(listen(PMUIRQ), vcpu=1), overflow(1), run(_look(), Window()),
                run(_look(), acknowledge(), vcpu=1)),
        program("pmu/in-one-of-two-vms", vm, new_vm(vm=1, pmu=(0,)), run(listen(PMUIRQ)),
                run(listen(PMUIRQ), vm=1), overflow(0, 1), run(_look(), Window()),
                run(_look(), acknowledge(), vm=1)),
        program("pmu/all-four-by-priority", vm,
                run(listen(SW_PPI, CNTV, PMUIRQ), prioritise(SW_PPI, priority=4),
                    prioritise(PMUIRQ, priority=2), write("PRIORITYR3", 8 << 24)),
                inject(), overflow(),
                run(fire(CNTV), read("HPPIR"), acknowledge(), drop(), read("HPPIR"),
                    acknowledge(), drop(), read("HPPIR"), acknowledge(), stop(CNTV), drop(),
                    deactivate(CNTV), deactivate(SW_PPI), _look())),
        program("pmu/init-vcpu-again", vm, run(listen(PMUIRQ)), overflow(), run(_look()),
                InitVcpu(features=FEATURE_PSCI_0_2 | FEATURE_PMU_V3), run(_look(), Window()),
                overflow(), run(_look())),
        program("pmu/irq-line-does-not-drive-it", vm, run(listen(PMUIRQ)), IrqLine(PMUIRQ, 1),
                run(_look()), overflow(), IrqLine(PMUIRQ, 0), run(_look())),
        program("pmu/userspace-reads-the-line", vm, run(listen(PMUIRQ)), get_reg("SPENDR0"),
                overflow(), get_reg("SPENDR0"), run(_look()), get_reg("SPENDR0"), clear(),
                get_reg("SPENDR0"), run(_look()), get_reg("SPENDR0")),
    )  # fmt: skip
