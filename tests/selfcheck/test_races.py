# SPDX-License-Identifier: GPL-2.0-or-later
"""Parallel sections on a host with two CPUs: two vCPUs that make their first run at once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.fuzz.repeat import repeat
from harness.program import Delay, Parallel, Program
from harness.report.session import Session, expectation
from harness.suite import programs
from harness.targets.qemu import QemuTarget
from harness.targets.spec import TargetSpec
from harness.trace import Ending

TWO = [program for name, program in programs().items() if name.startswith("races-first-run/two-")]
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
    plain = [program for program in TWO if "CPU_SYSREGS" not in {n.name for n in program.needs}]
    failures = sum(repeat(stock.run, program, 5).failures for program in plain)
    assert failures > 0


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
    section = next(op for op in ASLEEP.ops if isinstance(op, Parallel))
    late = section.branches[1].ops[0]
    assert isinstance(late, Delay)
    trace = stock.host().run(Program("races/timing", ASLEEP.ops), 10_000)
    assert trace.ending is Ending.COMPLETED
    at = trace.results[-4].value  # of branch b: it injects
    assert at >> 32 >= late.ns
