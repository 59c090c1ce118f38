# SPDX-License-Identifier: GPL-2.0-or-later
"""Coverage as text and as HTML."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from harness.coverage.explained import Report, Uncovered, restricted
from harness.coverage.gcov import Coverage, FileCoverage, merged


@dataclass(frozen=True, slots=True)
class Share:
    """How many of how many."""

    reached: int
    all: int

    def __str__(self) -> str:
        percent = 100 * self.reached / self.all if self.all else 100.0
        return f"{self.reached}/{self.all} {percent:5.1f} %"


def lines_of(file: FileCoverage) -> Share:
    """Lines that were reached."""
    return Share(sum(1 for count in file.lines.values() if count), len(file.lines))


def branches_of(file: FileCoverage) -> Share:
    """Branches that were taken."""
    counts = [count for line in file.branches.values() for count in line]
    return Share(sum(1 for count in counts if count), len(counts))


def summary(phases: Mapping[str, Coverage]) -> list[str]:
    """A table: a row for each file, lines and branches for each phase and for all together.

    Of a file that is not all about the VGICv5, what is, has a row of its own.
    """
    columns = dict(phases)
    if len(phases) > 1:
        columns["all"] = merged(phases.values())
    width = max(len(label) for label, _ in _rows(columns))
    head = f"{'':{width}}" + "".join(f"  {name + ' lines':>15}{'branches':>17}" for name in columns)
    out = [head.rstrip()]
    for label, files in _rows(columns):
        cells = [f"  {lines_of(f)!s:>15}{branches_of(f)!s:>17}" for f in files]
        out.append(f"{label:{width}}" + "".join(cells))
    return out


def _rows(columns: Mapping[str, Coverage]) -> Iterator[tuple[str, list[FileCoverage]]]:
    names = sorted({name for coverage in columns.values() for name in coverage})
    small = {phase: restricted(coverage) for phase, coverage in columns.items()}
    for name in names:
        files = [coverage.get(name, FileCoverage()) for coverage in columns.values()]
        ours = [coverage.get(name, FileCoverage()) for coverage in small.values()]
        if any(f.lines for f in ours):
            whole = [f.lines.keys() for f in ours] == [f.lines.keys() for f in files]
            yield name if whole else f"{name}: *v5*", ours
            if whole:
                continue
        yield name, files


def listed(missing: Sequence[Uncovered]) -> list[str]:
    """The lines that were not reached, with the reason, or without."""
    return [
        f"{u.file}:{u.number}: {u.text.strip()}    [{u.why or 'NOT EXPLAINED'}]" for u in missing
    ]


_STYLE = """
body { font-family: sans-serif } td { padding: 0 1em; white-space: pre; font-family: monospace }
.hit { background: #e4f5e4 } .miss { background: #fbdada } .why { background: #fdf3d0 }
.half { border-left: 4px solid #d99a00 } .n { text-align: right; color: #666 }
"""


def text(report: Report) -> str:
    """For the terminal."""
    parts = {"": summary(report.phases), "not reached:": listed(report.missing),
             "explained, but not so:": report.stale}  # fmt: skip
    return "\n".join(_section(title, lines) for title, lines in parts.items())


def _section(title: str, lines: Sequence[str]) -> str:
    if not title:
        return "\n".join(lines)
    return "\n    ".join(["\n" + title, *(lines or ["nothing"])])


def html(folder: Path, title: str, report: Report) -> Path:
    """Write ``folder``: index.html, and a page for each source file; returns the index."""
    folder.mkdir(parents=True, exist_ok=True)
    why = {(u.file, u.number): u.why for u in report.missing}
    for name, lines in report.sources.items():
        files = {p: coverage.get(name, FileCoverage()) for p, coverage in report.phases.items()}
        reasons = {n: reason for (file, n), reason in why.items() if file == name}
        body = "\n".join(_source(files, lines, reasons))
        (folder / _page(name)).write_text(_document(name, f"<table>{body}</table>"))
    links = "".join(f'<li><a href="{_page(n)}">{escape(n)}</a>' for n in report.sources)
    index = folder / "index.html"
    index.write_text(_document(title, f"<pre>{escape(text(report))}</pre><ul>{links}</ul>"))
    return index


def _page(name: str) -> str:
    return name.replace("/", "_") + ".html"


def _document(title: str, body: str) -> str:
    head = f"<meta charset=utf-8><title>{escape(title)}</title><style>{_STYLE}</style>"
    body = f"<h1>{escape(title)}</h1>{body}"
    return f"<!doctype html><html><head>{head}</head><body>{body}</body></html>\n"


def _source(
    files: Mapping[str, FileCoverage], lines: Sequence[str], why: Mapping[int, str]
) -> Iterator[str]:
    titles = "".join(f"<th>{escape(phase)}<th>branches" for phase in files)
    yield f"<tr><th>line{titles}<th>source<th>why not"
    for number, text in enumerate(lines, 1):
        cells, kind = [], ""
        counts = [file.lines.get(number) for file in files.values()]
        if any(count is not None for count in counts):
            reached = any(counts)
            kind = "hit" if reached else ("why" if why.get(number) else "miss")
        for file, count in zip(files.values(), counts, strict=True):
            branches = file.branches.get(number, ())
            taken = f"{sum(map(bool, branches))}/{len(branches)}" if branches else ""
            cells.append(f"<td class=n>{'' if count is None else count}<td class=n>{taken}")
        split = [list(f.branches.get(number, ())) for f in files.values()]
        if kind == "hit" and not all(map(any, zip(*split, strict=False))):
            kind += " half"
        yield (f'<tr class="{kind}" id="{number}"><td class=n>{number}{"".join(cells)}'
               f"<td>{escape(text)}<td>{escape(why.get(number, ''))}")  # fmt: skip
