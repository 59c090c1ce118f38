# SPDX-License-Identifier: GPL-2.0-or-later
"""What concurrent operations share: the model's table of it, spelt out.

Too few names, and an order that matters is left out; too many, and orders are tried for nothing.
"""

from __future__ import annotations

import pytest
from model_tools import MASKED, UNMASKED

from harness import program as p
from harness.model import Behaviour, HostFacts
from harness.model.execution import Execution
from harness.model.pause import NOTHING, Touch
from harness.model.touches import first_run, touches
from harness.program import Action
from harness.suite.shapes import Ops, listen, new_vm

SET, GET, HAS = Action
# VM 1 has the vCPUs 0 and 1, with other ids; VM 2 has one
SETUP = (*new_vm(vm=1, ids=(5, 3)), *new_vm(vm=2))


def execution(setup: Ops = SETUP, behaviour: Behaviour = MASKED) -> Execution:
    out = Execution(behaviour, HostFacts())
    for op in setup:
        out.execute(op)
    return out


def spelt(touch: Touch) -> tuple[str, str]:
    """What is only read and what is written: ``mutex 1.0`` is that of vCPU 0 in VM 1."""
    names = {name: f"{name[0]} {'.'.join(map(str, name[1:]))}" for name in touch.names}  # type: ignore[index]
    read = sorted(names[name] for name in touch.names - touch.writes)
    return ", ".join(read), ", ".join(sorted(names[name] for name in touch.writes))


FILES = "alive 1, files 1"
SYSREG = p.sysreg_attr("PCR", 5)
TRIED = "mutex 1.0, mutex 1.1"  # an access to a register tries every vCPU's mutex
TABLES = "table 1.0, table 1.1"
GOT = f"alive 1, edge 1.0, edge 1.1, files 1, init 1, mpidr 1, {TRIED}"

# operation: what it only reads, and what it writes
ROWS: dict[str, tuple[p.Op, str, str]] = {
    "a delay": (p.Delay(5), "", ""),
    "close": (p.CloseVm(1), "", "files 1"),
    "a register's GET": (
        p.DeviceAttr(GET, p.GRP_CPU_SYSREGS, SYSREG, vm=1), f"{GOT}, regs 1, {TABLES}", ""),
    "its HAS": (
        p.DeviceAttr(HAS, p.GRP_CPU_SYSREGS, SYSREG, vm=1), f"{GOT}, regs 1, {TABLES}", ""),
    "its SET": (p.DeviceAttr(SET, p.GRP_CPU_SYSREGS, SYSREG, vm=1),
                f"{GOT}, ran 1.0, ran 1.1, {TABLES}", "regs 1"),
    "a copy": (
        p.CopyReg(SYSREG, 2, 1),
        "alive 1, alive 2, edge 1.0, edge 1.1, edge 2.0, files 1, files 2, init 1, init 2, "
        f"mpidr 1, mpidr 2, {TRIED}, mutex 2.0, ran 1.0, ran 1.1, regs 2, {TABLES}, table 2.0",
        "regs 1"),
    "a GET of a VM that is not there": (
        p.DeviceAttr(GET, p.GRP_CPU_SYSREGS, SYSREG, vm=9),
        "alive 9, files 9, init 9, mpidr 9, regs 9", ""),
    "INIT": (p.init_device(1), FILES, "init 1"),
    "another attribute": (
        p.DeviceAttr(GET, p.GRP_CTRL, p.CTRL_USERSPACE_PPIS, vm=1), f"{FILES}, init 1", ""),
    "a new device": (p.CreateDevice(1), f"alive 1, mpidr 1, {TRIED}, regs 1, {TABLES}",
                     "edge 1.0, edge 1.1, files 1, init 1, timers 1"),
    "an interrupt for the vCPU with id 3": (p.IrqLine(3, 1, 1, 3), f"{FILES}, init 1", "edge 1.1"),
    "one for nobody": (p.IrqLine(3, 1, 1, 9), f"{FILES}, init 1", ""),
    "one for no VM": (p.IrqLine(3, 1, 9), "alive 9, files 9, init 9", ""),
    "ONE_REG": (p.OneReg(GET, 0, vm=1, vcpu=1),
                "alive 1, edge 1.1, features 1, files 1, ran 1.0, ran 1.1", "mutex 1.1"),
    "VCPU_INIT": (p.InitVcpu(1, 1), "alive 1, edge 1.1, files 1", "features 1, mpidr 1, mutex 1.1"),
    "a vCPU's attribute": (
        p.VcpuAttr(SET, 1, 0, vm=1, vcpu=1),
        "alive 1, edge 1.1, features 1, files 1, immutable 1.0, immutable 1.1, init 1",
        "mutex 1.1, owners 1.1, timers 1"),
    "a run": (p.Run((), 1, 1),
              "alive 1, edge 1.1, features 1, files 1, init 1, mpidr 1, timers 1",
              "immutable 1.1, mask 1, mutex 1.1, owners 1.1, ran 1.1, table 1.1"),
    "a run of no vCPU": (p.Run((), 1, 7), FILES, ""),
    "a run in no VM": (p.Run((), 9), "alive 9, files 9", ""),
}  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
def test_what_an_operation_shares(name: str) -> None:
    op, reads, writes = ROWS[name]
    assert spelt(touches(MASKED, execution().vms, op)) == (reads, writes)


@pytest.mark.parametrize(("behaviour", "decides"), [(MASKED, 1), (UNMASKED, 0)])
def test_the_steps_of_a_first_run(behaviour: Behaviour, decides: int) -> None:
    """Of vCPU 1: on 7.1 to 7.3 it is vCPU 0 whose owners decide."""
    steps = first_run(behaviour, 1, execution().vms[1], 1)
    assert [spelt(step) for step in steps] == [
        ("mpidr 1", "table 1.1"),
        ("init 1", ""),
        ("features 1, init 1, timers 1", "immutable 1.1, owners 1.1"),
        (f"owners 1.{decides}", "mask 1"),
        ("alive 1", "ran 1.1"),
    ]


@pytest.mark.parametrize(("device", "writes"), [((p.CreateDevice(1),), "alive 1"), ((), "")])
def test_without_init_a_first_run_kills_the_vm(device: Ops, writes: str) -> None:
    """Only if there is a vGIC."""
    vm = execution((p.CreateVm(1), *device, p.CreateVcpu(1))).vms[1]
    assert spelt(first_run(MASKED, 1, vm, 0).map) == ("init 1", writes)


READ, WRITTEN = Touch.of(reads=["x"]), Touch.of(writes=["x"])


@pytest.mark.parametrize(
    ("one", "other", "conflict"),
    [
        (READ, READ, False), (READ, WRITTEN, True), (WRITTEN, READ, True), (WRITTEN, WRITTEN, True),
        (WRITTEN, Touch.of(["y"], ["z"]), False), (NOTHING, WRITTEN, False),
        (READ | Touch.of(writes=["y"]), Touch.of(["y"]), True),
        (Touch.of(["y"]), READ | Touch.of(writes=["y"]), True),
    ],
)  # fmt: skip
def test_order_matters_if_one_writes_what_the_other_touches(
    one: Touch, other: Touch, conflict: bool
) -> None:
    assert one.conflicts(other) is conflict


# --- step by step --------------------------------------------------------------------------------


def steps(op: p.Op, setup: Ops = SETUP) -> list[tuple[str, str, str]]:
    """The steps of an operation in a parallel section where nobody comes in between."""
    world = execution(setup)
    world.touching = {id(op): touches(MASKED, world.vms, op)}
    found = []
    under_way = world.steps(op)
    while pause := next(under_way, None):
        found.append((pause.what, *spelt(pause.now)))
        if pause.wait and pause.give_up and not pause.wait():
            pause.give_up()
    return found


LOCK, UNLOCK = ("locks the vCPU", "", "mutex 1.1"), ("unlocks the vCPU", "", "mutex 1.1")
LOOK = ("looks at the vCPU", FILES, "")
ONE_REG = ("accesses", "alive 1, edge 1.1, features 1, files 1, ran 1.0, ran 1.1", "mutex 1.1")
GUEST = ("edge 1.1", "")
FIRST_RUN = [
    ("tabulates MPIDRs", "mpidr 1", "table 1.1"),
    ("maps the vGIC", "init 1", ""),
    ("enables its timers", "features 1, init 1, timers 1", "immutable 1.1, owners 1.1"),
    ("finalizes", "owners 1.1", "mask 1"),
    ("marks the VM as run", "alive 1", "ran 1.1"),
    ("enters", *GUEST),
]
WITHOUT_DEVICE = (p.CreateVm(1), p.CreateVcpu(1))
STEPS: dict[str, tuple[p.Op, Ops, list[tuple[str, str, str]]]] = {
    "delay": (p.Delay(5), SETUP, []),
    "close": (p.CloseVm(1), SETUP, [
        (what, "", "files 1")
        for what in ("closes", "has closed vCPU0", "has closed vCPU1", "has closed the device")
    ]),
    "a new device": (p.CreateDevice(1), WITHOUT_DEVICE, [
        ("looks at the VM", FILES, ""),
        ("creates", "alive 1, mpidr 1, mutex 1.0, regs 1, table 1.0",
         "edge 1.0, files 1, init 1, timers 1"),
        ("has the file", "", "files 1"),
    ]),
    "INIT": (p.init_device(1), SETUP,
             [("looks at the device", FILES, ""), ("accesses", FILES, "init 1")]),
    "a copy": (p.CopyReg(SYSREG, 1, 1), SETUP, 2 * [
        ("looks at the device", FILES, ""),
        ("accesses", f"{GOT}, ran 1.0, ran 1.1, {TABLES}", "regs 1"),
    ]),
    "interrupt": (p.IrqLine(3, 1, 1, 3), SETUP, [
        ("looks at the VM", FILES, ""), ("injects", f"{FILES}, init 1", "edge 1.1")]),
    "ONE_REG": (p.OneReg(GET, 0x6030_0000_0013_C005, vm=1, vcpu=1), SETUP,
                [LOOK, LOCK, ONE_REG, UNLOCK]),
    "VCPU_INIT": (p.InitVcpu(1, 1), SETUP, [
        ("looks at the VM", FILES, ""), LOOK, LOCK,
        ("accesses", "alive 1, edge 1.1, files 1", "features 1, mpidr 1, mutex 1.1"), UNLOCK,
        *(2 * [LOOK, LOCK, ONE_REG, UNLOCK]),
    ]),
    "run": (p.Run((p.read("PCR"), p.write("PCR", 3)), 1, 1), SETUP, [
        LOOK, LOCK, *FIRST_RUN, ("guest operation 0", *GUEST), ("guest operation 1", *GUEST),
        ("reads ICC_PCR_EL1 back", *GUEST), ("exits", *GUEST), UNLOCK,
    ]),
    "run after another that was interrupted": (
        p.Run((), 1, 1), (*SETUP, p.Run((p.Wfi(),), 1, 1)),
        [*(2 * [LOOK, LOCK, ONE_REG, UNLOCK]), LOOK, LOCK, ("enters", *GUEST), ("exits", *GUEST),
         UNLOCK]),
    "run after another that ended": (
        p.Run((), 1, 1), (*SETUP, p.Run((), 1, 1)),
        [LOOK, LOCK, ("enters", *GUEST), ("exits", *GUEST), UNLOCK]),
    "window": (p.Run((p.Window(),), 1, 1), (*SETUP, p.Run(listen(3), 1, 1), p.IrqLine(3, 1, 1, 3)),
               [LOOK, LOCK, ("enters", *GUEST), ("guest operation 0", *GUEST),
                ("in the window", *GUEST), ("exits", *GUEST), UNLOCK]),
    "WFI": (p.Run((p.Wfi(), p.Wfi()), 1, 1), SETUP,
            [LOOK, LOCK, *FIRST_RUN, ("guest operation 0", *GUEST), ("wakes up", *GUEST), UNLOCK]),
    "powered off": (
        p.Run((p.Wfi(),), 1, 1), (*SETUP, p.InitVcpu(1, 1, p.FEATURE_PSCI_0_2 | 1)),
        [LOOK, LOCK, *FIRST_RUN[:-1], ("sleeps", *GUEST), UNLOCK]),
}  # fmt: skip


@pytest.mark.parametrize("name", STEPS)
def test_the_steps_of_an_operation(name: str) -> None:
    op, setup, expected = STEPS[name]
    assert steps(op, setup) == expected
