# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the suite and generated programs on a kernel with gcov, and reads its counters."""

from __future__ import annotations

import argparse
import secrets
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from harness.coverage.explained import Report, load_explanations, report
from harness.coverage.gcov import Coverage, counters, evaluate, notes
from harness.errors import TargetError
from harness.fuzz.commands import open_session
from harness.fuzz.corpus import Corpus
from harness.fuzz.fuzzer import Factory, Fuzzer
from harness.provision.process import run
from harness.report.session import Session
from harness.report.verdict import Verdict
from harness.suite import programs
from harness.targets.qemu import QemuTarget

READ_SECONDS = 60.0
AHEAD = 16


def measured(options: argparse.Namespace) -> Report:
    """What was reached in each phase.

    Each has a host of its own, so that its counters are its own; booting and probing count.
    """
    explanations = load_explanations(options.explained)
    phases: dict[str, Coverage] = {}
    if options.suite or not options.fuzz:
        kept, phases["suite"] = _phase(options, _suite)
    if options.fuzz:
        kept, phases["fuzz"] = _phase(options, lambda session: _fuzz(options, session))
    names = sorted({name for coverage in phases.values() for name in coverage})
    sources = {name: (kept / name).read_text().splitlines() for name in names}
    return report(phases, sources, explanations)


def _phase(options: argparse.Namespace, execute: Callable[[Session], str]) -> tuple[Path, Coverage]:
    """Where the notes of the build are, and what ``execute`` reached."""
    with open_session(options, options.kernel) as session:
        assert isinstance(session.target, QemuTarget)
        kept = notes(session.target.machine.kernel)
        said = execute(session)
        lost = f"; counters of {session.boots - 1} hosts lost" if session.boots > 1 else ""
        print(f"gicv5: {said}{lost}", file=sys.stderr)
        output = session.host().command(["/init", "--gcov"], READ_SECONDS)
    if output.status:
        raise TargetError(f"no counters: {output.text.strip()}", "see kernel/coverage.config")
    with tempfile.TemporaryDirectory(prefix="gicv5-gcov.") as scratch:
        return kept, evaluate(counters(output.text), kept, Path(scratch), run)


def _suite(session: Session) -> str:
    waiting = list(programs().values())
    verdicts: Counter[Verdict] = Counter()
    for at, program in enumerate(waiting, 1):
        verdicts[session.run(program, waiting[at : at + AHEAD]).verdict] += 1
    said = ", ".join(f"{count} {verdict.name}" for verdict, count in verdicts.items())
    return f"suite: {said}"


def _fuzz(options: argparse.Namespace, session: Session) -> str:
    seed = options.seed or secrets.token_hex(4)
    factory = Factory.of(seed, [session])
    fuzzer = Fuzzer(session, factory, Corpus(None), lambda stats: stats.seconds >= options.fuzz)
    fuzzer.run()
    counts = f"{fuzzer.statistics.programs} programs, {len(fuzzer.findings)} findings"
    return f"fuzz: --seed {seed}, {counts}"
