# SPDX-License-Identifier: GPL-2.0-or-later
"""Virtual machines: their tables, what of these is valid, residency and doorbells (part D).

    VMT -> VMTE, 32 bytes a VM -> word 1: VPETEs, 8 bytes a VPE
                               -> words 2 and 3: the ISTs of its LPIs and SPIs (vist.py)

Software writes the entries and asks for each to become valid; from then on they are the IRS's,
and changing them without it is UNPREDICTABLE.
"""

from __future__ import annotations

from collections.abc import Iterator

from . import iri
from .memory import load, store, there
from .state import Interrupt, Intid, Kind, Machine, Pe, Vm, Vpe, bits

VALID = 1
VMTE = 32  # bytes
VMTES_PER_L2 = 128  # rule D_LSPBK: a level 2 table has 4 KB
MAX_VMS = 256
MAX_VPES = 1024
ADDRESS_55_3 = (1 << 56) - (1 << 3)
ADDRESS_55_12 = (1 << 56) - (1 << 12)
CONTEXTR_V = 1 << 63
CONTEXTR_F = 1 << 62
CONTEXTR_IRICHPPIDIS = 1 << 61
CONTEXTR_DB = 1 << 60


class Unpredictable(Exception):
    """Software has broken a rule; there is nothing to compare from here on."""


def software_must(keep_to_the_rule: bool, rule: str) -> None:
    if not keep_to_the_rule:
        raise Unpredictable(rule)


# ---- the VM table (D.2) ---------------------------------------------------------------------


def in_table(machine: Machine, vm: int) -> bool:
    irs = machine.irs
    return irs.vmt_valid and vm < MAX_VMS and vm >> irs.vmt_id_bits == 0


def level_1_entry(machine: Machine, vm: int) -> int:
    return machine.irs.vmt_base + 8 * (vm // VMTES_PER_L2)


def vmte_address(machine: Machine, vm: int) -> int | None:
    if not in_table(machine, vm):
        return None
    if not machine.irs.vmt_two_level:
        return machine.irs.vmt_base + VMTE * vm
    level_1 = load(machine, level_1_entry(machine, vm))
    if not level_1 & VALID:
        return None
    return (level_1 & ADDRESS_55_12) + VMTE * (vm % VMTES_PER_L2)


def vpes_of(machine: Machine, vmte: int) -> tuple[int, int]:
    """VMTE word 1: where the VPE table is, and how many entries it has."""
    word = load(machine, vmte + 8)
    return word & ADDRESS_55_3, min(1 << bits(word, 63, 59), MAX_VPES)


def map_level_2(machine: Machine, vm: int) -> None:
    """IRS_VMAP_L2_VMTR"""
    if in_table(machine, vm) and machine.irs.vmt_two_level:
        entry = level_1_entry(machine, vm)
        store(machine, entry, load(machine, entry) | VALID)


def map_vm(machine: Machine, vm: int) -> None:
    """IRS_VMAP_VMR with M. The IRS sets VALID; a VM that is valid stays as it is."""
    vmte = vmte_address(machine, vm)
    if vmte is None or vm in machine.vms:
        return
    software_must(there(vmte, VMTE), "tables are in memory")
    for word in (0, 2, 3):
        entry = load(machine, vmte + 8 * word)
        software_must(not entry & VALID, "VALID bits of a new VMTE are 0")
    table, number = vpes_of(machine, vmte)
    for vpe in range(number):
        software_must(not load(machine, table + 8 * vpe) & VALID, "new VPETEs are not VALID")
    store(machine, vmte, load(machine, vmte) | VALID)
    machine.vms[vm] = Vm(vmte)


def unmap_vm(machine: Machine, vm: int) -> None:
    """IRS_VMAP_VMR with M and U. The IRS clears VALID, which software waits for."""
    if vm in machine.vms:
        vmte = machine.vms[vm].vmte
        store(machine, vmte, load(machine, vmte) & ~VALID)
        forget_vm(machine, vm)


def forget_vm(machine: Machine, vm: int) -> None:
    """Its VPEs go with it, also from the PEs where they are resident."""
    del machine.vms[vm]
    for pe in machine.pes:
        if pe.resident is not None and pe.resident[0] == vm:
            pe.resident = None


def map_vpe(machine: Machine, vm: int, vpe: int) -> None:
    """IRS_VMAP_VPER with M"""
    if vm not in machine.vms or vpe in machine.vms[vm].vpes:
        return
    table, number = vpes_of(machine, machine.vms[vm].vmte)
    if vpe >= number:
        return
    software_must(there(table + 8 * vpe, 8), "tables are in memory")
    store(machine, table + 8 * vpe, load(machine, table + 8 * vpe) | VALID)
    machine.vms[vm].vpes[vpe] = Vpe(entry=table + 8 * vpe)


def move_table(machine: Machine, base: int, valid: bool) -> None:
    """IRS_VMT_BASER. Another table has other VMs."""
    if (base, valid) == (machine.irs.vmt_base, machine.irs.vmt_valid):
        return
    for vm in list(machine.vms):
        forget_vm(machine, vm)
    machine.irs.vmt_base, machine.irs.vmt_valid = base, valid


def find_vpe(machine: Machine, vm: int, vpe: int) -> Vpe | None:
    return machine.vms[vm].vpes.get(vpe) if vm in machine.vms else None


# ---- interrupts of a VPE ----------------------------------------------------------------------


def presented_to(machine: Machine, vm: int, vpe: int) -> Iterator[tuple[Intid, Interrupt]]:
    """Of the VM's SPIs and LPIs: pending, enabled, not active, and this VPE's."""
    for kind, ist in machine.vms[vm].ists.items():
        for number, interrupt in ist.interrupts.items():
            if interrupt.affinity != vpe or not interrupt.enabled or interrupt.active:
                continue
            if interrupt.pending:
                yield Intid(kind, number), interrupt


def presented_on(machine: Machine, pe: Pe) -> Iterator[tuple[Intid, Interrupt]]:
    """B.3 (2): those of the resident VPE, unless ICH_CONTEXTR.IRICHPPIDIS."""
    if pe.resident is not None and not pe.contextr & CONTEXTR_IRICHPPIDIS:
        yield from presented_to(machine, *pe.resident)


def highest_of(machine: Machine, vm: int, vpe: int) -> tuple[int, Intid] | None:
    """IRS_VPE_HPPIR and doorbells: no CPU interface is asked whether it suffices."""
    found = ((interrupt.priority, intid) for intid, interrupt in presented_to(machine, vm, vpe))
    return min(found, default=None)


# ---- residency and doorbells ------------------------------------------------------------------


def write_contextr(machine: Machine, pe: Pe, value: int) -> None:
    """ICH_CONTEXTR. V=1 makes a VPE resident, or says F; V=0 takes the resident one away. Both end
    an older request for the doorbell; the latter may make one (DB), for priorities up to DBPM."""
    left, pe.resident = pe.resident, None
    pe.contextr, pe.context_fault = value & ~(CONTEXTR_V | CONTEXTR_F), False
    if not value & CONTEXTR_V:
        vpe = find_vpe(machine, *left) if left else None
        if vpe is not None:
            vpe.requested, vpe.mask = bool(value & CONTEXTR_DB), bits(value, 59, 55)
        return
    wanted = bits(value, 15, 0), bits(value, 47, 32)
    vpe = find_vpe(machine, *wanted)
    if vpe is None:
        pe.context_fault = True
        return
    software_must(all(other.resident != wanted for other in machine.pes), "a VPE has one PE")
    vpe.requested = False
    pe.resident = wanted


def ring_doorbells(machine: Machine) -> None:
    """A VPE that is not resident and has asked for its doorbell gets it as soon as one of its
    interrupts is good enough (a standing condition), once: the LPI becomes pending."""
    resident = {pe.resident for pe in machine.pes}
    for number, vm in machine.vms.items():
        for vpe_number, vpe in vm.vpes.items():
            if not vpe.requested or not vpe.doorbell_valid or (number, vpe_number) in resident:
                continue
            best = highest_of(machine, number, vpe_number)
            if best is not None and best[0] <= vpe.mask:
                vpe.requested = False
                pend_lpi(machine, vpe.doorbell)


def pend_lpi(machine: Machine, number: int) -> None:
    if number < iri.lpis(machine):
        intid = Intid(Kind.LPI, number)
        machine.interrupts.setdefault(intid, Interrupt()).latch = True
