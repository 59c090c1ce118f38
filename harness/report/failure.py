# SPDX-License-Identifier: GPL-2.0-or-later
"""What reports in other forms than text need of an outcome: ``failure.json``, an artefact."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from harness.report.diagnosis import diagnose
from harness.report.explain import headline, listing, priorities, view_of, where
from harness.report.hardware import accesses
from harness.report.listing import Lister, result
from harness.report.ppimap import Bitmaps
from harness.report.ppiview import HEAD, Phase, PpiView, Side
from harness.report.verdict import Outcome, Verdict

FILE: Final = "failure.json"
PARTS: Final = (
    "headline", "program", "differences", "more", "maps", "diagnosis", "reports", "accesses",
    "console", "log", "details",
)  # fmt: skip
DIFFERENCES: Final = 12
CONSOLE: Final = 60  # lines


def failure_facts(outcome: Outcome) -> dict[str, Any]:
    """Texts by their part; each part is a list of lines, and empty if there is nothing to say."""
    differences = outcome.comparison.differences if outcome.verdict is Verdict.FAIL else ()
    first = differences[0].step if differences else None
    return {
        "headline": headline(outcome),
        "program": list(listing(outcome, first))[1:],
        "differences": list(_differences(outcome)),
        "more": max(0, len(differences) - DIFFERENCES),
        "maps": _first_maps(outcome),
        "diagnosis": list(diagnose(outcome)),
        "reports": [line for report in outcome.reports for line in report.excerpt],
        "accesses": list(accesses(outcome)),
        "console": _tail(outcome.console),
        "log": _tail(outcome.observed.log if outcome.observed else ""),
        "details": _tail(outcome.details),
    }


def _differences(outcome: Outcome) -> Iterator[Mapping[str, str]]:
    if outcome.verdict is not Verdict.FAIL:  # after a crash they are its consequence
        return
    lister = Lister(outcome.program)
    for each in outcome.comparison.differences[:DIFFERENCES]:
        maps = Bitmaps.of(each)
        yield {
            "where": where(each.step, lister).removeprefix("operation "),
            "expected": result(each.step, each.expected),
            "observed": result(each.step, each.observed),
            "names": maps.names() if maps else priorities(each),
        }


def _first_maps(outcome: Outcome) -> dict[str, Any] | None:
    """Of the first difference that is about PPIs."""
    if outcome.verdict is not Verdict.FAIL:
        return None
    views = (view_of(each, outcome) for each in outcome.comparison.differences)
    view = next((view for view in views if view is not None), None)
    return _maps(view) if view else None


def _maps(view: PpiView) -> dict[str, Any]:
    return {
        "title": view.title,
        "head": HEAD,
        "labels": view.labels(),
        "panels": [
            {
                "phase": phase.value,
                "side": side.value,
                "rows": view.rows(phase, side),
                "note": view.note(phase, side),
            }
            for phase in Phase
            for side in Side
        ],
        "legend": view.legend(),
    }


def _tail(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines() if line.strip()][-CONSOLE:]
