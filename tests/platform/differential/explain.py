# SPDX-License-Identifier: GPL-2.0-or-later
"""The differences that have an explanation: whose they are, and exactly which bits they cover.

Two kinds.  A MASKED difference is one of what is read; the states of both machines stay the same,
so everything else of the program is compared.  After an AVOIDED operation the states differ for
good: the generator does not make it.  Each rule has a witness, a program that shows the difference
(tests run it: a rule that nothing shows any more must go).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from harness.ppi import U64

from .machine import MAX_CPUS, Side
from .ops import Code, Op, Result, irs_read, irs_write, line, read, window, write

PPI, LPI, SPI = 1, 2, 3


class Owner(Enum):
    OURS = "ours"
    X5 = "x-5's"
    ALLOWED = "allowed by the architecture"
    KVM = "KVM's"


def anywhere(_ops: Sequence[Op], _index: int) -> bool:
    """The difference needs no history."""
    return True


@dataclass(frozen=True, slots=True)
class Masked:
    """``mask``: bits of the value that may differ, at a register matching ``reg``, at IRS
    offsets ``offs`` or of a ``window``; ``zero``: the side on which those that do are 0, if it is
    always the same;
    ``needs``: what must have happened before operation ``index``."""

    name: str
    owner: Owner
    why: str
    witness: tuple[Op, ...]
    mask: int
    reg: str = ""
    offs: tuple[int, ...] = ()
    window: bool = False
    zero: Side | None = None
    needs: Callable[[Sequence[Op], int], bool] = anywhere

    def covers(self, ops: Sequence[Op], index: int, ours: int, x5: int) -> int:
        """The bits of this result that the rule explains."""
        op = ops[index]
        if op.code in (Code.READ, Code.WRITE):
            if not self.reg or not re.fullmatch(self.reg, op.reg):
                return 0
        elif op.code is Code.WINDOW:
            if not self.window:
                return 0
        elif op.code is not Code.IRS_READ or op.off not in self.offs:
            return 0
        if not self.needs(ops, index):
            return 0
        differ = (ours ^ x5) & self.mask
        if self.zero is not None:
            differ &= ~(ours if self.zero is Side.OURS else x5)
        return differ


@dataclass(frozen=True, slots=True)
class Avoided:
    """``matches``: an operation after which, behind those given, nothing can be compared."""

    name: str
    owner: Owner
    why: str
    witness: tuple[Op, ...]
    matches: Callable[[Sequence[Op], Op], bool]


Rule = Masked | Avoided


def kind(op: Op) -> int:
    """The interrupt type in a command's operand."""
    return op.value >> 29 & 7


def cddi_in_bank(ops: Sequence[Op], index: int) -> bool:
    """An earlier CDDI of a PPI of the same bank on the same CPU; a window may have made one."""
    bank, cpu = ops[index].register.bank, ops[index].cpu
    return any(
        op.cpu == cpu and (deactivates_ppi(op, bank) or (op.code is Code.WINDOW and bank == 0))
        for op in ops[:index]
    )


def deactivates_ppi(op: Op, bank: int) -> bool:
    return op.reg == "GIC_CDDI" and kind(op) == PPI and (op.value & 0xFFFFFF) // 64 == bank


def asked(ops: Sequence[Op], index: int) -> int:
    """The INTID of the CDRCFG whose answer is in ICSR, 0 if there was none."""
    cpu = ops[index].cpu
    asks = [op.value for op in ops[:index] if op.reg == "GIC_CDRCFG" and op.cpu == cpu]
    return asks[-1] & 0xE0FFFFFF if asks else 0


def asks_large_lpi(ops: Sequence[Op], index: int) -> bool:
    intid = asked(ops, index)
    return intid >> 29 == LPI and 1 << 12 <= intid & 0xFFFFFF < 1 << 14


def makes_level(op: Op) -> bool:
    """A trigger mode is set to Level."""
    return op.code is Code.IRS_WRITE and op.off == 0x114 and bool(op.value & 1)


def handles_level(op: Op) -> bool:
    """An SPI's handling mode is set to Level."""
    return op.reg == "GIC_CDHM" and kind(op) == SPI and bool(op.value >> 32 & 1)


def handles_edge(op: Op) -> bool:
    return op.reg == "GIC_CDHM" and kind(op) == SPI and not op.value >> 32 & 1


def others_act(ops: Sequence[Op], index: int) -> bool:
    """Another CPU has done something before."""
    return any(op.cpu != ops[index].cpu for op in ops[:index])


MASKED: Final = (
    Masked(
        "x5-priorityr-res0", Owner.X5,
        "PRIORITYR keeps bits [7:5] of each byte, which are RES0 with five bits of priority",
        (write("PRIORITYR0", U64),),
        0xE0E0E0E0E0E0E0E0, reg=r"ICC_PPI_PRIORITYR\d+_EL1", zero=Side.OURS,
    ),
    Masked(
        "x5-icsr-res0", Owner.X5, "ICSR keeps all 64 bits; the fields are [47:32], [15:11], [5:0]",
        (write("ICSR", U64),),
        U64 ^ 0x0000FFFF0000F83F, reg="ICC_ICSR_EL1", zero=Side.OURS,
    ),
    Masked(
        "x5-cddi-high", Owner.X5,
        "CDDI of a PPI clears Active of PPIs 32-63 of the same register (a 32-bit variable)",
        (write("SACTIVER0", 1 << 32), write("CDDI", 0x20000003), read("SACTIVER0")),
        0xFFFFFFFF00000000, reg=r"ICC_PPI_[SC]ACTIVER\d_EL1", zero=Side.X5, needs=cddi_in_bank,
    ),
    Masked(
        "x5-cr1-res0", Owner.X5, "IRS_CR1 keeps bits [31:16], which are RES0",
        (irs_write(0x84, 0xFFFFFFFF), irs_read(0x84)),
        0xFFFF0000, offs=(0x84,), zero=Side.OURS,
    ),
    Masked(
        "x5-spi-selr-raz", Owner.X5, "IRS_SPI_SELR reads as 0, whatever was written",
        (irs_write(0x108, 1), irs_read(0x108)),
        0xFFFFFF, offs=(0x108,), zero=Side.X5,
    ),
    Masked(
        "x5-pe-selr-res0", Owner.X5, "IRS_PE_SELR keeps bits [31:16], which are RES0",
        (irs_write(0x140, 0xFFFFFFFF), irs_read(0x140)),
        0xFFFF0000, offs=(0x140,), zero=Side.OURS,
    ),
    Masked(
        "x5-ist-cfgr-res0", Owner.X5, "IRS_IST_CFGR keeps bits that are RES0",
        (irs_write(0x180, 0, 8), irs_write(0x190, 0xFFFFFFFF), irs_read(0x190)),
        0xFFFEFE00, offs=(0x190,), zero=Side.OURS,
    ),
    Masked(
        "x5-devarch", Owner.X5, "IRS_DEVARCH: the architect field is shifted by 31 instead of 21",
        (irs_read(0xFFBC),),
        U64, offs=(0xFFBC,),
    ),
    Masked(
        "irs-idr0-virt", Owner.ALLOWED, "IRS_IDR0.VIRT: x-5 has no virtualization, ours is for it",
        (irs_read(0x000),),
        1 << 6, offs=(0x000,), zero=Side.X5,
    ),
    Masked(
        "irs-idr3-idr4", Owner.ALLOWED, "IRS_IDR3 and IDR4: the sizes of VMs and VPEs",
        (irs_read(0x00C), irs_read(0x010)),
        0xFFFFFFFF, offs=(0x00C, 0x010), zero=Side.X5,
    ),
    Masked(
        "irs-idr2-sizes", Owner.ALLOWED,
        "IRS_IDR2: ours has up to 16 bits of LPI ID in a linear IST, x-5 14 to 24 in two levels",
        (irs_read(0x008),),
        0x3FDF, offs=(0x008,),
    ),
    Masked(
        "irs-identification", Owner.ALLOWED,
        "IRS_IIDR and the CoreSight PIDR say who made it; ours says nothing",
        (irs_read(0x040),),
        U64, offs=(0x040, *range(0xFFD0, 0xFFF0, 4)), zero=Side.OURS,
    ),
    Masked(
        "lpi-beyond-x5", Owner.ALLOWED,
        "an LPI beyond IRS_IST_CFGR.LPI_ID_BITS, of which ours grants at least 12 and x-5 14: F",
        (write("CDRCFG", 0x40001000), read("ICSR")),
        1, reg="ICC_ICSR_EL1", zero=Side.X5, needs=asks_large_lpi,
    ),
    Masked(
        "spurious", Owner.ALLOWED,
        "an interrupt that another CPU takes back: ours may take an IRQ and find none",
        (write("CR0", 1), write("CDPEND", 0x140000006, 1), write("CDEN", 0x40000006, 1),
         write("CDAFF", 0x140000006, 1), window()),
        0xFFFFFFFF00000000, window=True, zero=Side.X5, needs=others_act,
    ),
)  # fmt: skip

AVOIDED: Final = (
    Avoided(
        "x5-cddis-spi", Owner.X5, "CDDIS enables an SPI",
        # x-5 has no way to disable an SPI, so bare/irs.c leaves all enabled.
        (write("CDDIS", 0x60000001), write("CDRCFG", 0x60000001), read("ICSR")),
        lambda _, op: op.reg == "GIC_CDDIS" and kind(op) == SPI,
    ),
    Avoided(
        "x5-cdpend-spi", Owner.X5, "CDPEND with PENDING = 0 makes an SPI pending",
        (write("CDPEND", 0x60000001), write("CDRCFG", 0x60000001), read("ICSR")),
        lambda _, op: op.reg == "GIC_CDPEND" and kind(op) == SPI and not op.value >> 32 & 1,
    ),
    Avoided(
        "lpi-tie", Owner.ALLOWED,
        "of LPIs with the same priority ours takes the lowest number, x-5 any (a hash table's "
        "order).  The generator gives each LPI priorities of its own",
        (write("PCR", 31), write("CR0", 1), write("CDEN", 0x40000001), write("CDEN", 0x40000000),
         write("CDPEND", 0x140000001), write("CDPEND", 0x140000000), read("HPPIR")),
        lambda _ops, _op: False,
    ),
    Avoided(
        "affinity-nowhere", Owner.ALLOWED,
        "CDAFF to an IAFFID that no CPU has: ours ignores it, x-5 keeps it and presents the "
        "interrupt to nobody",
        (write("CDAFF", 7 << 32 | 0x40000001), write("CDRCFG", 0x40000001), read("ICSR")),
        lambda _, op: op.reg == "GIC_CDAFF" and op.value >> 32 & 0xFFFF >= MAX_CPUS,
    ),
    Avoided(
        "ours-ist", Owner.OURS,
        "IRS_IST_BASER.VALID is set again: x-5 finds in the table what it left there, ours takes "
        "any table for one of zeros",
        (write("CDPRI", 3 << 35 | 0x40000001), irs_write(0x180, 0, 8),
         irs_write(0x180, 0x46000001, 8), write("CDRCFG", 0x40000001), read("ICSR")),
        lambda _, op: op.code is Code.IRS_WRITE and op.off in (0x180, 0x184) and bool(op.value & 1),
    ),
    Avoided(
        "ours-unseen-pulse", Owner.OURS,
        "the line of a Level SPI that CDPEND made pending rises and falls, and nobody looks: the "
        "plugin is not told, so the SPI stays pending.  The generator looks at each change",
        (irs_write(0x108, 1), irs_write(0x114, 1), write("CDPEND", 0x160000001), line(1), line(0),
         write("CDRCFG", 0x60000001), read("ICSR")),
        lambda ops, op: op.code is Code.LINE and bool(ops) and ops[-1].code is Code.LINE,
    ),
    Avoided(
        "ours-edge-while-pending", Owner.OURS,
        "an edge of an SPI that pends already: the plugin cannot see it, so a handling mode that "
        "CDHM set to Level stays",
        (write("CDPEND", 0x160000001), write("CDHM", 0x160000001), line(1),
         write("CDRCFG", 0x60000001), read("ICSR")),
        lambda ops, op: op.code is Code.LINE and any(map(handles_level, ops)),
    ),
    Avoided(
        "ours-level-handled-as-edge", Owner.OURS,
        "CDHM sets Edge for a Level SPI whose line is high: an acknowledge does not clear Pending, "
        "which is the line",
        (write("PCR", 31), write("CR0", 1), irs_write(0x108, 1), irs_write(0x114, 1), line(1),
         write("CDHM", 0x60000001), read("GICR_CDIA"), write("CDRCFG", 0x60000001), read("ICSR")),
        lambda ops, op: handles_edge(op) and any(map(makes_level, ops)),
    ),
    Avoided(
        "ours-resample-edge", Owner.OURS,
        "IRS_SPI_RESAMPLER has no effect on an Edge SPI: its line cannot be read",
        (write("PCR", 31), write("CR0", 1), line(1), read("GICR_CDIA"), irs_write(0x110, 1),
         write("CDRCFG", 0x60000001), read("ICSR")),
        lambda ops, op: op.code is Code.IRS_WRITE and op.off == 0x110
        and any(o.code is Code.LINE for o in ops),
    ),
)  # fmt: skip

RULES: Final[tuple[Rule, ...]] = MASKED + AVOIDED

HIDDEN: Final = U64 ^ (1 << 3 | 1 << 27 | 1 << 30)  # from a guest without PMU

# A KVM guest in the place of ours: what KVM itself changes
KVM: Final = (
    Masked(
        "kvm-idr0", Owner.KVM, "KVM shows its guests 16 bits of interrupt ID",
        (read("IDR0"),),
        1, reg="ICC_IDR0_EL1", zero=Side.OURS,
    ),
    Masked(
        "kvm-enabler", Owner.KVM, "KVM traps writes of ENABLER0 and drops what it does not expose",
        (write("ENABLER0", U64),),
        HIDDEN, reg="ICC_PPI_ENABLER0_EL1", zero=Side.OURS,
    ),
    Masked(
        "kvm-enabler1", Owner.KVM, "KVM ignores writes of ENABLER1",
        (write("ENABLER1", U64),),
        U64, reg="ICC_PPI_ENABLER1_EL1", zero=Side.OURS,
    ),
    Masked(
        "kvm-bank-1", Owner.KVM, "at each entry KVM clears what belongs to PPIs 64 to 127",
        (write("SACTIVER1", U64), write("PRIORITYR8", 1), write("ENABLER0", 0), read("SACTIVER1")),
        U64, reg=r"ICC_PPI_([SC]ACTIVER1|PRIORITYR(8|9|1\d))_EL1", zero=Side.OURS,
    ),
    Masked(
        "kvm-pfr2", Owner.KVM, "KVM hides features in the ID registers of its guests",
        (read("ID_AA64PFR2_EL1"),),
        U64, reg="ID_AA64PFR2_EL1", zero=Side.OURS,
    ),
)  # fmt: skip


def explained(
    ops: Sequence[Op], index: int, ours: Result, x5: Result, rules: Sequence[Masked] = MASKED
) -> tuple[Masked, ...]:
    """The rules that together explain the whole difference at an operation; none if they do not."""
    if ours.status is not x5.status or ours.extra != x5.extra:
        return ()
    left, used = ours.value ^ x5.value, list[Masked]()
    for rule in rules:
        covered = rule.covers(ops, index, ours.value, x5.value)
        if left & covered:
            used.append(rule)
            left &= ~covered
    return () if left else tuple(used)


def avoided(ops: Sequence[Op], op: Op) -> bool:
    """Must the generator leave ``op`` out, after these?"""
    return any(rule.matches(ops, op) for rule in AVOIDED)
