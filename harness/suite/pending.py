# SPDX-License-Identifier: GPL-2.0-or-later
"""pending: exposed pending and active state between userspace, the vgic_irqs and the hardware.

SW_PPI is Edge (a latch), all others are Level (a line).  CNTV and CNTP are injected directly (DVI):
the guest reads the real line, while userspace reads back the stale line that it set (F.5 #6).
PMUIRQ's line is put right at each entry.  Hidden pending state is in masking.

Passes on unmasked and masked; needs CPU_SYSREGS, so it is skipped on stock.  Kills a revert of
170a77b4185a (latch not cleared when it is handed to the hardware) and of 9c1ac77ddfc9 (Active not
folded back for every exposed PPI).
"""

from __future__ import annotations

from harness.ppi import CNTP, CNTV, PMUIRQ, SW_PPI, mask_of
from harness.program import Program, Window, get_reg, read, set_reg, write
from harness.suite.shapes import (
    EXPOSED,
    EXPOSED_PMU,
    acknowledge,
    deactivate,
    drop,
    each_bit,
    fire,
    get_state,
    inject,
    listen,
    new_vm,
    program,
    run,
    stop,
    view,
)

SW = 1 << SW_PPI


def _edge() -> list[Program]:
    restore = (set_reg("SPENDR0", SW), set_reg("ENABLER0", SW), set_reg("PCR", 0x1F),
               set_reg("CR0", 1))  # fmt: skip
    return [
        program("pending/sw-ppi-set-by-userspace-is-delivered", new_vm(), restore,
                run(view(), read("HPPIR"), acknowledge(), view(), drop(), deactivate(SW_PPI)),
                get_state(), run(view()), get_state()),
        program("pending/sw-ppi-set-by-userspace-interrupts", new_vm(), restore,
                run(Window(), view()), get_state(), run(Window(), view())),
        program("pending/sw-ppi-not-taken-stays", new_vm(), set_reg("SPENDR0", SW),
                run(view()), get_state(), run(view()), get_state(),
                run(listen(SW_PPI), Window(), view()), get_state()),
        program("pending/sw-ppi-injected-then-cleared-by-userspace", new_vm(), inject(),
                get_state(), set_reg("SPENDR0", 0), get_state(),
                run(view(), listen(SW_PPI), Window()), get_state()),
        program("pending/sw-ppi-injected-then-set-by-userspace", new_vm(), inject(),
                set_reg("SPENDR0", SW), run(listen(SW_PPI), Window(), view()), get_state()),
        program("pending/sw-ppi-injected-before-and-after-first-run", new_vm(), inject(),
                get_state(), run(view()), get_state(), inject(), get_state(),
                run(listen(SW_PPI), Window(), view()), get_state()),
        program("pending/sw-ppi-injected-after-acknowledge", new_vm(), inject(),
                run(listen(SW_PPI), acknowledge()), get_state(), inject(), get_state(),
                run(view(), drop(), deactivate(SW_PPI), view(), acknowledge(), view()),
                get_state()),
        program("pending/sw-ppi-restored-active-and-pending", new_vm(), restore,
                set_reg("SACTIVER0", SW), run(view(), read("HPPIR"), acknowledge()), get_state(),
                run(deactivate(SW_PPI), read("HPPIR"), acknowledge(), view()), get_state()),
        program("pending/sw-ppi-made-pending-by-guest", new_vm(),
                run(write("SPENDR0", SW), view()), get_state(),
                run(view(), write("CPENDR0", SW), view()), get_state(), run(view())),
        program("pending/sw-ppi-on-one-of-two", new_vm(2), set_reg("SPENDR0", SW, 1),
                run(view()), run(view(), vcpu=1), get_state(0), get_state(1)),
    ]  # fmt: skip


def _level() -> list[Program]:
    timers = mask_of((CNTV, CNTP))
    each = [
        program(
            f"pending/{name}-stale-line",
            new_vm(), set_reg("SPENDR0", 1 << timer), set_reg("ENABLER0", 1 << timer),
            set_reg("PCR", 0x1F), set_reg("CR0", 1), get_state(),
            run(view(), read("HPPIR"), acknowledge(), Window()), get_state(),
            run(fire(timer), view(), Window(), view()), get_state(),
        )
        for name, timer in (("cntv", CNTV), ("cntp", CNTP))
    ]  # fmt: skip
    real = [
        program(
            f"pending/{name}-real-line",
            new_vm(),
            run(fire(timer), view()),
            get_reg("SPENDR0"),
            run(view(), stop(timer), view()),
            get_reg("SPENDR0"),
        )
        for name, timer in (("cntv", CNTV), ("cntp", CNTP))
    ]
    return [
        *each,
        *real,
        program("pending/both-timers-stale-on-1", new_vm(2), set_reg("SPENDR0", timers, 1),
                run(view()), run(view(), vcpu=1), get_state(0), get_state(1)),
        program("pending/pmuirq-line-is-put-right", new_vm(pmu=(0,)),
                set_reg("SPENDR0", 1 << PMUIRQ), set_reg("ENABLER0", 1 << PMUIRQ),
                set_reg("PCR", 0x1F), set_reg("CR0", 1), get_state(),
                run(view(), read("HPPIR"), acknowledge(), Window()), get_state()),
        program("pending/userspace-clears-lines-again", new_vm(pmu=(0,)),
                set_reg("SPENDR0", EXPOSED_PMU), get_state(), set_reg("SPENDR0", 0), get_state(),
                run(view()), get_state()),
    ]  # fmt: skip


def _active() -> list[Program]:
    """Active of each exposed PPI is followed, in both directions."""
    each = [
        program(
            f"pending/active-bit-{bit}-set-and-cleared-by-guest",
            new_vm(pmu=(0,)),
            run(write("SACTIVER0", value)),
            get_state(),
            run(view(), write("CACTIVER0", value)),
            get_state(),
            run(view()),
        )
        for bit, value in each_bit(EXPOSED_PMU)
    ]
    restored = [
        program(
            f"pending/restored-active-bit-{bit}-deactivated-by-guest",
            new_vm(pmu=(0,)),
            set_reg("SACTIVER0", EXPOSED_PMU),
            run(view(), deactivate(bit), view()),
            get_state(),
            run(view()),
        )
        for bit, _ in each_bit(EXPOSED_PMU)
    ]
    return [
        *each,
        *restored,
        program("pending/restored-active-masks-the-timer", new_vm(),
                set_reg("SACTIVER0", EXPOSED), set_reg("ENABLER0", EXPOSED),
                set_reg("PCR", 0x1F), set_reg("CR0", 1),
                run(fire(CNTV), read("HPPIR"), acknowledge(), deactivate(CNTV), read("HPPIR"),
                    Window(), view()), get_state()),
        program("pending/restored-running-priority", new_vm(), set_reg("SACTIVER0", SW),
                set_reg("APR", 1 << 8), set_reg("PRIORITYR3", 0x07 << 24), set_reg("PCR", 0x1F),
                set_reg("CR0", 1), set_reg("ENABLER0", EXPOSED),
                run(fire(CNTV), acknowledge(), read("APR"), stop(CNTV), drop(), deactivate(CNTV),
                    drop(), deactivate(SW_PPI), read("APR"), view()), get_state()),
    ]  # fmt: skip


def programs() -> tuple[Program, ...]:
    return (*_edge(), *_level(), *_active())
