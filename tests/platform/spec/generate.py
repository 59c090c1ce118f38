# SPDX-License-Identifier: GPL-2.0-or-later
"""Random programs. A few interrupts and priorities are used again and again, so that accesses meet;
every program begins with most things switched on, so that they have effects."""

from __future__ import annotations

from random import Random

from . import irs
from .accesses import Access, Op, Program
from .registers import REGISTERS, U64, Register
from .state import Kind

LENGTH = 250
PPI_POOL = (0, 3, 3, 3, 23, 27, 27, 30, 31, 32, 63, 64, 100, 127)
SPI_POOL = (0, 1, 1, 31, 32, 63, 64, 255)
LPI_POOL = (0, 1, 1, 63, 64, 700, 4095)
ABSENT = (128, 256, 4096, 0xFFFFFF)
OPENERS = {  # what lets a machine do anything at all
    "ICC_CR0_EL1": 1, "ICC_PCR_EL1": 31, "ICH_VMCR_EL2": U64, "ICH_VCTLR_EL2": 1,
    "ICH_HFGRTR_EL2": U64, "ICH_HFGWTR_EL2": U64, "ICH_HFGITR_EL2": U64,
}  # fmt: skip
BY_NAME = {register.name: register for register in REGISTERS.values()}
# One of these is as likely as any of the 130 registers together.
LIVELY = tuple(
    BY_NAME[name]
    for name in (
        "CDIA", "CDIA", "CDIA", "CDEOI", "CDDI", "CDEN", "CDPEND", "CDPEND", "CDPRI", "CDRCFG",
        "CDAFF", "CDHM", "ICC_HPPIR_EL1", "ICC_ICSR_EL1", "ICC_PPI_ENABLER0_EL1",
        "ICC_PPI_SPENDR0_EL1", "ICC_PPI_CPENDR0_EL1", "ICC_PPI_CACTIVER0_EL1", "ICC_PCR_EL1",
        "ICC_APR_EL1", "ICH_PPI_PENDR0_EL2", "ICH_PPI_DVIR0_EL2", "ICH_PPI_ENABLER0_EL2",
        "ICH_PPI_ACTIVER0_EL2", "ICH_HPPIR_EL2", "ICH_VMCR_EL2",
    )
)  # fmt: skip
ALL = tuple(REGISTERS.values())
IRS_OFFSETS = tuple(irs.REGISTERS)
IRS_LIVELY = (0x108, 0x114, 0x118, 0x140, 0x144, 0x148, 0x180, 0x184)


def ppi_mask(rng: Random, bank: int) -> int:
    """A register of 64 PPIs."""
    kind = rng.random()
    if kind < 0.15:
        return 0
    if kind < 0.45:
        return U64
    if kind < 0.6:
        return rng.getrandbits(64)
    picked = rng.choices(PPI_POOL, k=rng.randint(1, 4))
    return sum({1 << ppi % 64 for ppi in picked if ppi // 64 == bank})


def priorities(rng: Random) -> int:
    """Eight bytes, mostly of a few values, now and then with RES0 bits."""
    if rng.random() < 0.1:
        return rng.getrandbits(64)
    return int.from_bytes(bytes(rng.choices((0, 1, 7, 8, 16, 30, 31), k=8)), "little")


def operand(rng: Random, cpus: int) -> int:
    """Of a command or CDDI: an interrupt, and something for every field that any of them has."""
    kind = rng.choice((Kind.PPI, Kind.LPI, Kind.LPI, Kind.SPI, Kind.SPI, Kind.SPI))
    pool = {Kind.PPI: PPI_POOL, Kind.LPI: LPI_POOL, Kind.SPI: SPI_POOL}[kind]
    number, type_ = rng.choice(pool), int(kind)
    if rng.random() < 0.03:
        number = rng.choice(ABSENT)
    if rng.random() < 0.02:
        type_ = rng.randrange(8)
    # IAFFID[47:32] and PRIORITY[39:35] overlap: both small most of the time
    high = rng.randrange(cpus) if rng.random() < 0.7 else rng.choice((0, 1, 8, 31)) << 3
    if rng.random() < 0.05:
        high = rng.getrandbits(32)
    return high << 32 | type_ << 29 | (rng.getrandbits(1) << 28) | number


def register_value(rng: Random, register: Register, cpus: int) -> int:
    name = register.name
    if register.is_instruction:
        return operand(rng, cpus)
    if "PRIORITYR" in name:
        return priorities(rng)
    if "PPI_" in name:
        return ppi_mask(rng, int(name.split("_")[2][-1]))
    if "APR" in name:
        return rng.choice((0, 0, 1 << rng.randrange(32), rng.getrandbits(64)))
    if name in OPENERS and rng.random() < 0.6:
        return OPENERS[name]
    if name == "ICC_PCR_EL1":
        return rng.choice((0, 1, 7, 8, 16, 30, 31))
    if name == "ICH_VMCR_EL2":
        return rng.choice((0, 1, 7, 8, 16, 30, 31)) << 27 | rng.getrandbits(1)
    return rng.getrandbits(64)


def _system(rng: Random, cpus: int) -> Access:
    register = rng.choice(LIVELY if rng.random() < 0.7 else ALL)
    write = register.write is not None and (register.read is None or rng.random() < 0.6)
    el = rng.choice((1, 1, 2))
    encoding = register.encoding
    odd = rng.random()
    if odd < 0.01:
        el = 0
    elif odd < 0.02:  # the other direction, or an encoding nearby
        write, encoding = not write, encoding ^ rng.choice((0, 0, 1, 2, 8, 4 << 11))
        register = REGISTERS.get(encoding, register)
    value = register_value(rng, register, cpus) if write else 0
    return Access(Op.WRITE if write else Op.READ, rng.randrange(cpus), el, 0, encoding, value)


def _irs(rng: Random) -> Access:
    offset = rng.choice(IRS_LIVELY if rng.random() < 0.7 else IRS_OFFSETS)
    size = 8 if rng.random() < 0.15 else 4
    if rng.random() < 0.02:
        offset = rng.randrange(0, 0x10000, 4)
    if rng.random() < 0.5:
        return Access(Op.IRS_READ, 0, 0, size, offset)
    value = rng.choice((0, 1, 1, *SPI_POOL, rng.getrandbits(8 * size)))
    return Access(Op.IRS_WRITE, 0, 0, size, offset, value)


def _access(rng: Random, cpus: int) -> Access:
    kind = rng.random()
    cpu = rng.randrange(cpus)
    if kind < 0.70:
        return _system(rng, cpus)
    if kind < 0.82:
        return Access(Op.SIGNALS, cpu)
    if kind < 0.88:
        return Access(Op.LINES, cpu, value=ppi_mask(rng, 0))
    if kind < 0.92:
        spi = rng.choice(SPI_POOL)
        return Access(Op.SPI_LINE, where=spi, value=rng.getrandbits(1))
    if kind < 0.95:
        return Access(Op.GUEST, cpu, value=int(rng.random() < 0.8))
    if kind < 0.999:
        return _irs(rng)
    return Access(Op.RESET)


def _opening(rng: Random, cpus: int) -> list[Access]:
    out = []
    for cpu in range(cpus):
        out.append(Access(Op.GUEST, cpu, value=int(rng.random() < 0.7)))
        for name, value in OPENERS.items():
            if rng.random() < 0.95:
                out.append(Access(Op.WRITE, cpu, 2, 0, BY_NAME[name].encoding, value))
        for name in ("ICC_PPI_ENABLER0_EL1", "ICH_PPI_ENABLER0_EL2"):
            if rng.random() < 0.5:
                out.append(Access(Op.WRITE, cpu, 2, 0, BY_NAME[name].encoding, U64))
    return out


def program(rng: Random, length: int = LENGTH) -> Program:
    cpus = rng.choice((1, 1, 2, 2, 3, 8))
    opening = _opening(rng, cpus)
    return Program(cpus, (*opening, *(_access(rng, cpus) for _ in range(length))))
