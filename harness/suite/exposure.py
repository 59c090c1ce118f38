# SPDX-License-Identifier: GPL-2.0-or-later
"""Which PPIs a guest has, by VM configuration.

A guest finds out by writing all ones to ICC_PPI_ENABLER0_EL1 and reading back: SW_PPI, CNTV, CNTP,
and PMUIRQ if the vCPU has a PMU.  vCPU index 0 always runs first here (see order.py), so the family
passes on every kernel: stock, unmasked and masked.

Would catch: a mask from the wrong owners (eec44c56e67c and 09a4b56100f8 touched that), PPIs
exposed because they are implemented though nobody owns them (CNTHP, CNTHV), a missing ICC_IDR0_EL1
or ICC_IAFFIDR_EL1 trap, vCPU ids taken for indices.  Under lockdep, e63d0a32e736.
"""

from __future__ import annotations

from harness.ppi import CNTP, CNTV, PMUIRQ, U64, ppi_intid
from harness.program import (
    CTRL_USERSPACE_PPIS,
    FEATURE_PMU_V3,
    FEATURE_PSCI_0_2,
    GRP_CTRL,
    MAX_VCPUS,
    PMU_V3_IRQ,
    TIMER_IRQ_PTIMER,
    TIMER_IRQ_VTIMER,
    VCPU_PMU_V3,
    VCPU_TIMER,
    Action,
    CreateVcpu,
    CreateVm,
    DeviceAttr,
    InitVcpu,
    OneReg,
    Program,
    VcpuAttr,
    init_device,
    pmu_init,
    write,
)
from harness.suite.shapes import (
    ONE_REG,
    Ops,
    each_bit,
    enable_all,
    new_vm,
    probe,
    program,
    run,
    vcpus,
    vgic,
)

ID_AA64PFR2 = 0xC022
MPIDR = 0xC005


def _each(count: int) -> Ops:
    return tuple(run(enable_all(), probe(), vcpu=vcpu) for vcpu in range(count))


def _numbers() -> list[Program]:
    plain = [program(f"exposure/{n}-vcpus", new_vm(n), _each(n)) for n in range(2, MAX_VCPUS + 1)]
    pmu = [
        program(f"exposure/pmu-{n}-vcpus", new_vm(n, pmu=range(n)), _each(n))
        for n in (2, 3, MAX_VCPUS)
    ]
    return plain + pmu


def _ids() -> list[Program]:
    """ICC_IAFFIDR_EL1 is the vCPU id, whatever the creation order."""
    shapes = {
        "17-and-3": (17, 3),
        "1-and-0": (1, 0),
        "511": (511,),
        "aff-boundaries": (0, 15, 16, 255, 256, 511),
        "descending": (7, 6, 5, 4, 3, 2, 1, 0),
    }
    return [
        program(f"exposure/vcpu-ids-{name}", new_vm(ids=ids), _each(len(ids)))
        for name, ids in shapes.items()
    ] + [
        program("exposure/pmu-vcpu-ids-17-and-3", new_vm(ids=(17, 3), pmu=(0, 1)), _each(2)),
    ]


def _orders_of_creation() -> list[Program]:
    """The vGIC may come before, between or after the vCPUs; timers change their INTIDs with it."""
    pmu = FEATURE_PSCI_0_2 | FEATURE_PMU_V3
    return [
        program(
            "exposure/vgic-after-vcpus",
            CreateVm(), CreateVcpu(), CreateVcpu(vcpu=1, id=1), vgic(),
            InitVcpu(), InitVcpu(vcpu=1), init_device(), _each(2),
        ),
        program(
            "exposure/vgic-after-vcpu-init",
            CreateVm(), vcpus(2), vgic(), init_device(), _each(2),
        ),
        program(
            "exposure/vgic-between-vcpus",
            CreateVm(), CreateVcpu(), InitVcpu(), vgic(),
            CreateVcpu(vcpu=1, id=1), InitVcpu(vcpu=1), init_device(), _each(2),
        ),
        program(
            "exposure/vcpu-init-after-vgic-init",
            CreateVm(), vgic(), CreateVcpu(), CreateVcpu(vcpu=1, id=1), init_device(),
            InitVcpu(), InitVcpu(vcpu=1), _each(2),
        ),
        program(
            "exposure/pmu-vgic-after-vcpu-init",
            CreateVm(), vcpus(2, pmu=()), vgic(), init_device(),
            pmu_init(0), pmu_init(1), _each(2),
        ),
        program(
            "exposure/no-vcpu-features",
            CreateVm(), vgic(), CreateVcpu(), InitVcpu(features=0), init_device(),
            _each(1),
        ),
        program(
            "exposure/pmu-without-psci",
            CreateVm(), vgic(), CreateVcpu(), InitVcpu(features=pmu & ~FEATURE_PSCI_0_2),
            init_device(), pmu_init(), _each(1),
        ),
    ]  # fmt: skip


def _owners() -> list[Program]:
    """PPI 23 is owned from PMU_V3/INIT on, 27 and 30 from the vCPU's first run on."""
    pmu_irq = VcpuAttr(Action.SET, VCPU_PMU_V3, PMU_V3_IRQ, ppi_intid(PMUIRQ))
    return [
        program("exposure/pmu-irq-named", new_vm(pmu=()), pmu_irq, pmu_init(), _each(1)),
        program("exposure/pmu-init-forgotten", new_vm(pmu=()), _each(1), pmu_init(), _each(1)),
        program(
            "exposure/pmu-init-forgotten-on-1",
            new_vm(2, pmu=(0,)), _each(2), pmu_init(1), _each(2),
        ),
        program(
            "exposure/pmu-init-forgotten-on-1-which-tries-first",
            new_vm(2, pmu=(0,)), run(enable_all(), vcpu=1), _each(1), pmu_init(1), _each(2),
        ),
        program(
            "exposure/pmu-init-in-reverse",
            new_vm(3, pmu=(2, 1, 0)), _each(3),
        ),
        program(
            "exposure/timer-irqs-named",
            new_vm(2),
            VcpuAttr(Action.SET, VCPU_TIMER, TIMER_IRQ_VTIMER, ppi_intid(CNTV)),
            VcpuAttr(Action.SET, VCPU_TIMER, TIMER_IRQ_PTIMER, ppi_intid(CNTP), vcpu=1),
            _each(2),
        ),
        program(
            "exposure/userspace-ppis",
            CreateVm(), vgic(), _userspace_ppis(), vcpus(), _userspace_ppis(),
            init_device(), _userspace_ppis(), _each(1), _userspace_ppis(),
        ),
    ]  # fmt: skip


def _userspace_ppis() -> DeviceAttr:
    return DeviceAttr(Action.GET, GRP_CTRL, CTRL_USERSPACE_PPIS)


def _single_bits() -> list[Program]:
    """One PPI at a time: names the one that is exposed or hidden by mistake."""
    writes = [write("ENABLER0", value) for _, value in each_bit()]
    bank1 = [write("ENABLER1", value) for _, value in each_bit()]
    return [
        program("exposure/each-bit", new_vm(), run(writes)),
        program("exposure/each-bit-with-pmu", new_vm(pmu=(0,)), run(writes)),
        program("exposure/each-bit-of-bank-1", new_vm(), run(bank1)),
        program("exposure/all-but-each-bit", new_vm(),
                run(write("ENABLER0", U64 & ~value) for _, value in each_bit())),
    ]  # fmt: skip


def programs() -> tuple[Program, ...]:
    return (
        program("exposure/untouched", new_vm(), run(probe())),
        program("exposure/untouched-with-pmu", new_vm(pmu=(0,)), run(probe())),
        program(
            "exposure/id-registers-in-userspace",
            new_vm(ids=(17, 3)),
            [
                OneReg(Action.GET, ONE_REG | encoding, vcpu=vcpu)
                for encoding in (ID_AA64PFR2, MPIDR)
                for vcpu in (0, 1)
            ],
            _each(2),
        ),
        program("exposure/1-vcpu", new_vm(), _each(1)),
        program("exposure/pmu-1-vcpu", new_vm(pmu=(0,)), _each(1)),
        *_numbers(),
        *_ids(),
        *_orders_of_creation(),
        *_owners(),
        *_single_bits(),
    )
