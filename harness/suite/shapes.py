# SPDX-License-Identifier: GPL-2.0-or-later
"""What the programs are made of: VMs, views, and small guest routines."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final

from harness.irs import IrsRegister
from harness.ppi import (
    CNTP,
    CNTV,
    NR_PPIS,
    PMUIRQ,
    REGISTERS,
    SW_PPI,
    U64,
    bits,
    mask_of,
    ppi_intid,
    reg,
)
from harness.program import (
    ADDR_IRS,
    DEV_TYPE_VGIC_V5,
    FEATURE_PMU_V3,
    FEATURE_PSCI_0_2,
    GRP_ADDR,
    GRP_CPU_SYSREGS,
    GRP_IRS_REGS,
    IRQ_TYPE_SPI,
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
    Parallel,
    PlaceIrs,
    Program,
    Read,
    Run,
    Write,
    flat,
    get_reg,
    init_device,
    pmu_init,
    read,
    set_reg,
    write,
)

Ops = tuple[Op, ...]
Guest = tuple[GuestOp, ...]

EXPOSED: Final = mask_of((SW_PPI, CNTV, CNTP))
EXPOSED_PMU: Final = EXPOSED | 1 << PMUIRQ
HIDDEN: Final = U64 & ~EXPOSED
HIDDEN_PMU: Final = U64 & ~EXPOSED_PMU
EVEN: Final = 0x5555_5555_5555_5555
ODD: Final = 0xAAAA_AAAA_AAAA_AAAA

# The three registers whose hidden bits the first run must clear.
STATE: Final = ("ENABLER0", "SACTIVER0", "SPENDR0")
WORD: Final = {"ENABLER0": "enable", "SACTIVER0": "active", "SPENDR0": "pending"}

# KVM's CPU_SYSREGS list, in the order of the encodings.
SYSREGS: Final = tuple(r.name for r in REGISTERS.values() if r.userspace)

# Everything of the GICv5 CPU interface that a guest can read without side effects.
READABLE: Final = tuple(
    r.name
    for r in REGISTERS.values()
    if r.readable and r.name.startswith("ICC_") and r.name != "ICC_HAPR_EL1"
)

# KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM64_SYSREG: with an encoding, a KVM_*_ONE_REG id.
ONE_REG: Final = 0x6030_0000_0013_0000

LOWEST: Final = 0x1F  # the lowest priority; as a priority mask it lets everything pass
NORMAL: Final = 0x10

LPI_TABLE: Final = 0x1020_0000  # no memory there: KVM keeps the LPIs' table elsewhere

PATIENCE: Final = 200  # ms: how long a WFI that must complete may take
BRIEFLY: Final = 50  # ms: what a vCPU that must block costs


# --- programs ------------------------------------------------------------------------------------


def needs_of(ops: Iterable[Op]) -> frozenset[Capability]:
    """What the operations themselves show that a host must have."""
    needs = set()
    for op in flat(ops):
        match op:
            case Parallel():
                needs.add(Capability.CPUS)
            case CreateDevice(type=kind) if kind == DEV_TYPE_VGIC_V5:
                needs.add(Capability.VGIC_V5)
            case DeviceAttr(group=group) if group == GRP_CPU_SYSREGS:
                needs.add(Capability.CPU_SYSREGS)
            case CopyReg(group=group):
                needs.add(Capability.CPU_SYSREGS if group == GRP_CPU_SYSREGS else Capability.IRS)
            case DeviceAttr(group=group) if group == GRP_IRS_REGS:
                needs.add(Capability.IRS)
            case DeviceAttr(group=group, attr=attr) if (group, attr) == (GRP_ADDR, ADDR_IRS):
                needs.add(Capability.IRS)
            case Ist():
                needs.add(Capability.IRS)
            case Run(guest=guest) if any(isinstance(g, IrsRead | IrsWrite) for g in guest):
                needs.add(Capability.IRS)
            case InitVcpu(features=features) if features & FEATURE_PMU_V3:
                needs.add(Capability.PMU)
    return frozenset(needs)


def program(
    name: str, *parts: Op | Iterable[Op], needs: frozenset[Capability] | None = None
) -> Program:
    """A program of these operations; what it needs follows from them unless given."""
    ops = tuple(_flat(parts))
    return Program(name, ops, needs_of(ops) if needs is None else needs)


def irs_program(name: str, *parts: Op | Iterable[Op]) -> Program:
    """A program that needs an IRS, whatever else its operations show."""
    ops = tuple(_flat(parts))
    return Program(name, ops, needs_of(ops) | {Capability.VGIC_V5, Capability.IRS})


def _flat(parts: Iterable[Op | Iterable[Op]]) -> Iterator[Op]:
    for part in parts:
        if isinstance(part, Iterable):
            yield from part
        else:
            yield part


def run(
    *parts: GuestOp | Iterable[GuestOp], vcpu: int = 0, vm: int = 0, wait_ms: int = PATIENCE
) -> Run:
    """One KVM_RUN with this guest list."""
    guest: list[GuestOp] = []
    for part in parts:
        if isinstance(part, Iterable):
            guest += part
        else:
            guest.append(part)
    return Run(tuple(guest), vm, vcpu, wait_ms)


# --- VMs -----------------------------------------------------------------------------------------


def vcpus(
    count: int = 1,
    *,
    pmu: Collection[int] | None = None,
    ids: Sequence[int] | None = None,
    vm: int = 0,
) -> Ops:
    """Create and initialise vCPUs; with the PMUv3 feature if ``pmu`` is not None."""
    features = FEATURE_PSCI_0_2 | (0 if pmu is None else FEATURE_PMU_V3)
    names = range(count) if ids is None else ids
    return (
        *(CreateVcpu(vm, vcpu, id_) for vcpu, id_ in enumerate(names)),
        *(InitVcpu(vm, vcpu, features) for vcpu in range(len(names))),
    )


def vgic(vm: int = 0) -> Ops:
    """A VGICv5 that can run once it is initialised: from 7.4 on its IRS needs an address."""
    return CreateDevice(vm), PlaceIrs(vm)


def new_vm(
    count: int = 1,
    *,
    pmu: Collection[int] | None = None,
    ids: Sequence[int] | None = None,
    vm: int = 0,
) -> Ops:
    """A VM with an initialised VGICv5.

    ``pmu``: the vCPUs that get PMU_V3/INIT; None: the VM has no PMU.  ``ids``: the vCPU ids in
    creation order (then ``count`` is not used).
    """
    return (
        CreateVm(vm),
        *vgic(vm),
        *vcpus(count, pmu=pmu, ids=ids, vm=vm),
        init_device(vm),
        *(pmu_init(vcpu, vm) for vcpu in pmu or ()),
    )


# --- what is looked at ---------------------------------------------------------------------------


def view() -> Guest:
    """The guest reads Enable, Active and Pending."""
    return tuple(read(name) for name in STATE)


def probe() -> Guest:
    """The guest reads everything there is to see."""
    return tuple(read(name) for name in READABLE)


def get_state(vcpu_id: int = 0, vm: int = 0) -> Ops:
    """Userspace gets Enable, Active and Pending."""
    return tuple(get_reg(name, vcpu_id, vm) for name in STATE)


def get_all(vcpu_id: int = 0, vm: int = 0) -> Ops:
    """Userspace gets every register of the CPU_SYSREGS list."""
    return tuple(get_reg(name, vcpu_id, vm) for name in SYSREGS)


def set_state(value: int, vcpu_id: int = 0, vm: int = 0) -> Ops:
    """Userspace sets Enable, Active and Pending to this value."""
    return tuple(set_reg(name, value, vcpu_id, vm) for name in STATE)


# --- what the guest does -------------------------------------------------------------------------


def enable_all() -> Guest:
    """The guest enables all PPIs and reads back which it has: the exposed ones."""
    return (write("ENABLER0", U64), write("ENABLER1", U64))


def priorities(ppis: Iterable[int], priority: int = NORMAL) -> dict[str, int]:
    """The PRIORITYR registers (name -> value) that give just these PPIs this priority."""
    values: dict[str, int] = {}
    for ppi in ppis:
        name = f"PRIORITYR{ppi // 8}"
        values[name] = values.get(name, 0) | priority << 8 * (ppi % 8)
    return values


def prioritise(*ppis: int, priority: int = NORMAL) -> Guest:
    """The guest gives PPIs a priority; their register neighbours get 0."""
    return tuple(write(name, value) for name, value in priorities(ppis, priority).items())


def listen(*ppis: int, priority: int = NORMAL, mask: int = LOWEST) -> Guest:
    """The guest enables these PPIs, and its CPU interface, with this priority mask."""
    return (
        *prioritise(*ppis, priority=priority),
        write("PCR", mask),
        write("CR0", 1),
        write("ENABLER0", mask_of(ppis)),
    )


def fire(timer: int) -> Guest:
    """The guest makes a timer (CNTV or CNTP) fire now, and for as long as it is on."""
    name = {CNTV: "CNTV", CNTP: "CNTP"}[timer]
    return (write(f"{name}_CVAL_EL0", 0), write(f"{name}_CTL_EL0", 1))


def stop(timer: int) -> Write:
    """The guest turns a timer off."""
    return write({CNTV: "CNTV_CTL_EL0", CNTP: "CNTP_CTL_EL0"}[timer], 0)


def acknowledge() -> Read:
    return Read(reg("GICR_CDIA"))


def drop() -> Write:
    return write("CDEOI", 0)


def deactivate(ppi: int) -> Write:
    return write("CDDI", ppi_intid(ppi))


def inject(vcpu_id: int = 0, vm: int = 0, level: int = 1) -> IrqLine:
    """KVM_IRQ_LINE of the SW_PPI.  The ioctl takes the vCPU's id."""
    return IrqLine(SW_PPI, level, vm, vcpu_id)


# --- SPIs and LPIs -------------------------------------------------------------------------------


def irs_enable(on: bool = True) -> IrsWrite:
    """The guest enables its IRS: only then are SPIs and LPIs delivered."""
    return IrsWrite(IrsRegister.CR0, int(on))


def irs_listen(mask: int = LOWEST) -> Guest:
    """The guest enables its IRS and its CPU interface."""
    return (irs_enable(), write("PCR", mask), write("CR0", 1))


def configure(intid: int, priority: int = 8, vcpu_id: int = 0, enable: bool = True) -> Guest:
    """The guest gives an SPI or LPI a priority and a vCPU, and enables it."""
    return (
        write("CDPRI", intid | priority << 35),
        write("CDAFF", intid | vcpu_id << 32),
        *((write("CDEN", intid),) if enable else ()),
    )


def configuration(intid: int) -> Guest:
    """The guest looks an SPI or LPI up."""
    return (write("CDRCFG", intid), read("ICSR"))


def pend(intid: int, pending: bool = True) -> Write:
    """The guest sets or clears the pending state of an SPI or LPI."""
    return write("CDPEND", intid | pending << 32)


def lpi_table(bits: int = 12, base: int = LPI_TABLE) -> Guest:
    """The guest gives its IRS a table for 2^bits LPIs."""
    return (
        IrsWrite(IrsRegister.IST_CFGR, bits),
        IrsWrite(IrsRegister.IST_BASER, base | 1, wide=True),
    )


def take(intid: int) -> Guest:
    """The guest acknowledges what there is, and ends this interrupt."""
    return (acknowledge(), drop(), write("CDDI", intid))


def spi_line(spi: int, level: int = 1, vm: int = 0) -> IrqLine:
    """KVM_IRQ_LINE of an SPI."""
    return IrqLine(spi, level, vm, type=IRQ_TYPE_SPI)


def each_bit(mask: int = U64) -> Iterator[tuple[int, int]]:
    """Bit numbers of the mask and the bit's value."""
    for bit in bits(mask & (1 << NR_PPIS) - 1):
        yield bit, 1 << bit
