# SPDX-License-Identifier: GPL-2.0-or-later
"""The IRS configuration frame (D.1). Every command completes at once: each STATUSR is IDLE."""

from __future__ import annotations

from . import iri, irs_vm
from .irs_register import IDLE, ONLINE, VALID, IrsRegister, constant
from .memory import load, store
from .state import SPIS, Interrupt, Intid, Kind, Machine, bits


def _selected_spi(machine: Machine) -> Interrupt | None:
    number = machine.irs.spi
    if number >= SPIS:
        return None
    return machine.interrupts.setdefault(Intid(Kind.SPI, number), Interrupt())


def _idr1(machine: Machine) -> int:
    """5 bits of priority (n - 1), 16 of IAFFID (n - 1), the number of PEs."""
    return 4 << 20 | 15 << 16 | len(machine.pes)


def _write_cr0(machine: Machine, value: int) -> None:
    machine.irs.enabled = bool(value & 1)


def _write_cr1(machine: Machine, value: int) -> None:
    machine.irs.hints = bits(value, 15, 0)


def _write_spi_selr(machine: Machine, value: int) -> None:
    machine.irs.spi = bits(value, 23, 0)


def _read_spi_cfgr(machine: Machine) -> int:
    spi = _selected_spi(machine)
    return int(spi is not None and spi.level_trigger)


def _write_spi_cfgr(machine: Machine, value: int) -> None:
    """TM."""
    spi = _selected_spi(machine)
    if spi is not None:
        iri.set_trigger(spi, bool(value & 1))


def _write_spi_resampler(machine: Machine, value: int) -> None:
    intid = Intid(Kind.SPI, bits(value, 23, 0))
    if iri.exists(machine, intid):
        iri.resample(machine.interrupts.setdefault(intid, Interrupt()))


def _read_spi_statusr(machine: Machine) -> int:
    return IDLE | (VALID if machine.irs.spi < SPIS else 0)


def _write_pe_selr(machine: Machine, value: int) -> None:
    machine.irs.pe = bits(value, 15, 0)


def _read_pe_statusr(machine: Machine) -> int:
    return IDLE | (VALID | ONLINE if machine.irs.pe < len(machine.pes) else 0)


def _write_ist_baser(machine: Machine, value: int) -> None:
    """A valid table can only be made invalid: then there are no LPIs. Platform: the next table is
    taken for one of zeros."""
    irs = machine.irs
    if not irs.ist_base & 1:
        irs.ist_base = bits(value, 55, 6) << 6 | value & 1
    elif not value & 1:
        irs.ist_base &= ~1
        kept = {i: it for i, it in machine.interrupts.items() if i.kind != Kind.LPI}
        machine.interrupts = kept


def _write_ist_cfgr(machine: Machine, value: int) -> None:
    """Fixed while the table is valid."""
    if not machine.irs.ist_base & 1:
        machine.irs.ist_config = value & (1 << 16 | 0xF << 5 | 0x1F)


def _map_l2_ist(machine: Machine, value: int) -> None:
    """IRS_MAP_L2_ISTR: software finds VALID in the level 1 entry. Platform: no other use is made
    of a physical IST."""
    irs, number = machine.irs, bits(value, 23, 0)
    two_level, id_bits = irs.ist_config >> 16 & 1, bits(irs.ist_config, 4, 0)
    if not irs.ist_base & 1 or not two_level or number >> id_bits:
        return
    entry_size, table = 4 << bits(irs.ist_config, 8, 7), 4096 << 2 * bits(irs.ist_config, 6, 5)
    entry = (irs.ist_base & ~1) + 8 * (number // (table // entry_size))
    store(machine, entry, load(machine, entry) | 1)


REGISTERS: dict[int, IrsRegister] = {
    # NS domain, 56 bits of physical address, virtualization
    0x000: IrsRegister("IDR0", 4, constant(1 | 7 << 2 | 1 << 6)),
    0x004: IrsRegister("IDR1", 4, _idr1),
    # LPIs with 12 to 16 bits of ID in a linear IST; 4 KB level 2 tables
    0x008: IrsRegister("IDR2", 4, constant(16 | 1 << 5 | 12 << 6 | 1 << 11)),
    # 256 VMs in a linear table, no VM descriptors; 512 or 1024 VPEs, 64 bytes for each
    0x00C: IrsRegister("IDR3", 4, constant(8 << 5)),
    0x010: IrsRegister("IDR4", 4, constant(9 << 6 | 6)),
    0x014: IrsRegister("IDR5", 4, constant(SPIS)),
    0x018: IrsRegister("IDR6", 4, constant(SPIS)),
    0x01C: IrsRegister("IDR7", 4, constant(0)),
    0x040: IrsRegister("IIDR", 4, constant(0)),
    0x044: IrsRegister("AIDR", 4, constant(0)),
    0x080: IrsRegister("CR0", 4, lambda m: 2 | m.irs.enabled, _write_cr0),
    0x084: IrsRegister("CR1", 4, lambda m: m.irs.hints, _write_cr1),
    0x0C0: IrsRegister("SYNCR", 4, constant(0)),
    0x0C4: IrsRegister("SYNC_STATUSR", 4, constant(IDLE)),
    0x108: IrsRegister("SPI_SELR", 4, lambda m: m.irs.spi, _write_spi_selr),
    0x10C: IrsRegister("SPI_DOMAINR", 4, constant(0)),
    0x110: IrsRegister("SPI_RESAMPLER", 4, constant(0), _write_spi_resampler),
    0x114: IrsRegister("SPI_CFGR", 4, _read_spi_cfgr, _write_spi_cfgr),
    0x118: IrsRegister("SPI_STATUSR", 4, _read_spi_statusr),
    0x140: IrsRegister("PE_SELR", 4, lambda m: m.irs.pe, _write_pe_selr),
    0x144: IrsRegister("PE_STATUSR", 4, _read_pe_statusr),
    0x148: IrsRegister("PE_CR0", 4, constant(0)),  # DPS is RES0 without IDR0.ONE_N
    0x180: IrsRegister("IST_BASER", 8, lambda m: m.irs.ist_base, _write_ist_baser),
    0x190: IrsRegister("IST_CFGR", 4, lambda m: m.irs.ist_config, _write_ist_cfgr),
    0x194: IrsRegister("IST_STATUSR", 4, constant(IDLE)),
    0x1C0: IrsRegister("MAP_L2_ISTR", 4, constant(0), _map_l2_ist),
    # Arm; GICv5 IRS
    0xFFBC: IrsRegister("DEVARCH", 4, constant(0x47705A19)),
    **irs_vm.REGISTERS,
}
# Platform: neither MEC, MPAM nor software errors, and it does not say who made it
for _offset in (*range(0x340, 0x3D8, 4), *range(0xFFC0, 0xFFF0, 4)):
    REGISTERS[_offset] = IrsRegister(f"RAZ_{_offset:x}", 4, constant(0))
for _index, _value in enumerate((0x0D, 0xF0, 0x05, 0xB1)):  # a CoreSight component
    REGISTERS[0xFFF0 + 4 * _index] = IrsRegister(f"CIDR{_index}", 4, constant(_value))


def _register_at(offset: int, size: int) -> tuple[IrsRegister, int] | None:
    """The register that an access falls into, and the bits below it. 64-bit registers may be
    accessed by halves, 32-bit ones only whole."""
    if size not in (4, 8) or offset % size:
        return None
    whole = REGISTERS.get(offset)
    if whole is not None:
        return (whole, 0) if size == whole.size or (size == 4 and not whole.whole) else None
    wide = REGISTERS.get(offset - 4)
    halves = wide is not None and wide.size == 8 and not wide.whole
    return (wide, 32) if wide is not None and halves and size == 4 else None


def read(machine: Machine, offset: int, size: int) -> int | None:
    """None: nothing is there."""
    found = _register_at(offset, size)
    if found is None:
        return None
    return found[0].read(machine) >> found[1] & (1 << 8 * size) - 1


def write(machine: Machine, offset: int, size: int, value: int) -> bool:
    found = _register_at(offset, size)
    if found is None:
        return False
    register, shift = found
    if register.write is not None:
        changed = (1 << 8 * size) - 1 << shift
        register.write(machine, register.read(machine) & ~changed | value << shift & changed)
    return True
