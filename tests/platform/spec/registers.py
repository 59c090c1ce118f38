# SPDX-License-Identifier: GPL-2.0-or-later
"""System registers and instructions (A.1-A.3): encoding, trap, and what an access means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from . import cpuif, iri, vist, vms
from .cpuif import is_level
from .state import PPIS, Domain, Intid, Kind, Machine, Pe, bits, members, word

Read = Callable[[Machine, Pe, Domain], int]
Write = Callable[[Machine, Pe, Domain, int], None]

U64 = (1 << 64) - 1
CR0_LINKED = 0b110  # LINK and LINK_IDLE
ICSR_FIELDS = 0xFFFF << 32 | 0x1F << 11 | 0x3F
CONTEXTR_FIELDS = 1 << 63 | 0x7F << 55 | 0xFFFF << 32 | 0xFFFF  # F, bit 62, is a result

# A.2: the fine-grained traps' fields
HFGRTR = {
    "APR": 0, "IDRn": 1, "CR0": 2, "HPPIR": 4, "PCR": 5, "ICSR": 6, "IAFFIDR": 7,
    "PPI_HMRn": 16, "PPI_ENABLERn": 17, "PPI_PENDRn": 18, "PPI_PRIORITYRn": 19, "PPI_ACTIVERn": 20,
}  # fmt: skip
HFGWTR = {
    "APR": 0, "CR0": 2, "PCR": 5, "ICSR": 6,
    "PPI_ENABLERn": 17, "PPI_PENDRn": 18, "PPI_PRIORITYRn": 19, "PPI_ACTIVERn": 20,
}  # fmt: skip
HFGITR = {
    "CDEN": 0, "CDDIS": 1, "CDPRI": 2, "CDAFF": 3, "CDPEND": 4, "CDRCFG": 5, "CDHM": 6,
    "CDEOI": 7, "CDDI": 8, "CDIA": 9, "CDNMIA": 10,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Register:
    """A register, or an instruction: `read` is then SYSL, `write` SYS."""

    name: str
    encoding: int  # Op0<<14 | Op1<<11 | CRn<<7 | CRm<<3 | Op2
    el: int  # the lowest EL that has it
    read: Read | None
    write: Write | None
    trap: str | None = None  # its field in ICH_HFG*_EL2

    @property
    def is_instruction(self) -> bool:
        return self.encoding >> 14 == 1


def encoding(op0: int, op1: int, crm: int, op2: int) -> int:
    return op0 << 14 | op1 << 11 | 12 << 7 | crm << 3 | op2


def intid_word(intid: Intid | None) -> int:
    """A.1 HPPIR, A.3 CDIA: VALID[32] TYPE[31:29] ID[23:0], or 0."""
    return 0 if intid is None else 1 << 32 | intid.kind << 29 | intid.number


# ---- PPI registers: the same function for ICC_PPI_* and ICH_PPI_* ------------------------


def _own(pe: Pe, domain: Domain, name: str) -> set[int]:
    found: set[int] = getattr(pe.interface(domain).ppis, name)
    return found


def _read_set(name: str, bank: int, _m: Machine, pe: Pe, domain: Domain) -> int:
    return word(_own(pe, domain, name), bank)


def _replace(ppis: set[int], bank: int, value: int) -> None:
    ppis.difference_update(range(64 * bank, 64 * bank + 64))
    ppis.update(members(value, bank))


def _write_set(name: str, bank: int, _m: Machine, pe: Pe, domain: Domain, value: int) -> None:
    _replace(_own(pe, domain, name), bank, value)


def _set_active(bank: int, _m: Machine, pe: Pe, domain: Domain, value: int) -> None:
    _own(pe, domain, "active").update(members(value, bank))


def _clear_active(bank: int, _m: Machine, pe: Pe, domain: Domain, value: int) -> None:
    _own(pe, domain, "active").difference_update(members(value, bank))


def _read_pending(bank: int, _m: Machine, pe: Pe, domain: Domain) -> int:
    return word(cpuif.pending_ppis(pe, domain), bank)


def _write_pending(
    pending: bool, bank: int, _m: Machine, pe: Pe, domain: Domain, value: int
) -> None:
    cpuif.set_pending(pe, domain, members(value, bank), pending)


def _read_priorities(n: int, _m: Machine, pe: Pe, domain: Domain) -> int:
    priority = pe.interface(domain).ppis.priority
    return sum(priority.get(8 * n + k, 0) << 8 * k for k in range(8))


def _write_priorities(n: int, _m: Machine, pe: Pe, domain: Domain, value: int) -> None:
    pe.interface(domain).ppis.priority.update(
        {8 * n + k: bits(value, 8 * k + 4, 8 * k) for k in range(8)}
    )


def _read_modes(bank: int, _m: Machine, _pe: Pe, _domain: Domain) -> int:
    return word({ppi for ppi in range(PPIS) if is_level(ppi)}, bank)


# ---- the other ICC_* registers -------------------------------------------------------------


def _read_apr(_m: Machine, pe: Pe, domain: Domain) -> int:
    return word(pe.interface(domain).active_priorities)


def _write_apr(_m: Machine, pe: Pe, domain: Domain, value: int) -> None:
    pe.interface(domain).active_priorities = members(bits(value, 31, 0))


def _read_cr0(_m: Machine, pe: Pe, domain: Domain) -> int:
    return CR0_LINKED | pe.interface(domain).enabled


def _write_cr0(_m: Machine, pe: Pe, domain: Domain, value: int) -> None:
    pe.interface(domain).enabled = bool(value & 1)


def _read_pcr(_m: Machine, pe: Pe, domain: Domain) -> int:
    return pe.interface(domain).mask


def _write_pcr(_m: Machine, pe: Pe, domain: Domain, value: int) -> None:
    pe.interface(domain).mask = bits(value, 4, 0)


def _read_hppir(machine: Machine, pe: Pe, domain: Domain) -> int:
    best = cpuif.highest(machine, pe, domain)
    return intid_word(best.intid if best else None)


def _read_icsr(_m: Machine, pe: Pe, _domain: Domain) -> int:
    return pe.icsr


def _write_icsr(_m: Machine, pe: Pe, _domain: Domain, value: int) -> None:
    pe.icsr = value & ICSR_FIELDS


def _read_idr0(_m: Machine, _pe: Pe, _domain: Domain) -> int:
    """Platform: 24 ID bits (1), 5 priority bits (4), no legacy interface (0)."""
    return 4 << 4 | 1


def _read_iaffidr(_m: Machine, pe: Pe, _domain: Domain) -> int:
    return pe.number


# ---- instructions (A.3, B.4) ---------------------------------------------------------------


def _cdia(machine: Machine, pe: Pe, domain: Domain) -> int:
    return intid_word(cpuif.acknowledge(machine, pe, domain, nmi=False))


def _cdnmia(machine: Machine, pe: Pe, domain: Domain) -> int:
    return intid_word(cpuif.acknowledge(machine, pe, domain, nmi=True))


def _cdeoi(_m: Machine, pe: Pe, domain: Domain, _operand: int) -> None:
    cpuif.priority_drop(pe.interface(domain))


def _cddi(machine: Machine, pe: Pe, domain: Domain, operand: int) -> None:
    if bits(operand, 31, 29) == Kind.PPI:
        cpuif.deactivate(pe.interface(domain), bits(operand, 23, 0))
    else:
        _command("DI", machine, pe, domain, operand)


def _command(name: str, machine: Machine, pe: Pe, domain: Domain, operand: int) -> None:
    """B.4: a guest means the interrupts of its VM; a NOP while no VPE is resident."""
    if domain is Domain.PHYSICAL:
        iri.command(machine, pe, name, operand)
    elif pe.resident is not None:
        vist.command(machine, pe, pe.resident[0], name, operand)


def _vdpend(machine: Machine, pe: Pe, _domain: Domain, operand: int) -> None:
    """A.3: PENDING[63], VM[47:32], TYPE, ID. Not only the resident VM's."""
    pending = bits(operand, 63, 63) << 32 | bits(operand, 31, 0)
    vist.command(machine, pe, bits(operand, 47, 32), "PEND", pending)


def _barrier(_m: Machine, _pe: Pe, _domain: Domain, _operand: int) -> None:
    """GSB: every effect here is immediate."""


# ---- hypervisor registers (A.2) ------------------------------------------------------------


def _read_dvi(bank: int, _m: Machine, pe: Pe, _domain: Domain) -> int:
    return word(pe.dvi, bank)


def _write_dvi(bank: int, _m: Machine, pe: Pe, _domain: Domain, value: int) -> None:
    _replace(pe.dvi, bank, value)


def _read_vmcr(_m: Machine, pe: Pe, _domain: Domain) -> int:
    return pe.virtual.mask << 27 | pe.virtual.enabled


def _write_vmcr(_m: Machine, pe: Pe, _domain: Domain, value: int) -> None:
    pe.virtual.mask, pe.virtual.enabled = bits(value, 31, 27), bool(value & 1)


def _read_vctlr(_m: Machine, pe: Pe, _domain: Domain) -> int:
    return int(pe.el2.selects)


def _write_vctlr(_m: Machine, pe: Pe, _domain: Domain, value: int) -> None:
    """Without a legacy interface V3 is RES0 (B.1)."""
    pe.el2.selects = bool(value & 1)


def _read_traps(name: str, res1: int, _m: Machine, pe: Pe, _domain: Domain) -> int:
    value: int = getattr(pe.el2, name)
    return value | res1


def _write_traps(
    name: str, fields: dict[str, int], _m: Machine, pe: Pe, _domain: Domain, value: int
) -> None:
    setattr(pe.el2, name, value & sum(1 << bit for bit in fields.values()))


def _read_contextr(_m: Machine, pe: Pe, _domain: Domain) -> int:
    resident = vms.CONTEXTR_V if pe.resident is not None else 0
    return pe.contextr | resident | (vms.CONTEXTR_F if pe.context_fault else 0)


def _write_contextr(machine: Machine, pe: Pe, _domain: Domain, value: int) -> None:
    vms.write_contextr(machine, pe, value & CONTEXTR_FIELDS)


# ---- the tables ----------------------------------------------------------------------------


def _icc(
    name: str, at: tuple[int, int, int], trap: str, read: Read, write: Write | None = None
) -> Register:
    """`at`: Op1, CRm, Op2."""
    return Register(f"ICC_{name}_EL1", encoding(3, *at), 1, read, write, trap)


def _ich(name: str, crm: int, op2: int, read: Read, write: Write | None = None) -> Register:
    """EL2 reads and writes the virtual domain's state (B.2)."""
    return Register(f"ICH_{name}_EL2", encoding(3, 4, crm, op2), 2, read, write)


def _insn(
    name: str, crm: int, op2: int, read: Read | None = None, write: Write | None = None
) -> Register:
    trap = name if name in HFGITR else None
    return Register(name, encoding(1, 0, crm, op2), 1, read, write, trap)


def _icc_registers() -> list[Register]:
    out = [
        _icc("IDR0", (0, 10, 2), "IDRn", _read_idr0),
        _icc("HPPIR", (0, 10, 3), "HPPIR", _read_hppir),
        _icc("ICSR", (0, 10, 4), "ICSR", _read_icsr, _write_icsr),
        _icc("IAFFIDR", (0, 10, 5), "IAFFIDR", _read_iaffidr),
        _icc("APR", (1, 0, 0), "APR", _read_apr, _write_apr),
        _icc("CR0", (1, 0, 1), "CR0", _read_cr0, _write_cr0),
        _icc("PCR", (1, 0, 2), "PCR", _read_pcr, _write_pcr),
    ]
    for n in range(2):
        enable = partial(_read_set, "enabled", n), partial(_write_set, "enabled", n)
        active, pending = partial(_read_set, "active", n), partial(_read_pending, n)
        clear, set_ = partial(_clear_active, n), partial(_set_active, n)
        unpend, pend = partial(_write_pending, False, n), partial(_write_pending, True, n)
        out += [
            _icc(f"PPI_HMR{n}", (0, 10, n), "PPI_HMRn", partial(_read_modes, n)),
            _icc(f"PPI_ENABLER{n}", (0, 10, 6 + n), "PPI_ENABLERn", *enable),
            _icc(f"PPI_CACTIVER{n}", (0, 13, n), "PPI_ACTIVERn", active, clear),
            _icc(f"PPI_SACTIVER{n}", (0, 13, 2 + n), "PPI_ACTIVERn", active, set_),
            _icc(f"PPI_CPENDR{n}", (0, 13, 4 + n), "PPI_PENDRn", pending, unpend),
            _icc(f"PPI_SPENDR{n}", (0, 13, 6 + n), "PPI_PENDRn", pending, pend),
        ]
    for n in range(16):
        priorities = partial(_read_priorities, n), partial(_write_priorities, n)
        out.append(
            _icc(f"PPI_PRIORITYR{n}", (0, 14 + n // 8, n % 8), "PPI_PRIORITYRn", *priorities)
        )
    return out


def _ich_registers() -> list[Register]:
    out = [
        _ich("APR", 8, 4, _read_apr, _write_apr),
        _ich("HPPIR", 8, 5, _read_hppir),
        _ich("VCTLR", 11, 4, _read_vctlr, _write_vctlr),
        _ich("CONTEXTR", 11, 6, _read_contextr, _write_contextr),
        _ich("VMCR", 11, 7, _read_vmcr, _write_vmcr),
    ]
    traps = (("hfgrtr", 4, 1 << 3, HFGRTR), ("hfgwtr", 6, 0, HFGWTR), ("hfgitr", 7, 0, HFGITR))
    for name, op2, res1, fields in traps:
        pair = partial(_read_traps, name, res1), partial(_write_traps, name, fields)
        out.append(_ich(name.upper(), 9, op2, *pair))
    for n in range(2):
        out.append(_ich(f"PPI_DVIR{n}", 10, n, partial(_read_dvi, n), partial(_write_dvi, n)))
        # Raw storage: ICH_PPI_PENDR too, for Level PPIs and whatever DVI says.
        for name, op2 in (("enabled", 2), ("pending", 4), ("active", 6)):
            pair2 = partial(_read_set, name, n), partial(_write_set, name, n)
            stem = {"enabled": "ENABLER", "pending": "PENDR", "active": "ACTIVER"}[name]
            out.append(_ich(f"PPI_{stem}{n}", 10, op2 + n, *pair2))
    for n in range(16):
        pair3 = partial(_read_priorities, n), partial(_write_priorities, n)
        out.append(_ich(f"PPI_PRIORITYR{n}", 14 + n // 8, n % 8, *pair3))
    return out


def _instructions() -> list[Register]:
    out = [
        _insn("GSB_SYS", 0, 0, write=_barrier),
        _insn("GSB_ACK", 0, 1, write=_barrier),
        _insn("CDEOI", 1, 7, write=_cdeoi),
        _insn("CDDI", 2, 0, write=_cddi),
        _insn("CDIA", 3, 0, read=_cdia),
        _insn("CDNMIA", 3, 1, read=_cdnmia),
    ]
    for name, crm, op2 in (
        ("DIS", 1, 0), ("EN", 1, 1), ("PRI", 1, 2), ("AFF", 1, 3), ("PEND", 1, 4),
        ("RCFG", 1, 5), ("HM", 2, 1), ("DI", 2, 0),
    ):  # fmt: skip
        if name != "DI":
            out.append(_insn(f"CD{name}", crm, op2, write=partial(_command, name)))
        # Platform: VD* other than VDPEND have CD*'s operand and mean the resident VPE's VM.
        vd = _vdpend if name == "PEND" else partial(_command, name)
        out.append(Register(f"VD{name}", encoding(1, 4, crm, op2), 2, None, vd))
    return out


REGISTERS: dict[int, Register] = {
    r.encoding: r for r in _icc_registers() + _ich_registers() + _instructions()
}
