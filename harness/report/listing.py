# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs, operations and results as people read them."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from harness import program as p
from harness.irs import Table, irs_register_name
from harness.ppi import BY_ENCODING, U64, Kind, Register, bits, ppi_name
from harness.trace import Result, RunEnd, Status, Step, steps

_DEVICES: Final = MappingProxyType({
    p.DEV_TYPE_VGIC_V2: "VGICv2", p.DEV_TYPE_VGIC_V3: "VGICv3", p.DEV_TYPE_VGIC_V5: "VGICv5",
})  # fmt: skip
_GROUPS: Final = MappingProxyType({
    p.GRP_ADDR: "ADDR", p.GRP_NR_IRQS: "NR_IRQS", p.GRP_CTRL: "CTRL",
    p.GRP_CPU_SYSREGS: "CPU_SYSREGS", p.GRP_IRS_REGS: "IRS_REGS", p.GRP_IST: "IST",
})  # fmt: skip
_CTRL: Final = MappingProxyType({p.CTRL_INIT: "INIT", p.CTRL_USERSPACE_PPIS: "USERSPACE_PPIS"})
_VCPU_ATTRS: Final = MappingProxyType({
    (p.VCPU_PMU_V3, p.PMU_V3_IRQ): "PMU_V3/IRQ", (p.VCPU_PMU_V3, p.PMU_V3_INIT): "PMU_V3/INIT",
    (p.VCPU_TIMER, p.TIMER_IRQ_VTIMER): "TIMER/IRQ_VTIMER",
    (p.VCPU_TIMER, p.TIMER_IRQ_PTIMER): "TIMER/IRQ_PTIMER",
})  # fmt: skip
_FEATURES: Final = (
    (p.FEATURE_POWER_OFF, "POWER_OFF"),
    (p.FEATURE_PSCI_0_2, "PSCI_0_2"),
    (p.FEATURE_PMU_V3, "PMU_V3"),
)
_IRQ_TYPES: Final = MappingProxyType({
    p.IRQ_TYPE_CPU: "CPU", p.IRQ_TYPE_SPI: "SPI", p.IRQ_TYPE_PPI: "PPI",
})  # fmt: skip
# Exception classes that a guest of this harness can meet (Arm ARM, ESR_ELx.EC).
_EXCEPTIONS: Final = MappingProxyType({
    0x00: "undefined instruction", 0x01: "trapped WFx", 0x07: "trapped FP/SIMD",
    0x0E: "illegal execution state", 0x15: "SVC", 0x16: "HVC", 0x18: "trapped system register",
    0x20: "instruction abort from EL0", 0x21: "instruction abort", 0x22: "PC alignment",
    0x24: "data abort from EL0", 0x25: "data abort", 0x26: "SP alignment", 0x2F: "SError",
    0x3C: "BRK",
})  # fmt: skip


def errno_name(value: int) -> str:
    """``-16`` or ``16`` -> ``EBUSY``."""
    return errno.errorcode.get(abs(value), f"errno {abs(value)}")


def hexadecimal(value: int) -> str:
    """``~0`` for all ones, else hexadecimal."""
    return "~0" if value == U64 else f"{value:#x}"


def ppi_list(mask: int, bank: int = 0) -> str:
    """The PPIs of a bitmap by name, ``none`` if it is empty."""
    return ", ".join(ppi_name(64 * bank + bit) for bit in bits(mask)) or "none"


def exception(esr: int) -> str:
    """An ESR_EL1 in words."""
    ec = esr >> 26 & 0x3F
    return f"{_EXCEPTIONS.get(ec, 'exception')} (EC {ec:#04x}, ESR {esr:#x})"


def sysreg_of(attr: int) -> Register | None:
    """The register that a CPU_SYSREGS attribute addresses."""
    return BY_ENCODING.get(attr & 0xFFFF)


def register_of(step: Step) -> Register | None:
    """The register whose value this record's result holds."""
    match step.guest, step.op:
        case (p.Read() | p.Write()) as guest, _:
            return guest.reg if guest.reg.readable else None
        case None, p.DeviceAttr(p.Action.GET, p.GRP_CPU_SYSREGS) as op:
            return sysreg_of(op.attr)
        case None, p.CopyReg(group=p.GRP_CPU_SYSREGS) as op:
            return sysreg_of(op.attr)
    return None


class Lister:
    """Describes the operations of one program: it knows which vCPU has which id."""

    def __init__(self, program: p.Program) -> None:
        self._program = program
        created = [op for op in program.ops if isinstance(op, p.CreateVcpu)]
        self._ids: Mapping[tuple[int, int], int] = {
            (op.vm, p.mpidr_affinity(op.id)): op.vcpu for op in reversed(created)
        }
        self._vms = len({op.vm for op in program.ops if isinstance(op, p.CreateVm)}) > 1

    def lines(self) -> Iterator[tuple[Step, str]]:
        """One line for each record of the program."""
        for step in steps(self._program):
            yield step, self.op(step.op) if step.guest is None else guest_op(step.guest)

    def op(self, op: p.Op | p.Branch) -> str:
        """One operation on one line."""
        match op:
            case p.Parallel():
                return f"at the same time, {len(op.branches)} branches:"
            case p.Branch():
                return f"branch on CPU {op.cpu}" + (":" if op.ops else " (nothing to do)")
            case p.Delay():
                return f"delay {op.ns} ns"
        vm = f" vm{op.vm}" if self._vms and not isinstance(op, p.IstEntry) else ""
        match op:
            case p.CreateVm():
                return f"create_vm{vm}"
            case p.CloseVm():
                return f"close_vm{vm}"
            case p.CreateDevice():
                test = " (test only)" if op.test else ""
                return f"create_device{vm} {_DEVICES.get(op.type, f'type {op.type}')}{test}"
            case p.PlaceIrs():
                return f"place_irs{vm} at {op.address:#x}"
            case p.Ist():
                return self._ist(op, vm)
            case p.IstEntry():
                value = f" = {op.value:#x}" if op.action is p.Action.SET else ""
                where = f"image {op.image} {op.table.name} {op.index}"
                return f"{_verb(op.action)}_ist_entry {where}{value}"
            case p.CreateVcpu():
                return f"create_vcpu{vm} vCPU{op.vcpu}" + (f" id {op.id}" if op.id else "")
            case p.InitVcpu():
                names = [name for bit, name in _FEATURES if op.features & bit]
                rest = op.features & ~sum(bit for bit, _ in _FEATURES)
                names += [f"{rest:#x}"] if rest else []
                return f"init_vcpu{vm} vCPU{op.vcpu} {'+'.join(names) or 'no features'}"
            case p.DeviceAttr():
                return self._device_attr(op, vm)
            case p.VcpuAttr():
                what = _VCPU_ATTRS.get((op.group, op.attr), f"group {op.group} attr {op.attr}")
                return f"{_verb(op.action)}_attr{vm} vCPU{op.vcpu} {what}{_operand(op)}"
            case p.CopyReg():
                irs = op.group == p.GRP_IRS_REGS
                name = irs_register_name(op.attr) if irs else self._register(op.attr, op.vm)
                return f"copy_reg vm{op.vm} -> vm{op.to_vm} {name}"
            case p.OneReg():
                value = f" = {hexadecimal(op.value)}" if op.action is p.Action.SET else ""
                return f"{_verb(op.action)}_one_reg{vm} vCPU{op.vcpu} {op.id:#x}{value}"
            case p.IrqLine():
                kind = _IRQ_TYPES.get(op.type, f"type {op.type}")
                if op.type == p.IRQ_TYPE_SPI:
                    return f"irq_line{vm} SPI {op.number} = {op.level}"
                number = ppi_name(op.number) if op.type == p.IRQ_TYPE_PPI else str(op.number)
                return f"irq_line{vm} vCPU{op.vcpu} {kind} {number} = {op.level}"
            case p.Run():
                return f"run{vm} vCPU{op.vcpu}" + (":" if op.guest else " (nothing to do)")

    def _device_attr(self, op: p.DeviceAttr, vm: str) -> str:
        if op.group == p.GRP_CPU_SYSREGS:
            return f"{_verb(op.action)}_reg{vm} {self._register(op.attr, op.vm)}{_operand(op)}"
        if op.group == p.GRP_IRS_REGS:
            return f"{_verb(op.action)}_irs_reg{vm} {irs_register_name(op.attr)}{_operand(op)}"
        group = _GROUPS.get(op.group, f"group {op.group}")
        attr = _CTRL.get(op.attr) if op.group == p.GRP_CTRL else None
        return f"{_verb(op.action)}_attr{vm} {group}/{attr or f'{op.attr:#x}'}{_operand(op)}"

    def _ist(self, op: p.Ist, vm: str) -> str:
        sizes = f"image {op.image}: {op.spi_bytes} + {op.lpi_bytes} bytes"
        attr = f"/{op.attr:#x}" if op.attr else ""
        pointer = f" ({op.pointer.name} pointer)" if op.pointer is not p.Pointer.VALUE else ""
        return f"{_verb(op.action)}_ist{vm}{attr} {sizes}{pointer}"

    def vcpu(self, attr: int, vm: int) -> int | None:
        """The vCPU that a CPU_SYSREGS attribute addresses; None if there is none."""
        return self._ids.get((vm, attr >> 32))

    def _register(self, attr: int, vm: int) -> str:
        register = sysreg_of(attr)
        affinity = attr >> 32
        vcpu = self.vcpu(attr, vm)
        who = f"MPIDR {affinity:#x}" if vcpu is None else f"vCPU{vcpu}"
        return f"{who} {register or f'register {attr & 0xFFFFFFFF:#x}'}"


def _verb(action: p.Action) -> str:
    return action.name.lower()


def _operand(op: p.DeviceAttr | p.VcpuAttr) -> str:
    if op.pointer is not p.Pointer.VALUE:
        return f" ({op.pointer.name} pointer)"
    takes = op.action is p.Action.SET and (op.value or op.group != p.GRP_CTRL)
    return f" = {hexadecimal(op.value)}" if takes else ""


def guest_op(op: p.GuestOp) -> str:
    """One guest operation on one line."""
    match op:
        case p.Read():
            return f"read {op.reg}"
        case p.Write():
            return f"write {op.reg} = {hexadecimal(op.value)}"
        case p.Wfi():
            return "wfi"
        case p.Window():
            return "interrupt window"
        case p.IrsRead():
            return f"load {irs_register_name(op.offset)}"
        case p.IrsWrite():
            return f"store {irs_register_name(op.offset)} = {hexadecimal(op.value)}"
        case p.Spin():
            return f"spin {op.ns} ns"


def result(step: Step, r: Result) -> str:
    """One result in words."""
    match r.status:
        case Status.NOT_REACHED:
            return "not reached"
        case Status.BLOCKED:
            return "blocked: did not complete in time"
        case Status.EXCEPTION:
            return exception(r.value)
    if isinstance(step.op, p.Run) and step.guest is None:
        return _run_end(r)
    if isinstance(step.op, p.Branch):
        return f"from {r.value & 0xFFFF_FFFF} to {r.value >> 32} ns" if r.known else "ok"
    if isinstance(step.guest, p.Window):
        first = f", first {_intid(r.extra)}" if r.value else ""
        return f"{r.value} interrupt{'s' * (r.value != 1)} taken{first}"
    if r.ret < 0:
        return f"-{errno_name(r.ret)}"
    value = _value(step, r)
    return f"{value}" if value else "ok"


def _value(step: Step, r: Result) -> str:
    register = register_of(step)
    if register is not None:
        text = f"{r.value & r.known:#x}"
        unknown = "" if r.known == U64 else f" (bits {r.known ^ U64:#x} unknown)"
        names = ""
        if register.kind is Kind.PPI_BITMAP and (r.value & r.known).bit_count() <= 8:
            names = f" = {ppi_list(r.value & r.known, register.bank)}"
        return text + names + unknown
    got = (
        isinstance(step.op, p.DeviceAttr | p.VcpuAttr | p.OneReg) and step.op.action == p.Action.GET
    )
    if step.guest is None and got:
        return f"{r.value:#x}" + (f", {r.extra:#x}" if r.extra else "")
    if r.value or r.extra:
        return f"{r.value:#x}" + (f", {r.extra:#x}" if r.extra else "")
    return ""


def _intid(intid: int) -> str:
    kind, number = intid >> 29, intid & 0xFFFFFF
    if kind in list(Table):
        return f"{Table(kind).name} {number}"
    return ppi_name(number) if kind == 1 else f"INTID {intid:#x}"


def _run_end(r: Result) -> str:
    try:
        end = RunEnd(r.value)
    except ValueError:
        return f"ended in an unknown way ({r.value})"
    match end:
        case RunEnd.FINISHED:
            return "the guest finished"
        case RunEnd.INTERRUPTED:
            return "interrupted (a WFI blocked)"
        case RunEnd.OTHER:
            return f"exited to userspace, exit_reason {r.extra}"
        case RunEnd.FAILED:
            return f"KVM_RUN failed: -{errno_name(r.ret)}"
