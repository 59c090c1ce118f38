# SPDX-License-Identifier: GPL-2.0-or-later
"""Random programs. Each draws a few interrupts, priorities and themes and uses them again and
again, so that accesses meet; and it begins with most things switched on, so that they matter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import TypeVar

from . import irs
from .accesses import Access, Op, Program
from .registers import REGISTERS, U64, Register
from .state import Kind

T = TypeVar("T")
PPI_POOL = (0, 3, 23, 27, 27, 30, 31, 32, 63, 64, 67, 100, 127)
SPI_POOL = (0, 1, 31, 32, 63, 64, 255)
LPI_POOL = (0, 1, 63, 64, 700, 65535)
ABSENT = (128, 256, 65536, 0xFFFFFF)
OPENERS = {  # what lets a machine do anything at all
    "ICC_CR0_EL1": 1, "ICC_PCR_EL1": 31, "ICH_VMCR_EL2": U64, "ICH_VCTLR_EL2": 1,
    "ICH_HFGRTR_EL2": U64, "ICH_HFGWTR_EL2": U64, "ICH_HFGITR_EL2": U64,
}  # fmt: skip
BY_NAME = {register.name: register for register in REGISTERS.values()}
ALL = tuple(REGISTERS.values())
CYCLE = ("CDIA", "CDIA", "CDIA", "CDEOI", "CDEOI", "CDDI", "CDDI", "ICC_HPPIR_EL1")
COMMANDS = ("CDEN", "CDEN", "CDPEND", "CDPEND", "CDPRI", "CDRCFG", "CDAFF", "CDHM", "CDDIS")
PPIS = tuple(name for name in BY_NAME if name.startswith("ICC_PPI") and name.endswith("R0_EL1"))
HYPERVISOR = tuple(
    name for name in BY_NAME if name.startswith("ICH") and "HFG" not in name and "Y" not in name
)
TRAPS = tuple(name for name in BY_NAME if "_HFG" in name) * 8 + tuple(
    register.name for register in ALL if register.trap
)
MASKS = ("ICC_PCR_EL1", "ICC_APR_EL1", "ICC_CR0_EL1", "ICC_ICSR_EL1", "ICC_PPI_PRIORITYR3_EL1")
THEMES: tuple[tuple[str, ...], ...] = (
    CYCLE + COMMANDS + COMMANDS,
    CYCLE + PPIS + MASKS,
    CYCLE + PPIS + HYPERVISOR,
    CYCLE + COMMANDS + PPIS + HYPERVISOR + MASKS,
    TRAPS,
)
IRS_OFFSETS = tuple(irs.REGISTERS)
IRS_LIVELY = (0x080, 0x108, 0x108, 0x110, 0x114, 0x114, 0x118, 0x140, 0x144, 0x148, 0x180, 0x184,
              0x190)  # fmt: skip
# The IRS on, and a linear IST with 16 bits of LPI ID
IRS_OPENERS = (
    Access(Op.IRS_WRITE, 0, 0, 4, 0x080, 1),
    Access(Op.IRS_WRITE, 0, 0, 4, 0x190, 16),
    Access(Op.IRS_WRITE, 0, 0, 8, 0x180, 0x400F0001),
)


class Maker:
    """One program's accesses."""

    def __init__(self, rng: Random) -> None:
        self.random = rng.random
        self.word = rng.getrandbits
        self.cpus = self.pick((1, 1, 2, 2, 3, 8))
        self.ppis = [self.pick(PPI_POOL) for _ in range(3)] + [3]
        self.numbers: dict[int, Sequence[int]] = {
            Kind.PPI: self.ppis,
            Kind.SPI: [self.pick(SPI_POOL) for _ in range(3)],
            Kind.LPI: [self.pick(LPI_POOL) for _ in range(3)],
        }
        self.priorities = [self.pick((0, 1, 7, 8, 16, 30, 31)) for _ in range(3)]
        self.crowded = self.random() < 0.3  # all PPIs at once, now and then
        self.theme = tuple(BY_NAME[name] for name in self.pick(THEMES))
        self.el1 = self.pick((0.3, 0.6, 0.9))
        self.guests = self.pick((0.1, 0.5, 0.9))

    def pick(self, items: Sequence[T]) -> T:
        return items[int(self.random() * len(items))]

    def cpu(self) -> int:
        return int(self.random() * self.cpus)

    def ppi_mask(self, bank: int) -> int:
        kind = self.random()
        if kind < 0.15:
            return 0
        if kind < 0.3 and self.crowded:
            return U64
        if kind < 0.4 and self.crowded:
            return self.word(64)
        picked = {self.pick(self.ppis) for _ in range(1 + int(3 * self.random()))}
        return sum(1 << ppi % 64 for ppi in picked if ppi // 64 == bank)

    def priority_bytes(self) -> int:
        """Now and then with RES0 bits."""
        if self.random() < 0.1:
            return self.word(64)
        return int.from_bytes(bytes(self.pick(self.priorities) for _ in range(8)), "little")

    def operand(self) -> int:
        """Of a command: an interrupt, and something for every field that any of them has."""
        kind = self.pick((Kind.PPI, Kind.LPI, Kind.LPI, Kind.SPI, Kind.SPI, Kind.SPI))
        number, type_ = self.pick(self.numbers[kind]), int(kind)
        odd = self.random()
        if odd < 0.03:
            number = self.pick(ABSENT)
        elif odd < 0.05:
            type_ = self.word(3)
        # IAFFID[47:32], PRIORITY[39:35], and PENDING or HM in bit 32
        high = self.cpu() if self.random() < 0.6 else self.pick(self.priorities) << 3 | self.word(1)
        if self.random() < 0.05:
            high = self.word(32)
        return high << 32 | type_ << 29 | self.word(1) << 28 | number

    def value(self, register: Register) -> int:
        name = register.name
        if register.is_instruction:
            return self.operand()
        if "PRIORITYR" in name:
            return self.priority_bytes()
        if "PPI_" in name:
            return self.ppi_mask(int(name.split("_")[2][-1]))
        if "APR" in name:
            return self.pick((0, 0, 0, 0, 0, 1 << self.word(5), self.word(64)))
        if "_HFG" in name:  # one trap, or none
            return U64 ^ self.word(1) << self.word(5)
        if name in OPENERS and self.random() < 0.8:
            return OPENERS[name]
        if name == "ICC_PCR_EL1":
            return self.pick(self.priorities)
        if name == "ICH_VMCR_EL2":
            return self.pick(self.priorities) << 27 | 1
        return self.word(64)

    def system(self) -> Access:
        register = self.pick(self.theme if self.random() < 0.8 else ALL)
        write = register.write is not None and (register.read is None or self.random() < 0.6)
        el, encoding = 1 if self.random() < self.el1 else 2, register.encoding
        odd = self.random()
        if odd < 0.01:
            el = 0
        elif odd < 0.02:  # the other direction, or an encoding nearby
            write, encoding = not write, encoding ^ self.pick((0, 0, 1, 2, 8, 4 << 11))
            register = REGISTERS.get(encoding, register)
        value = self.value(register) if write else 0
        return Access(Op.WRITE if write else Op.READ, self.cpu(), el, 0, encoding, value)

    def signals(self) -> Access:
        return Access(Op.SIGNALS, self.cpu())

    def lines(self) -> Access:
        return Access(Op.LINES, self.cpu(), value=self.ppi_mask(0))

    def spi_line(self) -> Access:
        return Access(Op.SPI_LINE, where=self.pick(self.numbers[Kind.SPI]), value=self.word(1))

    def guest(self) -> Access:
        return Access(Op.GUEST, self.cpu(), value=int(self.random() < self.guests))

    def irs(self) -> Access:
        offset = self.pick(IRS_LIVELY if self.random() < 0.7 else IRS_OFFSETS)
        size = 8 if self.random() < 0.15 else 4
        if self.random() < 0.02:
            offset = self.word(14) << 2
        if self.random() < 0.5:
            return Access(Op.IRS_READ, 0, 0, size, offset)
        value = self.pick((0, 1, 1, 256, self.cpus, *self.numbers[Kind.SPI], self.word(8 * size)))
        return Access(Op.IRS_WRITE, 0, 0, size, offset, value)

    def reset(self) -> Access:
        return Access(Op.RESET)

    def access(self) -> Access:
        return weighted(self, _MIX)(self)

    def opening(self) -> list[Access]:
        out = [access for access in IRS_OPENERS if self.random() < 0.95]
        for spi in self.numbers[Kind.SPI][: self.pick((0, 1, 3))]:  # with a Level trigger
            out.append(Access(Op.IRS_WRITE, 0, 0, 4, 0x108, spi))
            out.append(Access(Op.IRS_WRITE, 0, 0, 4, 0x114, 1))
        for cpu in range(self.cpus):
            out.append(Access(Op.GUEST, cpu, value=int(self.random() < self.guests)))
            out.extend(
                Access(Op.WRITE, cpu, 2, 0, BY_NAME[name].encoding, value)
                for name, value in OPENERS.items()
                if self.random() < 0.95
            )
            for name in ("ICC_PPI_ENABLER0_EL1", "ICH_PPI_ENABLER0_EL2"):
                value = sum({1 << ppi for ppi in self.ppis if ppi < 64})
                out.append(Access(Op.WRITE, cpu, 2, 0, BY_NAME[name].encoding, value))
        return out


M = TypeVar("M", bound=Maker)


def weighted(maker: M, mix: Sequence[tuple[float, Callable[[M], Access]]]) -> Callable[[M], Access]:
    """One of `mix`, each with its upper limit among 0 to 1."""
    kind = maker.random()
    return next((make for limit, make in mix if kind < limit), mix[-1][1])


_MIX: Sequence[tuple[float, Callable[[Maker], Access]]] = (
    (0.71, Maker.system),
    (0.80, Maker.signals),
    (0.85, Maker.lines),
    (0.89, Maker.spi_line),
    (0.92, Maker.guest),
    (0.999, Maker.irs),
    (1.0, Maker.reset),
)


def accesses(maker: Maker, length: int) -> Program:
    return Program(maker.cpus, (*maker.opening(), *(maker.access() for _ in range(length))))
