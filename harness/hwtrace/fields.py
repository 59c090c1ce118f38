# SPDX-License-Identifier: GPL-2.0-or-later
"""What the bits of each GICv5 register, and of each instruction's operand or result, mean.

Sources: Linux 7.3 arch/arm64/tools/sysreg (registers), arch/arm64/include/asm/sysreg.h
(instructions), include/linux/irqchip/arm-gic-v5.h (IRS); the IRS registers of virtualization and
GIC_VD*: the series queued for 7.4.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from harness.ppi import Kind


@dataclass(frozen=True, slots=True)
class Field:
    """Bits ``high`` down to ``low``.  ``INTID`` stands for TYPE[31:29] and ID[23:0]."""

    name: str
    high: int
    low: int

    def of(self, value: int) -> int:
        return value >> self.low & ((1 << self.high - self.low + 1) - 1)


@dataclass(frozen=True, slots=True)
class Format:
    """How to show a register.  ``bank``: of its family, as ``ppi.Register`` has it.

    ``traps``: the fields are fine-grained traps: 0 traps.
    """

    kind: Kind = Kind.OTHER
    fields: tuple[Field, ...] = ()
    bank: int = 0
    traps: bool = False


INTID: Final = "INTID"

# Name, then bit or high:low, comma-separated.
_FIELDS: Final = {
    "ICC_IDR0_EL1": "GCIE_LEGACY 11:8, PRI_BITS 7:4, ID_BITS 3:0",
    "ICC_HPPIR_EL1": "HPPIV 32, INTID",
    "ICC_ICSR_EL1": "IAFFID 47:32, Priority 15:11, HM 5, Active 4, IRM 3, Pending 2, Enabled 1, "
    "F 0",
    "ICC_IAFFIDR_EL1": "IAFFID 15:0",
    "ICC_APR_EL1": "P 31:0",
    "ICC_CR0_EL1": "PID 38, IPPT 37:32, LINK_IDLE 2, LINK 1, EN 0",
    "ICC_PCR_EL1": "PRIORITY 4:0",
    "ICH_APR_EL2": "P 31:0",
    "ICH_HPPIR_EL2": "HPPIV 32, INTID",
    "ICH_HFGRTR_EL2": "PPI_ACTIVERn 20, PPI_PRIORITYRn 19, PPI_PENDRn 18, PPI_ENABLERn 17, "
    "PPI_HMRn 16, IAFFIDR 7, ICSR 6, PCR 5, HPPIR 4, CR0 2, IDRn 1, APR 0",
    "ICH_HFGWTR_EL2": "PPI_ACTIVERn 20, PPI_PRIORITYRn 19, PPI_PENDRn 18, PPI_ENABLERn 17, "
    "ICSR 6, PCR 5, CR0 2, APR 0",
    "ICH_HFGITR_EL2": "CDNMIA 10, CDIA 9, CDDI 8, CDEOI 7, CDHM 6, CDRCFG 5, CDPEND 4, CDAFF 3, "
    "CDPRI 2, CDDIS 1, CDEN 0",
    "ICH_VCTLR_EL2": "V3 1, En 0",
    "ICH_CONTEXTR_EL2": "V 63, F 62, IRICHPPIDIS 61, DB 60, DBPM 59:55, VPE 47:32, VM 15:0",
    "ICH_VMCR_EL2": "VPMR 31:27, EN 0",
    "GIC_CDDIS": "INTID",
    "GIC_CDEN": "INTID",
    "GIC_CDPRI": "PRIORITY 39:35, INTID",
    "GIC_CDAFF": "IAFFID 47:32, IRM 28, INTID",
    "GIC_CDPEND": "PENDING 32, INTID",
    "GIC_CDRCFG": "INTID",
    "GIC_CDDI": "INTID",
    "GIC_CDHM": "HM 32, INTID",
    "GICR_CDIA": "VALID 32, INTID",
    "GICR_CDNMIA": "VALID 32, INTID",
    "GIC_VDDIS": "INTID",
    "GIC_VDEN": "INTID",
    "GIC_VDPRI": "PRIORITY 39:35, INTID",
    "GIC_VDAFF": "IAFFID 47:32, IRM 28, INTID",
    "GIC_VDPEND": "PENDING 63, VM 47:32, INTID",
    "GIC_VDRCFG": "INTID",
    "GIC_VDDI": "INTID",
    "GIC_VDHM": "HM 32, INTID",
    "IRS_IDR0": "VIRT 6, PA_RANGE 5:2, INT_DOM 1:0",
    "IRS_IDR1": "PRI_BITS 22:20, IAFFID_BITS 19:16, PE_CNT 15:0",
    "IRS_IDR2": "ISTMD_SZ 19:15, ISTMD 14, IST_L2SZ 13:11, IST_LEVELS 10, MIN_LPI_ID_BITS 9:6, "
    "LPI 5, ID_BITS 4:0",
    "IRS_IDR3": "VMT_LEVELS 10, VM_ID_BITS 9:5, VMD_SZ 4:1, VMD 0",
    "IRS_IDR4": "VPE_ID_BITS 9:6, VPED_SZ 5:0",
    "IRS_IDR5": "SPI_RANGE 24:0",
    "IRS_IDR6": "SPI_IRS_RANGE 24:0",
    "IRS_IDR7": "SPI_BASE 23:0",
    "IRS_CR0": "IDLE 1, IRSEN 0",
    "IRS_CR1": "VPED_WA 15, VPED_RA 14, VMD_WA 13, VMD_RA 12, VPET_WA 11, VPET_RA 10, VMT_WA 9, "
    "VMT_RA 8, IST_WA 7, IST_RA 6, IC 5:4, OC 3:2, SH 1:0",
    "IRS_SYNCR": "SYNC 31",
    "IRS_SYNC_STATUSR": "IDLE 0",
    "IRS_SPI_SELR": "ID 23:0",
    "IRS_SPI_CFGR": "TM 0",
    "IRS_SPI_STATUSR": "V 1, IDLE 0",
    "IRS_PE_SELR": "IAFFID 15:0",
    "IRS_PE_STATUSR": "ONLINE 2, V 1, IDLE 0",
    "IRS_PE_CR0": "DPS 0",
    "IRS_IST_BASER": "ADDR 55:6, VALID 0",
    "IRS_IST_CFGR": "STRUCTURE 16, ISTSZ 8:7, L2SZ 6:5, LPI_ID_BITS 4:0",
    "IRS_IST_STATUSR": "IDLE 0",
    "IRS_MAP_L2_ISTR": "ID 23:0",
    "IRS_VMT_BASER": "ADDR 55:3, VALID 0",
    "IRS_VMT_CFGR": "STRUCTURE 16, VM_ID_BITS 4:0",
    "IRS_VMT_STATUSR": "IDLE 0",
    "IRS_VPE_SELR": "S 63, VPE_ID 47:32, VM_ID 15:0",
    "IRS_VPE_DBR": "DBV 63, REQ_DB 62, DBPM 36:32, LPI 23:0",
    "IRS_VPE_HPPIR": "HPPIV 32, INTID",
    "IRS_VPE_CR0": "DPS 0",
    "IRS_VPE_STATUSR": "V 1, IDLE 0",
    "IRS_VM_SELR": "VM_ID 15:0",
    "IRS_VM_STATUSR": "V 1, IDLE 0",
    "IRS_VMAP_L2_VMTR": "M 63, VM_ID 15:0",
    "IRS_VMAP_VMR": "M 63, U 62, VM_ID 15:0",
    "IRS_VMAP_VISTR": "M 63, U 62, VM_ID 47:32, TYPE 31:29",
    "IRS_VMAP_L2_VISTR": "M 63, VM_ID 47:32, INTID",
    "IRS_VMAP_VPER": "M 63, VM_ID 47:32, VPE_ID 15:0",
    "IRS_SAVE_VMR": "S 63, Q 62, VM_ID 15:0",
    "IRS_SAVE_VM_STATUSR": "Q 1, IDLE 0",
}

# The families that are numbered: prefix, kind.
_PPI_FAMILIES: Final = (
    ("ICC_PPI_PRIORITYR", Kind.PPI_PRIORITIES),
    ("ICH_PPI_PRIORITYR", Kind.PPI_PRIORITIES),
    ("ICC_PPI_", Kind.PPI_BITMAP),
    ("ICH_PPI_", Kind.PPI_BITMAP),
)
_ADDRESSES: Final = ("ADDR",)  # shown as the address, not shifted down


def _parse(text: str) -> Iterator[Field]:
    for part in text.split(", "):
        name, _, bits = part.partition(" ")
        if name == INTID:
            yield Field(INTID, 31, 0)
        else:
            high, _, low = bits.partition(":")
            yield Field(name, int(high), int(low or high))


FORMATS: Final[Mapping[str, Format]] = MappingProxyType({
    name: Format(fields=tuple(_parse(text)), traps=name.startswith("ICH_HFG"))
    for name, text in _FIELDS.items()
})  # fmt: skip


def format_of(name: str) -> Format:
    """The format of a register or instruction; of one without fields, a plain number."""
    for prefix, kind in _PPI_FAMILIES:
        if name.startswith(prefix) and (number := re.search(r"(\d+)_EL\d$", name)):
            return Format(kind, bank=int(number[1]))
    return FORMATS.get(name, Format())


def counterpart(name: str) -> str:
    """The same for registers that show the same state: ``PPI_ACTIVER0`` of ICC_PPI_SACTIVER0_EL1,
    ICC_PPI_CACTIVER0_EL1 and ICH_PPI_ACTIVER0_EL2."""
    stem = re.sub(r"^(ICC|ICH)_|_EL\d$", "", name)
    stem = re.sub(r"^PPI_[SC](ACTIVER|PENDR)", r"PPI_\1", stem)
    return "VMCR" if stem in ("CR0", "PCR") else stem


def shown(field: Field, value: int) -> str:
    """``VPMR=31``; an address in hexadecimal and in place."""
    bits = field.of(value)
    if field.name in _ADDRESSES:
        return f"{field.name}={bits << field.low:#x}"
    return f"{field.name}={bits:#x}" if field.high - field.low > 15 else f"{field.name}={bits}"
