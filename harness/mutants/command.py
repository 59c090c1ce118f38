# SPDX-License-Identifier: GPL-2.0-or-later
"""``gicv5 mutants``: from its options to its tables."""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from harness.commands.shown import say
from harness.errors import ConfigError
from harness.mutants.campaign import Baseline, Campaign, HostKind, Outcome, Plan
from harness.mutants.judge import Lab, Stop
from harness.mutants.markdown import markdown
from harness.mutants.matrix import Matrix, exit_code
from harness.mutants.patchfile import Mutant, load_mutants
from harness.mutants.results import Result, Store
from harness.mutants.svg import svg
from harness.mutants.terminal import show, summary
from harness.provision import Expect, Provisioner, load_images, project_root
from harness.report.session import expectation
from harness.suite import families, programs
from harness.targets.qemu import QemuTarget
from harness.targets.spec import OpenTarget, TargetSpec


def run(given: argparse.Namespace) -> int:
    """0: all killed or equivalent; 1: a survivor; else as the README says."""
    if given.jobs < 1:
        raise ConfigError(f"--jobs {given.jobs}", "1 or more")
    if given.markdown and given.select:
        raise ConfigError("--markdown with -k", "the tables are those of all mutants")
    names = [family.name for family in families()]
    mutants = _selected(
        load_mutants(given.mutants or project_root() / "tests" / "mutants", names), given.select
    )
    suite = given.suite or not given.fuzz
    store = Store(given.results)
    if given.report:
        results = {mutant.name: store.load(mutant.name) for mutant in mutants}
        outcome = Outcome((), results, 0.0, 0)
    else:
        outcome = _campaign(given, mutants, store, suite)
    matrix = _matrix(mutants, outcome)
    show(matrix, suite, given.fuzz)
    for line in summary(matrix, suite, given.fuzz):
        print(line)
    if suite and not given.select and (idle := matrix.idle_families()):
        print(f"families that kill nothing: {', '.join(idle)}")
    for base in outcome.baselines:
        if base.suite is not None:
            print(
                f"yardstick: {base.host}, not mutated: {len(base.suite.verdicts)} programs in "
                f"{base.suite.seconds:.1f} s, booted in {base.suite.boot_seconds:.1f} s"
            )
    if not given.report:
        print(
            f"{outcome.seconds:.0f} s for {outcome.redone} mutants with --jobs {given.jobs}; "
            f"{len(mutants) - outcome.redone} were known"
        )
    _write(given, matrix, outcome.baselines, outcome.seconds)
    return exit_code(matrix, suite, bool(given.fuzz))


def _campaign(
    given: argparse.Namespace, mutants: list[Mutant], store: Store, suite: bool
) -> Outcome:
    plan = Plan(mutants, store, suite, given.fuzz, given.fast, given.jobs, given.kernel)
    provisioner = Provisioner(load_images(given.images), progress=say)
    told = _teller(len(mutants), suite, time.monotonic())
    return Campaign(plan, provisioner.work_trees, _labs(given, provisioner), say, told).run()


def _matrix(mutants: list[Mutant], outcome: Outcome) -> Matrix:
    """Its families and programs are those that some kernel could run."""
    runnable = {name for base in outcome.baselines for name in base.programs}
    if not outcome.baselines:
        stored = (result.suite for result in outcome.results.values())
        runnable = {name for suite in stored if suite for name in suite.verdicts}
    ran = [program for program in programs().values() if program.name in runnable]
    sizes = Counter(program.family for program in ran)
    return Matrix.of(mutants, outcome.results, sizes, [program.name for program in ran])


def _labs(given: argparse.Namespace, provisioner: Provisioner) -> Callable[[HostKind, Stop], Lab]:
    def lab(host: HostKind, stop: Stop) -> Lab:
        entry = provisioner.kernel_entry(host.kernel)

        def target(image: Path) -> OpenTarget:
            spec = TargetSpec(
                "qemu", str(image), given.qemu, given.images, host.cpus, entry.cmdline
            )
            return QemuTarget.create(spec, lambda _message: None)

        return Lab(target, expectation(Expect.of(entry.expect)), stop)

    return lab


def _selected(mutants: list[Mutant], words: list[str]) -> list[Mutant]:
    chosen = [m for m in mutants if not words or any(word in m.name for word in words)]
    if not chosen:
        raise ConfigError(
            f"-k {' -k '.join(words)}: no mutant is called so",
            f"one of: {', '.join(m.name for m in mutants)}",
        )
    return chosen


def _teller(total: int, suite: bool, started: float) -> Callable[[Mutant, Result], None]:
    done: list[str] = []

    def told(mutant: Mutant, result: Result) -> None:
        done.append(mutant.name)
        row = Matrix.of([mutant], {mutant.name: result}, {}, []).rows[0]
        status = row.suite if suite else row.fuzz
        how = result.error or result.no_boot
        if suite and row.first:
            how = f"{row.first.program}: {row.first.message}"
        elif result.fuzz and result.fuzz.kill:
            how = f"{result.fuzz.kill.number} programs: {result.fuzz.kill.message}"
        seconds = time.monotonic() - started
        say(f"{seconds:5.0f} s {len(done)}/{total} {mutant.name}: {status.value} {how[:160]}")

    return told


def _short(result: Result) -> dict[str, object]:
    """Without the programs that passed; the mutant's own file has all."""
    record = asdict(result)
    if result.suite:
        record["suite"]["digests"] = {}
        record["suite"]["verdicts"] = {
            name: verdict for name, verdict in result.suite.verdicts.items() if verdict != "pass"
        }
    return record


def _write(
    given: argparse.Namespace, matrix: Matrix, baselines: tuple[Baseline, ...], seconds: float
) -> None:
    given.results.mkdir(parents=True, exist_ok=True)
    record = {
        "seconds": round(seconds, 1),
        "jobs": given.jobs,
        "baselines": [
            {
                "kernel": each.host.kernel,
                "cpus": each.host.cpus,
                "version": each.version,
                "suite_seconds": each.suite.seconds if each.suite else None,
                "suite_programs": len(each.suite.verdicts) if each.suite else 0,
                "fuzz_programs": each.fuzz.programs if each.fuzz else 0,
            }
            for each in baselines
        ],
        "mutants": [
            {
                "name": row.mutant.name,
                "suite": row.suite.value,
                "fuzz": row.fuzz.value,
                "families": {**row.failed},
                "crashed": {**row.crashed},
                "result": _short(row.result),
            }
            for row in matrix.rows
        ],
    }
    (given.results / "matrix.json").write_text(json.dumps(record, indent=1) + "\n")
    (given.results / "matrix.svg").write_text(svg(matrix))
    (given.results / "matrix.md").write_text(markdown(matrix, "matrix.svg"))
    print(f"written: {given.results}/matrix.md, .svg, .json")
    if given.markdown:
        picture = given.markdown.with_suffix(".svg")
        picture.write_text(svg(matrix))
        given.markdown.write_text(markdown(matrix, picture.name))
        print(f"written: {given.markdown}, {picture}")
