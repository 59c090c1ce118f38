# SPDX-License-Identifier: GPL-2.0-or-later
"""The ioctls but KVM_RUN: what they change and the errno with which they refuse.

The checks stand in the order in which the kernel makes them.
"""

from __future__ import annotations

from errno import EBUSY, EEXIST, EFAULT, EINVAL, EIO, ENODEV, ENOENT, ENOEXEC, ENXIO
from typing import Final

from harness import program as p
from harness.model import accessors, vgic
from harness.model import irs as kvm_irs
from harness.model.behaviour import Behaviour, HostFacts, LateWrites
from harness.model.refusals import NotModelled, Refused
from harness.model.state import CYCLE_COUNTER, Irs, Vcpu, Vm, private_irqs
from harness.ppi import BY_ENCODING, NR_PPIS, PMUIRQ, Register, ppi_intid
from harness.trace import Result

MAX_VCPU_IDS: Final = 512  # KVM_MAX_VCPU_IDS
DEV_TYPE_VFIO: Final = 4
PMU_ATTRS: Final = range(5)  # IRQ, INIT, FILTER, SET_PMU, SET_NR_COUNTERS
TIMER_ATTRS: Final = range(4)

OK: Final = Result()


def alive(vm: Vm) -> None:
    """kvm_main.c: every ioctl on a dead VM, its vCPUs and its device."""
    if vm.dead:
        raise Refused(EIO)


def all_vcpus_idle(vm: Vm) -> None:
    """kvm_trylock_all_vcpus(): no vCPU may be in KVM_RUN, or in any other of its ioctls."""
    if any(vcpu.locked for vcpu in vm.vcpus):
        raise Refused(EBUSY)


def copy(pointer: p.Pointer) -> None:
    """get_user() and put_user() of what an attribute points to."""
    if pointer is not p.Pointer.VALUE:
        raise Refused(EFAULT)


# --- creation ------------------------------------------------------------------------------------


def create_device(vm: Vm, op: p.CreateDevice, behaviour: Behaviour) -> None:
    """kvm_main.c kvm_ioctl_create_device(), vgic-init.c kvm_vgic_create().

    A GICv5 without the legacy interface registers no other vGIC.
    """
    if op.type == DEV_TYPE_VFIO:
        raise NotModelled("a VFIO device")
    if op.type != p.DEV_TYPE_VGIC_V5:
        raise Refused(ENODEV)
    if op.test:
        return
    all_vcpus_idle(vm)
    if vm.vgic:
        raise Refused(EEXIST)
    if any(vcpu.has_run for vcpu in vm.vcpus):
        raise Refused(EBUSY)
    vm.create_vgic()
    vm.irs = Irs() if behaviour.irs else None


def create_vcpu(vm: Vm, op: p.CreateVcpu, host: HostFacts) -> None:
    """kvm_main.c kvm_vm_ioctl_create_vcpu(), arm.c kvm_arch_vcpu_precreate()."""
    if op.id >= MAX_VCPU_IDS or len(vm.vcpus) >= host.max_vcpus:
        raise Refused(EINVAL)
    if by_id(vm, op.id) is not None:
        raise Refused(EEXIST)
    if vm.initialized:
        raise Refused(EBUSY)
    if op.id >= host.max_vcpus:
        raise Refused(EINVAL)
    vm.mpidr_data = None  # kvm_destroy_mpidr_data()
    vcpu = Vcpu(len(vm.vcpus), op.id)
    if vm.vgic:
        vcpu.irqs = private_irqs()
    vm.vcpus.append(vcpu)
    vm.slots[op.vcpu] = vcpu


def by_id(vm: Vm, vcpu_id: int) -> Vcpu | None:
    return next((vcpu for vcpu in vm.vcpus if vcpu.id == vcpu_id), None)


# --- the vGIC's attributes -----------------------------------------------------------------------


def device_attr(vm: Vm, op: p.DeviceAttr, behaviour: Behaviour, host: HostFacts) -> Result:
    """vgic-kvm-device.c vgic_v5_{set,get,has}_attr()."""
    if op.group == p.GRP_CPU_SYSREGS and behaviour.accessors:
        return cpu_sysregs(vm, op, behaviour)
    if vm.irs is not None:
        match op.group:
            case p.GRP_ADDR:
                return Result(value=kvm_irs.address_attr(vm, vm.irs, op))
            case p.GRP_NR_IRQS:
                return Result(value=kvm_irs.nr_irqs_attr(vm, vm.irs, op))
            case p.GRP_IRS_REGS:
                value, known = kvm_irs.regs_attr(vm, vm.irs, op)
                return Result(value=value, known=known)  # a copy takes the unknown bits along
            case p.GRP_IST:
                raise NotModelled("a DeviceAttr of the group IST: there is an operation for it")
    if op.group != p.GRP_CTRL:
        raise Refused(ENXIO)
    match op.attr, op.action:
        case p.CTRL_INIT, p.Action.SET:
            if not vm.initialized:
                vgic.init(vm, host)
        case p.CTRL_USERSPACE_PPIS, p.Action.GET:
            copy(op.pointer)
            return Result(value=vm.userspace_ppis)
        case ((p.CTRL_INIT | p.CTRL_USERSPACE_PPIS), p.Action.HAS):
            pass
        case _:
            raise Refused(ENXIO)
    return OK


def cpu_sysregs(vm: Vm, op: p.DeviceAttr, behaviour: Behaviour) -> Result:
    """vgic-sys-reg-v5.c.  Only the affinity and the encoding are looked at, not attr[31:16]."""
    vcpu = by_mpidr(vm, op.attr >> 32)
    reg = userspace_register(op.attr & 0xFFFF)
    if op.action is p.Action.HAS:  # works before INIT: userspace probes with it
        if reg is None:
            raise Refused(ENXIO)
        return OK
    all_vcpus_idle(vm)
    if not vm.initialized:
        raise Refused(EBUSY)
    if op.action is p.Action.GET:
        if reg is None:
            raise Refused(ENOENT)
        copy(op.pointer)
        value, known = accessors.get(vcpu, reg)
        return Result(value=value & known, known=known)
    if vm.has_ran_once and behaviour.late_writes is LateWrites.REFUSED:
        raise Refused(EBUSY)
    copy(op.pointer)
    if reg is None:
        raise Refused(ENOENT)
    accessors.set_(vcpu, reg, op.value)
    return OK


def by_mpidr(vm: Vm, affinity: int) -> Vcpu:
    """vgic_v3_parse_attr(), arm.c kvm_mpidr_to_vcpu(): by the table, else the first that has it.

    That makes a difference only if two have the same, and those are the ones without VCPU_INIT.
    """
    if vm.mpidr_data:
        mask, lookup = vm.mpidr_data
        vcpu = lookup.get(affinity & mask, vm.vcpus[0])
        if vcpu.mpidr == affinity:
            return vcpu
    for vcpu in vm.vcpus:
        if vcpu.mpidr == affinity:
            return vcpu
    raise Refused(EINVAL)


def userspace_register(encoding: int) -> Register | None:
    reg = BY_ENCODING.get(encoding)
    return reg if reg is not None and reg.userspace else None


# --- a vCPU's attributes -------------------------------------------------------------------------


def vcpu_attr(vm: Vm, vcpu: Vcpu, op: p.VcpuAttr) -> Result:
    """guest.c kvm_arm_vcpu_arch_{set,get,has}_attr()."""
    match op.group:
        case p.VCPU_PMU_V3:
            return pmu_attr(vm, vcpu, op)
        case p.VCPU_TIMER:
            return timer_attr(vm, op)
        case 2:  # PVTIME
            raise NotModelled("the PVTIME group")
    raise Refused(ENXIO)


def pmu_attr(vm: Vm, vcpu: Vcpu, op: p.VcpuAttr) -> Result:
    """pmu-emul.c kvm_arm_pmu_v3_{set,get,has}_attr()."""
    pmu = vcpu.pmu
    match op.action:
        case p.Action.HAS:
            if op.attr not in PMU_ATTRS or not vgic.has_pmu(vm):
                raise Refused(ENXIO)
        case p.Action.GET:
            if op.attr != p.PMU_V3_IRQ:
                raise Refused(ENXIO)
            if not vm.vgic:
                raise Refused(EINVAL)
            if not vgic.has_pmu(vm):
                raise Refused(ENODEV)
            if not pmu.irq:
                raise Refused(ENXIO)
            copy(op.pointer)
            return Result(value=pmu.irq)
        case p.Action.SET:
            if not vgic.has_pmu(vm):
                raise Refused(ENODEV)
            if pmu.created:
                raise Refused(EBUSY)
            if op.attr == p.PMU_V3_IRQ:
                pmu_set_irq(vm, vcpu, op)
            elif op.attr == p.PMU_V3_INIT:
                pmu_init(vm, vcpu)
            elif op.attr in PMU_ATTRS:
                raise NotModelled("PMU filters and counters")
            else:
                raise Refused(ENXIO)
    return OK


def pmu_set_irq(vm: Vm, vcpu: Vcpu, op: p.VcpuAttr) -> None:
    """A VGICv5 takes PPI 23 and nothing else (pmu_irq_is_valid())."""
    if not vm.vgic:
        raise Refused(EINVAL)
    copy(op.pointer)
    if op.value & 0xFFFF_FFFF != ppi_intid(PMUIRQ):
        raise Refused(EINVAL)
    if vcpu.pmu.irq:
        raise Refused(EBUSY)
    vcpu.pmu.irq = ppi_intid(PMUIRQ)


def pmu_init(vm: Vm, vcpu: Vcpu) -> None:
    """kvm_arm_pmu_v3_init(): this is when this vCPU's PPI 23 gets its owner."""
    if vm.vgic:
        if not vm.initialized:
            raise Refused(ENODEV)
        vcpu.pmu.irq = ppi_intid(PMUIRQ)
        vgic.set_owner(vm, vcpu, PMUIRQ, "pmu")
    vcpu.pmu.created = True


def timer_attr(vm: Vm, op: p.VcpuAttr) -> Result:
    """arch_timer.c kvm_arm_timer_{set,get,has}_attr(): the interrupts are the VM's.

    Any PPI is accepted here; one that is not the architected one fails the first run.
    """
    known = op.attr in TIMER_ATTRS
    if op.action is p.Action.SET:
        if not vm.vgic:
            raise Refused(EINVAL)
        copy(op.pointer)
        irq = op.value & 0xFFFF_FFFF
        if not is_ppi(irq):
            raise Refused(EINVAL)
        if vm.timer_irqs_immutable:
            raise Refused(EBUSY)
        if known:
            vm.timer_irqs[op.attr] = irq
    if not known:
        raise Refused(ENXIO)
    if op.action is p.Action.GET:
        copy(op.pointer)
        return Result(value=vm.timer_irqs[op.attr])
    return OK


def is_ppi(intid: int) -> bool:
    """arm_vgic.h __irq_is_ppi() of a VGICv5: the bits between TYPE and ID are not looked at."""
    return intid >> 29 == 1 and intid & 0xFF_FFFF < NR_PPIS


# --- interrupts from userspace -------------------------------------------------------------------


def irq_line(vm: Vm, op: p.IrqLine) -> None:
    """arm.c kvm_vm_ioctl_irq_line().  The vCPU is named by its id."""
    vcpu = by_id(vm, op.vcpu)
    if op.type == p.IRQ_TYPE_CPU:
        if vm.vgic:
            raise Refused(ENXIO)
        if vcpu is None or op.number > 1:
            raise Refused(EINVAL)
        cpu_line(vcpu, op)
        return
    if op.type not in (p.IRQ_TYPE_SPI, p.IRQ_TYPE_PPI):
        raise Refused(EINVAL)
    if not vm.vgic:
        raise Refused(ENXIO)
    if not vm.initialized:  # vgic_lazy_init() is for a GICv2
        raise Refused(EBUSY)
    if op.type == p.IRQ_TYPE_SPI and vm.irs is not None:
        kvm_irs.irq_line(vm.irs, op.number, bool(op.level))
        return
    if op.type == p.IRQ_TYPE_SPI or vcpu is None:
        raise Refused(EINVAL)
    if not vm.userspace_ppis >> op.number & 1:  # also if there is no such PPI
        raise Refused(EINVAL)
    vgic.inject(vm, vcpu, op.number, bool(op.level))


def cpu_line(vcpu: Vcpu, op: p.IrqLine) -> None:
    """vcpu_interrupt_line(): HCR_EL2.VI for an IRQ; an FIQ wakes a vCPU, but no guest takes it."""
    if op.number == 1 and op.level:
        raise NotModelled("a virtual FIQ")
    if op.number == 0:
        vcpu.virtual_irq = bool(op.level)


# --- single registers ----------------------------------------------------------------------------


SYSREG: Final = 0x6030_0000_0013_0000  # KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM64_SYSREG


def sysreg_id(op0: int, op1: int, crn: int, crm: int, op2: int) -> int:
    """ARM64_SYS_REG()."""
    return SYSREG | op0 << 14 | op1 << 11 | crn << 7 | crm << 3 | op2


MPIDR: Final = sysreg_id(3, 0, 0, 0, 5)
ID_AA64PFR2: Final = sysreg_id(3, 0, 0, 4, 2)
PMCR: Final = sysreg_id(3, 3, 9, 12, 0)
PMOVSSET: Final = sysreg_id(3, 3, 9, 14, 3)
PMINTENSET: Final = sysreg_id(3, 0, 9, 14, 1)


def one_reg(vm: Vm, vcpu: Vcpu, op: p.OneReg) -> Result:
    """guest.c kvm_arm_{get,set}_reg().  Only what a PPI can depend on."""
    if not vcpu.initialized:
        raise Refused(ENOEXEC)
    encoding = op.id & 0xFFFF
    if op.id == SYSREG | encoding and encoding in BY_ENCODING:
        reg = BY_ENCODING[encoding]
        if reg.name.startswith("IC"):  # sys_regs.c gives them no storage of their own
            raise Refused(ENOENT)
    if op.action is p.Action.GET and op.id == MPIDR:
        return Result(value=vcpu.mpidr, known=0xFF_00FF_FFFF)
    if op.action is p.Action.GET and op.id == ID_AA64PFR2:
        return Result(value=vm.vgic << 12, known=0xF000 if vm.vgic or vm.has_ran_once else 0)
    if op.action is p.Action.SET and op.id in (PMCR, PMOVSSET, PMINTENSET):
        pmu_reg(vm, vcpu, op)
        return OK
    raise NotModelled(f"register {op.id:#x}")


def pmu_reg(vm: Vm, vcpu: Vcpu, op: p.OneReg) -> None:
    """sys_regs.c set_pmcr(), set_pmreg(): how userspace makes the PMU raise PPI 23."""
    if not vgic.has_pmu(vm):
        raise Refused(ENOENT)
    if op.id != PMCR and op.value & ~CYCLE_COUNTER:
        raise NotModelled("a PMU counter other than the cycle counter")
    if op.id == PMCR:
        vcpu.pmu.enable = bool(op.value & 1)
    elif op.id == PMOVSSET:
        vcpu.pmu.overflow = op.value
    else:
        vcpu.pmu.interrupt = op.value
