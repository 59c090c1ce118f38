# SPDX-License-Identifier: GPL-2.0-or-later
"""What is outside the model is said to be, in so many words: never a wrong expectation."""

from __future__ import annotations

import pytest
from model_tools import IRS, Kernel

from harness import program as p
from harness.model import Model, NotModelled, TimeDependent
from harness.program import Action, Op, Program

VFIO, PVTIME, PMU_FILTER = 4, 2, 2
LIMITS = {
    "a VFIO device": (p.CreateDevice(type=VFIO),),
    "the PVTIME group": (p.VcpuAttr(Action.SET, PVTIME, 0),),
    "a virtual FIQ": (p.CreateVm(1), p.CreateVcpu(1), p.InitVcpu(1),
                      p.IrqLine(1, 1, vm=1, type=p.IRQ_TYPE_CPU)),
    "a DeviceAttr of the group IST: there is an operation for it":
        (p.DeviceAttr(Action.SET, p.GRP_IST, 0),),
}  # fmt: skip


@pytest.mark.parametrize("says", LIMITS)
def test_what_is_not_modelled_is_named(says: str) -> None:
    kernel = Kernel(IRS)
    *before, last = LIMITS[says]
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


@pytest.mark.parametrize(
    ("ops", "error", "says"),
    [
        ((p.CreateVm(), p.CreateDevice(type=VFIO)), NotModelled,
         "f/p is outside the model at op 1: a VFIO device"),
        ((p.CreateVm(), p.CreateVcpu(), p.CreateDevice(), p.InitVcpu(), p.init_device(),
          p.Run((p.write("CNTV_TVAL_EL0", 10_000_000), p.write("CNTV_CTL_EL0", 1),
                 p.write("PCR", 0x1F), p.write("CR0", 1), p.write("ENABLER0", 1 << 27),
                 p.Read(p.reg("GICR_CDIA"))))), TimeDependent,
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
