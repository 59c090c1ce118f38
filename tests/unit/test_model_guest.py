# SPDX-License-Identifier: GPL-2.0-or-later
"""What guests see and do: reference A, B, F.2, F.5 #4-#13."""

from __future__ import annotations

import pytest
from model_tools import (
    CDIA,
    EOI,
    EXPOSED,
    HIDDEN,
    STOCK,
    UNMASKED,
    Kernel,
    deactivate,
    fire,
    later,
    listen,
)

from harness.model import HostFacts, NotModelled, TimeDependent
from harness.model.ioctls import PMCR, PMOVSSET
from harness.ppi import CNTP, CNTV, REGISTERS, SW_PPI, U64, Register, ppi_intid, reg
from harness.program import (
    Action,
    CreateDevice,
    CreateVcpu,
    CreateVm,
    InitVcpu,
    IrqLine,
    OneReg,
    Read,
    Run,
    Wfi,
    Window,
    Write,
    init_device,
    read,
    write,
)
from harness.trace import RunEnd, Status

VALID = 1 << 32
UNDEF = (Status.EXCEPTION, 0x02000000)
SW = 1 << SW_PPI


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("IDR0", 0x40), ("IAFFIDR", 0), ("CR0", 6), ("PCR", 0), ("APR", 0), ("HPPIR", 0),
        ("HMR0", U64 & ~8), ("HMR1", U64), ("ENABLER0", 0), ("SACTIVER1", 0), ("ICSR", 0),
        ("PRIORITYR7", 0), ("PRIORITYR15", 0), ("CNTV_CTL_EL0", 0), ("CNTP_CVAL_EL0", 0),
    ],
)  # fmt: skip
def test_what_a_new_guest_reads(name: str, value: int) -> None:
    assert Kernel().read(name) == value


def test_iaffidr_is_the_id() -> None:
    kernel = Kernel(empty=True)
    kernel(CreateVm(), CreateDevice(), CreateVcpu(id=17), InitVcpu(), init_device())
    assert kernel.read("IAFFIDR") == 17


@pytest.mark.parametrize("name", ["ICC_HAPR_EL1", "ICH_PPI_ENABLER0_EL2", "ICH_VMCR_EL2"])
def test_undefined_for_guests(name: str) -> None:
    result = Kernel().run(Read(reg(name)))[0]
    assert (result.status, result.value) == UNDEF


@pytest.mark.parametrize("register", [r for r in REGISTERS.values() if r.name[0] in "IG"], ids=str)
def test_no_vgic_no_gic(register: Register) -> None:
    kernel = Kernel(empty=True)
    kernel(CreateVm(), CreateVcpu(), InitVcpu())
    op = Read(register) if register.readable else Write(register)
    result = kernel.run(op, read("CNTV_CTL_EL0"))[0]
    if register.name == "ID_AA64PFR2_EL1":
        assert (result.value, result.known) == (0, 0xF000)
    else:
        assert (result.status, result.value) == UNDEF


def test_gcie_is_advertised() -> None:
    result = Kernel().run(read("ID_AA64PFR2"))[0]
    assert (result.value, result.known) == (0x1000, 0xF000)


@pytest.mark.parametrize("name", ["HMR0", "HPPIR", "IDR0", "ID_AA64PFR2"])
def test_read_only_registers(name: str) -> None:
    result = Kernel().run(write(name, 1))[0]
    assert (result.status, result.value) == UNDEF


def test_writable_fields() -> None:
    kernel = Kernel()
    expect = {"CR0": 7, "PCR": 0x1F, "APR": 0xFFFFFFFF, "ICSR": 0xFFFF0000F83F,
              "PRIORITYR3": 0x1F1F1F1F1F1F1F1F, "CNTV_CTL_EL0": 7}  # fmt: skip
    for name, value in expect.items():
        result = kernel.run(write(name, U64), write("CNTV_CTL_EL0", 0))[0]
        assert result.value == value & result.known, name


def test_hidden_active_bits_stick() -> None:
    """F.5 #4: fold keeps all 64 Active bits of the hardware, and tells the irqs of the exposed."""
    kernel = Kernel()
    kernel.write("SACTIVER0", U64)
    assert kernel.read("CACTIVER0") == U64
    assert kernel.get("SACTIVER0") == EXPOSED
    assert kernel.write("CACTIVER0", HIDDEN) == EXPOSED


def test_bank_1_is_lost_at_the_next_exit() -> None:
    """F.5 #5; which a host interrupt can cause too, so a bit that is set is not known to stay."""
    kernel = Kernel()
    written = kernel.run(write("SACTIVER1", 5), write("PRIORITYR9", 2), write("ENABLER1", U64))
    assert [(r.value, r.known) for r in written] == [(0, U64 & ~5), (0, U64 & ~2), (0, U64)]
    again = kernel.run(read("SACTIVER1"), read("PRIORITYR9"))
    assert [(r.value, r.known) for r in again] == [(0, U64)] * 2


def test_only_edge_pending_bits_are_writable() -> None:
    """F.5 #13."""
    kernel = Kernel()
    assert kernel.write("SPENDR0", U64) == SW
    assert kernel.read("SPENDR0") == SW, "it survives the exit"
    assert kernel.write("CPENDR0", U64) == 0
    assert kernel.write("SPENDR1", U64) == 0


def test_enable_of_one_vcpu_is_its_own() -> None:
    kernel = Kernel(vcpus=2)
    kernel.write("ENABLER0", U64)
    assert kernel.read("ENABLER0", vcpu=1) == 0


# --- interrupts ----------------------------------------------------------------------------------


def test_life_of_an_edge() -> None:
    kernel = Kernel()
    kernel.run(listen(SW_PPI))
    assert [kernel.inject(), kernel.inject(), kernel.inject(level=0)] == [0, 0, 0]
    look = (read("SPENDR0"), read("SACTIVER0"), read("APR"))
    ops = (read("HPPIR"), CDIA, *look, CDIA, EOI, deactivate(SW_PPI), *look, CDIA)
    values = [r.value for r in kernel.run(ops)]
    intid = VALID | ppi_intid(SW_PPI)
    assert values == [intid, intid, 0, SW, 1, 0, 0, 0, 0, 0, 0, 0]


def test_edge_after_acknowledge_is_a_second_one() -> None:
    kernel = Kernel()
    kernel.run(listen(SW_PPI))
    kernel.inject()
    kernel.run(CDIA)
    kernel.inject()
    done = kernel.run(read("SPENDR0"), CDIA, EOI, deactivate(SW_PPI), CDIA)
    assert [done[0].value, done[1].value, done[4].value] == [SW, 0, VALID | ppi_intid(SW_PPI)]


def test_level_fires_again_while_its_line_is_up() -> None:
    kernel = Kernel()
    kernel.run(listen(CNTV), fire())
    intid = VALID | ppi_intid(CNTV)
    done = kernel.run(CDIA, read("SPENDR0"), EOI, deactivate(CNTV), CDIA, EOI,
                      write("CNTV_CTL_EL0", 0), deactivate(CNTV), CDIA)  # fmt: skip
    assert [done[i].value for i in (0, 1, 4, 8)] == [intid, 1 << CNTV, intid, 0]


@pytest.mark.parametrize(
    ("priority", "pcr", "apr", "found"),
    [(16, 16, 0, True), (17, 16, 0, False), (16, 31, 1 << 16, False), (15, 31, 1 << 16, True),
     (31, 31, 0, True), (0, 0, 0, True), (0, 31, 1, False)],
)  # fmt: skip
def test_sufficient_priority(priority: int, pcr: int, apr: int, found: bool) -> None:
    """Equal to the mask passes, equal to the running priority does not; KVM wakes for the same."""
    kernel = Kernel()
    kernel.run(listen(SW_PPI), write("PRIORITYR0", priority << 24), write("PCR", pcr),
               write("APR", apr))  # fmt: skip
    kernel.inject()
    assert bool(kernel.read("HPPIR")) == found
    assert (kernel.run(Wfi())[0].status == Status.DONE) == found


def test_highest_priority_then_lowest_number() -> None:
    kernel = Kernel()
    kernel.run(listen(SW_PPI, CNTV, CNTP), fire(), fire("CNTP"), write("PRIORITYR0", 9 << 24))
    kernel.inject()
    assert kernel.read("HPPIR") == VALID | ppi_intid(CNTV), "27 before 30, both at 0"
    kernel.run(write("PRIORITYR3", 10 << 24 | 10 << 48))
    assert kernel.read("HPPIR") == VALID | ppi_intid(SW_PPI)


def test_eoi_drops_the_highest_active_priority() -> None:
    kernel = Kernel()
    kernel.run(write("APR", 0b1100), EOI)
    assert kernel.read("APR") == 0b1000


def test_disabled_interface_presents_nothing() -> None:
    kernel = Kernel()
    kernel.run(listen(SW_PPI), write("CR0", 0))
    kernel.inject()
    assert kernel.read("HPPIR") == 0
    assert kernel.run(Wfi(), Wfi())[1].status == Status.NOT_REACHED


def test_cdnmia_finds_nothing_without_nmi() -> None:
    kernel = Kernel()
    kernel.run(listen(SW_PPI))
    kernel.inject()
    assert kernel.run(Read(reg("GICR_CDNMIA")), CDIA)[1].value == VALID | ppi_intid(SW_PPI)


def test_window_takes_all_of_them() -> None:
    kernel = Kernel()
    kernel.run(listen(SW_PPI, CNTV, CNTP), fire(), fire("CNTP"))
    kernel.inject()
    taken = kernel.run(Window(), Window(), read("CNTV_CTL_EL0"), read("SACTIVER0"))
    assert (taken[0].value, taken[0].extra) == (3, ppi_intid(SW_PPI))
    assert [(r.value, r.extra) for r in taken[1:]] == [(0, 0)] * 3


def test_pmu_overflow_is_a_level() -> None:
    """Userspace sets it up; nothing in the guest's list can end it, so the guest gives up at 64."""
    kernel = Kernel(pmu=(0,))
    kernel.run(listen(23))
    kernel(OneReg(Action.SET, PMOVSSET, 1 << 31), OneReg(Action.SET, PMCR, 1))
    taken = kernel.run(read("SPENDR0"), Window())
    assert (taken[0].value, taken[1].value) == (1 << 23, 64)
    assert kernel.get("SPENDR0") == 1 << 23
    kernel(OneReg(Action.SET, PMOVSSET, 0))
    assert kernel.read("SPENDR0") == 0


# --- WFI -----------------------------------------------------------------------------------------


def test_wfi_blocks() -> None:
    kernel = Kernel()
    kernel.run(listen(SW_PPI))
    results = kernel.results(Run((read("CR0"), Wfi(), read("CR0"))))
    assert results[0].value == RunEnd.INTERRUPTED
    assert [r.status for r in results[1:]] == [Status.DONE, Status.BLOCKED, Status.NOT_REACHED]
    kernel.inject()
    assert kernel.run(Wfi())[0].status == Status.DONE


def test_wfi_does_not_care_that_it_is_active() -> None:
    """F.5 #8: nothing can be taken, yet the vCPU does not block."""
    kernel = Kernel()
    kernel.run(listen(SW_PPI), write("SACTIVER0", SW))
    kernel.inject()
    done = kernel.run(read("HPPIR"), Wfi())
    assert (done[0].value, done[1].status) == (0, Status.DONE)


def test_wfi_of_a_hidden_timer_blocks() -> None:
    """F.5 #1: KVM wakes for exposed PPIs only."""
    kernel = Kernel(STOCK, vcpus=2)
    kernel(Run(vcpu=1))
    assert kernel.run(listen(CNTV), fire(), Wfi())[-1].status == Status.BLOCKED
    healthy = Kernel(vcpus=2)
    healthy(Run(vcpu=1))
    assert healthy.run(listen(CNTV), fire(), Wfi())[-1].status == Status.DONE


# --- timers --------------------------------------------------------------------------------------


@pytest.mark.parametrize("timer", ["CNTV", "CNTP"])
@pytest.mark.parametrize("vhe", [True, False])
def test_timer_registers(timer: str, vhe: bool) -> None:
    kernel = Kernel(host=HostFacts(vhe=vhe))
    bit = 1 << {"CNTV": CNTV, "CNTP": CNTP}[timer]
    ctl, cval = f"{timer}_CTL_EL0", f"{timer}_CVAL_EL0"
    steps = [(write(cval, 0), 0), (write(ctl, 1), 5), (read("SPENDR0"), bit), (write(ctl, 3), 7),
             (read("SPENDR0"), 0), (write(cval, U64), U64), (write(ctl, 1), 1),
             (read("SPENDR0"), 0)]  # fmt: skip
    results = kernel.run(tuple(op for op, _ in steps))
    assert [r.value for r in results] == [value for _, value in steps]
    assert kernel.read("SPENDR0") == 0


def test_emulated_timer_drives_its_line() -> None:
    """nVHE: CNTP is injected; what userspace set is corrected when the vCPU is loaded."""
    kernel = Kernel(host=HostFacts(vhe=False))
    kernel.set("SPENDR0", EXPOSED)
    kernel(Run())
    assert kernel.get("SPENDR0") == SW | 1 << CNTV
    kernel.run(fire("CNTP"))
    assert kernel.get("SPENDR0") == SW | 1 << CNTV | 1 << CNTP
    kernel(InitVcpu())
    assert kernel.get("SPENDR0") == SW


@pytest.mark.parametrize("vhe", [True, False])
@pytest.mark.parametrize(("timer", "ppi"), [("CNTV", CNTV), ("CNTP", CNTP)])
def test_elapsing_timer(timer: str, ppi: int, vhe: bool) -> None:
    """What depends on it is not known, until a WFI has waited for it."""
    kernel = Kernel(host=HostFacts(vhe=vhe))
    cval, ctl = f"{timer}_CVAL_EL0", f"{timer}_CTL_EL0"
    ops = (*listen(ppi), write(cval, 5000), write(ctl, 1), read("SPENDR0"), read("HPPIR"), Wfi(),
           read("SPENDR0"), read(ctl))  # fmt: skip
    done = kernel.run(ops)[len(listen()) + 1 :]
    assert (done[0].value, done[0].known) == (1, U64 & ~4)
    assert done[1].known == U64 & ~(1 << ppi)
    assert done[2].known == U64 & ~(VALID | ppi_intid(ppi))
    assert (done[3].status, done[4].value, done[5].value) == (Status.DONE, 1 << ppi, 5)


def test_time_dependent_control_flow_is_refused() -> None:
    for last in (CDIA, Window()):
        with pytest.raises(TimeDependent, match="may or may not have expired"):
            Kernel().run(listen(CNTV), later(), last)
    with pytest.raises(TimeDependent, match="may take longer"):
        Kernel().run(listen(CNTV), later(0x7FFFFFFF), Wfi())


def test_elapsing_timer_that_nobody_listens_to() -> None:
    kernel = Kernel()
    assert kernel.run(later(), Wfi())[-1].status == Status.BLOCKED
    assert kernel.run(CDIA)[0].value == 0


def test_leaked_enable_of_a_hidden_elapsing_timer() -> None:
    """The hardware would complete the WFI, KVM would not: it is a race."""
    kernel = Kernel(UNMASKED, vcpus=2)
    kernel.set("ENABLER0", 1 << CNTV, vcpu=0)
    kernel(Run(vcpu=1))
    with pytest.raises(TimeDependent, match="hidden timer"):
        kernel.run(write("CR0", 1), write("PCR", 31), later(), Wfi())


def test_vcpu_init_again() -> None:
    """F.5 #7: the vGIC has no reset; but a mapped irq forgets, until the next exit reminds it."""
    kernel = Kernel()
    state = ("PCR", "CR0", "APR", "ENABLER0", "PRIORITYR3")
    kernel.run(listen(CNTV), fire(), write("PRIORITYR3", 3 << 24), CDIA)
    before = [kernel.get(name) for name in state]
    kernel.inject()
    kernel(InitVcpu())
    assert [kernel.get(name) for name in state] == before
    assert (kernel.get("SACTIVER0"), kernel.get("SPENDR0")) == (0, SW)
    assert kernel.view() == (1 << CNTV, 1 << CNTV, SW)
    assert kernel.get("SACTIVER0") == 1 << CNTV
    assert kernel.read("CNTV_CTL_EL0") == 0


def test_irq_pin_without_vgic_wakes() -> None:
    kernel = Kernel(empty=True)
    kernel(CreateVm(), CreateVcpu(), InitVcpu())
    assert kernel.run(Wfi())[0].status == Status.BLOCKED
    kernel(IrqLine(0, 1, type=0))
    done = kernel.run(Wfi(), Window())
    assert [r.status for r in done] == [Status.DONE, Status.EXCEPTION]
    with pytest.raises(NotModelled):
        kernel.run(fire())


@pytest.mark.parametrize(("vhe", "kept"), [(True, 7), (False, 0xFFFFFFFF)])
def test_res0_bits_of_a_timer(vhe: bool, kept: int) -> None:
    """KVM's emulated timer remembers them."""
    assert Kernel(host=HostFacts(vhe=vhe)).write("CNTP_CTL_EL0", U64) == kept
