# SPDX-License-Identifier: GPL-2.0-or-later
"""Before the first run userspace sets the state of hidden PPIs: the guest must not see it.

Three families.  Every program FAILS on unmasked and passes on masked; all need CPU_SYSREGS.

- masking: one hidden PPI and one register; which program fails names the leak.
- masking-patterns: whole registers, with and without a PMU.
- masking-vcpus: which vCPU, and when (masking-vcpus/* are in masking_vcpus.py).

Each program looks three times: userspace reads back what it set (raw, also on vCPUs that have not
run while another has), the guest reads it at its first run, userspace reads again after it.  So it
tells masking in the register bitmaps (guest) from masking in the vgic_irqs (userspace).

Show F.5 #2 and #3.  Kill: masking only on the VM's first-running vCPU, only Enable or only Active,
only bitmaps or only vgic_irqs, only implemented PPIs, only the low 32 bits, pending lines left.
"""

from __future__ import annotations

from harness.ppi import CNTHP, CNTHV, PMUIRQ, U64
from harness.program import Program, get_reg, set_reg
from harness.suite.shapes import (
    EVEN,
    HIDDEN,
    HIDDEN_PMU,
    ODD,
    STATE,
    WORD,
    Ops,
    each_bit,
    get_state,
    new_vm,
    program,
    run,
    set_state,
    view,
)

PATTERNS = {
    "all-ones": U64,
    "even-bits": EVEN,
    "odd-bits": ODD,
    "all-hidden": HIDDEN,
    "bits-0-to-31": U64 >> 32,
    "bits-32-to-63": U64 ^ U64 >> 32,
}


def looked_at(*vcpu_ids: int) -> Ops:
    """Each vCPU runs for the first time, in this order; all are read before, between and after."""
    read_all = tuple(op for id_ in vcpu_ids for op in get_state(id_))
    ops: Ops = read_all
    for vcpu in range(len(vcpu_ids)):
        ops += (run(view(), vcpu=vcpu), *read_all)
    return ops


def single_bits() -> tuple[Program, ...]:
    """One hidden bit of one register, on the first and on a later vCPU."""
    return tuple(
        program(
            f"masking/{WORD[name]}-bit-{bit}",
            new_vm(2),
            set_reg(name, value, 0), set_reg(name, value, 1),
            get_reg(name, 0), get_reg(name, 1),
            run(view()), get_state(0), get_reg(name, 1),
            run(view(), vcpu=1), get_state(1),
        )
        for name in STATE
        for bit, value in each_bit(HIDDEN)
    )  # fmt: skip


def patterns() -> tuple[Program, ...]:
    """Whole registers, on two vCPUs."""
    plain = [
        program(
            f"masking-patterns/{WORD[name]}-{word}",
            new_vm(2), (set_reg(name, value, vcpu) for vcpu in (0, 1)), looked_at(0, 1),
        )
        for name in STATE
        for word, value in PATTERNS.items()
    ]  # fmt: skip
    pmu = [
        program(
            f"masking-patterns/pmu-{WORD[name]}-{word}",
            new_vm(2, pmu=(0, 1)),
            (set_reg(name, value, vcpu) for vcpu in (0, 1)), looked_at(0, 1),
        )
        for name in STATE
        for word, value in (("all-ones", U64), ("all-hidden", HIDDEN_PMU),
                            ("even-bits", EVEN), ("odd-bits", ODD))
    ]  # fmt: skip
    together = [
        program(
            f"masking-patterns/together-{word}",
            new_vm(2),
            set_state(value, 0),
            set_state(value, 1),
            looked_at(0, 1),
        )
        for word, value in PATTERNS.items()
    ]
    return (
        *plain,
        *pmu,
        *together,
        program(
            "masking-patterns/pmuirq-without-pmu",
            new_vm(), set_state(1 << PMUIRQ), looked_at(0),
        ),
        program(
            "masking-patterns/implemented-but-not-owned",
            new_vm(), set_state(1 << CNTHP | 1 << CNTHV), looked_at(0),
        ),
        program(
            "masking-patterns/different-per-register",
            new_vm(),
            (set_reg(name, 0xFFFF << 16 * n, 0) for n, name in enumerate(STATE)),
            looked_at(0),
        ),
        program(
            "masking-patterns/last-write-counts",
            new_vm(), set_state(ODD), set_state(U64), set_state(EVEN), looked_at(0),
        ),
    )  # fmt: skip
