# SPDX-License-Identifier: GPL-2.0-or-later
"""What happens to a running VM from two sides at once: interrupts, registers, close().

Each program has a parallel section; its last number is the delay in microseconds that moves the
branches against each other ("before": the first branch waits).  What is right is what some order of
the branches' steps gives (harness/model/interleave.py); a section proves most if it is repeated:
``gicv5 replay races/NAME --host-cpus 2 --times 100``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from harness.ppi import CNTV, SW_PPI, U64
from harness.program import (
    Action,
    Branch,
    BranchOp,
    CloseVm,
    CopyReg,
    CreateDevice,
    CreateVm,
    Delay,
    InitVcpu,
    OneReg,
    Op,
    Parallel,
    Program,
    Spin,
    Wfi,
    Window,
    get_reg,
    set_reg,
    sysreg_attr,
    write,
)
from harness.suite.shapes import (
    BRIEFLY,
    ONE_REG,
    Ops,
    drop,
    enable_all,
    fire,
    get_state,
    inject,
    listen,
    new_vm,
    probe,
    program,
    run,
    stop,
    vcpus,
    view,
)

SW: Final = 1 << SW_PPI
MPIDR: Final = ONE_REG | 0xC005
SWEEP: Final = (0, 50, 150, 400)  # us: the KVM_RUN of a short guest takes some 200, emulated
SHORT: Final = (0, 150)
# A guest that spins is there when the other branch comes, even if its host CPU had to wait for one.
A_WHILE: Final = 3_000_000  # ns
WITHIN: Final = (0, 1000, 2500)  # us


def at_once(*branches: Sequence[Op]) -> Parallel:
    """A parallel section with a branch on each CPU."""
    return Parallel(tuple(
        Branch(tuple(op for op in ops if isinstance(op, BranchOp)), cpu)
        for cpu, ops in enumerate(branches)
    ))  # fmt: skip


def later(us: int) -> tuple[Delay, ...]:
    return (Delay(1000 * us),) if us else ()


def swept(
    name: str, setup: Ops, branches: tuple[Ops, Ops], after: Ops, delays: Sequence[int] = SWEEP
) -> Iterator[Program]:
    """Either branch starts later, by each of the delays."""
    one, other = branches
    for us in delays:
        yield program(f"{name}-{us}", setup, at_once(one, (*later(us), *other)), after)
        if us:
            yield program(f"{name}-before-{us}", setup, at_once((*later(us), *one), other), after)


def _interrupts() -> Iterator[Program]:
    """KVM_IRQ_LINE while the guest is entered, runs, exits, sleeps."""
    vm = (*new_vm(), run(listen(SW_PPI)))
    once, after = (inject(),), (run(Window(), view()),)
    windows = run(Spin(A_WHILE), Window(), Spin(A_WHILE), Window(), view())
    yield from swept("races/inject-while-running", vm, ((windows,), once), after, WITHIN)
    twice = (inject(), inject(level=0), Delay(50_000), inject())
    yield from swept("races/inject-twice-while-running", vm, ((windows,), twice), after, WITHIN)
    runs = (run(Window()), run(Window()))
    yield from swept("races/inject-over-exits", vm, (runs, (*once, *once)), after, (0, 100, 300))
    clears = run(write("CPENDR0", SW), Spin(A_WHILE), write("CPENDR0", SW), Window())
    yield from swept("races/guest-clears-it", vm, ((clears,), once), after, WITHIN)
    toggles = run(write("ENABLER0", SW), Window(), write("ENABLER0", 0), Window())
    off = (*new_vm(), run(listen()))
    on = (run(write("ENABLER0", SW), Window()),)
    yield from swept("races/guest-enables-it", off, ((toggles,), once), on, SHORT)
    # Each write traps: the kernel looks at what is pending thirty times.
    traps = run(*[write("ENABLER0", SW)] * 30, Window(), view())
    for us in (100, 200, 300, 400, 600):
        yield program(f"races/inject-while-the-guest-traps-{us}", vm,
                      at_once((traps,), (*later(us), *once)), after)  # fmt: skip
    first = run(listen(SW_PPI), Window(), view())
    yield from swept("races/inject-before-the-first-run", new_vm(), ((first,), once), after, SHORT)


def _sleep() -> Iterator[Program]:
    """A guest that sleeps in WFI must be woken, whenever the interrupt comes."""
    vm = (*new_vm(), run(listen(SW_PPI)))
    once, after = (inject(),), (run(Window(), view()),)
    asleep = run(Wfi(), Window(), view())
    yield from swept("races/inject-wakes-wfi", vm, ((asleep,), once), after)
    again = run(Wfi(), Window(), Wfi(), Window())
    apart = (inject(), Delay(2_000_000), inject())
    yield from swept("races/inject-wakes-wfi-twice", vm, ((again,), apart), after, SHORT)
    timer = run(fire(CNTV), Window(), Wfi(), Window(), stop(CNTV), drop())
    yield from swept("races/inject-beside-a-timer", (*new_vm(), run(listen(SW_PPI, CNTV))),
                     ((timer,), once), after, SHORT)  # fmt: skip
    both = (*new_vm(2), run(listen(SW_PPI)), run(listen(SW_PPI), vcpu=1))
    other = run(Wfi(), Window(), view(), vcpu=1)
    views = (run(view()), run(view(), vcpu=1))
    for us in (0, 200):
        yield program(
            f"races/inject-wakes-two-{us}", both,
            at_once((asleep,), (other,), (*later(us), inject(1), inject())), views,
        )  # fmt: skip
        yield program(
            f"races/woken-by-the-other-{us}", both,
            at_once((asleep, inject(1)), (*later(us), inject(), other)), views,
        )  # fmt: skip


def _registers() -> Iterator[Program]:
    """Userspace's accessors refuse to wait for a vCPU that runs; other ioctls of a vCPU wait."""
    vm = (*new_vm(2), run(listen(SW_PPI)))
    running = (run(enable_all(), Spin(A_WHILE), view(), vcpu=1),)
    yield from swept("races/save-while-the-other-runs", vm,
                     (running, (*get_state(0), get_reg("ENABLER0", 1))),
                     (*get_state(0), *get_state(1)), WITHIN)  # fmt: skip
    changes = run(write("ENABLER0", SW), Spin(A_WHILE), enable_all(), view())
    yield from swept("races/save-the-runner", new_vm(),
                     ((changes,), (get_reg("ENABLER0"), get_reg("CR0"), get_reg("ENABLER0"))),
                     get_state(0), WITHIN)  # fmt: skip
    sets = (set_reg("ENABLER0", U64, 1), set_reg("SACTIVER0", U64))
    yield from swept("races/set-while-the-other-runs", vm, (running, sets),
                     (run(view()), run(view(), vcpu=1)), WITHIN)  # fmt: skip
    yield from swept("races/save-while-injecting", vm, (get_state(0), (inject(), inject(1))),
                     (*get_state(0), run(Window(), view())), (0, 50))  # fmt: skip
    copies = tuple(CopyReg(sysreg_attr(name), 0, 1) for name in ("ENABLER0", "SPENDR0", "PCR"))
    yield from swept("races/restore-while-the-target-runs", (*vm, *new_vm(vm=1)),
                     ((run(view(), vm=1),), copies),
                     (run(view()), run(view(), vm=1), *get_state(0, 1)), SHORT)  # fmt: skip
    mpidr = (Delay(300_000), OneReg(Action.GET, MPIDR))
    yield program("races/mpidr-of-a-sleeper", vm, at_once((run(Wfi(), wait_ms=BRIEFLY),), mpidr),
                  run(view()))  # fmt: skip
    yield program("races/mpidr-of-a-sleeper-that-is-woken", vm,
                  at_once((run(Wfi(), Window()),), mpidr, (Delay(600_000), inject())),
                  run(view()))  # fmt: skip


def _again() -> Iterator[Program]:
    """One vCPU is reset while the other one runs."""
    vm = (*new_vm(2), run(listen(SW_PPI), fire(CNTV)), run(listen(SW_PPI), vcpu=1), inject())
    yield from swept("races/init-again-while-the-other-runs", vm,
                     ((run(Spin(A_WHILE), view(), Window(), vcpu=1),), (InitVcpu(), run(view()))),
                     (run(view()), run(view(), vcpu=1)), WITHIN)  # fmt: skip


def _ends() -> Iterator[Program]:
    """The files go away under what uses them."""
    vm = (*new_vm(2), run(listen(SW_PPI)), run(listen(SW_PPI), vcpu=1))
    close = (CloseVm(),)
    runs = (run(Spin(A_WHILE), view(), probe()), run(view()))
    yield from swept("races/close-while-running", vm, (runs, close), (), WITHIN)
    first = (run(enable_all(), view()),)
    yield from swept("races/close-before-the-first-run", new_vm(2), (first, close), (), SHORT)
    injects = (inject(), inject(1), inject())
    yield from swept("races/close-while-injecting", vm, (injects, close), (), (0, 50))
    yield from swept("races/close-while-saving", vm, (get_state(0), close), (), (0, 50))
    yield program("races/close-under-a-sleeper", vm,
                  at_once((run(Wfi(), wait_ms=BRIEFLY),), (Delay(300_000), *close)))  # fmt: skip
    yield program("races/close-twice", vm, at_once(close, close))
    yield program("races/close-and-open-another", vm,
                  at_once((run(Spin(A_WHILE), view()),), close), new_vm(), first)  # fmt: skip


def _creation() -> Iterator[Program]:
    """KVM_CREATE_DEVICE wants every vCPU to be idle."""
    vm, create = (CreateVm(), *vcpus(2)), (CreateDevice(),)
    yield program("races/create-two-devices", vm, at_once(create, create))
    spins = (run(Spin(A_WHILE)),)
    yield from swept("races/create-device-while-running", vm,
                     (spins, (*create, get_reg("ENABLER0"))), (), WITHIN)  # fmt: skip
    yield from swept("races/create-device-while-initialising", (CreateVm(), *vcpus()),
                     ((InitVcpu(),), create), (), (0, 20))  # fmt: skip


def programs() -> tuple[Program, ...]:
    return (*_interrupts(), *_sleep(), *_registers(), *_again(), *_ends(), *_creation())
