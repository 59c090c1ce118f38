# SPDX-License-Identifier: GPL-2.0-or-later
"""The reference model as an executor of programs: what a correct target's trace looks like."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from errno import EBADF, EINTR, ENXIO
from typing import Final

from harness import program as p
from harness.irs import Table
from harness.model import ioctls
from harness.model import irs as kvm_irs
from harness.model import vcpu as kvm_vcpu
from harness.model.behaviour import Behaviour, HostFacts
from harness.model.guest import NOT_REACHED, Guest
from harness.model.state import NotModelled, Refused, TimeDependent, Vcpu, Vm
from harness.trace import Result, RunEnd, Trace

DEFAULT_BEHAVIOUR: Final = Behaviour()
DEFAULT_HOST: Final = HostFacts()


@dataclass(frozen=True, slots=True)
class Model:
    """Executes programs as a kernel of this behaviour does, on such a host.  Keeps no state.

    ValueError if a program's trace cannot be known: it is time-dependent, or outside the model.
    """

    behaviour: Behaviour = DEFAULT_BEHAVIOUR
    host: HostFacts = DEFAULT_HOST

    def run(self, program: p.Program) -> Trace:
        execution = Execution(self.behaviour, self.host)
        results: list[Result] = []
        for index, op in enumerate(program.ops):
            try:
                results += execution.execute(op)
            except TimeDependent as e:
                raise TimeDependent(f"{program.name} is time-dependent at op {index}: {e}") from e
            except NotModelled as e:
                raise NotModelled(f"{program.name} is outside the model at op {index}: {e}") from e
        return Trace(tuple(results))


@dataclass(slots=True)
class Execution:
    """The VMs of one program: they share nothing."""

    behaviour: Behaviour
    host: HostFacts
    vms: dict[int, Vm] = field(default_factory=dict)
    images: dict[tuple[int, Table], list[int]] = field(default_factory=dict)

    def execute(self, op: p.Op) -> Iterator[Result]:
        if isinstance(op, p.Run):
            yield from self.run(op)
            return
        try:
            yield self.ioctl(op)
        except Refused as e:
            yield Result(ret=-e.errno)

    def vm(self, index: int, device: bool = False) -> Vm:
        """EBADF stands for a file descriptor that the program never got."""
        vm = self.vms.get(index)
        if vm is None or (device and not vm.vgic):
            raise Refused(EBADF)
        ioctls.alive(vm)
        return vm

    def vcpu(self, vm_index: int, vcpu_index: int) -> tuple[Vm, Vcpu]:
        if vm_index not in self.vms or vcpu_index not in self.vms[vm_index].slots:
            raise Refused(EBADF)
        return self.vm(vm_index), self.vms[vm_index].slots[vcpu_index]

    def ioctl(self, op: p.Op) -> Result:
        match op:
            case p.CreateVm():
                self.vms[op.vm] = Vm()
            case p.CloseVm():
                if self.vms.pop(op.vm, None) is None:
                    raise Refused(EBADF)
            case p.CreateDevice():
                ioctls.create_device(self.vm(op.vm), op, self.behaviour)
            case p.PlaceIrs():
                vm = self.vm(op.vm, device=True)
                if vm.irs is not None:
                    kvm_irs.set_address(vm, vm.irs, op.address)
                return Result(value=vm.irs is not None)
            case p.CreateVcpu():
                ioctls.create_vcpu(self.vm(op.vm), op, self.host)
            case p.InitVcpu():
                self.vm(op.vm)  # for KVM_ARM_PREFERRED_TARGET
                kvm_vcpu.init(*self.vcpu(op.vm, op.vcpu), op.features, self.host)
            case p.DeviceAttr():
                vm = self.vm(op.vm, device=True)
                return ioctls.device_attr(vm, op, self.behaviour, self.host)
            case p.VcpuAttr():
                return ioctls.vcpu_attr(*self.vcpu(op.vm, op.vcpu), op)
            case p.CopyReg():
                return self.copy_reg(op)
            case p.Ist():
                return self.ist(op)
            case p.IstEntry():
                words = self.image(op.image, op.table)
                if op.action is p.Action.SET:
                    words[op.index] = op.value & 0xFFFF_FFFF
                return Result(value=words[op.index])
            case p.OneReg():
                return ioctls.one_reg(*self.vcpu(op.vm, op.vcpu), op)
            case p.IrqLine():
                ioctls.irq_line(self.vm(op.vm), op)
        return ioctls.OK

    def copy_reg(self, op: p.CopyReg) -> Result:
        """What a restore from another VM does."""
        get = p.DeviceAttr(p.Action.GET, op.group, op.attr, vm=op.vm)
        got = self.ioctl(get)
        if op.group == p.GRP_CPU_SYSREGS and got.known != Result().known:
            raise TimeDependent("the register that is copied contains an elapsing timer's line")
        set_ = p.DeviceAttr(p.Action.SET, op.group, op.attr, got.value, vm=op.to_vm)
        try:
            self.ioctl(set_)
        except Refused as e:
            return Result(ret=-e.errno, value=got.value, known=got.known)
        return got

    def ist(self, op: p.Ist) -> Result:
        """Between a VM's interrupt state tables and an image."""
        vm = self.vm(op.vm, device=True)
        if vm.irs is None:
            raise Refused(ENXIO)
        kvm_irs.ist_attr(vm, vm.irs, op)
        sizes = {Table.SPI: op.spi_bytes // 4, Table.LPI: op.lpi_bytes // 4}
        if op.action is p.Action.GET:
            saved = {table: vm.irs.ists.image(table, count) for table, count in sizes.items()}
            for table, words in saved.items():
                self.image(op.image, table)[: len(words)] = words
            return Result(value=checksum(saved[Table.SPI]), extra=checksum(saved[Table.LPI]))
        if op.action is p.Action.SET:
            kvm_irs.restore(vm.irs, {
                table: self.image(op.image, table)[:count] for table, count in sizes.items()
            })  # fmt: skip
        return ioctls.OK

    def image(self, number: int, table: Table) -> list[int]:
        """The words of one table of an image; made when it is first asked for."""
        return self.images.setdefault((number, table), [0] * (p.MAX_IST_BYTES // 4))

    def run(self, op: p.Run) -> Iterator[Result]:
        """KVM_RUN, and the results of the guest's list."""
        results: list[Result] = []
        try:
            vm, vcpu = self.vcpu(op.vm, op.vcpu)
            kvm_vcpu.first_run(vm, vcpu, self.host, self.behaviour)
        except Refused as e:
            yield Result(ret=-e.errno, value=RunEnd.FAILED)
        else:
            guest = Guest(vm, vcpu, self.host, op.wait_ms)
            results = guest.run(op.guest)
            if guest.interrupted:
                yield Result(ret=-EINTR, value=RunEnd.INTERRUPTED)
            elif guest.exit_reason:
                yield Result(value=RunEnd.OTHER, extra=guest.exit_reason)
            else:
                yield Result(value=RunEnd.FINISHED)
        yield from results
        yield from [NOT_REACHED] * (len(op.guest) - len(results))


def checksum(words: list[int]) -> int:
    """The CRC-32 of an image's entries."""
    return zlib.crc32(struct.pack(f"<{len(words)}I", *words))
