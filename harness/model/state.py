# SPDX-License-Identifier: GPL-2.0-or-later
"""What KVM remembers: a VM, its vCPUs, and per vCPU the 64 PPIs.

Names are those of the kernel (include/kvm/arm_vgic.h), shortened.  A bitmap is an int: bit i is
PPI i.
"""

from __future__ import annotations

from collections.abc import Hashable
from copy import copy, deepcopy
from dataclasses import dataclass, field
from typing import Final, Protocol

from harness.irs import Table
from harness.model.ist import Ists
from harness.model.timers import Timer
from harness.ppi import CNTHP, CNTHV, CNTP, CNTV, NR_PPIS, PMUIRQ, SW_PPI, mask_of, ppi_intid
from harness.program import mpidr_affinity


class Keyed(Protocol):
    """A guest that runs, as far as the state goes."""

    def key(self) -> Hashable: ...


@dataclass(slots=True)
class Irq:
    """struct vgic_irq, of a PPI."""

    edge: bool
    owner: str = ""  # the in-kernel device that drives it
    hw: bool = False  # mapped to a physical PPI: the device's own line is the truth
    enabled: bool = False
    active: bool = False
    latch: bool = False  # pending_latch
    line: bool = False  # line_level
    priority: int = 0

    @property
    def pending(self) -> bool:
        """vgic.h irq_is_pending()."""
        return self.latch if self.edge else self.latch or self.line

    def clone(self) -> Irq:
        return Irq(self.edge, self.owner, self.hw, self.enabled, self.active, self.latch,
                   self.line, self.priority)  # fmt: skip

    def key(self) -> Hashable:
        return (self.owner, self.hw, self.enabled, self.active, self.latch, self.line,
                self.priority)  # fmt: skip


def private_irqs() -> list[Irq]:
    """vgic-init.c vgic_v5_setup_private_irq(): the SW_PPI is the only architected Edge PPI."""
    return [Irq(edge=i == SW_PPI) for i in range(NR_PPIS)]


CYCLE_COUNTER: Final = 1 << 31


@dataclass(slots=True)
class Pmu:
    """struct kvm_pmu and the registers that make its overflow line.

    Only the cycle counter's bit (31) is followed: how many others there are is the host's affair.
    """

    created: bool = False  # PMU_V3/INIT was done
    irq: int = 0  # 0: not chosen yet
    enable: bool = False  # PMCR_EL0.E
    overflow: int = 0  # PMOVSSET_EL0
    interrupt: int = 0  # PMINTENSET_EL1

    def reset(self) -> None:
        """sys_regs.c reset_pmu_reg(): "unknown" is a pattern with bit 31 set; PMCR.E is 0."""
        self.enable = False
        self.overflow = self.interrupt = CYCLE_COUNTER

    @property
    def level(self) -> bool:
        """pmu-emul.c kvm_pmu_overflow_status()."""
        return self.enable and bool(self.overflow & self.interrupt & CYCLE_COUNTER)


@dataclass(slots=True)
class Vcpu:
    """struct kvm_vcpu.  ``index`` is the order of creation, ``id`` what userspace called it."""

    index: int
    id: int
    initialized: bool = False  # KVM_ARM_VCPU_INIT was done
    has_run: bool = False  # vcpu_has_run_once(): a first run got through all its steps
    stopped: bool = False  # powered off
    locked: bool = False  # kvm_vcpu.mutex: one of its ioctls is under way
    guest: Keyed | None = None  # between entry and exit of a KVM_RUN
    restart: bool = False  # the agent will set PC and x0 before the next KVM_RUN
    virtual_irq: bool = False  # HCR_EL2.VI or VF, from KVM_IRQ_LINE without a vGIC

    # struct vgic_v5_cpu_if: what the next guest entry writes to the hardware
    irqs: list[Irq] = field(default_factory=list)
    enabler: int = 0
    activer: int = 0
    dvir: int = 0
    priorityr: list[int] = field(default_factory=lambda: [0] * 8)
    en: bool = False  # ICH_VMCR_EL2.EN
    vpmr: int = 0  # ICH_VMCR_EL2.VPMR
    apr: int = 0
    icsr: int = 0

    timers_enabled: bool = False
    vtimer: Timer = field(default_factory=Timer)
    ptimer: Timer = field(default_factory=Timer)
    pmu: Pmu = field(default_factory=Pmu)

    @property
    def mpidr(self) -> int:
        """kvm_vcpu_get_mpidr_aff(): KVM_ARM_VCPU_INIT sets the register; until then it is 0."""
        return mpidr_affinity(self.id) if self.initialized else 0

    def timer_of(self, ppi: int) -> Timer:
        return self.vtimer if ppi == CNTV else self.ptimer

    def clone(self) -> Vcpu:
        """A copy that shares nothing.  Not while a guest runs."""
        assert self.guest is None
        out = copy(self)
        out.irqs = [irq.clone() for irq in self.irqs]
        out.priorityr = list(self.priorityr)
        out.vtimer, out.ptimer, out.pmu = copy(self.vtimer), copy(self.ptimer), copy(self.pmu)
        return out

    def key(self) -> Hashable:
        """All that can change, to tell states apart."""
        pmu, timers = self.pmu, (self.vtimer, self.ptimer)
        return (
            self.initialized, self.has_run, self.stopped, self.locked, self.virtual_irq,
            self.restart, tuple(irq.key() for irq in self.irqs), self.enabler, self.activer,
            self.dvir, tuple(self.priorityr), self.en, self.vpmr, self.apr, self.icsr,
            self.timers_enabled, tuple((t.ctl, t.cval, t.expired, t.ticks) for t in timers),
            (pmu.created, pmu.irq, pmu.enable, pmu.overflow, pmu.interrupt),
            self.guest.key() if self.guest else None,
        )  # fmt: skip


@dataclass(slots=True)
class Irs:
    """struct vgic_v5_irs and what belongs to it, of one VM."""

    address: int | None = None
    spis: int = 0  # 0: not chosen yet
    spis_unsure: bool = False  # an INIT that failed may or may not have chosen the default
    enabled: bool = False  # CR0.IRSEN
    spi_selected: int = 0
    pe_selected: int = 0
    base: int = 0  # IST_BASER
    id_bits: int = 0  # IST_CFGR.LPI_ID_BITS
    restored: bool = False  # userspace wrote a valid IST_BASER: the IST comes with the restore
    level: set[int] = field(default_factory=set)  # SPIs with SPI_CFGR.TM
    lines: set[int] = field(default_factory=set)  # of them, those that userspace holds up
    ists: Ists = field(default_factory=Ists)

    @property
    def lpis(self) -> int:
        """How many LPIs the guest has made room for."""
        return 1 << self.ists.bits[Table.LPI] if Table.LPI in self.ists.bits else 0


# arch_timer.c default_ppi[], in the order of the TIMER attributes: vtimer, ptimer, hvtimer, hptimer
DEFAULT_TIMER_PPIS: Final = (CNTV, CNTP, CNTHV, CNTHP)


@dataclass(slots=True)
class Vm:
    """struct kvm, with its struct vgic_dist and struct vgic_v5_vm."""

    dead: bool = False  # kvm_vm_dead(): every ioctl is -EIO from now on
    has_ran_once: bool = False  # some vCPU got through its first run
    features: int | None = None  # of all vCPUs: the first KVM_ARM_VCPU_INIT decides
    vcpus: list[Vcpu] = field(default_factory=list)
    slots: dict[int, Vcpu] = field(default_factory=dict)  # the program's names for them
    mpidr_data: tuple[int, dict[int, Vcpu]] | None = None  # kvm_init_mpidr_data(): mask, lookup
    timer_irqs: list[int] = field(default_factory=lambda: list(DEFAULT_TIMER_PPIS))
    timer_irqs_immutable: bool = False

    vgic: bool = False  # a VGICv5 exists: no other can be created on this host
    device: bool = False  # the program has its file descriptor
    closing: bool = False  # a branch closes its file descriptors
    initialized: bool = False  # CTRL/INIT was done
    userspace_ppis: int = 0
    mask: int = 0  # vgic_ppi_mask: the PPIs exposed to the guest
    hmr: int = 0  # vgic_ppi_hmr
    irs: Irs | None = None  # a VGICv5 with SPIs and LPIs has one

    def create_vgic(self) -> None:
        """vgic-init.c kvm_vgic_create(): vCPUs that exist get their PPIs; timers v5 INTIDs."""
        self.vgic = True
        self.timer_irqs = [ppi_intid(ppi) for ppi in DEFAULT_TIMER_PPIS]
        for vcpu in self.vcpus:
            vcpu.irqs = private_irqs()

    def clone(self) -> Vm:
        out = copy(self)
        copies = {id(vcpu): vcpu.clone() for vcpu in self.vcpus}
        out.vcpus = list(copies.values())
        out.slots = {slot: copies[id(vcpu)] for slot, vcpu in self.slots.items()}
        if self.mpidr_data is not None:
            mask, lookup = self.mpidr_data
            out.mpidr_data = mask, {mpidr: copies[id(vcpu)] for mpidr, vcpu in lookup.items()}
        out.timer_irqs = list(self.timer_irqs)
        out.irs = deepcopy(self.irs)
        return out

    def key(self) -> Hashable:
        """All that can change, to tell states apart; branches leave an IRS alone."""
        lookup = self.mpidr_data and tuple((m, v.index) for m, v in self.mpidr_data[1].items())
        return (
            self.dead, self.has_ran_once, self.features, tuple(self.timer_irqs), lookup,
            self.timer_irqs_immutable, self.vgic, self.device, self.closing, self.initialized,
            self.userspace_ppis, self.mask, self.hmr, tuple(sorted(self.slots)),
            tuple(vcpu.key() for vcpu in self.vcpus),
        )  # fmt: skip


def implemented_ppis(pmu: bool) -> int:
    """vgic-v5.c vgic_v5_get_implemented_ppis(): a fixed set, and 23 if the host has PMUv3."""
    return mask_of([SW_PPI, CNTHP, CNTV, CNTHV, CNTP, *([PMUIRQ] if pmu else [])])
