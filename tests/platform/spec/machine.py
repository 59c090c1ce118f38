# SPDX-License-Identifier: GPL-2.0-or-later
"""One access after another: undefined, trapped, or done; and what the CPUs' inputs show."""

from __future__ import annotations

from . import iri, irs, memory, vist, vms
from .accesses import Access, Op, Result, Status
from .cpuif import highest, is_level
from .registers import HFGITR, HFGRTR, HFGWTR, REGISTERS, Register
from .state import Domain, Machine, Pe, members, reset


def traps(pe: Pe, register: Register, read: bool) -> bool:
    """A.2: a clear bit in ICH_HFG*_EL2 traps EL1, whatever HCR_EL2.IMO says."""
    if register.is_instruction:
        allowed, fields = pe.el2.hfgitr, HFGITR
    elif read:
        allowed, fields = pe.el2.hfgrtr, HFGRTR
    else:
        allowed, fields = pe.el2.hfgwtr, HFGWTR
    if register.trap is None:
        return False
    bit = fields.get(register.trap)
    return bit is not None and not allowed >> bit & 1


def system_access(machine: Machine, access: Access) -> Result:
    """B.1: first what is UNDEFINED, then what traps, then the access in its domain."""
    pe = machine.pes[access.cpu]
    register = REGISTERS.get(access.where)
    read = access.op is Op.READ
    if register is None or access.el == 0 or access.el < register.el:
        return Result(Status.UNDEF, 0)
    if (register.read if read else register.write) is None:
        return Result(Status.UNDEF, 0)
    if access.el == 1 and traps(pe, register, read):
        return Result(Status.TRAP, 0)
    virtual = (access.el == 1 and pe.guest) or register.el == 2
    domain = Domain.VIRTUAL if virtual else Domain.PHYSICAL
    if read and register.read:
        return Result(Status.OK, register.read(machine, pe, domain))
    if register.write:
        register.write(machine, pe, domain, access.value)
    return Result(Status.OK, 0)


def signals(machine: Machine, pe: Pe) -> int:
    """Bit 0: the physical IRQ. Bit 1: the virtual IRQ, which only a guest can take (B.3 (6))."""
    irq = highest(machine, pe, Domain.PHYSICAL) is not None
    virq = pe.guest and highest(machine, pe, Domain.VIRTUAL) is not None
    return irq | virq << 1


def step(machine: Machine, access: Access) -> Result:
    """Perform one access of a program, and what follows from it at once."""
    result = _perform(machine, access)
    if machine.vms:
        vms.ring_doorbells(machine)
    return result


def _perform(machine: Machine, access: Access) -> Result:
    match access.op:
        case Op.READ | Op.WRITE:
            return system_access(machine, access)
        case Op.IRS_READ:
            value = irs.read(machine, access.where, access.size)
            return Result(Status.UNKNOWN, 0) if value is None else Result(Status.OK, value)
        case Op.IRS_WRITE:
            known = irs.write(machine, access.where, access.size, access.value)
            return Result(Status.OK if known else Status.UNKNOWN, 0)
        case Op.LINES:
            machine.pes[access.cpu].lines = {n for n in members(access.value) if is_level(n)}
        case Op.SPI_LINE:
            iri.wire(machine, access.where, bool(access.value & 1))
        case Op.GUEST:
            machine.pes[access.cpu].guest = bool(access.value & 1)
        case Op.SIGNALS:
            return Result(Status.OK, signals(machine, machine.pes[access.cpu]))
        case Op.RESET:
            reset(machine)
        case Op.NMI:
            machine.pes[access.cpu].nmi = bool(access.value & 1)
        case Op.MEM_READ:
            address = memory.BASE + access.where
            return Result(Status.OK, memory.load(machine, address, access.size))
        case Op.MEM_WRITE:
            vist.check_write(machine, memory.BASE + access.where, access.size)
            memory.store(machine, memory.BASE + access.where, access.value, access.size)
    return Result(Status.OK, 0)
