# SPDX-License-Identifier: GPL-2.0-or-later
"""``gicv5 mutants``."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from harness.errors import ConfigError
from harness.mutants.markdown import markdown
from harness.mutants.matrix import Matrix, Row, Status, exit_code
from harness.mutants.patchfile import DEFAULT_KERNEL, Mutant, load_mutants
from harness.mutants.results import Result, Store
from harness.mutants.svg import svg
from harness.program import Capability
from harness.provision import default_images, project_root
from harness.suite import families

RESULTS: Final = Path("gicv5-results/mutants")
# What the kernels that mutants are made of can be asked.
_NEVER: Final = Capability.IRS
_COLOURS: Final = {
    Status.KILLED: "green", Status.EQUIVALENT: "green", Status.SURVIVED: "red",
    Status.UNSEEN: "red", Status.NOT_EQUIVALENT: "red", Status.ERROR: "yellow",
    Status.NOT_RUN: "dim",
}  # fmt: skip


def options(parser: argparse.ArgumentParser) -> None:
    """Of the command line."""
    parser.add_argument("--suite", action="store_true", help="run the suite (the default)")
    parser.add_argument("--fuzz", type=float, metavar="SECONDS", default=0.0,
                        help="fuzz each mutant until the first finding, at most so long")  # fmt: skip
    parser.add_argument("-k", metavar="TEXT", action="append", default=[], dest="select",
                        help="only mutants whose name contains it (may be given again)")  # fmt: skip
    parser.add_argument("--fast", action="store_true", help="stop at a mutant's first kill")
    parser.add_argument("--jobs", type=int, metavar="N", default=min(2, os.cpu_count() or 1),
                        help="build trees and hosts at once (2)")  # fmt: skip
    parser.add_argument("--results", type=Path, metavar="DIR", default=RESULTS,
                        help=f"keep what came out, do not redo what is there ({RESULTS})")  # fmt: skip
    parser.add_argument("--kernel", metavar="NAME|TREE", default=DEFAULT_KERNEL,
                        help=f"what to break ({DEFAULT_KERNEL})")  # fmt: skip
    parser.add_argument("--mutants", type=Path, metavar="DIR", help="instead of tests/mutants")
    parser.add_argument("--markdown", type=Path, metavar="FILE.md",
                        help="also write the tables there, and the picture beside it")  # fmt: skip
    parser.add_argument("--images", type=Path, default=default_images(), metavar="FILE",
                        help="instead of the project's own")  # fmt: skip
    parser.add_argument("--qemu", metavar="NAME|PATH", help="a QEMU from images.yaml, or a file")


def command_mutants(given: argparse.Namespace) -> int:
    """0: all killed or equivalent; 1: a survivor; else as the README says."""
    from harness.mutants.campaign import Campaign, Plan, provisioner  # noqa: PLC0415 (heavy)

    if given.jobs < 1:
        raise ConfigError(f"--jobs {given.jobs}", "1 or more")
    if given.markdown and given.select:
        raise ConfigError("--markdown with -k", "the tables are those of all mutants")
    runnable = {
        family.name: [p.name for p in family.programs if _NEVER not in p.needs]
        for family in families()
    }
    runnable = {name: programs for name, programs in runnable.items() if programs}
    mutants = _selected(
        load_mutants(given.mutants or project_root() / "tests" / "mutants", list(runnable)),
        given.select,
    )
    suite = given.suite or not given.fuzz
    plan = Plan(mutants, Store(given.results), suite, given.fuzz, given.fast, given.jobs,
                given.kernel, given.images, given.qemu)  # fmt: skip
    say = _say
    started = time.monotonic()
    campaign = Campaign(plan, provisioner(plan, say), say, _teller(len(mutants), suite, started))
    outcome = campaign.run()
    sizes = {name: len(programs) for name, programs in runnable.items()}
    matrix = Matrix.of(
        mutants, outcome.results, sizes, [p for programs in runnable.values() for p in programs]
    )
    _show(matrix, suite, given.fuzz)
    for line in _summary(matrix, suite, given.fuzz):
        print(line)
    for base in outcome.baselines:
        if base.suite is not None:
            print(f"yardstick: {base.kernel}, not mutated: {base.suite.passed} programs in "
                  f"{base.suite.seconds:.1f} s, booted in {base.suite.boot_seconds:.1f} s")  # fmt: skip
    print(f"{outcome.seconds:.0f} s for {outcome.redone} mutants with --jobs {given.jobs}; "
          f"{len(mutants) - outcome.redone} were known")  # fmt: skip
    _write(given, matrix, outcome.baselines, outcome.seconds)
    return exit_code(matrix, suite, bool(given.fuzz))


def _selected(mutants: list[Mutant], words: list[str]) -> list[Mutant]:
    chosen = [m for m in mutants if not words or any(word in m.name for word in words)]
    if not chosen:
        raise ConfigError(f"-k {' -k '.join(words)}: no mutant is called so",
                          f"one of: {', '.join(m.name for m in mutants)}")  # fmt: skip
    return chosen


def _say(message: str) -> None:
    print(f"gicv5: {message}", file=sys.stderr, flush=True)


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
        _say(f"{seconds:5.0f} s {len(done)}/{total} {mutant.name}: {status.value} {how[:160]}")

    return told


# --- what a person sees --------------------------------------------------------------------------


def _show(matrix: Matrix, suite: bool, fuzz: float) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column("mutant", no_wrap=True)
    if suite:
        table.add_column("suite", no_wrap=True)
        for title in ("after", "programs"):
            table.add_column(title, justify="right", no_wrap=True)
        table.add_column("failed programs of each family", overflow="fold")
    if fuzz:
        table.add_column("fuzzer", no_wrap=True)
        for title in ("after", "programs"):
            table.add_column(title, justify="right", no_wrap=True)
    for row in matrix.rows:
        cells = [row.mutant.name]
        if suite:
            cells += [_coloured(row.suite), *_when(row)]
            cells.append(escape(row.result.error or row.result.no_boot or tally(row)))
        if fuzz:
            found = row.result.fuzz.kill if row.result.fuzz else None
            cells.append(_coloured(row.fuzz))
            cells += [f"{found.seconds:.1f} s", str(found.number)] if found else ["", ""]
        table.add_row(*cells)
    Console(highlight=False).print(table)


def _coloured(status: Status) -> str:
    return f"[{_COLOURS[status]}]{status.value}[/]"


def _when(row: Row) -> list[str]:
    return [f"{row.first.seconds:.1f} s", str(row.first.number)] if row.first else ["", ""]


def tally(row: Row) -> str:
    """``order 3, pmu 1 crashed``."""
    parts = [f"{family} {count}" for family, count in row.failed.items()]
    parts += [f"{family} {count} crashed" for family, count in row.crashed.items()]
    if row.unseen:
        parts.append(f"but not {', '.join(row.unseen)}, which its header promises")
    return ", ".join(parts)


def _summary(matrix: Matrix, suite: bool, fuzz: float) -> list[str]:
    lines = []
    total = len(matrix.rows)
    if suite:
        counts = [f"{matrix.count(s)} {s.value}" for s in Status if matrix.count(s)]
        lines.append(f"suite: of {total} mutants {', '.join(counts)}")
    if fuzz:
        counts = [f"{matrix.fuzz_count(s)} {s.value}" for s in Status if matrix.fuzz_count(s)]
        lines.append(f"fuzzer, {fuzz:.0f} s each: of {total} mutants {', '.join(counts)}")
    return lines


def _write(
    given: argparse.Namespace, matrix: Matrix, baselines: tuple[object, ...], seconds: float
) -> None:
    given.results.mkdir(parents=True, exist_ok=True)
    record = {
        "seconds": round(seconds, 1),
        "jobs": given.jobs,
        "baselines": [asdict(each) for each in baselines],  # type: ignore[call-overload]
        "mutants": [
            {
                "name": row.mutant.name, "suite": row.suite.value, "fuzz": row.fuzz.value,
                "families": {**row.failed}, "crashed": {**row.crashed},
                "result": asdict(row.result),
            }
            for row in matrix.rows
        ],
    }  # fmt: skip
    (given.results / "matrix.json").write_text(json.dumps(record, indent=1) + "\n")
    (given.results / "matrix.svg").write_text(svg(matrix))
    (given.results / "matrix.md").write_text(markdown(matrix, "matrix.svg"))
    print(f"written: {given.results}/matrix.md, .svg, .json")
    if given.markdown:
        picture = given.markdown.with_suffix(".svg")
        picture.write_text(svg(matrix))
        given.markdown.write_text(markdown(matrix, picture.name))
        print(f"written: {given.markdown}, {picture}")
