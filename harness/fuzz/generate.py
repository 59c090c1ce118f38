# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs from a seed: VMs of many shapes, and what userspace and guests do with them.

A generator of our own, not Hypothesis: driven by it, this code takes 25 times as long, most of what
a program may cost (docs/fuzzing.md); and what a seed makes does not depend on a library's version.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Final

from harness import program as p
from harness.fuzz.sections import with_branch
from harness.fuzz.values import bitmap, value_for
from harness.fuzz.vm_shape import Shape
from harness.model import ioctls
from harness.model.state import CYCLE_COUNTER
from harness.ppi import CNTP, CNTV, PMUIRQ, REGISTERS, SW_PPI, Register, ppi_intid, reg
from harness.suite.shapes import (
    STATE,
    SYSREGS,
    Guest,
    Ops,
    acknowledge,
    deactivate,
    drop,
    enable_all,
    fire,
    get_all,
    get_state,
    inject,
    listen,
    probe,
    run,
    set_state,
    view,
)

BRANCH_STEP: Final = 3  # operations
BRANCH_GUEST: Final = 6
DELAYS: Final = (5, 10, 20, 50, 100, 150, 200, 300, 500)  # us
COUNTS: Final = (1, 1, 1, 2, 2, 2, 2, 2, 2, 3, 3, 4, 5, 8)
SPARSE_IDS: Final = (0, 1, 2, 3, 5, 15, 16, 17, 31, 32, 255, 256, 257, 300, 511)
READS: Final = tuple(r for r in REGISTERS.values() if r.readable)
ICC_WRITES: Final = tuple(r for r in REGISTERS.values() if r.writable and r.name.startswith("ICC_"))
WRITES: Final = tuple(r for r in REGISTERS.values() if r.writable)
PMU_REGS: Final = (ioctls.PMCR, ioctls.PMOVSSET, ioctls.PMINTENSET)


@dataclass(slots=True)
class Generator:
    """Makes one program's operations.

    ``accessors``: the kernel has CPU_SYSREGS.  ``races``: the host has CPUs for parallel sections.
    """

    random: Random
    accessors: bool
    pmu: bool
    races: bool = False

    def ops(self) -> Ops:
        """Operations that the model may have no answer for: see ``modelled.mended``."""
        source = self.shape(0)
        ops = list(source.created())
        kind = self.random.random()
        if kind < 0.12:  # a second VM, at the same time
            shapes = [source, self.shape(1)]
            ops += shapes[1].created()
            ops += self.body(shapes)
        elif kind < 0.24 and self.accessors and source.vgic:  # saved, restored into a new VM
            ops += self.body([source])
            ops += self.migration(source)
            shapes = [source, replace(source, vm=1)]
            ops += self.body(shapes, short=True)
        else:
            shapes = [source]
            ops += self.body(shapes)
        if self.random.random() < 0.04:
            self.disorder(ops)
        return (*ops, *self.tail(shapes))

    # --- VMs -------------------------------------------------------------------------------------

    def shape(self, vm: int) -> Shape:
        random = self.random
        count = random.choice(COUNTS)
        ids = tuple(range(count))
        if random.random() < 0.2:
            ids = tuple(random.sample(SPARSE_IDS, count))
        pmu: tuple[int, ...] | None = None
        if self.pmu and random.random() < 0.4:
            pmu = tuple(random.sample(range(count), count))
            if random.random() < 0.2:
                pmu = pmu[: random.randrange(count + 1)]
        return Shape(vm, ids, pmu, vgic=random.random() > 0.03)

    def migration(self, source: Shape) -> Ops:
        """Every register of every vCPU, into a VM of the same shape; seldom not all of them."""
        copies: list[p.Op] = [
            p.CopyReg(p.sysreg_attr(name, id_), 0, 1) for id_ in source.ids for name in SYSREGS
        ]
        if self.random.random() < 0.3:
            self.random.shuffle(copies)
        if self.random.random() < 0.2:
            del copies[self.random.randrange(len(copies)) :]
        return (*replace(source, vm=1).created(), *copies)

    def disorder(self, ops: list[p.Op]) -> None:
        """Something is missing, is there twice, or comes too early or too late."""
        at, to = (self.random.randrange(len(ops)) for _ in range(2))
        op = ops[at]
        if self.random.random() < 0.5:
            del ops[at]
        if self.random.random() < 0.6:
            ops.insert(to, op)

    # --- what happens ----------------------------------------------------------------------------

    def body(self, shapes: Sequence[Shape], short: bool = False) -> list[p.Op]:
        """Userspace sets things up, then runs vCPUs and does more."""
        ops: list[p.Op] = []
        if not short and self.accessors:
            for _ in range(self.random.choice((0, 1, 2, 3, 5))):
                ops += self.set_registers(self.random.choice(shapes))
        for _ in range(self.random.randrange(0, 3 if short else 9)):
            ops += self.step(self.random.choice(shapes))
        return ops

    def step(self, shape: Shape) -> Ops:
        steps: Sequence[tuple[int, Callable[[Shape], Ops]]] = (
            (40, self.run), (12 * self.accessors, self.set_registers), (8, self.get_registers),
            (9, self.irq_line), (5, self.init_again), (4 * self.pmu, self.pmu_register),
            (3 * self.pmu, self.pmu_init), (3, self.odd), (12 * self.races, self.section),
        )  # fmt: skip
        weights = [weight for weight, _ in steps]
        return self.random.choices(steps, weights)[0][1](shape)

    def vcpu(self, shape: Shape) -> int:
        """Mostly the last or the first: a vCPU index."""
        last = len(shape.ids) - 1
        return self.random.choice((0, last, last, self.random.randrange(last + 1)))

    def set_registers(self, shape: Shape) -> Ops:
        """One register of one vCPU, Enable, Active and Pending of one, or one of each."""
        random = self.random
        id_ = shape.ids[self.vcpu(shape)]
        if random.random() < 0.15:
            return set_state(bitmap(random), id_, shape.vm)
        name = random.choice(STATE) if random.random() < 0.7 else random.choice(SYSREGS)
        ids = shape.ids if random.random() < 0.2 else (id_,)
        register = reg(name)
        return tuple(p.set_reg(name, value_for(random, register), i, shape.vm) for i in ids)

    def get_registers(self, shape: Shape) -> Ops:
        id_ = shape.ids[self.vcpu(shape)]
        if not self.accessors and self.random.random() < 0.8:
            return ()
        match self.random.randrange(4):
            case 0:
                return get_all(id_, shape.vm)
            case 1:
                return (p.get_reg(self.random.choice(SYSREGS), id_, shape.vm),)
        return get_state(id_, shape.vm)

    def irq_line(self, shape: Shape) -> Ops:
        id_ = shape.ids[self.vcpu(shape)]
        if self.random.random() < 0.1:
            number = self.random.choice((SW_PPI, PMUIRQ, CNTV, CNTP, 0, 63, 64))
            kind = self.random.choice((p.IRQ_TYPE_PPI, p.IRQ_TYPE_PPI, p.IRQ_TYPE_SPI))
            return (p.IrqLine(number, self.random.randrange(2), shape.vm, id_, kind),)
        return (inject(id_, shape.vm, level=self.random.choice((1, 1, 1, 0))),)

    def init_again(self, shape: Shape) -> Ops:
        features = p.FEATURE_PSCI_0_2 | (0 if shape.pmu is None else p.FEATURE_PMU_V3)
        if self.random.random() < 0.1:
            features ^= self.random.choice((p.FEATURE_POWER_OFF, p.FEATURE_PMU_V3))
        return (p.InitVcpu(shape.vm, self.vcpu(shape), features),)

    def pmu_register(self, shape: Shape) -> Ops:
        """What makes the PMU raise its interrupt, or takes it back."""
        vcpu = self.vcpu(shape)
        value = self.random.choice((CYCLE_COUNTER, CYCLE_COUNTER, 0))
        return tuple(
            p.OneReg(p.Action.SET, id_, int(bool(value)) if id_ == ioctls.PMCR else value,
                     shape.vm, vcpu)
            for id_ in self.random.sample(PMU_REGS, self.random.randint(1, 3))
        )  # fmt: skip

    def pmu_init(self, shape: Shape) -> Ops:
        return (p.pmu_init(self.vcpu(shape), shape.vm),)

    def odd(self, shape: Shape) -> Ops:
        """What the kernel refuses, or what is seldom asked for."""
        random, vm, vcpu = self.random, shape.vm, self.vcpu(shape)
        choices: tuple[p.Op, ...] = (
            p.init_device(vm),
            p.DeviceAttr(p.Action.GET, p.GRP_CTRL, p.CTRL_USERSPACE_PPIS, vm=vm),
            p.DeviceAttr(random.choice(tuple(p.Action)), p.GRP_CPU_SYSREGS,
                         p.sysreg_attr(random.choice(READS), random.choice(SPARSE_IDS)),
                         bitmap(random), vm=vm),
            p.VcpuAttr(random.choice(tuple(p.Action)), p.VCPU_PMU_V3, random.randrange(2),
                       ppi_intid(random.choice((PMUIRQ, PMUIRQ, CNTV))), vm=vm, vcpu=vcpu),
            p.VcpuAttr(random.choice(tuple(p.Action)), p.VCPU_TIMER, random.randrange(4),
                       ppi_intid(random.choice((CNTV, CNTP, PMUIRQ))), vm=vm, vcpu=vcpu),
            p.CreateVcpu(vm, vcpu, random.choice(SPARSE_IDS)),
            p.CreateDevice(vm, test=random.random() < 0.5),
            p.OneReg(p.Action.GET, ioctls.MPIDR, vm=vm, vcpu=vcpu),
            p.CloseVm(vm),
        )  # fmt: skip
        return (random.choice(choices),)

    def section(self, shape: Shape) -> Ops:
        """Two branches, seldom more.  Each runs vCPUs of its own, and does anything to any.

        Short ones: what the model allows of a section grows fast with its length.
        """
        random = self.random
        count = random.choice((2, 2, 2, 2, 2, 3, 4))
        branches = []
        for number in range(count):
            ops: list[p.BranchOp] = []
            mine = range(number, len(shape.ids), count)
            for _ in range(random.choice((1, 1, 2, 3)) if count == 2 else 1):
                if random.random() < 0.4:
                    ops.append(p.Delay(1000 * random.choice(DELAYS)))
                ops += self.branch_step(shape, mine)[:BRANCH_STEP]
            branches.append(p.Branch(tuple(ops), number))
        return (p.Parallel(tuple(branches)),) if any(branch.ops for branch in branches) else ()

    def branch_step(self, shape: Shape, mine: Sequence[int]) -> tuple[p.BranchOp, ...]:
        """What a branch may do; it runs, or initialises, no vCPU but ``mine``."""
        if self.random.random() < 0.02:
            return (p.CloseVm(shape.vm),)
        out: list[p.BranchOp] = []
        for op in self.random.choice((self.run, self.run, self.irq_line, self.step))(shape):
            if isinstance(op, p.Run | p.InitVcpu):
                if not mine:
                    continue
                op = replace(op, vcpu=self.random.choice(mine))  # noqa: PLW2901
            if isinstance(op, p.Run):
                op = replace(op, guest=op.guest[-BRANCH_GUEST:])  # noqa: PLW2901
            if isinstance(op, p.BranchOp):
                out.append(op)
        return tuple(out)

    def tail(self, shapes: Sequence[Shape]) -> Ops:
        """Each vCPU is looked at, in some order; what was not seen before is seen now."""
        ops: list[p.Op] = []
        for shape in shapes:
            order = self.random.sample(range(len(shape.ids)), len(shape.ids))
            for vcpu in order:
                if self.random.random() < 0.6:
                    first = self.random.choice((enable_all(), view(), probe()))
                    ops.append(run(first, vcpu=vcpu, vm=shape.vm))
                if self.accessors and self.random.random() < 0.4:
                    ops += get_state(shape.ids[vcpu], shape.vm)
        return tuple(ops)

    # --- guests ----------------------------------------------------------------------------------

    def run(self, shape: Shape) -> Ops:
        guest: list[p.GuestOp] = []
        for _ in range(self.random.choice((0, 1, 1, 2, 2, 3, 4, 6))):
            guest += self.guest_step()
        return (run(guest, vcpu=self.vcpu(shape), vm=shape.vm),)

    def guest_step(self) -> Guest:
        random = self.random
        timer = random.choice((CNTV, CNTP))
        ppi = random.choice((SW_PPI, SW_PPI, CNTV, CNTP, PMUIRQ))
        match random.choices(range(11), (22, 22, 6, 12, 8, 9, 8, 5, 4, 3, 2))[0]:
            case 0:
                return (p.Read(random.choice(READS)),)
            case 1:
                return (self.write(ICC_WRITES),)
            case 2:
                return (self.write(WRITES),)
            case 3:
                name = random.choice(STATE)
                return (p.write(name, value_for(random, reg(name))),)
            case 4:
                return enable_all()
            case 5:
                return listen(*{ppi, timer}, priority=random.choice((0, 0x10, 0x10, 0x1F)))
            case 6:
                return fire(timer)
            case 7:
                return (p.Window(),)
            case 8:
                return (acknowledge(), drop(), deactivate(ppi))[: random.randint(1, 3)]
            case 9:
                return view()
        # A WFI that blocks costs time; most are preceded by a reason to go on.
        return (*listen(timer), *fire(timer), p.Wfi()) if random.random() < 0.7 else (p.Wfi(),)

    def write(self, registers: Sequence[Register]) -> p.Write:
        register = self.random.choice(registers)
        return p.Write(register, value_for(self.random, register))


def mutated(random: Random, ops: Sequence[p.Op], other: Sequence[p.Op]) -> Ops:
    """An interesting program, a little changed; or the start of one and the end of another."""
    out = list(ops)
    for _ in range(random.randint(1, 3)):
        at = random.randrange(len(out))
        match random.randrange(5):
            case 0 if len(out) > 1:
                del out[at]
            case 1:
                out.insert(random.randrange(len(out) + 1), out[at])
            case 2:
                to = random.randrange(len(out))
                out[at], out[to] = out[to], out[at]
            case 3:
                out = [*out[:at], *other[random.randrange(len(other)) :]] or out
            case _:
                out[at] = _nudged(random, out[at])
    return tuple(out)


def _nudged(random: Random, op: p.Op) -> p.Op:
    """Another value, or another vCPU."""
    if isinstance(op, p.DeviceAttr) and op.group == p.GRP_CPU_SYSREGS:
        return replace(op, value=op.value ^ 1 << random.randrange(64))
    if isinstance(op, p.Run):
        guest = list(op.guest)
        random.shuffle(guest)
        return replace(op, guest=tuple(guest), vcpu=random.randrange(2))
    if isinstance(op, p.Delay):
        return p.Delay(1000 * random.choice(DELAYS))
    if isinstance(op, p.Parallel):
        branch = random.randrange(len(op.branches))
        ops = op.branches[branch].ops
        return with_branch(op, branch, (p.Delay(1000 * random.choice(DELAYS)), *ops))
    return op
