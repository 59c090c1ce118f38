# SPDX-License-Identifier: GPL-2.0-or-later
"""A session as one HTML file that needs nothing else: no scripts, no fonts, no pictures."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from harness.report.failure import FILE as FAILURE
from harness.report.failure import PARTS
from harness.report.verdict import Verdict
from harness.results.model import KERNELS_FAULT, Case, Results, by_family
from harness.results.plots import Bar, bars, line, rate

REPORT: Final = "report.html"
MATRIX: Final = "matrix.json"  # of gicv5 mutants
AT_ONCE: Final = 3  # failures of a family; the others are folded
CLASSES: Final = {"L": "leaked", "x": "lost", "#": "set", "*": "hiddenset", "o": "exposed"}
SYMBOLS: Final = {
    Verdict.PASS: "✓", Verdict.FAIL: "✗", Verdict.CRASH: "☠", Verdict.SKIP: "–",
    Verdict.ERROR: "!",
}  # fmt: skip


def environment() -> Environment:
    """The templates of this package.  Everything that is not marked safe is escaped."""
    loaded = Environment(
        loader=PackageLoader("harness.results"), autoescape=True, trim_blocks=True,
        lstrip_blocks=True, undefined=StrictUndefined,
    )  # fmt: skip
    loaded.filters["cells"] = cells
    loaded.filters["moment"] = moment
    loaded.globals.update(symbol=lambda verdict: SYMBOLS[verdict], Verdict=Verdict)
    return loaded


def moment(iso: str) -> str:
    """A time of a session or a night, to be read by people."""
    day, _, clock = iso.partition("T")
    return f"{day}, {clock.removesuffix('+00:00')} UTC" if iso.endswith("+00:00") else iso


def cells(row: str) -> Markup:
    """A row of a PPI map with its special cells marked."""
    marked = (
        f'<b class="{CLASSES[cell]}">{cell}</b>' if cell in CLASSES else cell
        for cell in row.split(" ")
    )  # fmt: skip
    return Markup(" ".join(marked))  # only the ten characters of a map


def page(results: Results, folder: Path, matrix: Path | None = None) -> str:
    """The page; what ``folder`` holds of failures goes into it, and a kill matrix if there is one.

    ``matrix``: the matrix.json of `gicv5 mutants`, if it is not in ``folder``.
    """
    counts = results.counts()
    failed = {
        name: [(case, failure(folder / case.artefacts)) for case in cases]
        for name, cases in by_family(failures(results)).items()
    }
    return environment().get_template("session.html.j2").render(
        results=results,
        counts=[(verdict, counts[verdict]) for verdict in Verdict],
        families=_families(results),
        failures=list(failed.items()),
        failing=failed.keys(),
        at_once=AT_ONCE,
        skips=_skips(results),
        matrix=kill_matrix(_json(matrix or folder / MATRIX)),
        plots={key: Markup(svg) for key, svg in _plots(results).items()},
    )  # fmt: skip


def failures(results: Results) -> list[Case]:
    wanted = KERNELS_FAULT | {Verdict.ERROR}
    return [case for case in results.cases if case.verdict in wanted]


def kill_matrix(found: Any) -> Mapping[str, Any] | None:
    """``columns``: families; ``rows``: (mutant, status, failures per family); None if that is not a
    kill matrix."""
    try:
        mutants = [
            (each["name"], each["suite"], Counter(each["families"]) + Counter(each["crashed"]))
            for each in found["mutants"]
        ]
    except (TypeError, KeyError, AttributeError):
        return None
    columns = list(dict.fromkeys(family for _, _, killed in mutants for family in killed))
    rows = [(name, status, [killed[c] for c in columns]) for name, status, killed in mutants]
    return {"columns": columns, "rows": rows}


def _families(results: Results) -> list[dict[str, Any]]:
    from harness.suite import families  # noqa: PLC0415 (it builds hundreds of programs)

    purposes = {family.name: family.purpose for family in families()}
    return [
        {
            "name": name,
            "purpose": purposes.get(name, ""),
            "counts": Counter(case.verdict for case in cases),
            "seconds": sum(case.seconds for case in cases),
            "cases": cases,
        }
        for name, cases in results.families().items()
    ]


def _skips(results: Results) -> list[tuple[str, list[Case]]]:
    """By what is missing and what showed it."""
    reasons: dict[str, list[Case]] = {}
    for case in results.cases:
        if case.verdict is Verdict.SKIP:
            reasons.setdefault(case.message, []).append(case)
    return sorted(reasons.items(), key=lambda each: -len(each[1]))


def failure(folder: Path) -> Mapping[str, Any]:
    """What an artefact folder holds of a failure; every part is there, maybe empty."""
    found = _json(folder / FAILURE)
    return dict.fromkeys(PARTS, ()) | (found if isinstance(found, dict) else {})


def _json(path: Path) -> Any:
    """None if it is not there or not readable: the page is made of what there is."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None


def _plots(results: Results) -> dict[str, str]:
    costs = sorted(
        ((sum(c.seconds for c in cases), name, len(cases))
         for name, cases in results.families().items()),
        reverse=True,
    )  # fmt: skip
    return {
        "boots": bars(
            [
                Bar(f"boot {n}", tuple(s for _, s in boot.phases()), f"{boot.seconds:.2f} s")
                for n, boot in enumerate(results.boots[:12], 1)
            ],
            "boot phases",
        ),
        "rate": line(
            rate([case.started + case.seconds for case in results.cases]),
            "programs per second", "s", "/s",
        ),
        "cost": bars(
            [Bar(f"{name} ({count})", (cost,), f"{cost:.2f} s") for cost, name, count in costs],
            "seconds by family",
        ),
    }  # fmt: skip
