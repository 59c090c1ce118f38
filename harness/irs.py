# SPDX-License-Identifier: GPL-2.0-or-later
"""Names of the IRS's registers, of its interrupts, and of the words of an interrupt state table.

Source: IHI 111701 as include/linux/irqchip/arm-gic-v5.h has it; the list is that of the registers
which KVM, as queued for Linux 7.4, lets userspace save.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class IrsRegister(IntEnum):
    """Offsets in the CONFIG frame."""

    IDR0 = 0x000
    IDR1 = 0x004
    IDR2 = 0x008
    IDR3 = 0x00C
    IDR4 = 0x010
    IDR5 = 0x014
    IDR6 = 0x018
    IDR7 = 0x01C
    IIDR = 0x040
    AIDR = 0x044
    CR0 = 0x080
    CR1 = 0x084
    SYNCR = 0x0C0
    SYNC_STATUSR = 0x0C4
    SPI_VMR = 0x100
    SPI_SELR = 0x108
    SPI_DOMAINR = 0x10C
    SPI_RESAMPLER = 0x110
    SPI_CFGR = 0x114
    SPI_STATUSR = 0x118
    PE_SELR = 0x140
    PE_STATUSR = 0x144
    PE_CR0 = 0x148
    IST_BASER = 0x180
    IST_CFGR = 0x190
    IST_STATUSR = 0x194
    MAP_L2_ISTR = 0x1C0
    VMT_BASER = 0x200
    VMT_CFGR = 0x210
    VMT_STATUSR = 0x214
    VPE_SELR = 0x240
    VPE_DBR = 0x248
    VPE_HPPIR = 0x250
    VPE_CR0 = 0x258
    VPE_STATUSR = 0x25C
    VM_DBR = 0x280
    VM_SELR = 0x288
    VM_STATUSR = 0x28C
    VMAP_L2_VMTR = 0x2C0
    VMAP_VMR = 0x2C8
    VMAP_VISTR = 0x2D0
    VMAP_L2_VISTR = 0x2D8
    VMAP_VPER = 0x2E0
    SAVE_VMR = 0x300
    SAVE_VM_STATUSR = 0x308
    MEC_340 = 0x340
    MEC_344 = 0x344
    MPAM_380 = 0x380
    MPAM_384 = 0x384
    SWERR_3C0 = 0x3C0
    SWERR_3C8 = 0x3C8
    SWERR_3D0 = 0x3D0

    @property
    def wide(self) -> bool:
        """64 bits; the others have 32."""
        return self in _WIDE


_WIDE: Final = frozenset({
    IrsRegister.SPI_VMR, IrsRegister.IST_BASER, IrsRegister.VMT_BASER, IrsRegister.VPE_SELR,
    IrsRegister.VPE_DBR, IrsRegister.VPE_HPPIR, IrsRegister.VM_DBR, IrsRegister.VMAP_L2_VMTR,
    IrsRegister.VMAP_VMR, IrsRegister.VMAP_VISTR, IrsRegister.VMAP_L2_VISTR, IrsRegister.VMAP_VPER,
    IrsRegister.SAVE_VMR,
})  # fmt: skip

_NAMES: Final = {int(register): register for register in IrsRegister}


def irs_register_name(offset: int) -> str:
    """``0x180`` -> ``IRS_IST_BASER``; ``0x30`` -> ``IRS+0x30``."""
    register = _NAMES.get(offset)
    return f"IRS+{offset:#x}" if register is None else f"IRS_{register.name}"


class Table(IntEnum):
    """The two interrupt state tables (IST) of a VM.  The values are the TYPE of an INTID."""

    LPI = 2
    SPI = 3


def spi_intid(spi: int) -> int:
    """The 32-bit INTID of an SPI."""
    return Table.SPI << 29 | spi


def lpi_intid(lpi: int) -> int:
    """The 32-bit INTID of an LPI."""
    return Table.LPI << 29 | lpi


# An entry of a table, as KVM saves it: IAFFID[31:16], PRIORITY[15:11], and these.
IST_PENDING: Final = 1 << 0
IST_ACTIVE: Final = 1 << 1
IST_LEVEL: Final = 1 << 2  # HM
IST_ENABLED: Final = 1 << 3
IST_ONE_OF_N: Final = 1 << 4  # IRM


def ist_entry(flags: int, priority: int = 0, iaffid: int = 0) -> int:
    """An entry with these flags."""
    return iaffid << 16 | priority << 11 | flags
