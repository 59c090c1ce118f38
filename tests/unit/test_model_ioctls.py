# SPDX-License-Identifier: GPL-2.0-or-later
"""Which ioctl refuses what: reference E.2, E.4, F.5 #10-#11, kvm-7.4.md section 2."""

from __future__ import annotations

from errno import EBADF, EBUSY, EEXIST, EFAULT, EINTR, EINVAL, EIO, ENODEV, ENOENT, ENOEXEC, ENXIO

import pytest
from model_tools import EXPOSED, EXPOSED_PMU, Kernel

from harness.model import HostFacts
from harness.ppi import CNTV, PMUIRQ, REGISTERS, U64, ppi_intid
from harness.program import (
    CTRL_INIT,
    CTRL_USERSPACE_PPIS,
    DEV_TYPE_VGIC_V2,
    DEV_TYPE_VGIC_V3,
    FEATURE_PMU_V3,
    FEATURE_POWER_OFF,
    FEATURE_PSCI_0_2,
    GRP_ADDR,
    GRP_CTRL,
    GRP_NR_IRQS,
    IRQ_TYPE_CPU,
    IRQ_TYPE_PPI,
    IRQ_TYPE_SPI,
    PMU_V3_INIT,
    PMU_V3_IRQ,
    TIMER_IRQ_PTIMER,
    TIMER_IRQ_VTIMER,
    VCPU_PMU_V3,
    VCPU_TIMER,
    Action,
    CloseVm,
    CreateDevice,
    CreateVcpu,
    CreateVm,
    DeviceAttr,
    InitVcpu,
    IrqLine,
    OneReg,
    Op,
    Pointer,
    Run,
    VcpuAttr,
    Wfi,
    init_device,
    pmu_init,
    read,
    set_reg,
)
from harness.trace import Result, RunEnd, Status

SET, GET, HAS = Action
PMU = FEATURE_PSCI_0_2 | FEATURE_PMU_V3


def empty(*ops: Op) -> Kernel:
    kernel = Kernel(empty=True)
    assert kernel(CreateVm(), *ops) == 0
    return kernel


def ran(kernel: Kernel, vcpu: int = 0) -> tuple[int, int]:
    result = kernel.results(Run(vcpu=vcpu))[0]
    return result.ret, result.value


def test_create_device() -> None:
    kernel = empty()
    for type_ in (DEV_TYPE_VGIC_V2, DEV_TYPE_VGIC_V3, 17, 1000):
        assert kernel(CreateDevice(type=type_)) == -ENODEV
        assert kernel(CreateDevice(type=type_, test=True)) == -ENODEV
    assert kernel(CreateDevice(test=True)) == 0, "creates nothing"
    assert kernel(CreateDevice()) == 0
    assert kernel(CreateDevice()) == -EEXIST
    assert kernel(CreateDevice(test=True)) == 0


def test_create_device_after_run() -> None:
    kernel = empty(CreateVcpu(), InitVcpu())
    assert ran(kernel) == (0, RunEnd.FINISHED)
    assert kernel(CreateDevice()) == -EBUSY


def test_create_vcpu() -> None:
    kernel = empty(CreateDevice(), CreateVcpu(id=3))
    assert kernel(CreateVcpu(vcpu=1, id=512)) == -EINVAL
    assert kernel(CreateVcpu(vcpu=1, id=3)) == -EEXIST
    assert kernel(CreateVcpu(vcpu=1, id=511)) == 0
    kernel(init_device())
    assert kernel(CreateVcpu(vcpu=2, id=0)) == -EBUSY, "no vCPU after INIT"
    assert kernel(CreateVcpu(vcpu=2, id=3)) == -EEXIST, "that is checked first"


def test_ids_and_number_of_vcpus_are_limited() -> None:
    """An id of 512 is refused first, one that only this host has no room for last."""
    kernel = Kernel(empty=True, host=HostFacts(max_vcpus=2))
    kernel(CreateVm(), CreateDevice(), CreateVcpu(id=1))
    assert kernel(CreateVcpu(vcpu=1, id=2)) == -EINVAL
    kernel(init_device())
    assert kernel(CreateVcpu(vcpu=1, id=2)) == -EBUSY
    assert kernel(CreateVcpu(vcpu=1, id=512)) == -EINVAL
    kernel(CreateVm(), CreateVcpu(id=0), CreateVcpu(vcpu=1, id=1))
    assert kernel(CreateVcpu(vcpu=2, id=1)) == -EINVAL, "not EEXIST: there are two"


def test_the_table_of_mpidrs_knows_the_last_that_has_one() -> None:
    """Made at a first run; vCPUs 1 and 2 have no MPIDR of their own yet, as vCPU 0."""
    kernel = Kernel(empty=True)
    kernel(CreateVm(), CreateDevice(), *(CreateVcpu(vcpu=i, id=i) for i in range(3)), InitVcpu())
    kernel(init_device(), set_reg("PCR", 5))
    assert kernel.get("PCR") == 5
    assert kernel(Run()) == 0
    assert kernel.get("PCR") == 0, "vCPU 2"
    assert kernel.get("PCR", 1) == -EINVAL


def test_an_mpidr_that_is_not_in_the_table() -> None:
    kernel = Kernel(empty=True)
    kernel(CreateVm(), CreateDevice(), CreateVcpu(), CreateVcpu(vcpu=1, id=3))
    kernel(InitVcpu(), InitVcpu(vcpu=1), init_device(), set_reg("PCR", 7, 3), Run())
    assert [kernel.get("PCR", vcpu_id) for vcpu_id in (0, 1, 2, 3, 4)] == [
        0, -EINVAL, -EINVAL, 7, -EINVAL,
    ]  # fmt: skip


def test_ctrl_init() -> None:
    kernel = empty(CreateDevice())
    init = DeviceAttr(SET, GRP_CTRL, CTRL_INIT)
    assert kernel(DeviceAttr(HAS, GRP_CTRL, CTRL_INIT)) == 0
    assert kernel(DeviceAttr(GET, GRP_CTRL, CTRL_INIT)) == -ENXIO
    assert kernel(init) == 0, "7.3.4 does not want a vCPU for it"
    assert kernel(init) == 0, "again"


def test_userspace_ppis() -> None:
    kernel = empty(CreateDevice())
    get = DeviceAttr(GET, GRP_CTRL, CTRL_USERSPACE_PPIS)
    assert kernel.results(get) == [Result(value=0)]
    kernel(init_device())
    assert kernel.results(get) == [Result(value=8)]
    bad = DeviceAttr(GET, GRP_CTRL, CTRL_USERSPACE_PPIS, pointer=Pointer.NULL)
    assert kernel(bad) == -EFAULT
    assert kernel(DeviceAttr(SET, GRP_CTRL, CTRL_USERSPACE_PPIS)) == -ENXIO
    assert kernel(DeviceAttr(HAS, GRP_CTRL, CTRL_USERSPACE_PPIS)) == 0


@pytest.mark.parametrize("action", list(Action))
@pytest.mark.parametrize(("group", "attr"), [
    (GRP_ADDR, 0), (GRP_ADDR, 6), (GRP_NR_IRQS, 0), (1, 0), (5, 0), (GRP_CTRL, 1), (10, 0), (11, 0),
])  # fmt: skip
def test_no_other_attribute(action: Action, group: int, attr: int) -> None:
    assert Kernel()(DeviceAttr(action, group, attr, 64)) == -ENXIO


def test_run_before_init_kills_the_vm() -> None:
    kernel = empty(CreateDevice(), CreateVcpu(), InitVcpu())
    assert ran(kernel) == (-EBUSY, RunEnd.FAILED)
    assert ran(kernel) == (-EIO, RunEnd.FAILED)
    for op in (
        init_device(), CreateVcpu(vcpu=1, id=1), CreateDevice(), CreateDevice(test=True),
        InitVcpu(), IrqLine(3, 1), pmu_init(), DeviceAttr(HAS, GRP_ADDR),
    ):  # fmt: skip
        assert kernel(op) == -EIO, op
    assert kernel(InitVcpu(vcpu=5)) == -EIO, "KVM_ARM_PREFERRED_TARGET comes first"
    assert kernel(CloseVm()) == 0


def test_run_without_vcpu_init() -> None:
    kernel = empty(CreateDevice(), CreateVcpu())
    assert ran(kernel) == (-ENOEXEC, RunEnd.FAILED)
    assert kernel(init_device()) == 0, "the VM lives"


def test_run_results_are_not_reached_if_it_fails() -> None:
    kernel = empty(CreateVcpu())
    results = kernel.results(Run((Wfi(), Wfi())))
    assert [r.status for r in results[1:]] == [Status.NOT_REACHED] * 2


def test_powered_off_vcpu() -> None:
    kernel = Kernel()
    kernel(InitVcpu(features=FEATURE_PSCI_0_2 | FEATURE_POWER_OFF))
    results = kernel.results(Run((read("ENABLER0"),)))
    assert (results[0].ret, results[0].value) == (-EINTR, RunEnd.INTERRUPTED)
    assert results[1].status == Status.NOT_REACHED
    assert kernel.set("PCR", 1) == -EBUSY, "it counts as a run"
    kernel(InitVcpu())
    assert ran(kernel) == (0, RunEnd.FINISHED)


def test_features() -> None:
    kernel = empty(CreateVcpu(), CreateVcpu(vcpu=1, id=1))
    assert kernel(InitVcpu(features=1 << 10)) == -ENOENT
    assert kernel(InitVcpu(features=1 << 1)) == -EINVAL
    assert kernel(InitVcpu(features=PMU)) == 0
    assert kernel(InitVcpu()) == -EINVAL, "not another set"
    assert kernel(InitVcpu(vcpu=1)) == -EINVAL, "on no vCPU of the VM"
    assert kernel(InitVcpu(vcpu=1, features=PMU | FEATURE_POWER_OFF)) == 0
    no_pmu = Kernel(host=HostFacts(pmu=False))
    assert no_pmu(InitVcpu(features=PMU)) == -EINVAL


@pytest.mark.parametrize(("op", "ret"), [
    (IrqLine(3, 1), 0), (IrqLine(3, 0), 0), (IrqLine(3, 1, vcpu=2), -EINVAL),
    *[(IrqLine(ppi, 1), -EINVAL) for ppi in (0, 2, 4, 23, 27, 30, 63, 64, 1000)],
    (IrqLine(0, 1, type=IRQ_TYPE_SPI), -EINVAL), (IrqLine(32, 1, type=IRQ_TYPE_SPI), -EINVAL),
    (IrqLine(0, 1, type=IRQ_TYPE_CPU), -ENXIO), (IrqLine(3, 1, type=3), -EINVAL),
])  # fmt: skip
def test_irq_line(op: IrqLine, ret: int) -> None:
    assert Kernel()(op) == ret


def test_irq_line_without_vgic_or_init() -> None:
    kernel = empty(CreateVcpu(id=5), InitVcpu())
    assert kernel(IrqLine(3, 1, vcpu=5)) == -ENXIO
    assert kernel(IrqLine(3, 1, type=IRQ_TYPE_SPI)) == -ENXIO
    assert kernel(IrqLine(0, 1, vcpu=5, type=IRQ_TYPE_CPU)) == 0
    assert kernel(IrqLine(0, 1, vcpu=0, type=IRQ_TYPE_CPU)) == -EINVAL, "the id counts"
    assert kernel(IrqLine(2, 1, vcpu=5, type=IRQ_TYPE_CPU)) == -EINVAL
    kernel(CreateDevice())
    for type_ in (IRQ_TYPE_PPI, IRQ_TYPE_SPI):
        assert kernel(IrqLine(3, 1, vcpu=5, type=type_)) == -EBUSY


def test_pmu_attributes() -> None:
    kernel = empty(CreateDevice(), CreateVcpu(), CreateVcpu(vcpu=1, id=1))
    irq = VcpuAttr(SET, VCPU_PMU_V3, PMU_V3_IRQ, ppi_intid(PMUIRQ))
    assert kernel(pmu_init()) == -ENODEV, "no PMU feature"
    assert kernel(VcpuAttr(HAS, VCPU_PMU_V3, PMU_V3_INIT)) == -ENXIO
    kernel(InitVcpu(features=PMU))
    assert kernel(VcpuAttr(HAS, VCPU_PMU_V3, PMU_V3_INIT, vcpu=1)) == 0, "the VM's feature"
    assert kernel(pmu_init()) == -ENODEV, "vGIC not INIT"
    assert kernel(VcpuAttr(GET, VCPU_PMU_V3, PMU_V3_IRQ)) == -ENXIO
    for wrong in (23, ppi_intid(22), 3 << 29 | 23, 0):
        assert kernel(VcpuAttr(SET, VCPU_PMU_V3, PMU_V3_IRQ, wrong)) == -EINVAL
    assert kernel(VcpuAttr(SET, VCPU_PMU_V3, PMU_V3_IRQ, pointer=Pointer.NULL)) == -EFAULT
    assert [kernel(irq), kernel(irq)] == [0, -EBUSY]
    kernel(init_device())
    assert [kernel(pmu_init()), kernel(pmu_init()), kernel(irq)] == [0, -EBUSY, -EBUSY]
    assert kernel(VcpuAttr(SET, VCPU_PMU_V3, 9, vcpu=1)) == -ENXIO
    assert kernel.results(VcpuAttr(GET, VCPU_PMU_V3, PMU_V3_IRQ))[0].value == ppi_intid(23)


def test_pmu_init_before_the_vgic_exists_is_for_nothing() -> None:
    kernel = empty(CreateVcpu(), InitVcpu(features=PMU), pmu_init(), CreateDevice(), init_device())
    assert ran(kernel) == (-EINVAL, RunEnd.FAILED), "no interrupt was chosen"
    assert kernel(pmu_init()) == -EBUSY


def test_pmu_init_after_another_vcpu_ran() -> None:
    kernel = Kernel(vcpus=2, pmu=(1,))
    assert ran(kernel) == (-EINVAL, RunEnd.FAILED)
    assert kernel.write("ENABLER0", U64, vcpu=1) == EXPOSED_PMU
    assert kernel(pmu_init(0)) == 0
    assert kernel.write("ENABLER0", U64) == EXPOSED_PMU


def timer(action: Action, attr: int, value: int = 0, pointer: Pointer = Pointer.VALUE) -> VcpuAttr:
    return VcpuAttr(action, VCPU_TIMER, attr, value, pointer)


def test_timer_attributes() -> None:
    kernel = empty(CreateVcpu(), InitVcpu())
    assert kernel.results(timer(GET, TIMER_IRQ_VTIMER))[0].value == CNTV
    assert kernel(timer(SET, TIMER_IRQ_VTIMER, CNTV)) == -EINVAL, "no vGIC"
    kernel(CreateDevice())
    assert kernel.results(timer(GET, TIMER_IRQ_VTIMER))[0].value == ppi_intid(CNTV)
    assert kernel(timer(SET, TIMER_IRQ_VTIMER, CNTV)) == -EINVAL, "not a v5 INTID"
    assert kernel(timer(SET, TIMER_IRQ_VTIMER, pointer=Pointer.UNMAPPED)) == -EFAULT
    assert kernel(timer(SET, TIMER_IRQ_VTIMER, ppi_intid(64))) == -EINVAL, "there are 64"
    assert kernel(timer(SET, TIMER_IRQ_VTIMER, ppi_intid(63))) == 0
    assert kernel(timer(SET, TIMER_IRQ_VTIMER, ppi_intid(27))) == 0
    assert kernel(timer(SET, 4, ppi_intid(40))) == -ENXIO
    assert kernel(timer(HAS, 3)) == 0
    assert kernel(timer(HAS, 4)) == -ENXIO
    assert kernel(timer(SET, TIMER_IRQ_PTIMER, ppi_intid(40))) == 0
    kernel(init_device())
    assert ran(kernel) == (-EINVAL, RunEnd.FAILED), "only the architected PPI will do"
    assert kernel(timer(SET, TIMER_IRQ_PTIMER, ppi_intid(30))) == 0
    assert ran(kernel) == (0, RunEnd.FINISHED)
    assert kernel(timer(SET, TIMER_IRQ_PTIMER, ppi_intid(30))) == -EBUSY


def test_missing_file_descriptors() -> None:
    kernel = Kernel(empty=True)
    for op in (CreateDevice(), CreateVcpu(), InitVcpu(), init_device(), pmu_init(), CloseVm(),
               IrqLine(3, 1)):  # fmt: skip
        assert kernel(op) == -EBADF
    assert ran(kernel) == (-EBADF, RunEnd.FAILED)
    kernel(CreateVm())
    assert kernel(init_device()) == -EBADF


def test_closed_vm_starts_afresh() -> None:
    kernel = Kernel()
    kernel(Run(), CloseVm())
    kernel.new_vm(0)
    assert kernel.set("ENABLER0", U64) == 0
    assert kernel.write("ENABLER0", U64) == EXPOSED


# --- single registers ----------------------------------------------------------------------------

MPIDR, ID_AA64PFR2 = 0x6030_0000_0013_C005, 0x6030_0000_0013_C022
PMCR, PMOVSSET, PMINTENSET = (0x6030_0000_0013_0000 | low for low in (0xDCE0, 0xDCF3, 0xC4F1))


def test_registers_of_a_vcpu_that_is_not_initialised() -> None:
    assert empty(CreateVcpu())(OneReg(GET, MPIDR)) == -ENOEXEC


def test_registers_of_the_gic_are_no_registers_of_a_vcpu() -> None:
    kernel = Kernel()
    for register in REGISTERS.values():
        if register.name.startswith("IC"):
            assert kernel(OneReg(GET, 0x6030_0000_0013_0000 | register.encoding)) == -ENOENT


def test_mpidr() -> None:
    """Aff3 in [39:32], Aff2 to Aff0 in [23:0]; the other bits are not followed."""
    result = empty(CreateVcpu(id=0x1F), InitVcpu()).results(OneReg(GET, MPIDR))
    assert result == [Result(value=0x10F, known=0xFF_00FF_FFFF)]


def test_gcie_in_the_id_register() -> None:
    """Before a first run without a vGIC, it is still what the host has."""
    kernel = empty(CreateVcpu(), InitVcpu())
    assert kernel.results(OneReg(GET, ID_AA64PFR2)) == [Result(value=0, known=0)]
    kernel(Run())
    assert kernel.results(OneReg(GET, ID_AA64PFR2)) == [Result(value=0, known=0xF000)]
    assert Kernel().results(OneReg(GET, ID_AA64PFR2)) == [Result(value=0x1000, known=0xF000)]


def test_the_pmu_of_a_vcpu_that_is_off_raises_its_line() -> None:
    kernel = Kernel(pmu=(0,))
    kernel(InitVcpu(features=PMU | FEATURE_POWER_OFF), OneReg(SET, PMCR, 1))
    assert ran(kernel) == (-EINTR, RunEnd.INTERRUPTED)
    assert kernel.get("SPENDR0") >> PMUIRQ & 1


def test_the_pmu_raises_its_line() -> None:
    """If it is enabled (PMCR.E), and an overflow has its interrupt enabled."""
    assert Kernel()(OneReg(SET, PMCR, 1)) == -ENOENT, "it has no PMU"
    kernel = Kernel(pmu=(0,))
    seen = []
    for register, value in (
        (PMCR, 0), (PMCR, 3), (PMOVSSET, 0), (PMINTENSET, 0), (PMOVSSET, 1 << 31),
        (PMINTENSET, 1 << 31), (PMCR, 2),
    ):  # fmt: skip
        assert kernel(OneReg(SET, register, value)) == 0
        seen.append(kernel.read("SPENDR0") >> PMUIRQ & 1)
    assert seen == [0, 1, 0, 0, 0, 1, 0]
