# SPDX-License-Identifier: GPL-2.0-or-later
"""What the commands print alike."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from harness.errors import HarnessError


def report(error: HarnessError) -> None:
    """One error as a person should see it."""
    print(f"gicv5: error: {error.what}", file=sys.stderr)
    if error.remedy:
        print(f"  remedy: {error.remedy}", file=sys.stderr)


def say(message: str) -> None:
    """One line of progress, for a log."""
    print(f"gicv5: {message}", file=sys.stderr, flush=True)


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """Messages to stderr: a spinner for a person, lines for a log."""
    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield say
        return
    with console.status("") as status:

        def show(message: str) -> None:
            console.print(f"[dim]{escape(message)}[/dim]")
            status.update(f"[dim]{escape(message.partition(':')[0])} ...[/dim]")

        yield show


def print_outcomes(outcomes: Sequence[tuple[str, str, int, float]]) -> None:
    """Columns: what, its result, its exit code, how long it took."""
    console = Console(highlight=False)
    table = Table(box=None, pad_edge=False)
    for title in ("kernel", "result", "exit code", "seconds"):
        table.add_column(title, justify="left" if title in ("kernel", "result") else "right")
    for name, result, code, seconds in outcomes:
        colour = {"PASS": "green", "FAIL": "red"}.get(result, "yellow")
        table.add_row(escape(name), f"[{colour}]{escape(result)}[/]", str(code), f"{seconds:.1f}")
    console.print()
    console.print(table)
