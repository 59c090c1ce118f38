# SPDX-License-Identifier: GPL-2.0-or-later
"""Random programs, biased towards states in which something is about to happen.

Everything comes from (seed, index): a program's name is enough to make it again.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from harness.ppi import REGISTERS, U64

from .explain import avoided
from .ops import LPIS, SPIS, Op, Program, irs_read, irs_write, line, read, window, write

PPIS: Final = (3, 3, 3, 27, 27, 30, 30, 0, 23, 31, 32, 63, 64, 127)
PRIORITIES: Final = (0, 1, 4, 8, 15, 16, 30, 31)
NR_IRQS: Final = len(LPIS)
PPI, LPI, SPI = 1, 2, 3
FUTURE: Final = U64  # a CVAL that never comes; 0 is past

# IRS_IDR*, IIDR, AIDR, and what can be written without ending all else
IRS_READ_ONLY: Final = (0x000, 0x004, 0x008, 0x00C, 0x010, 0x014, 0x018, 0x01C, 0x040, 0x044,
                        0x0C4, 0x118, 0x144, 0x194, 0xFFBC, 0xFFD0, 0xFFE0, 0xFFF0)  # fmt: skip
IRS_CR0, IRS_CR1, IRS_SYNCR = 0x080, 0x084, 0x0C0
IRS_SPI_SELR, IRS_SPI_DOMAINR, IRS_SPI_RESAMPLER, IRS_SPI_CFGR = 0x108, 0x10C, 0x110, 0x114
IRS_PE_SELR, IRS_PE_CR0 = 0x140, 0x148
IRS_IST_BASER, IRS_IST_CFGR = 0x180, 0x190


@dataclass(frozen=True, slots=True)
class Dice:
    """The random choices that programs are made of."""

    rng: random.Random
    cpus: int
    classes: tuple[int, ...]  # of the LPIs: no two ever have the same priority (rule lpi-tie)

    def cpu(self) -> int:
        return self.rng.randrange(self.cpus)

    def value(self) -> int:
        """64 bits: nothing, all, one bit, or anything."""
        one = 1 << self.rng.randrange(64)
        return self.rng.choice((0, U64, one, U64 ^ one, self.rng.getrandbits(64)))

    def priority(self) -> int:
        return self.rng.choice(PRIORITIES)

    def priority_of(self, intid: int) -> int:
        """A priority for an SPI or LPI."""
        if intid >> 29 != LPI:
            return self.priority()
        return self.classes[LPIS.index(intid & 0xFFFFFF)] + NR_IRQS * self.rng.randrange(
            32 // NR_IRQS
        )

    def ppis(self, bank: int) -> int:
        """A bitmap of a few PPIs of a bank."""
        pool = [p % 64 for p in PPIS if p // 64 == bank]
        return sum(1 << p for p in set(self.rng.choices(pool, k=self.rng.randint(1, 4))))

    def intid(self) -> int:
        """Of an SPI or LPI."""
        kind = self.rng.choice((LPI, LPI, SPI))
        return kind << 29 | self.rng.choice(LPIS if kind == LPI else SPIS)

    def ppi_intid(self) -> int:
        return PPI << 29 | self.rng.choice(PPIS)


Make = Callable[[Dice], list[Op]]


def any_register(d: Dice) -> list[Op]:
    """Any system register, in any direction: also those that must be UNDEFINED."""
    names = [r.name for r in REGISTERS.values() if r.op0 == 3 and not r.name.startswith("CNT")]
    name = d.rng.choice(names)
    if d.rng.random() < 0.5:
        return [read(name, d.cpu())]
    return [write(name, d.value(), d.cpu())]


def enable(d: Dice) -> list[Op]:
    bank = d.rng.choice((0, 0, 0, 1))
    bits = d.rng.choice((d.ppis(bank), d.ppis(bank), U64, d.value()))
    return [write(f"ENABLER{bank}", bits, d.cpu())]


def active(d: Dice) -> list[Op]:
    bank = d.rng.choice((0, 0, 0, 1))
    return [write(f"{d.rng.choice('SC')}ACTIVER{bank}", d.ppis(bank), d.cpu())]


def pend(d: Dice) -> list[Op]:
    bank = d.rng.choice((0, 0, 0, 0, 1))
    return [write(f"{d.rng.choice('SSC')}PENDR{bank}", d.ppis(bank) | 8 * (1 - bank), d.cpu())]


def ppi_priority(d: Dice) -> list[Op]:
    n = d.rng.choice(PPIS) // 8
    bytes_ = sum(d.priority() << 8 * k for k in range(8))
    return [write(f"PRIORITYR{n}", bytes_, d.cpu())]


def mask(d: Dice) -> list[Op]:
    return [write("PCR", d.rng.choice((31, 31, d.priority(), d.priority(), d.value())), d.cpu())]


def cr0(d: Dice) -> list[Op]:
    return [write("CR0", d.rng.choice((1, 1, 1, 0, d.value())), d.cpu())]


def apr(d: Dice) -> list[Op]:
    bits = d.rng.choice((0, 0, 1 << d.priority(), d.rng.getrandbits(32), d.value()))
    return [write("APR", bits, d.cpu())]


def acknowledge(d: Dice) -> list[Op]:
    cpu = d.cpu()
    insn = "GICR_CDIA" if d.rng.random() < 0.95 else "GICR_CDNMIA"
    return [*([read("HPPIR", cpu)] if d.rng.random() < 0.5 else []), read(insn, cpu)]


def drop(d: Dice) -> list[Op]:
    return [write("CDEOI", d.rng.choice((0, 0, U64)), d.cpu())]


def deactivate_ppi(d: Dice) -> list[Op]:
    return [write("CDDI", d.ppi_intid(), d.cpu())]


def observe(d: Dice) -> list[Op]:
    names = ("HPPIR", "HPPIR", "APR", "SACTIVER0", "CACTIVER1", "SPENDR0", "CPENDR0", "SPENDR1",
             "ENABLER0", "PCR", "CR0", "ICSR")  # fmt: skip
    return [read(d.rng.choice(names), d.cpu())]


def timer(d: Dice) -> list[Op]:
    cpu, name = d.cpu(), d.rng.choice(("CNTV", "CNTP"))
    what = d.rng.random()
    if what < 0.4:
        return [write(f"{name}_CVAL_EL0", d.rng.choice((0, FUTURE)), cpu)]
    return [write(f"{name}_CTL_EL0", d.rng.choice((1, 1, 0, 3)), cpu)]


def configuration(intid: int, cpu: int) -> list[Op]:
    return [write("CDRCFG", intid, cpu), read("ICSR", cpu)]


def command(d: Dice) -> list[Op]:
    """A command for an SPI or LPI, and perhaps a look at what it did."""
    intid, cpu = d.intid(), d.cpu()
    name = d.rng.choice(("CDEN", "CDEN", "CDDIS", "CDPRI", "CDPRI", "CDPEND", "CDPEND", "CDPEND",
                         "CDAFF", "CDHM", "CDDI", "CDRCFG"))  # fmt: skip
    operand = intid
    if name == "CDPRI":
        operand |= d.priority_of(intid) << 35
    elif name == "CDPEND":
        operand |= d.rng.choice((1, 1, 1, 0)) << 32
    elif name == "CDHM":
        operand |= d.rng.getrandbits(1) << 32
    elif name == "CDAFF":
        operand |= d.cpu() << 32
    look = d.rng.random() < 0.4 or name == "CDRCFG"
    return [write(name, operand, cpu), *(configuration(intid, cpu) if look else [])]


def odd_command(d: Dice) -> list[Op]:
    """Interrupts that do not exist, types that have no such command, RES0 bits."""
    kind, number = d.rng.randrange(8), d.rng.choice((0, 1, 6, 255, 256, 1 << 16, 0xFFFFFF))
    if kind == LPI:
        number = d.rng.choice((0, 4095, 1 << 20, 0xFFFFFF))
    name = d.rng.choice(("CDEN", "CDDIS", "CDPRI", "CDPEND", "CDHM", "CDDI", "CDRCFG"))
    cpu, operand = d.cpu(), kind << 29 | number
    return [write(name, operand, cpu), *configuration(operand, cpu)]


def ready_irq(d: Dice) -> list[Op]:
    """An SPI or LPI that is enabled, has a priority and pends."""
    intid, cpu = d.intid(), d.cpu()
    return [
        write("CDPRI", intid | d.priority_of(intid) << 35, cpu),
        write("CDAFF", intid | d.cpu() << 32, cpu),
        write("CDEN", intid, cpu),
        write("CDPEND", intid | 1 << 32, cpu),
    ]


def ready_ppis(d: Dice) -> list[Op]:
    """The PPIs that can pend do, of priorities among which there are ties."""
    cpu, few = d.cpu(), (d.priority(), d.priority())
    bytes_ = [d.rng.choice(few) for _ in range(8)]
    return [
        write("PRIORITYR0", bytes_[3] << 24, cpu),
        write("PRIORITYR3", sum(b << 8 * k for k, b in enumerate(bytes_)), cpu),
        write("CNTV_CTL_EL0", 1, cpu),
        write("CNTP_CTL_EL0", 1, cpu),
        write("SPENDR0", 8, cpu),
        write("ENABLER0", d.rng.choice((0x48000008, 0x48000008, 0x40000008, U64)), cpu),
        read("HPPIR", cpu),
    ]


def moved_irq(d: Dice) -> list[Op]:
    """An SPI or LPI that changes its CPU, on which it then is taken."""
    intid, to = d.intid(), d.cpu()
    return [
        write("PCR", 31, to),
        write("CR0", 1, to),
        write("CDEN", intid, d.cpu()),
        write("CDAFF", intid | d.cpu() << 32, d.cpu()),
        write("CDAFF", intid | to << 32, d.cpu()),
        write("CDPEND", intid | 1 << 32, d.cpu()),
        window(to),
    ]


def again(d: Dice) -> list[Op]:
    """What is active pends again."""
    cpu, intid = d.cpu(), d.intid()
    pend = write("CDPEND", intid | 1 << 32, cpu)
    return [
        write("CDEN", intid, cpu), pend, read("GICR_CDIA", cpu), pend,
        write("CDEOI", 0, cpu), read("HPPIR", cpu),
    ]  # fmt: skip


def deactivate(d: Dice) -> list[Op]:
    return [write("CDDI", d.intid(), d.cpu())]


def irs_look(d: Dice) -> list[Op]:
    writable = (IRS_CR0, IRS_CR1, IRS_SPI_SELR, IRS_SPI_CFGR, IRS_PE_SELR, IRS_PE_CR0,
                IRS_IST_CFGR, IRS_SPI_DOMAINR)  # fmt: skip
    return [irs_read(d.rng.choice(IRS_READ_ONLY + writable), cpu=d.cpu())]


def irs_change(d: Dice) -> list[Op]:
    cpu = d.cpu()
    off = d.rng.choice((IRS_CR1, IRS_SYNCR, IRS_SPI_SELR, IRS_SPI_CFGR, IRS_PE_SELR, IRS_PE_CR0,
                        IRS_SPI_DOMAINR, IRS_SPI_RESAMPLER, IRS_IST_CFGR))  # fmt: skip
    value = d.value() & 0xFFFFFFFF
    if off in (IRS_SPI_SELR, IRS_PE_SELR, IRS_SPI_RESAMPLER):
        value = d.rng.choice((0, 1, 1, 2, 255, 256, value | 1 << 8))
    return [irs_write(off, value, cpu=cpu), irs_read(off, cpu=cpu)]


def irs_off_and_on(d: Dice) -> list[Op]:
    """x-5 heeds IRS_CR0 when it is read."""
    cpu = d.cpu()
    switch = irs_write(IRS_CR0, d.rng.choice((0, 1, 1)), cpu=cpu)
    return [switch, irs_read(IRS_CR0, cpu=cpu), read("HPPIR", cpu)]


def no_lpis(d: Dice) -> list[Op]:
    """The IST is no longer valid."""
    cpu = d.cpu()
    off = irs_write(IRS_IST_BASER, 0, d.rng.choice((4, 8)), cpu)
    return [off, irs_read(IRS_IST_BASER, 8, cpu), *configuration(d.intid(), cpu)]


def trigger(d: Dice) -> list[Op]:
    """The trigger mode of an SPI."""
    cpu, spi = d.cpu(), d.rng.choice((1, 1, 255))
    return [
        irs_write(IRS_SPI_SELR, spi, cpu=cpu),
        irs_read(IRS_SPI_SELR + 0x10, cpu=cpu),
        irs_write(IRS_SPI_CFGR, d.rng.getrandbits(1), cpu=cpu),
        irs_read(IRS_SPI_CFGR, cpu=cpu),
        *configuration(SPI << 29 | spi, cpu),
    ]


def raise_line(d: Dice) -> list[Op]:
    return [line(d.rng.choice((1, 1, 0)), d.cpu()), *configuration(SPI << 29 | 1, d.cpu())]


def take(d: Dice) -> list[Op]:
    return [window(d.cpu())]


CPU_INTERFACE: Final[Mapping[Make, int]] = MappingProxyType({
    enable: 3, active: 2, pend: 3, ppi_priority: 3, mask: 2, cr0: 1, apr: 1, acknowledge: 4,
    drop: 2, deactivate_ppi: 2, observe: 3, ready_ppis: 2,
})  # fmt: skip
COMMANDS: Final[Mapping[Make, int]] = MappingProxyType({
    command: 8, ready_irq: 4, again: 1, deactivate: 2, acknowledge: 4, drop: 2, observe: 2,
    mask: 1, cr0: 1, apr: 1,
})  # fmt: skip
SHARED: Final[Mapping[Make, int]] = MappingProxyType({
    timer: 3, take: 5, moved_irq: 5, raise_line: 1,
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Family:
    """How often which operations are chosen; how many CPUs; are there SPIs and LPIs?"""

    weights: Mapping[Make, int]
    cpus: int = 1
    iri: bool = True


FAMILIES: Final[Mapping[str, Family]] = MappingProxyType({
    "registers": Family({any_register: 6, observe: 1}),
    "ppi": Family(CPU_INTERFACE),
    "timers": Family({**CPU_INTERFACE, timer: 8}),
    "commands": Family({**COMMANDS, odd_command: 1}),
    "nesting": Family({**CPU_INTERFACE, ready_irq: 6, timer: 4, deactivate: 2}),
    "lines": Family({**COMMANDS, trigger: 4, raise_line: 6}),
    "irs": Family({irs_look: 10, irs_change: 10, trigger: 2, ready_irq: 4, acknowledge: 2,
                   irs_off_and_on: 3, no_lpis: 1}),
    "windows": Family({**CPU_INTERFACE, **COMMANDS, timer: 4, raise_line: 2, trigger: 1, take: 12}),
    "two-cpus": Family({**CPU_INTERFACE, **COMMANDS, **SHARED}, 2),
    "four-cpus": Family({**CPU_INTERFACE, **COMMANDS, **SHARED}, 4),
})  # fmt: skip


# Programs that a KVM guest can run too: 7.3's has neither SPIs nor LPIs
GUEST_FAMILIES: Final[Mapping[str, Family]] = MappingProxyType({
    "guest-registers": Family({any_register: 6, observe: 1}, iri=False),
    "guest-ppi": Family(CPU_INTERFACE, iri=False),
    "guest-timers": Family({**CPU_INTERFACE, timer: 8}, iri=False),
    "guest-windows": Family({**CPU_INTERFACE, timer: 4, take: 8}, iri=False),
})  # fmt: skip


def different_lpis(d: Dice) -> list[Op]:
    """No two LPIs have the same priority."""
    pairs = zip(LPIS, d.classes, strict=True)
    return [write("CDPRI", LPI << 29 | lpi | priority << 35) for lpi, priority in pairs]


def opening(d: Dice) -> list[Op]:
    """Mostly, CPU interfaces that would let something through."""
    ops = list[Op]()
    for cpu in range(d.cpus):
        if d.rng.random() < 0.85:
            ops += [write("PCR", 31, cpu), write("CR0", 1, cpu)]
    return ops


LEFT: Final = ("HPPIR", "APR", "PCR", "ENABLER0", "SACTIVER0", "SACTIVER1", "SPENDR0", "PRIORITYR0",
               "PRIORITYR3", "PRIORITYR7")  # fmt: skip


def closing(d: Dice) -> list[Op]:
    """What is left at the end."""
    ops = list[Op]()
    for cpu in range(d.cpus):
        ops += [read(name, cpu) for name in LEFT]
    return ops


def configurations(d: Dice) -> list[Op]:
    """How some SPIs and LPIs are left."""
    intids = sorted({d.intid() for _ in range(4)})
    return [op for intid in intids for op in configuration(intid, 0)]


def generate(seed: int, index: int, families: Mapping[str, Family] = FAMILIES) -> Program:
    """Program number ``index`` of a seed; families take turns."""
    name = list(families)[index % len(families)]
    family = families[name]
    rng = random.Random(f"{seed}:{index}")
    d = Dice(rng, family.cpus, tuple(rng.sample(range(NR_IRQS), NR_IRQS)))
    ops = (different_lpis(d) if family.iri else []) + opening(d)
    length = d.rng.choice((4, 8, 12, 20, 30))
    for make in d.rng.choices(list(family.weights), list(family.weights.values()), k=length):
        ops += make(d)
    ops += closing(d) + (configurations(d) if family.iri else [])
    kept = list[Op]()
    for op in ops:
        if not avoided(kept, op):
            kept.append(op)
    return Program(f"{name}/{seed}:{index}", tuple(kept))
