# SPDX-License-Identifier: GPL-2.0-or-later
"""SPIs and LPIs: the commands that configure them, and the wires of SPIs."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from .state import MAX_LPI_ID_BITS, MIN_LPI_ID_BITS, SPIS, Interrupt, Intid, Kind, Machine, Pe, bits

NO_SUCH_INTERRUPT = 1  # ICC_ICSR.F


def lpis(machine: Machine) -> int:
    """LPIs exist while the IST is valid, 2^IRS_IST_CFGR.LPI_ID_BITS of them. Platform: 12 to 16."""
    id_bits = min(max(bits(machine.irs.ist_config, 4, 0), MIN_LPI_ID_BITS), MAX_LPI_ID_BITS)
    return 1 << id_bits if machine.irs.ist_base & 1 else 0


def exists(machine: Machine, intid: Intid) -> bool:
    """Platform: 256 SPIs."""
    limit = {Kind.SPI: SPIS, Kind.LPI: lpis(machine)}
    return intid.number < limit.get(Kind(intid.kind), 0) if intid.kind in tuple(Kind) else False


def find(machine: Machine, operand: int) -> tuple[Intid, Interrupt] | None:
    """A.3: TYPE[31:29] and ID[23:0] of a command's operand."""
    intid = Intid(bits(operand, 31, 29), bits(operand, 23, 0))
    if not exists(machine, intid):
        return None
    return intid, machine.interrupts.setdefault(intid, Interrupt())


def presented_to(machine: Machine, pe: Pe) -> Iterator[tuple[Intid, Interrupt]]:
    """Pending, enabled, not active, and routed to this PE. An IRS that is off presents nothing."""
    if not machine.irs.enabled:
        return
    for intid, interrupt in machine.interrupts.items():
        if interrupt.affinity != pe.number or not interrupt.enabled or interrupt.active:
            continue
        if interrupt.pending:
            yield intid, interrupt


def look(intid: Intid, interrupt: Interrupt) -> None:
    """R_HHKMN, R_QBXXV: an event of an SPI's line copies the trigger mode into the handling mode;
    and when the line of a Level SPI falls, the SPI is no longer pending, whoever made it so.

    Platform: events are not told. One has happened if the SPI pends by its line and did not when it
    was last looked at: at CDRCFG, CDPEND, CDHM, an acknowledge, a change of the trigger mode. A
    Level SPI whose line is high has no latch, so there will be none when it falls."""
    if intid.kind != Kind.SPI:
        return
    now = interrupt.wire if interrupt.level_trigger else interrupt.latch
    if now and not interrupt.seen:
        interrupt.level = interrupt.level_trigger
    if now and interrupt.level_trigger:
        interrupt.latch = False
    interrupt.seen = now


def resample(interrupt: Interrupt) -> None:
    """IRS_SPI_RESAMPLER: the line decides. Platform: that of an Edge SPI cannot be read."""
    if interrupt.level_trigger:
        interrupt.latch = interrupt.seen = False
        look(Intid(Kind.SPI, 0), interrupt)


def set_trigger(interrupt: Interrupt, level: bool) -> None:
    """R_KBPXL: a change to Level samples the line; after one to Edge an SPI pends if it did,
    but not by a line that is high."""
    if interrupt.level_trigger == level:
        return
    look(Intid(Kind.SPI, 0), interrupt)
    interrupt.level_trigger, interrupt.seen = level, interrupt.latch
    resample(interrupt)


def activate(intid: Intid, interrupt: Interrupt) -> None:
    """Acknowledge: Edge consumes the pending state; Level leaves it."""
    look(intid, interrupt)
    interrupt.active = True
    if not interrupt.level:
        _set_latch(interrupt, False)


def _set_latch(interrupt: Interrupt, pending: bool) -> None:
    """What software does is no event."""
    interrupt.latch = pending
    if not interrupt.level_trigger:
        interrupt.seen = pending


def _enable(_machine: Machine, interrupt: Interrupt, _operand: int) -> None:
    interrupt.enabled = True


def _disable(_machine: Machine, interrupt: Interrupt, _operand: int) -> None:
    interrupt.enabled = False


def _priority(_machine: Machine, interrupt: Interrupt, operand: int) -> None:
    interrupt.priority = bits(operand, 39, 35)


def _affinity(machine: Machine, interrupt: Interrupt, operand: int) -> None:
    """Platform: no 1-of-N, IRM is RES0; an IAFFID without a PE changes nothing."""
    if bits(operand, 47, 32) < len(machine.pes):
        interrupt.affinity = bits(operand, 47, 32)


def _pend(_machine: Machine, interrupt: Interrupt, operand: int) -> None:
    """A Level SPI whose line is high pends already."""
    pending = bool(bits(operand, 32, 32))
    if not (pending and interrupt.pending):
        _set_latch(interrupt, pending)


def _handling_mode(_machine: Machine, interrupt: Interrupt, operand: int) -> None:
    interrupt.level = bool(bits(operand, 32, 32))


def _deactivate(_machine: Machine, interrupt: Interrupt, _operand: int) -> None:
    interrupt.active = False


COMMANDS: dict[str, Callable[[Machine, Interrupt, int], None]] = {
    "DIS": _disable,
    "EN": _enable,
    "PRI": _priority,
    "AFF": _affinity,
    "PEND": _pend,
    "HM": _handling_mode,
    "DI": _deactivate,
}


def configuration(interrupt: Interrupt) -> int:
    """A.1 ICC_ICSR as CDRCFG leaves it."""
    return (
        interrupt.affinity << 32
        | interrupt.priority << 11
        | interrupt.level << 5
        | interrupt.active << 4
        | interrupt.any_target << 3
        | interrupt.pending << 2
        | interrupt.enabled << 1
    )


def command(machine: Machine, pe: Pe, name: str, operand: int) -> None:
    """A.3 CD*, in the physical domain. What does not exist is left alone, and CDRCFG says so."""
    found = find(machine, operand)
    if name == "RCFG":
        pe.icsr = NO_SUCH_INTERRUPT
    if found and name in ("RCFG", "PEND", "HM"):
        look(*found)
    if found and name == "RCFG":
        pe.icsr = configuration(found[1])
    elif found:
        COMMANDS[name](machine, found[1], operand)


def wire(machine: Machine, spi: int, level: bool) -> None:
    """An SPI's line changes. An Edge SPI becomes pending as it rises (R_QBXXV)."""
    interrupt = machine.interrupts.setdefault(Intid(Kind.SPI, spi), Interrupt())
    if level and not interrupt.wire and not interrupt.level_trigger:
        interrupt.latch = True
    interrupt.wire = level
