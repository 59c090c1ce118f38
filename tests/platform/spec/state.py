# SPDX-License-Identifier: GPL-2.0-or-later
"""The state of a GICv5: what each interrupt, CPU interface and PE holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import NamedTuple

PPIS = 128
SPIS = 256
MIN_LPI_ID_BITS, MAX_LPI_ID_BITS = 12, 16
PRIORITIES = 32
IDLE = PRIORITIES  # the running priority of an idle CPU interface
SW_PPI = 3


class Kind(IntEnum):
    """INTID.TYPE. Platform: at equal priority, the order in which interrupts are presented."""

    PPI = 1
    LPI = 2
    SPI = 3


class Intid(NamedTuple):
    kind: int  # a Kind, or a reserved value of TYPE
    number: int


class Domain(Enum):
    """The Current Interrupt Domain of an access (B.1)."""

    PHYSICAL = "physical"
    VIRTUAL = "virtual"


@dataclass(slots=True)
class Ppis:
    """The private interrupts of one domain on one PE, by number."""

    enabled: set[int] = field(default_factory=set)
    pending: set[int] = field(default_factory=set)  # physical: Edge only, Level has its line
    active: set[int] = field(default_factory=set)
    priority: dict[int, int] = field(default_factory=dict)  # absent: 0


@dataclass(slots=True)
class Interface:
    """One domain's CPU interface."""

    ppis: Ppis = field(default_factory=Ppis)
    enabled: bool = False  # ICC_CR0.EN, ICH_VMCR.EN
    mask: int = 0  # ICC_PCR.PRIORITY, ICH_VMCR.VPMR
    active_priorities: set[int] = field(default_factory=set)  # ICC_APR, ICH_APR


@dataclass(slots=True)
class Hypervisor:
    """What only EL2 writes, and what a reset noticed late must keep."""

    selects: bool = False  # ICH_VCTLR.En: there is a virtual HPPI at all
    hfgrtr: int = 0
    hfgwtr: int = 0
    hfgitr: int = 0


@dataclass(slots=True)
class Pe:
    number: int
    physical: Interface = field(default_factory=Interface)
    virtual: Interface = field(default_factory=Interface)
    el2: Hypervisor = field(default_factory=Hypervisor)
    lines: set[int] = field(default_factory=set)  # physical Level PPIs whose line is high
    dvi: set[int] = field(default_factory=set)  # ICH_PPI_DVIR
    guest: bool = False  # HCR_EL2: IMO and not TGE
    nmi: bool = False  # SCTLR_ELx.NMI
    icsr: int = 0  # one register for both domains
    contextr: int = 0  # ICH_CONTEXTR without V and F
    context_fault: bool = False  # F
    resident: tuple[int, int] | None = None  # VM and VPE

    def interface(self, domain: Domain) -> Interface:
        return self.physical if domain is Domain.PHYSICAL else self.virtual


@dataclass(slots=True)
class Interrupt:
    """An SPI or LPI."""

    enabled: bool = False
    active: bool = False
    level: bool = False  # handling mode
    priority: int = 0
    affinity: int = 0
    latch: bool = False  # pending by an edge or by CDPEND
    wire: bool = False  # physical SPI: the level of its line
    level_trigger: bool = False  # physical SPI: trigger mode
    seen: bool = False  # physical SPI: what the line does to it, when last looked at
    any_target: bool = False  # IRM of a virtual one; not implemented, but remembered
    kept: int = 0  # other bits of its entry in memory

    @property
    def pending(self) -> bool:
        return self.latch or (self.level_trigger and self.wire)


@dataclass(slots=True)
class Irs:
    """The IRS's registers that only store."""

    enabled: bool = False
    hints: int = 0  # IRS_CR1
    spi: int = 0  # IRS_SPI_SELR
    pe: int = 0  # IRS_PE_SELR
    ist_base: int = 0
    ist_config: int = 0
    vmt_base: int = 0  # IRS_VMT_BASER.ADDR
    vmt_valid: bool = False
    vmt_two_level: bool = False
    vmt_id_bits: int = 0
    vpe_selected: bool = False  # IRS_VPE_SELR.S
    vpe: tuple[int, int] = (0, 0)  # its VM and VPE
    vm: int = 0  # IRS_VM_SELR


@dataclass(slots=True)
class Ist:
    """A valid Interrupt State Table of a VM."""

    base: int
    id_bits: int
    size: int  # of an entry, in bytes
    two_level: bool
    per_level_2: int  # entries of a level 2 table; linear: of the table
    interrupts: dict[int, Interrupt] = field(default_factory=dict)  # absent: all zero


@dataclass(slots=True)
class Vpe:
    entry: int  # address of its VPETE
    doorbell: int = 0  # a physical LPI
    doorbell_valid: bool = False
    requested: bool = False
    mask: int = 0  # the doorbell is for priorities up to this
    powerdown: bool = False  # IRS_VPE_CR0.DPS


@dataclass(slots=True)
class Vm:
    """A valid virtual machine."""

    vmte: int  # address of its VMTE
    vpes: dict[int, Vpe] = field(default_factory=dict)
    ists: dict[Kind, Ist] = field(default_factory=dict)


@dataclass(slots=True)
class Machine:
    pes: list[Pe]
    interrupts: dict[Intid, Interrupt] = field(default_factory=dict)  # absent: as reset
    irs: Irs = field(default_factory=Irs)
    vms: dict[int, Vm] = field(default_factory=dict)
    memory: dict[int, int] = field(default_factory=dict)  # 32-bit words, by address


def new_machine(pes: int) -> Machine:
    return Machine([Pe(number) for number in range(pes)])


def reset(machine: Machine) -> None:
    """Platform: a reset is noticed when the next kernel accesses the IRS. By then it has written
    EL2's controls, so they are kept."""
    machine.pes = [Pe(pe.number, el2=pe.el2) for pe in machine.pes]
    machine.interrupts, machine.irs, machine.vms, machine.memory = {}, Irs(), {}, {}


def members(word: int, bank: int = 0) -> set[int]:
    """The PPIs whose bits are set in a 64-bit register of bank `bank`."""
    return {64 * bank + bit for bit in range(word.bit_length()) if word >> bit & 1}


def word(ppis: set[int], bank: int = 0) -> int:
    """The inverse: the register of that bank."""
    return sum(1 << ppi - 64 * bank for ppi in ppis if ppi // 64 == bank)


def bits(value: int, high: int, low: int) -> int:
    return value >> low & (1 << high - low + 1) - 1
