# SPDX-License-Identifier: GPL-2.0-or-later
"""compare(): what counts as a difference, and where it is."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from strategies import programs, results, u64

from harness.ppi import U64
from harness.program import Branch, CreateVm, Delay, Parallel, Program, Run, Wfi, Window, flat, read
from harness.trace import Ending, Result, Status, Trace, compare, steps

PROGRAM = Program("a/b", (CreateVm(), Run((read("CR0"), Wfi())), CreateVm(1), Run((Window(),))))


def trace(*results: Result) -> Trace:
    return Trace(results)


def test_steps_name_the_place() -> None:
    where = [(s.record, s.op_index, s.guest_index) for s in steps(PROGRAM)]
    assert where == [(0, 0, None), (1, 1, None), (2, 1, 0), (3, 1, 1), (4, 2, None), (5, 3, None),
                     (6, 3, 0)]  # fmt: skip
    assert [s.guest for s in steps(PROGRAM)][2] == read("CR0")


def test_steps_of_a_parallel_section() -> None:
    """The section, then each branch with its operations: 0 and 0a, 0a0, 0a0.0, 0b, 0b0."""
    run, delay = Run((Wfi(),)), Delay(1)
    section = Parallel((Branch((run,)), Branch((delay,))))
    where = list(steps(Program("a/b", (section,))))
    assert [(s.record, s.number) for s in where] == list(enumerate(
        ["0", "0a", "0a0", "0a0.0", "0b", "0b0"]
    ))  # fmt: skip
    assert [s.op for s in where] == [section, section.branches[0], run, run, section.branches[1],
                                     delay]  # fmt: skip


@given(results)
def test_a_result_agrees_with_itself(result: Result) -> None:
    assert result.agrees(result)


@given(results, u64, u64)
def test_known_decides_about_the_value(result: Result, other: int, known: int) -> None:
    expected = replace(result, known=known)
    observed = replace(result, value=other)
    assert expected.agrees(observed) == ((result.value ^ other) & known == 0)


@pytest.mark.parametrize(
    "change", [{"ret": -1}, {"status": Status.BLOCKED}, {"value": 1}, {"extra": 1}], ids=str
)
def test_every_field_counts(change: dict[str, int]) -> None:
    assert not Result().agrees(replace(Result(), **change))  # type: ignore[arg-type]


def test_only_the_expected_side_knows() -> None:
    """What a target says it does not know is no excuse."""
    assert not Result(value=1).agrees(Result(value=0, known=0))


def test_differences_come_in_order_with_their_step() -> None:
    same = [Result()] * 7
    other = [*same]
    other[3], other[6] = Result(status=Status.BLOCKED), Result(value=2)
    found = compare(PROGRAM, trace(*same), trace(*other))
    assert not found.agrees
    assert [d.step.record for d in found.differences] == [3, 6]
    assert found.differences[0].step.guest == Wfi()
    assert found.differences[0].expected == Result()
    assert found.differences[1].observed.value == 2


def test_log_and_ending_are_for_the_judge() -> None:
    same = tuple([Result()] * 7)
    noisy = Trace(same, Ending.KILLED, 11, "Oops")
    assert compare(PROGRAM, Trace(same), noisy).agrees


@pytest.mark.parametrize(("expected", "observed"), [(6, 7), (7, 6), (0, 0), (8, 8)])
def test_lengths_must_fit(expected: int, observed: int) -> None:
    with pytest.raises(ValueError, match="a/b: 7 records"):
        compare(PROGRAM, trace(*[Result()] * expected), trace(*[Result()] * observed))


@given(programs)
def test_each_record_has_one_step(program: Program) -> None:
    where = list(steps(program))
    assert [s.record for s in where] == list(range(len(where)))
    ops = list(flat(program.ops))
    count = len(ops) + sum(len(op.guest) for op in ops if isinstance(op, Run))
    count += sum(len(op.branches) for op in ops if isinstance(op, Parallel))
    assert len(where) == count
    assert len({s.number for s in where}) == count
    assert Result().known == U64
