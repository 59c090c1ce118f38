# SPDX-License-Identifier: GPL-2.0-or-later
"""Parallel sections on a host with two CPUs: two vCPUs that make their first run at once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.fuzz.repeat import repeat
from harness.program import Branch, Program
from harness.report.session import Session, expectation
from harness.suite import programs
from harness.targets.qemu import QemuTarget
from harness.targets.spec import TargetSpec
from harness.trace import Ending, steps

TWO = [programs()[f"races-first-run/two-{us}"] for us in (0, 25, 75, 150, 250)]
ASLEEP = programs()["races/inject-wakes-wfi-150"]


def session(kernel: str, **expect: str) -> Session:
    target = QemuTarget.create(TargetSpec(kernel=kernel, cpus=2), lambda _message: None)
    return Session(target, expectation(target.expect, expect))


@pytest.fixture(scope="module")
def stock() -> Iterator[Session]:
    booted = session("stock")
    yield booted
    booted.close()


def test_threads_that_start_at_once_show_the_order_defect(stock: Session) -> None:
    """On a kernel that decides by vCPU index 0, without anyone forcing an order."""
    assert sum(repeat(stock.run, program, 8).failures for program in TWO) > 0


def test_declared_as_it_is_both_orders_are_allowed_and_nothing_else_is_seen() -> None:
    declared = session("stock", finalize="first-created")
    try:
        tally = repeat(declared.run, programs()["races-first-run/two-0"], 20)
        assert (tally.failures, tally.of) == (0, 2)
    finally:
        declared.close()


def test_a_sleeping_guest_is_woken_each_time(stock: Session) -> None:
    assert repeat(stock.run, ASLEEP, 20).failures == 0


def test_branches_start_together_and_wait_for_their_delays(stock: Session) -> None:
    program = Program("races/timing", ASLEEP.ops)
    trace = stock.host().run(program)
    assert trace.ending is Ending.COMPLETED
    (at,) = (
        trace.results[step.record].value
        for step in steps(program)
        if isinstance(step.op, Branch) and step.branch == 1  # it waits 150 us, then injects
    )
    assert at >> 32 >= 150_000
