# SPDX-License-Identifier: GPL-2.0-or-later
"""non-v5: a VM that is not a VGICv5 VM has no GICv5, and is otherwise left alone.

On a GICv5 host such a guest must get its own UNDEFINED exception for every GICv5 register and
instruction, also where nothing traps for a GICv5 guest, and ID_AA64PFR2_EL1.GCIE must be 0.
Neither order nor masking matters: passes on stock, unmasked and masked.
"""

from __future__ import annotations

from harness.ppi import REGISTERS, SW_PPI, U64
from harness.program import (
    DEV_TYPE_VGIC_V2,
    DEV_TYPE_VGIC_V3,
    FEATURE_PMU_V3,
    FEATURE_PSCI_0_2,
    IRQ_TYPE_SPI,
    PMU_V3_INIT,
    PMU_V3_IRQ,
    TIMER_IRQ_VTIMER,
    VCPU_PMU_V3,
    VCPU_TIMER,
    Action,
    Capability,
    CreateDevice,
    CreateVcpu,
    CreateVm,
    InitVcpu,
    IrqLine,
    Op,
    Program,
    Read,
    VcpuAttr,
    Write,
    pmu_init,
    read,
)
from harness.suite.shapes import enable_all, inject, new_vm, program, run, vcpus

GIC = tuple(r for r in REGISTERS.values() if r.name.startswith(("ICC_", "ICH_", "GIC_", "GICR_")))
V5_HOST = frozenset({Capability.VGIC_V5})


def _no_vgic(count: int = 1) -> list[Op]:
    return [CreateVm(), *vcpus(count)]


def programs() -> tuple[Program, ...]:
    gcie = read("ID_AA64PFR2_EL1")
    requests = {"v2": DEV_TYPE_VGIC_V2, "v3": DEV_TYPE_VGIC_V3}
    return (
        program("non-v5/every-register-is-undefined", _no_vgic(),
                run(Read(r) for r in GIC if r.readable), needs=V5_HOST),
        program("non-v5/every-write-is-undefined", _no_vgic(),
                run(Write(r, U64) for r in GIC if r.writable), needs=V5_HOST),
        program("non-v5/id-register-says-no-gcie", _no_vgic(), run(gcie), needs=V5_HOST),
        program("non-v5/second-vcpu", _no_vgic(2), run(gcie, enable_all(), vcpu=1),
                run(gcie, enable_all()), needs=V5_HOST),
        program("non-v5/runs-again", _no_vgic(), run(), run(gcie), InitVcpu(), run(gcie),
                needs=V5_HOST),
        program("non-v5/irq-line-needs-a-vgic", _no_vgic(), inject(),
                IrqLine(5, 1, type=IRQ_TYPE_SPI), run(), inject(), needs=V5_HOST),
        program("non-v5/timer-irq-needs-a-vgic", _no_vgic(),
                VcpuAttr(Action.SET, VCPU_TIMER, TIMER_IRQ_VTIMER, 27),
                VcpuAttr(Action.HAS, VCPU_TIMER, TIMER_IRQ_VTIMER), run(gcie), needs=V5_HOST),
        program("non-v5/pmu-needs-no-vgic", CreateVm(), CreateVcpu(),
                InitVcpu(features=FEATURE_PSCI_0_2 | FEATURE_PMU_V3),
                VcpuAttr(Action.SET, VCPU_PMU_V3, PMU_V3_IRQ, 23),
                VcpuAttr(Action.GET, VCPU_PMU_V3, PMU_V3_IRQ),
                VcpuAttr(Action.HAS, VCPU_PMU_V3, PMU_V3_INIT), run(), pmu_init(), run(gcie),
                needs=V5_HOST | {Capability.PMU}),
        *(program(f"non-v5/vgic-{name}-is-refused", CreateVm(), CreateDevice(type=kind, test=True),
                  CreateDevice(type=kind), vcpus(), CreateDevice(type=kind), run(gcie),
                  needs=V5_HOST)
          for name, kind in requests.items()),
        program("non-v5/v5-is-still-possible-after-v3-was-refused", CreateVm(),
                CreateDevice(type=DEV_TYPE_VGIC_V3), new_vm()[1:],
                run(enable_all(), gcie)),
        program("non-v5/next-to-a-v5-vm", _no_vgic(), new_vm(vm=1), run(enable_all(), vm=1),
                run(gcie, read("ENABLER0")), run(gcie, enable_all(), vm=1), inject(vm=1),
                inject(), IrqLine(SW_PPI, 0, vm=1)),
    )  # fmt: skip
