# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs: what to do on a host, as data.

A program is a list of operations.  Each operation is one KVM ioctl (or one ``KVM_RUN`` with a list
of guest operations) and yields one result, in order (trace.py).  An operation that fails does not
end the program: its errno is its result.

VMs and vCPUs are named by small indices of the program's own: ``vcpu`` counts in creation order,
which is the kernel's index, and is not the vCPU id.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import Final

from harness.guest_ops import GuestOp, IrsRead, IrsWrite, Read, Spin, Wfi, Window, Write
from harness.irs import Table
from harness.ppi import Register, reg

# What a program says, whoever does it, is to be had here.
__all__ = ["GuestOp", "IrsRead", "IrsWrite", "Read", "Spin", "Wfi", "Window", "Write"]

MAX_VMS: Final = 4
MAX_VCPUS: Final = 8
MAX_RECORDS: Final = 1024
MAX_BRANCHES: Final = 4
MAX_DELAY_NS: Final = 10_000_000
MAX_IST_BYTES: Final = 4 << 16  # a saved LPI IST with 16 bits of ID, 4 bytes an entry

# include/uapi/linux/kvm.h and arch/arm64/include/uapi/asm/kvm.h, Linux 7.3
DEV_TYPE_VGIC_V2: Final = 5
DEV_TYPE_VGIC_V3: Final = 7
DEV_TYPE_VGIC_V5: Final = 16
GRP_ADDR: Final = 0
GRP_NR_IRQS: Final = 3
GRP_CTRL: Final = 4
GRP_CPU_SYSREGS: Final = 6
CTRL_INIT: Final = 0
CTRL_USERSPACE_PPIS: Final = 5
# Queued for Linux 7.4; ADDR_IRS and GRP_IST from the header that kvmtool uses, not from a release.
GRP_IRS_REGS: Final = 10
GRP_IST: Final = 11
ADDR_IRS: Final = 6
VCPU_PMU_V3: Final = 0
PMU_V3_IRQ: Final = 0
PMU_V3_INIT: Final = 1
VCPU_TIMER: Final = 1
TIMER_IRQ_VTIMER: Final = 0
TIMER_IRQ_PTIMER: Final = 1
FEATURE_POWER_OFF: Final = 1 << 0
FEATURE_PSCI_0_2: Final = 1 << 2
FEATURE_PMU_V3: Final = 1 << 3
IRQ_TYPE_CPU: Final = 0
IRQ_TYPE_SPI: Final = 1
IRQ_TYPE_PPI: Final = 2

# Where the programs of this harness put a VM's IRS: below the guest's own MMIO (guest/mailbox.h).
IRS_BASE: Final = 0x0800_0000
IRS_FRAME_SIZE: Final = 0x2_0000  # CONFIG and SETLPI frame, 64 KiB each


class Action(IntEnum):
    """Which of the three device-attribute ioctls, or of the two ONE_REG ioctls."""

    SET = 0
    GET = 1
    HAS = 2


class Pointer(IntEnum):
    """What the ``addr`` of an attribute points to."""

    VALUE = 0
    NULL = 1
    UNMAPPED = 2


# --- what userspace does -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CreateVm:
    """KVM_CREATE_VM and one memory slot with the guest in it."""

    vm: int = 0


@dataclass(frozen=True, slots=True)
class CloseVm:
    """Close every file descriptor of the VM."""

    vm: int = 0


@dataclass(frozen=True, slots=True)
class CreateDevice:
    """KVM_CREATE_DEVICE; ``test``: with KVM_CREATE_DEVICE_TEST."""

    vm: int = 0
    type: int = DEV_TYPE_VGIC_V5
    test: bool = False


@dataclass(frozen=True, slots=True)
class PlaceIrs:
    """ADDR of the IRS, on a device that has that attribute; value: 1 if it was set, else 0.

    From Linux 7.4 on a VM whose IRS has no address cannot run; before, there is no IRS.  Programs
    are built without a kernel and must be valid on both, so it is the target that decides: it asks
    KVM_HAS_DEVICE_ATTR, sets the address if the answer is yes (ret is then that of the SET), and
    does nothing on ENXIO (ret 0).  The trace says which it was, and the model knows which it should
    be: no kernel is excused.
    """

    vm: int = 0
    address: int = IRS_BASE


@dataclass(frozen=True, slots=True)
class CreateVcpu:
    """KVM_CREATE_VCPU with this id."""

    vm: int = 0
    vcpu: int = 0
    id: int = 0


@dataclass(frozen=True, slots=True)
class InitVcpu:
    """KVM_ARM_VCPU_INIT with the preferred target and these features (word 0).

    Then PC and x0 are set, so that the vCPU starts with the guest of this harness.
    """

    vm: int = 0
    vcpu: int = 0
    features: int = FEATURE_PSCI_0_2


@dataclass(frozen=True, slots=True)
class DeviceAttr:
    """KVM_{SET,GET,HAS}_DEVICE_ATTR on the VM's vGIC.

    GET: value and extra are the first two 64-bit words that the kernel wrote.
    """

    action: Action
    group: int
    attr: int = 0
    value: int = 0
    pointer: Pointer = Pointer.VALUE
    vm: int = 0


@dataclass(frozen=True, slots=True)
class VcpuAttr:
    """The same on a vCPU.  The value is a 32-bit int, as the PMU and timer groups want."""

    action: Action
    group: int
    attr: int = 0
    value: int = 0
    pointer: Pointer = Pointer.VALUE
    vm: int = 0
    vcpu: int = 0


@dataclass(frozen=True, slots=True)
class CopyReg:
    """GET a register of this VM's device (group CPU_SYSREGS or IRS_REGS), SET it on another VM's.

    The result is that of the SET if the GET succeeded; value: what was read, whatever SET says.
    """

    attr: int
    vm: int = 0
    to_vm: int = 1
    group: int = GRP_CPU_SYSREGS


@dataclass(frozen=True, slots=True)
class Ist:
    """KVM_{SET,GET,HAS}_DEVICE_ATTR of the group IST: save or restore a VM's interrupt state.

    The executor keeps MAX_VMS *images*, each with room for the entries of both tables; they are
    zero when a program starts.  GET saves into image ``image``, SET restores from it: another VM
    may take what this one gave.  ``spi_bytes`` and ``lpi_bytes`` (at most MAX_IST_BYTES) are the
    sizes that the kernel is told; 0: no address either.  ``pointer``: that of the descriptor.

    Of a GET, value is the CRC-32 of the SPI bytes, and extra that of the LPI bytes, so that every
    word is compared; IstEntry shows single ones.
    """

    action: Action
    spi_bytes: int = 128
    lpi_bytes: int = 0
    image: int = 0
    attr: int = 0
    pointer: Pointer = Pointer.VALUE
    vm: int = 0


@dataclass(frozen=True, slots=True)
class IstEntry:
    """GET or SET one 32-bit entry of an image.  No ioctl; there is always such an entry."""

    action: Action
    table: Table
    index: int
    value: int = 0
    image: int = 0


@dataclass(frozen=True, slots=True)
class OneReg:
    """KVM_GET_ONE_REG / KVM_SET_ONE_REG of a 64-bit register."""

    action: Action
    id: int
    value: int = 0
    vm: int = 0
    vcpu: int = 0


@dataclass(frozen=True, slots=True)
class IrqLine:
    """KVM_IRQ_LINE with this type, vCPU *id* (as kvm_get_vcpu_by_id() takes it) and number.

    The vCPU means nothing for an SPI.
    """

    number: int
    level: int
    vm: int = 0
    vcpu: int = 0
    type: int = IRQ_TYPE_PPI


@dataclass(frozen=True, slots=True)
class Run:
    """KVM_RUN until the guest has executed its list.  Its result is followed by one per guest op.

    The result's value is a RunEnd (with -EINTR if INTERRUPTED); extra is the exit reason if OTHER.
    A vCPU that is powered off is INTERRUPTED after ``wait_ms``.
    """

    guest: tuple[GuestOp, ...] = ()
    vm: int = 0
    vcpu: int = 0
    wait_ms: int = 200


@dataclass(frozen=True, slots=True)
class Delay:
    """Busy-wait this long by the counter; at most MAX_DELAY_NS.  It moves what follows against what
    other branches do, and has no other effect."""

    ns: int


BranchOp = (
    CloseVm | CreateDevice | InitVcpu | DeviceAttr | VcpuAttr | CopyReg | OneReg | IrqLine | Run
    | Delay
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Branch:
    """What one thread does in a parallel section, on host CPU ``cpu`` modulo their number."""

    ops: tuple[BranchOp, ...]
    cpu: int = 0


@dataclass(frozen=True, slots=True)
class Parallel:
    """Branches that start at the same moment; the section ends when all have ended.

    At most MAX_BRANCHES.  A vCPU is run, and initialised again, by one branch only: both ends share
    its mailbox.  Results: one of the section; then branch after branch one of the branch and those
    of its operations.  A branch's value is when it started and when it ended, in ns since all were
    released, 32 bits each: it is not compared.
    """

    branches: tuple[Branch, ...]


Op = (
    CreateVm | CloseVm | CreateDevice | PlaceIrs | CreateVcpu | InitVcpu | DeviceAttr | VcpuAttr
    | CopyReg | Ist | IstEntry | OneReg | IrqLine | Run | Delay | Parallel
)  # fmt: skip


def flat(ops: Iterable[Op]) -> Iterator[Op]:
    """The operations, and those in the branches of each parallel section behind it."""
    for op in ops:
        yield op
        if isinstance(op, Parallel):
            for branch in op.branches:
                yield from branch.ops


class Capability(Enum):
    """What a program needs of the host; the text is what a skip says."""

    VGIC_V5 = "KVM device VGICv5"
    CPU_SYSREGS = "CPU_SYSREGS"
    NO_CPU_SYSREGS = "a kernel without CPU_SYSREGS"
    PMU = "PMUv3"
    IRS = "IRS of a VGICv5"
    CPUS = "two host CPUs"


@dataclass(frozen=True, slots=True)
class Program:
    """``name`` is ``family/what-it-does``: unique and stable, it names the program in reports."""

    name: str
    ops: tuple[Op, ...]
    needs: frozenset[Capability] = field(default=frozenset({Capability.VGIC_V5}))

    @property
    def family(self) -> str:
        return self.name.split("/", 1)[0]


# --- how the registers are addressed -------------------------------------------------------------


def mpidr_affinity(vcpu_id: int) -> int:
    """Bits [63:32] of a CPU_SYSREGS attribute: Aff3..Aff0 of the vCPU with this id.

    arch/arm64/kvm/sys_regs.c reset_mpidr(): Aff0 = id[3:0], Aff1 = id[11:4], Aff2 = id[19:12].
    """
    return (vcpu_id & 0xF) | (vcpu_id >> 4 & 0xFF) << 8 | (vcpu_id >> 12 & 0xFF) << 16


def sysreg_attr(register: Register | str, vcpu_id: int = 0) -> int:
    """The CPU_SYSREGS attribute of a register of the vCPU with this id."""
    r = reg(register) if isinstance(register, str) else register
    return mpidr_affinity(vcpu_id) << 32 | r.encoding


def set_reg(register: str, value: int, vcpu_id: int = 0, vm: int = 0) -> DeviceAttr:
    """Userspace sets a register of a vCPU (CPU_SYSREGS)."""
    attr = sysreg_attr(register, vcpu_id)
    return DeviceAttr(Action.SET, GRP_CPU_SYSREGS, attr, value, vm=vm)


def get_reg(register: str, vcpu_id: int = 0, vm: int = 0) -> DeviceAttr:
    """Userspace gets a register of a vCPU (CPU_SYSREGS)."""
    return DeviceAttr(Action.GET, GRP_CPU_SYSREGS, sysreg_attr(register, vcpu_id), vm=vm)


def init_device(vm: int = 0) -> DeviceAttr:
    """CTRL/INIT."""
    return DeviceAttr(Action.SET, GRP_CTRL, CTRL_INIT, vm=vm)


def irs_reg(action: Action, offset: int, value: int = 0, vm: int = 0) -> DeviceAttr:
    """Userspace's access to a register of the VM's IRS.  Always 64-bit."""
    return DeviceAttr(action, GRP_IRS_REGS, offset, value, vm=vm)


def pmu_init(vcpu: int = 0, vm: int = 0) -> VcpuAttr:
    """PMU_V3/INIT: makes the PMU the owner of PPI 23 on this vCPU."""
    return VcpuAttr(Action.SET, VCPU_PMU_V3, PMU_V3_INIT, pointer=Pointer.NULL, vm=vm, vcpu=vcpu)


def read(name: str) -> Read:
    return Read(reg(name))


def write(name: str, value: int) -> Write:
    return Write(reg(name), value)
