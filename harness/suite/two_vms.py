# SPDX-License-Identifier: GPL-2.0-or-later
"""two-vms: VMs that live at the same time share nothing, and leave nothing behind.

Index 0 runs first, nothing hidden is set (for that see masking-vcpus): passes on stock, unmasked
and masked (the programs that use accessors are skipped on stock).  Would catch: state that stays in
the hardware from the guest before (DVI, Active, bank 1, ICSR), a mask kept per host.
"""

from __future__ import annotations

from harness.ppi import CNTV, PMUIRQ, SW_PPI, U64
from harness.program import (
    CloseVm,
    CreateDevice,
    CreateVm,
    Op,
    Program,
    Wfi,
    Window,
    init_device,
    write,
)
from harness.suite.guest_writes import WRITABLE
from harness.suite.shapes import (
    EXPOSED,
    acknowledge,
    deactivate,
    drop,
    enable_all,
    fire,
    get_all,
    get_state,
    inject,
    listen,
    new_vm,
    probe,
    program,
    run,
    set_state,
    stop,
    vcpus,
    view,
)


def _dirty(vm: int = 0) -> Op:
    """The guest fills every register that it can write."""
    everything = [write(r.name, U64) for r in WRITABLE if "CACTIVER" not in r.name]
    return run(everything, vm=vm)


def programs() -> tuple[Program, ...]:
    two = (*new_vm(), *new_vm(vm=1))
    return (
        program("two-vms/exposure", two, run(enable_all(), probe()),
                run(enable_all(), probe(), vm=1)),
        program("two-vms/exposure-in-turn", new_vm(2), new_vm(2, vm=1),
                [run(enable_all(), view(), vcpu=vcpu, vm=vm) for vcpu in (0, 1)
                 for vm in (0, 1, 0)]),
        program("two-vms/with-and-without-pmu", new_vm(pmu=(0,)), new_vm(vm=1),
                run(enable_all()), run(enable_all(), vm=1), run(view()), run(view(), vm=1)),
        program("two-vms/without-and-with-pmu", new_vm(), new_vm(vm=1, pmu=(0,)),
                run(enable_all()), run(enable_all(), vm=1),
                run(write("ENABLER0", 1 << PMUIRQ)), run(view(), vm=1)),
        program("two-vms/guest-state-is-its-own", two, _dirty(), run(probe(), vm=1), run(probe()),
                _dirty(1), run(write("ENABLER0", 0), write("CACTIVER0", U64)),
                run(probe(), vm=1)),
        program("two-vms/sw-ppi-goes-to-one", two, run(listen(SW_PPI)), run(listen(SW_PPI), vm=1),
                inject(0, 1), run(Window(), view()), run(Wfi(), Window(), view(), vm=1)),
        program("two-vms/sw-ppi-goes-to-both", two, run(listen(SW_PPI)),
                run(listen(SW_PPI), vm=1), inject(0, 0), inject(0, 1), run(Window(), vm=1),
                run(Window())),
        program("two-vms/interrupt-half-way-in-one", two, run(listen(SW_PPI)),
                run(listen(SW_PPI), vm=1), inject(0, 0), run(acknowledge()), inject(0, 1),
                run(Window(), vm=1), run(view(), drop(), deactivate(SW_PPI), view()),
                run(view(), vm=1)),
        program("two-vms/timer-fires-in-one", two, run(listen(CNTV), fire(CNTV)),
                run(listen(CNTV), view(), Window(), vm=1), run(view(), Window(), stop(CNTV))),
        program("two-vms/timers-fire-in-both", two, run(listen(CNTV), fire(CNTV)),
                run(listen(CNTV), fire(CNTV), Window(), vm=1), run(view(), Window()),
                run(view(), vm=1)),
        program("two-vms/restored-state-is-its-own", two, set_state(EXPOSED, 0, 0),
                get_state(0, 1), run(view(), vm=1), run(view()), get_all(0, 0), get_all(0, 1)),
        program("two-vms/one-dies", new_vm(), new_vm(vm=1)[:-1], run(vm=1), run(enable_all()),
                inject(), run(listen(SW_PPI), Window()), run(vm=1)),
        program("two-vms/one-is-closed", two, _dirty(), run(enable_all(), vm=1), CloseVm(0),
                run(view(), enable_all(), vm=1), CloseVm(1)),
        program("two-vms/next-vm-starts-clean", new_vm(), _dirty(), CloseVm(0), new_vm(),
                run(probe()), run(enable_all(), view())),
        program("two-vms/next-vm-without-pmu", new_vm(pmu=(0,)), _dirty(), CloseVm(0), new_vm(),
                run(enable_all(), probe())),
        program("two-vms/next-vm-reads-clean", new_vm(), _dirty(), CloseVm(0), new_vm(),
                get_all(), run(view()), get_all()),
        program("two-vms/four", [op for vm in range(4) for op in new_vm(2, vm=vm)],
                [run(write("ENABLER0", EXPOSED & ~(1 << (3, 27, 30, 63)[vm])),
                     write("SACTIVER0", 1 << vm), vm=vm) for vm in range(4)],
                [run(probe(), vm=vm, vcpu=vcpu) for vm in (3, 1, 0, 2) for vcpu in (0, 1)]),
        program("two-vms/with-and-without-vgic", new_vm(), CreateVm(1), vcpus(vm=1),
                run(enable_all()), run(write("ENABLER0", U64), vm=1),
                run(view())),
        program("two-vms/init-of-one-is-not-of-the-other", new_vm()[:-1], new_vm(vm=1),
                run(enable_all(), vm=1), init_device(), CreateDevice(), run(enable_all())),
    )  # fmt: skip
