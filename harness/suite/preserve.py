# SPDX-License-Identifier: GPL-2.0-or-later
"""preserve: exposed PPIs' state, and all that is no PPI bitmap, survives the first run.

The counterpart of masking: clearing too much is a bug as well.  Only exposed bits are set in the
three bitmaps, and vCPU index 0 runs first: passes on unmasked and masked; needs CPU_SYSREGS, so it
is skipped on stock.

Priorities are not masked: those of hidden PPIs survive too.  Bank 1 and PRIORITYR8-15 have no
storage (F.5 #5, seen from userspace).
"""

from __future__ import annotations

from harness.ppi import PMUIRQ, U64
from harness.program import InitVcpu, Program, get_reg, pmu_init, set_reg
from harness.suite.shapes import (
    EVEN,
    EXPOSED,
    EXPOSED_PMU,
    ODD,
    STATE,
    SYSREGS,
    WORD,
    Ops,
    each_bit,
    get_all,
    get_state,
    new_vm,
    probe,
    program,
    run,
    set_state,
    view,
)

VALUES = {"all-ones": U64, "even-bits": EVEN, "odd-bits": ODD}
BITMAPS = tuple(f"ICC_PPI_{name}_EL1" for name in STATE)
OTHERS = tuple(name for name in SYSREGS if name not in BITMAPS)


def _short(register: str) -> str:
    return register.removeprefix("ICC_").removesuffix("_EL1").removeprefix("PPI_").lower()


def _exposed_bits() -> list[Program]:
    def look(*ids: int) -> Ops:
        ops: Ops = tuple(op for id_ in ids for op in get_state(id_))
        for vcpu, id_ in enumerate(ids):
            ops += (run(view(), vcpu=vcpu), *get_state(id_))
        return ops

    plain = [
        program(
            f"preserve/{WORD[name]}-bit-{bit}",
            new_vm(2), set_reg(name, value, 0), set_reg(name, value, 1), look(0, 1),
        )
        for name in STATE
        for bit, value in each_bit(EXPOSED)
    ]  # fmt: skip
    pmu = [
        program(
            f"preserve/pmu-{WORD[name]}-{word}",
            new_vm(2, pmu=(0, 1)), set_reg(name, value, 0), set_reg(name, value, 1), look(0, 1),
        )
        for name in STATE
        for word, value in (("bit-23", 1 << PMUIRQ), ("all-exposed", EXPOSED_PMU))
    ]  # fmt: skip
    return [
        *plain,
        *pmu,
        program("preserve/nothing-set", new_vm(2), set_state(0, 0), set_state(0, 1), look(0, 1)),
        program("preserve/all-exposed", new_vm(2),
                set_state(EXPOSED, 0), set_state(EXPOSED, 1), look(0, 1)),
        program("preserve/all-exposed-on-1-only", new_vm(2), set_state(EXPOSED, 1), look(0, 1)),
        program("preserve/all-exposed-vcpu-ids-17-and-3", new_vm(ids=(17, 3)),
                set_state(EXPOSED, 17), set_state(EXPOSED, 3), look(17, 3)),
        program("preserve/different-on-each-of-3", new_vm(3),
                (op for vcpu, bit in enumerate((3, 27, 30)) for op in set_state(1 << bit, vcpu)),
                look(0, 1, 2)),
        program("preserve/set-before-pmu-init", new_vm(pmu=()),
                set_state(EXPOSED_PMU), pmu_init(), look(0)),
        program("preserve/set-and-cleared-again", new_vm(),
                set_state(U64), get_state(), set_state(0), look(0)),
        program("preserve/cut-down-to-exposed", new_vm(),
                set_state(U64), set_state(EXPOSED), look(0)),
        program("preserve/init-vcpu-again-before-run", new_vm(),
                set_state(EXPOSED), InitVcpu(), look(0)),
    ]  # fmt: skip


def _other_registers() -> list[Program]:
    """Each other register: what is stored of it, before and after the first run."""
    return [
        program(
            f"preserve/{_short(name)}-{word}",
            new_vm(), get_reg(name), set_reg(name, value), get_reg(name),
            run(probe()), get_reg(name), run(probe()), get_all(),
        )
        for name in OTHERS
        for word, value in (VALUES if _short(name) in ("icsr", "apr", "cr0", "pcr")
                            or _short(name).endswith(("r0", "r3", "r7"))
                            else {"all-ones": U64}).items()
    ]  # fmt: skip


def _together() -> list[Program]:
    different = tuple(
        set_reg(name, 0x0102_0304_0506_0708 * (vcpu + 1), vcpu)
        for name in OTHERS
        if "PRIORITYR" in name
        for vcpu in (0, 1)
    )
    each_priority = tuple(
        set_reg(f"PRIORITYR{n}", sum((8 * n + k) % 32 << 8 * k for k in range(8))) for n in range(8)
    )
    return [
        program("preserve/reset-values", new_vm(2), get_all(0), get_all(1), run(probe()),
                get_all(0), run(probe(), vcpu=1), get_all(1)),
        program("preserve/priorities-differ-per-vcpu", new_vm(2), different,
                run(probe()), run(probe(), vcpu=1), get_all(0), get_all(1)),
        program("preserve/priorities-differ-per-ppi", new_vm(), each_priority,
                get_all(), run(probe()), get_all()),
        program("preserve/everything-but-bitmaps-all-ones", new_vm(),
                (set_reg(name, U64) for name in OTHERS), get_all(), run(probe()), get_all()),
        program("preserve/everything-exposed-all-ones", new_vm(pmu=(0,)),
                (set_reg(name, EXPOSED_PMU if name in BITMAPS else U64) for name in SYSREGS),
                get_all(), run(probe()), get_all()),
        program("preserve/any-order-of-registers", new_vm(),
                (set_reg(name, EXPOSED if name in BITMAPS else U64) for name in reversed(SYSREGS)),
                get_all(), run(probe()), get_all()),
    ]  # fmt: skip


def programs() -> tuple[Program, ...]:
    return (*_exposed_bits(), *_other_registers(), *_together())
