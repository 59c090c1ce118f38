# SPDX-License-Identifier: GPL-2.0-or-later
"""A night as one HTML page.  The variants' own pages lie beside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from markupsafe import Markup

from harness.errors import ConfigError
from harness.nightly.night import Changes, Night
from harness.report.verdict import Verdict
from harness.results.formats import load
from harness.results.html import environment, failure
from harness.results.model import Case
from harness.results.plots import Bar, bars, line

IN_FULL: Final = 20  # new failures that are shown with maps and all


def page(night: Night, found: Changes, earlier: Sequence[Night], folder: Path) -> str:
    """``folder``: the night's; ``earlier``: oldest first."""
    statuses = Counter(outcome.status for outcome in night.outcomes)
    return environment().get_template("night.html.j2").render(
        night=night, found=found, compared=bool(earlier),
        counts=[(verdict, statuses[verdict.name]) for verdict in Verdict],
        shown=list(_in_full(night, found, folder)),
        plots={key: Markup(svg) for key, svg in _plots(night, earlier).items()},
    )  # fmt: skip


def _in_full(
    night: Night, found: Changes, folder: Path
) -> Iterator[tuple[str, Case, Mapping[str, Any]]]:
    """(variant, case, what is known of the failure)."""
    for change in found.new[:IN_FULL]:
        outcome = night.outcome(change.variant)
        if outcome is None or not outcome.folder:
            continue
        try:
            cases = load(folder / outcome.folder).cases
        except ConfigError:
            continue
        case = next((each for each in cases if each.program == change.what), None)
        if case is not None:
            yield change.variant, case, failure(folder / outcome.folder / case.artefacts)


def _plots(night: Night, earlier: Sequence[Night]) -> dict[str, str]:
    nights = [*earlier, night]
    return {
        "failures": line(
            [(n, each.failures()) for n, each in enumerate(nights, 1)],
            "failures, over the nights", "nights", "failures",
        ),
        "seconds": line(
            [(n, each.seconds) for n, each in enumerate(nights, 1)],
            "seconds, over the nights", "nights", "s",
        ),
        "variants": bars(
            [Bar(o.id, (o.seconds,), f"{o.seconds:.1f} s") for o in night.outcomes if o.counts],
            "seconds by variant",
        ),
    }  # fmt: skip
