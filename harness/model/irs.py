# SPDX-License-Identifier: GPL-2.0-or-later
"""The IRS that KVM emulates, as queued for Linux 7.4: for the guest, and for userspace.

From the ABI's documentation and from one reconstruction of that kernel that was observed
(reference: kvm-7.4.md, parts 2 and 3).  **No released kernel has been compared with it.**  A value
that nobody saw is not known (its bits are masked); a rule that nobody saw is NotModelled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from errno import E2BIG, EBUSY, EEXIST, EFAULT, EINVAL, ENXIO
from typing import Final

from harness import program as p
from harness.irs import IST_LEVEL, IST_PENDING, Table, spi_intid
from harness.irs import IrsRegister as Reg
from harness.model.ist import PRIORITY, PRIORITY_SHIFT
from harness.model.refusals import NotModelled, Refused
from harness.model.state import Irs, Vm
from harness.ppi import U64

Known = tuple[int, int]

ALIGNMENT: Final = 0x1_0000
MAX_SPIS: Final = 1024
IPA_SIZE: Final = 1 << 40  # of a VM of type 0
DEFAULT_SPIS: Final = 32
ID_BITS: Final = 16
MIN_LPI_ID_BITS: Final = 12
ENTRY: Final = 4  # bytes of a saved IST entry

CHECKED: Final = frozenset(
    {Reg.IDR0, Reg.IDR1, Reg.IDR2, Reg.IDR5, Reg.IDR6, Reg.IDR7}
)  # a SET must not change them
STATUSES: Final = frozenset({Reg.SYNC_STATUSR, Reg.SPI_STATUSR, Reg.PE_STATUSR, Reg.IST_STATUSR})
IDLE: Final = 1
VALID: Final = 1
BASE_ADDRESS: Final = 0x00FF_FFFF_FFFF_FFC0
REGISTERS: Final = frozenset(int(register) for register in Reg)
UNKNOWN: Final[Known] = (0, 0)


def init(irs: Irs) -> None:
    """CTRL/INIT makes the SPIs' table; it has room for a power of two."""
    irs.spis = irs.spis or DEFAULT_SPIS
    irs.ists.create(Table.SPI, (irs.spis - 1).bit_length())


# --- the attributes ADDR and NR_IRQS -------------------------------------------------------------


def address_attr(vm: Vm, irs: Irs, op: p.DeviceAttr) -> int:
    """ADDR: 64-bit; the value of a GET."""
    if op.attr != p.ADDR_IRS:
        raise Refused(ENXIO)
    match op.action:
        case p.Action.GET:
            copy(op.pointer)
            return U64 if irs.address is None else irs.address
        case p.Action.SET:
            copy(op.pointer)
            set_address(vm, irs, op.value)
    return 0


def set_address(vm: Vm, irs: Irs, address: int) -> None:
    if irs.address is not None:
        raise Refused(EEXIST)
    if address % ALIGNMENT:
        raise Refused(EINVAL)
    if address + p.IRS_FRAME_SIZE > IPA_SIZE:
        raise Refused(E2BIG)
    if vm.initialized:
        raise NotModelled("an IRS address that comes after INIT")
    irs.address = address


def nr_irqs_attr(vm: Vm, irs: Irs, op: p.DeviceAttr) -> int:
    """NR_IRQS: 32-bit; of a VGICv5 it counts SPIs only."""
    if op.attr:
        raise NotModelled("a NR_IRQS attribute other than 0")
    if irs.spis_unsure:
        raise NotModelled("NR_IRQS after an INIT that failed")
    if op.action is p.Action.GET:
        copy(op.pointer)
        return irs.spis
    if op.action is p.Action.SET:
        copy(op.pointer)
        spis = op.value & 0xFFFF_FFFF
        valid = DEFAULT_SPIS <= spis <= MAX_SPIS and spis % 32 == 0
        taken = bool(irs.spis) or vm.initialized
        if taken and not valid:
            raise NotModelled("which error comes first")
        if taken:
            raise Refused(EBUSY)
        if not valid:
            raise Refused(EINVAL)
        irs.spis = spis
    return 0


def copy(pointer: p.Pointer) -> None:
    if pointer is not p.Pointer.VALUE:
        raise Refused(EFAULT)


# --- the attribute IRS_REGS ----------------------------------------------------------------------


def regs_attr(vm: Vm, irs: Irs, op: p.DeviceAttr) -> Known:
    """IRS_REGS: always 64-bit; the value of a GET."""
    if op.attr >> 32:
        raise NotModelled("the upper half of an IRS_REGS attribute")
    wrong = offset_error(op.attr)
    if op.action is p.Action.HAS:  # works before ADDR and INIT
        if wrong:
            raise Refused(wrong)
        return 0, U64
    if not vm.initialized:
        if wrong or op.pointer is not p.Pointer.VALUE:
            raise NotModelled("which error comes first")
        raise Refused(EBUSY)
    late = op.action is p.Action.SET and vm.has_ran_once
    errors = [wrong, EBUSY * late, EFAULT * (op.pointer is not p.Pointer.VALUE)]
    if sum(map(bool, errors)) > 1:
        raise NotModelled("which error comes first")
    if any(errors):
        raise Refused(sum(errors))
    if op.action is p.Action.GET:
        return get(vm, irs, op.attr)
    set_(vm, irs, op.attr, op.value)
    return 0, U64


def offset_error(offset: int) -> int:
    """ENXIO: in no register; EINVAL: in one, but not at its start; 0: a register."""
    if offset in REGISTERS:
        return 0
    inside = any(r < offset < r + (8 if r.wide else 4) for r in Reg)
    return EINVAL if inside else ENXIO


def get(vm: Vm, irs: Irs, offset: int) -> Known:
    """Userspace sees every operation as completed, and neither V nor ONLINE."""
    if offset in STATUSES:
        return IDLE, U64
    if offset == Reg.CR0:
        return irs.enabled, 1
    if offset == Reg.SPI_CFGR and irs.level:
        raise NotModelled("the handling mode of SPIs in a save")
    return shared(vm, irs, offset)


def shared(vm: Vm, irs: Irs, offset: int) -> Known:
    """Registers that userspace and the guest read alike."""
    match offset:
        case Reg.IDR0:  # Non-secure, 48 bits of physical address
            return 0x19, U64
        case Reg.IDR1:  # 32 priorities, IAFFID_BITS less 1, number of PEs
            highest = max(vcpu.id for vcpu in vm.vcpus)
            return 4 << 20 | (max(highest.bit_length(), 1) - 1) << 16 | len(vm.vcpus), U64
        case Reg.IDR2:  # LPIs, MIN_LPI_ID_BITS; ID_BITS is the host's, but at most 16
            return MIN_LPI_ID_BITS << 6 | 1 << 5 | ID_BITS, U64 & ~0x1F
        case Reg.IDR3 | Reg.IDR4:  # no nested virtualization
            return 0, U64
        case Reg.IDR5 | Reg.IDR6:
            return irs.spis, U64
        case Reg.IIDR:
            return 0x04B0_043B, U64
        case Reg.IST_BASER:
            return irs.base, U64 if irs.base & VALID or not irs.base else VALID
        case Reg.IST_CFGR:
            return irs.id_bits, U64
    return UNKNOWN


def set_(vm: Vm, irs: Irs, offset: int, value: int) -> None:
    """A restore.  Read-only registers are not written, and some are checked."""
    if offset in CHECKED:
        current, known = shared(vm, irs, offset)
        if (value ^ current) & known:
            raise Refused(EINVAL)
        if offset == Reg.IDR2 and value != current:
            raise NotModelled("an IDR2 with another ID_BITS")
    elif offset == Reg.CR0:
        irs.enabled = bool(value & 1)
    elif offset == Reg.IST_CFGR:
        if irs.lpis and value != irs.id_bits:
            raise Refused(EINVAL)
        check_id_bits(value)
        irs.id_bits = value
    elif offset == Reg.IST_BASER:
        if irs.lpis:
            if value != irs.base:
                raise Refused(EINVAL)
        else:
            irs.base = value
            irs.restored = bool(value & VALID)


def check_id_bits(bits: int) -> None:
    if bits > ID_BITS:  # more than LPI_ID_BITS, or too many
        raise NotModelled(f"IRS_IST_CFGR {bits:#x}")


# --- the guest's accesses ------------------------------------------------------------------------


def guest_read(vm: Vm, irs: Irs, op: p.IrsRead) -> Known:
    check_access(op)
    match op.offset:
        case Reg.CR0:  # always idle
            return irs.enabled | 2, U64
        case Reg.SYNCR:
            return 0, U64
        case Reg.SYNC_STATUSR | Reg.IST_STATUSR:
            return IDLE, U64
        case Reg.SPI_CFGR:
            valid = irs.spi_selected < irs.spis
            return (irs.spi_selected in irs.level, U64) if valid else UNKNOWN
        case Reg.SPI_STATUSR:  # V, idle
            return (3, U64) if irs.spi_selected < irs.spis else (IDLE, IDLE)
        case Reg.PE_STATUSR:  # online, V, idle
            return (7, U64) if selected_pe(vm, irs) else (IDLE, IDLE)
        case Reg.PE_CR0:
            return (1, U64) if selected_pe(vm, irs) else UNKNOWN
    return shared(vm, irs, op.offset)


def selected_pe(vm: Vm, irs: Irs) -> bool:
    return any(vcpu.id == irs.pe_selected for vcpu in vm.vcpus)


def guest_write(irs: Irs, op: p.IrsWrite) -> None:
    check_access(op)
    value = op.value if op.wide else op.value & 0xFFFF_FFFF
    match op.offset:
        case Reg.CR0:
            irs.enabled = bool(value & 1)
        case Reg.SPI_SELR:
            irs.spi_selected = value
        case Reg.SPI_CFGR:
            configure_spi(irs, value)
        case Reg.PE_SELR:
            irs.pe_selected = value
        case Reg.IST_BASER:
            write_ist_baser(irs, value)
        case Reg.IST_CFGR:
            if not irs.base & VALID:
                check_id_bits(value)
                irs.id_bits = value
        case Reg.SYNCR | Reg.PE_CR0:  # nothing to do
            pass
        case _:
            raise NotModelled(f"a guest that writes {op.offset:#x} of its IRS")


def check_access(op: p.IrsRead | p.IrsWrite) -> None:
    if op.offset not in REGISTERS or op.wide != Reg(op.offset).wide:
        raise NotModelled(f"a {64 if op.wide else 32}-bit access to the IRS at {op.offset:#x}")


def configure_spi(irs: Irs, value: int) -> None:
    """SPI_CFGR.TM says how KVM takes KVM_IRQ_LINE.  It does not reach the IST entry."""
    spi = irs.spi_selected
    if spi >= irs.spis or spi in irs.lines:
        raise NotModelled("SPI_CFGR of no SPI, or of one that is held up")
    (irs.level.add if value & 1 else irs.level.discard)(spi)


def write_ist_baser(irs: Irs, value: int) -> None:
    """VALID makes and removes the LPIs' table; while it is set, the address cannot change.

    KVM never touches the guest's own memory there, so any address will do.
    """
    was = irs.base & VALID
    if value & VALID:
        if not was and irs.id_bits >= MIN_LPI_ID_BITS:
            irs.base = value & (BASE_ADDRESS | VALID)
            irs.ists.create(Table.LPI, irs.id_bits)
    elif was:
        irs.base &= ~VALID
        irs.ists.remove(Table.LPI)


# --- interrupts ----------------------------------------------------------------------------------


def irq_line(irs: Irs, spi: int, level: bool) -> None:
    """KVM_IRQ_LINE of an SPI: pends it with GIC VDPEND.  An edge has no line to lower."""
    if spi >= irs.spis:
        raise Refused(EINVAL)
    intid = spi_intid(spi)
    if spi not in irs.level:
        if level:
            irs.ists.change(intid, 0, IST_PENDING)
        return
    if level == (spi in irs.lines):
        return
    (irs.lines.add if level else irs.lines.discard)(spi)
    irs.ists.change(intid, IST_PENDING, IST_PENDING * level)


@dataclass(frozen=True, slots=True)
class Resident:
    """The IRS as a CPU interface sees it while a VPE is resident (ICH_CONTEXTR_EL2)."""

    irs: Irs
    vpe: int

    def best(self) -> tuple[int, int] | None:
        """(priority, INTID) of what it offers: nothing while the guest has its IRS disabled."""
        return self.irs.ists.best(self.vpe) if self.irs.enabled else None

    def acknowledge(self, intid: int) -> int:
        """GICR CDIA of an SPI or LPI; its priority.

        That KVM's view of an SPI's trigger and the IST's can differ is not settled: level with an
        edge entry may lose interrupts, or it may not (reference: kvm-7.4.md, part 3).
        """
        word = self.irs.ists.word(intid)
        is_level = any(intid == spi_intid(spi) for spi in self.irs.level)
        if bool(word & IST_LEVEL) != is_level:
            raise NotModelled(f"INTID {intid:#x}: its IST entry and KVM disagree: edge or level?")
        self.irs.ists.activate(intid)
        return (word & PRIORITY) >> PRIORITY_SHIFT


# --- the attribute IST ---------------------------------------------------------------------------


def ist_attr(vm: Vm, irs: Irs, op: p.Ist) -> None:
    """Every check of the group IST."""
    if op.attr:
        raise Refused(ENXIO)
    if op.action is p.Action.HAS:
        return
    if not vm.initialized:
        if op.pointer is not p.Pointer.VALUE:
            raise NotModelled("which error comes first")
        raise Refused(EBUSY)
    if op.action is p.Action.SET and vm.has_ran_once:
        if op.pointer is not p.Pointer.VALUE or sizes_error(irs, op, False):
            raise NotModelled("which error comes first")
        raise Refused(EBUSY)
    if op.pointer is not p.Pointer.VALUE:
        raise Refused(EINVAL if op.pointer is p.Pointer.NULL else EFAULT)
    if op.action is p.Action.GET and irs.restored:
        raise NotModelled("to save an IST that is announced but not restored")
    if sizes_error(irs, op, irs.restored):
        raise Refused(EINVAL)


def sizes_error(irs: Irs, op: p.Ist, restoring: bool) -> bool:
    """Sizes must be exact; an LPI buffer if and only if there is, or will be, an LPI IST."""
    lpis = 1 << irs.id_bits if restoring else irs.lpis
    return (op.spi_bytes, op.lpi_bytes) != (ENTRY * irs.spis, ENTRY * lpis)


def restore(irs: Irs, images: Mapping[Table, list[int]]) -> None:
    """SET of IST.  Pending state is there at once: a save gives the same image again."""
    if irs.restored:
        irs.ists.create(Table.LPI, irs.id_bits)
        irs.restored = False
    for table, words in images.items():
        irs.ists.restore(table, words)
