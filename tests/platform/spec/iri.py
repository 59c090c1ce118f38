# SPDX-License-Identifier: GPL-2.0-or-later
"""SPIs and LPIs: the commands that configure them, and the wires of SPIs."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from .state import LPIS, SPIS, Interrupt, Intid, Kind, Machine, Pe, bits

NO_SUCH_INTERRUPT = 1  # ICC_ICSR.F


def exists(intid: Intid) -> bool:
    """Platform: 256 SPIs, 65536 LPIs."""
    limit = {Kind.SPI: SPIS, Kind.LPI: LPIS}
    return intid.number < limit.get(Kind(intid.kind), 0) if intid.kind in tuple(Kind) else False


def find(machine: Machine, operand: int) -> tuple[Intid, Interrupt] | None:
    """A.3: TYPE[31:29] and ID[23:0] of a command's operand."""
    intid = Intid(bits(operand, 31, 29), bits(operand, 23, 0))
    if not exists(intid):
        return None
    return intid, machine.interrupts.setdefault(intid, Interrupt())


def presented_to(machine: Machine, pe: Pe) -> Iterator[tuple[Intid, Interrupt]]:
    """Pending, enabled, not active, and routed to this PE."""
    for intid, interrupt in machine.interrupts.items():
        if interrupt.affinity != pe.number or not interrupt.enabled or interrupt.active:
            continue
        if interrupt.pending:
            yield intid, interrupt


def activate(intid: Intid, interrupt: Interrupt) -> None:
    """Acknowledge: Edge consumes the pending state; Level leaves it.

    Platform: of a Level SPI, the line is what stays. What software or an earlier edge latched is
    consumed, for the GICv2 that carries the line keeps the two apart.
    """
    interrupt.active = True
    if not interrupt.level or intid.kind == Kind.SPI:
        interrupt.latch = False


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
    interrupt.latch = bool(bits(operand, 32, 32))


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
        pe.icsr = configuration(found[1]) if found else NO_SUCH_INTERRUPT
    elif found:
        COMMANDS[name](machine, found[1], operand)


def wire(machine: Machine, spi: int, level: bool) -> None:
    """An SPI's line changes. An Edge SPI becomes pending as it rises."""
    interrupt = machine.interrupts.setdefault(Intid(Kind.SPI, spi), Interrupt())
    if level and not interrupt.wire and not interrupt.level:
        interrupt.latch = True
    interrupt.wire = level
