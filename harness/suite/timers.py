# SPDX-License-Identifier: GPL-2.0-or-later
"""timers: CNTV and CNTP, injected directly by the hardware (DVI), end to end.

KVM neither sees nor forwards these interrupts: the guest's Pending is the timer's line.  CVAL 0
fires at once and for good, so nothing here depends on time but the timers/*-a-little-later-*
programs.  Uses no accessors, index 0 runs first: passes on stock, unmasked and masked.

Shows F.5 #13 (Level pending cannot be written).  Kills 42d7eac8291d (ctz of an empty APR: no WFI
is woken), 2427e8c1cd4f (DVI bits of the two timers lost against each other),
a DVI bit missing on later vCPUs, a line latched at exit.
"""

from __future__ import annotations

from functools import partial

from harness.ppi import CNTP, CNTV, SW_PPI, U64
from harness.program import InitVcpu, Op, Program, Wfi, Window, read, write
from harness.suite.shapes import (
    BRIEFLY,
    Guest,
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


def _look() -> Guest:
    return (*view(), read("CPENDR0"), read("HPPIR"), read("APR"))


def _of(name: str, timer: int) -> list[Program]:
    """The same for either timer."""
    ctl, cval = f"{name.upper()}_CTL_EL0", f"{name.upper()}_CVAL_EL0"
    other = CNTV + CNTP - timer
    listening = run(listen(timer))

    def of(what: str, *ops: Op) -> Program:
        return program(f"timers/{name}-{what}", new_vm(), ops)

    return [
        of("is-pending-while-it-fires",
           run(_look(), fire(timer), _look(), read(ctl), read(cval), stop(timer), _look())),
        of("masked-is-not-pending",
           run(write(cval, 0), write(ctl, 3), read(ctl), _look(), write(ctl, 1), _look(),
               write(ctl, 3), _look())),
        of("off-is-not-pending", run(write(cval, 0), read(ctl), _look())),
        of("far-away-is-not-pending",
           run(write(cval, U64), write(ctl, 1), read(ctl), _look(), write(cval, 0), _look())),
        of("interrupts", run(listen(timer), fire(timer), Window(), _look(), Window())),
        of("interrupts-when-enabled-later",
           run(fire(timer), listen(), Window(), write("ENABLER0", 1 << timer), Window(), _look())),
        of("not-enabled-is-no-interrupt",
           run(fire(timer), listen(other), Window(), acknowledge(), _look())),
        of("level-stays-over-acknowledge",
           run(listen(timer), fire(timer), acknowledge(), _look(), drop(), _look(),
               deactivate(timer), _look(), acknowledge(), stop(timer), _look(), drop(),
               deactivate(timer), _look(), acknowledge())),
        of("line-goes-away-while-active",
           run(listen(timer), fire(timer), acknowledge(), stop(timer), _look(), drop(),
               deactivate(timer), Window(), _look())),
        of("line-goes-away-before-acknowledge",
           run(listen(timer), fire(timer), stop(timer), acknowledge(), Window(), _look())),
        of("pending-cannot-be-written",
           run(write("SPENDR0", U64), _look(), fire(timer), write("CPENDR0", U64), _look(),
               stop(timer), _look())),
        of("fires-over-an-exit", run(listen(timer), fire(timer)), run(_look()),
           run(Window(), _look()), run(_look(), Window())),
        of("masked-over-an-exit", run(listen(timer), write(cval, 0), write(ctl, 3)),
           run(read(ctl), Window(), write(ctl, 1), Window(), _look())),
        of("settings-last-over-an-exit", run(write(cval, 0x1234), write(ctl, 2)),
           run(read(cval), read(ctl))),
        of("acknowledged-over-an-exit", listening, run(fire(timer), acknowledge()), run(_look()),
           run(drop(), deactivate(timer), _look()), run(stop(timer), _look()), run(Window())),
        of("priority-mask-equal", run(listen(timer, priority=16, mask=16), fire(timer), Window())),
        of("priority-mask-below", run(listen(timer, priority=17, mask=16), fire(timer), Window(),
                                      write("PCR", 17), Window())),
        of("wakes-wfi", listening, run(fire(timer), Wfi(), Window(), _look())),
        of("wakes-wfi-at-the-priority-mask",
           run(listen(timer, priority=16, mask=16), fire(timer), Wfi(), _look())),
        of("wakes-wfi-after-an-exit", run(listen(timer), fire(timer)), run(Wfi(), Window())),
        of("init-vcpu-again", run(listen(timer), fire(timer)), InitVcpu(), run(_look(), Window()),
           run(fire(timer), Window())),
    ]  # fmt: skip


def _both() -> list[Program]:
    def order(cntv: int, cntp: int) -> Guest:
        return (*listen(CNTV, CNTP),
                write("PRIORITYR3", cntv << 24 | cntp << 48),
                *fire(CNTV), *fire(CNTP), read("HPPIR"), acknowledge(), read("HPPIR"),
                acknowledge(), *_look(), stop(CNTV), stop(CNTP), drop(), drop(),
                deactivate(CNTV), deactivate(CNTP), *_look())  # fmt: skip

    return [
        program("timers/both-interrupt", new_vm(),
                run(listen(CNTV, CNTP), fire(CNTV), fire(CNTP), Window(), Window(), _look())),
        program("timers/both-cntv-first", new_vm(), run(order(8, 16))),
        program("timers/both-cntp-first", new_vm(), run(order(16, 8))),
        program("timers/both-same-priority", new_vm(), run(order(8, 8))),
        program("timers/both-over-an-exit", new_vm(), run(fire(CNTV), fire(CNTP)), run(_look()),
                run(listen(CNTV, CNTP), stop(CNTV), _look(), Window(), _look())),
        program("timers/all-three-by-priority", new_vm(),
                run(listen(SW_PPI, CNTV, CNTP), prioritise(SW_PPI, priority=4),
                    write("PRIORITYR3", 8 << 24 | 2 << 48)), inject(),
                run(fire(CNTV), fire(CNTP), read("HPPIR"), acknowledge(), stop(CNTP), drop(),
                    read("HPPIR"), acknowledge(), drop(), read("HPPIR"), acknowledge(),
                    stop(CNTV), drop(), _look())),
        program("timers/all-three-interrupt", new_vm(), run(listen(SW_PPI, CNTV, CNTP)), inject(),
                run(fire(CNTV), fire(CNTP), Window(), Window(), _look())),
    ]  # fmt: skip


def _vcpus() -> list[Program]:
    """A timer belongs to its vCPU."""

    def each(count: int) -> list[Op]:
        fired: list[Op] = [run(listen(CNTV, CNTP), fire(CNTV if v % 2 else CNTP), vcpu=v)
                           for v in range(count)]  # fmt: skip
        return fired + [run(_look(), Window(), _look(), vcpu=v) for v in range(count)]

    return [
        program("timers/on-one-of-two", new_vm(2), run(listen(CNTV), fire(CNTV)),
                run(listen(CNTV), _look(), Window(), vcpu=1), run(Window(), _look())),
        program("timers/cntv-on-0-cntp-on-1", new_vm(2), run(listen(CNTV, CNTP), fire(CNTV)),
                run(listen(CNTV, CNTP), fire(CNTP), vcpu=1), run(_look(), Window()),
                run(_look(), Window(), vcpu=1)),
        program("timers/on-each-of-8", new_vm(8), each(8)),
        program("timers/vcpu-ids-17-and-3", new_vm(ids=(17, 3)), each(2)),
        program("timers/with-pmu", new_vm(2, pmu=(0, 1)), each(2)),
    ]  # fmt: skip


def _later() -> list[Program]:
    """A timer that is still to fire wakes a WFI.

    Only these reach KVM's test whether a blocked vCPU has something to wake up for, if the guest is
    in its WFI before the timer fires: ten million ticks are 10 ms at 1 GHz, 1 s at 10 MHz.
    """
    patient = partial(run, wait_ms=1000)
    set_ = write("CNTV_TVAL_EL0", 10_000_000), write("CNTV_CTL_EL0", 1)
    set_p = write("CNTP_TVAL_EL0", 10_000_000), write("CNTP_CTL_EL0", 1)
    return [
        program("timers/cntp-a-little-later", new_vm(),
                patient(listen(CNTP), set_p, Wfi(), acknowledge(), stop(CNTP), drop(),
                        deactivate(CNTP), _look())),
        program("timers/cntp-a-little-later-after-an-exit", new_vm(), patient(listen(CNTP), set_p),
                patient(Wfi(), Window(), _look())),
        program("timers/cntv-a-little-later", new_vm(),
                patient(listen(CNTV), set_, Wfi(), acknowledge(), stop(CNTV), drop(),
                        deactivate(CNTV), _look())),
        program("timers/cntv-a-little-later-after-an-exit", new_vm(), patient(listen(CNTV), set_),
                patient(Wfi(), Window(), _look())),
        program("timers/cntv-a-little-later-at-the-priority-mask", new_vm(),
                patient(listen(CNTV, priority=16, mask=16), set_, Wfi(), Window(), _look())),
        program("timers/cntp-a-little-later-at-the-priority-mask", new_vm(),
                patient(listen(CNTP, priority=5, mask=5), set_p, Wfi(), Window(), _look())),
        program("timers/cntv-a-little-later-above-the-running-priority", new_vm(),
                patient(listen(CNTV, priority=7), write("APR", 1 << 8), set_, Wfi(), Window(),
                        _look())),
        program("timers/wfi-blocks-cntv-below-the-priority-mask", new_vm(),
                run(listen(CNTV, priority=17, mask=16), fire(CNTV), Wfi(), wait_ms=BRIEFLY)),
        program("timers/wfi-blocks-cntp-at-the-running-priority", new_vm(),
                run(listen(CNTP, priority=8), write("APR", 1 << 8), fire(CNTP), Wfi(),
                    wait_ms=BRIEFLY)),
    ]  # fmt: skip


def programs() -> tuple[Program, ...]:
    return (
        *_of("cntv", CNTV), *_of("cntp", CNTP), *_both(), *_vcpus(), *_later(),
    )  # fmt: skip
