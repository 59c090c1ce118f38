# SPDX-License-Identifier: GPL-2.0-or-later
"""masking-vcpus: on which vCPU hidden state was set, and when.

Fails on unmasked, passes on masked; needs CPU_SYSREGS.  The mask is one per VM, the masking is per
vCPU at its own first run: a kernel that masks only once per VM leaks on every later vCPU.
"""

from __future__ import annotations

from harness.ppi import CNTV, SW_PPI, U64, mask_of
from harness.program import (
    FEATURE_POWER_OFF,
    FEATURE_PSCI_0_2,
    CopyReg,
    InitVcpu,
    Program,
    Wfi,
    Window,
    init_device,
    pmu_init,
    read,
    set_reg,
    sysreg_attr,
    write,
)
from harness.suite.masking import looked_at
from harness.suite.shapes import (
    BRIEFLY,
    EVEN,
    HIDDEN,
    ODD,
    STATE,
    SYSREGS,
    WORD,
    Ops,
    each_bit,
    enable_all,
    fire,
    get_all,
    get_state,
    inject,
    listen,
    new_vm,
    program,
    run,
    set_state,
    view,
)


def _which_vcpu() -> list[Program]:
    later = [
        program(
            f"masking-vcpus/{WORD[name]}-only-on-{vcpu}-of-4",
            new_vm(4), set_reg(name, U64, vcpu), looked_at(0, 1, 2, 3),
        )
        for name in STATE
        for vcpu in range(4)
    ]  # fmt: skip
    stripes = [
        program(
            f"masking-vcpus/different-values-on-{count}",
            new_vm(count),
            (op for vcpu in range(count) for op in set_state(_stripe(vcpu, count), vcpu)),
            looked_at(*range(count)),
        )
        for count in (2, 3, 8)
    ]
    return [
        *later,
        *stripes,
        program("masking-vcpus/even-on-0-odd-on-1", new_vm(2),
                set_state(EVEN, 0), set_state(ODD, 1), looked_at(0, 1)),
        program("masking-vcpus/vcpu-ids-17-and-3", new_vm(ids=(17, 3)),
                set_state(U64, 17), set_state(EVEN, 3), looked_at(17, 3)),
        program("masking-vcpus/7-of-8-with-pmu", new_vm(8, pmu=range(8)),
                set_state(U64, 7), looked_at(*range(8))),
    ]  # fmt: skip


def _stripe(vcpu: int, count: int) -> int:
    return mask_of(bit for bit, _ in each_bit() if bit % count == vcpu)


def _when() -> list[Program]:
    """The first run that counts is the one that gets as far as the guest."""
    off = InitVcpu(features=FEATURE_PSCI_0_2 | FEATURE_POWER_OFF)
    return [
        program(
            "masking-vcpus/1-first",
            new_vm(2), set_state(U64, 0), set_state(U64, 1),
            run(view(), vcpu=1), get_state(0), get_state(1),
            run(view()), get_state(0), get_state(1),
        ),
        program(
            "masking-vcpus/first-run-fails-without-pmu-init",
            new_vm(pmu=()), set_state(U64), run(view()), get_state(),
            pmu_init(), run(view()), get_state(),
        ),
        program(
            "masking-vcpus/set-before-pmu-init",
            new_vm(pmu=()), set_state(U64), pmu_init(), looked_at(0),
        ),
        program(
            "masking-vcpus/powered-off",
            new_vm(), off, set_state(U64), run(view(), wait_ms=BRIEFLY), get_state(),
        ),
        program(
            "masking-vcpus/set-again-before-init-vcpu-again",
            new_vm(), set_state(U64), InitVcpu(), looked_at(0),
        ),
        program(
            "masking-vcpus/init-vcpu-again-after-first-run",
            new_vm(), set_state(U64), run(view()), InitVcpu(), run(view()), get_state(),
        ),
        program(
            "masking-vcpus/init-device-again",
            new_vm(), set_state(U64), init_device(), looked_at(0),
        ),
        program(
            "masking-vcpus/second-run",
            new_vm(), set_state(U64), run(), run(view()), get_state(),
            run(enable_all(), view()), run(view()), get_state(),
        ),
        # Refused, or accepted and then masked at that vCPU's own first run.
        program(
            "masking-vcpus/late-write-to-a-vcpu-that-has-not-run",
            new_vm(2), set_state(EVEN, 0), set_state(EVEN, 1), run(view()),
            set_state(U64, 1), get_state(1), run(view(), vcpu=1), get_state(1),
        ),
    ]  # fmt: skip


def _what_else() -> list[Program]:
    """Hidden state next to things that must go on to work."""
    everything: Ops = tuple(set_reg(name, U64) for name in SYSREGS)
    copy = tuple(CopyReg(sysreg_attr(name)) for name in SYSREGS)
    return [
        program("masking-vcpus/every-register-all-ones", new_vm(),
                everything, get_all(), run(view()), get_all()),
        program("masking-vcpus/bank-1-too", new_vm(), set_state(U64),
                (set_reg(name, U64) for name in ("ENABLER1", "SACTIVER1", "SPENDR1")),
                looked_at(0)),
        program("masking-vcpus/guest-enables-all-next", new_vm(), set_state(HIDDEN),
                run(view(), enable_all(), view()), get_state()),
        program("masking-vcpus/guest-clears-active-next", new_vm(), set_state(HIDDEN),
                run(read("SACTIVER0"), write("CACTIVER0", U64)), run(view()), get_state()),
        program("masking-vcpus/sw-ppi-still-delivered", new_vm(), set_state(HIDDEN), inject(),
                run(view(), listen(SW_PPI), Wfi(), Window(), view()), get_state()),
        program("masking-vcpus/cntv-still-delivered", new_vm(), set_state(HIDDEN),
                run(view(), fire(CNTV), listen(CNTV), Wfi(), Window(), view()), get_state()),
        program("masking-vcpus/hidden-pending-is-no-interrupt", new_vm(), set_state(HIDDEN),
                set_reg("CR0", 1), set_reg("PCR", 0x1F),
                run(view(), read("HPPIR"), Window(), view()), get_state()),
        program("masking-vcpus/restored-from-a-vm-that-has-not-run",
                new_vm(), new_vm(vm=1), set_state(U64), copy, get_state(0, 1),
                run(view(), vm=1), get_state(0, 1), get_state(0, 0)),
        program("masking-vcpus/other-vm-keeps-its-own", new_vm(), new_vm(vm=1),
                set_state(U64, 0, 0), set_state(U64, 0, 1), run(view()),
                get_state(0, 0), get_state(0, 1), run(view(), vm=1), get_state(0, 1)),
        program("masking-vcpus/vm-of-another-shape", new_vm(), new_vm(vm=1, pmu=(0,)),
                set_state(U64, 0, 0), set_state(U64, 0, 1),
                run(view(), vm=1), run(view()), get_state(0, 0), get_state(0, 1)),
    ]  # fmt: skip


def programs() -> tuple[Program, ...]:
    return (*_which_vcpu(), *_when(), *_what_else())
