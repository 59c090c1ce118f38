# SPDX-License-Identifier: GPL-2.0-or-later
"""errno-sysregs: errors of the CPU_SYSREGS accessors, and of a kernel that has none.

Passes on stock (the no-accessors programs; the others are skipped), unmasked and masked (the other
way round).  Shows F.5 #11: get and set of an unknown register are ENOENT where the documentation
says ENXIO, which is what has says.
"""

from __future__ import annotations

from collections.abc import Iterable

from harness.ppi import REGISTERS, SW_PPI
from harness.program import (
    GRP_CPU_SYSREGS,
    Action,
    Capability,
    CreateVcpu,
    CreateVm,
    DeviceAttr,
    InitVcpu,
    OneReg,
    Op,
    Pointer,
    Program,
    get_reg,
    init_device,
    set_reg,
    sysreg_attr,
)
from harness.suite.shapes import (
    EXPOSED,
    ONE_REG,
    SYSREGS,
    enable_all,
    get_all,
    new_vm,
    program,
    run,
    vcpus,
    vgic,
    view,
)

ENABLER0 = sysreg_attr("ENABLER0")
UNLISTED = tuple(
    r.name for r in REGISTERS.values() if not r.userspace and r.name.startswith("ICC_")
)
ALIVE = run(enable_all(), view())
NO_ACCESSORS = frozenset({Capability.VGIC_V5, Capability.NO_CPU_SYSREGS})


def _attr(action: Action, attr: int, value: int = 0, pointer: Pointer = Pointer.VALUE) -> Op:
    return DeviceAttr(action, GRP_CPU_SYSREGS, attr, value, pointer)


def _all_actions(attrs: Iterable[int]) -> list[Op]:
    return [_attr(action, attr, EXPOSED) for attr in attrs for action in Action]


def _no_accessors() -> list[Program]:
    listed = [sysreg_attr(name) for name in SYSREGS]
    odd = [sysreg_attr("HMR0"), 0xFFFF, sysreg_attr("ENABLER0", 7), 0]
    return [
        program("errno-sysregs/no-accessors", new_vm(), _all_actions(listed), ALIVE,
                _all_actions(listed), needs=NO_ACCESSORS),
        program("errno-sysregs/no-accessors-before-init", CreateVm(), vgic(), vcpus(),
                _all_actions(listed), init_device(), ALIVE, needs=NO_ACCESSORS),
        program("errno-sysregs/no-accessors-odd-attributes", new_vm(), _all_actions(odd),
                (_attr(action, ENABLER0, 0, Pointer.NULL) for action in Action), ALIVE,
                needs=NO_ACCESSORS),
    ]  # fmt: skip


def _which_register() -> list[Program]:
    unlisted = [sysreg_attr(name) for name in UNLISTED]
    foreign = {
        "cntv-ctl": sysreg_attr("CNTV_CTL_EL0"),
        "id-aa64pfr2": sysreg_attr("ID_AA64PFR2_EL1"),
        "ich-enabler0": sysreg_attr("ICH_PPI_ENABLER0_EL2"),
        "cdia": sysreg_attr("GICR_CDIA"),
        "gicv3-pmr": 0xC230,
        "zero": 0,
        "all-ones": 0xFFFF,
    }
    return [
        program("errno-sysregs/has-each-register", CreateVm(), vgic(), vcpus(),
                (_attr(Action.HAS, sysreg_attr(n)) for n in SYSREGS), init_device(),
                (_attr(Action.HAS, sysreg_attr(n)) for n in SYSREGS), ALIVE,
                (_attr(Action.HAS, sysreg_attr(n)) for n in SYSREGS)),
        program("errno-sysregs/unlisted-gicv5-registers", new_vm(), _all_actions(unlisted), ALIVE,
                (_attr(Action.GET, attr) for attr in unlisted)),
        *(program(f"errno-sysregs/foreign-register-{name}", new_vm(), _all_actions([attr]), ALIVE)
          for name, attr in foreign.items()),
    ]  # fmt: skip


def _which_vcpu() -> list[Program]:
    near = [sysreg_attr("ENABLER0", id_) for id_ in (1, 15, 16, 255, 511)]
    aff3 = ENABLER0 | 1 << 56
    aff2 = ENABLER0 | 1 << 48
    return [
        program("errno-sysregs/unknown-vcpu", new_vm(),
                _all_actions([*near, aff2, aff3, ENABLER0 | 0xFFFF_FFFF << 32]), ALIVE),
        program("errno-sysregs/vcpu-ids-17-and-3", new_vm(ids=(17, 3)),
                _all_actions([sysreg_attr("ENABLER0", id_) for id_ in (17, 3, 0, 1, 19)]),
                ALIVE, run(view(), vcpu=1)),
        program("errno-sysregs/affinity-is-not-the-id", new_vm(ids=(16, 256)),
                _all_actions([ENABLER0 | 16 << 32, ENABLER0 | 1 << 40, ENABLER0 | 16 << 40]),
                ALIVE),
        program("errno-sysregs/before-vcpu-init", CreateVm(), vgic(), CreateVcpu(),
                init_device(), get_reg("ENABLER0"), set_reg("ENABLER0", EXPOSED), InitVcpu(),
                get_reg("ENABLER0"), run(view())),
    ]  # fmt: skip


def _when() -> list[Program]:
    hmr0, unknown = sysreg_attr("HMR0"), sysreg_attr("ENABLER0", 5)
    return [
        program("errno-sysregs/before-init", CreateVm(), vgic(), vcpus(),
                _all_actions(sysreg_attr(n) for n in SYSREGS), init_device(), get_all(), ALIVE),
        program("errno-sysregs/before-init-order-of-checks", CreateVm(), vgic(), vcpus(),
                _all_actions([hmr0, unknown]),
                (_attr(action, ENABLER0, 0, Pointer.NULL) for action in Action),
                init_device(), ALIVE),
        program("errno-sysregs/late-order-of-checks", new_vm(), run(),
                _all_actions([hmr0, unknown]),
                (_attr(action, ENABLER0, 0, Pointer.NULL) for action in Action), ALIVE),
        program("errno-sysregs/late-on-another-vcpu", new_vm(2), run(),
                set_reg("PCR", 7, 0), set_reg("PCR", 7, 1), get_reg("PCR", 0), get_reg("PCR", 1),
                run(view(), vcpu=1)),
        program("errno-sysregs/not-late-if-run-failed", new_vm(pmu=()), run(),
                set_reg("PCR", 7), get_reg("PCR")),
        program("errno-sysregs/dead-vm", new_vm()[:-1], run(), get_reg("ENABLER0"),
                set_reg("ENABLER0", EXPOSED), _attr(Action.HAS, ENABLER0), init_device()),
    ]  # fmt: skip


def _pointers() -> list[Program]:
    return [
        program(f"errno-sysregs/{pointer.name.lower()}-pointer", new_vm(),
                (_attr(action, sysreg_attr(n), 0, pointer) for n in SYSREGS for action in Action),
                get_all(), ALIVE)
        for pointer in (Pointer.NULL, Pointer.UNMAPPED)
    ]  # fmt: skip


def _accepted() -> list[Program]:
    """Not errors: values outside of a register's fields are cut, not refused."""
    return [
        program("errno-sysregs/values-are-cut-not-refused", new_vm(),
                (op for n in SYSREGS if "PPI_" not in n or "PRIORITYR" in n for op in (
                    set_reg(n, 0xFFFF_FFFF_FFFF_FFFF), get_reg(n), set_reg(n, 0), get_reg(n))),
                ALIVE),
        program("errno-sysregs/one-reg-has-no-gicv5-registers", new_vm(),
                (OneReg(action, ONE_REG | REGISTERS[n].encoding) for n in SYSREGS
                 for action in (Action.GET, Action.SET)), ALIVE),
        program("errno-sysregs/failed-set-changes-nothing", new_vm(),
                set_reg("ENABLER0", 1 << SW_PPI), set_reg("ENABLER0", EXPOSED, 9),
                _attr(Action.SET, ENABLER0, EXPOSED, Pointer.NULL), get_reg("ENABLER0"),
                run(view())),
    ]  # fmt: skip


def programs() -> tuple[Program, ...]:
    return (
        *_no_accessors(), *_which_register(), *_which_vcpu(), *_when(), *_pointers(),
        *_accepted(),
    )  # fmt: skip
