# SPDX-License-Identifier: GPL-2.0-or-later
"""What holds for all programs; and that the behaviours can be told apart."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model_tools import EXPOSED, EXPOSING, MASKED, STATE, STOCK, UNMASKED, Kernel

from harness.model import Behaviour, HostFacts, Model
from harness.model.state import implemented_ppis
from harness.model.vgic import finalize_ppi_state
from harness.ppi import REGISTERS, U64
from harness.program import (
    CreateDevice,
    CreateVcpu,
    CreateVm,
    GuestOp,
    InitVcpu,
    Op,
    Program,
    Read,
    Run,
    Write,
    init_device,
    set_reg,
)
from harness.trace import Trace, compare

u64 = st.integers(0, U64)
LIST = [r for r in REGISTERS.values() if r.userspace]
sysregs = st.sampled_from(LIST)
settings_made = st.lists(st.tuples(sysregs, u64), max_size=8)
icc = [r for r in REGISTERS.values() if r.name.startswith(("ICC_", "GIC"))]
guest_lists = st.lists(
    st.one_of(
        st.sampled_from([r for r in icc if r.readable]).map(Read),
        st.builds(Write, st.sampled_from([r for r in icc if r.writable]), u64),
    ),
    max_size=6,
)
behaviours = st.sampled_from([MASKED, EXPOSING, UNMASKED, STOCK])


@given(u64, st.lists(st.integers(0, 2), min_size=1, max_size=4))
def test_finalize_is_idempotent(value: int, again: list[int]) -> None:
    kernel = Kernel(vcpus=3)
    kernel.set_state(value)
    kernel(Run())
    vm = kernel.execution.vms[0]
    before = repr(vm)
    for _ in again:
        finalize_ppi_state(vm, vm.vcpus[0], kernel.execution.host, MASKED)
    assert repr(vm) == before


@given(st.permutations(range(4)), st.booleans(), u64)
def test_exposure_does_not_depend_on_run_order(order: list[int], pmu: bool, value: int) -> None:
    kernel = Kernel(vcpus=4, pmu=range(4) if pmu else None)
    read_back = {kernel.write("ENABLER0", U64, vcpu) for vcpu in order}
    assert read_back == {EXPOSED | pmu << 23}


@given(settings_made, guest_lists)
def test_hidden_enables_are_never_visible(
    settings: list[tuple[object, int]], guest: list[GuestOp]
) -> None:
    kernel = Kernel(vcpus=2)
    for register, value in settings:
        for vcpu in (0, 1):
            kernel.set(str(register), value, vcpu)
    for vcpu in (1, 0):
        kernel.run(tuple(guest), vcpu=vcpu)
        assert kernel.read("ENABLER0", vcpu) & ~EXPOSED == 0
        assert all(value & ~EXPOSED == 0 for value in kernel.get_state(vcpu))
        kernel.set("ENABLER0", U64, vcpu)  # refused
        assert kernel.read("ENABLER0", vcpu) & ~EXPOSED == 0


@given(settings_made)
def test_what_was_got_can_be_set_without_a_change(settings: list[tuple[object, int]]) -> None:
    kernel = Kernel()
    for register, value in settings:
        kernel.set(str(register), value)
    before = {name: kernel.get(name) for name in map(str, LIST)}
    for name, value in before.items():
        kernel.set(name, value)
    assert {name: kernel.get(name) for name in before} == before


@given(settings_made, guest_lists)
def test_save_and_restore(settings: list[tuple[object, int]], guest: list[GuestOp]) -> None:
    """A guest that ran is saved; the restored one has the same state, before and after it runs."""
    kernel = Kernel()
    kernel.new_vm(1)
    for register, value in settings:
        kernel.set(str(register), value)
    kernel.run(tuple(guest))
    saved = {r.name: kernel.get(r.name) for r in LIST}
    for name, value in saved.items():
        assert kernel.set(name, value, vm=1) == 0
    assert {name: kernel.get(name, vm=1) for name in saved} == saved
    kernel(Run(vm=1))
    assert {name: kernel.get(name, vm=1) for name in saved} == saved


@given(u64, st.sampled_from([MASKED, UNMASKED]))
def test_finalize_preserves_visible_state(value: int, behaviour: Behaviour) -> None:
    kernel = Kernel(behaviour)
    kernel.set_state(value)
    enable, active, pending = kernel.view()
    assert enable & EXPOSED == active & EXPOSED == value & EXPOSED
    assert pending == value & 8, "timers show their own line"
    assert [v & EXPOSED for v in kernel.get_state()] == [value & EXPOSED] * 3


@given(behaviours, settings_made, settings_made, guest_lists, guest_lists)
def test_vms_never_interact(
    behaviour: Behaviour,
    set_a: list[tuple[object, int]],
    set_b: list[tuple[object, int]],
    guest_a: list[GuestOp],
    guest_b: list[GuestOp],
) -> None:
    def life(vm: int, settings: list[tuple[object, int]], guest: list[GuestOp]) -> list[Op]:
        run = [Run(tuple(guest), vm=vm), Run(tuple(guest), vm=vm)]
        return [*(set_reg(str(r), v, vm=vm) for r, v in settings), *run]

    both, alone = Kernel(behaviour), Kernel(behaviour)
    both.new_vm(1)
    a, b = life(0, set_a, guest_a), life(1, set_b, guest_b)
    seen = []
    for i in range(max(len(a), len(b))):
        both(*b[i : i + 1])
        seen += both.results(*a[i : i + 1])
    assert seen == alone.results(*a)


@given(behaviours, settings_made, guest_lists, st.booleans())
def test_same_program_same_trace(
    behaviour: Behaviour, settings: list[tuple[object, int]], guest: list[GuestOp], vhe: bool
) -> None:
    model = Model(behaviour, HostFacts(vhe=vhe))
    program = Program("p/p", (*SETUP, *(set_reg(str(r), v) for r, v in settings),
                              Run(tuple(guest)), Run(tuple(guest))))  # fmt: skip
    assert model.run(program) == model.run(program)


@given(behaviours, st.lists(guest_lists, max_size=3), u64)
def test_an_exit_is_neutral(behaviour: Behaviour, lists: list[list[GuestOp]], value: int) -> None:
    """What can be known of a list does not depend on where exits cut it (bank 1 is not known)."""
    whole, cut = Kernel(behaviour), Kernel(behaviour)
    for kernel in (whole, cut):
        kernel.set_state(value)
    together = whole.run(*(tuple(guest) for guest in lists))
    apart = [result for guest in lists for result in cut.run(tuple(guest))]
    for one, other in zip(together, apart, strict=True):
        assert one.status == other.status
        assert (one.value ^ other.value) & one.known & other.known == 0


# --- mutants of the model itself -----------------------------------------------------------------


def _setup(vcpus: int) -> tuple[Op, ...]:
    each = range(vcpus)
    return (CreateVm(), CreateDevice(), *(CreateVcpu(0, i, i) for i in each),
            *(InitVcpu(0, i) for i in each), init_device())  # fmt: skip


SETUP = _setup(1)
ALL = Write(REGISTERS["ICC_PPI_ENABLER0_EL1"], U64)
VIEW = tuple(Read(REGISTERS[f"ICC_PPI_{name}_EL1"]) for name in STATE)
ORDER = Program("order/1-first", (*_setup(2), Run((ALL,), vcpu=1), Run((ALL,))))
MASKING = Program("masking/enable", (*_setup(1), set_reg("ENABLER0", U64), Run(VIEW)))
LATE = Program("after-first-run/enable", (*_setup(1), Run(), set_reg("ENABLER0", U64), Run(VIEW)))


@pytest.mark.parametrize(
    ("program", "one", "other"),
    [(ORDER, MASKED, UNMASKED), (MASKING, MASKED, UNMASKED), (LATE, MASKED, EXPOSING),
     (MASKING, UNMASKED, STOCK)],
)  # fmt: skip
def test_behaviours_differ(program: Program, one: Behaviour, other: Behaviour) -> None:
    assert not compare(program, Model(one).run(program), Model(other).run(program)).agrees


@pytest.mark.parametrize(
    ("target", "mutant"),
    [
        ("hide_ppis", lambda vm, vcpu: None),
        ("expose_ppis", lambda vm, vcpu, host: setattr(vm, "mask", implemented_ppis(True))),
        ("expose_ppis", lambda vm, vcpu, host: None),
    ],
    ids=["nothing-hidden", "all-implemented-exposed", "nothing-exposed"],
)
def test_mutants_are_killed(
    monkeypatch: pytest.MonkeyPatch, target: str, mutant: Callable[..., None]
) -> None:
    programs = (ORDER, MASKING)
    expected = [Model().run(program) for program in programs]
    monkeypatch.setattr(f"harness.model.vgic.{target}", mutant)
    observed: list[Trace] = [Model().run(program) for program in programs]
    assert observed != expected
