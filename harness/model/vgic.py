# SPDX-License-Identifier: GPL-2.0-or-later
"""KVM's GICv5: which PPIs a guest may see, and how their state travels to the guest and back.

Every function is one of arch/arm64/kvm/vgic/vgic-v5.c unless it says otherwise, in Linux 7.3.4 and,
where the seed patch (589d6072f25d) changes it, in that patch.
"""

from __future__ import annotations

from collections.abc import Iterable
from errno import EAGAIN, EBUSY, EEXIST, ENODEV, ENXIO

from harness.model import irs
from harness.model.behaviour import Behaviour, Finalize, HostFacts
from harness.model.cpuif import PRIORITY, CpuInterface, lowest
from harness.model.refusals import NotModelled, Refused
from harness.model.state import Vcpu, Vm, implemented_ppis
from harness.ppi import CNTP, PMUIRQ, SW_PPI, bits

SW_PPI_BIT = 1 << SW_PPI


# --- who owns a PPI ------------------------------------------------------------------------------


def set_owner(vm: Vm, vcpu: Vcpu, ppi: int, owner: str) -> None:
    """vgic.c kvm_vgic_set_owner(): the same owner may come again, another may not."""
    if not vm.initialized:
        raise Refused(EAGAIN)
    irq = vcpu.irqs[ppi]
    if irq.owner not in ("", owner):
        raise Refused(EEXIST)
    irq.owner = owner


def map_phys_irq(vcpu: Vcpu, ppi: int) -> None:
    """vgic.c kvm_vgic_map_irq(), with vgic_v5_set_ppi_dvi(): the guest gets the line itself."""
    vcpu.irqs[ppi].hw = True
    vcpu.dvir |= 1 << ppi


def reset_mapped_irq(vcpu: Vcpu, ppi: int) -> None:
    """vgic.c kvm_vgic_reset_mapped_irq().  The bitmap ``activer`` keeps its bit."""
    irq = vcpu.irqs[ppi]
    if irq.hw:
        irq.active = irq.latch = irq.line = False


# --- before the first entry ----------------------------------------------------------------------


def init(vm: Vm, host: HostFacts) -> None:
    """vgic_v5_init(): once.  Userspace may drive the SW_PPI and no other PPI."""
    if vm.irs is not None:
        if not vm.vcpus:
            vm.irs.spis_unsure = True
            raise Refused(ENODEV)
        irs.init(vm.irs)
    vm.userspace_ppis = implemented_ppis(host.pmu) & SW_PPI_BIT
    vm.initialized = True


def map_resources(vm: Vm) -> None:
    """vgic_v5_map_resources(), called by kvm_vgic_map_resources(): its failure kills the VM."""
    if not vm.initialized:
        vm.dead = True
        raise Refused(EBUSY)
    if vm.irs is not None and vm.irs.address is None:
        vm.dead = True
        raise Refused(ENXIO)
    if vm.irs is not None and vm.irs.restored:
        raise NotModelled("to run with an IST that is announced but not restored")


def finalize_ppi_state(vm: Vm, vcpu: Vcpu, host: HostFacts, behaviour: Behaviour) -> None:
    """vgic_v5_finalize_ppi_state(), at a vCPU's first run: what this project is about."""
    if not vm.vgic:
        return
    if behaviour.finalize is Finalize.FIRST_CREATED:
        # "The PPI state for all VCPUs should be the same. Pick the first."  It need not be: owners
        # come one vCPU at a time, and nothing is cleared.
        expose_ppis(vm, vm.vcpus[0], host)
    else:
        expose_ppis(vm, vcpu, host)
        hide_ppis(vm, vcpu)


def expose_ppis(vm: Vm, chosen: Vcpu, host: HostFacts) -> None:
    """Once per VM (a mask with the SW_PPI in it is made): PPIs with an owner, and the SW_PPI."""
    if vm.mask & SW_PPI_BIT:
        return
    for ppi in bits(implemented_ppis(host.pmu)):
        irq = chosen.irqs[ppi]
        if irq.owner or ppi == SW_PPI:
            vm.mask |= 1 << ppi
            vm.hmr |= 0 if irq.edge else 1 << ppi


def hide_ppis(vm: Vm, vcpu: Vcpu) -> None:
    """The seed patch: drop what userspace set for the others, registers and irqs alike.

    Pending needs no register here: flush collects it from the irqs.  Priorities, and the CPU
    interface's own registers, are not cleared.
    """
    vcpu.enabler &= vm.mask
    vcpu.activer &= vm.mask
    for ppi, irq in enumerate(vcpu.irqs):
        irq.enabled = bool(vcpu.enabler >> ppi & 1)
        irq.active = bool(vcpu.activer >> ppi & 1)
        if not vm.mask >> ppi & 1:
            irq.latch = irq.line = False


# --- injection -----------------------------------------------------------------------------------


def inject(vm: Vm, vcpu: Vcpu, ppi: int, level: bool, owner: str = "") -> None:
    """vgic.c kvm_vgic_inject_irq(): ignored if not valid.  Userspace's ``owner`` is ""."""
    irq = vcpu.irqs[ppi] if vm.initialized else None
    if irq is None or irq.owner != owner:  # vgic_validate_injection()
        return
    if not irq.edge:
        irq.line = level
    elif level:  # lowering an Edge PPI does nothing
        irq.latch = True


def update_pmu(vm: Vm, vcpu: Vcpu) -> None:
    """pmu-emul.c kvm_pmu_update_state(), at each entry and exit."""
    if vm.vgic and has_pmu(vm):
        inject(vm, vcpu, PMUIRQ, vcpu.pmu.level, "pmu")


def has_pmu(vm: Vm) -> bool:
    """kvm_vcpu_has_pmu(): a feature of the VM, not of the vCPU."""
    return bool((vm.features or 0) & 1 << 3)


# --- entry and exit ------------------------------------------------------------------------------


def load(vcpu: Vcpu, hw: CpuInterface) -> None:
    """vgic_v5_load(): VMCR and APR."""
    hw.en, hw.vpmr, hw.apr = vcpu.en, vcpu.vpmr, vcpu.apr


def put(vm: Vm, vcpu: Vcpu, hw: CpuInterface, in_wfi: bool = False) -> None:
    """vgic_v5_put(): APR; and, on the way into a WFI, the priorities of the exposed PPIs."""
    vcpu.apr = hw.apr
    if in_wfi:
        for ppi in bits(vm.mask):
            vcpu.irqs[ppi].priority = vcpu.priorityr[ppi // 8] >> ppi % 8 * 8 & PRIORITY


def flush(vm: Vm, vcpu: Vcpu) -> int:
    """vgic_v5_flush_ppi_state(): collect what pends; an edge now travels in ICH_PPI_PENDR."""
    pendr = 0
    for ppi in bits(vm.mask):
        irq = vcpu.irqs[ppi]
        pendr |= irq.pending << ppi
        if irq.edge:
            irq.latch = False
    return pendr


def restore(vcpu: Vcpu, hw: CpuInterface, pendr: int) -> None:
    """hyp/vgic-v5-sr.c __vgic_v5_restore_state(), __vgic_v5_restore_ppi_state().

    PPIs 64-127 are written as 0.
    """
    hw.icsr = vcpu.icsr
    hw.wired = vcpu.dvir
    hw.activer = [vcpu.activer, 0]
    hw.enabler = [vcpu.enabler, 0]
    hw.pendr = pendr & ~vcpu.dvir
    hw.priorityr = [*vcpu.priorityr, *[0] * 8]


def save(vcpu: Vcpu, hw: CpuInterface) -> None:
    """hyp/vgic-v5-sr.c __vgic_v5_save_state(), __vgic_v5_save_ppi_state().

    Enable is not read back: each write of it traps.
    """
    vcpu.en, vcpu.vpmr, vcpu.icsr = hw.en, hw.vpmr, hw.icsr
    vcpu.priorityr = hw.priorityr[:8]


def fold(vm: Vm, vcpu: Vcpu, hw: CpuInterface) -> None:
    """vgic_v5_fold_ppi_state(): the irqs learn about exposed PPIs; the bitmap keeps all 64."""
    for ppi in bits(vm.mask):
        irq = vcpu.irqs[ppi]
        irq.active = bool(hw.activer[0] >> ppi & 1)
        if irq.edge:  # or: an edge that came in meanwhile must not be lost
            irq.latch |= bool(hw.pendr >> ppi & 1)
    vcpu.activer = hw.activer[0]


def enter(vm: Vm, vcpu: Vcpu, hw: CpuInterface) -> None:
    """arm.c kvm_arch_vcpu_ioctl_run(), on the way in: the PMU's line first, then the vGIC."""
    update_pmu(vm, vcpu)
    if vm.vgic:
        restore(vcpu, hw, flush(vm, vcpu))
        if vcpu.ptimer.line is None:
            # An emulated timer that elapses injects at any time, and kicks the guest to see it.
            # (One that is injected directly is wired already.)
            hw.wired |= vm.mask & 1 << CNTP


def leave(vm: Vm, vcpu: Vcpu, hw: CpuInterface) -> None:
    """The same, on the way out."""
    update_pmu(vm, vcpu)
    if vm.vgic:
        save(vcpu, hw)
        fold(vm, vcpu, hw)


# --- is there a reason to wake up? ---------------------------------------------------------------


def effective_priority_mask(vcpu: Vcpu) -> int:
    """vgic_v5_get_effective_priority_mask(): interrupts below this number can be signalled."""
    return min(lowest(vcpu.apr), vcpu.vpmr + 1) if vcpu.en else 0


def wakers(vm: Vm, vcpu: Vcpu) -> Iterable[tuple[int, bool | None]]:
    """vgic_v5_has_pending_ppi(): the PPIs that could make the vCPU runnable, and do they?

    Only exposed PPIs count; that one is active does not matter.  None: if its timer has expired.
    """
    limit = effective_priority_mask(vcpu)
    for ppi in bits(vm.mask):
        irq = vcpu.irqs[ppi]
        if irq.enabled and irq.priority < limit:
            emulated = irq.owner == "ptimer" and not irq.hw and vcpu.ptimer.line is None
            yield ppi, vcpu.timer_of(ppi).line if irq.hw or emulated else irq.pending
