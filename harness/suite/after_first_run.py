# SPDX-License-Identifier: GPL-2.0-or-later
"""after-first-run: userspace writes after a vCPU has run.

A kernel declares what becomes of them: refused with -EBUSY (queued for 7.4), or accepted and
exposed unmasked (the note in the seed patch).  The same programs serve both.  All vCPUs have run
before the write (for one that has not, see masking-vcpus), nothing hidden was set before it:
passes on unmasked and masked; needs CPU_SYSREGS, so it is skipped on stock.  Reads stay allowed.
"""

from __future__ import annotations

from harness.ppi import CNTHP, CNTV, SW_PPI, U64
from harness.program import InitVcpu, Program, Window, get_reg, set_reg, write
from harness.suite.shapes import (
    EVEN,
    EXPOSED,
    HIDDEN,
    ODD,
    STATE,
    SYSREGS,
    WORD,
    acknowledge,
    enable_all,
    get_all,
    get_state,
    inject,
    listen,
    new_vm,
    probe,
    program,
    run,
    set_state,
    view,
)


def _each_register() -> list[Program]:
    return [
        program(
            f"after-first-run/{_short(name)}",
            new_vm(), run(), set_reg(name, U64), get_reg(name),
            run(probe()), get_all(), set_reg(name, 0), get_reg(name), run(probe()), get_all(),
        )
        for name in SYSREGS
    ]  # fmt: skip


def _short(register: str) -> str:
    return register.removeprefix("ICC_").removesuffix("_EL1").removeprefix("PPI_").lower()


def _bitmaps() -> list[Program]:
    patterns = {
        "exposed": EXPOSED,
        "hidden": HIDDEN,
        "even-bits": EVEN,
        "odd-bits": ODD,
        "cnthp": 1 << CNTHP,
        "bit-63": 1 << 63,
    }
    return [
        program(
            f"after-first-run/{WORD[name]}-{word}",
            new_vm(2), run(), run(vcpu=1), set_reg(name, value, 0), set_reg(name, value, 1),
            get_state(0), get_state(1), run(view()), run(view(), vcpu=1),
            get_state(0), get_state(1),
        )
        for name in STATE
        for word, value in patterns.items()
    ]  # fmt: skip


def _others() -> list[Program]:
    sw = 1 << SW_PPI
    return [
        program("after-first-run/reads-stay-allowed", new_vm(2), run(), get_all(0), get_all(1)),
        program("after-first-run/write-on-1-after-both-ran", new_vm(2), run(), run(vcpu=1),
                set_state(U64, 1), get_state(0), get_state(1), run(view()), run(view(), vcpu=1)),
        program("after-first-run/write-between-two-runs", new_vm(), set_state(EXPOSED),
                run(view()), set_state(U64), run(view()), run(view()), get_state()),
        program("after-first-run/hidden-then-guest-writes-enable", new_vm(), run(),
                set_reg("ENABLER0", U64), run(view(), enable_all(), view()), get_state()),
        program("after-first-run/hidden-then-guest-clears-active", new_vm(), run(),
                set_reg("SACTIVER0", U64), run(view(), write("CACTIVER0", U64), view()),
                get_state(), run(view())),
        program("after-first-run/hidden-then-init-vcpu-again", new_vm(), run(), set_state(U64),
                InitVcpu(), get_state(), run(view()), get_state()),
        program("after-first-run/sw-ppi-made-pending", new_vm(), run(listen(SW_PPI)),
                set_reg("SPENDR0", sw), get_state(), run(Window(), view()), get_state()),
        program("after-first-run/injected-sw-ppi-cleared", new_vm(), run(listen(SW_PPI)),
                inject(), set_reg("SPENDR0", 0), get_state(), run(Window(), view()), get_state()),
        program("after-first-run/cntv-line-is-not-the-timer", new_vm(), run(listen(CNTV)),
                set_reg("SPENDR0", 1 << CNTV), get_state(),
                run(acknowledge(), Window(), view()), get_state()),
        program("after-first-run/with-pmu", new_vm(pmu=(0,)), run(), set_state(U64), get_state(),
                run(view()), get_state()),
        program("after-first-run/first-run-failed-is-no-run", new_vm(pmu=()), run(),
                set_state(EXPOSED), get_state()),
        program("after-first-run/other-vm-is-not-affected", new_vm(), new_vm(vm=1), run(),
                set_state(EXPOSED, 0, 1), get_state(0, 1), run(view(), vm=1), get_state(0, 1)),
    ]  # fmt: skip


def programs() -> tuple[Program, ...]:
    return (*_each_register(), *_bitmaps(), *_others())
