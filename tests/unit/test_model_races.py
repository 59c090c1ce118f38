# SPDX-License-Identifier: GPL-2.0-or-later
"""Parallel sections on the model: what is allowed, and that nothing is forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from model_tools import IRS, MASKED, UNMASKED

from harness import program as p
from harness.model import Behaviour, HostFacts, Model, NotModelled
from harness.model.execution import Execution
from harness.model.interleave import Move, Race, interleavings
from harness.ppi import SW_PPI
from harness.suite.shapes import (
    Ops,
    enable_all,
    get_state,
    inject,
    listen,
    new_vm,
    program,
    run,
    view,
)
from harness.trace import Result, RunEnd, Status

ALL = (1 << 64) - 1
TWO = new_vm(2)
LISTENING = (*new_vm(2), run(listen(SW_PPI)))


def section(*branches: Ops) -> p.Parallel:
    return p.Parallel(tuple(
        p.Branch(tuple(op for op in ops if isinstance(op, p.BranchOp)), cpu)
        for cpu, ops in enumerate(branches)
    ))  # fmt: skip


def after(setup: Ops, behaviour: Behaviour = MASKED) -> Execution:
    execution = Execution(behaviour, HostFacts())
    for op in setup:
        execution.execute(op)
    return execution


def outcomes(setup: Ops, *branches: Ops, behaviour: Behaviour = MASKED) -> set[tuple[Result, ...]]:
    """The results of the branches' operations, without those of the section and its branches."""
    ends = interleavings(after(setup, behaviour), section(*branches))
    return {tuple(r for r in end.results[1:] if r.known) for end in ends}


# --- nothing is forgotten ------------------------------------------------------------------------


class Exhaustive(Race):
    """Every order: no step is taken to be of no matter to others."""

    def matters(self, number: int) -> bool:
        return True


def every_order(start: Execution, parallel: p.Parallel, remember: bool) -> set[tuple[Result, ...]]:
    """All results, of every order of steps.  ``remember``: states that are met again."""
    seen = set[object]()

    def replayed(moves: tuple[Move, ...]) -> Exhaustive:
        race = Exhaustive(start.clone(), parallel)
        for move in moves:
            race.do(move)
        return race

    def ends(moves: tuple[Move, ...]) -> Iterator[tuple[Result, ...]]:
        race = replayed(moves)
        key = race.key()
        if remember and key in seen:
            return
        seen.add(key)
        choices = race.choices()
        if not choices:
            yield race.results()
        for move in choices:
            yield from ends((*moves, move))

    return set(ends(()))


MPIDR = p.OneReg(p.Action.GET, 0x6030_0000_0013_C005)
TIMER_IRQ = p.VcpuAttr(p.Action.SET, p.VCPU_TIMER, 0, 0x2000_0017, vcpu=1)
SET_AND_GET = (p.set_reg("PCR", 1), p.get_reg("PCR"))
SMALL = {
    "first runs": (TWO, (run(),), (run(vcpu=1),)),
    "inject, guest reads": (LISTENING, (run(p.read("SPENDR0"), p.Window()),), (inject(),)),
    "inject twice": (LISTENING, (run(p.Window()),), (inject(), inject())),
    "inject, wfi": (LISTENING, (run(p.Wfi()),), (inject(),)),
    "nobody wakes it": (LISTENING, (run(p.Wfi()),), (MPIDR,)),
    "the other one waits for it": (LISTENING, (MPIDR,), (run(p.Wfi()),)),
    "elsewhere first": (
        (*TWO, *new_vm(vm=1)),
        (p.get_reg("PCR"),),
        (p.get_reg("PCR", vm=1), p.set_reg("PCR", 2)),
    ),
    "get while running": (TWO, (run(),), (p.get_reg("PCR", 1), p.get_reg("PCR"))),
    "set while running": (TWO, (run(),), SET_AND_GET),
    "close while running": (TWO, (run(p.read("PCR")),), (p.CloseVm(),)),
    "init again": (LISTENING, (run(vcpu=1),), (p.InitVcpu(),)),
    "timer irq": (TWO, (run(),), (TIMER_IRQ,)),
    "init of the vGIC": (TWO[:-1], (run(),), (TWO[-1],)),
    "three": (TWO, (inject(),), (run(p.read("SPENDR0")),), (inject(1),)),
}
TINY = {
    "set and get": (TWO, SET_AND_GET, (p.set_reg("PCR", 2),)),
    "copies": ((*TWO, *new_vm(vm=1)), (p.CopyReg(SET_AND_GET[0].attr),), SET_AND_GET),
    "two devices": ((p.CreateVm(), p.CreateVcpu()), (p.CreateDevice(),), (p.CreateDevice(),)),
    "close while injecting": (TWO, (inject(), inject(1)), (p.CloseVm(),)),
    "get while initialising": (TWO, (MPIDR,), (p.get_reg("PCR"),)),
}


@pytest.mark.parametrize("name", [*SMALL, *TINY])
@pytest.mark.parametrize("behaviour", [MASKED, UNMASKED], ids=["per-vcpu", "first-created"])
def test_every_order_is_covered(name: str, behaviour: Behaviour) -> None:
    """No order that matters is left out; with the tiny ones, no state is forgotten either."""
    setup, *branches = (SMALL | TINY)[name]
    parallel = section(*branches)
    brute = every_order(after(setup, behaviour), parallel, remember=name in SMALL)
    assert {end.results for end in interleavings(after(setup, behaviour), parallel)} == brute


def test_the_order_that_is_told_leads_there() -> None:
    for end in interleavings(after(LISTENING), section((run(p.Window()),), (inject(), inject()))):
        assert end.order
        assert all(step[0] in "ab" for step in end.order)


# --- what is allowed -----------------------------------------------------------------------------


def ppis(results: tuple[Result, ...]) -> list[int]:
    """What the first operation of each branch's guest read."""
    return [r.value for r in results if r.status is Status.DONE and r.value > RunEnd.FAILED]


def test_first_runs_at_once_are_all_alike() -> None:
    """On Linux 7.1-7.3 they are not: vCPU 1 may finalize before vCPU 0 has its timers."""
    branches = (run(p.write("ENABLER0", 1 << 27)),), (run(p.write("ENABLER0", 1 << 27), vcpu=1),)
    assert {tuple(ppis(each)) for each in outcomes(TWO, *branches)} == {(1 << 27, 1 << 27)}
    released = outcomes(TWO, *branches, behaviour=UNMASKED)
    assert {tuple(ppis(each)) for each in released} == {(1 << 27, 1 << 27), ()}


def test_an_edge_is_seen_at_some_entry_and_only_once() -> None:
    seen = outcomes(LISTENING, (run(p.Window(), p.Window()),), (inject(),))
    assert {(each[1].value, each[2].value) for each in seen} == {(0, 0), (1, 0), (0, 1)}


def test_two_edges_may_merge() -> None:
    seen = outcomes(LISTENING, (run(p.Window()),), (inject(), inject()))
    assert {each[1].value for each in seen} == {0, 1, 2}


def test_an_injected_interrupt_wakes_a_guest() -> None:
    (only,) = outcomes(LISTENING, (run(p.Wfi(), p.Window()),), (inject(),))
    assert [r.status for r in only] == [Status.DONE] * 4
    assert only[2].value == 1


def test_who_waits_for_a_sleeper_gets_on_when_it_has_left() -> None:
    seen = outcomes(LISTENING, (run(p.Wfi()),), (MPIDR,))
    assert {(each[0].value, each[1].status, each[2].ret) for each in seen} == {
        (RunEnd.INTERRUPTED, Status.BLOCKED, 0)
    }  # fmt: skip


def test_the_first_of_two_sleepers_leaves_first_and_can_wake_the_other() -> None:
    setup = (*LISTENING, run(listen(SW_PPI), vcpu=1))
    (only,) = outcomes(setup, (run(p.Wfi()), inject(1)), (run(p.Wfi(), vcpu=1),))
    assert [r.status for r in only] == [
        Status.DONE, Status.BLOCKED, Status.DONE, Status.DONE, Status.DONE,
    ]  # fmt: skip


def test_registers_are_busy_while_any_vcpu_runs() -> None:
    seen = outcomes(TWO, (run(enable_all()),), get_state(1)[:1])
    assert {each[-1].ret for each in seen} == {0, -16}


def test_a_set_comes_before_the_first_run_or_is_refused() -> None:
    """Never after "has run", and never between hiding and running."""
    seen = outcomes(TWO, (run(view()),), (p.set_reg("SACTIVER0", (1 << 64) - 1),))
    assert {(each[2].value, each[-1].ret) for each in seen} == {(0x4800_0008, 0), (0, -16)}


def test_what_is_closed_is_gone_but_goes_on() -> None:
    seen = outcomes(TWO, (run(), run()), (p.CloseVm(),))
    assert {(each[0].ret, each[1].ret) for each in seen} == {(0, 0), (0, -9), (-9, -9)}


def test_a_vm_that_dies_is_dead_for_whom_comes_later() -> None:
    seen = outcomes(TWO[:-1], (run(),), (TWO[-1],))
    assert {(each[0].ret, each[1].ret) for each in seen} == {(0, 0), (-16, 0), (-16, -5)}


def test_what_follows_a_section_depends_on_what_was_in_it() -> None:
    race = section((run(p.Window()),), (inject(),))
    allowed = Model().allowed(program("races/any", LISTENING, race, run(p.Window())))
    assert {(a.trace.results[-5].value, a.trace.results[-1].value) for a in allowed} == {
        (0, 1), (1, 0),
    }  # fmt: skip


def test_two_branches_with_one_vcpu_are_not_modelled() -> None:
    with pytest.raises(NotModelled, match="one vCPU"):
        outcomes(TWO, (run(),), (run(),))


def test_a_kick_is_a_step_of_its_own() -> None:
    """Only one can bring the interrupt between two windows."""
    ends = interleavings(after(LISTENING), section((run(p.Window(), p.Window()),), (inject(),)))
    between = [end for end in ends if end.results[4].value == 1]
    assert between
    assert all("a0 is kicked" in end.order for end in between)


# --- what is told of it --------------------------------------------------------------------------


def test_only_steps_that_matter_are_told() -> None:
    """Here to people, as ``b0 injects``: operation 0 of branch b."""
    ends = interleavings(after(LISTENING), section((run(p.Window()),), (inject(),)))
    assert [(end.results[3].value, end.order) for end in ends] == [
        (0, ("a0 enters", "a0 guest operation 0", "a0 exits")),
        (1, ("a0 enters", "b0 injects", "a0 is kicked")),
    ]
    off = (*LISTENING, p.InitVcpu(features=p.FEATURE_PSCI_0_2 | p.FEATURE_POWER_OFF))
    for setup in (LISTENING, off):
        (end,) = interleavings(after(setup), section((run(p.Wfi()),), (MPIDR,)))
        assert end.order[0] == "a0 locks the vCPU"
        assert end.order[-2:] == ("a0 waits in vain", "a0 unlocks the vCPU")


def test_what_does_not_meet_is_not_told() -> None:
    setup = (*TWO, *new_vm(vm=1))
    (end,) = interleavings(after(setup), section((p.get_reg("PCR"),), (p.set_reg("PCR", 2, vm=1),)))
    assert end.order == ()
    assert [r.known for r in end.results] == [ALL, 0, ALL, 0, ALL]


def test_the_orders_of_two_sections_are_told_one_after_the_other() -> None:
    race = section((run(p.Window()),), (inject(),))
    allowed = Model().allowed(program("races/any", LISTENING, race, race))
    assert {a.order for a in allowed if [a.trace.results[i].value for i in (-9, -3)] == [1, 1]} == {
        2 * ("a0 enters", "b0 injects", "a0 is kicked")
    }


# --- mutexes and files ---------------------------------------------------------------------------

PMCR = 0x6030_0000_0013_DCE0


def test_an_ioctl_of_a_vcpu_waits_until_it_does_not_run() -> None:
    """The PMU's line goes up before the run or after it, never between two reads."""
    guest = run(p.read("SPENDR0"), p.read("IAFFIDR"), p.read("SPENDR0"))
    seen = outcomes(new_vm(pmu=(0,)), (guest,), (p.OneReg(p.Action.SET, PMCR, 1),))
    assert {(each[1].value, each[3].value) for each in seen} == {(0, 0), (1 << 23, 1 << 23)}


def test_registers_are_busy_while_any_vcpu_has_its_mutex() -> None:
    seen = outcomes(TWO, (MPIDR,), (p.get_reg("PCR", 1),))
    assert {tuple(r.ret for r in each) for each in seen} == {(0, 0), (0, -16)}


def test_only_one_of_two_closes() -> None:
    seen = outcomes(TWO, (p.CloseVm(),), (p.CloseVm(),))
    assert {tuple(r.ret for r in each) for each in seen} == {(0, -9), (-9, 0)}


def test_files_are_closed_one_after_the_other() -> None:
    """vCPUs, the device, the VM: who finds no device may still find the VM, and not without it."""
    seen = outcomes(TWO, (p.CloseVm(),), (p.get_reg("PCR"), inject()))
    assert {tuple(r.ret for r in each) for each in seen} == {
        (0, 0, 0), (0, 0, -9), (0, -9, 0), (0, -9, -9),
    }  # fmt: skip
    seen = outcomes(TWO, (p.CloseVm(),), (MPIDR, p.get_reg("PCR")))
    assert {tuple(r.ret for r in each) for each in seen} == {
        (0, 0, 0), (0, 0, -9), (0, -9, 0), (0, -9, -9),
    }  # fmt: skip


def test_an_operation_may_stand_in_two_branches() -> None:
    copy = p.CopyReg(SET_AND_GET[0].attr)
    setup = (*TWO, *new_vm(vm=1))
    assert outcomes(setup, (copy,), (copy,), SET_AND_GET[:1]) == outcomes(
        setup, (copy,), (replace(copy),), SET_AND_GET[:1]
    )


# --- limits --------------------------------------------------------------------------------------

RACE = program("races/any", LISTENING, section((run(p.Window()),), (inject(),)))


@pytest.mark.parametrize(
    ("where", "limit", "says"),
    [
        ("executor", 1, "more than 1 outcomes of parallel sections"),
        ("executor", 2, ""),
        ("interleave", 4, "a parallel section with more than 4 states"),
        ("interleave", 5, ""),
    ],
)
def test_there_may_be_too_many_orders(
    where: str, limit: int, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"harness.model.{where}.MAX_STATES", limit)
    if not says:
        assert len(Model().allowed(RACE)) == 2
        return
    with pytest.raises(NotModelled) as caught:
        Model().allowed(RACE)
    assert str(caught.value).endswith(f": {says}")


@pytest.mark.parametrize(
    "op",
    [
        p.Delay(1), MPIDR, p.InitVcpu(), TIMER_IRQ, p.CopyReg(SET_AND_GET[0].attr),
        p.get_reg("PCR"), p.DeviceAttr(p.Action.GET, p.GRP_CTRL, p.CTRL_USERSPACE_PPIS),
        p.CreateDevice(), inject(), p.Run((p.read("PCR"),)), p.CloseVm(),
    ],
    ids=lambda op: type(op).__name__,
)  # fmt: skip
def test_what_may_race_although_there_is_an_irs(op: p.BranchOp) -> None:
    assert Model(IRS).allowed(program("races/any", TWO, section((op,))))


def test_images_outlast_a_section() -> None:
    entry = p.IstEntry(p.Action.SET, p.Table.SPI, 3, 9)
    last = replace(entry, action=p.Action.GET)
    ops = (*TWO, entry, section((p.Delay(1),)), last, p.IstEntry(p.Action.GET, p.Table.SPI, 4))
    results = Model(IRS).run(program("races/any", ops)).results
    assert [r.value for r in results[-2:]] == [9, 0]
