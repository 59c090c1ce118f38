# SPDX-License-Identifier: GPL-2.0-or-later
"""migration: save one VM's CPU_SYSREGS and restore them into a new VM.

CopyReg of the whole list for each vCPU; then what userspace gets and what the guest sees must be
what the source has, and saving again must give the same (a fixed point).  What the accessors do not
carry: Active of hidden PPIs that a guest set (F.5 #4), the timers themselves.  Nothing hidden is
set by userspace, index 0 runs first: passes on unmasked and masked, is skipped on stock.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from harness.ppi import CNTP, CNTV, SW_PPI, U64
from harness.program import (
    CopyReg,
    InitVcpu,
    Op,
    Program,
    Window,
    read,
    set_reg,
    sysreg_attr,
    write,
)
from harness.suite.shapes import (
    EVEN,
    EXPOSED,
    HIDDEN,
    ODD,
    SYSREGS,
    Ops,
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
    stop,
    view,
)


def _copy(
    ids: Iterable[int] = (0,), source: int = 0, to: int = 1, names: Iterable[str] = SYSREGS
) -> Ops:
    order = tuple(names)
    return tuple(CopyReg(sysreg_attr(n, id_), source, to) for id_ in ids for n in order)


def _migrated(
    name: str,
    *before: Op | Iterable[Op],
    ids: Sequence[int] = (0,),
    pmu: Collection[int] | None = None,
    after: Iterable[Op] = (),
) -> Program:
    """Source VM 0 does ``before``, is copied to VM 1, and both are compared."""
    look: list[Op] = []
    for vm in (0, 1):
        look += [op for id_ in ids for op in get_all(id_, vm)]
        look += [run(probe(), vcpu=vcpu, vm=vm) for vcpu in range(len(ids))]
        look += [op for id_ in ids for op in get_state(id_, vm)]
    return program(
        f"migration/{name}",
        new_vm(ids=ids, pmu=pmu), *before, new_vm(ids=ids, pmu=pmu, vm=1), _copy(ids), look, after,
    )  # fmt: skip


def _sources() -> list[Program]:
    exposed: Ops = tuple(
        set_reg(name, EXPOSED if name.startswith(("ICC_PPI_E", "ICC_PPI_S")) else ODD)
        for name in SYSREGS
    )
    configured = run(
        enable_all(), write("PRIORITYR0", EVEN), write("PRIORITYR3", ODD), write("PRIORITYR7", U64),
        write("SACTIVER0", EXPOSED), write("APR", 0x100), write("PCR", 0x11), write("CR0", 1),
        write("ICSR", 0x2A),
    )  # fmt: skip
    return [
        _migrated("fresh"),
        _migrated("fresh-with-pmu", pmu=(0,)),
        _migrated("has-run", run()),
        _migrated("restored-and-not-run", exposed),
        _migrated("restored-and-run", exposed, run(view())),
        _migrated("configured-by-guest", configured),
        _migrated("configured-by-guest-with-pmu", configured, pmu=(0,)),
        _migrated("two-vcpus", configured, run(enable_all(), vcpu=1), ids=(0, 1)),
        _migrated("two-vcpus-one-has-not-run", configured, ids=(0, 1)),
        _migrated("vcpu-ids-17-and-3", configured, run(write("PCR", 7), vcpu=1), ids=(17, 3)),
        _migrated("four-vcpus",
                  [run(write("ENABLER0", EXPOSED & EVEN << v % 2), write("PCR", v),
                       write("PRIORITYR1", EVEN >> v), vcpu=v) for v in range(4)],
                  ids=(0, 1, 2, 3)),
        _migrated("init-vcpu-again", configured, InitVcpu()),
        _migrated("hidden-active-stays-behind", run(write("SACTIVER0", HIDDEN), view())),
        _migrated("hidden-priorities-are-carried",
                  run([write(f"PRIORITYR{n}", U64) for n in range(16)])),
    ]  # fmt: skip


def _interrupts() -> list[Program]:
    """An interrupt under way at the source is finished at the destination."""
    take = (run(Window(), view(), vm=1), run(Window(), view(), vm=1))
    timers = [
        _migrated(f"{name}-acknowledged", run(listen(timer), fire(timer), acknowledge()),
                  after=(run(view(), fire(timer), read("HPPIR"), drop(), deactivate(timer),
                             Window(), view(), vm=1),
                         run(stop(timer))))
        for name, timer in (("cntv", CNTV), ("cntp", CNTP))
    ]  # fmt: skip
    return [
        _migrated("sw-ppi-pending", run(listen(SW_PPI)), inject(), after=take),
        _migrated("sw-ppi-pending-before-run", inject(),
                  after=(run(listen(SW_PPI), vm=1), *take)),
        _migrated("sw-ppi-acknowledged", run(listen(SW_PPI)), inject(), run(acknowledge()),
                  after=(run(drop(), deactivate(SW_PPI), read("APR"), view(), vm=1), *take)),
        _migrated("sw-ppi-acknowledged-and-pending", run(listen(SW_PPI)), inject(),
                  run(acknowledge()), inject(),
                  after=(run(drop(), deactivate(SW_PPI), view(), vm=1), *take)),
        _migrated("sw-ppi-disabled-and-pending", run(listen(SW_PPI), write("ENABLER0", 0)),
                  inject(), after=(run(write("ENABLER0", 1 << SW_PPI), vm=1), *take)),
        _migrated("sw-ppi-nested", run(listen(SW_PPI, priority=16)), inject(),
                  run(acknowledge(), write("PRIORITYR3", 8 << 24),
                      write("ENABLER0", EXPOSED), fire(CNTV), acknowledge(), stop(CNTV)),
                  after=(run(read("APR"), drop(), read("APR"), drop(), read("APR"), vm=1), *take)),
        *timers,
    ]  # fmt: skip


def _copies() -> list[Program]:
    """Copies of copies, and copies in other orders."""
    source = (run(enable_all(), write("PRIORITYR0", ODD), write("SACTIVER0", EXPOSED),
                  write("APR", 0x8000), write("PCR", 0x11), write("CR0", 1)), inject())  # fmt: skip
    by_vcpu = [CopyReg(sysreg_attr(n, id_)) for n in SYSREGS for id_ in (0, 1)]
    return [
        program("migration/fixed-point", new_vm(), source, new_vm(vm=1), new_vm(vm=2), _copy(),
                get_all(0, 1), _copy(source=1, to=2), get_all(0, 2), run(probe(), vm=2),
                get_all(0, 2)),
        program("migration/there-and-back", new_vm(), source, new_vm(vm=1), _copy(),
                run(probe(), vm=1), new_vm(vm=2), _copy(source=1, to=2), run(probe(), vm=2),
                get_all(0, 0), get_all(0, 1), get_all(0, 2)),
        program("migration/registers-in-reverse", new_vm(), source, new_vm(vm=1),
                _copy(names=reversed(SYSREGS)), get_all(0, 1), run(probe(), vm=1), get_all(0, 1)),
        program("migration/copied-twice", new_vm(), source, new_vm(vm=1), _copy(), _copy(),
                get_all(0, 1), run(probe(), vm=1), get_all(0, 1)),
        program("migration/register-by-register", new_vm(2), source, new_vm(2, vm=1), by_vcpu,
                get_all(0, 1), get_all(1, 1), run(probe(), vm=1), run(probe(), vm=1, vcpu=1)),
        program("migration/into-a-vm-that-has-run", new_vm(), source, new_vm(vm=1), run(vm=1),
                _copy(), get_all(0, 1), run(probe(), vm=1)),
        program("migration/source-goes-on", new_vm(), source, new_vm(vm=1), _copy(),
                run(write("ENABLER0", 0), view()), run(view(), vm=1), get_all(0, 0),
                get_all(0, 1)),
        program("migration/from-pmu-to-plain", new_vm(), new_vm(vm=1, pmu=(0,)),
                run(enable_all()), _copy(), run(view(), enable_all(), vm=1), get_state(0, 1)),
    ]  # fmt: skip


def programs() -> tuple[Program, ...]:
    return (*_sources(), *_interrupts(), *_copies())
