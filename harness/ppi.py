# SPDX-License-Identifier: GPL-2.0-or-later
"""PPI names and the encodings of the GICv5 registers and instructions.

Sources: Linux 7.3 include/linux/irqchip/arm-gic-v5.h (architected PPIs) and
arch/arm64/tools/sysreg (registers); arch/arm64/include/asm/sysreg.h (instructions).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Final

NR_PPIS: Final = 64
U64: Final = (1 << 64) - 1

SW_PPI: Final = 3
PMUIRQ: Final = 23
CNTHP: Final = 26
CNTV: Final = 27
CNTHV: Final = 28
CNTP: Final = 30

PPI_NAMES: Final = MappingProxyType({
    0: "S_DB", 1: "RL_DB", 2: "NS_DB", SW_PPI: "SW_PPI", 15: "HACDBSIRQ", 19: "CNTHVS",
    20: "CNTHPS", 21: "PMBIRQ", 22: "COMMIRQ", PMUIRQ: "PMUIRQ", 24: "CTIIRQ", 25: "GICMNT",
    CNTHP: "CNTHP", CNTV: "CNTV", CNTHV: "CNTHV", 29: "CNTPS", CNTP: "CNTP", 31: "TRBIRQ",
})  # fmt: skip


def ppi_name(ppi: int) -> str:
    """``27`` -> ``CNTV(27)``; an unnamed PPI is ``PPI(40)``."""
    return f"{PPI_NAMES.get(ppi, 'PPI')}({ppi})"


def bits(mask: int) -> Iterator[int]:
    """The numbers of the set bits, lowest first."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def mask_of(ppis: Iterable[int]) -> int:
    """The bitmap that has just these bits set."""
    mask = 0
    for ppi in ppis:
        mask |= 1 << ppi
    return mask


def ppi_intid(ppi: int) -> int:
    """The 32-bit INTID of a PPI: TYPE (1) in [31:29], ID in [23:0]."""
    return 1 << 29 | ppi


class Kind(Enum):
    """What the 64 bits of a register hold; decides how a difference is explained."""

    PPI_BITMAP = "one bit per PPI"
    PPI_PRIORITIES = "one byte per PPI"
    OTHER = "fields"


@dataclass(frozen=True, slots=True)
class Register:
    """A system register (op0 = 3) or GIC system instruction (op0 = 1).

    ``userspace``: in KVM's CPU_SYSREGS list (Documentation/virt/kvm/devices/arm-vgic-v5.rst, queued
    for 7.4).  ``bank``: number of the register in its family, so PPI = 64 * bank + bit.
    """

    name: str
    op0: int
    op1: int
    crn: int
    crm: int
    op2: int
    access: str = "RW"
    userspace: bool = False
    kind: Kind = Kind.OTHER
    bank: int = 0

    @property
    def encoding(self) -> int:
        """The 16-bit form that KVM uses in CPU_SYSREGS: Op0[15:14] Op1 CRn CRm Op2[2:0]."""
        return self.op0 << 14 | self.op1 << 11 | self.crn << 7 | self.crm << 3 | self.op2

    @property
    def readable(self) -> bool:
        return "R" in self.access

    @property
    def writable(self) -> bool:
        return "W" in self.access

    def __str__(self) -> str:
        return self.name


def _ppi_pair(name: str, crm: int, op2: int, access: str, userspace: bool) -> list[Register]:
    return [
        Register(f"{name}{n}_EL1", 3, 0, 12, crm, op2 + n, access, userspace, Kind.PPI_BITMAP, n)
        for n in (0, 1)
    ]


def _registers() -> list[Register]:
    r = [
        *_ppi_pair("ICC_PPI_HMR", 10, 0, "R", False),
        Register("ICC_IDR0_EL1", 3, 0, 12, 10, 2, "R"),
        Register("ICC_HPPIR_EL1", 3, 0, 12, 10, 3, "R"),
        Register("ICC_ICSR_EL1", 3, 0, 12, 10, 4, "RW", True),
        Register("ICC_IAFFIDR_EL1", 3, 0, 12, 10, 5, "R"),
        *_ppi_pair("ICC_PPI_ENABLER", 10, 6, "RW", True),
        *_ppi_pair("ICC_PPI_CACTIVER", 13, 0, "RW", False),
        *_ppi_pair("ICC_PPI_SACTIVER", 13, 2, "RW", True),
        *_ppi_pair("ICC_PPI_CPENDR", 13, 4, "RW", False),
        *_ppi_pair("ICC_PPI_SPENDR", 13, 6, "RW", True),
    ]
    r += [
        Register(f"ICC_PPI_PRIORITYR{n}_EL1", 3, 0, 12, 14 + n // 8, n % 8, "RW", True,
                 Kind.PPI_PRIORITIES, n)
        for n in range(16)
    ]  # fmt: skip
    r += [
        Register("ICC_APR_EL1", 3, 1, 12, 0, 0, "RW", True),
        Register("ICC_CR0_EL1", 3, 1, 12, 0, 1, "RW", True),
        Register("ICC_PCR_EL1", 3, 1, 12, 0, 2, "RW", True),
        Register("ICC_HAPR_EL1", 3, 1, 12, 0, 3, "R"),
        # Not the guest's business: must be UNDEFINED at EL1.
        Register("ICH_PPI_ENABLER0_EL2", 3, 4, 12, 10, 2),
        Register("ICH_VMCR_EL2", 3, 4, 12, 11, 7),
        Register("ID_AA64PFR2_EL1", 3, 0, 0, 4, 2, "R"),
        Register("CNTV_TVAL_EL0", 3, 3, 14, 3, 0, "W"),
        Register("CNTV_CTL_EL0", 3, 3, 14, 3, 1),
        Register("CNTV_CVAL_EL0", 3, 3, 14, 3, 2),
        Register("CNTP_TVAL_EL0", 3, 3, 14, 2, 0, "W"),
        Register("CNTP_CTL_EL0", 3, 3, 14, 2, 1),
        Register("CNTP_CVAL_EL0", 3, 3, 14, 2, 2),
    ]
    r += [
        Register(f"GIC_{name}", 1, 0, 12, crm, op2, "W")
        for name, crm, op2 in (
            ("CDDIS", 1, 0), ("CDEN", 1, 1), ("CDPRI", 1, 2), ("CDAFF", 1, 3), ("CDPEND", 1, 4),
            ("CDRCFG", 1, 5), ("CDEOI", 1, 7), ("CDDI", 2, 0), ("CDHM", 2, 1),
        )
    ]  # fmt: skip
    r += [
        Register("GICR_CDIA", 1, 0, 12, 3, 0, "R"),
        Register("GICR_CDNMIA", 1, 0, 12, 3, 1, "R"),
    ]
    return r


REGISTERS: Final = MappingProxyType({r.name: r for r in _registers()})
BY_ENCODING: Final = MappingProxyType({r.encoding: r for r in REGISTERS.values()})


def reg(name: str) -> Register:
    """Look a register up by its architectural name; the suffix _EL1 and the prefix ICC_ may go.

    >>> reg("PPI_ENABLER0").name
    'ICC_PPI_ENABLER0_EL1'
    """
    for full in (name, f"{name}_EL1", f"ICC_{name}_EL1", f"ICC_PPI_{name}_EL1", f"GIC_{name}"):
        if full in REGISTERS:
            return REGISTERS[full]
    raise KeyError(f"no GICv5 register {name!r}; known: {', '.join(REGISTERS)}")
