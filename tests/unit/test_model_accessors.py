# SPDX-License-Identifier: GPL-2.0-or-later
"""CPU_SYSREGS: reference E.3, F.4 and the read-back table."""

from __future__ import annotations

from dataclasses import replace
from errno import EBADF, EBUSY, EFAULT, EINVAL, EIO, ENOENT, ENXIO

import pytest
from model_tools import EXPOSED, EXPOSING, HIDDEN, STOCK, Kernel, fire, later

from harness.model import HostFacts
from harness.ppi import CNTP, CNTV, REGISTERS, SW_PPI, U64, Register
from harness.program import (
    GRP_CPU_SYSREGS,
    Action,
    CopyReg,
    CreateDevice,
    CreateVcpu,
    CreateVm,
    DeviceAttr,
    InitVcpu,
    Pointer,
    Run,
    get_reg,
    set_reg,
    sysreg_attr,
    write,
)

LIST = [r for r in REGISTERS.values() if r.userspace]
OTHERS = [r for r in REGISTERS.values() if not r.userspace]
# What comes back after all ones were set (kvm-7.4.md section 2, observed).
ALL_ONES = {
    "ICC_PPI_ENABLER0_EL1": U64, "ICC_PPI_SACTIVER0_EL1": U64, "ICC_PPI_SPENDR0_EL1": U64,
    **{f"ICC_PPI_PRIORITYR{n}_EL1": 0x1F1F1F1F1F1F1F1F for n in range(8)},
    "ICC_APR_EL1": 0xFFFFFFFF, "ICC_CR0_EL1": 7, "ICC_PCR_EL1": 0x1F,
    "ICC_ICSR_EL1": 0xFFFF0000F83F,
}  # fmt: skip


def attr(action: Action, register: Register | int, **more: object) -> DeviceAttr:
    code = register if isinstance(register, int) else sysreg_attr(register)
    return replace(DeviceAttr(action, GRP_CPU_SYSREGS, code), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("register", LIST, ids=str)
def test_what_all_ones_read_back(register: Register) -> None:
    kernel = Kernel()
    assert kernel.set(register.name, U64) == 0
    assert kernel.get(register.name) == ALL_ONES.get(register.name, 0)
    assert kernel.set(register.name, 0) == 0
    assert kernel.get(register.name) == (6 if register.name == "ICC_CR0_EL1" else 0)


def test_list_has_26_registers() -> None:
    assert len(LIST) == 26


@pytest.mark.parametrize("register", OTHERS, ids=str)
def test_registers_outside_the_list(register: Register) -> None:
    kernel = Kernel()
    assert kernel(attr(Action.HAS, register)) == -ENXIO
    assert kernel(attr(Action.GET, register)) == -ENOENT
    assert kernel(attr(Action.SET, register)) == -ENOENT


@pytest.mark.parametrize("action", list(Action))
def test_order_of_checks(action: Action) -> None:
    """Affinity, INIT, (for a write) late, then the pointer or the register."""
    vm = (CreateVm(), CreateDevice(), CreateVcpu(), InitVcpu())
    kernel = Kernel(empty=True)
    kernel(*vm)
    register = LIST[1]
    before = 0 if action is Action.HAS else -EBUSY
    assert kernel(attr(action, register, pointer=Pointer.NULL)) == before
    assert kernel(attr(action, sysreg_attr(register, 7))) == -EINVAL
    assert kernel(attr(action, sysreg_attr(register) | 0xFFFF << 16)) == before, "reserved bits"


def test_bad_pointers() -> None:
    kernel = Kernel()
    unknown = OTHERS[0]
    for pointer in (Pointer.NULL, Pointer.UNMAPPED):
        assert kernel(attr(Action.GET, LIST[0], pointer=pointer)) == -EFAULT
        assert kernel(attr(Action.SET, LIST[0], pointer=pointer)) == -EFAULT
        assert kernel(attr(Action.SET, unknown, pointer=pointer)) == -EFAULT, "before the lookup"
        assert kernel(attr(Action.GET, unknown, pointer=pointer)) == -ENOENT, "after the lookup"


@pytest.mark.parametrize("action", list(Action))
def test_kernel_without_accessors(action: Action) -> None:
    kernel = Kernel(STOCK)
    for register in (*LIST, *OTHERS):
        assert kernel(attr(action, register)) == -ENXIO
    assert kernel(attr(action, sysreg_attr(LIST[0], 9))) == -ENXIO


def test_late_writes_refused() -> None:
    """Any vCPU's run makes the writes to all of them late; reads stay allowed."""
    kernel = Kernel(vcpus=2)
    kernel.set_state(U64, 1)
    kernel(Run())
    assert kernel.set("ENABLER0", 0, vcpu=1) == -EBUSY
    assert kernel.get("ENABLER0", vcpu=1) == U64
    assert kernel(attr(Action.SET, LIST[0], pointer=Pointer.NULL)) == -EBUSY
    assert kernel(attr(Action.SET, OTHERS[0])) == -EBUSY


def test_late_writes_exposed() -> None:
    kernel = Kernel(EXPOSING)
    kernel(Run())
    kernel.set_state(U64)
    assert kernel.view() == (U64, U64, 1 << SW_PPI)
    assert kernel.get_state() == (U64, U64, U64 & ~0)


@pytest.mark.parametrize("bit", [0, 23, 26, 28, 63])
def test_read_back_hidden(bit: int) -> None:
    kernel = Kernel()
    kernel.set_state(1 << bit)
    assert kernel.get_state() == (1 << bit,) * 3, "before the first run"
    assert kernel.view() == (0, 0, 0)
    assert kernel.get_state() == (0, 0, 0)


@pytest.mark.parametrize(("bit", "guest"), [(SW_PPI, 1), (CNTV, 0), (30, 0)])
def test_read_back_exposed(bit: int, guest: int) -> None:
    """F.5 #6: the line that userspace set for a timer stays, but the guest sees the real one."""
    kernel = Kernel()
    kernel.set_state(1 << bit)
    assert kernel.view() == (1 << bit, 1 << bit, guest << bit)
    assert kernel.get_state() == (1 << bit,) * 3


def test_pmu_line_is_corrected_at_entry() -> None:
    kernel = Kernel(pmu=(0,))
    kernel.set("SPENDR0", 1 << 23)
    kernel(Run())
    assert kernel.get("SPENDR0") == 0


def test_set_replaces() -> None:
    """SACTIVER and SPENDR are raw here: a 0 clears."""
    kernel = Kernel()
    kernel.set_state(EXPOSED)
    kernel.set_state(HIDDEN)
    assert kernel.get_state() == (HIDDEN,) * 3


def test_affinity_is_0_before_vcpu_init() -> None:
    """KVM_ARM_VCPU_INIT writes MPIDR_EL1: until then every vCPU answers to affinity 0."""
    kernel = Kernel(empty=True)
    kernel(CreateVm(), CreateDevice(), CreateVcpu(id=5), CreateVcpu(vcpu=1, id=0))
    kernel(DeviceAttr(Action.SET, 4, 0))
    assert kernel(set_reg("PCR", 3, 5)) == -EINVAL
    assert kernel(set_reg("PCR", 3, 0)) == 0
    kernel(InitVcpu(), InitVcpu(vcpu=1))
    assert kernel.results(get_reg("PCR", 5))[0].value == 3, "index 0 answered first"


def test_copy_between_vms() -> None:
    kernel = Kernel()
    kernel.new_vm(1)
    code = sysreg_attr("PCR")
    kernel.set("PCR", 9)
    copied = kernel.results(CopyReg(code))[0]
    assert (copied.ret, copied.value, kernel.get("PCR", vm=1)) == (0, 9, 9)
    kernel(Run(vm=1))
    late = kernel.results(CopyReg(code))[0]
    assert (late.ret, late.value) == (-EBUSY, 9)
    assert kernel(CopyReg(code, to_vm=3)) == -EBADF
    assert kernel(CopyReg(code, vm=3)) == -EBADF


def test_guest_values_reach_userspace() -> None:
    kernel = Kernel()
    kernel.run(write("PCR", 0x15), write("CR0", 1), write("APR", 1 << 7), write("PRIORITYR0", U64),
               write("SACTIVER0", U64), write("ICSR", U64))  # fmt: skip
    assert (kernel.get("PCR"), kernel.get("CR0"), kernel.get("APR")) == (0x15, 7, 1 << 7)
    assert kernel.get("PRIORITYR0") == 0x1F1F1F1F1F1F1F1F
    assert kernel.get("ICSR") == ALL_ONES["ICC_ICSR_EL1"]
    assert kernel.get("SACTIVER0") == EXPOSED, "only exposed PPIs are folded into the irqs"


def test_dead_vm() -> None:
    kernel = Kernel(empty=True)
    kernel(CreateVm(), CreateDevice(), CreateVcpu(), InitVcpu(), Run())
    assert kernel.get("PCR") == -EIO


@pytest.mark.parametrize("vhe", [True, False])
@pytest.mark.parametrize("timer", ["off", "elapsing", "expired"])
def test_only_the_line_of_an_elapsing_emulated_timer_is_unknown(vhe: bool, timer: str) -> None:
    """With VHE the physical timer is injected directly: KVM does not look at its line."""
    kernel = Kernel(host=HostFacts(vhe=vhe))
    kernel.run({"off": (), "elapsing": later(timer="CNTP"), "expired": fire("CNTP")}[timer])
    unknown = 1 << CNTP if timer == "elapsing" and not vhe else 0
    known = {r.name: kernel.results(get_reg(r.name))[0].known for r in LIST}
    assert known == dict.fromkeys(known, U64) | {"ICC_PPI_SPENDR0_EL1": U64 & ~unknown}
