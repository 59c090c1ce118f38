# SPDX-License-Identifier: GPL-2.0-or-later
"""The rules of the CPU interface. Section numbers are those of the reference (gicv5-kvm.md)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from . import iri, vist, vms
from .state import IDLE, PPIS, SW_PPI, Domain, Interface, Intid, Kind, Machine, Pe


class Candidate(NamedTuple):
    """Ordered as the architecture selects: lower is presented first."""

    priority: int
    intid: Intid


def is_level(ppi: int) -> bool:
    """C.1; A.1 ICC_PPI_HMR. Platform: all 128 PPIs exist, and all but SW_PPI are Level."""
    return ppi != SW_PPI


def pending_ppis(pe: Pe, domain: Domain) -> set[int]:
    """A Level PPI pends by its line (A.1). B.3 (1), B.5: a directly injected PPI has the
    physical PPI's pending state, whatever ICH_PPI_PENDR says."""
    physical = pe.lines | pe.physical.ppis.pending
    if domain is Domain.PHYSICAL:
        return physical
    return (pe.virtual.ppis.pending - pe.dvi) | (physical & pe.dvi)


def candidates(machine: Machine, pe: Pe, domain: Domain) -> Iterator[Candidate]:
    """B.3 (1), (2): pending, enabled, not active."""
    ppis = pe.interface(domain).ppis
    for ppi in (pending_ppis(pe, domain) & ppis.enabled) - ppis.active:
        yield Candidate(ppis.priority.get(ppi, 0), Intid(Kind.PPI, ppi))
    physical = domain is Domain.PHYSICAL
    presented = iri.presented_to(machine, pe) if physical else vms.presented_on(machine, pe)
    for intid, interrupt in presented:
        yield Candidate(interrupt.priority, intid)


def running_priority(interface: Interface) -> int:
    """The highest active priority; idle is below all priorities."""
    return min(interface.active_priorities, default=IDLE)


def highest(machine: Machine, pe: Pe, domain: Domain) -> Candidate | None:
    """B.3 (3)-(5): the highest priority pending interrupt, if of sufficient priority: not above
    the mask (<=), and below the running priority (<). None if the interface is disabled, or if
    EL2 has switched the virtual selection off (4)."""
    interface = pe.interface(domain)
    if not interface.enabled or (domain is Domain.VIRTUAL and not pe.el2.selects):
        return None
    best = min(candidates(machine, pe, domain), default=None)
    if best is None or best.priority > interface.mask:
        return None
    return best if best.priority < running_priority(interface) else None


def acknowledge(machine: Machine, pe: Pe, domain: Domain, nmi: bool) -> Intid | None:
    """B.4 CDIA: the interrupt becomes active, its priority too; an Edge is consumed.

    B.3 (6): with SCTLR_ELx.NMI, priority 0 is superpriority, and only CDNMIA returns it."""
    best = highest(machine, pe, domain)
    if best is None or nmi != (pe.nmi and best.priority == 0):
        return None
    interface = pe.interface(domain)
    interface.active_priorities.add(best.priority)
    if best.intid.kind == Kind.PPI:
        interface.ppis.active.add(best.intid.number)
        if not is_level(best.intid.number):
            set_pending(pe, domain, {best.intid.number}, pending=False)
    elif domain is Domain.VIRTUAL and pe.resident is not None:
        vist.activate(machine, pe.resident[0], best.intid)
    else:
        iri.activate(best.intid, machine.interrupts[best.intid])
    return best.intid


def priority_drop(interface: Interface) -> None:
    """B.4 CDEOI: the highest active priority ends."""
    interface.active_priorities.discard(running_priority(interface))


def deactivate(interface: Interface, ppi: int) -> None:
    """B.4 CDDI of a PPI. The priority stays active until CDEOI."""
    if ppi < PPIS:
        interface.ppis.active.discard(ppi)


def set_pending(pe: Pe, domain: Domain, ppis: set[int], pending: bool) -> None:
    """A.1, B.2 S/CPENDR: only Edge PPIs can be written; where DVI is set, it is the physical
    PPI that the guest writes."""
    for ppi in ppis:
        if is_level(ppi):
            continue
        own = domain is Domain.PHYSICAL or ppi in pe.dvi
        latches = (pe.physical if own else pe.virtual).ppis.pending
        if pending:
            latches.add(ppi)
        else:
            latches.discard(ppi)
