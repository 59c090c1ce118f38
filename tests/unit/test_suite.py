# SPDX-License-Identifier: GPL-2.0-or-later
"""The suite is complete, and its programs tell the kernels apart that it says they do."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache

import pytest

from harness import program as p
from harness import wire
from harness.model import (
    Behaviour,
    Finalize,
    HostFacts,
    LateWrites,
    Model,
    TimeDependent,
    vgic,
)
from harness.model.cpuif import CpuInterface, lowest
from harness.model.state import Vcpu, Vm
from harness.ppi import REGISTERS, SW_PPI, bits
from harness.program import Capability, Program
from harness.provision import project_root
from harness.suite import Family, families, programs
from harness.suite.coverage import FIXES, ODDITIES
from harness.suite.shapes import SYSREGS
from harness.trace import Status, Trace, compare, steps

ALL = tuple(programs().values())
RACES = ("races", "races-first-run")  # more than one trace may be right
SEQUENTIAL = tuple(program for program in ALL if program.family not in RACES)
# Programs of the family errno for attributes and accesses that only a later kernel has.
NEW_IN_7_4 = (
    r"errno/(attribute-(addr-irs|irs-regs|ist(?!-1))|irs-frame-(load|store)|copy-of-an-irs)"
)
DEADLINE_MS = 10_000

MASKED = Behaviour()
UNMASKED = Behaviour(finalize=Finalize.FIRST_CREATED)
MASKED_LATE = Behaviour(late_writes=LateWrites.EXPOSED)
UNMASKED_LATE = Behaviour(finalize=Finalize.FIRST_CREATED, late_writes=LateWrites.EXPOSED)
STOCK = Behaviour(accessors=False, finalize=Finalize.FIRST_CREATED)
STOCK_FIXED = Behaviour(accessors=False)
MASKED_IRS = Behaviour(irs=True)
UNMASKED_IRS = Behaviour(finalize=Finalize.FIRST_CREATED, irs=True)
BEHAVIOURS = (
    MASKED, UNMASKED, MASKED_LATE, UNMASKED_LATE, STOCK, STOCK_FIXED, MASKED_IRS, UNMASKED_IRS,
)  # fmt: skip


def runs_on(program: Program, behaviour: Behaviour) -> bool:
    missing = {Capability.NO_CPU_SYSREGS if behaviour.accessors else Capability.CPU_SYSREGS}
    missing |= set() if behaviour.irs else {Capability.IRS}
    return not missing & program.needs


@cache
def trace(behaviour: Behaviour, name: str) -> Trace:
    return Model(behaviour, HostFacts()).run(programs()[name])


def differs(program: Program, expected: Behaviour, observed: Behaviour) -> bool:
    want, got = trace(expected, program.name), trace(observed, program.name)
    return not compare(program, want, got).agrees


def ops_of(program: Program) -> Iterator[p.Op | p.GuestOp]:
    for step in steps(program):
        yield step.op if step.guest is None else step.guest


# --- form ----------------------------------------------------------------------------------------


def test_names_are_unique() -> None:
    names = [program.name for family in families() for program in family.programs]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("family", families(), ids=lambda family: family.name)
def test_names_are_of_their_family(family: Family) -> None:
    for program in family.programs:
        assert re.fullmatch(r"[a-z0-9-]+/[a-z0-9]+(-[a-z0-9]+)*", program.name)
        assert program.family == family.name


def test_families_have_a_purpose_and_programs() -> None:
    assert len({family.name for family in families()}) == len(families())
    for family in families():
        assert family.programs
        assert family.purpose
        assert "\n" not in family.purpose


def test_building_again_gives_the_same() -> None:
    before = programs()
    families.cache_clear()
    programs.cache_clear()
    assert list(programs().items()) == list(before.items())


def test_programs_fit_the_wire_and_come_back() -> None:
    for program in ALL:
        payload = wire.encode_program(program, DEADLINE_MS)
        decoded, deadline = wire.decode_program(program.name, payload)
        assert decoded.ops == program.ops, program.name
        assert deadline == DEADLINE_MS


def test_programs_stay_within_the_limits() -> None:
    for program in ALL:
        for op in program.ops:
            assert getattr(op, "vm", 0) < p.MAX_VMS, program.name
            if not isinstance(op, p.IrqLine):  # there it is an id
                assert getattr(op, "vcpu", 0) < p.MAX_VCPUS, program.name


def test_guests_access_registers_as_they_can_be() -> None:
    """The guest has MRS only for what is readable and MSR only for what is writable."""
    for program in ALL:
        for op in ops_of(program):
            assert not isinstance(op, p.Read) or op.reg.readable, program.name
            assert not isinstance(op, p.Write) or op.reg.writable, program.name


def test_needs_name_what_is_used() -> None:
    sysregs = {Capability.CPU_SYSREGS, Capability.NO_CPU_SYSREGS}
    for program in ALL:
        ops = list(p.flat(program.ops))
        accessors = any(
            isinstance(op, p.CopyReg | p.DeviceAttr) and op.group == p.GRP_CPU_SYSREGS for op in ops
        )
        pmu = any(isinstance(op, p.InitVcpu) and op.features & p.FEATURE_PMU_V3 for op in ops)
        assert len(program.needs & sysregs) == accessors, program.name
        assert Capability.VGIC_V5 in program.needs, program.name
        # an InitVcpu that is to fail needs no PMU
        assert pmu or Capability.PMU not in program.needs, program.name


# --- against the model ---------------------------------------------------------------------------


@pytest.mark.parametrize("behaviour", BEHAVIOURS, ids=str)
def test_model_knows_every_program(behaviour: Behaviour) -> None:
    for program in SEQUENTIAL:
        if runs_on(program, behaviour):
            assert len(trace(behaviour, program.name).results) == len(list(steps(program)))


def test_model_knows_every_program_under_nvhe() -> None:
    for behaviour in (MASKED, MASKED_IRS):
        for program in SEQUENTIAL:
            if runs_on(program, behaviour):
                Model(behaviour, HostFacts(vhe=False)).run(program)


def test_an_irs_changes_nothing_but_what_asks_for_it() -> None:
    """Programs that do not need an IRS do the same on a kernel that wants its address."""
    asks = {
        "errno/init-without-vcpus", "errno/init-without-vcpus-then-create",
        "errno/attribute-nr-irqs", "errno/irq-line-spi",
        *(program.name for program in ALL if re.match(NEW_IN_7_4, program.name)),
    }  # fmt: skip
    changed = set()
    for program in SEQUENTIAL:
        if not runs_on(program, MASKED):
            continue
        before, after = trace(MASKED, program.name), trace(MASKED_IRS, program.name)
        if any(
            not isinstance(difference.step.op, p.PlaceIrs)
            for difference in compare(program, before, after).differences
        ):
            changed.add(program.name)
    assert changed == asks


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        (MASKED, UNMASKED),
        (MASKED_LATE, UNMASKED_LATE),
        (STOCK_FIXED, STOCK),
        (MASKED_IRS, UNMASKED_IRS),
    ],
    ids=["refused", "exposed", "stock", "irs"],
)
def test_exactly_the_finalize_families_tell_kernels_apart(
    right: Behaviour, wrong: Behaviour
) -> None:
    for family in families():
        for program in family.programs if family.name not in RACES else ():
            if runs_on(program, right):
                assert differs(program, right, wrong) == family.finalize, program.name


def test_late_writes_are_told_apart_only_by_late_writes() -> None:
    late = {"after-first-run", "masking-vcpus", "migration", "errno-sysregs"}
    found = {
        program.family
        for program in SEQUENTIAL
        if runs_on(program, MASKED) and differs(program, MASKED, MASKED_LATE)
    }
    assert found == late


def test_few_programs_wait() -> None:
    """A vCPU that blocks costs its patience; together they may cost a second, 1.3 with an IRS."""
    for behaviour, limit in ((MASKED, 1000), (MASKED_IRS, 1300)):
        blocked = [
            step.op.wait_ms
            for program in SEQUENTIAL
            if runs_on(program, behaviour)
            for step, result in zip(
                steps(program), trace(behaviour, program.name).results, strict=True
            )
            if isinstance(step.op, p.Run) and result.ret < 0 and result.value == 1
        ]
        assert sum(blocked) <= limit


def test_blocked_vcpus_are_not_asked_to_be_patient() -> None:
    for program in ALL:
        if not runs_on(program, MASKED):
            continue
        for step, result in zip(steps(program), trace(MASKED, program.name).results, strict=True):
            if result.status is Status.BLOCKED:
                assert isinstance(step.op, p.Run)
                assert step.op.wait_ms < 200, program.name


def test_programs_with_sections_are_races_and_the_other_way_round() -> None:
    for program in ALL:
        racy = any(isinstance(op, p.Parallel) for op in program.ops)
        assert racy == (program.family in RACES) == (Capability.CPUS in program.needs)


@pytest.mark.parametrize("behaviour", [MASKED, STOCK, MASKED_IRS], ids=str)
def test_few_outcomes_of_a_race_are_right(behaviour: Behaviour) -> None:
    """Else a PASS would say little."""
    for program in ALL:
        if program.family in RACES and runs_on(program, behaviour):
            assert 1 <= len(Model(behaviour, HostFacts()).allowed(program)) <= 25, program.name


# --- completeness --------------------------------------------------------------------------------


def test_every_operation_is_used() -> None:
    used = {type(op) for program in ALL for op in ops_of(program)} - {p.Branch}
    assert used == set(p.Op.__args__) | set(p.GuestOp.__args__)


def test_every_register_is_read_and_written_by_a_guest() -> None:
    ops = [op for program in ALL for op in ops_of(program)]
    read = {op.reg.name for op in ops if isinstance(op, p.Read)}
    written = {op.reg.name for op in ops if isinstance(op, p.Write)}
    assert {r.name for r in REGISTERS.values() if r.readable} <= read | written
    assert {r.name for r in REGISTERS.values() if r.writable} <= written


def test_every_accessor_is_got_and_set() -> None:
    attrs = {p.sysreg_attr(name): name for name in SYSREGS}
    used = {
        (attrs[op.attr], op.action)
        for program in ALL
        for op in program.ops
        if isinstance(op, p.DeviceAttr) and op.group == p.GRP_CPU_SYSREGS and op.attr in attrs
    }
    assert used == {(name, action) for name in SYSREGS for action in p.Action}


def test_every_hidden_ppi_is_tried_in_every_bitmap() -> None:
    exposed = {3, 27, 30}
    for word in ("enable", "active", "pending"):
        for bit in range(64):
            family = "preserve" if bit in exposed else "masking"
            assert f"{family}/{word}-bit-{bit}" in programs()


def test_every_vcpu_can_be_the_first() -> None:
    for vcpu in range(1, p.MAX_VCPUS):
        assert f"order/8-vcpus-{vcpu}-first" in programs()


def test_every_capability_is_needed_by_some() -> None:
    assert {capability for program in ALL for capability in program.needs} == set(Capability)


def test_every_oddity_has_programs() -> None:
    assert sorted(ODDITIES) == list(range(1, 14))
    for row in ODDITIES.values():
        assert row
        assert set(row) <= set(programs())


def test_the_table_of_oddities_names_the_same_programs() -> None:
    text = (project_root() / "docs" / "oddities.md").read_text()
    rows = dict(re.findall(r"^\| (\d+) \| (.*)$", text, re.M))
    named = {int(row): set(re.findall(r"`([a-z0-9-]+/[a-z0-9-]+)`", t)) for row, t in rows.items()}
    assert named == {row: set(programs) for row, programs in ODDITIES.items()}


def test_every_fix_has_programs() -> None:
    for row in FIXES.values():
        assert row
        assert set(row) <= set(programs())


# --- what was once broken, in the model ----------------------------------------------------------


def flush_that_keeps_the_latch(vm: Vm, vcpu: Vcpu) -> int:
    return sum(vcpu.irqs[ppi].pending << ppi for ppi in bits(vm.mask))


def fold_that_forgets_active(vm: Vm, vcpu: Vcpu, hw: CpuInterface) -> None:
    vcpu.irqs[SW_PPI].latch |= bool(hw.pendr >> SW_PPI & 1)
    vcpu.activer = hw.activer[0]


def mask_with_ctz_of_0(vcpu: Vcpu) -> int:
    return min(lowest(vcpu.apr) % 32, vcpu.vpmr + 1) if vcpu.en else 0


def mask_that_is_not_strict(vcpu: Vcpu) -> int:
    return min(lowest(vcpu.apr), vcpu.vpmr + 1) + 1 if vcpu.en else 0


def map_that_loses_a_dvi_bit(vcpu: Vcpu, ppi: int) -> None:
    vcpu.irqs[ppi].hw = True
    vcpu.dvir = 1 << ppi


@pytest.mark.parametrize(
    ("commit", "function", "broken"),
    [
        ("170a77b4185a", "flush", flush_that_keeps_the_latch),
        ("9c1ac77ddfc9", "fold", fold_that_forgets_active),
        ("42d7eac8291d", "effective_priority_mask", mask_with_ctz_of_0),
        ("a4a645584793", "effective_priority_mask", mask_that_is_not_strict),
        ("2427e8c1cd4f", "map_phys_irq", map_that_loses_a_dvi_bit),
    ],
)
def test_each_program_of_a_fix_fails_without_it(
    monkeypatch: pytest.MonkeyPatch, commit: str, function: str, broken: Callable[..., object]
) -> None:
    expected = [trace(MASKED, name) for name in FIXES[commit]]
    monkeypatch.setattr(vgic, function, broken)
    for name, want in zip(FIXES[commit], expected, strict=True):
        program = programs()[name]
        with suppress(TimeDependent):  # it was not before
            assert not compare(program, want, Model().run(program)).agrees, name
