# SPDX-License-Identifier: GPL-2.0-or-later
"""A session with every verdict, made by the judge from model traces, as a folder on disk."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from fake_target import HELLO, PROVENANCE, golden
from test_ppiview import LEAK, SETUP

from harness import program as p
from harness.model import Behaviour, Finalize, HostFacts, Model
from harness.model.executor import Allowed
from harness.ppi import U64
from harness.program import Program
from harness.report.artefacts import Artefacts
from harness.report.judge import Judge
from harness.report.verdict import Expectation, Outcome, Verdict
from harness.results import jsonl
from harness.results.model import Boot, Case, Results
from harness.targets.base import HostLost
from harness.trace import Trace

RUN = (p.write("ENABLER0", U64), p.read("SPENDR0"))
ORDER = Program("order/second-first", (*SETUP, p.Run(RUN, vcpu=1), p.Run(RUN)))
PLAIN = Program("plain/<one> & 'two'", (*SETUP, p.Run(RUN)))


def execute(behaviour: Behaviour, program: Program) -> Trace:
    return Model(behaviour, HostFacts()).run(program)


def allowed(behaviour: Behaviour, program: Program) -> tuple[Allowed, ...]:
    return Model(behaviour, HostFacts()).allowed(program)


def outcomes() -> list[Outcome]:
    judge = Judge(Expectation(), HELLO, allowed)
    old = Behaviour(finalize=Finalize.FIRST_CREATED)
    lost = HostLost("QEMU exited with status 0", golden("oops-nvhe-v5.log"), started=True)
    silent = HostLost("the host did not answer in time", "hello <b>\n", started=True)
    return [
        judge.judge(ORDER, execute(old, ORDER)),
        judge.judge(LEAK, execute(old, LEAK)),
        replace(judge.lost(PLAIN, lost), program=replace(PLAIN, name="plain/dies")),
        replace(judge.lost(PLAIN, silent), program=replace(PLAIN, name="plain/silent")),
        Outcome(Verdict.SKIP, replace(PLAIN, name="plain/lacks"), "PMUv3: absent"),
        judge.judge(PLAIN, execute(Behaviour(), PLAIN)),
    ]


def sample(folder: Path) -> Results:
    """Writes the session; what is in it."""
    artefacts = Artefacts(folder, "fake", PROVENANCE)
    cases = []
    for number, outcome in enumerate(outcomes()):
        failed = outcome.verdict not in (Verdict.PASS, Verdict.SKIP)
        rerun = f"pytest --target=qemu {outcome.program.name}"
        where = artefacts.save(outcome, rerun).relative_to(folder) if failed else ""
        cases.append(Case(
            outcome.program.name, outcome.verdict, 0.1 * number, 0.5 + number, outcome.message,
            artefacts=str(where), rerun=rerun if failed else "",
        ))  # fmt: skip
    results = Results(
        "2026-11-22T01:02:03+00:00", "fake", PROVENANCE, tuple(cases), 7.5,
        ("Linux 7.3.4, VHE, 1 CPU",), (Boot(0.6, 0.31, 0.38), Boot(0.7, 0.3, 0.4)),
    )  # fmt: skip
    mutant = {
        "name": "dvi-overwritten",
        "suite": "killed",
        "families": {"timers": 3},
        "crashed": {},
    }
    matrix = {"mutants": [mutant, {**mutant, "name": "x", "families": {}, "crashed": {"order": 1}}]}
    (folder / "matrix.json").write_text(json.dumps(matrix))
    (folder / jsonl.FILE).write_text(jsonl.write(results))
    return results
