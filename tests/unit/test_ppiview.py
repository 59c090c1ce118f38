# SPDX-License-Identifier: GPL-2.0-or-later
"""The four maps of a vCPU's PPIs."""

from __future__ import annotations

import re
import textwrap
from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from harness import program as p
from harness.fuzz.text import read_program
from harness.model import Behaviour, Finalize, HostFacts, Model
from harness.ppi import CNTP, CNTV, SW_PPI, U64
from harness.program import Capability, Program
from harness.report.ppimap import Bitmaps
from harness.report.ppiview import Phase, PpiView, Side, cell, exposed_ppis, ppi_view
from harness.suite import order as suite_order
from harness.trace import Trace, compare

SETUP = (
    p.CreateVm(), p.CreateDevice(), p.CreateVcpu(vcpu=0, id=0), p.CreateVcpu(vcpu=1, id=17),
    p.InitVcpu(vcpu=0), p.InitVcpu(vcpu=1), p.init_device(),
)  # fmt: skip
EXPOSED = 1 << SW_PPI | 1 << CNTV | 1 << CNTP
HIDDEN = 1 << 26 | 1 << 40
WROTE = HIDDEN | 1 << CNTV
LEAK = Program(
    "masking/x",
    (
        *SETUP, p.set_reg("SACTIVER0", WROTE, vcpu_id=17), p.set_reg("SPENDR0", U64, vcpu_id=17),
        p.Run(vcpu=0), p.Run((p.read("SACTIVER0"),), vcpu=1), p.get_reg("SACTIVER0", vcpu_id=17),
    ),
    frozenset({Capability.VGIC_V5, Capability.CPU_SYSREGS}),
)  # fmt: skip
BEFORE_US, AFTER_US = (Phase.BEFORE, Side.USERSPACE), (Phase.AFTER, Side.USERSPACE)
AFTER_GUEST = (Phase.AFTER, Side.GUEST)


def trace(program: Program, finalize: Finalize) -> Trace:
    return Model(Behaviour(finalize=finalize), HostFacts()).run(program)


def view(program: Program) -> PpiView:
    want, got = trace(program, Finalize.PER_VCPU), trace(program, Finalize.FIRST_CREATED)
    first = compare(program, want, got).differences[0]
    mask = exposed_ppis(program, Behaviour(), HostFacts(), 0)
    found = ppi_view(program, first, want, got, mask)
    assert found is not None
    return found


def test_a_leak_is_seen_where_it_comes_from_and_where_it_arrives() -> None:
    found = view(LEAK)
    assert found.exposed == EXPOSED
    assert found.title == "vCPU1, Active of PPIs 0-63"
    assert set(found.maps) == {BEFORE_US, AFTER_US, AFTER_GUEST}
    assert found.maps[BEFORE_US] == Bitmaps(WROTE, WROTE)
    for place in (AFTER_US, AFTER_GUEST):
        assert found.maps[place].leaked == HIDDEN
        assert found.maps[place].lost == 0
    assert found.note(Phase.BEFORE, Side.GUEST) == "(the guest has not run)"


def test_the_rows_of_a_leak() -> None:
    found = view(LEAK)
    assert found.rows(*BEFORE_US)[1:3] == [
        ". . . . . . . . . . * # . . o .", ". . . . . . . . * . . . . . . .",
    ]  # fmt: skip
    assert found.rows(*AFTER_GUEST)[1:3] == [
        ". . . . . . . . . . L # . . o .", ". . . . . . . . L . . . . . . .",
    ]  # fmt: skip
    assert max(map(len, found.lines())) <= 80


def test_lost_timers_are_in_the_guests_map_alone() -> None:
    run = (p.write("ENABLER0", U64),)
    found = view(Program("order/x", (*SETUP, p.Run(run, vcpu=1), p.Run(run))))
    assert set(found.maps) == {AFTER_GUEST}
    assert found.maps[AFTER_GUEST].lost == 1 << CNTV | 1 << CNTP
    assert "before its first run: nobody looked" in list(found.lines())


def test_the_first_look_that_differs_is_shown_not_a_later_one_that_agrees() -> None:
    again = replace(LEAK, ops=(*LEAK.ops, p.get_reg("SACTIVER0", vcpu_id=17)))
    want, got = trace(again, Finalize.PER_VCPU), trace(again, Finalize.FIRST_CREATED)
    mended = Trace((*got.results[:-1], want.results[-1]))
    first = compare(again, want, mended).differences[0]
    found = ppi_view(again, first, want, mended, EXPOSED)
    assert found is not None
    assert found.maps[AFTER_US].leaked == HIDDEN


def test_bank_1_has_other_numbers_and_nothing_exposed() -> None:
    program = Program("x/y", (*SETUP, p.Run((p.read("SPENDR1"),))))
    want = trace(program, Finalize.PER_VCPU)
    got = Trace((*want.results[:-1], replace(want.results[-1], value=1 << 5)))
    found = ppi_view(program, compare(program, want, got).differences[0], want, got, EXPOSED)
    assert found is not None
    assert found.labels()[0] == "64-79"
    assert found.rows(*AFTER_GUEST)[0] == ". . . . . L . . . . . . . . . ."


def test_what_is_not_a_bitmap_has_no_maps() -> None:
    program = Program("x/y", (*SETUP, p.Run((p.read("ICC_PCR_EL1"),))))
    want = trace(program, Finalize.PER_VCPU)
    got = Trace((*want.results[:-1], replace(want.results[-1], value=1)))
    assert ppi_view(program, compare(program, want, got).differences[0], want, got, 0) is None


DOCS = Path(__file__).parents[2] / "docs"


def test_the_maps_in_the_documentation_are_those_of_reports() -> None:
    text = (DOCS / "model.md").read_text()
    shown = re.findall(r"<!-- the same as a report -->\n\n((?:    .*\n)+)", text)
    order = next(each for each in suite_order.programs() if each.name == "order/2-vcpus-1-first")
    leak = read_program(DOCS / "programs" / "leak.program")
    assert len(shown) == 2
    for program, block in zip((leak, order), shown, strict=True):
        lines = textwrap.dedent(block).splitlines()
        assert list(view(program).lines())[: len(lines)] == lines


words = st.integers(0, U64)


@given(words, words, words, words)
def test_every_cell_tells_the_truth(want: int, got: int, known: int, exposed: int) -> None:
    maps = Bitmaps(want, got, known)
    cells = [cell(maps, exposed, bit) for bit in range(64)]
    shown = {mark: sum(1 << n for n, c in enumerate(cells) if c == mark) for mark in ".o#*Lx?"}
    assert sum(shown.values()) == U64
    assert shown["?"] == ~known & U64
    assert shown["L"] == maps.leaked == got & ~want & known
    assert shown["x"] == maps.lost == want & ~got & known
    assert (shown["#"], shown["*"]) == (want & got & known & exposed, want & got & known & ~exposed)
    assert shown["o"] | shown["."] == known & ~want & ~got & U64
    assert not shown["."] & exposed
