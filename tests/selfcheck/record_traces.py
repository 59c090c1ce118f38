# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the suite on kernels that behave, and keeps what they did.

Only what passes is kept.  tests/unit/test_model_recorded.py compares the model with it.

    python tests/selfcheck/record_traces.py
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "unit"))

import recorded

from harness.model.behaviour import Behaviour
from harness.report.session import Session
from harness.report.verdict import Expectation, Verdict
from harness.suite import programs
from harness.targets.qemu import QemuTarget
from harness.targets.spec import TargetSpec


def record(kernel: str, behaviour: Behaviour) -> None:
    """The traces that ``behaviour`` expects, of the programs that pass."""
    target = QemuTarget.create(TargetSpec(kernel=kernel), print)
    expectation = Expectation(
        behaviour.accessors, behaviour.finalize, behaviour.late_writes, behaviour.irs
    )
    session = Session(target, expectation)
    lines = []
    try:
        waiting = list(programs().values())
        for at, program in enumerate(waiting, 1):
            outcome = session.run(program, waiting[at : at + 16])
            if outcome.verdict is Verdict.PASS and outcome.expected is not None:
                digests = recorded.program_digest(program), recorded.trace_digest(outcome.expected)
                lines.append(f"{program.name} {' '.join(digests)}\n")
            elif outcome.verdict is not Verdict.SKIP:
                print(f"{kernel}: {program.name}: {outcome.verdict.name}: {outcome.message}")
    finally:
        session.close()
    recorded.place(kernel).write_text("".join(lines))
    print(f"{kernel}: {len(lines)} programs")


if __name__ == "__main__":
    for name, expected in recorded.KERNELS.items():
        record(name, expected)
