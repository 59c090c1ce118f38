# SPDX-License-Identifier: GPL-2.0-or-later
"""One KVM_RUN: the guest's operations on the hardware it was given, and its exits to KVM.

The guest's operations are generators that pause where other branches of a parallel section, or an
interrupt of the host, may come in between (interleave.py); alone, they go on at once.
"""

from __future__ import annotations

from collections.abc import Generator, Hashable
from dataclasses import dataclass, field
from itertools import product
from typing import Final

from harness.model import irs as kvm_irs
from harness.model import vcpu as kvm_vcpu
from harness.model import vgic
from harness.model.behaviour import HostFacts
from harness.model.cpuif import CpuInterface, Known, family, is_ppi
from harness.model.pause import NOTHING, Pause, Touch
from harness.model.refusals import NotModelled, TimeDependent
from harness.model.state import Vcpu, Vm
from harness.model.timers import Timer
from harness.ppi import CNTP, CNTV, U64, Register, bits, ppi_intid, reg
from harness.program import IRS_BASE, GuestOp, IrsRead, IrsWrite, Read, Spin, Wfi, Window, Write
from harness.trace import Result, Status

# ESR_EL1 of an UNDEFINED instruction (EC 0, IL), from the CPU or from kvm_inject_undefined()
UNDEFINED: Final = Result(status=Status.EXCEPTION, value=1 << 25)
NOT_REACHED: Final = Result(status=Status.NOT_REACHED)
TIMER_CTL: Final = {
    ppi_intid(CNTV): reg("CNTV_CTL_EL0"),
    ppi_intid(CNTP): reg("CNTP_CTL_EL0"),
}
KVM_EXIT_MMIO: Final = 6
IRQ_LIMIT: Final = 64  # per window: one that fires for ever must not hang the guest
GCIE: Final = (1 << 12, 0xF << 12)  # ID_AA64PFR2_EL1: of its fields only this one is known
IDR0: Final = 4 << 4  # PRI_BITS: 5 bits of priority; ID_BITS: 16; no legacy interface


class Undefined(Exception):
    """The guest takes an exception to itself."""


class ExitToUserspace(Exception):
    """KVM_RUN ends: what the guest did is userspace's to emulate."""


@dataclass(slots=True)
class Guest:
    """A vCPU that runs in the guest.  ``hw``: the registers of the CPU it runs on."""

    vm: Vm
    vcpu: Vcpu
    host: HostFacts
    wait_ms: int
    touch: Touch = NOTHING  # what its steps share with other branches
    later: Touch = NOTHING  # the same, with the end of the KVM_RUN
    hw: CpuInterface = field(init=False)
    results: list[Result] = field(default_factory=list)
    taken: tuple[int, int] = (0, 0)  # interrupts of the current window: how many, the first one
    interrupted: bool = False  # the vCPU thread was: KVM_RUN did not end by itself
    exit_reason: int = 0  # KVM_RUN ended before the guest's list

    def __post_init__(self) -> None:
        irs = self.vm.irs
        iri = None if irs is None else kvm_irs.Resident(irs, self.vcpu.id)
        self.hw = CpuInterface(self.host.hmr, self.lines, iri)

    def key(self) -> Hashable:
        """What can change, to tell states apart."""
        return (tuple(self.results), self.taken, self.interrupted, self.exit_reason, self.hw.key())

    # --- between guest and KVM -------------------------------------------------------------------

    def exit(self) -> None:
        vgic.leave(self.vm, self.vcpu, self.hw)

    def enter(self) -> None:
        vgic.enter(self.vm, self.vcpu, self.hw)

    def pause(self, what: str) -> Pause:
        """The guest runs: an interrupt of the host may make it leave and come back."""
        return Pause(what, self.touch, self.later, guest=self)

    @property
    def unseen(self) -> bool:
        """Whether an exit and an entry would show the guest an edge that came in meanwhile."""
        irqs = self.vcpu.irqs
        return any(irqs[ppi].edge and irqs[ppi].latch for ppi in bits(self.vm.mask))

    # --- the guest's list ------------------------------------------------------------------------

    def run(self, ops: tuple[GuestOp, ...]) -> Generator[Pause, None, None]:
        """arm.c kvm_arch_vcpu_ioctl_run().  Fewer ``results`` than ``ops`` if one of them ends it.

        Without a vGIC nothing of another branch can reach the guest: then it does not pause.
        """
        kvm_vcpu.load(self.vm, self.vcpu, self.hw)
        if self.vcpu.stopped:  # kvm_vcpu_sleep(): never enters, but for the PMU's line
            vgic.update_pmu(self.vm, self.vcpu)
            yield Pause("sleeps", self.touch, self.later, wait=lambda: False, give_up=lambda: None)
            self.interrupted = True
            return
        yield Pause("enters", self.touch, self.later)
        self.enter()
        for index, op in enumerate(ops):
            yield self.pause(f"guest operation {index}")
            try:
                self.results.append((yield from self.execute(op)))
            except Undefined:
                self.results.append(UNDEFINED)
            except ExitToUserspace:
                self.exit_reason = KVM_EXIT_MMIO
                break
            if self.results[-1].status is Status.BLOCKED:
                self.interrupted = True
                return
            self.check_userspace_timers()
        yield self.pause("exits")
        self.exit()
        kvm_vcpu.put(self.vm, self.vcpu, self.hw)

    def execute(self, op: GuestOp) -> Generator[Pause, None, Result]:
        match op:
            case Read():
                value, known = self.read(op.reg)
                return Result(value=value & known, known=known)
            case Write():
                return (yield from self.write(op))
            case Wfi():
                return (yield from self.wfi())
            case Window():
                return (yield from self.window())
            case IrsRead():
                value, known = self.access_irs(op)
                return Result(value=value & known, known=known)
            case IrsWrite():
                self.access_irs(op)
                return Result()
            case Spin():
                return Result()

    def check_userspace_timers(self) -> None:
        """Without a vGIC, a timer's line ends KVM_RUN: the interrupt controller is in userspace."""
        if not self.vm.vgic and (self.vcpu.vtimer.line, self.vcpu.ptimer.line) != (False, False):
            raise NotModelled("a timer interrupt in a VM without a vGIC")

    # --- registers -------------------------------------------------------------------------------

    def read(self, reg: Register) -> Known:
        if reg.name.endswith("_TVAL_EL0"):
            return 0, 0
        if not reg.readable:
            raise Undefined
        match reg.name:
            case "ID_AA64PFR2_EL1":
                return GCIE if self.vm.vgic else (0, GCIE[1])
            case "CNTV_CTL_EL0" | "CNTP_CTL_EL0":
                return self.timer(reg).read_ctl()
            case "CNTV_CVAL_EL0" | "CNTP_CVAL_EL0":
                return self.timer(reg).read_cval()
        self.check_defined(reg)
        match reg.name:
            case "ICC_IDR0_EL1":  # trapped: sys_regs.c access_gicv5_idr0()
                self.exit()
                self.enter()
                return IDR0, U64
            case "ICC_IAFFIDR_EL1":  # trapped: sys_regs.c access_gicv5_iaffid()
                self.exit()
                self.enter()
                return self.vcpu.id & 0xFFFF, U64
            case "GICR_CDIA":
                return self.hw.acknowledge(self.certain_candidate()), U64
            case "GICR_CDNMIA":  # the guest does not enable NMIs, so nothing has superpriority
                return 0, U64
        return self.hw.read(reg)

    def write(self, op: Write) -> Generator[Pause, None, Result]:
        if not op.reg.writable:
            raise Undefined
        name = op.reg.name
        if name.startswith("CNT"):
            self.write_timer(op.reg, op.value)
        else:
            self.check_defined(op.reg)
            if name.startswith("GIC"):
                self.instruction(op.reg, op.value)
            elif family(op.reg) == "PPI_ENABLER":
                self.write_enabler(op.reg, op.value)
            else:
                self.hw.write(op.reg, op.value)
        if not op.reg.readable:
            return Result()
        yield self.pause(f"reads {op.reg} back")
        value, known = self.read(op.reg)
        return Result(value=value & known, known=known)

    def check_defined(self, reg: Register) -> None:
        """ICH_* are EL2's; ICC_HAPR_EL1 is gone; without a VGICv5, KVM makes the rest UNDEFINED
        (config.c: fine-grained traps of what FEAT_GCIE would bring)."""
        if not self.vm.vgic or reg.name.startswith("ICH_") or reg.name == "ICC_HAPR_EL1":
            raise Undefined

    def write_enabler(self, reg: Register, value: int) -> None:
        """Trapped: sys_regs.c access_gicv5_ppi_enabler().  It takes effect at the next entry."""
        self.exit()
        if reg.bank == 0:
            self.vcpu.enabler = value & self.vm.mask
            for ppi, irq in enumerate(self.vcpu.irqs):
                if self.vm.mask >> ppi & 1:
                    irq.enabled = bool(self.vcpu.enabler >> ppi & 1)
        self.enter()

    def instruction(self, reg: Register, value: int) -> None:
        """Those for SPIs and LPIs do nothing if no VPE is resident: without an IRS."""
        irs = self.vm.irs
        if reg.name == "GIC_CDEOI":
            self.hw.drop()
        elif reg.name == "GIC_CDDI" and is_ppi(value):
            self.hw.deactivate(value)
        elif irs is not None and reg.name == "GIC_CDRCFG":
            if is_ppi(value):
                raise NotModelled("GIC CDRCFG of a PPI")
            self.hw.icsr = irs.ists.configuration(value)
        elif irs is not None:
            irs.ists.command(reg.name.removeprefix("GIC_"), value)

    # --- memory-mapped registers -----------------------------------------------------------------

    def access_irs(self, op: IrsRead | IrsWrite) -> Known:
        """KVM emulates the VM's IRS; anything else without memory goes to userspace."""
        irs = self.vm.irs
        if irs is None or irs.address != IRS_BASE:
            raise ExitToUserspace
        self.exit()
        known = (0, U64)
        if isinstance(op, IrsRead):
            known = kvm_irs.guest_read(self.vm, irs, op)
        else:
            kvm_irs.guest_write(irs, op)
        self.enter()
        return known

    # --- timers ----------------------------------------------------------------------------------

    def timer(self, reg: Register) -> Timer:
        """The timer of a register.  An access to an emulated one traps."""
        if reg.name.startswith("CNTV"):
            return self.vcpu.vtimer
        if not self.host.vhe:
            self.exit()
            self.enter()
        return self.vcpu.ptimer

    def write_timer(self, reg: Register, value: int) -> None:
        """arch_timer.c kvm_arm_timer_write_sysreg(), if it traps."""
        timer = self.timer(reg)
        emulated = timer is self.vcpu.ptimer and not self.host.vhe
        match reg.name.split("_")[1]:
            case "CTL":
                timer.write_ctl(value, emulated)
            case "CVAL":
                timer.write_cval(value)
            case "TVAL":
                timer.write_tval(value)
        if emulated:
            self.exit()
            kvm_vcpu.update_emulated_timer(self.vm, self.vcpu)
            self.enter()

    def lines(self) -> list[int]:
        """The possible levels of the timers' PPIs, one bitmap per possibility."""
        levels = [
            [0, 1 << ppi] if line is None else [line << ppi]
            for ppi, line in ((CNTV, self.vcpu.vtimer.line), (CNTP, self.vcpu.ptimer.line))
        ]
        return [v | p for v, p in product(*levels)]

    # --- interrupts ------------------------------------------------------------------------------

    def certain_candidate(self) -> int | None:
        """What an acknowledge will find."""
        found = self.hw.candidates()
        if len(found) > 1:
            raise TimeDependent("a timer may or may not have expired when the guest acknowledges")
        return found.pop()

    def wfi(self) -> Generator[Pause, None, Result]:
        """WFI, which traps (kvm-arm.wfi_trap_policy=trap) unless an interrupt is signalled."""
        vm, vcpu, hw = self.vm, self.vcpu, self.hw
        found = hw.candidates() if vm.vgic else {None}
        if None not in found or vcpu.virtual_irq:
            return Result()
        self.exit()  # handle_exit.c kvm_handle_wfx(), arm.c kvm_vcpu_wfi()
        if vm.vgic:
            vgic.put(vm, vcpu, hw, in_wfi=True)
        may_be_signalled = len(found) > 1
        given_up: list[bool] = []
        yield Pause(
            "wakes up", self.touch, self.later, wait=lambda: self.wakes(may_be_signalled),
            give_up=lambda: given_up.append(True),
        )  # fmt: skip
        if given_up:
            return Result(status=Status.BLOCKED)
        self.wait_for_timer()
        kvm_vcpu.load(vm, vcpu, hw)
        self.enter()
        return Result()

    def wakes(self, may_be_signalled: bool) -> bool:
        """kvm_vcpu_block(): until kvm_arch_vcpu_runnable(), or a signal.

        A timer that would wake the vCPU is waited for.
        """
        levels = [level for _, level in vgic.wakers(self.vm, self.vcpu)] if self.vm.vgic else []
        if any(levels):
            return True
        waiting = self.waited_for()
        if not all(timer.within(self.wait_ms) for timer in waiting):
            raise TimeDependent(f"the WFI may take longer than the {self.wait_ms} ms it is given")
        if may_be_signalled and not waiting:
            raise TimeDependent("the WFI completes only if a hidden timer has already expired")
        return bool(waiting)

    def waited_for(self) -> list[Timer]:
        """The elapsing timers that will wake the vCPU."""
        wakers = list(vgic.wakers(self.vm, self.vcpu)) if self.vm.vgic else []
        if any(level for _, level in wakers):
            return []
        return [self.vcpu.timer_of(ppi) for ppi, level in wakers if level is None]

    def wait_for_timer(self) -> None:
        """If it is a timer that woke the vCPU, and it is clear which one, it has expired."""
        waiting = self.waited_for()
        if len(waiting) == 1:
            waiting[0].expired = True

    def window(self) -> Generator[Pause, None, Result]:
        """Interrupts are taken one at a time, until none is signalled or the guest has enough.

        The handler (guest/el1/main.c): acknowledge, switch a timer off, drop, deactivate.
        """
        if not self.vm.vgic:
            if self.vcpu.virtual_irq:  # the handler's acknowledge is what excepts
                raise Undefined
            return Result()
        self.taken = (0, 0)
        while self.taken[0] < IRQ_LIMIT:
            intid = self.certain_candidate()
            if intid is None and not self.vcpu.virtual_irq:
                break
            if intid is not None:
                self.handle(intid)
            count, first = self.taken
            self.taken = (count + 1, first if count else intid or 0)
            yield self.pause("in the window")
        count, first = self.taken
        return Result(value=count, extra=first)

    def handle(self, intid: int) -> None:
        self.hw.acknowledge(intid)
        if intid in TIMER_CTL:
            self.write_timer(TIMER_CTL[intid], 0)
        self.hw.drop()
        self.instruction(reg("GIC_CDDI"), intid)
