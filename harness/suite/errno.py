# SPDX-License-Identifier: GPL-2.0-or-later
"""errno: what each ioctl refuses, and with which errno; that a refusal leaves the VM usable.

Needs neither order nor masking: passes on stock, unmasked and masked.  The accessors' own errors
are in errno_sysregs.py (and what a kernel without them says).

Shows F.5 #10 (KVM_RUN before INIT kills the VM) and #11 (INIT without vCPUs).  Kills 848fa8373a53
(a vGIC that is ready before it is initialised), and an unchecked KVM_IRQ_LINE number (F.7).
"""

from __future__ import annotations

from harness.irs import IrsRegister as Reg
from harness.ppi import CNTP, CNTV, NR_PPIS, PMUIRQ, SW_PPI, ppi_intid
from harness.program import (
    ADDR_IRS,
    CTRL_INIT,
    CTRL_USERSPACE_PPIS,
    DEV_TYPE_VGIC_V2,
    DEV_TYPE_VGIC_V3,
    FEATURE_PMU_V3,
    FEATURE_PSCI_0_2,
    GRP_ADDR,
    GRP_CTRL,
    GRP_IRS_REGS,
    GRP_NR_IRQS,
    IRQ_TYPE_CPU,
    IRQ_TYPE_PPI,
    IRQ_TYPE_SPI,
    IRS_BASE,
    PMU_V3_INIT,
    PMU_V3_IRQ,
    TIMER_IRQ_PTIMER,
    TIMER_IRQ_VTIMER,
    VCPU_PMU_V3,
    VCPU_TIMER,
    Action,
    Capability,
    CopyReg,
    CreateDevice,
    CreateVcpu,
    CreateVm,
    DeviceAttr,
    GuestOp,
    InitVcpu,
    IrqLine,
    IrsRead,
    IrsWrite,
    Ist,
    Op,
    PlaceIrs,
    Pointer,
    Program,
    VcpuAttr,
    Window,
    init_device,
    pmu_init,
)
from harness.suite.shapes import enable_all, inject, listen, new_vm, program, run, vcpus, vgic, view

PMU = FEATURE_PSCI_0_2 | FEATURE_PMU_V3
ALIVE = run(enable_all(), view())


def _actions(group: int, attr: int, value: int = 0) -> list[Op]:
    return [DeviceAttr(action, group, attr, value) for action in Action]


def _create_device() -> list[Program]:
    return [
        program("errno/create-device-test", CreateVm(), CreateDevice(test=True),
                CreateDevice(type=DEV_TYPE_VGIC_V3, test=True), CreateDevice(type=99, test=True),
                new_vm()[1:], CreateDevice(test=True), ALIVE),
        program("errno/create-device-twice", CreateVm(), vgic(), CreateDevice(),
                vcpus(), init_device(), CreateDevice(), ALIVE, CreateDevice()),
        program("errno/create-device-unknown-type", CreateVm(), CreateDevice(type=99),
                CreateDevice(type=0), new_vm()[1:], ALIVE),
        program("errno/create-device-v2-or-v3-after-v5", CreateVm(), vgic(),
                CreateDevice(type=DEV_TYPE_VGIC_V2), CreateDevice(type=DEV_TYPE_VGIC_V3),
                vcpus(), init_device(), ALIVE),
        program("errno/create-device-after-run", CreateVm(), vcpus(), run(), CreateDevice(),
                run()),
        program("errno/create-device-after-another-vcpu-ran", CreateVm(), vcpus(2), run(vcpu=1),
                CreateDevice(), run()),
    ]  # fmt: skip


def _init() -> list[Program]:
    return [
        program("errno/init-twice", new_vm(), init_device(), ALIVE, init_device(), ALIVE),
        program("errno/init-without-vcpus", CreateVm(), CreateDevice(), init_device()),
        program("errno/init-without-vcpus-then-create", CreateVm(), CreateDevice(), init_device(),
                CreateVcpu(), init_device()),
        program("errno/init-get-and-has", CreateVm(), vgic(), vcpus(),
                DeviceAttr(Action.GET, GRP_CTRL, CTRL_INIT),
                DeviceAttr(Action.HAS, GRP_CTRL, CTRL_INIT), init_device(),
                DeviceAttr(Action.GET, GRP_CTRL, CTRL_INIT),
                DeviceAttr(Action.HAS, GRP_CTRL, CTRL_INIT), ALIVE),
        program("errno/create-vcpu-after-init", new_vm(), CreateVcpu(vcpu=1, id=1), ALIVE),
        program("errno/create-vcpu-id-too-large", CreateVm(), vgic(),
                CreateVcpu(vcpu=1, id=512), CreateVcpu(vcpu=1, id=0xFFFF), vcpus(),
                init_device(), ALIVE),
        program("errno/create-vcpu-id-twice", CreateVm(), vgic(), CreateVcpu(),
                CreateVcpu(vcpu=1, id=0), InitVcpu(), init_device(), ALIVE),
    ]  # fmt: skip


def _attributes() -> list[Program]:
    """What the VGICv5 device does not have, and the attribute that it has."""
    ppis = DeviceAttr(Action.GET, GRP_CTRL, CTRL_USERSPACE_PPIS)
    unknown = {
        "addr-v2-dist": (GRP_ADDR, 0), "addr-v3-dist": (GRP_ADDR, 2), "nr-irqs": (GRP_NR_IRQS, 0),
        "dist-regs": (1, 0), "redist-regs": (5, 0), "level-info": (7, 0), "group-255": (255, 0),
        "ctrl-save-its": (GRP_CTRL, 1), "ctrl-restore-its": (GRP_CTRL, 2),
        "ctrl-save-pending": (GRP_CTRL, 3), "ctrl-6": (GRP_CTRL, 6),
    }  # fmt: skip
    return [
        program("errno/userspace-ppis", CreateVm(), vgic(),
                _actions(GRP_CTRL, CTRL_USERSPACE_PPIS, 0xFF), vcpus(), init_device(),
                _actions(GRP_CTRL, CTRL_USERSPACE_PPIS, 0xFF), ppis, ALIVE, ppis),
        program("errno/userspace-ppis-bad-pointer", new_vm(),
                DeviceAttr(Action.GET, GRP_CTRL, CTRL_USERSPACE_PPIS, pointer=Pointer.NULL),
                DeviceAttr(Action.GET, GRP_CTRL, CTRL_USERSPACE_PPIS, pointer=Pointer.UNMAPPED),
                DeviceAttr(Action.SET, GRP_CTRL, CTRL_USERSPACE_PPIS, pointer=Pointer.NULL),
                ppis, ALIVE),
        *(program(f"errno/attribute-{name}", CreateVm(), vgic(), _actions(*where, 64),
                  vcpus(), init_device(), _actions(*where, 64), ALIVE)
          for name, where in unknown.items()),
    ]  # fmt: skip


def _irs() -> list[Program]:
    """What SPIs, LPIs and an IRS need: all of it is new in 7.4, and unknown to a kernel before.

    Both kinds of kernel are in the model, and each of these programs tells them apart.
    """
    regs = [op for offset in (0x0, 0x80, 0x180, 0x30) for op in _actions(GRP_IRS_REGS, offset)]
    ists = [Ist(action) for action in Action]
    outside: dict[str, GuestOp] = {
        "load": IrsRead(Reg.IDR0), "load-wide": IrsRead(Reg.IST_BASER, wide=True),
        "store": IrsWrite(Reg.PE_SELR), "store-wide": IrsWrite(Reg.IST_BASER, wide=True),
    }  # fmt: skip
    only_vgic = frozenset({Capability.VGIC_V5})
    return [
        program("errno/attribute-addr-irs", CreateVm(), CreateDevice(),
                _actions(GRP_ADDR, ADDR_IRS, IRS_BASE), vcpus(), init_device(),
                _actions(GRP_ADDR, ADDR_IRS, IRS_BASE), ALIVE, needs=only_vgic),
        program("errno/attribute-addr-5-and-7", CreateVm(), vgic(), _actions(GRP_ADDR, 5),
                _actions(GRP_ADDR, 7, IRS_BASE), vcpus(), init_device(), ALIVE),
        program("errno/attribute-irs-regs", new_vm(), regs, run(), needs=only_vgic),
        program("errno/attribute-ist", new_vm(), ists, ALIVE, needs=only_vgic),
        program("errno/attribute-ist-before-init", CreateVm(), vgic(), vcpus(), ists,
                init_device(), ALIVE, needs=only_vgic),
        program("errno/attribute-ist-1", new_vm(), (Ist(action, attr=1) for action in Action),
                ALIVE, needs=only_vgic),
        program("errno/attribute-ist-bad-pointer", new_vm(),
                (Ist(action, pointer=pointer) for action in (Action.SET, Action.GET)
                 for pointer in (Pointer.NULL, Pointer.UNMAPPED)), ALIVE, needs=only_vgic),
        program("errno/copy-of-an-irs-register", new_vm(), new_vm(vm=1),
                CopyReg(Reg.IDR0, group=GRP_IRS_REGS), ALIVE, needs=only_vgic),
        program("errno/place-irs-twice", new_vm()[:-1], PlaceIrs(), init_device(), PlaceIrs(),
                ALIVE),
        program("errno/place-irs-without-a-device", CreateVm(), PlaceIrs(), vgic(), vcpus(),
                init_device(), ALIVE),
        *(program(f"errno/irs-frame-{name}", new_vm(2), run(enable_all(), access, enable_all()),
                  run(vcpu=1), run(enable_all(), access), ALIVE, needs=only_vgic)
          for name, access in outside.items()),
        program("errno/irs-frame-of-a-vm-without-a-vgic", CreateVm(), vcpus(), run(),
                run(IrsRead(Reg.IDR0)), run(IrsWrite(Reg.CR0, 1)), run(), needs=only_vgic),
    ]  # fmt: skip


def _run() -> list[Program]:
    dead: list[Op] = [
        run(), init_device(), inject(), CreateVcpu(vcpu=1, id=1), InitVcpu(), CreateDevice(),
        DeviceAttr(Action.GET, GRP_CTRL, CTRL_USERSPACE_PPIS),
        VcpuAttr(Action.HAS, VCPU_TIMER, TIMER_IRQ_VTIMER), run(),
    ]  # fmt: skip
    return [
        program("errno/run-before-init-kills-the-vm", CreateVm(), vgic(), vcpus(), dead),
        program("errno/run-of-1-before-init-kills-the-vm", CreateVm(), vgic(), vcpus(2),
                run(vcpu=1), run(), init_device()),
        program("errno/run-before-vcpu-init", CreateVm(), vgic(), CreateVcpu(),
                init_device(), run(), InitVcpu(), ALIVE),
        program("errno/run-before-vcpu-init-and-init", CreateVm(), vgic(), CreateVcpu(),
                run(), InitVcpu(), init_device(), ALIVE),
        program("errno/run-without-pmu-init", new_vm(pmu=()), run(), run(), pmu_init(), ALIVE),
    ]  # fmt: skip


def _vcpu_init() -> list[Program]:
    return [
        program("errno/vcpu-init-unknown-feature", CreateVm(), vgic(), CreateVcpu(),
                InitVcpu(features=1 << 31), InitVcpu(), init_device(), ALIVE),
        program("errno/vcpu-init-with-other-features", CreateVm(), vgic(), CreateVcpu(),
                InitVcpu(), InitVcpu(features=0), InitVcpu(), init_device(), ALIVE,
                InitVcpu(features=0), ALIVE),
        program("errno/vcpu-init-pmu-on-one-only", CreateVm(), vgic(), CreateVcpu(),
                CreateVcpu(vcpu=1, id=1), InitVcpu(), InitVcpu(vcpu=1, features=PMU),
                InitVcpu(vcpu=1), init_device(), ALIVE, run(enable_all(), vcpu=1)),
    ]  # fmt: skip


def _irq_line() -> list[Program]:
    """Only the SW_PPI of an existing vCPU, only after INIT."""
    return [
        program("errno/irq-line-each-ppi", new_vm(), run(listen(SW_PPI)),
                (IrqLine(n, 1) for n in range(NR_PPIS) if n != SW_PPI),
                IrqLine(64, 1), IrqLine(65, 1), IrqLine(128, 1), IrqLine(0xFFFF, 1),
                run(view(), Window())),
        program("errno/irq-line-each-ppi-level-0", new_vm(),
                (IrqLine(n, 0) for n in range(NR_PPIS + 1)), ALIVE),
        program("errno/irq-line-each-ppi-with-pmu", new_vm(pmu=(0,)), run(listen(SW_PPI, PMUIRQ)),
                (IrqLine(n, 1) for n in (PMUIRQ, CNTV, CNTP, 26, 28)), run(view(), Window())),
        program("errno/irq-line-before-init", CreateVm(), vgic(), inject(), vcpus(),
                inject(), IrqLine(64, 1), IrqLine(5, 1, type=IRQ_TYPE_SPI), inject(9),
                init_device(), run(view(), listen(SW_PPI), Window())),
        program("errno/irq-line-unknown-vcpu", new_vm(2), inject(2), inject(255), inject(511),
                inject(4095), ALIVE, run(view(), vcpu=1)),
        program("errno/irq-line-vcpu-index-is-not-an-id", new_vm(ids=(17, 3)), inject(0), inject(1),
                ALIVE, run(view(), vcpu=1)),
        program("errno/irq-line-spi", new_vm(),
                (IrqLine(n, level, type=IRQ_TYPE_SPI) for n in (0, 1, 31, 32, 64, 1019, 0xFFFF)
                 for level in (1, 0)), ALIVE),
        program("errno/irq-line-cpu", new_vm(), IrqLine(0, 1, type=IRQ_TYPE_CPU),
                IrqLine(1, 1, type=IRQ_TYPE_CPU), IrqLine(2, 1, type=IRQ_TYPE_CPU), ALIVE),
        program("errno/irq-line-unknown-type", new_vm(), IrqLine(SW_PPI, 1, type=3),
                IrqLine(SW_PPI, 1, type=15), ALIVE),
        program("errno/irq-line-order-of-checks", new_vm(), IrqLine(64, 1, vcpu=9),
                IrqLine(5, 1, vcpu=9), IrqLine(SW_PPI, 1, vcpu=9, type=IRQ_TYPE_PPI), ALIVE),
    ]  # fmt: skip


def _timer_attributes() -> list[Program]:
    def attr(action: Action, which: int, value: int = 0, vcpu: int = 0) -> VcpuAttr:
        return VcpuAttr(action, VCPU_TIMER, which, value, vcpu=vcpu)

    v, p = TIMER_IRQ_VTIMER, TIMER_IRQ_PTIMER
    bad = (27, 0, CNTV | 3 << 29, CNTV | 2 << 29, ppi_intid(128), -1 & 0xFFFF_FFFF)
    return [
        program("errno/timer-irq-default", new_vm(), attr(Action.GET, v), attr(Action.GET, p),
                attr(Action.HAS, v), attr(Action.HAS, p), attr(Action.SET, v, ppi_intid(CNTV)),
                attr(Action.SET, p, ppi_intid(CNTP)), attr(Action.GET, v), ALIVE,
                attr(Action.GET, v), attr(Action.GET, p)),
        program("errno/timer-irq-not-a-v5-ppi", new_vm(),
                (attr(Action.SET, v, value) for value in bad), attr(Action.GET, v), ALIVE),
        program("errno/timer-irq-other-ppi", new_vm(), attr(Action.SET, v, ppi_intid(28)),
                attr(Action.GET, v), run(), run(), attr(Action.SET, v, ppi_intid(CNTV)), ALIVE),
        program("errno/timer-irqs-swapped", new_vm(), attr(Action.SET, v, ppi_intid(CNTP)),
                attr(Action.SET, p, ppi_intid(CNTV)), run()),
        program("errno/timer-irq-after-run", new_vm(2), run(vcpu=0),
                attr(Action.SET, v, ppi_intid(CNTV)),
                attr(Action.SET, v, ppi_intid(CNTV), vcpu=1), attr(Action.GET, v, vcpu=1), ALIVE),
        program("errno/timer-irq-unknown-attribute", new_vm(),
                (attr(action, 9, ppi_intid(CNTV)) for action in Action), ALIVE),
        program("errno/timer-irq-bad-pointer", new_vm(),
                (VcpuAttr(action, VCPU_TIMER, v, pointer=pointer) for action in Action
                 for pointer in (Pointer.NULL, Pointer.UNMAPPED)), ALIVE),
        program("errno/timer-irq-before-the-vgic", CreateVm(), CreateVcpu(), InitVcpu(),
                attr(Action.SET, v, ppi_intid(CNTV)), attr(Action.GET, v), vgic(),
                attr(Action.GET, v), attr(Action.SET, v, ppi_intid(CNTV)), init_device(), ALIVE),
        program("errno/vcpu-unknown-group", new_vm(),
                (VcpuAttr(action, 99) for action in Action), ALIVE),
    ]  # fmt: skip


def _pmu_attributes() -> list[Program]:
    def irq(action: Action, value: int = 0, vcpu: int = 0) -> VcpuAttr:
        return VcpuAttr(action, VCPU_PMU_V3, PMU_V3_IRQ, value, vcpu=vcpu)

    good = ppi_intid(PMUIRQ)
    has = VcpuAttr(Action.HAS, VCPU_PMU_V3, PMU_V3_INIT)
    return [
        program("errno/pmu-irq", new_vm(pmu=()), irq(Action.GET), irq(Action.HAS),
                (irq(Action.SET, v) for v in (23, 0, ppi_intid(22), ppi_intid(27), 23 | 3 << 29)),
                irq(Action.GET), irq(Action.SET, good), irq(Action.GET), irq(Action.SET, good),
                pmu_init(), irq(Action.SET, good), irq(Action.GET), ALIVE),
        program("errno/pmu-irq-unset", new_vm(pmu=()), irq(Action.GET), pmu_init(),
                irq(Action.GET), ALIVE),
        program("errno/pmu-irq-bad-pointer", new_vm(pmu=()),
                VcpuAttr(Action.SET, VCPU_PMU_V3, PMU_V3_IRQ, pointer=Pointer.NULL),
                VcpuAttr(Action.SET, VCPU_PMU_V3, PMU_V3_IRQ, pointer=Pointer.UNMAPPED),
                irq(Action.SET, good),
                VcpuAttr(Action.GET, VCPU_PMU_V3, PMU_V3_IRQ, pointer=Pointer.UNMAPPED),
                pmu_init(), ALIVE),
        program("errno/pmu-init-twice", new_vm(pmu=(0,)), pmu_init(), ALIVE, pmu_init(), ALIVE),
        program("errno/pmu-init-before-vgic-init", CreateVm(), vgic(), vcpus(pmu=()),
                pmu_init(), init_device(), pmu_init(), ALIVE),
        program("errno/pmu-init-get-and-has", new_vm(pmu=()), has,
                VcpuAttr(Action.GET, VCPU_PMU_V3, PMU_V3_INIT), pmu_init(), has, ALIVE),
        program("errno/pmu-unknown-attribute", new_vm(pmu=()),
                (VcpuAttr(action, VCPU_PMU_V3, 99) for action in Action), pmu_init(), ALIVE),
        program("errno/pmu-attributes-without-the-feature", new_vm(), irq(Action.SET, good),
                irq(Action.GET), irq(Action.HAS), pmu_init(), has, ALIVE),
    ]  # fmt: skip


def programs() -> tuple[Program, ...]:
    return (
        *_create_device(), *_init(), *_attributes(), *_irs(), *_run(), *_vcpu_init(), *_irq_line(),
        *_timer_attributes(), *_pmu_attributes(),
    )  # fmt: skip
