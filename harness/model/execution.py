# SPDX-License-Identifier: GPL-2.0-or-later
"""The operations of a program on VMs, each step by step: what the others can come in between."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Generator, Hashable, Mapping
from dataclasses import dataclass, field
from errno import EBADF, EINTR, ENXIO

from harness import program as p
from harness.irs import Table
from harness.model import ioctls
from harness.model import irs as kvm_irs
from harness.model import vcpu as kvm_vcpu
from harness.model.behaviour import Behaviour, HostFacts
from harness.model.guest import NOT_REACHED, Guest
from harness.model.pause import NOTHING, Pause, Touch
from harness.model.refusals import NotModelled, Refused, TimeDependent
from harness.model.state import Vcpu, Vm
from harness.model.touches import FirstRun, files, first_run, touches
from harness.trace import Result, RunEnd


@dataclass(slots=True)
class Execution:
    """The VMs of one program: they share nothing."""

    behaviour: Behaviour
    host: HostFacts
    vms: dict[int, Vm] = field(default_factory=dict)
    images: dict[tuple[int, Table], list[int]] = field(default_factory=dict)
    touching: Mapping[int, Touch] = field(default_factory=dict)  # by id() of a branch's operation
    held: dict[int, tuple[Result, ...]] = field(default_factory=dict)  # likewise: results to come

    def touch(self, op: p.Op) -> Touch:
        """What an operation of a branch touches; nobody asks outside of parallel sections."""
        if not self.touching:
            return NOTHING
        return self.touching.get(id(op)) or touches(self.behaviour, self.vms, op)

    def clone(self) -> Execution:
        """A copy for another order of a parallel section: branches leave the images alone."""
        vms = {index: vm.clone() for index, vm in self.vms.items()}
        return Execution(self.behaviour, self.host, vms, self.images, self.touching)

    def key(self) -> Hashable:
        """All that can change in a parallel section, to tell states apart."""
        return (
            tuple((index, vm.key()) for index, vm in self.vms.items()),
            tuple(sorted(self.held.items())),
        )

    def execute(self, op: p.Op) -> list[Result]:
        """Alone: from each pause it goes on at once, if it can go on at all."""
        if isinstance(op, p.Parallel):
            raise NotModelled("a parallel section has more than one state after it: see Worlds")
        steps = self.steps(op)
        try:
            while True:
                pause = next(steps)
                if pause.wait is not None and not pause.wait():
                    assert pause.give_up is not None
                    pause.give_up()
        except StopIteration as end:
            results: list[Result] = end.value
            return results

    def steps(self, op: p.Op) -> Generator[Pause, None, list[Result]]:
        """The operation, step by step.  Nothing happens before the first pause."""
        if isinstance(op, p.Run):
            return (yield from self.run(op))
        try:
            return [(yield from self.ioctl(op))]
        except Refused as e:
            return [Result(ret=-e.errno)]

    def vm(self, index: int, device: bool = False) -> Vm:
        """EBADF stands for a file descriptor that the program never got, or has closed."""
        vm = self.vms.get(index)
        if vm is None or (device and not vm.device):
            raise Refused(EBADF)
        ioctls.alive(vm)
        return vm

    def vcpu(self, vm_index: int, vcpu_index: int) -> tuple[Vm, Vcpu]:
        if vm_index not in self.vms or vcpu_index not in self.vms[vm_index].slots:
            raise Refused(EBADF)
        return self.vm(vm_index), self.vms[vm_index].slots[vcpu_index]

    def ioctl(self, op: p.Op) -> Generator[Pause, None, Result]:
        match op:
            case p.CreateVm():
                self.vms[op.vm] = Vm()
            case p.CloseVm():
                yield from self.close(op.vm)
            case p.CreateDevice():
                yield Pause("looks at the VM", files(op.vm))
                vm = self.vm(op.vm)
                yield Pause("creates", self.touch(op))
                ioctls.create_device(vm, op, self.behaviour)
                if not op.test:
                    yield Pause("has the file", Touch.of(writes=[("files", op.vm)]))
                    vm.device = True
            case p.PlaceIrs():
                vm = self.vm(op.vm, device=True)
                if vm.irs is not None:
                    kvm_irs.set_address(vm, vm.irs, op.address)
                return Result(value=vm.irs is not None)
            case p.CreateVcpu():
                ioctls.create_vcpu(self.vm(op.vm), op, self.host)
            case p.InitVcpu():
                return (yield from self.init_vcpu(op))
            case p.DeviceAttr():
                return (yield from self.device_attr(op, self.touch(op)))
            case p.VcpuAttr():
                return (yield from self.exclusively(
                    op, lambda vm, vcpu: ioctls.vcpu_attr(vm, vcpu, op)
                ))  # fmt: skip
            case p.CopyReg():
                return (yield from self.copy_reg(op))
            case p.Ist():
                return self.ist(op)
            case p.IstEntry():
                words = self.image(op.image, op.table)
                if op.action is p.Action.SET:
                    words[op.index] = op.value & 0xFFFF_FFFF
                return Result(value=words[op.index])
            case p.OneReg():
                return (yield from self.exclusively(
                    op, lambda vm, vcpu: ioctls.one_reg(vm, vcpu, op)
                ))  # fmt: skip
            case p.IrqLine():
                yield Pause("looks at the VM", files(op.vm))
                vm = self.vm(op.vm)
                yield Pause("injects", self.touch(op))
                ioctls.irq_line(vm, op)
        return ioctls.OK

    def device_attr(self, op: p.DeviceAttr, touch: Touch) -> Generator[Pause, None, Result]:
        yield Pause("looks at the device", files(op.vm))
        vm = self.vm(op.vm, device=True)
        yield Pause("accesses", touch)
        return ioctls.device_attr(vm, op, self.behaviour, self.host)

    def close(self, index: int) -> Generator[Pause, None, None]:
        """One file after the other; what is under way on them goes on."""
        vm = self.vms.get(index)
        yield Pause("closes", Touch.of(writes=[("files", index)]))
        if vm is None or index not in self.vms or vm.closing:
            raise Refused(EBADF)
        vm.closing = True
        for slot in sorted(vm.slots):
            del vm.slots[slot]
            yield Pause(f"has closed vCPU{slot}", Touch.of(writes=[("files", index)]))
        vm.device = False
        yield Pause("has closed the device", Touch.of(writes=[("files", index)]))
        del self.vms[index]

    def exclusively(
        self, op: p.InitVcpu | p.VcpuAttr | p.OneReg, body: Callable[[Vm, Vcpu], Result]
    ) -> Generator[Pause, None, Result]:
        """kvm_main.c kvm_vcpu_ioctl(): with the vCPU's mutex."""
        yield Pause("looks at the vCPU", files(op.vm))
        vm, vcpu = self.vcpu(op.vm, op.vcpu)
        mutex = Touch.of(writes=[("mutex", op.vm, vcpu.index)])
        yield Pause("locks the vCPU", mutex, wait=lambda: not vcpu.locked)
        vcpu.locked = True
        yield Pause("accesses", self.touch(op))
        try:
            result = body(vm, vcpu)
        except Refused as e:
            result = Result(ret=-e.errno)
        self.held[id(op)] = (result,)
        yield Pause("unlocks the vCPU", mutex)
        vcpu.locked = False
        del self.held[id(op)]
        return result

    def init_vcpu(self, op: p.InitVcpu) -> Generator[Pause, None, Result]:
        """Four ioctls: KVM_ARM_PREFERRED_TARGET, KVM_ARM_VCPU_INIT, PC and x0 (guest/vm.c)."""
        yield Pause("looks at the VM", files(op.vm))
        self.vm(op.vm)

        def init(vm: Vm, vcpu: Vcpu) -> Result:
            kvm_vcpu.init(vm, vcpu, op.features, self.host)
            vcpu.restart = False
            return ioctls.OK

        result = yield from self.exclusively(op, init)
        if not result.ret:
            yield from self.set_entry(op.vm, op.vcpu)
        return result

    def set_entry(self, vm: int, vcpu: int) -> Generator[Pause, None, None]:
        """PC, then x0: the agent does it, and as far as others can see it takes the mutex twice."""
        for _ in range(2):
            op = p.OneReg(p.Action.SET, 0, vm=vm, vcpu=vcpu)
            yield from self.exclusively(op, lambda _vm, _vcpu: ioctls.OK)

    def copy_reg(self, op: p.CopyReg) -> Generator[Pause, None, Result]:
        """What a restore from another VM does."""
        get = p.DeviceAttr(p.Action.GET, op.group, op.attr, vm=op.vm)
        got = yield from self.device_attr(get, self.touch(op))
        if op.group == p.GRP_CPU_SYSREGS and got.known != Result().known:
            raise TimeDependent("the register that is copied contains an elapsing timer's line")
        set_ = p.DeviceAttr(p.Action.SET, op.group, op.attr, got.value, vm=op.to_vm)
        self.held[id(op)] = (got,)
        try:
            yield from self.device_attr(set_, self.touch(op))
        except Refused as e:
            return Result(ret=-e.errno, value=got.value, known=got.known)
        finally:
            self.held.pop(id(op), None)
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

    def run(self, op: p.Run) -> Generator[Pause, None, list[Result]]:
        """KVM_RUN, and the results of the guest's list."""
        end, results = Result(), list[Result]()
        try:
            slots = self.vms[op.vm].slots if op.vm in self.vms else {}
            if op.vcpu in slots and slots[op.vcpu].restart:
                yield from self.set_entry(op.vm, op.vcpu)
            yield Pause("looks at the vCPU", files(op.vm))
            vm, vcpu = self.vcpu(op.vm, op.vcpu)
            mutex = Touch.of(writes=[("mutex", op.vm, vcpu.index)])
            yield Pause("locks the vCPU", mutex, wait=lambda: not vcpu.locked)
        except Refused as e:
            end = Result(ret=-e.errno, value=RunEnd.FAILED)
        else:
            vcpu.locked = True
            edges = Touch.of([("edge", op.vm, vcpu.index)])
            try:
                first = FirstRun()
                if self.touching:
                    first = first_run(self.behaviour, op.vm, vm, vcpu.index)
                yield from kvm_vcpu.first_run(vm, vcpu, self.host, self.behaviour, first)
                guest = Guest(vm, vcpu, self.host, op.wait_ms, edges, edges | mutex)
                vcpu.guest = guest
                yield from guest.run(op.guest)
            except Refused as e:
                end = Result(ret=-e.errno, value=RunEnd.FAILED)
            else:
                results = guest.results
                if guest.interrupted:
                    end = Result(ret=-EINTR, value=RunEnd.INTERRUPTED)
                elif guest.exit_reason:
                    end = Result(value=RunEnd.OTHER, extra=guest.exit_reason)
                else:
                    end = Result(value=RunEnd.FINISHED)
            vcpu.guest = None
            self.held[id(op)] = (end, *results)
            yield Pause("unlocks the vCPU", mutex, mutex)
            vcpu.locked = False
            del self.held[id(op)]
            vcpu.restart = end.ret < 0 or end.value == RunEnd.OTHER
        return [end, *results, *[NOT_REACHED] * (len(op.guest) - len(results))]


def checksum(words: list[int]) -> int:
    """The CRC-32 of an image's entries."""
    return zlib.crc32(struct.pack(f"<{len(words)}I", *words))
