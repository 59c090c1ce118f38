# SPDX-License-Identifier: GPL-2.0-or-later
"""What is outside the model is said to be, in so many words: never a wrong expectation."""

from __future__ import annotations

import pytest
from model_tools import IRS, MASKED, UNMASKED, Kernel, later

from harness import program as p
from harness.irs import IrsRegister, spi_intid
from harness.model import Behaviour, HostFacts, Model, NotModelled, TimeDependent
from harness.program import Action, GuestOp, IrsRead, IrsWrite, Op, Pointer, Program, irs_reg, write
from harness.suite.shapes import (
    acknowledge,
    configure,
    irs_listen,
    listen,
    new_vm,
    pend,
    run,
    spi_line,
)

SET, GET, _ = Action
VFIO, PVTIME, PMU_FILTER = 4, 2, 2
BASER, CFGR = IrsRegister.IST_BASER, IrsRegister.IST_CFGR
SELR, SPI_CFGR = IrsRegister.SPI_SELR, IrsRegister.SPI_CFGR
NULL = Pointer.NULL
NO_IRS = (p.CreateVm(1), p.CreateDevice(1), p.CreateVcpu(1), p.InitVcpu(1))
BARE = (p.CreateVm(1), p.CreateVcpu(1), p.InitVcpu(1))
PMU = (p.CreateVm(1), p.CreateVcpu(1), p.InitVcpu(1, 0, p.FEATURE_PSCI_0_2 | p.FEATURE_PMU_V3))
ANNOUNCED = irs_reg(SET, BASER, 0x1020_0001)
FIRED = (write("CNTV_CVAL_EL0", 0), write("CNTV_CTL_EL0", 1))
ORDER = "which error comes first"
MPIDR, PMCR, PMOVSSET = 0x6030_0000_0013_C005, 0x6030_0000_0013_DCE0, 0x6030_0000_0013_DCF3


def level_spi(spi: int) -> tuple[GuestOp, ...]:
    return IrsWrite(SELR, spi), IrsWrite(SPI_CFGR, 1)


def nr_irqs(action: Action, value: int = 0, attr: int = 0, vm: int = 0) -> Op:
    return p.DeviceAttr(action, p.GRP_NR_IRQS, attr, value, vm=vm)


# VM 0 has an initialised VGICv5 with an IRS
LIMITS: list[tuple[str, tuple[Op, ...]]] = [
    ("a VFIO device", (p.CreateDevice(type=VFIO),)),
    ("the PVTIME group", (p.VcpuAttr(SET, PVTIME, 0),)),
    ("a virtual FIQ", (*BARE, p.IrqLine(1, 1, vm=1, type=p.IRQ_TYPE_CPU))),
    ("vCPU features 0x24", (*BARE[:2], p.InitVcpu(1, 0, 0x24))),
    ("PMU filters and counters", (*PMU, p.VcpuAttr(SET, p.VCPU_PMU_V3, PMU_FILTER, vm=1))),
    ("a PMU counter other than the cycle counter", (*PMU, p.OneReg(SET, PMOVSSET, 1, vm=1))),
    (f"register {MPIDR:#x}", (p.OneReg(SET, MPIDR, 1),)),
    (f"register {PMCR:#x}", (p.OneReg(GET, PMCR),)),
    ("a timer interrupt in a VM without a vGIC", (*BARE, p.Run(FIRED, vm=1))),
    ("GIC CDRCFG of a PPI", (run(write("CDRCFG", 0x2000_0003)),)),
    # attributes of the IRS
    ("an IRS address that comes after INIT",
     (*NO_IRS, p.init_device(1), p.DeviceAttr(SET, p.GRP_ADDR, p.ADDR_IRS, p.IRS_BASE, vm=1))),
    ("a NR_IRQS attribute other than 0", (nr_irqs(SET, 64, 1),)),
    ("NR_IRQS after an INIT that failed", (*NO_IRS[:2], p.init_device(1), nr_irqs(GET, vm=1))),
    (ORDER, (nr_irqs(SET, 33),)),
    ("the upper half of an IRS_REGS attribute", (irs_reg(GET, 1 << 32),)),
    (ORDER, (*NO_IRS, irs_reg(GET, 0x30, vm=1))),
    (ORDER, (*NO_IRS, p.DeviceAttr(GET, p.GRP_IRS_REGS, 0, 0, NULL, 1))),
    (ORDER, (run(), irs_reg(SET, 0x30))),
    (ORDER, (run(), p.DeviceAttr(SET, p.GRP_IRS_REGS, 0, 0, NULL))),
    (ORDER, (p.DeviceAttr(GET, p.GRP_IRS_REGS, 0x30, 0, NULL),)),
    ("the handling mode of SPIs in a save", (run(level_spi(0)), irs_reg(GET, SPI_CFGR))),
    ("an IDR2 with another ID_BITS", (irs_reg(SET, IrsRegister.IDR2, 0x32C),)),
    ("IRS_IST_CFGR 0x11", (irs_reg(SET, CFGR, 17),)),
    ("IRS_IST_CFGR 0x11", (run(IrsWrite(CFGR, 17)),)),
    # the IRS as the guest sees it
    ("a guest that writes 0x200 of its IRS", (run(IrsWrite(IrsRegister.VMT_BASER, 1, True)),)),
    ("a 32-bit access to the IRS at 0x30", (run(IrsRead(0x30)),)),
    ("a 32-bit access to the IRS at 0x180", (run(IrsRead(BASER)),)),
    ("a 64-bit access to the IRS at 0x80", (run(IrsWrite(IrsRegister.CR0, 1, True)),)),
    ("SPI_CFGR of no SPI, or of one that is held up", (run(level_spi(32)),)),
    ("SPI_CFGR of no SPI, or of one that is held up",
     (run(level_spi(5)), spi_line(5), run(level_spi(5)))),
    ("INTID 0x60000005: its IST entry and KVM disagree: edge or level?",
     (run(irs_listen(), configure(spi_intid(5)), level_spi(5)), spi_line(5), run(acknowledge()))),
    ("an interrupt for one of several vCPUs", (run(write("CDAFF", spi_intid(5) | 1 << 28)),)),
    ("which of two SPIs or LPIs of one priority comes first",
     (run(irs_listen(), configure(spi_intid(5)), configure(spi_intid(6)), pend(spi_intid(5)),
          pend(spi_intid(6)), acknowledge()),)),
    # interrupt state tables
    ("a DeviceAttr of the group IST: there is an operation for it",
     (p.DeviceAttr(SET, p.GRP_IST, 0),)),
    (ORDER, (*NO_IRS, p.Ist(GET, pointer=NULL, vm=1))),
    (ORDER, (run(), p.Ist(SET, pointer=NULL))),
    (ORDER, (run(), p.Ist(SET, 124))),
    ("to save an IST that is announced but not restored", (ANNOUNCED, p.Ist(GET))),
    ("to run with an IST that is announced but not restored", (ANNOUNCED, run())),
    ("an IST entry 0x10",
     (p.IstEntry(SET, p.Table.SPI, 3, 0x10), p.Ist(SET))),
    # parallel sections
    ("a parallel section has more than one state after it: see Worlds", (p.Parallel(()),)),
]  # fmt: skip


@pytest.mark.parametrize(("says", "ops"), LIMITS)
def test_what_is_not_modelled_is_named(says: str, ops: tuple[Op, ...]) -> None:
    kernel = Kernel(IRS)
    *before, last = ops
    kernel(*before)
    with pytest.raises(NotModelled) as caught:
        kernel(last)
    assert str(caught.value) == says


def test_lines_that_are_modelled_beside_it() -> None:
    """An FIQ that goes down, and an IRQ in either direction."""
    kernel = Kernel(empty=True)
    kernel(p.CreateVm(), p.CreateVcpu(), p.InitVcpu())
    for number, level in ((1, 0), (0, 1), (0, 0)):
        assert kernel(p.IrqLine(number, level, type=p.IRQ_TYPE_CPU)) == 0


LATER = later(10_000_000)
TIME = [
    ("a timer may or may not have expired when the guest acknowledges",
     (run(LATER, listen(27), acknowledge()),)),
    ("the WFI may take longer than the 200 ms it is given", (run(LATER, listen(27), p.Wfi()),)),
    ("the register that is copied contains an elapsing timer's line",
     (run(later(10_000_000, "CNTP")), p.CopyReg(p.sysreg_attr("SPENDR0")))),
]  # fmt: skip


@pytest.mark.parametrize(("says", "ops"), TIME)
def test_what_depends_on_time_is_named(says: str, ops: tuple[Op, ...]) -> None:
    kernel = Kernel(host=HostFacts(vhe=False))  # an emulated physical timer
    *before, last = ops
    kernel(*before)
    with pytest.raises(TimeDependent) as caught:
        kernel(last)
    assert str(caught.value) == says


def test_a_hidden_timer_cannot_be_waited_for() -> None:
    """Enabled by userspace, hidden as vCPU 0 has no timers yet: KVM will not wake the guest."""
    kernel = Kernel(UNMASKED, vcpus=2)
    kernel(p.set_reg("ENABLER0", 1 << 27, 1))
    guest = (*LATER, write("PCR", 0x1F), write("CR0", 1), p.Wfi())
    with pytest.raises(TimeDependent) as caught:
        kernel(run(guest, vcpu=1))
    assert str(caught.value) == "the WFI completes only if a hidden timer has already expired"


def section(*branches: tuple[p.BranchOp, ...]) -> p.Parallel:
    return p.Parallel(tuple(p.Branch(ops) for ops in branches))


RACES = [
    ("two branches run, or initialise, one vCPU", MASKED, section((p.Run(),), (p.InitVcpu(),))),
    ("an IRS in a parallel section", IRS, section((irs_reg(GET, 0),))),
    ("an IRS in a parallel section", IRS, section((spi_line(0),))),
    ("an IRS in a parallel section", IRS, section((p.Run((IrsRead(0),)),))),
    ("CreateVcpu in a parallel section", MASKED, section((p.CreateVcpu(),))),  # type: ignore[arg-type]
]  # fmt: skip


@pytest.mark.parametrize(("says", "behaviour", "parallel"), RACES)
def test_what_cannot_race_is_named(says: str, behaviour: Behaviour, parallel: p.Parallel) -> None:
    with pytest.raises(NotModelled) as caught:
        Model(behaviour).run(Program("f/p", (*new_vm(), parallel)))
    assert str(caught.value) == f"f/p is outside the model at op {len(new_vm())}: {says}"


@pytest.mark.parametrize(
    ("ops", "error", "says"),
    [
        ((p.CreateVm(), p.CreateDevice(type=VFIO)), NotModelled,
         "f/p is outside the model at op 1: a VFIO device"),
        ((p.CreateVm(), p.CreateVcpu(), p.CreateDevice(), p.InitVcpu(), p.init_device(),
          run(LATER, listen(27), acknowledge())), TimeDependent,
         "f/p is time-dependent at op 5: "
         "a timer may or may not have expired when the guest acknowledges"),
    ],
)  # fmt: skip
def test_the_program_and_the_operation_are_named(
    ops: tuple[Op, ...], error: type[Exception], says: str
) -> None:
    with pytest.raises(error) as caught:
        Model().run(Program("f/p", ops))
    assert str(caught.value) == says
