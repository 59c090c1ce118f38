# SPDX-License-Identifier: GPL-2.0-or-later
"""The virtual CPU interface: the ICH_* registers, and what a guest makes of them.

This is hardware (IHI 111701; reference: gicv5-kvm.md, parts A and B).  All 128 PPIs have register
bits here, as on the platform that the harness supplies.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Final

from harness.model.irs import Resident
from harness.ppi import NR_PPIS, U64, Kind, Register, bits, ppi_intid

IDLE: Final = 32  # a priority below all of the 32
PRIORITIES: Final = 0x1F1F_1F1F_1F1F_1F1F  # the 5 bits of each byte
ICSR: Final = 0xFFFF_0000_F83F  # IAFFID, Priority, HM, Active, IRM, Pending, Enabled, F
LINKED: Final = 6  # ICC_CR0_EL1.LINK and LINK_IDLE: always, in a virtual CPU interface
VALID: Final = 1 << 32
APR: Final = 0xFFFF_FFFF
PRIORITY: Final = 0x1F

Known = tuple[int, int]  # a value, and a mask of the bits that can be known


def lowest(apr: int) -> int:
    """The running priority: that of the lowest set bit of an APR."""
    return (apr & -apr).bit_length() - 1 if apr else IDLE


@dataclass(slots=True)
class CpuInterface:
    """The registers of one physical CPU while a guest runs on it.

    ``wired``: PPIs whose pending state is a line outside (ICH_PPI_DVIR).  ``lines``: the levels
    those lines may have now, one bitmap per possibility: more than one if a timer is elapsing.
    ``iri``: where SPIs and LPIs come from, if the VM has any.
    """

    hmr: tuple[int, int]
    lines: Callable[[], list[int]]
    iri: Resident | None = None
    en: bool = False
    vpmr: int = 0
    apr: int = 0
    icsr: int = 0
    wired: int = 0
    pendr: int = 0  # bank 1 is always 0: KVM writes 0, and Level pending bits are read-only
    enabler: list[int] = field(default_factory=lambda: [0, 0])
    activer: list[int] = field(default_factory=lambda: [0, 0])
    priorityr: list[int] = field(default_factory=lambda: [0] * 16)

    def key(self) -> Hashable:
        """What can change, to tell states apart."""
        return (self.en, self.vpmr, self.apr, self.icsr, self.wired, self.pendr,
                tuple(self.enabler), tuple(self.activer), tuple(self.priorityr))  # fmt: skip

    def pending(self, lines: int) -> int:
        return self.pendr & ~self.wired | lines & self.wired

    def priority(self, ppi: int) -> int:
        return self.priorityr[ppi // 8] >> ppi % 8 * 8 & PRIORITY

    def candidate(self, lines: int) -> int | None:
        """The INTID of the highest priority pending interrupt if it is of sufficient priority.

        Ties go to a PPI, and to the lowest number.  Equal to the mask is sufficient, equal to the
        running priority is not.
        """
        ready = self.pending(lines) & self.enabler[0] & ~self.activer[0]
        found = [(self.priority(ppi), ppi_intid(ppi)) for ppi in bits(ready)]
        if self.iri is not None and (other := self.iri.best()):
            found.append(other)  # a PPI has the lower INTID
        if not found or not self.en:
            return None
        priority, intid = min(found)
        return intid if priority <= self.vpmr and priority < lowest(self.apr) else None

    def candidates(self) -> set[int | None]:
        """The candidate under each possibility."""
        return {self.candidate(lines) for lines in self.lines()}

    # --- registers, as EL1 accesses them ---------------------------------------------------------

    def read(self, reg: Register) -> Known:
        """MRS of an untrapped ICC_* register."""
        bank = reg.bank
        match family(reg):
            case "PPI_HMR":
                return self.hmr[bank], U64
            case "PPI_ENABLER":
                return self.enabler[bank], U64
            case "PPI_CACTIVER" | "PPI_SACTIVER":
                return self.fragile(self.activer[bank], bank == 0)
            case "PPI_CPENDR" | "PPI_SPENDR":
                return (
                    agreed({self.pending(lines) for lines in self.lines()})
                    if not bank
                    else (0, U64)
                )
            case "PPI_PRIORITYR":
                return self.fragile(self.priorityr[bank], bank < NR_PPIS // 8)
            case "HPPIR":
                return agreed({hppi(best) for best in self.candidates()})
            case "APR":
                return self.apr, U64
            case "CR0":
                return self.en | LINKED, U64
            case "PCR":
                return self.vpmr, U64
            case "ICSR":
                return self.icsr, U64
        raise AssertionError(reg)

    @staticmethod
    def fragile(value: int, saved: bool) -> Known:
        """KVM does not save PPIs 64-127 but enters with 0: a bit that the guest set there lasts
        until the next exit, and that can be any host interrupt."""
        return value, U64 if saved else U64 & ~value

    def write(self, reg: Register, value: int) -> None:
        """MSR of an untrapped ICC_* register."""
        bank = reg.bank
        match family(reg):
            case "PPI_CACTIVER":
                self.activer[bank] &= ~value
            case "PPI_SACTIVER":
                self.activer[bank] |= value
            case "PPI_CPENDR" if bank == 0:
                self.pendr &= ~(value & ~self.hmr[0])
            case "PPI_SPENDR" if bank == 0:
                self.pendr |= value & ~self.hmr[0]
            case "PPI_PRIORITYR":
                self.priorityr[bank] = value & PRIORITIES
            case "APR":
                self.apr = value & APR
            case "CR0":
                self.en = bool(value & 1)
            case "PCR":
                self.vpmr = value & PRIORITY
            case "ICSR":
                self.icsr = value & ICSR

    # --- instructions ----------------------------------------------------------------------------

    def acknowledge(self, intid: int | None) -> int:
        """GICR CDIA of what ``candidate`` returned: activates; an Edge PPI stops pending."""
        if intid is not None and is_ppi(intid):
            ppi = intid & 0xFF_FFFF
            self.apr |= 1 << self.priority(ppi)
            self.activer[0] |= 1 << ppi
            self.pendr &= ~(1 << ppi & ~self.hmr[0])
        elif intid is not None:
            assert self.iri is not None
            self.apr |= 1 << self.iri.acknowledge(intid)
        return hppi(intid)

    def drop(self) -> None:
        """GIC CDEOI: leaves the running priority."""
        self.apr &= self.apr - 1

    def deactivate(self, intid: int) -> None:
        """GIC CDDI of a PPI."""
        number = intid & 0xFF_FFFF
        if number < 2 * NR_PPIS:
            self.activer[number // NR_PPIS] &= ~(1 << number % NR_PPIS)


def is_ppi(intid: int) -> bool:
    """By its TYPE."""
    return intid >> 29 & 7 == 1


def hppi(intid: int | None) -> int:
    """What HPPIR and CDIA return."""
    return 0 if intid is None else VALID | intid


def agreed(values: set[int]) -> Known:
    """One value if all possibilities agree; the bits in which they differ are not known."""
    first = min(values)
    differ = 0
    for value in values:
        differ |= first ^ value
    return first, U64 & ~differ


def family(reg: Register) -> str:
    """``ICC_PPI_ENABLER1_EL1`` -> ``PPI_ENABLER``; ``ICC_CR0_EL1`` -> ``CR0``."""
    name = reg.name.removeprefix("ICC_").removesuffix("_EL1")
    return name if reg.kind is Kind.OTHER else name.rstrip("0123456789")
