# SPDX-License-Identifier: GPL-2.0-or-later
"""The kill matrix on a terminal."""

from __future__ import annotations

from typing import Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from harness.mutants.matrix import Matrix, Row, Status

_COLOURS: Final = {
    Status.KILLED: "green",
    Status.EQUIVALENT: "green",
    Status.SURVIVED: "red",
    Status.UNSEEN: "red",
    Status.NOT_EQUIVALENT: "red",
    Status.ERROR: "yellow",
    Status.NOT_RUN: "dim",
}


def show(matrix: Matrix, suite: bool, fuzz: float) -> None:
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


def summary(matrix: Matrix, suite: bool, fuzz: float) -> list[str]:
    lines = []
    total = len(matrix.rows)
    if suite:
        counts = [f"{matrix.count(s)} {s.value}" for s in Status if matrix.count(s)]
        lines.append(f"suite: of {total} mutants {', '.join(counts)}")
    if fuzz:
        counts = [f"{matrix.fuzz_count(s)} {s.value}" for s in Status if matrix.fuzz_count(s)]
        lines.append(f"fuzzer, {fuzz:.0f} s each: of {total} mutants {', '.join(counts)}")
    return lines
