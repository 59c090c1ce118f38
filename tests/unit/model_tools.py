# SPDX-License-Identifier: GPL-2.0-or-later
"""For the tests of the model: a VM on it, one operation at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from harness.model import Behaviour, Finalize, HostFacts, LateWrites
from harness.model.execution import Execution
from harness.ppi import CNTP, CNTV, PMUIRQ, SW_PPI, U64, mask_of, ppi_intid
from harness.program import (
    FEATURE_PMU_V3,
    FEATURE_PSCI_0_2,
    CreateDevice,
    CreateVcpu,
    CreateVm,
    GuestOp,
    InitVcpu,
    IrqLine,
    Op,
    PlaceIrs,
    Read,
    Run,
    Write,
    get_reg,
    init_device,
    pmu_init,
    reg,
    set_reg,
    write,
)
from harness.trace import Result

EXPOSED: Final = mask_of([SW_PPI, CNTV, CNTP])
EXPOSED_PMU: Final = EXPOSED | 1 << PMUIRQ
HIDDEN: Final = U64 & ~EXPOSED

MASKED: Final = Behaviour()
EXPOSING: Final = Behaviour(late_writes=LateWrites.EXPOSED)
UNMASKED: Final = Behaviour(finalize=Finalize.FIRST_CREATED)
IRS: Final = Behaviour(irs=True)
STOCK: Final = Behaviour(accessors=False, finalize=Finalize.FIRST_CREATED)

CDIA: Final = Read(reg("GICR_CDIA"))
EOI: Final = write("CDEOI", 0)


def deactivate(ppi: int) -> Write:
    return write("CDDI", ppi_intid(ppi))


def fire(timer: str = "CNTV") -> tuple[Write, Write]:
    return write(f"{timer}_CVAL_EL0", 0), write(f"{timer}_CTL_EL0", 1)


def later(ticks: int = 1000, timer: str = "CNTV") -> tuple[Write, Write]:
    return write(f"{timer}_TVAL_EL0", ticks), write(f"{timer}_CTL_EL0", 1)


def listen(*ppis: int) -> tuple[Write, ...]:
    """All priorities are 0, so everything passes."""
    return write("PCR", 0x1F), write("CR0", 1), write("ENABLER0", mask_of(ppis))


class Kernel:
    """A host with (unless ``empty``) a VM 0 with an initialised VGICv5."""

    def __init__(
        self,
        behaviour: Behaviour = MASKED,
        vcpus: int = 1,
        pmu: Collection[int] | None = None,
        host: HostFacts | None = None,
        empty: bool = False,
    ) -> None:
        self.execution = Execution(behaviour, host or HostFacts())
        if not empty:
            self.new_vm(0, vcpus, pmu)

    def new_vm(self, vm: int, vcpus: int = 1, pmu: Collection[int] | None = None) -> None:
        features = FEATURE_PSCI_0_2 | (0 if pmu is None else FEATURE_PMU_V3)
        self(CreateVm(vm), CreateDevice(vm), PlaceIrs(vm))
        self(*(CreateVcpu(vm, i, i) for i in range(vcpus)))
        self(*(InitVcpu(vm, i, features) for i in range(vcpus)))
        self(init_device(vm), *(pmu_init(i, vm) for i in pmu or ()))

    def __call__(self, *ops: Op) -> int:
        """Execute; the last one's return value."""
        return self.results(*ops)[-1].ret if ops else 0

    def results(self, *ops: Op) -> list[Result]:
        return [r for op in ops for r in self.execution.execute(op)]

    def run(self, *guest: GuestOp | Iterable[GuestOp], vcpu: int = 0, vm: int = 0) -> list[Result]:
        """What the guest's operations returned."""
        flat = [op for part in guest for op in (part if isinstance(part, tuple) else (part,))]
        return self.results(Run(tuple(flat), vm, vcpu))[1:]

    def read(self, name: str, vcpu: int = 0, vm: int = 0) -> int:
        """What the guest reads."""
        return self.run(Read(reg(name)), vcpu=vcpu, vm=vm)[0].value

    def write(self, name: str, value: int, vcpu: int = 0, vm: int = 0) -> int:
        """What the guest reads back."""
        return self.run(write(name, value), vcpu=vcpu, vm=vm)[0].value

    def get(self, name: str, vcpu: int = 0, vm: int = 0) -> int:
        result = self.results(get_reg(name, vcpu, vm))[0]
        return result.ret or result.value

    def set(self, name: str, value: int, vcpu: int = 0, vm: int = 0) -> int:
        return self(set_reg(name, value, vcpu, vm))

    def set_state(self, value: int, vcpu: int = 0, vm: int = 0) -> None:
        for name in STATE:
            self.set(name, value, vcpu, vm)

    def get_state(self, vcpu: int = 0, vm: int = 0) -> tuple[int, ...]:
        return tuple(self.get(name, vcpu, vm) for name in STATE)

    def view(self, vcpu: int = 0, vm: int = 0) -> tuple[int, ...]:
        """Enable, Active, Pending as the guest reads them."""
        return tuple(r.value for r in self.run(*(Read(reg(n)) for n in STATE), vcpu=vcpu, vm=vm))

    def inject(self, vcpu_id: int = 0, level: int = 1) -> int:
        return self(IrqLine(SW_PPI, level, vcpu=vcpu_id))


STATE: Final = ("ENABLER0", "SACTIVER0", "SPENDR0")
