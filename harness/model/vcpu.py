# SPDX-License-Identifier: GPL-2.0-or-later
"""A vCPU's life in KVM: reset, first run, load and put."""

from __future__ import annotations

from collections.abc import Generator
from errno import EINVAL, EIO, ENOENT, ENOEXEC
from typing import Final

from harness.model import vgic
from harness.model.behaviour import Behaviour, HostFacts
from harness.model.cpuif import CpuInterface
from harness.model.pause import Pause
from harness.model.refusals import NotModelled, Refused
from harness.model.state import DEFAULT_TIMER_PPIS, Vcpu, Vm
from harness.model.touches import FirstRun
from harness.ppi import CNTP, CNTV, ppi_intid
from harness.program import FEATURE_PMU_V3, FEATURE_POWER_OFF, FEATURE_PSCI_0_2

VALID_FEATURES: Final = (1 << 10) - 1  # KVM_VCPU_VALID_FEATURES
EL1_32BIT: Final = 1 << 1  # no CPU with GICv5 has AArch32 at EL1
KNOWN_FEATURES: Final = FEATURE_PSCI_0_2 | FEATURE_PMU_V3
TIMERS: Final = ("vtimer", "ptimer")  # kvm_timer_context, as owners


def init(vm: Vm, vcpu: Vcpu, features: int, host: HostFacts) -> None:
    """arm.c kvm_arch_vcpu_ioctl_vcpu_init(), the first time and again."""
    power_off = bool(features & FEATURE_POWER_OFF)  # holds for this call, is not a feature
    features &= ~FEATURE_POWER_OFF
    check_features(features, host)
    if vm.features not in (None, features):  # all vCPUs of a VM have the same
        raise Refused(EINVAL)
    vm.features = features
    vcpu.initialized = True
    reset(vm, vcpu, host)
    vcpu.virtual_irq = False  # vcpu_reset_hcr()
    vcpu.stopped = power_off


def check_features(features: int, host: HostFacts) -> None:
    """arm.c kvm_vcpu_init_check_features()."""
    if features & ~VALID_FEATURES:
        raise Refused(ENOENT)
    if features & EL1_32BIT or (features & FEATURE_PMU_V3 and not host.pmu):
        raise Refused(EINVAL)
    if features & ~KNOWN_FEATURES:
        raise NotModelled(f"vCPU features {features:#x}")


def reset(vm: Vm, vcpu: Vcpu, host: HostFacts) -> None:
    """reset.c kvm_reset_vcpu(), arch_timer.c kvm_timer_vcpu_reset().

    The vGIC has no part in it: enables, active bits, priorities and the CPU interface stay.
    """
    vcpu.vtimer.reset()
    vcpu.ptimer.reset()
    vcpu.pmu.reset()
    if vcpu.timers_enabled and vm.vgic:
        if not host.vhe:  # an emulated timer lowers its line
            vgic.inject(vm, vcpu, CNTP, False, "ptimer")
        vgic.reset_mapped_irq(vcpu, CNTV)
        vgic.reset_mapped_irq(vcpu, CNTP)


# --- the first run -------------------------------------------------------------------------------


def first_run(
    vm: Vm, vcpu: Vcpu, host: HostFacts, behaviour: Behaviour, touch: FirstRun
) -> Generator[Pause, None, None]:
    """arm.c kvm_arch_vcpu_run_pid_change().  A step that fails leaves those before it done.

    Each step holds config_lock, but none holds it until the next: other vCPUs come in between.
    """
    if not vcpu.initialized:
        raise Refused(ENOEXEC)
    if not vcpu.has_run:
        yield Pause("tabulates MPIDRs", touch.tabulate)
        tabulate_mpidrs(vm)
        yield Pause("maps the vGIC", touch.map)
        if vm.vgic:
            vgic.map_resources(vm)
        yield Pause("enables its timers", touch.enable)
        enable_timers(vm, vcpu, host)
        enable_pmu(vm, vcpu)
        yield Pause("finalizes", touch.finalize)
        vgic.finalize_ppi_state(vm, vcpu, host, behaviour)
        yield Pause("marks the VM as run", touch.mark)
        vm.has_ran_once = True
        vcpu.has_run = True
    if vm.dead:  # KVM_REQ_VM_DEAD
        raise Refused(EIO)


def tabulate_mpidrs(vm: Vm) -> None:
    """arm.c kvm_init_mpidr_data(): once, as they are now; the last vCPU with an affinity wins."""
    if vm.mpidr_data or len(vm.vcpus) == 1:
        return
    same_1 = same_0 = (1 << 64) - 1
    for vcpu in vm.vcpus:
        same_1 &= vcpu.mpidr
        same_0 &= ~vcpu.mpidr
    mask = ~(same_1 | same_0) & (1 << 64) - 1
    vm.mpidr_data = mask, {vcpu.mpidr & mask: vcpu for vcpu in vm.vcpus}


def enable_timers(vm: Vm, vcpu: Vcpu, host: HostFacts) -> None:
    """arch_timer.c kvm_timer_enable(): this vCPU's timers become owners of their PPIs."""
    if vcpu.timers_enabled:
        return
    if vm.vgic:
        own_timer_irqs(vm, vcpu)
        vgic.map_phys_irq(vcpu, CNTV)
        if host.vhe:  # else the physical timer is emulated (get_timer_map())
            vgic.map_phys_irq(vcpu, CNTP)
    vcpu.timers_enabled = True


def own_timer_irqs(vm: Vm, vcpu: Vcpu) -> None:
    """arch_timer.c timer_irqs_are_valid(): in order, up to the first that is not as it must be."""
    for timer, irq, ppi in zip(TIMERS, vm.timer_irqs, DEFAULT_TIMER_PPIS, strict=False):
        if irq != ppi_intid(ppi):
            raise Refused(EINVAL)
        vgic.set_owner(vm, vcpu, ppi, timer)  # nobody else can be: these PPIs are the timers'
    vm.timer_irqs_immutable = True


def enable_pmu(vm: Vm, vcpu: Vcpu) -> None:
    """pmu-emul.c kvm_arm_pmu_v3_enable(): PMU_V3/INIT must have been done, to this vCPU."""
    if not vgic.has_pmu(vm):
        return
    if not vcpu.pmu.created:
        raise Refused(EINVAL)
    if vm.vgic != bool(vcpu.pmu.irq):  # an interrupt if and only if there is a vGIC
        raise Refused(EINVAL)


# --- on and off a CPU ----------------------------------------------------------------------------


def load(vm: Vm, vcpu: Vcpu, hw: CpuInterface) -> None:
    """arm.c kvm_arch_vcpu_load(): timers before the vGIC."""
    update_emulated_timer(vm, vcpu)
    if vm.vgic and vm.initialized:
        vgic.load(vcpu, hw)


def put(vm: Vm, vcpu: Vcpu, hw: CpuInterface) -> None:
    """arm.c kvm_arch_vcpu_put()."""
    if vm.vgic and vm.initialized:
        vgic.put(vm, vcpu, hw)


def update_emulated_timer(vm: Vm, vcpu: Vcpu) -> None:
    """arch_timer.c timer_emulate(): a timer that is not injected directly drives its line."""
    if vm.vgic and vcpu.timers_enabled and not vcpu.irqs[CNTP].hw:
        vgic.inject(vm, vcpu, CNTP, bool(vcpu.ptimer.line), "ptimer")
