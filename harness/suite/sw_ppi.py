# SPDX-License-Identifier: GPL-2.0-or-later
"""sw-ppi: KVM_IRQ_LINE to interrupt, end to end, as the kernel's own selftest vgic_v5 does.

The SW_PPI is Edge, and the only PPI that userspace may drive.  Uses no accessors, index 0 runs
first: passes on stock, unmasked and masked.

Shows F.5 #8 (WFI does not block while it is active and pending) and #9 (WFI looks at priorities as
of the entry into WFI).  Kills 170a77b4185a (edge seen twice) and a4a645584793 (`<=` for `<` in
WFI's priority check); for 42d7eac8291d see timers.

WFI traps only while no interrupt is signalled, so KVM's own wake-up test is reached by the programs
that block, and by those in timers where the timer is still to fire.
"""

from __future__ import annotations

from harness.ppi import CNTP, CNTV, SW_PPI, U64
from harness.program import GuestOp, Op, Program, Wfi, Window, read, write
from harness.suite.shapes import (
    BRIEFLY,
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

SW = 1 << SW_PPI


def _look() -> Guest:
    return (*view(), read("HPPIR"), read("APR"))


def _end() -> Guest:
    """Drop, deactivate, look."""
    return (drop(), deactivate(SW_PPI), *_look())


def _selftest() -> Ops:
    """tools/testing/selftests/kvm/arm64/vgic_v5.c: twice, with a level 0 that has no effect."""
    handler = (Wfi(), acknowledge(), deactivate(SW_PPI), drop())
    once: Ops = (inject(), run(_look(), handler, _look()), inject(level=0), run(_look()))
    return (*new_vm(), run(listen(SW_PPI)), *once, *once)


def _delivery() -> list[Program]:
    return [
        program("sw-ppi/selftest", _selftest()),
        program("sw-ppi/interrupts", new_vm(), run(listen(SW_PPI)), inject(), run(Window()),
                run(Window(), _look())),
        program("sw-ppi/each-step", new_vm(), run(listen(SW_PPI)), inject(),
                run(_look(), acknowledge(), _look(), drop(), _look(), deactivate(SW_PPI), _look())),
        program("sw-ppi/exit-after-each-step", new_vm(), run(listen(SW_PPI)), inject(),
                run(_look()), run(acknowledge()), run(_look()), run(drop()), run(_look()),
                run(deactivate(SW_PPI)), run(_look())),
        program("sw-ppi/acknowledged-edge-does-not-come-back", new_vm(), run(listen(SW_PPI)),
                inject(), run(acknowledge()), run(_end(), acknowledge()), run(_look(), Window())),
        program("sw-ppi/before-the-first-run", new_vm(), inject(),
                run(_look(), listen(SW_PPI), Window(), _look())),
        program("sw-ppi/deactivate-before-drop", new_vm(), run(listen(SW_PPI)), inject(),
                run(acknowledge(), deactivate(SW_PPI), _look(), drop(), _look())),
        program("sw-ppi/many", new_vm(), run(listen(SW_PPI)),
                [op for _ in range(16) for op in (inject(), run(Window()))], run(_look())),
        program("sw-ppi/made-pending-by-the-guest", new_vm(),
                run(listen(SW_PPI), write("SPENDR0", SW), Window(), _look())),
        program("sw-ppi/cleared-by-the-guest", new_vm(), inject(),
                run(listen(SW_PPI), write("CPENDR0", SW), Window(), _look()), run(Window())),
    ]  # fmt: skip


def _edges() -> list[Program]:
    return [
        program("sw-ppi/coalesces", new_vm(), run(listen(SW_PPI)), inject(), inject(), inject(),
                run(Window(), _look()), run(Window())),
        program("sw-ppi/coalesces-with-what-the-guest-left", new_vm(), inject(),
                run(listen(SW_PPI)), inject(), run(Window(), _look())),
        program("sw-ppi/level-0-alone", new_vm(), run(listen(SW_PPI)), inject(level=0),
                run(_look(), Window())),
        program("sw-ppi/level-0-does-not-take-back", new_vm(), run(listen(SW_PPI)), inject(),
                inject(level=0), run(_look(), Window())),
        program("sw-ppi/levels-0-and-1-in-turn", new_vm(), run(listen(SW_PPI)),
                inject(), inject(level=0), inject(), inject(level=0), run(Window(), _look())),
        program("sw-ppi/again-after-acknowledge", new_vm(), run(listen(SW_PPI)), inject(),
                run(acknowledge()), inject(), run(_look(), acknowledge()),
                run(_end(), acknowledge(), _end())),
        program("sw-ppi/again-after-acknowledge-twice", new_vm(), run(listen(SW_PPI)), inject(),
                run(acknowledge()), inject(), inject(), run(_end(), Window(), Window(), _look())),
        program("sw-ppi/guest-pends-while-active", new_vm(), run(listen(SW_PPI)), inject(),
                run(acknowledge(), write("SPENDR0", SW), _look()), run(_look()),
                run(_end(), Window(), _look())),
        program("sw-ppi/disabled-then-enabled", new_vm(),
                run(listen(SW_PPI), write("ENABLER0", 0)), inject(), run(Window(), _look()),
                run(write("ENABLER0", SW), _look(), Window(), _look())),
        program("sw-ppi/interface-off-then-on", new_vm(), run(listen(SW_PPI), write("CR0", 0)),
                inject(), run(acknowledge(), Window(), view()),
                run(write("CR0", 1), Window(), _look())),
    ]  # fmt: skip


def _priorities() -> list[Program]:
    """`<=` against the priority mask, `<` against the running priority."""

    def masked(priority: int, mask: int) -> Ops:
        return (*new_vm(), run(listen(SW_PPI, priority=priority, mask=mask)), inject(),
                run(read("HPPIR"), acknowledge(), read("APR"), view()))  # fmt: skip

    def running(priority: int, apr: int) -> Ops:
        return (*new_vm(), run(listen(SW_PPI, priority=priority), write("APR", apr)), inject(),
                run(read("HPPIR"), acknowledge(), read("APR"), drop(), read("APR"),
                    view()))  # fmt: skip

    masks = {"below": (15, 16), "equal": (16, 16), "above": (17, 16), "lowest-equal": (31, 31),
             "highest-equal": (0, 0), "above-the-highest": (1, 0)}  # fmt: skip
    aprs = {"below": (7, 1 << 8), "equal": (8, 1 << 8), "above": (9, 1 << 8),
            "between-two": (12, 1 << 16 | 1 << 8), "lowest-free": (30, 1 << 31),
            "highest": (0, 1 << 1), "all-active": (0, U64)}  # fmt: skip
    return [
        *(program(f"sw-ppi/priority-mask-{n}", masked(*v)) for n, v in masks.items()),
        *(program(f"sw-ppi/running-priority-{n}", running(*v)) for n, v in aprs.items()),
        program("sw-ppi/each-priority", new_vm(), run(listen(SW_PPI)),
                [op for priority in range(32) for op in (
                    inject(), run(prioritise(SW_PPI, priority=priority), acknowledge(),
                                  read("APR"), drop(), deactivate(SW_PPI)))]),
        program("sw-ppi/mask-lowered-while-pending", new_vm(),
                run(listen(SW_PPI, priority=20, mask=10)), inject(),
                run(Window(), write("PCR", 20), Window(), read("APR"))),
    ]  # fmt: skip


def _nesting() -> list[Program]:
    """A timer at another priority while the SW_PPI is running."""

    def nested(sw: int, timer: int, which: int = CNTV) -> Ops:
        both: list[GuestOp] = [
            *prioritise(SW_PPI, priority=sw), *prioritise(which, priority=timer),
            write("PCR", 0x1F), write("CR0", 1), write("ENABLER0", SW | 1 << which),
        ]  # fmt: skip
        return (*new_vm(), run(both), inject(),
                run(acknowledge(), fire(which), read("HPPIR"), acknowledge(), read("APR"),
                    stop(which), drop(), read("APR"), drop(), read("APR"),
                    deactivate(which), deactivate(SW_PPI), _look()))  # fmt: skip

    return [
        program("sw-ppi/nested-by-cntv-of-higher-priority", nested(16, 8)),
        program("sw-ppi/nested-by-cntp-of-higher-priority", nested(16, 8, CNTP)),
        program("sw-ppi/not-nested-by-cntv-of-same-priority", nested(16, 16)),
        program("sw-ppi/not-nested-by-cntv-of-lower-priority", nested(16, 24)),
        program("sw-ppi/nested-over-exits", new_vm(),
                run(listen(SW_PPI, priority=16), prioritise(CNTV, priority=8),
                    write("ENABLER0", SW | 1 << CNTV)), inject(),
                run(acknowledge()), run(fire(CNTV), acknowledge()), run(read("APR"), view()),
                run(stop(CNTV), drop()), run(read("APR")), run(drop()), run(read("APR"))),
        program("sw-ppi/first-of-equal-priorities", new_vm(), run(listen(SW_PPI, CNTV, CNTP)),
                inject(), run(fire(CNTV), fire(CNTP), read("HPPIR"), stop(CNTV), stop(CNTP))),
    ]  # fmt: skip


def _wfi() -> list[Program]:
    done: dict[str, tuple[Op | Ops, ...]] = {
        "pending": (new_vm(), run(listen(SW_PPI)), inject(), run(Wfi(), Window(), _look())),
        "pending-made-by-the-guest": (
            new_vm(), run(listen(SW_PPI), write("SPENDR0", SW), Wfi(), Window())),
        "at-the-priority-mask": (
            new_vm(), run(listen(SW_PPI, priority=16, mask=16)), inject(), run(Wfi(), _look())),
        "of-the-highest-priority": (
            new_vm(), run(listen(SW_PPI, priority=0, mask=0)), inject(), run(Wfi(), _look())),
        "of-the-lowest-priority": (
            new_vm(), run(listen(SW_PPI, priority=31)), inject(), run(Wfi(), _look())),
        "above-the-running-priority": (
            new_vm(), run(listen(SW_PPI, priority=7), write("APR", 1 << 8)), inject(),
            run(Wfi(), _look())),
        "active-and-pending": (
            new_vm(), run(listen(SW_PPI, priority=7)), inject(), run(acknowledge(), drop()),
            inject(), run(_look(), Wfi(), _look())),
        "priority-raised-by-the-guest": (
            new_vm(), run(listen(SW_PPI, priority=20, mask=10)), inject(),
            run(prioritise(SW_PPI, priority=5), Wfi(), _look())),
    }  # fmt: skip
    wait = run(Wfi(), _look(), wait_ms=BRIEFLY)
    blocked: dict[str, tuple[Op | Ops, ...]] = {
        "nothing-pending": (new_vm(), run(listen(SW_PPI)), wait),
        "below-the-priority-mask": (
            new_vm(), run(listen(SW_PPI, priority=17, mask=16)), inject(), wait),
        "at-the-running-priority": (
            new_vm(), run(listen(SW_PPI, priority=8), write("APR", 1 << 8)), inject(),
            wait),
        "between-two-running-priorities": (
            new_vm(), run(listen(SW_PPI, priority=12), write("APR", 1 << 16 | 1 << 8)), inject(),
            wait),
        "interface-off": (
            new_vm(), run(listen(SW_PPI), write("CR0", 0)), inject(), wait),
        "not-enabled": (
            new_vm(), run(listen(SW_PPI), write("ENABLER0", 0)), inject(), wait),
        "then-injected": (
            new_vm(), run(listen(SW_PPI)), wait, inject(), run(_look(), Wfi(), Window(), _look())),
    }  # fmt: skip
    return [
        *(program(f"sw-ppi/wfi-{name}", *parts) for name, parts in done.items()),
        *(program(f"sw-ppi/wfi-blocks-{name}", *parts) for name, parts in blocked.items()),
    ]


def _which_vcpu() -> list[Program]:
    """KVM_IRQ_LINE names a vCPU by its id."""
    on_each: list[Op] = []
    for vcpu in range(8):
        on_each += [inject(vcpu), *(run(Window(), vcpu=other) for other in range(8))]
    return [
        program("sw-ppi/on-one-of-two", new_vm(2), run(listen(SW_PPI)), run(listen(SW_PPI), vcpu=1),
                inject(1), run(Window(), _look()), run(Window(), _look(), vcpu=1)),
        program("sw-ppi/on-both", new_vm(2), run(listen(SW_PPI)), run(listen(SW_PPI), vcpu=1),
                inject(0), inject(1), run(Window(), vcpu=1), run(Window()),
                run(_look(), vcpu=1), run(_look())),
        program("sw-ppi/on-each-of-8", new_vm(8), [run(listen(SW_PPI), vcpu=v) for v in range(8)],
                on_each),
        program("sw-ppi/vcpu-ids-17-and-3", new_vm(ids=(17, 3)), run(listen(SW_PPI)),
                run(listen(SW_PPI), vcpu=1), inject(3), run(Window()), run(Window(), vcpu=1),
                inject(17), run(Window()), run(Window(), vcpu=1)),
        program("sw-ppi/vcpu-ids-1-and-0", new_vm(ids=(1, 0)), run(listen(SW_PPI)),
                run(listen(SW_PPI), vcpu=1), inject(0), run(Window()), run(Window(), vcpu=1)),
        program("sw-ppi/vcpu-id-511", new_vm(ids=(0, 511)), run(listen(SW_PPI)),
                run(listen(SW_PPI), vcpu=1), inject(511), run(Window()), run(Window(), vcpu=1)),
        program("sw-ppi/wfi-on-1", new_vm(2), run(listen(SW_PPI)), run(listen(SW_PPI), vcpu=1),
                inject(1), run(Wfi(), Window(), vcpu=1), run(_look())),
        program("sw-ppi/with-pmu", new_vm(pmu=(0,)), run(listen(SW_PPI)), inject(),
                run(Wfi(), Window(), _look())),
    ]  # fmt: skip


def programs() -> tuple[Program, ...]:
    return (
        *_delivery(), *_edges(), *_priorities(), *_nesting(), *_wfi(), *_which_vcpu(),
    )  # fmt: skip
