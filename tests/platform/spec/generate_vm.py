# SPDX-License-Identifier: GPL-2.0-or-later
"""Random programs of a hypervisor with virtual machines: tables in memory, VPEs that come and go,
doorbells; and guests that use their virtual SPIs and LPIs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .accesses import Access, Op
from .generate import BY_NAME, COMMANDS, CYCLE, MASKS, Maker, weighted
from .state import Kind

VMS = (1, 130)  # the second has its entry in the second level 2 table
VPES = (0, 1, 2)
VPE_ID_BITS = 2
VM_COMMANDS = (*(f"VD{name[2:]}" for name in COMMANDS), "VDDI")
M, U = 1 << 63, 1 << 62
# Offsets of tables in memory
VMT, LEVEL_1, LEVEL_2 = 0x0000, 0x2000, 0x3000
VPET, SPI_IST, LPI_IST, LPI_LEVEL_1, LPI_LEVEL_2 = 0x0000, 0x0400, 0x1000, 0x3000, 0x4000


def slot(vm: int) -> int:
    return 0x10000 * (1 + VMS.index(vm))


class VmMaker(Maker):
    def __init__(self, random_program: Maker) -> None:
        self.__dict__.update(random_program.__dict__)
        self.cpus = self.pick((1, 2, 2, 3))
        self.el1, self.guests = 0.8, 0.85
        self.numbers = {
            Kind.PPI: self.ppis,
            Kind.SPI: [self.pick((0, 1, 5, 31)) for _ in range(2)],
            Kind.LPI: [self.pick((0, 1, 2, 255, 1027)) for _ in range(2)],
        }
        names = CYCLE + CYCLE + COMMANDS + COMMANDS + VM_COMMANDS + MASKS[:1] + ("ICC_ICSR_EL1",)
        self.theme = tuple(BY_NAME[name] for name in names)
        self.two_level = self.random() < 0.3
        self.setup: list[Access] = []

    # ---- single accesses ---------------------------------------------------------------------

    def command(self, offset: int, value: int) -> Access:
        return Access(Op.IRS_WRITE, 0, 0, 8, offset, value)

    def poke(self, where: int, value: int, size: int = 8) -> Access:
        return Access(Op.MEM_WRITE, 0, 0, size, where, value)

    def vmte(self, vm: int) -> int:
        if self.two_level:
            return LEVEL_2 + 0x1000 * (vm // 128) + 32 * (vm % 128)
        return VMT + 32 * vm

    def vpe_of(self, cpu: int) -> int:
        """A VPE has one PE at a time."""
        own = [vpe for vpe in VPES if vpe % self.cpus == cpu]
        return self.pick(VPES) if not own or self.random() < 0.01 else self.pick(own)

    def vdpend(self) -> Access:
        kind = self.pick((Kind.LPI, Kind.SPI))
        operand = self.word(1) << 63 | self.pick(VMS) << 32 | kind << 29
        where = BY_NAME["VDPEND"].encoding
        return Access(Op.WRITE, self.cpu(), 2, 0, where, operand | self.pick(self.numbers[kind]))

    def contextr(self) -> Access:
        cpu, kind = self.cpu(), self.random()
        if kind < 0.6:
            value = 1 << 63 | self.vpe_of(cpu) << 32 | self.pick(VMS[:1] * 4 + VMS)
            value |= int(self.random() < 0.1) << 61
        elif kind < 0.9:  # a guest that waits
            value = 1 << 60 | self.pick((31, 31, *self.priorities)) << 55
        else:
            value = self.pick((0, self.word(64) & ~M, 1 << 63 | 5 << 32 | 1, 1 << 63 | 99))
        return Access(Op.WRITE, cpu, 2, 0, BY_NAME["ICH_CONTEXTR_EL2"].encoding, value)

    def read_contextr(self) -> Access:
        return Access(Op.READ, self.cpu(), 2, 0, BY_NAME["ICH_CONTEXTR_EL2"].encoding)

    def vpe_register(self) -> Access:
        offset = self.pick((0x240, 0x248, 0x248, 0x250, 0x250, 0x258, 0x25C, 0x288, 0x28C, 0x200))
        size = 4 if offset in (0x258, 0x25C, 0x288, 0x28C) else 8
        if offset in (0x250, 0x200) or self.random() < 0.3:
            return Access(Op.IRS_READ, 0, 0, size, offset)
        vm, vpe = self.pick((*VMS, 2)), self.pick((*VPES, 5))
        value = {
            0x240: int(self.random() < 0.95) << 63 | vpe << 32 | vm,
            0x248: self.word(1) << 63
            | self.word(1) << 62
            | self.pick(self.priorities) << 32
            | self.pick(self.numbers[Kind.LPI]),
            0x288: vm,
        }.get(offset, self.word(1))
        return Access(Op.IRS_WRITE, 0, 0, size, offset, value)

    def entry(self) -> tuple[int, int]:
        """Where a VMTE's word, a VPETE or an IST entry may be, and its size."""
        vm = self.pick(VMS)
        where = slot(vm) + self.pick((SPI_IST, LPI_IST, LPI_LEVEL_2)) + 4 * self.pick(range(12))
        if self.random() < 0.3:
            return self.pick((self.vmte(vm) + 8 * self.word(2), slot(vm) + VPET)), 8
        return where, 4

    def peek(self) -> Access:
        where, size = self.entry()
        return Access(Op.MEM_READ, 0, 0, size, where)

    def table(self) -> Access:
        vm = self.pick(VMS)
        value = int(self.random() < 0.4) << 62 | vm << 32 | self.pick((2, 3, 3)) << 29
        if self.random() < 0.3:
            return self.command(0x2D8, M | value & ~U | self.pick((0, 1027, 2050)))
        return self.command(0x2D0, M | value)

    def nmi(self) -> Access:
        return Access(Op.NMI, self.cpu(), value=self.word(1))

    # ---- sequences, as KVM has them -----------------------------------------------------------

    def make_table(self) -> list[Access]:
        base = 0x40000000 + (LEVEL_1 if self.two_level else VMT)
        out = [Access(Op.IRS_WRITE, 0, 0, 4, 0x210, int(self.two_level) << 16 | 8)]
        out += [
            self.poke(LEVEL_1 + 8 * index, 0x40000000 + LEVEL_2 + 0x1000 * index)
            for index in range(2)
        ]
        out.append(self.command(0x200, base | 1))
        if self.two_level:
            out += [self.command(0x2C0, M | vm) for vm in VMS]
        return out

    def ist_word(self, vm: int, kind: Kind, size: int, two_level: bool) -> int:
        offset = SPI_IST if kind is Kind.SPI else LPI_LEVEL_1 if two_level else LPI_IST
        id_bits = 5 if kind is Kind.SPI else 12 if two_level else 8
        base = 0x40000000 + slot(vm) + offset
        return id_bits << 59 | int(two_level) << 58 | size << 56 | base

    def make_vm(self, vm: int) -> list[Access]:
        vmte, own = self.vmte(vm), slot(vm)
        size, two_level = self.pick((0, 0, 1, 2)), self.random() < 0.3
        out = [self.poke(vmte + 8, VPE_ID_BITS << 59 | 0x40000000 + own + VPET)]
        out.append(self.command(0x2C8, M | vm))
        for kind in (Kind.SPI, Kind.LPI):
            levels = two_level and kind is Kind.LPI
            out.append(self.poke(vmte + 8 * kind, self.ist_word(vm, kind, size, levels)))
            table = LPI_LEVEL_2 if levels else SPI_IST if kind is Kind.SPI else LPI_IST
            for index in range(4 if levels else 0):
                value = 0x40000000 + own + LPI_LEVEL_2 + 0x1000 * index
                present = int(self.random() < 0.5)
                out.append(self.poke(own + LPI_LEVEL_1 + 8 * index, value | present))
            for _ in range(2):  # restored: interrupts that have a state already
                where = own + table + (4 << size) * self.pick((0, 1, 2, 5))
                entry = self.pick(VPES) << 16 | self.pick(self.priorities) << 11 | self.word(5)
                out.append(self.poke(where, entry, 4))
            out.append(self.command(0x2D0, M | vm << 32 | kind << 29))
        for vpe in VPES:
            out.append(self.command(0x2E0, M | vm << 32 | vpe))
            out.append(self.command(0x240, M | vpe << 32 | vm))
            out.append(self.command(0x248, M | self.pick(self.numbers[Kind.LPI])))
        return out

    def remake_vm(self) -> list[Access]:
        """Unmap it, look, clear, and map it again."""
        vm = self.pick(VMS)
        out = [self.command(0x2C8, M | U | vm)]
        out.append(Access(Op.MEM_READ, 0, 0, 8, self.vmte(vm)))
        out += [self.poke(self.vmte(vm) + 8 * word, 0) for word in range(4)]
        out += [self.poke(slot(vm) + VPET + 8 * vpe, 0) for vpe in range(4)]
        out += [self.poke(slot(vm) + SPI_IST + 4 * n, 0, 4) for n in range(32)]
        return out + self.make_vm(vm)

    def access(self) -> Access:
        if self.setup:
            return self.setup.pop(0)
        if self.random() < 0.004:
            self.setup = self.remake_vm()
        if self.random() < 0.5:
            return super().access()
        return weighted(self, _MIX)(self)

    def opening(self) -> list[Access]:
        out = super().opening() + self.make_table() + self.make_vm(VMS[0])
        if self.random() < 0.5:
            out += self.make_vm(VMS[1])
        for lpi in self.numbers[Kind.LPI]:
            out.append(Access(Op.WRITE, 0, 2, 0, BY_NAME["CDEN"].encoding, Kind.LPI << 29 | lpi))
        for cpu in range(self.cpus):
            value = 1 << 63 | self.vpe_of(cpu) << 32 | VMS[0]
            where = BY_NAME["ICH_CONTEXTR_EL2"].encoding
            out.append(Access(Op.WRITE, cpu, 2, 0, where, value))
            for kind in (Kind.LPI, Kind.SPI):
                for intid in (kind << 29 | number for number in self.numbers[kind]):
                    out.append(Access(Op.WRITE, cpu, 2, 0, BY_NAME["VDEN"].encoding, intid))
                    operand = self.vpe_of(cpu) << 32 | intid
                    out.append(Access(Op.WRITE, cpu, 2, 0, BY_NAME["VDAFF"].encoding, operand))
        return out


_MIX: Sequence[tuple[float, Callable[[VmMaker], Access]]] = (
    (0.35, VmMaker.vdpend),
    (0.55, VmMaker.contextr),
    (0.60, VmMaker.read_contextr),
    (0.77, VmMaker.vpe_register),
    (0.90, VmMaker.peek),
    (0.96, VmMaker.table),
    (1.00, VmMaker.nmi),
)
